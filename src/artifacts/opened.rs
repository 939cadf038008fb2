//! Owns how a file of the target directory is opened: once, as a regular file, through no link and
//! without waiting, so that what is scanned is what is sent.
//!
//! Never follows a step's suggestion: a link could lead to anything that the runner may read.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use sha2::{Digest, Sha256};
use tokio::task::yield_now;

use crate::redact::Redactor;

/// What is read at a time.
const CHUNK: usize = 64 * 1024;

/// Opens a file below a directory. Fails where anything on the way is a link, and where it is no
/// regular file.
pub(super) fn open_below(directory: &Path, relative: &Path) -> io::Result<File> {
    let mut place = File::open(directory)?;
    let mut names = relative.components().peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else {
            return Err(io::Error::other("its path leads elsewhere"));
        };
        let kind = if names.peek().is_some() {
            OFlag::O_DIRECTORY
        } else {
            // A FIFO without a writer would be waited for.
            OFlag::O_NONBLOCK | OFlag::O_NOCTTY
        };
        let flags = kind | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        place = openat(place.as_fd(), name, flags, Mode::empty())?.into();
    }
    if place.metadata()?.is_file() {
        Ok(place)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// A file that holds no secret, as it was when it was scanned. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Scanned {
    /// `None` where it is opened again.
    file: Option<Arc<File>>,
    size: u64,
    hash: [u8; 32],
    pub(super) path: PathBuf,
}

impl Scanned {
    /// Reads the file from its beginning; `None` if it holds a secret.
    pub(super) async fn new(
        file: File,
        path: PathBuf,
        redactor: &Redactor,
    ) -> io::Result<Option<Self>> {
        let size = file.metadata()?.len();
        let mut content = At {
            file: &file,
            offset: 0,
            size,
        };
        let (mut search, mut hash) = (redactor.search(), Sha256::new());
        let mut part = vec![0; CHUNK];
        loop {
            let length = content.read(&mut part)?;
            if length == 0 {
                break;
            }
            hash.update(&part[..length]);
            if search.push(&part[..length]) {
                return Ok(None);
            }
            // A file can be as large as a step likes, and signals are still heard.
            yield_now().await;
        }
        if search.finish() {
            return Ok(None);
        }
        Ok(Some(Self {
            file: Some(Arc::new(file)),
            size,
            hash: hash.finalize().into(),
            path,
        }))
    }

    /// The same, to be opened again: what was scanned is known by its hash.
    pub(super) fn closed(mut self) -> Self {
        self.file = None;
        self
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hash)
    }

    /// Reads it again. The last part comes only if all is as it was.
    pub(super) fn reader(&self) -> VerifiedReader {
        VerifiedReader {
            scanned: self.clone(),
            offset: 0,
            hash: Sha256::new(),
        }
    }
}

/// The content of a scanned file, or an error before its end.
#[derive(Debug)]
pub(super) struct VerifiedReader {
    scanned: Scanned,
    offset: u64,
    hash: Sha256,
}

impl VerifiedReader {
    pub(super) fn left(&self) -> u64 {
        self.scanned.size - self.offset
    }

    /// The next part; none at the end.
    pub(super) fn next_part(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut part = vec![0; CHUNK];
        let length = self.read(&mut part)?;
        part.truncate(length);
        Ok((length > 0).then_some(part))
    }
}

impl Read for VerifiedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = if let Some(file) = &self.scanned.file {
            file
        } else {
            let path = &self.scanned.path;
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(io::ErrorKind::NotFound.into());
            };
            let file = open_below(directory, Path::new(name))?;
            self.scanned.file.insert(Arc::new(file))
        };
        let mut at = At {
            file,
            offset: self.offset,
            size: self.scanned.size,
        };
        let length = at.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.offset += length as u64;
        let is_last = length > 0 && self.left() == 0;
        if is_last && self.hash.clone().finalize()[..] != self.scanned.hash {
            return Err(io::Error::other("it changed after it was scanned"));
        }
        Ok(length)
    }
}

/// A file from a place in it, up to the size that it had.
struct At<'a> {
    file: &'a File,
    offset: u64,
    size: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let length = self.file.read_at(&mut buffer[..most], self.offset)?;
        if length == 0 && most > 0 {
            return Err(io::Error::other("it became shorter after it was opened"));
        }
        self.offset += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::secret::Secret;

    const SECRET: &str = "Sentinel-7f3a9c";

    fn redactor() -> Redactor {
        Redactor::new([&Secret::new(SECRET)])
    }

    #[test]
    fn only_a_regular_file_through_no_link_is_opened_and_nothing_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        std::fs::create_dir_all(place.join("deep/er")).unwrap();
        std::fs::write(place.join("deep/er/file.json"), "{}").unwrap();
        symlink("deep", place.join("link")).unwrap();
        symlink("er/file.json", place.join("deep/link.json")).unwrap();
        symlink("/proc/self/environ", place.join("environ.json")).unwrap();
        nix::unistd::mkfifo(&place.join("fifo.json"), Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.join("socket.json")).unwrap();
        for (name, is_opened) in [
            ("deep/er/file.json", true),
            ("link/er/file.json", false),
            ("deep/link.json", false),
            ("environ.json", false),
            ("fifo.json", false),
            ("socket.json", false),
            ("deep", false),
            ("deep/../deep/er/file.json", false),
            ("/etc/passwd", false),
            ("missing.json", false),
        ] {
            let opened = open_below(place, Path::new(name));
            assert_eq!(opened.is_ok(), is_opened, "{name}: {opened:?}");
        }
    }

    /// A large file, in which a change far behind is not seen by its size.
    async fn scanned(directory: &Path) -> Scanned {
        std::fs::write(directory.join("a.json"), vec![b'x'; 5 * CHUNK]).unwrap();
        let file = open_below(directory, Path::new("a.json")).unwrap();
        let redactor = redactor();
        let scanned = Scanned::new(file, directory.join("a.json"), &redactor);
        scanned.await.unwrap().unwrap()
    }

    fn change(directory: &Path, content: &[u8], at: u64) {
        let file = File::options().write(true).open(directory.join("a.json"));
        file.unwrap().write_all_at(content, at).unwrap();
    }

    #[tokio::test]
    async fn what_is_sent_is_what_was_scanned() {
        let directory = tempfile::tempdir().unwrap();
        let scanned = scanned(directory.path()).await;
        // Another file under the same name is not the one that was opened.
        std::fs::rename(directory.path().join("a.json"), directory.path().join("b")).unwrap();
        std::fs::write(directory.path().join("a.json"), SECRET).unwrap();
        let mut sent = Vec::new();
        scanned.reader().read_to_end(&mut sent).unwrap();
        assert_eq!(sent, vec![b'x'; 5 * CHUNK]);
    }

    #[tokio::test]
    async fn a_change_after_the_scan_is_an_error_before_the_end() {
        let end = 5 * CHUNK as u64;
        for at in [0, CHUNK as u64, end - SECRET.len() as u64] {
            let directory = tempfile::tempdir().unwrap();
            let scanned = scanned(directory.path()).await;
            change(directory.path(), SECRET.as_bytes(), at);
            let (mut reader, mut sent) = (scanned.reader(), 0);
            let error = loop {
                match reader.next_part() {
                    Ok(part) => sent += part.expect("no end").len() as u64,
                    Err(error) => break error,
                }
            };
            assert!(sent < end, "{at}");
            assert!(error.to_string().contains("it changed"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_grows_or_shrinks_is_sent_as_it_was_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let scanned = scanned(directory.path()).await;
        change(directory.path(), SECRET.as_bytes(), 5 * CHUNK as u64);
        let mut sent = Vec::new();
        scanned.reader().read_to_end(&mut sent).unwrap();
        assert_eq!(sent.len(), 5 * CHUNK);
        let file = File::options()
            .write(true)
            .open(directory.path().join("a.json"));
        file.unwrap().set_len(1).unwrap();
        assert!(scanned.reader().read_to_end(&mut Vec::new()).is_err());
    }

    #[tokio::test]
    async fn a_file_with_a_secret_is_not_scanned_to_be_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        std::fs::write(&path, SECRET).unwrap();
        let file = open_below(directory.path(), Path::new("a.json")).unwrap();
        let scanned = Scanned::new(file, path, &redactor()).await;
        assert!(scanned.unwrap().is_none());
    }
}
