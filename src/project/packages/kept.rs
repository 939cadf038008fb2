//! Owns the copy of the installed packages while `deps` runs, and their way back if it fails.
//!
//! dbt empties the folder before it fetches anything. A copy and not a move: dbt finds what it
//! expects, and a directory of a lower layer of an image cannot be moved. Never touches the copy of
//! another runner that is alive, which holds a lock on it.

use std::fs::{File, FileTimes, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;

/// What the next runner finds if this one is killed.
const SUFFIX: &str = "before-deps";
/// A copy that is not complete, and that proves nothing.
const PARTIAL: &str = "before-deps.partial";

/// The packages as they were. Dropped, it restores nothing.
#[derive(Debug)]
pub(crate) struct Kept {
    place: PathBuf,
    /// `None`: nothing was installed.
    copy: Option<Copied>,
}

#[derive(Debug)]
struct Copied {
    path: PathBuf,
    /// Held until the end, so that no other runner takes this copy for one left behind.
    _lock: Option<File>,
    /// Where the copy could not lie beside the packages.
    _elsewhere: Option<TempDir>,
}

impl Kept {
    /// Copies what is installed in `place`.
    pub(crate) fn copy(place: &Path) -> io::Result<Self> {
        // A link stays, and dbt replaces what it leads to.
        let place = std::fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
        let copy = if place.is_dir() {
            Some(copy_beside(&place).or_else(|_| copy_elsewhere(&place))?)
        } else {
            None
        };
        Ok(Self { place, copy })
    }

    /// `deps` succeeded.
    pub(crate) fn discard(self) -> io::Result<()> {
        match self.copy {
            Some(copy) => std::fs::remove_dir_all(copy.path),
            None => Ok(()),
        }
    }

    /// `deps` did not succeed.
    pub(crate) fn restore(self) -> io::Result<()> {
        match self.copy {
            Some(copy) => put_back(&copy.path, &self.place),
            None => remove(&self.place),
        }
    }
}

/// Puts back what a runner has kept that was killed while `deps` ran.
pub(super) fn restore_leftover(place: &Path) {
    let place = std::fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
    let restore = |copy: PathBuf, is_complete: bool| {
        let Ok(directory) = File::open(&copy) else {
            return;
        };
        if matches!(directory.try_lock(), Err(TryLockError::WouldBlock)) {
            return;
        }
        let done = if is_complete {
            put_back(&copy, &place)
        } else {
            std::fs::remove_dir_all(&copy)
        };
        match done {
            Ok(()) if is_complete => tracing::warn!(
                "an earlier run was killed during deps; restored the packages in {}",
                place.display()
            ),
            Ok(()) => {}
            Err(error) => tracing::warn!(
                "cannot put back {}, which a run killed during deps left: {error}",
                copy.display()
            ),
        }
    };
    restore(beside(&place, PARTIAL), false);
    restore(beside(&place, SUFFIX), true);
}

fn beside(place: &Path, suffix: &str) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{suffix}"))
}

fn copy_beside(place: &Path) -> io::Result<Copied> {
    let partial = beside(place, PARTIAL);
    let path = beside(place, SUFFIX);
    std::fs::create_dir(&partial)?;
    let lock = File::open(&partial)?;
    // Not every file system has locks.
    let lock = lock.try_lock().is_ok().then_some(lock);
    let copied = copy_tree(place, &partial).and_then(|()| std::fs::rename(&partial, &path));
    copied.inspect_err(|_| drop(std::fs::remove_dir_all(&partial)))?;
    Ok(Copied {
        path,
        _lock: lock,
        _elsewhere: None,
    })
}

fn copy_elsewhere(place: &Path) -> io::Result<Copied> {
    let directory = tempfile::Builder::new()
        .prefix("dbt-entrypoint-")
        .tempdir()?;
    let path = directory.path().join("packages");
    std::fs::create_dir(&path)?;
    copy_tree(place, &path)?;
    Ok(Copied {
        path,
        _lock: None,
        _elsewhere: Some(directory),
    })
}

/// Moves the copy where the packages were; where that cannot be, as in a mounted folder, copies it.
fn put_back(copy: &Path, place: &Path) -> io::Result<()> {
    if remove(place)
        .and_then(|()| std::fs::rename(copy, place))
        .is_ok()
    {
        return Ok(());
    }
    std::fs::create_dir_all(place)?;
    for entry in std::fs::read_dir(place)? {
        remove(&entry?.path())?;
    }
    copy_tree(copy, place)?;
    std::fs::remove_dir_all(copy)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() && !path.is_symlink() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Copies all that is in a directory into another one that is there and empty: contents, modes,
/// times, and links as they are.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut directories = Vec::new();
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let below = entry.path().strip_prefix(from).map_err(io::Error::other)?;
        let place = to.join(below);
        if entry.path_is_symlink() && entry.depth() > 0 {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, place)?;
        } else if entry.file_type().is_dir() {
            if entry.depth() > 0 {
                std::fs::create_dir(&place)?;
            }
            directories.push((entry.path().to_owned(), place));
        } else if entry.file_type().is_file() {
            std::fs::copy(entry.path(), &place)?;
            let changed = entry.metadata()?.modified()?;
            // The owner of a file may do this even where its mode forbids to write.
            File::open(&place)?.set_times(FileTimes::new().set_modified(changed))?;
        }
    }
    // The innermost first, and last of all: a directory may be read-only, and whatever is put into
    // one changes its time.
    for (from, to) in directories.iter().rev() {
        let metadata = std::fs::metadata(from)?;
        File::open(to)?.set_times(FileTimes::new().set_modified(metadata.modified()?))?;
        std::fs::set_permissions(to, metadata.permissions())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> (TempDir, PathBuf) {
        let project = tempfile::tempdir().unwrap();
        let place = project.path().canonicalize().unwrap().join("dbt_packages");
        std::fs::create_dir_all(place.join("one/macros")).unwrap();
        std::fs::write(place.join("one/macros/a.sql"), "a").unwrap();
        std::os::unix::fs::symlink("../local", place.join("two")).unwrap();
        (project, place)
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_failed_deps_did_is_undone() {
        let (project, place) = packages();
        let hash = super::super::tree::hash(&place).unwrap();
        let changed = std::fs::metadata(&place).unwrap().modified().unwrap();
        let kept = Kept::copy(&place).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        std::fs::create_dir_all(place.join("other")).unwrap();
        kept.restore().unwrap();
        assert_eq!(super::super::tree::hash(&place).unwrap(), hash);
        assert_eq!(
            std::fs::metadata(&place).unwrap().modified().unwrap(),
            changed
        );
        assert_eq!(names(project.path()), ["dbt_packages"]);
    }

    #[test]
    fn where_nothing_was_installed_nothing_is_left() {
        let project = tempfile::tempdir().unwrap();
        let place = project.path().join("dbt_packages");
        let kept = Kept::copy(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
        kept.restore().unwrap();
        assert!(names(project.path()).is_empty());
    }

    #[test]
    fn the_next_runner_restores_what_a_killed_one_kept_and_nothing_of_a_living_one() {
        let (project, place) = packages();
        let kept = Kept::copy(&place).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        restore_leftover(&place);
        assert!(!place.exists(), "the other one is alive");
        drop(kept);
        restore_leftover(&place);
        assert_eq!(names(&place), ["one", "two"]);
        // Killed while it copied: the packages are untouched.
        let half = beside(&place, PARTIAL);
        std::fs::create_dir(&half).unwrap();
        restore_leftover(&place);
        assert_eq!(names(&place), ["one", "two"]);
        assert_eq!(names(project.path()), ["dbt_packages"]);
    }
}
