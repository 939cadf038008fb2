//! Owns which files below the target directory this run wrote.
//!
//! Never reads their content.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What tells one version of a file from another without reading it. dbt rewrites files in place,
/// so the inode alone says nothing; a clock that was set back keeps "newer than the start of the
/// run" from being enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// `None` for a file that does not exist or is not a regular file: a link could lead anywhere.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        metadata.is_file().then(|| Self::from(&metadata))
    }
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The docs below a directory, by relative path.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<PathBuf, Version>);

impl Found {
    /// A directory that is not there holds nothing. `is_doc`: by the path below the directory.
    pub(super) fn below(directory: &Path, is_doc: impl Fn(&Path) -> bool) -> Self {
        let files = WalkDir::new(directory)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file());
        let versions = files.filter_map(|entry| {
            let path = entry.path().strip_prefix(directory).ok()?.to_owned();
            is_doc(&path).then_some(())?;
            Some((path, Version::from(&entry.metadata().ok()?)))
        });
        Self(versions.collect())
    }

    /// The paths that did not exist before, or existed in another version.
    pub(super) fn written_since<'a>(&'a self, before: &Self) -> Vec<&'a Path> {
        self.0
            .iter()
            .filter(|(path, version)| before.0.get(*path) != Some(version))
            .map(|(path, _)| path.as_path())
            .collect()
    }

    /// All paths.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}
