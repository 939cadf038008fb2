//! Owns the copy of a project: who may read it, and its removal, also of one whose run was killed.
//!
//! Never decides whether a copy is needed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use walkdir::WalkDir;

/// What the names of copies begin with, and nobody else's.
const PREFIX: &str = "dbt-entrypoint-copy-";
/// Its owner alone: a project may hold what others in `/tmp` should not see.
const MODE: u32 = 0o700;
/// Another run may take a new directory for a forgotten one, until it is locked.
const ATTEMPTS: usize = 5;

/// A directory in the temporary directory. It is locked as long as it is in use, which the kernel
/// ends however the process does.
#[derive(Debug)]
pub(super) struct Copied {
    directory: PathBuf,
    _lock: File,
    /// Tells the thread that fills the directory.
    abandoned: Arc<AtomicBool>,
}

impl Copied {
    /// An empty directory in `place`.
    pub(super) fn begin(place: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(fs::Permissions::from_mode(MODE))
                .tempdir_in(place)?
                .keep();
            let lock = match open(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            // Locked: another run is about to remove it. A place that knows no locks is as good.
            if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) && is_at(&lock, &directory)
            {
                return Ok(Self {
                    directory,
                    _lock: lock,
                    abandoned: Arc::default(),
                });
            }
        }
        Err(io::Error::other(format!(
            "each new directory in {} disappears",
            place.display()
        )))
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// What fills the copy, for a thread of its own.
    pub(super) fn filler(&self) -> Filler {
        Filler {
            directory: self.directory.clone(),
            abandoned: Arc::clone(&self.abandoned),
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::SeqCst);
        // The thread that fills it may add one entry more, but no directory above one.
        for _ in 0..ATTEMPTS {
            match fs::remove_dir_all(&self.directory) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                _ => break,
            }
        }
    }
}

/// Fills a copy until it is abandoned.
#[derive(Debug)]
pub(super) struct Filler {
    directory: PathBuf,
    abandoned: Arc<AtomicBool>,
}

impl Filler {
    /// Copies all but what is in `left_out`. Follows links: those of installed local packages lead
    /// out of `dbt_packages`, and a relative one would lead nowhere.
    pub(super) fn fill(&self, project: &Path, left_out: &[PathBuf]) -> io::Result<()> {
        let walk = WalkDir::new(project).min_depth(1).follow_links(true);
        for entry in walk
            .into_iter()
            .filter_entry(|entry| !left_out.iter().any(|path| path == entry.path()))
        {
            if self.abandoned.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let entry = match entry {
                Ok(entry) => entry,
                // A link that leads nowhere, or in a circle, is nothing that dbt could read either.
                Err(error)
                    if error.loop_ancestor().is_some()
                        || error
                            .path()
                            .is_some_and(|path| path.is_symlink() && !path.exists()) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let inside = entry.path().strip_prefix(project);
            let place = self.directory.join(inside.map_err(io::Error::other)?);
            if entry.file_type().is_dir() {
                fs::create_dir(place)?;
            } else if entry.file_type().is_file() {
                // Contents alone: a copied mode of 0444 would keep dbt from replacing the file.
                let named = |error: io::Error| {
                    io::Error::new(error.kind(), format!("{}: {error}", entry.path().display()))
                };
                io::copy(
                    &mut File::open(entry.path()).map_err(named)?,
                    &mut File::create(place)?,
                )?;
            }
        }
        Ok(())
    }
}

/// Removes the copies in `place` whose runs were killed, and returns their number. What cannot be
/// removed, or is not certainly such a copy, stays.
pub(super) fn remove_forgotten(place: &Path) -> usize {
    let Ok(entries) = fs::read_dir(place) else {
        return 0;
    };
    let named = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
    });
    named
        .filter(|entry| is_forgotten_and_goes(&entry.path()))
        .count()
}

fn is_forgotten_and_goes(directory: &Path) -> bool {
    let Ok(lock) = open(directory) else {
        return false;
    };
    let is_copy = lock.metadata().is_ok_and(|metadata| {
        metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o777 == MODE
    });
    // A place that knows no locks tells nothing.
    is_copy && lock.try_lock().is_ok() && fs::remove_dir_all(directory).is_ok()
}

/// Of a directory, and not through a link.
fn open(directory: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(directory)
}

/// Whether the path still leads to what was opened.
fn is_at(opened: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (opened.metadata(), fs::symlink_metadata(path)) {
        (Ok(opened), Ok(there)) => identity(opened) == identity(there),
        _ => false,
    }
}
