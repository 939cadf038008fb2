//! Owns the order of the places a setting may come from: flag, variable, `--env-file`, settings
//! file.
//!
//! Never knows what a setting means.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use super::origin::{Given, Origin};
use super::{Files, Variables, dotenv, file};
use crate::setting::{Setting, Typed};
use crate::yaml::Node;

/// All places a setting may come from.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    flags: Typed,
    inherited: &'a Variables,
    env_file: &'a dotenv::EnvFile,
    file: &'a file::SettingsFile,
}

impl<'a> Layers<'a> {
    pub(super) fn new(flags: Typed, files: &'a Files, inherited: &'a Variables) -> Self {
        Self {
            flags,
            inherited,
            env_file: &files.env_file,
            file: &files.settings,
        }
    }

    /// Whether a file that may hold more settings could not be read: then no setting can be called
    /// missing.
    pub(super) fn has_unread_file(&self) -> bool {
        self.env_file.is_unread || self.file.is_unread
    }

    /// A setting of one word. A value that is not UTF-8 is a fault, and so is an empty flag or key.
    pub(super) fn text(
        &self,
        setting: &Setting,
        faults: &mut Vec<String>,
    ) -> Option<Given<String>> {
        let given = self
            .flag(setting)
            .or_else(|| self.variable(setting.variable, faults))
            .or_else(|| self.file.text(setting.key, faults))?;
        if given.value.is_empty() {
            faults.push(given.fault("is empty; give a value or leave it out"));
            return None;
        }
        Some(given)
    }

    /// Where a setting was given, even if its value is malformed.
    pub(super) fn origin(&self, setting: &Setting, default: &'static str) -> Origin {
        let from_flag = self.flag(setting).map(|given| given.origin);
        let from_variable = || {
            self.raw_variable(setting.variable)
                .map(|(_, origin)| origin)
        };
        let from_file = || {
            self.file
                .node(setting.key)
                .map(|_| self.file.origin(setting.key))
        };
        from_flag
            .or_else(from_variable)
            .or_else(from_file)
            .unwrap_or(Origin::Default(default))
    }

    fn flag(&self, setting: &Setting) -> Option<Given<String>> {
        let value = self.flags.get(setting.key)?.clone();
        Some(Given {
            value,
            origin: Origin::Flag(setting.flag.unwrap_or("verbose")),
        })
    }

    /// A variable of the environment or else of the `--env-file`. An empty one counts as unset.
    pub(super) fn variable(&self, name: &str, faults: &mut Vec<String>) -> Option<Given<String>> {
        let (value, origin) = self.raw_variable(name)?;
        if let Some(text) = value.to_str() {
            return Some(Given {
                value: text.to_owned(),
                origin,
            });
        }
        faults.push(format!("{origin}: is not valid UTF-8"));
        None
    }

    /// The same, with any bytes in its value.
    pub(super) fn raw_variable(&self, name: &str) -> Option<(&OsStr, Origin)> {
        if let Some(value) = super::variable(self.inherited, name) {
            return Some((value, Origin::Variable(name.to_owned())));
        }
        self.env_file
            .get(name)
            .map(|(value, origin)| (OsStr::new(value), origin))
    }

    /// Whether a variable is set and not empty; its value may be any bytes.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        self.raw_variable(name).is_some()
    }

    /// The settings file's node for a setting that may be more than one word, unless a flag or a
    /// variable wins over it.
    pub(super) fn only_in_file(&self, setting: &Setting) -> Option<(&Node, &file::SettingsFile)> {
        if self.flag(setting).is_some() || self.has_variable(setting.variable) {
            return None;
        }
        self.file.node(setting.key).map(|node| (node, self.file))
    }

    /// What a child inherits.
    pub(super) fn variables(&self) -> Variables {
        self.env_file.below(self.inherited)
    }

    /// The names that the `--env-file` sets and the environment does not.
    pub(super) fn names_of_env_file(&self) -> BTreeSet<OsString> {
        let names = self
            .env_file
            .pairs()
            .map(|(name, _)| name)
            .filter(|name| super::variable(self.inherited, name).is_none());
        names.map(OsString::from).collect()
    }
}
