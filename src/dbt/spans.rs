//! Owns what dbt 2 tells of its nodes while it runs: spans of OpenTelemetry, one JSON object a
//! line, in the file that `DBT_OTEL_FILE_NAME` names.
//!
//! Never judges a step by them. Reads the few fields it needs, and passes over what it does not
//! understand.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::regular_file;

/// The variable in which dbt 2 is told the file. An absolute path is taken as it is.
pub(crate) const SPANS: &str = "DBT_OTEL_FILE_NAME";
/// What the span of a node is called, after the name of its package.
const EVALUATED: &str = ".NodeEvaluated";
/// A node is rendered first, and then run.
const RUN: &str = "EXECUTION_PHASE_RUN";
const SUCCESS: &str = "NODE_OUTCOME_SUCCESS";
/// A test whose query ran is a success, whatever it found; what it found stands beside it.
const TEST_WARNED: &str = "TEST_OUTCOME_WARNED";
const TEST_PASSED: &str = "TEST_OUTCOME_PASSED";
/// Ten thousand nodes take some 50 MB.
const LARGEST: u64 = 256 << 20;

#[derive(Deserialize)]
struct Span<'a> {
    #[serde(borrow)]
    record_type: &'a str,
    #[serde(borrow, default)]
    event_type: Option<&'a str>,
    #[serde(borrow, default)]
    end_time_unix_nano: Option<&'a str>,
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default)]
    unique_id: Option<String>,
    #[serde(default)]
    phase: Option<String>,
    #[serde(default)]
    node_outcome: Option<String>,
    #[serde(default)]
    node_test_detail: Option<TestDetail>,
}

#[derive(Deserialize)]
struct TestDetail {
    #[serde(default)]
    test_outcome: Option<String>,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeEnd {
    Success,
    Warned,
    Failed,
}

impl Attributes {
    /// What is not known to be a success is none.
    fn end(&self) -> NodeEnd {
        let found = self.node_test_detail.as_ref();
        let found = found.and_then(|detail| detail.test_outcome.as_deref());
        match (self.node_outcome.as_deref(), found) {
            (Some(SUCCESS), None | Some(TEST_PASSED)) => NodeEnd::Success,
            (Some(SUCCESS), Some(TEST_WARNED)) => NodeEnd::Warned,
            _ => NodeEnd::Failed,
        }
    }
}

/// The nodes that had run to their end before a moment, and how each one ended.
pub(crate) fn ended_before(
    moment: SystemTime,
    file: &Path,
) -> io::Result<BTreeMap<String, NodeEnd>> {
    let mut nodes = BTreeMap::new();
    let file = regular_file::open(file)?.take(LARGEST);
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let Ok(span) = serde_json::from_slice::<Span>(&line) else {
            continue;
        };
        let ended = span
            .end_time_unix_nano
            .and_then(|time| time.parse().ok())
            .map(|nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds));
        let is_node = span.record_type == "SpanEnd"
            && span
                .event_type
                .is_some_and(|kind| kind.ends_with(EVALUATED));
        if let (true, Some(ended), Some(attributes)) = (is_node, ended, span.attributes)
            && ended <= moment
            && attributes.phase.as_deref() == Some(RUN)
            && let Some(id) = &attributes.unique_id
        {
            nodes.insert(id.clone(), attributes.end());
        }
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_that_had_run_before_the_stop_are_told() {
        let span = |record: &str, kind: &str, id: &str, phase: &str, outcome: &str, end: u64| {
            serde_json::json!({
                "record_type": record,
                "event_type": format!("v1.public.events.fusion.node.{kind}"),
                "end_time_unix_nano": end.to_string(),
                "attributes": {"unique_id": id, "phase": phase, "node_outcome": outcome},
            })
            .to_string()
        };
        let test = |id: &str, found: serde_json::Value| {
            let line = span("SpanEnd", "NodeEvaluated", id, RUN, SUCCESS, 10);
            let mut line: serde_json::Value = serde_json::from_str(&line).unwrap();
            line["attributes"]["node_test_detail"] = found;
            line.to_string()
        };
        let lines = [
            test("test.passed", serde_json::json!({})),
            test(
                "test.failed",
                serde_json::json!({"failing_rows": 300, "test_outcome": "TEST_OUTCOME_FAILED"}),
            ),
            test(
                "test.warned",
                serde_json::json!({"test_outcome": "TEST_OUTCOME_WARNED"}),
            ),
            span(
                "SpanEnd",
                "NodeEvaluated",
                "rendered",
                "EXECUTION_PHASE_RENDER",
                SUCCESS,
                10,
            ),
            span("SpanEnd", "NodeEvaluated", "good", RUN, SUCCESS, 10),
            span(
                "SpanEnd",
                "NodeEvaluated",
                "bad",
                RUN,
                "NODE_OUTCOME_ERROR",
                20,
            ),
            span("SpanStart", "NodeEvaluated", "begun", RUN, SUCCESS, 10),
            span("SpanEnd", "NodeProcessed", "other", RUN, SUCCESS, 10),
            span(
                "SpanEnd",
                "NodeEvaluated",
                "late",
                RUN,
                "NODE_OUTCOME_ERROR",
                31,
            ),
            "{\"record_type\": \"SpanEnd\", \"attributes\": 5}".to_owned(),
            "{\"record_type\": \"SpanEnd\", \"event".to_owned(),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        let moment = UNIX_EPOCH + Duration::from_nanos(30);
        let nodes = ended_before(moment, file.path()).unwrap();
        assert_eq!(
            nodes,
            BTreeMap::from(
                [
                    ("bad", NodeEnd::Failed),
                    ("good", NodeEnd::Success),
                    ("test.failed", NodeEnd::Failed),
                    ("test.passed", NodeEnd::Success),
                    ("test.warned", NodeEnd::Warned),
                ]
                .map(|(id, end)| (id.to_owned(), end))
            )
        );
    }
}
