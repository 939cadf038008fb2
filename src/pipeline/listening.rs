//! Owns what is heard of a step while it runs: the events of its nodes, and the line that says how
//! far it is when dbt itself has said nothing for a minute.
//!
//! Never reads dbt's output, and changes nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::output::LastWords;
use crate::config::LogFormat;
use crate::dbt::{Feed, NodeEvent};

/// Often enough for a line each minute and a record that is seconds behind.
const BETWEEN: Duration = Duration::from_secs(1);
/// Longer than this, people begin to wonder whether dbt still lives.
const SILENCE: Duration = Duration::from_mins(1);
/// A line names so many nodes at most.
const MOST_NAMED: usize = 5;

/// Whoever wants to know of a step's nodes.
pub(super) type Heard<'a> = dyn FnMut(NodeEvent) + 'a;

/// How long nodes took last time, in seconds, by id, once that is known.
pub(crate) type LastTime = Arc<OnceLock<BTreeMap<String, f64>>>;

/// What is followed while a step runs.
pub(super) struct Listening<'a> {
    pub(super) step: &'a str,
    pub(super) words: LastWords,
    pub(super) format: LogFormat,
    pub(super) last_time: &'a LastTime,
    /// How many of the step's nodes an earlier attempt has done.
    pub(super) done_before: usize,
    pub(super) heard: &'a mut Heard<'a>,
}

impl Listening<'_> {
    /// Does the work, and meanwhile passes on what comes. `feed`: `None` where dbt tells nothing of
    /// its nodes.
    pub(super) async fn during<T>(
        &mut self,
        mut feed: Option<Feed>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        let mut progress = Progress {
            done_before: self.done_before,
            ..Progress::default()
        };
        let mut told = Instant::now();
        loop {
            let is_over = tokio::select! {
                biased;
                done = &mut work => Some(done),
                () = sleep(BETWEEN) => None,
            };
            if let Some(feed) = &mut feed {
                let mut hear = |event: NodeEvent| {
                    progress.hear(&event, Instant::now());
                    (self.heard)(event);
                };
                // At the end nothing may be left; before, signals get their turn.
                while feed.read(&mut hear) && is_over.is_some() {}
            }
            if let Some(done) = is_over {
                return done;
            }
            let is_silent = self.words.silence() >= SILENCE && told.elapsed() >= SILENCE;
            if is_silent && let Some(stand) = progress.stand(self.last_time, Instant::now()) {
                told = Instant::now();
                self.tell(&stand);
            }
        }
    }

    fn tell(&self, stand: &Stand<'_>) {
        let (step, line) = (self.step, stand.line());
        match self.format {
            LogFormat::Text => tracing::info!("step {step}: {line}"),
            LogFormat::Json => {
                let Stand { done, total, .. } = stand;
                let running = serde_json::to_string(&stand.running).unwrap_or_default();
                tracing::info!(step, done, total, running, "step {step}: {line}");
            }
        }
    }
}

/// How far a step is.
#[derive(Debug, Default)]
struct Progress {
    done_before: usize,
    known: usize,
    told: usize,
    done: BTreeSet<String>,
    running: BTreeMap<String, Run>,
}

/// A node that runs. The batches of a microbatch model have its id, and it goes on when one ends.
#[derive(Debug)]
struct Run {
    since: Instant,
    depth: usize,
}

impl Progress {
    fn hear(&mut self, event: &NodeEvent, now: Instant) {
        match event {
            NodeEvent::Plan { ids, total } => {
                self.known += ids.len();
                self.told = self.told.max(total.unwrap_or_default());
            }
            NodeEvent::Start { id, .. } => {
                let run = self.running.entry(id.clone()).or_insert(Run {
                    since: now,
                    depth: 0,
                });
                run.depth += 1;
            }
            NodeEvent::End { id, .. } => match self.running.get_mut(id) {
                Some(run) if run.depth > 1 => run.depth -= 1,
                _ => {
                    self.running.remove(id);
                    self.done.insert(id.clone());
                }
            },
            NodeEvent::Silent { .. } => {}
        }
    }

    /// `None` where nothing is known of the nodes.
    fn stand(&self, last_time: &LastTime, now: Instant) -> Option<Stand<'_>> {
        let total = self.known.max(self.told);
        if total == 0 {
            return None;
        }
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(_, run)| run.since);
        let running = running.into_iter().map(|(id, run)| RunningNode {
            node: id,
            seconds: now.duration_since(run.since).as_secs(),
            last_time: last_time.get().and_then(|known| known.get(id)).copied(),
        });
        Some(Stand {
            done: self.done_before + self.done.len(),
            total: self.done_before + total,
            running: running.collect(),
        })
    }
}

/// How far a step is at one moment.
#[derive(Debug)]
struct Stand<'a> {
    done: usize,
    total: usize,
    /// The longest first.
    running: Vec<RunningNode<'a>>,
}

/// As the log has it in JSON.
#[derive(Debug, Serialize)]
struct RunningNode<'a> {
    node: &'a str,
    seconds: u64,
    /// In seconds, too.
    last_time: Option<f64>,
}

impl Stand<'_> {
    fn line(&self) -> String {
        let mut line = format!("{} of {} nodes done", self.done, self.total);
        for (index, run) in self.running.iter().take(MOST_NAMED).enumerate() {
            let before = if index == 0 { "; running: " } else { ", " };
            let _ = write!(line, "{before}{} for {} s", run.node, run.seconds);
            if let Some(took) = run.last_time {
                let _ = write!(line, " (last time {took:.0} s)");
            }
        }
        if self.running.len() > MOST_NAMED {
            let _ = write!(line, " and {} more", self.running.len() - MOST_NAMED);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(id: &str) -> NodeEvent {
        let (id, ts) = (id.to_owned(), String::new());
        NodeEvent::Start {
            id,
            ts,
            thread: None,
        }
    }

    fn end(id: &str) -> NodeEvent {
        serde_json::from_value(serde_json::json!({"t": "end", "id": id})).unwrap()
    }

    #[tokio::test]
    async fn the_line_says_how_far_it_is_and_what_runs_for_how_long() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut progress = Progress::default();
        let last_time = LastTime::default();
        let line = |progress: &Progress, last_time: &LastTime, now| {
            progress.stand(last_time, now).map(|stand| stand.line())
        };
        assert_eq!(line(&progress, &last_time, at(0)), None);
        let ids = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        progress.hear(&NodeEvent::Plan { ids, total: None }, at(0));
        assert_eq!(
            line(&progress, &last_time, at(1)).unwrap(),
            "0 of 4 nodes done"
        );
        for (event, seconds) in [
            (start("a"), 1),
            (start("b"), 2),
            (end("a"), 3),
            (start("c"), 4),
        ] {
            progress.hear(&event, at(seconds));
        }
        assert_eq!(
            line(&progress, &last_time, at(65)).unwrap(),
            "1 of 4 nodes done; running: b for 63 s, c for 61 s"
        );
        last_time
            .set(BTreeMap::from([("b".to_owned(), 41.7)]))
            .unwrap();
        assert_eq!(
            line(&progress, &last_time, at(65)).unwrap(),
            "1 of 4 nodes done; running: b for 63 s (last time 42 s), c for 61 s"
        );
        progress.done_before = 26;
        let whole = line(&progress, &last_time, at(65)).unwrap();
        assert!(
            whole.starts_with("27 of 30 nodes done; running: b "),
            "{whole}"
        );
    }

    #[tokio::test]
    async fn a_node_of_several_batches_is_done_when_the_last_one_is() {
        let now = Instant::now();
        let mut progress = Progress::default();
        for event in [start("a"), start("a"), end("a"), start("a"), end("a")] {
            progress.hear(&event, now);
            assert!(progress.done.is_empty());
        }
        progress.hear(&end("a"), now);
        assert_eq!((progress.done.len(), progress.running.len()), (1, 0));
    }

    #[tokio::test]
    async fn of_many_nodes_only_some_are_named() {
        let now = Instant::now();
        let mut progress = Progress::default();
        let total = Some(9);
        progress.hear(
            &NodeEvent::Plan {
                ids: Vec::new(),
                total,
            },
            now,
        );
        for id in ["a", "b", "c", "d", "e", "f", "g"] {
            progress.hear(&start(id), now);
        }
        let line = progress.stand(&LastTime::default(), now).unwrap().line();
        assert!(
            line.starts_with("0 of 9 nodes done; running: a for 0 s, "),
            "{line}"
        );
        assert!(line.ends_with("e for 0 s and 2 more"), "{line}");
    }
}
