//! Owns such objects in a directory, which several containers may have mounted.
//!
//! Never trusts the clock of this machine: the age of a file is counted by the clock of the file
//! system, which may be another machine's.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::artifacts::destination::{Error, new_file};
use crate::artifacts::stored::{Condition, Saved, Stored, Tag};
use crate::regular_file;

/// A writer holds the lock for as long as a small file takes.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// A file up to this size is told from another by its content: some file systems give a file
/// another inode and another time on each look at it.
const COMPARED: u64 = 16 << 20;

pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Stored>, Error> {
    read_file(path, limit).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn read_file(path: &Path, limit: u64) -> io::Result<Option<Stored>> {
    let file = match regular_file::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    (&file).take(COMPARED + 1).read_to_end(&mut content)?;
    let size = content.len() as u64;
    let tag = if size > COMPARED {
        Tag::new(format!("{:?} {}", metadata.modified()?, metadata.len()))
    } else {
        tag_of(&content)
    };
    let age = path
        .parent()
        .and_then(|directory| age(&metadata, directory));
    Ok(Some(Stored {
        content: (size <= limit).then_some(content),
        tag,
        age,
    }))
}

fn tag_of(content: &[u8]) -> Tag {
    Tag::new(hex::encode(Sha256::digest(content)))
}

/// A new file beside it has the time that it is now. One in the future was written before a clock
/// was set back; nobody can say how long ago.
fn age(metadata: &Metadata, directory: &Path) -> Option<Duration> {
    let written = metadata.modified().ok()?;
    let beside = new_file(directory).ok()?;
    let now = beside.as_file().metadata().ok()?.modified().ok()?;
    now.duration_since(written).ok()
}

/// Reading, comparing and renaming are one act only under a lock, which the kernel releases however
/// the writer ends.
pub(super) async fn write(
    path: &Path,
    content: &[u8],
    condition: Condition<'_>,
) -> Result<Saved, Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(failed)?;
    let _lock = lock(path).await.map_err(failed)?;
    let is_as_expected = match (read_file(path, COMPARED).map_err(failed)?, condition) {
        (None, Condition::IsMissing) => true,
        (Some(stored), Condition::Is(tag)) => stored.tag == *tag,
        _ => false,
    };
    if !is_as_expected {
        return Ok(Saved::Conflict);
    }
    let mut file = new_file(directory).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(Saved::Done(tag_of(content)))
}

async fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = Path::new(&name);
    let open = |writable: bool| {
        File::options()
            .read(!writable)
            .write(writable)
            .create(writable)
            .truncate(false)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(name)
    };
    // A lock file of another user can be locked if it can be read.
    let file = open(true).or_else(|error| open(false).map_err(|_| error))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process keeps its lock"));
            }
        }
    }
}
