//! Owns what is known of one node: how it ended, when it ran and where, what it says.
//!
//! Pure. A field that holds something else than expected counts as absent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What a state of dbt means. Versions write them in different cases and with different names:
/// `pass` in 1.x is `Pass` in the sources.json of 2.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeState {
    Success,
    Error,
    Warn,
    Skipped,
    /// Unknown: it is not counted, since it could mean anything.
    Unknown,
}

impl NodeState {
    pub(crate) fn of(word: &str) -> Self {
        let word: String = word
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        match word.as_str() {
            "success" | "succeeded" | "pass" | "passed" | "noop" | "reused" => Self::Success,
            // dbt itself exits with 1 for a partial success, of a microbatch.
            "error" | "errored" | "fail" | "failed" | "runtimeerror" | "partialsuccess" => {
                Self::Error
            }
            "warn" | "warned" | "warning" => Self::Warn,
            "skip" | "skipped" => Self::Skipped,
            _ => Self::Unknown,
        }
    }

    /// As dbt writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Skipped => "skipped",
            Self::Unknown => "",
        }
    }

    /// Whether a node has run to an end, good or bad. In doubt it has not.
    pub(crate) fn has_run(self) -> bool {
        !matches!(self, Self::Skipped | Self::Unknown)
    }
}

/// One node in one step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeRun {
    pub(crate) id: String,
    pub(crate) state: NodeState,
    /// The same as dbt writes it.
    pub(crate) status: String,
    /// From its start to its end, in seconds since 1970 by the clock of dbt's host.
    pub(crate) span: Option<(f64, f64)>,
    /// By a clock that is never set.
    pub(crate) seconds: f64,
    pub(crate) thread: Option<String>,
    pub(crate) rows: Option<f64>,
    /// Of one that failed or warned.
    pub(crate) message: Option<String>,
    /// Of a source: the age of its youngest row in seconds, and from which age on it is too old.
    pub(crate) age: Option<f64>,
    pub(crate) warns_after: Option<f64>,
    pub(crate) fails_after: Option<f64>,
}

/// Seconds since 1970.
pub(crate) fn seconds_since_1970(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// The time from the first start to the last end in dbt's list of phases.
pub(super) fn span<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<(f64, f64)>, D::Error> {
    let phases = Value::deserialize(deserializer)?;
    let times = |name: &'static str| {
        let phases = phases.as_array().into_iter().flatten();
        phases.filter_map(move |phase| time(phase.get(name)?.as_str()?))
    };
    let start = times("started_at").min_by(f64::total_cmp);
    let end = times("completed_at").max_by(f64::total_cmp);
    Ok(start.zip(end).filter(|(start, end)| start <= end))
}

/// A time as dbt writes it, with or without the `Z` of UTC.
pub(crate) fn time(text: &str) -> Option<f64> {
    let text = text.strip_suffix("+00:00").unwrap_or(text);
    let text = text.strip_suffix('Z').unwrap_or(text);
    let time = humantime::parse_rfc3339(&format!("{text}Z")).ok()?;
    Some(seconds_since_1970(time))
}

/// How many rows the warehouse says that it has touched.
pub(super) fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let answer = Value::deserialize(deserializer)?;
    let rows = answer.get("rows_affected").and_then(Value::as_f64);
    Ok(rows.filter(|rows| *rows >= 0.0))
}

/// `warn_after` and `error_after` of a source.
pub(super) fn limits<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(Option<f64>, Option<f64>), D::Error> {
    let criteria = Value::deserialize(deserializer)?;
    let limit = |name| {
        let limit = criteria.get(name)?;
        let hour = Duration::from_hours(1).as_secs_f64();
        let period = match limit.get("period")?.as_str()? {
            "minute" => 60.0,
            "hour" => hour,
            "day" => 24.0 * hour,
            _ => return None,
        };
        Some(limit.get("count")?.as_f64()? * period)
    };
    Ok((limit("warn_after"), limit("error_after")))
}
