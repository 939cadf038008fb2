//! Owns the metrics in the closing line, in CloudWatch's embedded metric format: CloudWatch makes
//! metrics of a line of the log that says which of its members are some.
//!
//! Never asks AWS, and never says more than the line does.

use std::time::Duration;

use serde::Serialize;

use crate::artifacts::Nodes;

const NAMESPACE: &str = "dbt-entrypoint";
/// The names of members of the closing line, which are text.
const DIMENSIONS: [&str; 2] = ["project", "env"];
const COUNTS: [&str; 6] = [
    "nodes_success",
    "nodes_error",
    "nodes_warn",
    "nodes_skipped",
    "run_succeeded",
    "run_failed",
];
const DURATION: &str = "duration";

/// When a run ended, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// In milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) seconds: f64,
}

impl Measured {
    /// `now`: in seconds since 1970.
    pub(crate) fn new(now: f64, took: Duration) -> Self {
        let now = Duration::try_from_secs_f64(now).unwrap_or_default();
        Self {
            at: u64::try_from(now.as_millis()).unwrap_or_default(),
            seconds: took.as_secs_f64(),
        }
    }
}

/// What stands in the line for CloudWatch.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metrics {
    #[serde(rename = "_aws")]
    aws: Directive,
    duration: f64,
    nodes_success: usize,
    nodes_error: usize,
    nodes_warn: usize,
    nodes_skipped: usize,
    run_succeeded: u8,
    run_failed: u8,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    timestamp: u64,
    cloud_watch_metrics: [Group; 1],
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    namespace: &'static str,
    dimensions: [[&'static str; 2]; 1],
    metrics: Vec<Metric>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Metrics {
    /// `nodes`: of all steps together. `has_succeeded`: `None` for a run that did not begin, since
    /// another one was at it.
    pub(super) fn of(nodes: Nodes, has_succeeded: Option<bool>, measured: Measured) -> Self {
        let counts = COUNTS.map(|name| Metric {
            name,
            unit: "Count",
        });
        let duration = Metric {
            name: DURATION,
            unit: "Seconds",
        };
        let group = Group {
            namespace: NAMESPACE,
            dimensions: [DIMENSIONS],
            metrics: [duration].into_iter().chain(counts).collect(),
        };
        Self {
            aws: Directive {
                timestamp: measured.at,
                cloud_watch_metrics: [group],
            },
            duration: (measured.seconds * 1000.0).round() / 1000.0,
            nodes_success: nodes.success,
            nodes_error: nodes.error,
            nodes_warn: nodes.warn,
            nodes_skipped: nodes.skipped,
            run_succeeded: u8::from(has_succeeded == Some(true)),
            run_failed: u8::from(has_succeeded == Some(false)),
        }
    }
}
