//! Owns the settings that are a single value: their syntax and their defaults.
//!
//! Never looks at more than one setting at a time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::Variables;
use super::layers::Layers;
use super::origin::Given;
use super::project_file::ProjectFile;
use crate::setting;
use crate::yaml::Node;

/// Inside the 30 s that ECS waits before it kills.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// A run of the night is finished in the morning, and not on the next night.
const RESUME_WITHIN: Duration = Duration::from_hours(6);

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
    /// Each step as its own dbt process.
    Process,
    /// Each step forked from a dbt that is imported once; as `Process`, with a warning, where that
    /// is impossible.
    Session,
    /// Each step as its own process of dbt 2.
    Native,
    /// What fits the dbt that is there, without a warning.
    Auto,
}

/// Whether dbt's parse is kept below the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParseCache {
    Off,
    /// Only with a seal, for which there has to be a key.
    Sealed,
    /// The user has spelt it out: also without a key.
    On,
}

/// Whether the closing line carries metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metrics {
    None,
    /// In CloudWatch's embedded metric format.
    Emf,
}

/// Which run is to be finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resume {
    /// The one before; if it cannot be finished, everything is run.
    Last,
    /// The one with this ID, or none.
    Run(String),
}

/// A tracing filter, known to be valid.
#[derive(Debug, Clone)]
pub(crate) struct LogLevel(pub(crate) String);

pub(super) fn log_format(layers: &Layers, faults: &mut Vec<String>) -> LogFormat {
    let given = layers.text(&setting::LOG_FORMAT, faults);
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

pub(super) fn log_level(layers: &Layers, faults: &mut Vec<String>) -> LogLevel {
    let given = layers.text(&setting::LOG, faults);
    let Some(given) = given else {
        return LogLevel("info".to_owned());
    };
    if EnvFilter::builder().parse(&given.value).is_ok() {
        LogLevel(given.value)
    } else {
        let what = format!(
            "{:?} is not a log filter; expected error, warn, info, debug, trace or a list such as \
             info,dbt_entrypoint=debug",
            given.value
        );
        faults.push(given.fault(what));
        LogLevel("info".to_owned())
    }
}

pub(super) fn engine(layers: &Layers, faults: &mut Vec<String>) -> Engine {
    let Some(given) = layers.text(&setting::ENGINE, faults) else {
        return Engine::Auto;
    };
    match given.value.as_str() {
        "auto" => Engine::Auto,
        "process" => Engine::Process,
        "session" => Engine::Session,
        "native" => Engine::Native,
        other => {
            faults.push(given.fault(format!("{other:?} is not process, session, native or auto")));
            Engine::Auto
        }
    }
}

/// Whether dbt's parse is kept below the destination. A developer's own target directory keeps it
/// better.
pub(super) fn parse_cache(
    layers: &Layers,
    is_deployment: bool,
    faults: &mut Vec<String>,
) -> ParseCache {
    let given = layers.text(&setting::PARSE_CACHE, faults);
    match given.as_ref().map(|given| given.value.as_str()) {
        None | Some("auto") if is_deployment => ParseCache::Sealed,
        // YAML takes `on` for a text and `true` for another.
        Some("on" | "true") => ParseCache::On,
        None | Some("auto" | "off" | "false") => ParseCache::Off,
        Some(other) => {
            faults.extend(
                given
                    .as_ref()
                    .map(|given| given.fault(format!("{other:?} is not on, off or auto"))),
            );
            ParseCache::Off
        }
    }
}

/// The address of the destination for a browser, without a slash at its end.
pub(super) fn page_url(layers: &Layers, faults: &mut Vec<String>) -> Option<String> {
    let given = layers.text(&setting::PAGE_URL, faults)?;
    let unusable = |what: &str| given.fault(format!("{:?} {what}", given.value));
    let fault = match Url::parse(&given.value) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            given.fault("the value (not shown) holds a login, which everybody would see")
        }
        Ok(url) if !matches!(url.scheme(), "https" | "http") || url.host().is_none() => {
            unusable("is not https://host/path")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            unusable("holds '?' or '#', after which no page can be named")
        }
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
        Err(_) => unusable("is not https://host/path"),
    };
    faults.push(fault);
    None
}

pub(super) fn metrics(layers: &Layers, faults: &mut Vec<String>) -> Metrics {
    let Some(given) = layers.text(&setting::METRICS, faults) else {
        return Metrics::None;
    };
    match given.value.as_str() {
        "none" => Metrics::None,
        "emf" => Metrics::Emf,
        other => {
            faults.push(given.fault(format!("{other:?} is neither none nor emf")));
            Metrics::None
        }
    }
}

/// The run to resume, and how old it may be.
pub(super) fn resume(layers: &Layers, faults: &mut Vec<String>) -> (Option<Resume>, Duration) {
    let given = layers.text(&setting::RESUME, faults);
    let resume = given.and_then(|given| match given.value.as_str() {
        "last" => Some(Resume::Last),
        id if is_run_id(id) => Some(Resume::Run(given.value)),
        other => {
            let what = format!(
                "{other:?} is neither last nor the ID of a run, such as 20261122T061442Z-0a1b2c3d"
            );
            faults.push(given.fault(what));
            None
        }
    });
    let within = layers.text(&setting::RESUME_WITHIN, faults);
    let within = within.and_then(|given| time(&given, faults));
    (resume, within.unwrap_or(RESUME_WITHIN))
}

/// Counts from the working directory, as everything that is opened does.
pub(super) fn summary_file(layers: &Layers, faults: &mut Vec<String>) -> Option<PathBuf> {
    let given = layers.text(&setting::SUMMARY_FILE, faults)?;
    Some(PathBuf::from(given.value))
}

pub(super) fn deadline(layers: &Layers, faults: &mut Vec<String>) -> Option<Duration> {
    let given = layers.text(&setting::DEADLINE, faults)?;
    time(&given, faults)
}

pub(super) fn stop_timeout(layers: &Layers, faults: &mut Vec<String>) -> Duration {
    let given = layers.text(&setting::STOP_TIMEOUT, faults);
    given
        .and_then(|given| time(&given, faults))
        .unwrap_or(STOP_TIMEOUT)
}

/// `55m`, `1h30m`, `25s`; longer than zero.
pub(super) fn time(given: &Given<String>, faults: &mut Vec<String>) -> Option<Duration> {
    match humantime::parse_duration(&given.value) {
        Ok(time) if time > LONGEST => faults.push(given.fault("is more than a year")),
        Ok(time) if !time.is_zero() => return Some(time),
        Ok(_) => {
            faults.push(given.fault("must be longer than zero; leave it out for the default"));
        }
        Err(_) => faults.push(given.fault(format!(
            "{:?} is not a duration; expected a number with a unit, such as 25s, 55m or 1h30m",
            given.value
        ))),
    }
    None
}

/// A list in the file, or names with commas between them.
pub(super) fn deployments(layers: &Layers, faults: &mut Vec<String>) -> Vec<String> {
    let word = |node: &Node| node.written().unwrap_or_default().to_owned();
    let (names, origin) = match layers.only_in_file(&setting::DEPLOYMENTS) {
        Some((node, file)) => {
            let names = match node.items() {
                Some(items) => items.iter().map(word).collect(),
                None => split(&word(node)),
            };
            (names, file.origin(setting::DEPLOYMENTS.key))
        }
        None => match layers.text(&setting::DEPLOYMENTS, faults) {
            Some(given) => (split(&given.value), given.origin),
            None => return vec!["dev".to_owned(), "live".to_owned()],
        },
    };
    for name in &names {
        faults.extend(stray(name, false).map(|what| format!("{origin}: {name:?} {what}")));
    }
    if names.is_empty() || names.iter().any(String::is_empty) {
        faults.push(format!(
            "{origin}: expected names of environments, such as dev,live"
        ));
    }
    names
}

/// The environment. A character too many, and a deployment would silently be a sandbox.
pub(super) fn env(layers: &Layers, faults: &mut Vec<String>) -> String {
    let Some(given) = layers.text(&setting::ENV, faults) else {
        return "local".to_owned();
    };
    let name = &given.value;
    faults.extend(stray(name, false).map(|what| given.fault(format!("{name:?} {what}"))));
    given.value
}

/// The error says why nobody knows it, and what to do.
pub(super) fn project_name(
    layers: &Layers,
    project_dir: &Path,
    variables: &Variables,
    faults: &mut Vec<String>,
) -> Result<String, String> {
    if let Some(given) = layers.text(&setting::PROJECT_NAME, faults) {
        let name = &given.value;
        faults.extend(stray(name, true).map(|what| given.fault(format!("{name:?} {what}"))));
        return Ok(given.value);
    }
    let remedy = "set --project-name or PROJECT_NAME";
    let path = project_dir.join("dbt_project.yml");
    let path = path.display();
    if !project_dir.join("dbt_project.yml").exists() {
        return Err(format!(
            "no dbt project in {}: dbt_project.yml is not there; set --project-dir or \
                DBT_PROJECT_DIR",
            project_dir.display()
        ));
    }
    let name = ProjectFile::read(project_dir)?
        .rendered("name", variables)
        .map_err(|unrendered| format!("{}; {remedy}", unrendered.what))?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| format!("{path}: has no name; add one or {remedy}"))?;
    match stray(&name, true) {
        Some(what) => Err(format!(
            "{path}: name {name:?} {what}; change it or {remedy}"
        )),
        None => Ok(name),
    }
}

/// What is wrong with a name that becomes part of a bucket or of a key.
fn stray(name: &str, may_have_slash: bool) -> Option<String> {
    let is_plain = |character: char| {
        character.is_ascii_alphanumeric()
            || matches!(character, '_' | '-' | '.')
            || may_have_slash && character == '/'
    };
    let character = name.chars().find(|character| !is_plain(*character))?;
    let slash = if may_have_slash { ", '/'" } else { "" };
    Some(format!(
        "holds {}; it may have letters, digits, '_', '-', '.'{slash}",
        in_words(character)
    ))
}

/// What an env-file from elsewhere leaves in a value cannot be seen.
fn in_words(character: char) -> String {
    match character {
        '\r' => "a carriage return ('\\r')".to_owned(),
        '\n' => "a line end ('\\n')".to_owned(),
        '\t' => "a tab ('\\t')".to_owned(),
        ' ' => "a blank (' ')".to_owned(),
        '"' => "a quote ('\"')".to_owned(),
        '\'' => "a quote (\"'\")".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Whether a text is the ID of a run, which is part of keys.
pub(crate) fn is_run_id(text: &str) -> bool {
    text.len() == 25
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            15 => byte == b'Z',
            16 => byte == b'-',
            17.. => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            _ => byte.is_ascii_digit(),
        })
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}
