//! Owns a saved parse: dbt's `partial_parse.msgpack`, and what it was made by.
//!
//! Decides whether it may be given to dbt at all. Never reads it: what of it still holds is for dbt
//! to say.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use super::Versions;

/// The name that dbt looks for in the target directory.
pub(crate) const FILE: &str = "partial_parse.msgpack";

/// What a parse was made for. If any of it differs, dbt has to parse again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParseIdentity {
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
    pub(crate) by: ParseIdentity,
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
    /// On its way, perhaps until the login is there.
    saved: Option<JoinHandle<Option<SavedParse>>>,
    /// dbt's own file as it was before dbt saw it.
    before: Option<Stamp>,
    /// Where the saved parse lies while the steps run.
    restored: Option<NamedTempFile>,
}

/// Size and time tell a file that dbt has written anew from one that it has only read.
type Stamp = (u64, SystemTime);

impl Parsing {
    pub(crate) fn new(
        adapter: String,
        profile: String,
        target: String,
        target_path: PathBuf,
        saved: Option<JoinHandle<Option<SavedParse>>>,
    ) -> Self {
        Self {
            adapter,
            profile,
            target,
            target_path,
            saved,
            before: None,
            restored: None,
        }
    }

    /// Whether dbt has written a parse since [`Parsing::restore`]. The host gives the restored one
    /// the time of our file.
    pub(crate) fn is_new(&self) -> bool {
        let Some((size, time)) = self.stamp() else {
            return false;
        };
        let is_restored = self.restored.as_ref().is_some_and(|file| {
            let metadata = file.as_file().metadata();
            metadata.and_then(|it| it.modified()).ok() == Some(time)
        });
        !is_restored && Some((size, time)) != self.before
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = self.target_path.join(FILE).metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    }

    /// `None` where the adapter does not say its version.
    pub(crate) fn by(&self, versions: &Versions) -> Option<ParseIdentity> {
        let adapter = format!("{} {}", self.adapter, versions.adapter.as_ref()?);
        Some(ParseIdentity {
            dbt: versions.dbt.clone(),
            adapter,
            profile: self.profile.clone(),
            target: self.target.clone(),
        })
    }

    /// Writes the saved parse to a file and returns its path. Does nothing if the target directory
    /// has a parse: that one is newer.
    ///
    /// Never under dbt's own name: times and places in it are those of another container, and the
    /// session's host puts them right first.
    pub(crate) async fn restore(&mut self, versions: &Versions) -> Option<PathBuf> {
        self.before = self.stamp();
        if !versions.restores {
            return None;
        }
        let by = self.by(versions);
        let saved = self.saved.take().filter(|_| self.before.is_none())?;
        let saved = saved.await.ok().flatten()?;
        if by.as_ref() != Some(&saved.by) {
            tracing::info!(
                "ignoring the saved parse: it was made with another version of dbt or of the \
                 adapter, or for another profile or target"
            );
            return None;
        }
        let file = write(&saved.content)
            .inspect(|_| {
                tracing::info!(
                    "restored the saved parse ({} kB)",
                    saved.content.len() / 1000
                );
            })
            .inspect_err(|error| {
                tracing::warn!("cannot put the saved parse into a temporary file: {error}");
            });
        self.restored = file.ok();
        self.restored.as_ref().map(|file| file.path().to_owned())
    }
}

fn write(content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("dbt-entrypoint-")
        .suffix(".msgpack")
        .tempfile()?;
    file.write_all(content)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsing(target_path: &Path) -> Parsing {
        let (profile, target, adapter) =
            ("shop".to_owned(), "live".to_owned(), "redshift".to_owned());
        let saved = SavedParse {
            by: ParseIdentity {
                dbt: "1.11.16".to_owned(),
                adapter: "redshift 1.11.1".to_owned(),
                profile: profile.clone(),
                target: target.clone(),
            },
            content: b"parse".to_vec(),
        };
        Parsing::new(
            adapter,
            profile,
            target,
            target_path.join("target"),
            Some(tokio::spawn(async { Some(saved) })),
        )
    }

    fn versions(dbt: &str, adapter: Option<&str>) -> Versions {
        Versions {
            dbt: dbt.to_owned(),
            adapter: adapter.map(str::to_owned),
            left_out: Vec::new(),
            restores: true,
        }
    }

    fn dbt_writes(directory: &Path, content: &[u8]) {
        std::fs::create_dir_all(directory.join("target")).unwrap();
        std::fs::write(directory.join("target").join(FILE), content).unwrap();
    }

    #[tokio::test]
    async fn a_saved_parse_is_restored_once_where_everything_fits() {
        let directory = tempfile::tempdir().unwrap();
        let mut parsing = parsing(directory.path());
        let versions = versions("1.11.16", Some("1.11.1"));
        let restored = parsing.restore(&versions).await.unwrap();
        assert_eq!(std::fs::read(&restored).unwrap(), b"parse");
        assert!(
            !directory.path().join("target").exists(),
            "not where anybody else would read it"
        );
        assert!(!parsing.is_new(), "nobody has parsed since");
        dbt_writes(directory.path(), b"restored");
        let time = restored.metadata().unwrap().modified().unwrap();
        let mut options = std::fs::File::options();
        let file = options
            .write(true)
            .open(directory.path().join("target").join(FILE));
        file.unwrap().set_modified(time).unwrap();
        assert!(!parsing.is_new(), "nobody has parsed since");
        dbt_writes(directory.path(), b"parsed");
        assert!(parsing.is_new());
        assert_eq!(parsing.restore(&versions).await, None);
        drop(parsing);
        assert!(!restored.exists());
    }

    #[tokio::test]
    async fn one_of_another_making_is_left_alone() {
        for (dbt, adapter, target) in [
            ("1.11.17", Some("1.11.1"), "live"),
            ("1.11.16", Some("1.11.2"), "live"),
            ("1.11.16", None, "live"),
            ("1.11.16", Some("1.11.1"), "dev"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut parsing = parsing(directory.path());
            target.clone_into(&mut parsing.target);
            assert_eq!(
                parsing.restore(&versions(dbt, adapter)).await,
                None,
                "{dbt} {adapter:?} {target}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_in_the_target_directory_already_is_newer() {
        let directory = tempfile::tempdir().unwrap();
        let mut parsing = parsing(directory.path());
        dbt_writes(directory.path(), b"newer");
        assert_eq!(
            parsing.restore(&versions("1.11.16", Some("1.11.1"))).await,
            None
        );
        assert!(!parsing.is_new());
    }
}
