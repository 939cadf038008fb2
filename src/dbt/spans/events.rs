//! Owns what a span of dbt 2 says while dbt still runs: which nodes it has selected, and start and
//! end of each, as events.
//!
//! Never reads a file.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::{
    Attributes, CANCELLED, EVALUATED, NO_OP, PROCESSED, QUERY, QUERY_CANCELLED, RUN, SUCCESS, Span,
    TEST_PASSED, TEST_WARNED, time,
};
use crate::dbt::nodes::NodeEvent;

/// The span of a phase, which counts the nodes.
const PHASE: &str = ".PhaseExecuted";
const OUTCOME: &str = "NODE_OUTCOME_";

impl Attributes {
    /// The outcome in the words of run_results.json.
    fn status(&self) -> String {
        let outcome = self.node_outcome.as_deref().unwrap_or(CANCELLED);
        if self.node_skip_reason.as_deref() == Some(NO_OP) {
            return "no-op".to_owned();
        }
        match (outcome, &self.node_test_detail) {
            (SUCCESS, Some(detail)) => match detail.test_outcome.as_deref() {
                None | Some(TEST_PASSED) => "pass",
                Some(TEST_WARNED) => "warn",
                Some(_) => "fail",
            }
            .to_owned(),
            (outcome, _) => outcome
                .strip_prefix(OUTCOME)
                .unwrap_or(outcome)
                .to_ascii_lowercase(),
        }
    }
}

/// What a line says of a node, if it says anything. `cancelled`: the nodes of which a query was
/// cancelled, each with its end still to come.
pub(in crate::dbt) fn event_in(line: &[u8], cancelled: &mut BTreeSet<String>) -> Option<NodeEvent> {
    // Most spans are of something else, and hold whole queries.
    let text = std::str::from_utf8(line).ok()?;
    let kinds = [PROCESSED, EVALUATED, PHASE, QUERY_CANCELLED];
    if !kinds.iter().any(|kind| text.contains(kind)) {
        return None;
    }
    let span: Span = serde_json::from_str(text).ok()?;
    let is = |kind| span.event_type.is_some_and(|name| name.ends_with(kind));
    let attributes = span.attributes?;
    let start = time(span.start_time_unix_nano);
    match span.record_type {
        // How many there are is known before which they are.
        "SpanStart" if is(PHASE) => {
            let total = attributes.node_count_total?.parse().ok()?;
            (total > 0).then_some(NodeEvent::Plan {
                ids: Vec::new(),
                total: Some(total),
            })
        }
        "SpanStart" if is(PROCESSED) && attributes.in_selection => Some(NodeEvent::Plan {
            ids: vec![attributes.unique_id?],
            total: Some(0),
        }),
        "SpanStart" if is(EVALUATED) && attributes.phase.as_deref() == Some(RUN) => {
            Some(NodeEvent::Start {
                id: attributes.unique_id?,
                ts: timestamp(start?),
                thread: None,
            })
        }
        "SpanEnd" if is(QUERY) => {
            if attributes.query_outcome.as_deref() == Some(QUERY_CANCELLED) {
                cancelled.extend(attributes.unique_id);
            }
            None
        }
        // Of a node that was cancelled, the span around all says that it is a success, and the one
        // of its run says nothing. Where there is none of a run, it could not be rendered, or there
        // was nothing to run.
        "SpanEnd" if is_end_of_run(is(EVALUATED), is(PROCESSED), &attributes) => {
            let end = time(span.end_time_unix_nano)?;
            let took = start.and_then(|start| end.duration_since(start).ok());
            let status = attributes.status();
            let id = attributes.unique_id?;
            // A test then says that it has found something, which is a warning for some.
            let status = if cancelled.remove(&id) && status != "error" {
                "canceled".to_owned()
            } else {
                status
            };
            let found = attributes.node_test_detail.and_then(|detail| {
                let rows = detail.failing_rows?;
                let text = || rows.as_str().and_then(|text| text.parse().ok());
                rows.as_i64().or_else(text)
            });
            let written = attributes.rows_affected.and_then(|rows| rows.parse().ok());
            Some(NodeEvent::End {
                id,
                ts: timestamp(end),
                thread: None,
                status,
                s: took.unwrap_or_default().as_secs_f64(),
                rows: written.or(found),
                msg: None,
            })
        }
        _ => None,
    }
}

fn is_end_of_run(is_evaluated: bool, is_processed: bool, attributes: &Attributes) -> bool {
    if is_evaluated {
        attributes.phase.as_deref() == Some(RUN)
    } else {
        let outcome = attributes.node_outcome.as_deref();
        is_processed && attributes.in_selection && outcome != Some(SUCCESS)
    }
}

fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each span with what it says.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn a_span_of_a_node_is_an_event() {
        let span = |record: &str, kind: &str, attributes: serde_json::Value| {
            serde_json::json!({
                "record_type": record,
                "event_type": format!("v1.public.events.fusion{kind}"),
                "start_time_unix_nano": "1500000000",
                "end_time_unix_nano": "3750000000",
                "attributes": attributes,
            })
            .to_string()
        };
        let end = |attributes: serde_json::Value| {
            let mut all = serde_json::json!({"unique_id": "a", "phase": RUN});
            all.as_object_mut()
                .unwrap()
                .extend(attributes.as_object().unwrap().clone());
            span("SpanEnd", EVALUATED, all)
        };
        let ended = |status: &str, rows| {
            Some(NodeEvent::End {
                id: "a".to_owned(),
                ts: "1970-01-01T00:00:03.750000Z".to_owned(),
                thread: None,
                status: status.to_owned(),
                s: 2.25,
                rows,
                msg: None,
            })
        };
        let plan = |ids: &[&str], total| {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            Some(NodeEvent::Plan {
                ids,
                total: Some(total),
            })
        };
        let json = |value: &str| serde_json::from_str::<serde_json::Value>(value).unwrap();
        for (line, expected) in [
            (
                span("SpanStart", PHASE, json(r#"{"node_count_total": "9"}"#)),
                plan(&[], 9),
            ),
            (
                span("SpanStart", PHASE, json(r#"{"node_count_total": "0"}"#)),
                None,
            ),
            (span("SpanStart", PHASE, json("{}")), None),
            (
                span(
                    "SpanStart",
                    PROCESSED,
                    json(r#"{"unique_id": "a", "in_selection": true}"#),
                ),
                plan(&["a"], 0),
            ),
            (
                span("SpanStart", PROCESSED, json(r#"{"unique_id": "a"}"#)),
                None,
            ),
            (
                span(
                    "SpanStart",
                    EVALUATED,
                    json(r#"{"unique_id": "a", "phase": "EXECUTION_PHASE_RUN"}"#),
                ),
                Some(NodeEvent::Start {
                    id: "a".to_owned(),
                    ts: "1970-01-01T00:00:01.500000Z".to_owned(),
                    thread: None,
                }),
            ),
            (
                span(
                    "SpanStart",
                    EVALUATED,
                    json(r#"{"unique_id": "a", "phase": "EXECUTION_PHASE_RENDER"}"#),
                ),
                None,
            ),
            (
                end(json(
                    r#"{"node_outcome": "NODE_OUTCOME_SUCCESS", "rows_affected": "7"}"#,
                )),
                ended("success", Some(7)),
            ),
            (
                end(json(r#"{"node_outcome": "NODE_OUTCOME_ERROR"}"#)),
                ended("error", None),
            ),
            (
                end(json(r#"{"node_outcome": "NODE_OUTCOME_CANCELED"}"#)),
                ended("canceled", None),
            ),
            (
                end(json(
                    r#"{"node_outcome": "NODE_OUTCOME_SKIPPED",
                        "node_skip_reason": "NODE_SKIP_REASON_NO_OP"}"#,
                )),
                ended("no-op", None),
            ),
            (
                end(json(
                    r#"{"node_outcome": "NODE_OUTCOME_SKIPPED",
                        "node_skip_reason": "NODE_SKIP_REASON_UPSTREAM"}"#,
                )),
                ended("skipped", None),
            ),
            (
                end(json(
                    r#"{"node_outcome": "NODE_OUTCOME_SUCCESS", "node_test_detail": {}}"#,
                )),
                ended("pass", None),
            ),
            (
                end(json(
                    r#"{"node_outcome": "NODE_OUTCOME_SUCCESS", "node_test_detail":
                        {"test_outcome": "TEST_OUTCOME_FAILED", "failing_rows": 300}}"#,
                )),
                ended("fail", Some(300)),
            ),
            (end(json("{}")), ended("canceled", None)),
            (
                span(
                    "SpanEnd",
                    PROCESSED,
                    json(
                        r#"{"unique_id": "a", "in_selection": true,
                            "node_outcome": "NODE_OUTCOME_SUCCESS"}"#,
                    ),
                ),
                None,
            ),
            (
                span(
                    "SpanEnd",
                    PROCESSED,
                    json(
                        r#"{"unique_id": "a", "in_selection": true,
                            "node_outcome": "NODE_OUTCOME_ERROR"}"#,
                    ),
                ),
                ended("error", None),
            ),
            (
                span(
                    "SpanEnd",
                    PROCESSED,
                    json(r#"{"unique_id": "a", "node_outcome": "NODE_OUTCOME_ERROR"}"#),
                ),
                None,
            ),
            (
                span("SpanEnd", ".QueryExecuted", json(r#"{"unique_id": "a"}"#)),
                None,
            ),
            (
                r#"{"record_type": "SpanEnd", "event_type": ".NodeProcessed""#.to_owned(),
                None,
            ),
        ] {
            let found = event_in(line.as_bytes(), &mut BTreeSet::new());
            assert_eq!(found, expected, "{line}");
        }
    }

    /// As dbt tells of a test that was interrupted: the test says that it has found a row.
    #[test]
    fn a_node_whose_query_was_cancelled_is_no_success() {
        let query = |id: &str, outcome: &str| {
            format!(
                r#"{{"record_type":"SpanEnd","event_type":"v1.fusion.query.QueryExecuted",
                "attributes":{{"unique_id":"{id}","query_outcome":"{outcome}"}}}}"#
            )
        };
        let end = |id: &str, rest: &str| {
            format!(
                r#"{{"record_type":"SpanEnd","event_type":"v1.fusion.node.NodeEvaluated",
                "end_time_unix_nano":"9","attributes":{{"unique_id":"{id}",
                "phase":"EXECUTION_PHASE_RUN","node_outcome":"{rest}}}}}"#
            )
        };
        let warned = r#"NODE_OUTCOME_SUCCESS","node_test_detail":{"failing_rows":1,
            "test_outcome":"TEST_OUTCOME_WARNED"}"#;
        let mut cancelled = BTreeSet::new();
        let mut statuses = Vec::new();
        for line in [
            query("a", "QUERY_OUTCOME_CANCELED"),
            query("b", "QUERY_OUTCOME_CANCELED"),
            query("c", "QUERY_OUTCOME_SUCCESS"),
            query("d", "QUERY_OUTCOME_CANCELED"),
            query("d", "QUERY_OUTCOME_SUCCESS"),
            end("a", warned),
            end("b", r#"NODE_OUTCOME_ERROR""#),
            end("c", warned),
            end("d", r#"NODE_OUTCOME_SUCCESS""#),
        ] {
            if let Some(NodeEvent::End { id, status, .. }) =
                event_in(line.as_bytes(), &mut cancelled)
            {
                statuses.push(format!("{id} {status}"));
            }
        }
        assert_eq!(statuses, ["a canceled", "b error", "c warn", "d canceled"]);
    }
}
