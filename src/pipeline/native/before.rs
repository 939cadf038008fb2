//! Owns the question whether a step has written a file, or left one of before.
//!
//! Never reads what is in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Inode, size and times of a file, which dbt may rewrite in place.
type Stamp = (u64, u64, i64, i64, i64, i64);

/// A directory with some of its files, as they were.
pub(super) struct Before {
    pub(super) directory: PathBuf,
    stamps: BTreeMap<&'static str, Option<Stamp>>,
}

impl Before {
    pub(super) fn of(directory: PathBuf, names: &[&'static str]) -> Self {
        let stamps = names
            .iter()
            .map(|name| (*name, stamp(&directory.join(name))));
        Self {
            stamps: stamps.collect(),
            directory,
        }
    }

    pub(super) fn has_new(&self, name: &str) -> bool {
        let now = stamp(&self.directory.join(name));
        now.is_some() && self.stamps.get(name) != Some(&now)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    Some((
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}
