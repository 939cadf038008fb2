//! Owns the judging of nodes after a step of dbt 2 that did not succeed: what became of each, and
//! why the command failed.
//!
//! Never says what became of the step itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::{
    Attributes, CANCELLED, EVALUATED, NO_OP, PROCESSED, QUERY, QUERY_CANCELLED, RUN, SUCCESS, Span,
    TEST_PASSED, TEST_WARNED, TestDetail, time,
};
use crate::regular_file;

const MESSAGE: &str = ".LogMessage";
const NOT_RUN: [&str; 2] = ["NODE_OUTCOME_SKIPPED", CANCELLED];
/// Ten thousand nodes take some 50 MB.
const LARGEST: u64 = 256 << 20;
/// The first one is the cause, as a rule.
const MOST_REASONS: usize = 3;

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeEnd {
    Success,
    Warned,
    /// With dbt's reason, if it gave one.
    Failed(Option<String>),
    Skipped,
}

/// What dbt tells of a command that did not succeed: its results may call every node an error.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The nodes that ended, by their id.
    pub(crate) ended: BTreeMap<String, NodeEnd>,
    /// Errors of no node: why the command failed as a whole.
    pub(crate) reasons: Vec<String>,
    /// The runner has stopped the command.
    pub(crate) is_stopped: bool,
}

impl Told {
    /// What became of a node that the results call an error; `None` where they are to be believed.
    pub(crate) fn end(&self, id: &str) -> Option<NodeEnd> {
        let is_whole = self.is_stopped || !self.reasons.is_empty();
        let ended = self.ended.get(id).cloned();
        ended.or_else(|| is_whole.then_some(NodeEnd::Skipped))
    }
}

impl Attributes {
    /// What is not known to be a success is none.
    fn end(&self) -> NodeEnd {
        let outcome = self.node_outcome.as_deref().unwrap_or(CANCELLED);
        if NOT_RUN.contains(&outcome) {
            return if self.node_skip_reason.as_deref() == Some(NO_OP) {
                NodeEnd::Success
            } else {
                NodeEnd::Skipped
            };
        }
        let detail = self.node_test_detail.as_ref();
        match (
            outcome,
            detail.and_then(|detail| detail.test_outcome.as_deref()),
        ) {
            (SUCCESS, None | Some(TEST_PASSED)) => NodeEnd::Success,
            (SUCCESS, Some(TEST_WARNED)) => NodeEnd::Warned,
            _ => NodeEnd::Failed(detail.and_then(TestDetail::finding)),
        }
    }
}

impl TestDetail {
    fn finding(&self) -> Option<String> {
        let rows = self.failing_rows.as_ref().and_then(Value::as_f64);
        let rows = rows.map(rows_found);
        self.diff_table.clone().or(rows)
    }
}

/// What a test found, in words.
pub(crate) fn rows_found(rows: f64) -> String {
    format!("found {rows} {}", if rows > 1.0 { "rows" } else { "row" })
}

/// Reads what became of the nodes, and why the command failed. `from`: where in the file the
/// command begins; `until`: what comes later was the runner's stop.
pub(crate) fn read(file: &Path, from: u64, until: Option<SystemTime>) -> io::Result<Told> {
    let mut told = Told {
        is_stopped: until.is_some(),
        ..Told::default()
    };
    let mut messages = BTreeMap::new();
    let mut cancelled = BTreeSet::new();
    let mut file = regular_file::open(file)?;
    file.seek(SeekFrom::Start(from))?;
    for line in BufReader::new(file.take(LARGEST)).split(b'\n') {
        let line = line?;
        let Ok(span) = serde_json::from_slice::<Span>(&line) else {
            continue;
        };
        let (Some(kind), Some(attributes)) = (span.event_type, span.attributes) else {
            continue;
        };
        let is_late =
            |at: Option<&str>| time(at).is_none_or(|at| until.is_some_and(|until| at > until));
        match span.record_type {
            "SpanEnd" if !is_late(span.end_time_unix_nano) => {
                let end = attributes.end();
                // So dbt calls the whole of a node that it cancels, too.
                let is_success = attributes.node_outcome.as_deref() == Some(SUCCESS);
                let has_run = attributes.phase.as_deref() == Some(RUN);
                let is_cancelled = attributes.query_outcome.as_deref() == Some(QUERY_CANCELLED);
                match attributes.unique_id {
                    Some(id) if kind.ends_with(QUERY) && is_cancelled => {
                        cancelled.insert(id);
                    }
                    Some(id) if kind.ends_with(EVALUATED) && has_run => {
                        told.ended.insert(id, end);
                    }
                    // One that could not be rendered has no other.
                    Some(id) if kind.ends_with(PROCESSED) && !is_success => {
                        told.ended.entry(id).or_insert(end);
                    }
                    _ => {}
                }
            }
            "LogRecord"
                if kind.ends_with(MESSAGE)
                    && span.severity_text == Some("ERROR")
                    && !is_late(span.time_unix_nano) =>
            {
                match (span.body, attributes.unique_id) {
                    (Some(body), Some(id)) => drop(messages.entry(id).or_insert(body)),
                    (Some(body), None) if told.reasons.len() < MOST_REASONS => {
                        told.reasons.push(body);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    for (id, end) in &mut told.ended {
        // A test then says that it has found something, which is a warning for some.
        if cancelled.contains(id) && !matches!(end, NodeEnd::Failed(_)) {
            *end = NodeEnd::Skipped;
        }
    }
    for (id, message) in messages {
        if let Some(NodeEnd::Failed(reason)) = told.ended.get_mut(&id) {
            *reason = Some(message);
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;

    fn written(lines: &[String]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        file
    }

    fn span(record: &str, kind: &str, end: u64, attributes: &Value) -> String {
        json!({
            "record_type": record,
            "event_type": format!("v1.public.events.fusion.node.{kind}"),
            "end_time_unix_nano": end.to_string(),
            "attributes": attributes,
        })
        .to_string()
    }

    fn ran(id: &str, outcome: &str, end: u64) -> String {
        let outcome = format!("NODE_OUTCOME_{outcome}");
        let attributes = json!({"unique_id": id, "phase": RUN, "node_outcome": outcome});
        span("SpanEnd", "NodeEvaluated", end, &attributes)
    }

    fn test(id: &str, found: &Value) -> String {
        let attributes = json!({"unique_id": id, "phase": RUN, "node_outcome": SUCCESS,
            "node_test_detail": found});
        span("SpanEnd", "NodeEvaluated", 10, &attributes)
    }

    fn error(id: Option<&str>, body: &str, time: u64) -> String {
        json!({
            "record_type": "LogRecord",
            "event_type": "v1.public.events.fusion.log.LogMessage",
            "severity_text": "ERROR",
            "time_unix_nano": time.to_string(),
            "body": body,
            "attributes": {"unique_id": id},
        })
        .to_string()
    }

    #[test]
    fn only_what_happened_before_the_stop_is_told() {
        let rendered = json!({"unique_id": "rendered", "phase": "EXECUTION_PHASE_RENDER",
            "node_outcome": SUCCESS});
        let lines = [
            test("test.passed", &json!({})),
            test(
                "test.failed",
                &json!({"failing_rows": 300, "test_outcome": "TEST_OUTCOME_FAILED"}),
            ),
            test(
                "test.warned",
                &json!({"test_outcome": "TEST_OUTCOME_WARNED"}),
            ),
            span("SpanEnd", "NodeEvaluated", 10, &rendered),
            ran("good", "SUCCESS", 10),
            ran("bad", "ERROR", 20),
            error(Some("bad"), "no such column", 19),
            ran("after.bad", "SKIPPED", 21),
            ran("late", "ERROR", 31),
            error(None, "the statement was interrupted", 31),
            span(
                "SpanStart",
                "NodeEvaluated",
                10,
                &json!({"unique_id": "begun", "phase": RUN}),
            ),
            "{\"record_type\": \"SpanEnd\", \"attributes\": 5}".to_owned(),
            "{\"record_type\": \"SpanEnd\", \"event".to_owned(),
        ];
        let file = written(&lines);
        let moment = UNIX_EPOCH + Duration::from_nanos(30);
        let told = read(file.path(), 0, Some(moment)).unwrap();
        for (id, expected) in [
            ("good", NodeEnd::Success),
            ("bad", NodeEnd::Failed(Some("no such column".to_owned()))),
            ("after.bad", NodeEnd::Skipped),
            ("test.passed", NodeEnd::Success),
            (
                "test.failed",
                NodeEnd::Failed(Some("found 300 rows".to_owned())),
            ),
            ("test.warned", NodeEnd::Warned),
            ("rendered", NodeEnd::Skipped),
            ("late", NodeEnd::Skipped),
            ("begun", NodeEnd::Skipped),
        ] {
            assert_eq!(told.end(id), Some(expected), "{id}");
        }
        assert!(told.reasons.is_empty(), "{told:?}");
    }

    /// What the results call an error is one, unless the command failed as a whole.
    #[test]
    fn an_error_of_no_node_is_why_the_others_did_not_run() {
        let processed = |id: &str, outcome: &str, reason: &str| {
            let attributes = json!({"unique_id": id, "node_outcome": outcome,
                "node_skip_reason": reason});
            span("SpanEnd", "NodeProcessed", 10, &attributes)
        };
        let diff = json!({"diff_table": "| 2 -> 1 |", "failing_rows": 1, "test_outcome":
            "TEST_OUTCOME_FAILED"});
        let cancelled = json!({"unique_id": "cancelled", "phase": RUN});
        let mut lines = vec![
            ran("good", "SUCCESS", 10),
            processed("good", SUCCESS, ""),
            span("SpanEnd", "NodeEvaluated", 10, &cancelled),
            processed("cancelled", SUCCESS, ""),
            processed("never.begun", SUCCESS, ""),
            span(
                "SpanEnd",
                "QueryExecuted",
                10,
                &json!({"unique_id": "interrupted", "query_outcome": QUERY_CANCELLED}),
            ),
            test("interrupted", &json!({"test_outcome": TEST_WARNED})),
            processed("not.rendered", "NODE_OUTCOME_ERROR", ""),
            processed("ephemeral", NOT_RUN[0], NO_OP),
            processed("downstream", NOT_RUN[0], "NODE_SKIP_REASON_UPSTREAM"),
            test("unit", &diff),
            test(
                "broken",
                &json!({"failing_rows": 1, "test_outcome": "TEST_OUTCOME_FAILED"}),
            ),
            error(Some("broken"), "Binder Error", 10),
            error(Some("broken"), "said once more", 11),
        ];
        let ends = [
            ("good", NodeEnd::Success),
            ("not.rendered", NodeEnd::Failed(None)),
            ("ephemeral", NodeEnd::Success),
            ("downstream", NodeEnd::Skipped),
            ("cancelled", NodeEnd::Skipped),
            ("interrupted", NodeEnd::Skipped),
            ("unit", NodeEnd::Failed(Some("| 2 -> 1 |".to_owned()))),
            ("broken", NodeEnd::Failed(Some("Binder Error".to_owned()))),
        ];
        let told = read(written(&lines).path(), 0, None).unwrap();
        assert_eq!(told.end("unknown"), None);
        assert_eq!(told.end("never.begun"), None);
        lines.push(error(None, "hook failed", 12));
        let whole = read(written(&lines).path(), 0, None).unwrap();
        assert_eq!(whole.reasons, ["hook failed"]);
        assert_eq!(whole.end("unknown"), Some(NodeEnd::Skipped));
        for (id, expected) in ends {
            assert_eq!(told.end(id), Some(expected.clone()), "{id}");
            assert_eq!(whole.end(id), Some(expected), "{id}");
        }
    }
}
