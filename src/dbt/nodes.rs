//! Owns what dbt tells of the nodes of a step: which it has selected, and start and end of each.
//!
//! The form is that of `nodes.ndjson`. Never judges a step by them.

use serde::{Deserialize, Serialize};

/// What dbt says happened, or is about to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(crate) enum NodeEvent {
    /// The step has selected these.
    Plan {
        ids: Vec<String>,
        /// How many it has selected, where the ids are only those that are known by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<usize>,
    },
    Start {
        id: String,
        #[serde(default)]
        ts: String,
        #[serde(default)]
        thread: Option<String>,
    },
    End {
        id: String,
        #[serde(default)]
        ts: String,
        #[serde(default)]
        thread: Option<String>,
        /// In dbt's words, as in run_results.json.
        #[serde(default)]
        status: String,
        /// Seconds.
        #[serde(default)]
        s: f64,
        /// How many rows a model has written, or a test has found.
        #[serde(default)]
        rows: Option<i64>,
        #[serde(default)]
        msg: Option<String>,
    },
    /// Why nothing is told. Of the way from dbt to the runner alone, never in a file.
    #[serde(skip_serializing)]
    Silent { why: String },
}
