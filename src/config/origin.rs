//! Owns the place where a value was given, in words for faults and for `env`.
//!
//! Never knows which place wins.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given, as its user would name the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Without its dashes.
    Flag(&'static str),
    Variable(String),
    EnvFile {
        path: PathBuf,
        line: usize,
        name: String,
    },
    File {
        path: PathBuf,
        line: usize,
        key: String,
    },
    /// Nowhere; the text names the default.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "--{name}"),
            Self::Default(name) => formatter.write_str(name),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::EnvFile { path, line, name } => {
                write!(formatter, "{}:{line}: {name}", path.display())
            }
            Self::File { path, line, key } => write!(formatter, "{}:{line}: {key}", path.display()),
        }
    }
}

/// A value and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<T> Given<T> {
    /// One fault, with the place first.
    pub(super) fn fault(&self, what: impl fmt::Display) -> String {
        format!("{}: {what}", self.origin)
    }
}
