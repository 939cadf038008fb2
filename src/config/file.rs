//! Owns the settings file `dbt-entrypoint.yml`: which keys it may have, and the line of each.
//!
//! Never knows what a setting means.

use std::path::{Path, PathBuf};

use super::origin::{Given, Origin};
use crate::setting;
use crate::yaml::{self, Field, Node};

/// Read from the working directory unless `--config` names another file.
const DEFAULT: &str = "dbt-entrypoint.yml";

#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    path: PathBuf,
    /// A mapping; `None` where the file says nothing.
    root: Option<Node>,
    /// The file exists but cannot be read, so its contents are unknown.
    pub(super) is_unread: bool,
}

impl SettingsFile {
    /// Without the default file there are no settings. A missing named file, a syntax error and
    /// each unknown key are faults.
    pub(super) fn read(path: Option<&Path>, faults: &mut Vec<String>) -> Self {
        let named = path.is_some();
        let path = path.unwrap_or(Path::new(DEFAULT)).to_owned();
        let unread = Self {
            is_unread: true,
            ..Self::default()
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if !named && error.kind() == std::io::ErrorKind::NotFound => {
                return Self::default();
            }
            Err(error) => {
                faults.push(format!("{}: cannot be read: {error}", path.display()));
                return unread;
            }
        };
        let (root, fault) = match yaml::parse(&text) {
            Ok(document) => match document.repeated.first() {
                // Whoever gives a key twice means one of the two, and nobody knows which.
                Some(key) => {
                    let name = key.written().unwrap_or_default();
                    (
                        None,
                        Some((key.line, format!("the key {name:?} is there twice"))),
                    )
                }
                None => (Some(document.root), None),
            },
            Err(error) => (None, Some((error.line, error.to_string()))),
        };
        if let Some((line, what)) = fault {
            faults.push(format!(
                "{}:{line}: is not valid YAML: {what}",
                path.display()
            ));
        }
        let Some(root) = root else { return unread };
        if root.fields().is_none() && !root.is_null() {
            faults.push(format!(
                "{}:1: is not a mapping of settings (key: value)",
                path.display()
            ));
            return Self::default();
        }
        let file = Self {
            path,
            root: Some(root),
            is_unread: false,
        };
        file.check_keys(faults);
        file
    }

    /// The value of a key; `null` counts as not given.
    pub(super) fn node(&self, key: &str) -> Option<&Node> {
        self.field(key)
            .map(|field| &field.value)
            .filter(|value| !value.is_null())
    }

    /// A setting of one word; numbers and truth values as they are written.
    pub(super) fn text(&self, key: &str, faults: &mut Vec<String>) -> Option<Given<String>> {
        let node = self.node(key)?;
        let origin = self.origin(key);
        if let Some(value) = node.written() {
            let value = value.to_owned();
            return Some(Given { value, origin });
        }
        faults.push(format!("{origin}: must be a single value"));
        None
    }

    /// Where a key of the file stands.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.at(self.field(key).map_or(1, |field| field.key.line), key)
    }

    /// Where a key of a mapping in the file stands, or else the mapping.
    pub(super) fn origin_in(&self, mapping: &Node, key: &str) -> Origin {
        let line = mapping
            .field(key)
            .map_or(mapping.line, |field| field.key.line);
        self.at(line, key)
    }

    /// A line, counted from 1, as the place of a key.
    pub(super) fn at(&self, line: usize, key: &str) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line,
            key: key.to_owned(),
        }
    }

    fn field(&self, key: &str) -> Option<&Field> {
        self.root.as_ref()?.field(key)
    }

    fn check_keys(&self, faults: &mut Vec<String>) {
        let known: Vec<&str> = setting::all().map(|setting| setting.key).collect();
        for field in self.root.iter().filter_map(Node::fields).flatten() {
            let name = field.key.written().unwrap_or("(not a word)");
            if !known.contains(&name) {
                faults.push(format!(
                    "{}: unknown key; known are {}",
                    self.at(field.key.line, name),
                    known.join(", ")
                ));
            }
        }
    }
}
