//! Owns the spans of OpenTelemetry that dbt 2 writes while it runs: one JSON object a line, in the
//! file that `DBT_OTEL_FILE_NAME` names. What is made of them is in `spans/`.
//!
//! Reads the few fields that it needs, and passes over what it does not understand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

mod events;
mod told;

pub(super) use events::event_in;
pub(crate) use told::{NodeEnd, Told, read, rows_found};

/// The variable in which dbt 2 is told the file. An absolute path is taken as it is.
pub(crate) const SPANS: &str = "DBT_OTEL_FILE_NAME";
/// What the span of a node is called, after the name of its package.
const EVALUATED: &str = ".NodeEvaluated";
/// A node is rendered first, and then run.
const RUN: &str = "EXECUTION_PHASE_RUN";
/// The span around all phases of a node.
const PROCESSED: &str = ".NodeProcessed";
/// The span of a query, which says for itself that it was cancelled.
const QUERY: &str = ".QueryExecuted";
const QUERY_CANCELLED: &str = "QUERY_OUTCOME_CANCELED";
const SUCCESS: &str = "NODE_OUTCOME_SUCCESS";
/// Of a node that was cancelled, the span of its run says no outcome at all.
const CANCELLED: &str = "NODE_OUTCOME_CANCELED";
/// Of a node that there is nothing to run for, such as an ephemeral model.
const NO_OP: &str = "NODE_SKIP_REASON_NO_OP";
/// A test whose query ran is a success, whatever it found; what it found stands beside it.
const TEST_WARNED: &str = "TEST_OUTCOME_WARNED";
const TEST_PASSED: &str = "TEST_OUTCOME_PASSED";

/// A line: the begin or the end of a span, or a message.
#[derive(Deserialize)]
struct Span<'a> {
    #[serde(borrow)]
    record_type: &'a str,
    #[serde(borrow, default)]
    event_type: Option<&'a str>,
    #[serde(borrow, default)]
    start_time_unix_nano: Option<&'a str>,
    #[serde(borrow, default)]
    end_time_unix_nano: Option<&'a str>,
    /// Of a message.
    #[serde(borrow, default)]
    time_unix_nano: Option<&'a str>,
    #[serde(borrow, default)]
    severity_text: Option<&'a str>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    attributes: Option<Attributes>,
}

/// Numbers are texts in some.
#[derive(Deserialize)]
struct Attributes {
    #[serde(default)]
    unique_id: Option<String>,
    #[serde(default)]
    phase: Option<String>,
    /// Some nodes are looked at only since selected ones refer to them.
    #[serde(default)]
    in_selection: bool,
    #[serde(default)]
    node_outcome: Option<String>,
    #[serde(default)]
    node_skip_reason: Option<String>,
    #[serde(default)]
    query_outcome: Option<String>,
    #[serde(default)]
    node_test_detail: Option<TestDetail>,
    #[serde(default)]
    node_count_total: Option<String>,
    #[serde(default)]
    rows_affected: Option<String>,
}

#[derive(Deserialize)]
struct TestDetail {
    #[serde(default)]
    test_outcome: Option<String>,
    #[serde(default)]
    failing_rows: Option<serde_json::Value>,
    /// Of a unit test: what it expected and what it got.
    #[serde(default)]
    diff_table: Option<String>,
}

fn time(nanoseconds: Option<&str>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds?.parse().ok()?))
}
