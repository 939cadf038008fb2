//! Owns the closing line: its fields, and the limit that keeps it one log event.
//!
//! Never reads dbt's files and never judges a run.

use std::fmt;

use serde::{Serialize, Serializer};

use super::metrics::{Measured, Metrics};
use crate::artifacts::{FailedNode, Nodes};
use crate::dbt::Identity;
use crate::pipeline::{Outcome, Status};

/// The line stays below this, in bytes.
const LIMIT: usize = 16 * 1024;
/// The exit code of a run without the lease.
pub(crate) const NO_LEASE: u8 = 75;
/// How many failed nodes the line names at most.
const MOST_FAILED: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunStatus {
    Success,
    Failed,
    Cancelled,
    TimedOut,
    /// A fault of the runner, or of publishing.
    Error,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Error => "error",
        })
    }
}

/// The closing line, its fields in order.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    #[serde(serialize_with = "as_text")]
    pub(crate) status: RunStatus,
    pub(crate) exit_code: u8,
    pub(crate) run_id: String,
    pub(crate) env: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) steps: Vec<StepLine>,
    #[serde(serialize_with = "failed_nodes")]
    pub(crate) failed: Vec<FailedNode>,
    pub(crate) destination: Option<String>,
    /// How many files of the docs; the ledger does not count.
    pub(crate) published: usize,
    pub(crate) error: Option<String>,
    /// `None` until it is known that there is one.
    pub(crate) dbt: Option<Identity>,
    /// The address under which people can read of this run.
    pub(crate) page: Option<String>,
    /// Of a run that was to finish an earlier one.
    pub(crate) resumed: Option<Resumed>,
    /// For the metrics in the line, where there are some.
    #[serde(skip)]
    pub(crate) measured: Option<Measured>,
    #[serde(flatten)]
    pub(crate) metrics: Option<Metrics>,
}

/// Which run this one finishes, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Resumed {
    pub(crate) from: Option<String>,
    pub(crate) refused: Option<String>,
    /// For people: what was not run again.
    #[serde(skip)]
    pub(crate) note: Option<String>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepLine {
    pub(crate) name: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) status: Status,
    pub(crate) exit_code: Option<u8>,
    pub(crate) seconds: f64,
    pub(crate) nodes: Option<Nodes>,
}

impl StepLine {
    pub(crate) fn new(outcome: &Outcome, nodes: Option<Nodes>) -> Self {
        Self {
            name: outcome.name.clone(),
            status: outcome.status,
            exit_code: outcome.exit_code,
            seconds: (outcome.seconds * 1000.0).round() / 1000.0,
            nodes,
        }
    }
}

impl Summary {
    /// Of a run that has only just begun. `exit_code`: if nothing else is said before it ends.
    pub(crate) fn new(run_id: String, exit_code: u8) -> Self {
        Self {
            status: RunStatus::Error,
            exit_code,
            run_id,
            env: None,
            project: None,
            steps: Vec::new(),
            failed: Vec::new(),
            destination: None,
            published: 0,
            error: None,
            dbt: None,
            page: None,
            resumed: None,
            measured: None,
            metrics: None,
        }
    }

    /// Calls `change` for every text that is not the runner's own.
    pub(super) fn each_text(&mut self, mut change: impl FnMut(&mut String)) {
        for node in &mut self.failed {
            change(&mut node.node);
            change(&mut node.message);
        }
        let settings = [
            &mut self.env,
            &mut self.project,
            &mut self.destination,
            &mut self.error,
        ];
        settings.into_iter().flatten().for_each(&mut change);
        if let Some(Resumed { refused, .. }) = &mut self.resumed {
            refused.iter_mut().for_each(change);
        }
    }

    /// Whether it did not begin, since another run holds the lease: an orchestrator tries again.
    pub(crate) fn was_refused(&self) -> bool {
        let has_begun = |step: &StepLine| step.status != Status::Skipped;
        self.exit_code == NO_LEASE && !self.steps.iter().any(has_begun)
    }

    /// `None` also for a run without a project or an environment: CloudWatch would drop them.
    fn metrics(&self) -> Option<Metrics> {
        self.project.as_ref().zip(self.env.as_ref())?;
        let nodes = Nodes::sum(self.steps.iter().filter_map(|step| step.nodes));
        let has_succeeded = match self.status {
            RunStatus::Success => Some(true),
            _ => (!self.was_refused()).then_some(false),
        };
        Some(Metrics::of(nodes, has_succeeded, self.measured?))
    }

    /// One line of JSON under 16 KiB. To get there it cuts messages, then leaves out failed nodes,
    /// and at last the counts.
    pub(crate) fn line(&self) -> String {
        let mut summary = self.clone();
        summary.failed.truncate(MOST_FAILED);
        summary.metrics = self.metrics();
        for (message, other) in [(1000, 4000), (400, 2000), (100, 500), (0, 100)] {
            for node in &mut summary.failed {
                shorten(&mut node.message, message);
                shorten(&mut node.node, other);
            }
            let settings = [
                &mut summary.env,
                &mut summary.project,
                &mut summary.destination,
                &mut summary.error,
            ];
            settings
                .into_iter()
                .chain(
                    summary
                        .resumed
                        .iter_mut()
                        .map(|resumed| &mut resumed.refused),
                )
                .flatten()
                .for_each(|text| shorten(text, other));
            let line = serde_json::to_string(&summary).unwrap_or_default();
            if line.len() < LIMIT {
                return line;
            }
        }
        summary.failed.clear();
        summary.steps.iter_mut().for_each(|step| step.nodes = None);
        serde_json::to_string(&summary).unwrap_or_default()
    }
}

/// Cuts a text to a number of characters.
fn shorten(text: &mut String, longest: usize) {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn failed_nodes<S: Serializer>(nodes: &[FailedNode], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        step: &'a str,
        node: &'a str,
        message: &'a str,
    }
    serializer.collect_seq(nodes.iter().map(|node| Line {
        step: &node.step,
        node: &node.node,
        message: &node.message,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            status: RunStatus::Failed,
            env: Some("dev".to_owned()),
            project: Some("shop".to_owned()),
            steps: vec![StepLine {
                name: "run".to_owned(),
                status: Status::Failed,
                exit_code: Some(1),
                seconds: 12.3,
                nodes: Some(Nodes {
                    success: 29,
                    error: 1,
                    warn: 0,
                    skipped: 0,
                }),
            }],
            failed: vec![FailedNode {
                step: "run".to_owned(),
                node: "model.shop.orders".to_owned(),
                message: "no".to_owned(),
            }],
            destination: Some("s3://bucket/shop".to_owned()),
            published: 8,
            ..Summary::new("20261122T061442Z-01234567".to_owned(), 1)
        }
    }

    #[test]
    fn the_line_has_the_promised_form() {
        let expected = concat!(
            r#"{"status":"failed","exit_code":1,"run_id":"20261122T061442Z-01234567","#,
            r#""env":"dev","project":"shop","#,
            r#""steps":[{"name":"run","status":"failed","exit_code":1,"seconds":12.3,"#,
            r#""nodes":{"success":29,"error":1,"warn":0,"skipped":0}}],"#,
            r#""failed":[{"step":"run","node":"model.shop.orders","message":"no"}],"#,
            r#""destination":"s3://bucket/shop","published":8,"error":null,"#,
            r#""dbt":null,"page":null,"resumed":null}"#
        );
        assert_eq!(summary().line(), expected);
    }

    #[test]
    fn metrics_are_members_of_the_line_that_cloudwatch_finds() {
        let mut summary = summary();
        summary.measured = Some(Measured {
            at: 1_795_328_082_000,
            seconds: 15.25,
        });
        let line: serde_json::Value = serde_json::from_str(&summary.line()).unwrap();
        let group = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_795_328_082_000_u64);
        assert_eq!(group["Namespace"], "dbt-entrypoint");
        assert_eq!(group["Dimensions"], serde_json::json!([["project", "env"]]));
        let values: Vec<(&str, f64)> = group["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| metric["Name"].as_str().unwrap())
            .map(|name| (name, line[name].as_f64().unwrap()))
            .collect();
        let expected = [
            ("duration", 15.25),
            ("nodes_success", 29.0),
            ("nodes_error", 1.0),
            ("nodes_warn", 0.0),
            ("nodes_skipped", 0.0),
            ("run_succeeded", 0.0),
            ("run_failed", 1.0),
        ];
        assert_eq!(values, expected);
        assert_eq!(line["failed"][0]["node"], "model.shop.orders");
        // Another run is at it: this one is none that failed.
        summary.exit_code = NO_LEASE;
        let counts = |summary: &Summary| {
            let line: serde_json::Value = serde_json::from_str(&summary.line()).unwrap();
            [line["run_succeeded"].as_u64(), line["run_failed"].as_u64()]
        };
        assert_eq!(counts(&summary), [Some(0), Some(1)]);
        summary.steps[0].status = Status::Skipped;
        assert_eq!(counts(&summary), [Some(0), Some(0)]);
        summary.project = None;
        assert!(!summary.line().contains("_aws"));
    }

    #[test]
    fn the_line_stays_short_whatever_is_in_it() {
        let mut summary = summary();
        let node = FailedNode {
            step: "run".to_owned(),
            node: "n".repeat(30_000),
            message: "\u{1}😀".repeat(30_000),
        };
        summary.failed = vec![node; 500];
        summary.error = Some("e".repeat(100_000));
        let nodes = Nodes {
            success: 12345,
            error: 12345,
            warn: 12345,
            skipped: 12345,
        };
        let step = StepLine {
            name: "s".repeat(40),
            seconds: 12345.678,
            nodes: Some(nodes),
            ..summary.steps[0].clone()
        };
        summary.steps = vec![step; 99];
        summary.measured = Some(Measured {
            at: u64::MAX,
            seconds: 1e9,
        });
        let line = summary.line();
        assert!(line.len() < LIMIT, "{} bytes", line.len());
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn ten_failed_nodes_are_enough() {
        let mut summary = summary();
        summary.failed = vec![summary.failed[0].clone(); 500];
        assert_eq!(summary.line().matches("model.shop.orders").count(), 10);
    }
}
