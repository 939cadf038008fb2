//! Owns the settings file `dbt-entrypoint.yml`: which keys it may have, and the line of each.
//!
//! Never knows what a setting means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::origin::{Given, Origin};
use crate::setting;

/// Read from the working directory unless `--config` names another file.
const DEFAULT: &str = "dbt-entrypoint.yml";

#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    path: PathBuf,
    text: String,
    root: serde_yaml::Mapping,
    /// The file exists but cannot be read, so its contents are unknown.
    pub(super) is_unread: bool,
}

impl SettingsFile {
    /// Without the default file there are no settings. A missing named file, a syntax error and
    /// each unknown key are faults.
    pub(super) fn read(path: Option<&Path>, faults: &mut Vec<String>) -> Self {
        let named = path.is_some();
        let path = path.unwrap_or(Path::new(DEFAULT)).to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => {
                return Self::default();
            }
            Err(error) => {
                faults.push(format!("{}: cannot be read: {error}", path.display()));
                return Self {
                    is_unread: true,
                    ..Self::default()
                };
            }
        };
        // Editors on Windows put a byte order mark before the first key.
        let text = text.trim_start_matches('\u{feff}').to_owned();
        let root = match serde_yaml::from_str::<Value>(&text) {
            Ok(Value::Mapping(root)) => root,
            Ok(Value::Null) => serde_yaml::Mapping::new(),
            Ok(_) => {
                faults.push(format!(
                    "{}:1: is not a mapping of settings (key: value)",
                    path.display()
                ));
                serde_yaml::Mapping::new()
            }
            Err(error) => {
                // Of a key that is there twice, the parser names the line on which the mapping
                // begins.
                let repeated =
                    repeated_key(&text).filter(|_| error.to_string().contains("duplicate entry"));
                let line = repeated
                    .or_else(|| error.location().map(|location| location.line()))
                    .unwrap_or(1);
                faults.push(format!(
                    "{}:{line}: is not valid YAML: {error}",
                    path.display()
                ));
                return Self {
                    is_unread: true,
                    ..Self::default()
                };
            }
        };
        let file = Self {
            path,
            text,
            root,
            is_unread: false,
        };
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
        let origin = self.origin(key);
        if let Some(value) = scalar(node) {
            return Some(Given { value, origin });
        }
        faults.push(format!("{origin}: must be a single value"));
        None
    }

    /// Where a key of the file stands. The parser keeps no positions, and a file of settings is
    /// small and flat enough to find them in its text.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.at(self.line_of(key).unwrap_or(0), key)
    }

    /// Where a key inside of some of the lines stands.
    pub(super) fn origin_in(&self, key: &str, lines: &Range<usize>) -> Origin {
        let inside = self
            .text
            .lines()
            .enumerate()
            .take(lines.end)
            .skip(lines.start);
        let found = inside.into_iter().find(|(_, line)| holds(line, key));
        self.at(found.map_or(lines.start, |(index, _)| index), key)
    }

    /// The lines, counted from 0, of each item of a list, or all lines from the key on for each
    /// item if that cannot be told.
    pub(super) fn items(&self, key: &str, count: usize) -> Vec<Range<usize>> {
        let start = self.line_of(key).unwrap_or(0);
        let all: Vec<&str> = self.text.lines().collect();
        let says_something = |line: &str| !line.is_empty() && !line.starts_with('#');
        let mut lines = all
            .iter()
            .enumerate()
            .skip(start + 1)
            .filter(|(_, line)| says_something(line.trim_start()))
            .peekable();
        let Some((_, first)) = lines.peek() else {
            return vec![start..all.len(); count];
        };
        let (depth, is_block) = (indent(first), first.trim_start().starts_with('-'));
        let is_item = |line: &str| {
            if is_block {
                line == "-" || line.starts_with("- ")
            } else {
                !line.starts_with(']')
            }
        };
        let (mut starts, mut end) = (Vec::new(), all.len());
        for (index, line) in lines {
            if indent(line) == depth && is_item(line.trim()) {
                starts.push(index);
            } else if indent(line) <= depth {
                end = index;
                break;
            }
        }
        if starts.len() != count {
            return vec![start..all.len(); count];
        }
        let ends = starts.iter().skip(1).copied().chain([end]);
        starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(start, end)| start..end)
            .collect()
    }

    /// A line, counted from 0, as the place of a key.
    pub(super) fn at(&self, line: usize, key: &str) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line: line + 1,
            key: key.to_owned(),
        }
    }

    /// Keys of the file stand at the beginning of a line; only in a file like `{env: dev}` they do
    /// not.
    fn line_of(&self, key: &str) -> Option<usize> {
        let outside = |line: &str| !line.starts_with([' ', '-']) && is_key(line, key);
        self.text
            .lines()
            .position(outside)
            .or_else(|| self.text.lines().position(|line| holds(line, key)))
    }

    fn check_keys(&self, faults: &mut Vec<String>) {
        for key in self.root.keys() {
            let name = scalar(key).unwrap_or_else(|| "(not a word)".to_owned());
            if !setting::all().any(|setting| setting.key == name) {
                faults.push(format!(
                    "{}: unknown key; known are {}",
                    self.origin(&name),
                    setting::all()
                        .map(|setting| setting.key)
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
        }
    }
}

/// The line, counted from 1, of the first key at the beginning of a line that another line before
/// has, too.
fn repeated_key(text: &str) -> Option<usize> {
    let mut seen = BTreeSet::new();
    let keys = text.lines().map(|line| {
        line.split_once(':')
            .map(|(key, _)| key)
            .filter(|key| !key.starts_with([' ', '-', '#']))
    });
    keys.enumerate()
        .find(|(_, key)| key.is_some_and(|key| !seen.insert(key)))
        .map(|(index, _)| index + 1)
}

/// Whether the line has the key, at its beginning or inside of `{…}`.
fn holds(line: &str, key: &str) -> bool {
    !line.trim_start().starts_with('#')
        && (is_key(line, key) || line.split(['{', ',']).any(|part| is_key(part, key)))
}

fn is_key(text: &str, key: &str) -> bool {
    let text = text.trim_start_matches([' ', '-', '{', ',', '"', '\'']);
    text.strip_prefix(key)
        .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
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
