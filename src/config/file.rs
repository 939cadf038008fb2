//! Owns the settings file `dbt-entrypoint.yml`: which keys it may have, and on which line each stands.
//!
//! Never knows what a setting means.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::layers::{Given, Origin};

/// Read from the working directory unless `--config` names another file.
const DEFAULT: &str = "dbt-entrypoint.yml";

const KEYS: [&str; 18] = [
    "env",
    "deployments",
    "project_name",
    "project_dir",
    "profiles_dir",
    "dbt",
    "credentials",
    "schema",
    "steps",
    "publish",
    "destination",
    "bucket_owner",
    "sse",
    "engine",
    "log_format",
    "log",
    "deadline",
    "stop_timeout",
];

#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    path: PathBuf,
    text: String,
    root: serde_yaml::Mapping,
}

impl SettingsFile {
    /// A missing default file is no settings; a missing named file, a syntax error and each unknown key are faults.
    pub(super) fn read(path: Option<&Path>, faults: &mut Vec<String>) -> Self {
        let named = path.is_some();
        let path = path.unwrap_or(Path::new(DEFAULT)).to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                faults.push(format!("{}: cannot be read: {error}", path.display()));
                return Self::default();
            }
        };
        let root = match serde_yaml::from_str::<Value>(&text) {
            Ok(Value::Mapping(root)) => root,
            Ok(Value::Null) => serde_yaml::Mapping::new(),
            Ok(_) => {
                faults.push(format!("{}:1: is not a mapping of settings (key: value)", path.display()));
                serde_yaml::Mapping::new()
            }
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                faults.push(format!("{}:{line}: is not valid YAML: {error}", path.display()));
                serde_yaml::Mapping::new()
            }
        };
        let file = Self { path, text, root };
        file.check_keys(faults);
        file
    }

    /// The value of a key; `null` counts as not given.
    pub(super) fn node(&self, key: &str) -> Option<&Value> {
        self.root.get(key).filter(|value| !value.is_null())
    }

    /// A setting of one word; numbers and truth values as they would be typed.
    pub(super) fn text(&self, key: &str, faults: &mut Vec<String>) -> Option<Given<String>> {
        let node = self.node(key)?;
        let origin = self.origin(key, 0);
        if let Some(value) = scalar(node) {
            return Some(Given { value, origin });
        }
        faults.push(format!("{origin}: must be a single value"));
        None
    }

    /// Where a key stands, looked for from a line (counted from 0) on.
    pub(super) fn origin(&self, key: &str, from: usize) -> Origin {
        let line = self.line_of(key, from).map_or(from + 1, |line| line + 1);
        Origin::File { path: self.path.clone(), line, key: key.to_owned() }
    }

    /// The first line from the given one on, counted from 0, that has the key. The parser keeps no positions, and a file of
    /// settings is small and flat enough to find them in its text.
    pub(super) fn line_of(&self, key: &str, from: usize) -> Option<usize> {
        let is_key = |line: &str| {
            let line = line.trim_start_matches([' ', '-', '{', ',', '"', '\'']);
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        };
        let holds = |line: &str| is_key(line) || line.split(['{', ',']).any(is_key);
        self.text.lines().enumerate().skip(from).find(|(_, line)| holds(line)).map(|(index, _)| index)
    }

    fn check_keys(&self, faults: &mut Vec<String>) {
        for key in self.root.keys() {
            let name = scalar(key).unwrap_or_else(|| "(not a word)".to_owned());
            if !KEYS.contains(&name.as_str()) {
                faults.push(format!("{}: unknown key; known are {}", self.origin(&name, 0), KEYS.join(", ")));
            }
        }
    }
}

/// A word, a number or a truth value as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
