//! Owns a saved parse: dbt's `partial_parse.msgpack`, and what it was made by.
//!
//! Decides whether it may be given to dbt at all. Never reads it: what of it still holds is for dbt to say.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::session::Versions;

/// The name that dbt looks for in the target directory.
pub(crate) const FILE: &str = "partial_parse.msgpack";

/// What a parse belongs to. Between two that differ in any of it, dbt would parse anew in any case, or should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParsedBy {
    /// The version of dbt-core.
    pub(crate) dbt: String,
    /// Type and version of the adapter, as `redshift 1.11.1`.
    pub(crate) adapter: String,
    pub(crate) profile: String,
    pub(crate) target: String,
}

/// A parse that another run has left.
#[derive(Debug)]
pub(crate) struct SavedParse {
    pub(crate) by: ParsedBy,
    pub(crate) content: Vec<u8>,
}

/// What is known of the parse of this run before dbt is imported.
#[derive(Debug)]
pub(crate) struct Parsing {
    /// The type of the adapter.
    adapter: String,
    profile: String,
    target: String,
    /// Absolute.
    target_path: PathBuf,
    saved: Option<SavedParse>,
    /// The file as it was before dbt saw it.
    before: Option<Stamp>,
}

/// Size and time tell a file that dbt has written anew from one that it has only read.
type Stamp = (u64, SystemTime);

impl Parsing {
    pub(crate) fn new(adapter: String, profile: String, target: String, target_path: PathBuf, saved: Option<SavedParse>) -> Self {
        Self { adapter, profile, target, target_path, saved, before: None }
    }

    /// Whether dbt has parsed anything since [`Parsing::restore`].
    pub(super) fn is_new(&self) -> bool {
        let now = self.stamp();
        now.is_some() && now != self.before
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = self.target_path.join(FILE).metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    }

    /// `None` where the adapter does not say its version.
    pub(super) fn by(&self, versions: &Versions) -> Option<ParsedBy> {
        let adapter = format!("{} {}", self.adapter, versions.adapter.as_ref()?);
        Some(ParsedBy { dbt: versions.dbt.clone(), adapter, profile: self.profile.clone(), target: self.target.clone() })
    }

    /// Puts the saved parse where dbt looks for it, and says whether it did. One that is there already is newer.
    pub(super) fn restore(&mut self, by: Option<&ParsedBy>) -> bool {
        let is_restored = self.put(by);
        self.before = self.stamp();
        is_restored
    }

    fn put(&mut self, by: Option<&ParsedBy>) -> bool {
        let Some(saved) = self.saved.take() else { return false };
        let path = self.target_path.join(FILE);
        if path.exists() {
            return false;
        }
        if by != Some(&saved.by) {
            tracing::info!("the saved parse is of other versions, another profile or target, so it is left alone");
            return false;
        }
        write(&path, &saved.content)
            .inspect(|()| tracing::info!("restored the saved parse ({} kB)", saved.content.len() / 1000))
            .inspect_err(|error| tracing::warn!("the saved parse cannot be written to {}: {error}", path.display()))
            .is_ok()
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    // A part of it would only cost time: dbt parses anew where it cannot read it.
    std::fs::write(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsing(target_path: &Path) -> Parsing {
        let (profile, target, adapter) = ("shop".to_owned(), "live".to_owned(), "redshift".to_owned());
        let saved = SavedParse {
            by: ParsedBy {
                dbt: "1.11.16".to_owned(),
                adapter: "redshift 1.11.1".to_owned(),
                profile: profile.clone(),
                target: target.clone(),
            },
            content: b"parse".to_vec(),
        };
        Parsing::new(adapter, profile, target, target_path.join("target"), Some(saved))
    }

    fn versions(dbt: &str, adapter: Option<&str>) -> Versions {
        Versions { dbt: dbt.to_owned(), adapter: adapter.map(str::to_owned) }
    }

    #[test]
    fn a_saved_parse_is_restored_once_where_everything_fits() {
        let directory = tempfile::tempdir().unwrap();
        let mut parsing = parsing(directory.path());
        let by = parsing.by(&versions("1.11.16", Some("1.11.1")));
        assert!(parsing.restore(by.as_ref()));
        assert_eq!(std::fs::read(directory.path().join("target").join(FILE)).unwrap(), b"parse");
        assert!(!parsing.is_new(), "nobody has parsed since");
        write(&directory.path().join("target").join(FILE), b"parsed").unwrap();
        assert!(parsing.is_new());
        assert!(!parsing.restore(by.as_ref()));
    }

    #[test]
    fn one_of_another_making_is_left_alone() {
        for (dbt, adapter, target) in [
            ("1.11.17", Some("1.11.1"), "live"),
            ("1.11.16", Some("1.11.2"), "live"),
            ("1.11.16", None, "live"),
            ("1.11.16", Some("1.11.1"), "dev"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut parsing = parsing(directory.path());
            target.clone_into(&mut parsing.target);
            let by = parsing.by(&versions(dbt, adapter));
            assert!(!parsing.restore(by.as_ref()), "{dbt} {adapter:?} {target}");
            assert!(!directory.path().join("target").exists());
        }
    }

    #[test]
    fn what_is_in_the_target_directory_already_stays() {
        let directory = tempfile::tempdir().unwrap();
        let mut parsing = parsing(directory.path());
        write(&directory.path().join("target").join(FILE), b"newer").unwrap();
        let by = parsing.by(&versions("1.11.16", Some("1.11.1")));
        assert!(!parsing.restore(by.as_ref()));
        assert_eq!(std::fs::read(directory.path().join("target").join(FILE)).unwrap(), b"newer");
    }
}
