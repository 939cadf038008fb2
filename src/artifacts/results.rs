//! Owns what dbt reports of a step's nodes in run_results.json and sources.json.
//!
//! Reads the few fields it needs, so that a new version of the file changes nothing; never judges a
//! step by them.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::Step;
use crate::dbt::{NodeEnd, Told, rows_found, without_backtrace};

mod node_run;

pub(crate) use node_run::{NodeRun, NodeState, seconds_since_1970, time};

/// Counts by outcome, in the order of the closing line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nodes {
    pub(crate) success: usize,
    pub(crate) error: usize,
    pub(crate) warn: usize,
    pub(crate) skipped: usize,
}

impl Nodes {
    /// The counts of several steps together.
    pub(crate) fn sum(counts: impl Iterator<Item = Self>) -> Self {
        counts.fold(Self::default(), |all, nodes| Self {
            success: all.success.saturating_add(nodes.success),
            error: all.error.saturating_add(nodes.error),
            warn: all.warn.saturating_add(nodes.warn),
            skipped: all.skipped.saturating_add(nodes.skipped),
        })
    }

    /// How many there are in all.
    pub(crate) fn all(&self) -> usize {
        self.success + self.error + self.warn + self.skipped
    }
}

/// A node that failed, with what dbt says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedNode {
    pub(crate) step: String,
    pub(crate) node: String,
    pub(crate) message: String,
}

/// The nodes of one step.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) nodes: Nodes,
    /// In this attempt.
    pub(crate) failed: Vec<FailedNode>,
    /// Each node as it ran, up to a number that fits on a page.
    pub(crate) runs: Vec<NodeRun>,
    /// Of all nodes.
    pub(crate) ids: Vec<String>,
    /// Those of them that did not run, or of which that is not certain.
    pub(super) not_run: BTreeSet<String>,
    /// Those of them of which only an earlier attempt has left a result.
    pub(super) of_earlier: BTreeSet<String>,
}

impl Results {
    /// Whether a node of these results has run in this attempt.
    pub(crate) fn has_run(&self, id: &str) -> bool {
        !self.not_run.contains(id) && !self.of_earlier.contains(id)
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default, deserialize_with = "nodes")]
    results: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    unique_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    message: Option<String>,
    /// In sources.json, for a source that could not be asked.
    #[serde(default, deserialize_with = "text")]
    error: Option<String>,
    /// In sources.json: the age of the youngest row, in seconds.
    #[serde(default, deserialize_with = "number")]
    max_loaded_at_time_ago_in_s: Option<f64>,
    /// How many rows a test found.
    #[serde(default, deserialize_with = "number")]
    failures: Option<f64>,
    #[serde(default, deserialize_with = "node_run::span")]
    timing: Option<(f64, f64)>,
    #[serde(default, deserialize_with = "text")]
    thread_id: Option<String>,
    #[serde(default, deserialize_with = "number")]
    execution_time: Option<f64>,
    #[serde(default, deserialize_with = "node_run::rows")]
    adapter_response: Option<f64>,
    /// In sources.json: when it warns, and when it fails, in seconds.
    #[serde(default, deserialize_with = "node_run::limits")]
    criteria: (Option<f64>, Option<f64>),
}

/// A file with more nodes than any project has is refused, and only so many messages are kept.
/// Otherwise a step could fill the memory.
const MOST_NODES: usize = 200_000;
const MOST_MESSAGES: usize = 1000;
const MOST_RUNS: usize = 20_000;

fn nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Node>, D::Error> {
    struct Nodes;

    impl<'de> Visitor<'de> for Nodes {
        type Value = Vec<Node>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of nodes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Node>, A::Error> {
            let (mut nodes, mut messages) = (Vec::new(), 0);
            while let Some(mut node) = list.next_element::<Node>()? {
                if nodes.len() == MOST_NODES {
                    return Err(de::Error::custom("too many nodes"));
                }
                let state = NodeState::of(node.status.as_deref().unwrap_or_default());
                let says_why = matches!(state, NodeState::Error | NodeState::Warn);
                if says_why && messages < MOST_MESSAGES {
                    messages += 1;
                } else {
                    (node.message, node.error) = (None, None);
                }
                nodes.push(node);
            }
            Ok(nodes)
        }
    }

    deserializer.deserialize_seq(Nodes)
}

/// A text, or nothing if a field holds something else: one odd node must not hide all others.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?
        .as_str()
        .map(str::to_owned))
}

/// The same for a number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_f64())
}

/// Whether the results of a step are worth keeping as the run's: those of `docs generate` and
/// `compile` say only that the SQL of a node could be rendered.
pub(super) fn runs_nodes(step: &Step) -> bool {
    matches!(
        step.subcommand(),
        "run" | "test" | "build" | "seed" | "snapshot" | "retry" | "clone"
    )
}

/// Which of the two files has the nodes of a step, if either.
pub(super) fn file_of(step: &Step) -> Option<&'static str> {
    match step.subcommand() {
        "source" => Some(super::SOURCES),
        "compile" => Some(super::RUN_RESULTS),
        _ if runs_nodes(step) => Some(super::RUN_RESULTS),
        _ => None,
    }
}

/// Whether a step has nodes of which it leaves results.
pub(crate) fn has_nodes(step: &Step) -> bool {
    file_of(step).is_some()
}

/// Whether a node is done that has this status: a test that only warns has run, too.
pub(crate) fn is_success(status: &str) -> bool {
    matches!(NodeState::of(status), NodeState::Success | NodeState::Warn)
}

/// Counts the nodes; `None` if the file cannot be read. `told`: what is known better than by the
/// file, where that may call every node an error.
pub(super) fn read(step: &str, content: impl Read, told: Option<&Told>) -> Option<Results> {
    let file: File = serde_json::from_reader(BufReader::new(content)).ok()?;
    let mut results = Results::default();
    for mut node in file.results {
        results.ids.push(node.id().to_owned());
        let mut state = NodeState::of(node.status.as_deref().unwrap_or_default());
        if state == NodeState::Error
            && let Some(end) = told.and_then(|told| told.end(node.id()))
        {
            state = node.correct(end);
        }
        if !state.has_run() {
            results.not_run.insert(node.id().to_owned());
        }
        if results.runs.len() < MOST_RUNS {
            results.runs.push(node.as_run(state));
        }
        match state {
            NodeState::Success => results.nodes.success += 1,
            NodeState::Warn => results.nodes.warn += 1,
            NodeState::Skipped => results.nodes.skipped += 1,
            NodeState::Unknown => tracing::warn!(
                "step {step}: {} has the state {:?}, which is unknown, so the node is not counted",
                node.unique_id.as_deref().unwrap_or("a node"),
                node.status.as_deref().unwrap_or_default()
            ),
            NodeState::Error => {
                results.nodes.error += 1;
                results.failed.push(node.into_failed(step));
            }
        }
    }
    Some(results)
}

impl Node {
    fn id(&self) -> &str {
        self.unique_id.as_deref().unwrap_or_default()
    }

    /// Whether dbt says no more than that the node failed: "Error", "Compilation Error".
    fn gives_no_reason(&self) -> bool {
        let said = self.message.as_deref().or(self.error.as_deref());
        said.is_none_or(|said| said.split_whitespace().nth(2).is_none())
    }

    /// Takes over what is known better.
    fn correct(&mut self, end: NodeEnd) -> NodeState {
        match end {
            NodeEnd::Success => NodeState::Success,
            NodeEnd::Warned => NodeState::Warn,
            NodeEnd::Skipped => NodeState::Skipped,
            NodeEnd::Failed(reason) => {
                if reason.is_some() && self.gives_no_reason() {
                    self.message = reason;
                }
                NodeState::Error
            }
        }
    }

    fn as_run(&self, state: NodeState) -> NodeRun {
        let says_why = matches!(state, NodeState::Error | NodeState::Warn);
        NodeRun {
            id: self.id().to_owned(),
            state,
            status: match &self.status {
                Some(word) if NodeState::of(word) == state => word.clone(),
                _ => state.word().to_owned(),
            },
            span: self.timing,
            seconds: self.execution_time.unwrap_or_default().max(0.0),
            thread: self.thread_id.clone(),
            rows: self.adapter_response,
            message: says_why.then(|| self.words()),
            age: self.max_loaded_at_time_ago_in_s,
            warns_after: self.criteria.0,
            fails_after: self.criteria.1,
        }
    }

    /// What dbt says of a node that did not succeed, or else what is known.
    fn words(&self) -> String {
        let said = self.message.as_deref().or(self.error.as_deref());
        let said = said
            .map(without_backtrace)
            .filter(|message| !message.is_empty());
        let stale = || {
            self.max_loaded_at_time_ago_in_s
                .map(|age| format!("stale: the youngest row is {} old", duration(age)))
        };
        // Of a failed test, dbt 2 says no more than that it failed.
        let rows = self
            .failures
            .filter(|rows| *rows > 0.0 && self.gives_no_reason() && said.is_some())
            .map(rows_found);
        rows.or(said)
            .or_else(stale)
            .or_else(|| self.status.clone())
            .unwrap_or_default()
    }

    fn into_failed(self, step: &str) -> FailedNode {
        FailedNode {
            step: step.to_owned(),
            message: self.words(),
            node: self.unique_id.unwrap_or_default(),
        }
    }
}

/// Whole minutes, written for people.
fn duration(seconds: f64) -> String {
    let minutes = std::time::Duration::try_from_secs_f64(seconds.max(0.0))
        .map_or(0, |age| age.as_secs() / 60);
    humantime::format_duration(std::time::Duration::from_secs(minutes * 60)).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    /// Each state in the case and with the name of some version, and where it counts: success,
    /// error, warn, skipped, or nowhere.
    const STATES: [(&str, [usize; 4]); 24] = [
        ("success", [1, 0, 0, 0]),
        ("Success", [1, 0, 0, 0]),
        ("Succeeded", [1, 0, 0, 0]),
        ("pass", [1, 0, 0, 0]),
        ("Pass", [1, 0, 0, 0]),
        ("PASSED", [1, 0, 0, 0]),
        ("no-op", [1, 0, 0, 0]),
        ("NoOp", [1, 0, 0, 0]),
        ("reused", [1, 0, 0, 0]),
        ("error", [0, 1, 0, 0]),
        ("Error", [0, 1, 0, 0]),
        ("Errored", [0, 1, 0, 0]),
        ("fail", [0, 1, 0, 0]),
        ("Failed", [0, 1, 0, 0]),
        ("runtime error", [0, 1, 0, 0]),
        ("RuntimeError", [0, 1, 0, 0]),
        ("partial success", [0, 1, 0, 0]),
        ("warn", [0, 0, 1, 0]),
        ("Warning", [0, 0, 1, 0]),
        ("skipped", [0, 0, 0, 1]),
        ("Skipped", [0, 0, 0, 1]),
        ("unsuccessful", [0, 0, 0, 0]),
        ("Deferred", [0, 0, 0, 0]),
        ("", [0, 0, 0, 0]),
    ];

    #[test]
    fn counts_every_state_in_any_case() {
        for (state, [success, error, warn, skipped]) in STATES {
            let node = json!({"status": state, "unique_id": "model.x.a"});
            let content = json!({ "results": [node] }).to_string();
            let results = read("run", content.as_bytes(), None).unwrap();
            let expected = Nodes {
                success,
                error,
                warn,
                skipped,
            };
            assert_eq!(results.nodes, expected, "{state:?}");
            let failed: Vec<_> = results
                .failed
                .iter()
                .map(|failed| (failed.step.as_str(), failed.message.as_str()))
                .collect();
            let told: &[_] = if error == 1 { &[("run", state)] } else { &[] };
            assert_eq!(failed, told, "{state:?}");
        }
    }

    #[test]
    fn a_backtrace_is_no_message() {
        let message = "Remote database error\n   0: <unknown>\n  12: start_thread\n             at \
            ./nptl/pthread_create.c:442:8\n";
        let node = json!({"status": "error", "unique_id": "b", "message": message});
        let content = json!({ "results": [node] }).to_string();
        let failed = read("run", content.as_bytes(), None).unwrap().failed;
        assert_eq!(failed[0].message, "Remote database error");
    }

    #[test]
    fn says_why_a_source_failed() {
        let sources = json!({"results": [
            {"status": "error", "unique_id": "source.x.a",
                "max_loaded_at_time_ago_in_s": 172_815.2},
            {"status": "runtime error", "unique_id": "source.x.b", "error": "relation does not \
                exist"},
        ]});
        let failed = read("freshness", sources.to_string().as_bytes(), None)
            .unwrap()
            .failed;
        assert_eq!(failed[0].message, "stale: the youngest row is 2days old");
        assert_eq!(failed[1].message, "relation does not exist");
    }

    #[test]
    fn an_odd_node_hides_no_other() {
        let results = json!({"results": [{"status": null, "message": 5},
            {"status": "error", "unique_id": "b", "message": "boom"}]});
        let results = read("run", results.to_string().as_bytes(), None).unwrap();
        assert_eq!(
            (results.nodes.error, results.failed[0].message.as_str()),
            (1, "boom")
        );
    }

    #[test]
    fn what_dbt_told_is_known_better_than_what_the_file_says() {
        let nodes = ["built", "broken", "doubtful", "running"]
            .map(|id| json!({"status": "error", "unique_id": id, "message": "Compilation Error"}));
        let content = json!({ "results": nodes }).to_string();
        let mut told = Told {
            ended: BTreeMap::from([
                ("built".to_owned(), NodeEnd::Success),
                (
                    "broken".to_owned(),
                    NodeEnd::Failed(Some("no column".to_owned())),
                ),
                ("doubtful".to_owned(), NodeEnd::Warned),
            ]),
            ..Told::default()
        };
        for (is_stopped, skipped, failed) in [
            (true, 1, vec![("broken", "no column")]),
            (
                false,
                0,
                vec![("broken", "no column"), ("running", "Compilation Error")],
            ),
        ] {
            told.is_stopped = is_stopped;
            let results = read("run", content.as_bytes(), Some(&told)).unwrap();
            let expected = Nodes {
                success: 1,
                error: failed.len(),
                warn: 1,
                skipped,
            };
            assert_eq!(results.nodes, expected);
            let found: Vec<_> = results
                .failed
                .iter()
                .map(|failed| (failed.node.as_str(), failed.message.as_str()))
                .collect();
            assert_eq!(found, failed);
        }
    }

    #[test]
    fn a_failed_test_of_dbt_2_says_how_many_rows_it_found() {
        for (message, failures, expected) in [
            ("Error", 300, "found 300 rows"),
            ("Error", 1, "found 1 row"),
            ("Got 2 results", 2, "Got 2 results"),
            ("Error", 0, "Error"),
        ] {
            let node = json!({"status": "fail", "unique_id": "test.a",
                "message": message, "failures": failures});
            let content = json!({ "results": [node] }).to_string();
            let results = read("test", content.as_bytes(), None).unwrap();
            assert_eq!(results.failed[0].message, expected);
        }
    }

    #[test]
    fn an_unreadable_file_says_nothing() {
        assert!(read("run", &b"{"[..], None).is_none());
    }
}
