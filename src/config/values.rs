//! Owns the settings that are a single value: their syntax and their defaults.
//!
//! Never looks at more than one setting at a time.

use std::path::Path;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::file::scalar;
use super::layers::{Given, Layers, Origin};
use super::paths::ProjectFile;
use crate::cli::CommonArgs;

/// Inside the 30 s after which ECS kills.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// Longer times are mistakes, and the clock could not hold all of them.
const LONGEST: Duration = Duration::from_hours(366 * 24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// How steps are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Each as a dbt of its own.
    Process,
    /// Forked from a dbt that is imported once, or each of its own where that cannot be.
    Session,
    /// The same; that it cannot be is then no reason to warn.
    Auto,
}

/// A tracing filter, known to be valid.
#[derive(Debug, Clone)]
pub(crate) struct LogLevel(pub(crate) String);

pub(super) fn log_format(
    layers: &Layers,
    args: &CommonArgs,
    faults: &mut Vec<String>,
) -> LogFormat {
    let given = layers.text(
        args.log_format.as_deref(),
        "--log-format",
        "DBT_ENTRYPOINT_LOG_FORMAT",
        "log_format",
        faults,
    );
    match given.as_ref().map(|given| given.value.as_str()) {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            faults.extend(
                given
                    .as_ref()
                    .map(|given| given.fault(format!("{other:?} is neither text nor json"))),
            );
            LogFormat::Text
        }
    }
}

/// `-v` and `-q` are flags, so they win over the variable.
pub(super) fn log_level(layers: &Layers, args: &CommonArgs, faults: &mut Vec<String>) -> LogLevel {
    let flag = match (args.verbose, args.quiet) {
        (0, 0) => None,
        (0, 1) => Some("warn"),
        (0, _) => Some("error"),
        (1, _) => Some("info,dbt_entrypoint=debug"),
        (_, _) => Some("info,dbt_entrypoint=trace"),
    };
    let given = layers.text(flag, "-v", "DBT_ENTRYPOINT_LOG", "log", faults);
    let Some(given) = given else {
        return LogLevel("info".to_owned());
    };
    if EnvFilter::builder().parse(&given.value).is_ok() {
        LogLevel(given.value)
    } else {
        let what = format!(
            "{:?} is no log filter; expected error, warn, info, debug, trace or a list as info,dbt_entrypoint=debug",
            given.value
        );
        faults.push(given.fault(what));
        LogLevel("info".to_owned())
    }
}

pub(super) fn engine(layers: &Layers, flag: Option<&str>, faults: &mut Vec<String>) -> Engine {
    let Some(given) = layers.text(flag, "--engine", "DBT_ENTRYPOINT_ENGINE", "engine", faults)
    else {
        return Engine::Auto;
    };
    match given.value.as_str() {
        "auto" => Engine::Auto,
        "process" => Engine::Process,
        "session" => Engine::Session,
        other => {
            faults.push(given.fault(format!("{other:?} is not process, session or auto")));
            Engine::Auto
        }
    }
}

/// Whether dbt's parse is kept below the destination. A developer's own target directory keeps it
/// better.
pub(super) fn parse_cache(
    layers: &Layers,
    flag: Option<&str>,
    is_deployment: bool,
    faults: &mut Vec<String>,
) -> bool {
    let given = layers.text(
        flag,
        "--parse-cache",
        "DBT_ENTRYPOINT_PARSE_CACHE",
        "parse_cache",
        faults,
    );
    match given.as_ref().map(|given| given.value.as_str()) {
        None | Some("auto") => is_deployment,
        // YAML takes `on` for a text and `true` for another.
        Some("on" | "true") => true,
        Some("off" | "false") => false,
        Some(other) => {
            faults.extend(
                given
                    .as_ref()
                    .map(|given| given.fault(format!("{other:?} is not on, off or auto"))),
            );
            false
        }
    }
}

pub(super) fn deadline(
    layers: &Layers,
    args: &CommonArgs,
    faults: &mut Vec<String>,
) -> Option<Duration> {
    let given = layers.text(
        args.deadline.as_deref(),
        "--deadline",
        "DBT_ENTRYPOINT_DEADLINE",
        "deadline",
        faults,
    )?;
    time(&given, faults)
}

pub(super) fn stop_timeout(
    layers: &Layers,
    args: &CommonArgs,
    faults: &mut Vec<String>,
) -> Duration {
    let given = layers.text(
        args.stop_timeout.as_deref(),
        "--stop-timeout",
        "DBT_ENTRYPOINT_STOP_TIMEOUT",
        "stop_timeout",
        faults,
    );
    given
        .and_then(|given| time(&given, faults))
        .unwrap_or(STOP_TIMEOUT)
}

/// `55m`, `1h30m`, `25s`; more than nothing.
pub(super) fn time(given: &Given<String>, faults: &mut Vec<String>) -> Option<Duration> {
    match humantime::parse_duration(&given.value) {
        Ok(time) if time > LONGEST => faults.push(given.fault("is more than a year")),
        Ok(time) if !time.is_zero() => return Some(time),
        Ok(_) => {
            faults.push(given.fault("must be longer than nothing; leave it out for the default"));
        }
        Err(_) => faults.push(given.fault(format!(
            "{:?} is no time; expected a number with a unit, as 25s, 55m or 1h30m",
            given.value
        ))),
    }
    None
}

/// A list in the file, or names with commas between them.
pub(super) fn deployments(layers: &Layers, faults: &mut Vec<String>) -> Vec<String> {
    const VARIABLE: &str = "DBT_ENTRYPOINT_DEPLOYMENTS";
    let from_variable = layers.variable(VARIABLE, faults);
    let (names, origin): (Vec<String>, Origin) = match (from_variable, layers.node("deployments")) {
        (Some(given), _) => (split(&given.value), given.origin),
        (None, Some((serde_yaml::Value::Sequence(items), file))) => (
            items
                .iter()
                .map(|item| scalar(item).unwrap_or_default())
                .collect(),
            file.origin("deployments"),
        ),
        (None, Some((node, file))) => (
            split(&scalar(node).unwrap_or_default()),
            file.origin("deployments"),
        ),
        (None, None) => return vec!["dev".to_owned(), "live".to_owned()],
    };
    if names.is_empty() || names.iter().any(String::is_empty) {
        faults.push(format!(
            "{origin}: expected names of environments, as dev,live"
        ));
    }
    names
}

pub(super) fn project_name(
    layers: &Layers,
    args: &CommonArgs,
    project_dir: &Path,
    faults: &mut Vec<String>,
) -> Option<String> {
    let given = layers.text(
        args.project_name.as_deref(),
        "--project-name",
        "PROJECT_NAME",
        "project_name",
        faults,
    );
    given
        .map(|given| given.value)
        .or_else(|| ProjectFile::read(project_dir).ok()?.text("name"))
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}
