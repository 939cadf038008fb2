//! Owns the `--env-file`: lines of `NAME=value`, as `docker run --env-file` takes them. A bare
//! `NAME` is the inherited value.
//!
//! No shell: quotes, `$` and backslashes are part of the value. Never sets anything in the
//! environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Variables;
use super::origin::Origin;

/// The variables of one file, in its order.
#[derive(Debug, Default)]
pub(super) struct EnvFile {
    path: PathBuf,
    /// Line number, name, value. If a name is given twice, the last value counts.
    entries: Vec<(usize, String, String)>,
    /// The file cannot be read, so its contents are unknown.
    pub(super) is_unread: bool,
}

impl EnvFile {
    /// Reads nothing without a path. An unreadable file is a fault, and so is each malformed line.
    pub(super) fn read(path: Option<&Path>, faults: &mut Vec<String>) -> Self {
        let Some(path) = path else {
            return Self::default();
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self {
                path: path.to_owned(),
                entries: entries(&text, path, faults),
                is_unread: false,
            },
            Err(error) => {
                faults.push(format!(
                    "--env-file {}: cannot be read: {error}",
                    path.display()
                ));
                Self {
                    is_unread: true,
                    ..Self::default()
                }
            }
        }
    }

    /// A value that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<(&str, Origin)> {
        let (line, _, value) = self.entries.iter().rfind(|(_, other, _)| other == name)?;
        let origin = Origin::EnvFile {
            path: self.path.clone(),
            line: *line,
            name: name.to_owned(),
        };
        (!value.is_empty()).then_some((value, origin))
    }

    /// The environment over this file.
    pub(super) fn below(&self, inherited: &Variables) -> Variables {
        let mut variables: Variables = self
            .pairs()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        for (name, value) in inherited {
            if !value.is_empty() || !variables.contains_key(name) {
                variables.insert(name.clone(), value.clone());
            }
        }
        variables
    }

    /// All names and values, later ones after earlier ones.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(_, name, value)| (name.as_str(), value.as_str()))
    }
}

fn entries(text: &str, path: &Path, faults: &mut Vec<String>) -> Vec<(usize, String, String)> {
    let mut entries = Vec::new();
    // Editors on Windows put a byte order mark before the first name.
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.is_empty() || start.starts_with('#') {
            continue;
        }
        // The line may hold a password, so a fault names the line's number and not its text.
        match start.split_once('=') {
            Some((name, value)) if is_name(name) && !value.contains('\0') => {
                entries.push((index + 1, name.to_owned(), value.to_owned()));
            }
            // What else looks like a name may be a part of a value.
            Some((name, _)) if is_variable(name) => faults.push(format!(
                "{}:{}: {name}: holds a NUL byte",
                path.display(),
                index + 1
            )),
            Some((name, _)) if name.split_whitespace().next() == Some("export") => {
                faults.push(format!(
                    "{}:{}: is not NAME=value: leave out `export`, since no shell reads this file",
                    path.display(),
                    index + 1
                ));
            }
            Some(_) => faults.push(format!(
                "{}:{}: is not NAME=value: the name is malformed",
                path.display(),
                index + 1
            )),
            // Docker hands on what is inherited under the name, and so does what follows.
            None if is_variable(start.trim_end()) => {}
            None => faults.push(format!(
                "{}:{}: is not NAME=value",
                path.display(),
                index + 1
            )),
        }
    }
    entries
}

fn is_variable(name: &str) -> bool {
    is_name(name) && !name.contains(['.', '-'])
}

/// Docker takes what a shell does not, such as `log.level` and `log-level`.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | '-'))
        && name.chars().all(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
        })
}
