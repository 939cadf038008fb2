//! Owns the nodes of one step, as `nodes.ndjson` has them: what it has selected, and what has
//! become of each node so far.
//!
//! What is not certain counts as not done: a node is rather run twice than never.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use crate::artifacts::{NodeRun, NodeState, is_success, time};
use crate::dbt::NodeEvent;
use crate::redact::Redactor;

/// More events than any project has; more could fill the memory.
const MOST_EVENTS: usize = 1_000_000;
const LONGEST_MESSAGE: usize = 500;

/// What is known of a step's nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NodeLog {
    /// What the step has selected, as far as that is known.
    ids: BTreeSet<String>,
    is_planned: bool,
    /// dbt has told some of it while it ran, in whichever attempt.
    is_told: bool,
    /// How many there are, where not all are known by name.
    total: Option<usize>,
    states: BTreeMap<String, State>,
    /// Each event as a line.
    lines: Vec<(String, String)>,
}

/// The batches of a microbatch model have its id: it has ended when all have that began.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    starts: usize,
    ends: usize,
    /// The last end.
    end: Option<NodeEvent>,
}

impl NodeLog {
    /// Takes in what dbt tells, without secrets.
    pub(crate) fn hear(&mut self, event: NodeEvent, redactor: &Redactor) {
        self.is_told |= !matches!(event, NodeEvent::Silent { .. });
        self.take_in(event, redactor);
    }

    fn take_in(&mut self, event: NodeEvent, redactor: &Redactor) {
        if self.lines.len() >= MOST_EVENTS {
            return;
        }
        let event = match event {
            NodeEvent::Plan { ids, total } => {
                self.is_planned = true;
                self.ids.extend(ids);
                if total.is_some() {
                    self.total = self.total.max(total);
                }
                return;
            }
            NodeEvent::Silent { .. } => return,
            NodeEvent::End {
                id,
                ts,
                thread,
                status,
                s,
                rows,
                msg,
            } => NodeEvent::End {
                msg: msg.map(|msg| shortened(&msg, redactor)),
                id,
                ts,
                thread,
                status,
                s,
                rows,
            },
            start @ NodeEvent::Start { .. } => start,
        };
        let Ok(line) = serde_json::to_string(&event) else {
            return;
        };
        let (NodeEvent::Start { id, .. } | NodeEvent::End { id, .. }) = &event else {
            return;
        };
        let id = id.clone();
        let state = self.states.entry(id.clone()).or_default();
        if matches!(event, NodeEvent::End { .. }) {
            // Some ends are told twice, the second time with less.
            if state.ends > 0 && state.ends >= state.starts {
                return;
            }
            state.ends += 1;
            state.end = Some(event);
        } else {
            state.starts += 1;
        }
        self.lines.push((id, redactor.text(&line).into_owned()));
    }

    /// What another run has left. A line that is malformed, or cut off, says nothing.
    pub(crate) fn read(content: &[u8]) -> Self {
        let mut log = Self::default();
        let nothing = Redactor::default();
        for line in content.split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice(line) {
                log.hear(event, &nothing);
            }
        }
        log
    }

    /// One JSON object a line, the plan first; `None` where dbt has told nothing.
    pub(crate) fn text(&self) -> Option<String> {
        if !self.is_told {
            return None;
        }
        let plan = NodeEvent::Plan {
            ids: self.ids.iter().cloned().collect(),
            // Zero where not even the number is known: then nobody takes the ids for all.
            total: match self.plan() {
                Some(_) => None,
                None => Some(self.total.unwrap_or_default()),
            },
        };
        let mut text = serde_json::to_string(&plan).ok()?;
        text.push('\n');
        for (_, line) in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        Some(text)
    }

    /// How much has been heard; grows with each event.
    pub(crate) fn size(&self) -> usize {
        self.lines.len() + self.ids.len() + usize::from(self.is_planned)
    }

    /// Whether dbt has told any of it while it ran.
    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }

    /// All that the step has selected; `None` where that is not known for certain.
    pub(crate) fn plan(&self) -> Option<&BTreeSet<String>> {
        let is_whole = self
            .total
            .is_none_or(|total| total > 0 && self.ids.len() >= total);
        (self.is_planned && is_whole).then_some(&self.ids)
    }

    /// Adds the names of nodes that have results to a plan that may lack some.
    pub(crate) fn complete_plan<'a>(&mut self, ids: impl IntoIterator<Item = &'a String>) {
        if self.is_planned {
            self.ids.extend(ids.into_iter().cloned());
        }
    }

    /// Adds the ends of nodes that have results, where dbt has told none of them.
    pub(crate) fn complete_ends(&mut self, runs: &[NodeRun], redactor: &Redactor) {
        for run in runs {
            if run.state.has_run() && self.ids.contains(&run.id) && !self.has_run(&run.id) {
                self.take_in(end_of(run), redactor);
            }
        }
    }

    /// Sets the plan of a step that has told none itself.
    pub(super) fn set_plan(&mut self, ids: BTreeSet<String>) {
        self.is_planned = true;
        self.total = None;
        self.ids = ids;
    }

    /// The last end of each node that has succeeded.
    pub(super) fn succeeded(&self) -> impl Iterator<Item = (&str, &NodeEvent)> {
        self.states.iter().filter_map(|(id, state)| {
            let end = state.end.as_ref()?;
            let NodeEvent::End { status, .. } = end else {
                return None;
            };
            (state.ends >= state.starts && is_success(status)).then_some((id.as_str(), end))
        })
    }

    /// How a node has ended last, if it has.
    pub(super) fn end(&self, id: &str) -> Option<&NodeEvent> {
        self.states.get(id)?.end.as_ref()
    }

    /// Those of the nodes that have not run to an end.
    pub(crate) fn not_run<'a>(&self, ids: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
        let ids = ids.filter(|id| !self.has_run(id));
        ids.map(String::as_str).collect()
    }

    fn has_run(&self, id: &str) -> bool {
        match self.end(id) {
            Some(NodeEvent::End { status, .. }) => NodeState::of(status).has_run(),
            _ => false,
        }
    }

    /// The nodes that have ended, as far as their ends say how they ran.
    pub(crate) fn ended(&self) -> Vec<NodeRun> {
        let ends = self.states.values().filter_map(|state| state.end.as_ref());
        let runs = ends.filter_map(|end| match end {
            NodeEvent::End {
                id,
                ts,
                thread,
                status,
                s,
                msg,
                ..
            } => Some(NodeRun {
                id: id.clone(),
                state: NodeState::of(status),
                status: status.clone(),
                span: time(ts).map(|end| (end - s.max(0.0), end)),
                seconds: s.max(0.0),
                thread: thread.clone(),
                rows: None,
                message: msg.clone(),
                age: None,
                warns_after: None,
                fails_after: None,
            }),
            _ => None,
        });
        runs.collect()
    }

    /// The nodes that have begun and not ended.
    pub(crate) fn running(&self) -> Vec<String> {
        let states = self.states.iter();
        let running = states.filter(|(_, state)| state.ends < state.starts);
        running.map(|(id, _)| id.clone()).collect()
    }

    /// The node that has succeeded last.
    pub(super) fn last_success(&self) -> Option<&str> {
        let succeeded: BTreeSet<&str> = self.succeeded().map(|(id, _)| id).collect();
        let ids = self.lines.iter().rev().map(|(id, _)| id.as_str());
        ids.into_iter().find(|id| succeeded.contains(id))
    }

    /// Forgets all nodes but these, of what has happened; the plan stays.
    pub(super) fn keep_only(&mut self, done: &BTreeSet<String>) {
        self.lines.retain(|(id, _)| done.contains(id));
        self.states.retain(|id, _| done.contains(id));
    }
}

/// The end of a node by its result.
fn end_of(run: &NodeRun) -> NodeEvent {
    let end = run
        .span
        .map(|(_, end)| UNIX_EPOCH + Duration::from_secs_f64(end));
    NodeEvent::End {
        id: run.id.clone(),
        ts: end.map_or_else(String::new, |end| {
            humantime::format_rfc3339_micros(end).to_string()
        }),
        thread: run.thread.clone(),
        status: run.status.clone(),
        s: run.seconds,
        #[expect(clippy::cast_possible_truncation, reason = "dbt told a whole number")]
        rows: run.rows.map(|rows| rows as i64),
        msg: run.message.clone(),
    }
}

/// The beginning of a message, without secrets.
fn shortened(message: &str, redactor: &Redactor) -> String {
    let mut redacted = Vec::new();
    let mut stream = redactor.stream();
    stream.push(message.as_bytes(), &mut redacted);
    // A longer one may have been cut in the midst of a secret: what may begin one is left out.
    if message.len() <= LONGEST_MESSAGE {
        stream.finish(&mut redacted);
    }
    let redacted = String::from_utf8_lossy(&redacted);
    redacted.chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests;
