//! Owns the question of which dbt is installed: what the program in the settings turns out to be.
//!
//! Never starts a step.

use std::path::Path;

use serde::Serialize;

use crate::config::Variables;

mod backtrace;
mod catalog;
mod feed;
mod installation;
mod native;
mod nodes;
mod spans;

pub(crate) use backtrace::without_backtrace;
pub(crate) use catalog::catalog_error;
pub(crate) use feed::Feed;
pub(crate) use installation::Installation;
pub(crate) use native::ask_version;
pub(crate) use nodes::NodeEvent;
pub(crate) use spans::{NodeEnd, SPANS, Told, read as read_spans, rows_found};

/// What a program can be told to be without starting it.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The command of dbt-core in Python.
    Script(Installation),
    /// One native program that is called dbt: dbt 2.
    NativeDbt,
    /// A native program with another name, which only its version tells.
    NativeOther,
    /// A script of somebody's own; in words that follow "since".
    Other(String),
}

impl Kind {
    /// `program`: the absolute path of dbt.
    pub(crate) fn of(program: &Path, variables: &Variables, working_directory: &Path) -> Self {
        match native::is_binary(program) {
            true if native::is_called_dbt(program) => Self::NativeDbt,
            true => Self::NativeOther,
            false => Installation::of(program, variables, working_directory)
                .map_or_else(Self::Other, Self::Script),
        }
    }
}

/// Which dbt ran the steps, as the closing line has it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    pub(crate) version: Option<String>,
    /// Its type, and its version where it has one of its own.
    pub(crate) adapter: Option<String>,
    pub(crate) engine: Option<&'static str>,
}

impl Identity {
    /// What the installation of dbt-core says by the names of its folders, without being started.
    pub(crate) fn set_from_installation(&mut self, installation: &Installation) {
        self.version = installation.version_of("dbt_core");
        let adapter = self.adapter.take();
        self.adapter = adapter.map(|kind| {
            let version = installation.version_of(&format!("dbt_{kind}"));
            version.map_or(kind.clone(), |version| format!("{kind} {version}"))
        });
    }

    /// What a session says of itself.
    pub(crate) fn set_from_session(&mut self, version: &str, adapter: Option<&str>) {
        self.engine = Some("session");
        self.version = Some(version.to_owned());
        let kind = self
            .adapter
            .as_deref()
            .and_then(|kind| kind.split(' ').next());
        if let (Some(kind), Some(version)) = (kind, adapter) {
            self.adapter = Some(format!("{kind} {version}"));
        }
    }
}

/// Whether it is dbt 2 by the version that it tells.
pub(crate) fn is_dbt_2(version: &str) -> bool {
    version.starts_with("2.")
}

/// Whether any dbt has such a version; a program may only share the name.
pub(crate) fn is_known_version(version: &str) -> bool {
    is_dbt_2(version) || version.starts_with("1.")
}
