//! Owns the results of a step over several attempts, in the form of dbt's run_results.json: what
//! `dbt retry` goes by.
//!
//! Never calls a node a success that no attempt has seen succeed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::nodes::NodeLog;
use crate::artifacts::is_success;
use crate::dbt::NodeEvent;

const ID: &str = "unique_id";
/// Hooks, which each attempt runs anew.
const HOOK: &str = "operation.";

/// The results of one attempt, if they are any.
pub(super) fn read(content: &[u8]) -> Option<Value> {
    let results: Value = serde_json::from_slice(content).ok()?;
    results.get("results")?.is_array().then_some(results)
}

/// Whether these are results at all, or cut off, or something else.
pub(crate) fn are_results(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct File {
        #[expect(dead_code, reason = "it has to be a list, whatever is in it")]
        results: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<File>(content).is_ok()
}

/// Each node with its status.
pub(super) fn statuses(results: &Value) -> impl Iterator<Item = (&str, &str)> {
    let nodes = results["results"].as_array().into_iter().flatten();
    nodes.filter_map(|node| {
        let id = node[ID].as_str().filter(|id| !id.starts_with(HOOK))?;
        Some((id, node["status"].as_str().unwrap_or_default()))
    })
}

/// What `dbt retry` reads: all that was selected, with the results of what is done, and all else as
/// something to do. `args`: how dbt was called; `version`: dbt's, as far as it is known.
pub(super) fn to_retry(
    plan: &BTreeSet<String>,
    done: &BTreeSet<String>,
    log: &NodeLog,
    earlier: Option<&Value>,
    args: &Value,
    version: Option<&str>,
) -> Value {
    let mut known: BTreeMap<&str, Value> = BTreeMap::new();
    let nodes = earlier.and_then(|results| results["results"].as_array());
    for node in nodes.into_iter().flatten() {
        if let Some(id) = node[ID].as_str().filter(|id| plan.contains(*id)) {
            known.insert(id, node.clone());
        }
    }
    let ends: BTreeMap<&str, &NodeEvent> = log.succeeded().collect();
    let results: Vec<Value> = plan
        .iter()
        .map(|id| {
            let is_done = done.contains(id);
            match known.remove(id.as_str()) {
                Some(node)
                    if is_done == is_success(node["status"].as_str().unwrap_or_default()) =>
                {
                    node
                }
                // dbt 2 that was stopped calls each node an error.
                _ if is_done => result_of(id, ends.get(id.as_str()).copied()),
                _ => {
                    let mut node = result_of(id, None);
                    node["status"] = json!("skipped");
                    node
                }
            }
        })
        .collect();
    let metadata = earlier
        .map(|earlier| earlier["metadata"].clone())
        .filter(Value::is_object)
        .unwrap_or_else(|| {
            json!({
                "dbt_schema_version": format!(
                    "https://schemas.getdbt.com/dbt/run-results/{}.json", schema(version)),
                "dbt_version": version.unwrap_or("1.11.0"),
                "generated_at": "2000-01-01T00:00:00.000000Z",
                "invocation_id": "00000000-0000-0000-0000-000000000000",
                "env": {},
            })
        });
    json!({"metadata": metadata, "results": results, "elapsed_time": 0.0, "args": args})
}

/// Puts what dbt has told of nodes into results that call them something to do.
pub(crate) fn fill_in(results: &mut Value, log: &NodeLog) {
    let nodes = results["results"].as_array_mut();
    for node in nodes.into_iter().flatten() {
        let is_left = !is_success(node["status"].as_str().unwrap_or_default());
        let end = node[ID].as_str().and_then(|id| log.end(id));
        if let Some(NodeEvent::End { id, .. }) = end.filter(|_| is_left) {
            *node = result_of(id, end);
        }
    }
}

/// The version of the form that a dbt reads.
fn schema(version: Option<&str>) -> &'static str {
    let mut numbers = version.unwrap_or_default().split('.');
    let mut number = || numbers.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(1), Some(minor)) if minor < 6 => "v4",
        (Some(1), Some(6 | 7)) => "v5",
        _ => "v6",
    }
}

/// A result from what dbt has told while it ran.
fn result_of(id: &str, end: Option<&NodeEvent>) -> Value {
    let (status, seconds, thread, message) = match end {
        Some(NodeEvent::End {
            status,
            s,
            thread,
            msg,
            ..
        }) => (status.as_str(), *s, thread.as_deref(), msg.as_deref()),
        _ => ("success", 0.0, None, None),
    };
    json!({
        "status": status,
        "timing": [],
        "thread_id": thread.unwrap_or_default(),
        "execution_time": seconds,
        "adapter_response": {},
        "message": message,
        "failures": null,
        ID: id,
        "compiled": null,
        "compiled_code": null,
        "relation_name": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn all_that_was_selected_and_is_not_done_is_to_be_done() {
        let log = NodeLog::read(
            br#"{"t":"end","id":"told","status":"success","s":2.5,"msg":"SELECT 1"}"#,
        );
        let earlier = json!({
            "metadata": {"dbt_schema_version": "v6"},
            "results": [
                {"unique_id": "good", "status": "success", "adapter_response": {"rows": 3}},
                {"unique_id": "bad", "status": "error", "message": "no", "batch_results": {}},
                {"unique_id": "told", "status": "error", "message": "cancelled"},
                {"unique_id": "operation.shop.hook-0", "status": "success"},
            ],
        });
        let plan = set(&["bad", "good", "lost", "told"]);
        let done = set(&["good", "told"]);
        let args = json!({"which": "run"});
        let state = to_retry(&plan, &done, &log, Some(&earlier), &args, Some("1.11.0"));
        let statuses: Vec<_> = statuses(&state).collect();
        assert_eq!(
            statuses,
            [
                ("bad", "error"),
                ("good", "success"),
                ("lost", "skipped"),
                ("told", "success")
            ]
        );
        assert_eq!(state["results"][0]["batch_results"], json!({}));
        assert_eq!(state["results"][1]["adapter_response"]["rows"], 3);
        assert_eq!(state["results"][3]["message"], "SELECT 1");
        assert_eq!(state["results"][3]["execution_time"], 2.5);
        assert_eq!(state["metadata"]["dbt_schema_version"], "v6");
    }

    /// Where dbt is to write no results.
    #[test]
    fn what_was_told_of_nodes_stands_in_for_their_results() {
        let log = NodeLog::read(
            br#"{"t":"end","id":"done","status":"success","s":2.5}
{"t":"end","id":"kept","status":"error","s":1.0}
{"t":"end","id":"bad","status":"error","s":1.0,"msg":"no"}"#,
        );
        let mut results = json!({"results": [
            {"unique_id": "kept", "status": "success"},
            {"unique_id": "done", "status": "skipped"},
            {"unique_id": "bad", "status": "skipped"},
            {"unique_id": "lost", "status": "skipped"},
        ]});
        fill_in(&mut results, &log);
        let expected = [
            ("kept", "success"),
            ("done", "success"),
            ("bad", "error"),
            ("lost", "skipped"),
        ];
        assert_eq!(statuses(&results).collect::<Vec<_>>(), expected);
        assert_eq!(results["results"][2]["message"], "no");
    }

    #[test]
    fn a_file_that_is_cut_off_has_no_results() {
        let whole = r#"{"metadata":{},"results":[{"unique_id":"a"},5],"args":null}"#;
        assert!(are_results(whole.as_bytes()));
        for length in 0..whole.len() {
            assert!(!are_results(&whole.as_bytes()[..length]), "{length}");
        }
        for content in ["{}", "[]", "null", "{\"results\":{}}", "\0"] {
            assert!(!are_results(content.as_bytes()), "{content}");
        }
    }

    #[test]
    fn the_form_is_that_which_this_dbt_reads() {
        for (version, expected) in [
            (Some("1.5.11"), "v4"),
            (Some("1.6.0"), "v5"),
            (Some("1.7.19"), "v5"),
            (Some("1.8.0b2"), "v6"),
            (Some("1.11.16"), "v6"),
            (Some("2.0.0-alpha.4"), "v6"),
            (None, "v6"),
        ] {
            assert_eq!(schema(version), expected, "{version:?}");
        }
    }
}
