//! Owns what is remembered of earlier runs, `state/history.json`: its form, its limits, and how
//! runs get in.
//!
//! Pure: bytes in, bytes out. Never asks where they lie, and never trusts what it reads to be true,
//! only to be well-formed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifacts::{NodeRun, NodeState, Nodes};
use crate::report::NO_LEASE;

/// Where it lies below the destination.
pub(crate) const KEY: &str = "state/history.json";
/// More is not read.
pub(crate) const LARGEST: u64 = 4 << 20;
/// More is not written: the oldest runs go first.
const LARGEST_WRITTEN: usize = 1 << 20;
const MOST_RUNS: usize = 200;
const VERSION: u64 = 1;

/// Of each run, and by how much a name may be longer than any of dbt's.
const MOST_FAILED: usize = 10;
const MOST_SLOW: usize = 20;
const MOST_FRESH: usize = 50;
const MOST_STEPS: usize = 99;
const LONGEST: usize = 300;

/// All that is remembered, the run that began last at the end.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct History {
    pub(crate) runs: Vec<Entry>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) started: String,
    pub(crate) seconds: f64,
    pub(crate) status: String,
    pub(crate) code: u8,
    /// The run that this one finished.
    pub(crate) resumes: Option<String>,
    /// Name, status and seconds of each step.
    pub(crate) steps: Vec<(String, String, f64)>,
    pub(crate) nodes: Nodes,
    /// The first nodes that failed.
    pub(crate) failed: Vec<String>,
    /// The slowest nodes with their seconds.
    pub(crate) slow: Vec<(String, f64)>,
    /// Each source with its state and the age of its youngest row, in seconds.
    pub(crate) fresh: Vec<(String, String, Option<f64>)>,
}

/// What a file turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    History(History),
    Malformed,
    /// Written by a later version of this program, which knows more.
    Later,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u64,
    runs: &'a [Entry],
}

impl History {
    pub(crate) fn read(content: &[u8]) -> Read {
        #[derive(Deserialize)]
        struct File {
            runs: Vec<Entry>,
        }
        let Ok(value) = serde_json::from_slice::<Value>(content) else {
            return Read::Malformed;
        };
        match value.get("v").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => return Read::Later,
            _ => return Read::Malformed,
        }
        match serde_json::from_value::<File>(value) {
            Ok(file) if file.runs.iter().all(Entry::is_sound) => {
                let mut history = Self { runs: file.runs };
                history.tidy();
                Read::History(history)
            }
            _ => Read::Malformed,
        }
    }

    /// Puts a run where it belongs by its start. A run that is there already is replaced.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.runs.retain(|other| other.id != entry.id);
        self.runs.push(entry);
        self.tidy();
    }

    /// The file, of which the oldest runs are left out until it is small enough.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut from = 0;
        loop {
            let runs = &self.runs[from..];
            let file = serde_json::to_vec(&Written { v: VERSION, runs }).unwrap_or_default();
            if file.len() <= LARGEST_WRITTEN || runs.len() <= 1 {
                return file;
            }
            from += 1 + runs.len() / 20;
        }
    }

    fn tidy(&mut self) {
        self.runs
            .sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        let mut surplus = self.runs.len().saturating_sub(MOST_RUNS);
        // Those that only waited for another one go first.
        self.runs.retain(|run| {
            let goes = surplus > 0 && run.was_refused();
            surplus -= usize::from(goes);
            !goes
        });
        self.runs.drain(..surplus);
    }
}

impl Entry {
    /// What the closing line of a run says; `None` where it is not one.
    pub(crate) fn of_summary(summary: &[u8]) -> Option<Self> {
        let summary: Value = serde_json::from_slice(summary).ok()?;
        let text = |value: &Value, name: &str| Some(shortened(value.get(name)?.as_str()?));
        let list = |name: &str| {
            summary
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let id = text(&summary, "run_id")?;
        let steps: Vec<_> = list("steps")
            .filter_map(|step| {
                let seconds = step.get("seconds")?.as_f64()?;
                Some((text(step, "name")?, text(step, "status")?, seconds))
            })
            .take(MOST_STEPS)
            .collect();
        let counts = list("steps")
            .filter_map(|step| serde_json::from_value(step.get("nodes")?.clone()).ok());
        let entry = Self {
            started: started(&id)?,
            seconds: steps.iter().map(|(_, _, seconds)| seconds).sum(),
            status: text(&summary, "status")?,
            code: u8::try_from(summary.get("exit_code")?.as_u64()?).ok()?,
            resumes: summary
                .get("resumed")
                .filter(|resumed| resumed.get("refused").is_none_or(Value::is_null))
                .and_then(|resumed| text(resumed, "from"))
                .filter(|from| is_run_id(from)),
            steps,
            nodes: Nodes::sum(counts),
            failed: list("failed")
                .filter_map(|failed| text(failed, "node"))
                .take(MOST_FAILED)
                .collect(),
            slow: Vec::new(),
            fresh: Vec::new(),
            id,
        };
        entry.is_sound().then_some(entry)
    }

    /// Adds what the closing line does not hold: how long the run took in all, and what its nodes
    /// took.
    pub(crate) fn complete<'a>(&mut self, seconds: f64, nodes: impl Iterator<Item = &'a NodeRun>) {
        self.seconds = rounded(seconds);
        let mut slow = BTreeMap::<&str, f64>::new();
        for node in nodes {
            if node.id.starts_with("source.") {
                if self.fresh.len() < MOST_FRESH {
                    let state = match node.state {
                        NodeState::Success => "pass",
                        NodeState::Warn => "warn",
                        NodeState::Error => "error",
                        NodeState::Skipped | NodeState::Unknown => continue,
                    };
                    let age = node.age.map(f64::round);
                    self.fresh
                        .push((shortened(&node.id), state.to_owned(), age));
                }
            } else if matches!(node.state, NodeState::Success | NodeState::Warn) {
                *slow.entry(&node.id).or_default() += node.seconds;
            }
        }
        let mut slow: Vec<_> = slow.into_iter().collect();
        slow.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        slow.truncate(MOST_SLOW);
        self.slow = slow
            .into_iter()
            .map(|(id, seconds)| (shortened(id), rounded(seconds)))
            .collect();
    }

    /// Whether it did not begin, since another run held the lease.
    pub(crate) fn was_refused(&self) -> bool {
        let has_begun = |(_, status, _): &(String, String, f64)| status != "skipped";
        self.code == NO_LEASE && !self.steps.iter().any(has_begun)
    }

    /// Whether the parts that pages are made of fit each other. IDs become addresses of links.
    fn is_sound(&self) -> bool {
        let is_time = humantime::parse_rfc3339(&self.started).is_ok();
        let mut ids = [Some(&self.id), self.resumes.as_ref()]
            .into_iter()
            .flatten();
        let is_duration = self.seconds.is_finite() && self.seconds >= 0.0;
        is_time && ids.all(|id| is_run_id(id)) && is_duration
    }
}

/// Whether a text can be the name of a run, and so of a folder of the ledger.
pub(crate) fn is_run_id(text: &str) -> bool {
    let plain = |part: &str, length: usize, is_right: fn(&u8) -> bool| {
        part.len() == length && part.as_bytes().iter().all(is_right)
    };
    let Some((time, random)) = text.split_once("Z-") else {
        return false;
    };
    let Some((day, clock)) = time.split_once('T') else {
        return false;
    };
    plain(day, 8, u8::is_ascii_digit)
        && plain(clock, 6, u8::is_ascii_digit)
        && plain(random, 8, u8::is_ascii_hexdigit)
}

/// When a run began, by its ID: `2026-11-22T06:14:42Z`.
fn started(id: &str) -> Option<String> {
    if !is_run_id(id) {
        return None;
    }
    let part = |range| id.get(range).unwrap_or_default();
    let date = format!("{}-{}-{}", part(0..4), part(4..6), part(6..8));
    Some(format!(
        "{date}T{}:{}:{}Z",
        part(9..11),
        part(11..13),
        part(13..15)
    ))
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
