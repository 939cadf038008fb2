//! Owns what dbt says of the nodes of a step in run_results.json and sources.json.
//!
//! Reads the few fields it needs, so that a new version of the file changes nothing; never judges a
//! step by them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::Step;

/// Counts by outcome, in the order of the closing line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Nodes {
    pub(crate) success: usize,
    pub(crate) error: usize,
    pub(crate) warn: usize,
    pub(crate) skipped: usize,
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
    pub(crate) failed: Vec<FailedNode>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
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
}

/// A text, or nothing where a field holds something else: one odd node must not hide all others.
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

/// Counts. A file that cannot be read says nothing: `None`.
pub(super) fn read(step: &str, content: &[u8]) -> Option<Results> {
    let file: File = serde_json::from_slice(content).ok()?;
    let mut results = Results::default();
    for node in file.results {
        match node.status.as_deref().unwrap_or_default() {
            "success" | "pass" | "no-op" | "reused" => results.nodes.success += 1,
            "warn" => results.nodes.warn += 1,
            "skipped" => results.nodes.skipped += 1,
            // error, fail, runtime error, partial success: dbt itself exits with 1 for each.
            _ => {
                results.nodes.error += 1;
                let message = node.message.or(node.error);
                let stale = || {
                    node.max_loaded_at_time_ago_in_s
                        .map(|age| format!("stale: the youngest row is {} old", duration(age)))
                };
                let message = message
                    .filter(|message| !message.is_empty())
                    .or_else(stale)
                    .or(node.status)
                    .unwrap_or_default();
                let node = node.unique_id.unwrap_or_default();
                results.failed.push(FailedNode {
                    step: step.to_owned(),
                    node,
                    message,
                });
            }
        }
    }
    Some(results)
}

/// Whole minutes, in words of people.
fn duration(seconds: f64) -> String {
    let minutes = std::time::Duration::try_from_secs_f64(seconds.max(0.0))
        .map_or(0, |age| age.as_secs() / 60);
    humantime::format_duration(std::time::Duration::from_secs(minutes * 60)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_status() {
        let statuses = [
            "success",
            "pass",
            "no-op",
            "error",
            "fail",
            "runtime error",
            "partial success",
            "warn",
            "skipped",
        ];
        let nodes: Vec<_> =
            statuses.iter().map(|status| serde_json::json!({"status": status, "unique_id": format!("model.x.{status}")})).collect();
        let results = read(
            "run",
            serde_json::json!({ "results": nodes })
                .to_string()
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(
            results.nodes,
            Nodes {
                success: 3,
                error: 4,
                warn: 1,
                skipped: 1
            }
        );
        assert_eq!(
            results.failed[0],
            FailedNode {
                step: "run".into(),
                node: "model.x.error".into(),
                message: "error".into()
            }
        );
    }

    #[test]
    fn says_why_a_source_failed() {
        let sources = serde_json::json!({"results": [
            {"status": "error", "unique_id": "source.x.a", "max_loaded_at_time_ago_in_s": 172_815.2},
            {"status": "runtime error", "unique_id": "source.x.b", "error": "relation does not exist"},
        ]});
        let failed = read("freshness", sources.to_string().as_bytes())
            .unwrap()
            .failed;
        assert_eq!(failed[0].message, "stale: the youngest row is 2days old");
        assert_eq!(failed[1].message, "relation does not exist");
    }

    #[test]
    fn an_odd_node_hides_no_other() {
        let results = serde_json::json!({"results": [{"status": null, "message": 5}, {"status": "error", "unique_id": "b", "message": "boom"}]});
        let results = read("run", results.to_string().as_bytes()).unwrap();
        assert_eq!(
            (results.nodes.error, results.failed[1].message.as_str()),
            (2, "boom")
        );
    }

    #[test]
    fn an_unreadable_file_says_nothing() {
        assert!(read("run", b"{").is_none());
    }
}
