//! Owns the two places artifacts go to, and the one way to put a file there.
//!
//! Never decides what is published.

use std::fs::Permissions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

use super::object::{Body, Object};
use super::owner::Owner;
use super::s3::{self, S3};
use crate::aws::{Aws, FaultKind};
use crate::config::Location;
use crate::regular_file;

const WRITABLE: &str = "make it writable, or set another --destination";

/// Why an object was not, or cannot be, put.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    S3(#[from] s3::Error),
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write to the destination {}: {reason}", .path.display())]
    Directory { path: PathBuf, reason: &'static str },
}

impl Error {
    /// What went wrong with a request; `None` for what is not about one.
    pub(crate) fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::S3(error) => error.fault(),
            Self::Write { .. } | Self::Read { .. } | Self::Directory { .. } => None,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::S3(error) => error.hint(),
            Self::Directory { .. } => Some(WRITABLE.to_owned()),
            Self::Write { source, .. } | Self::Read { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    Some("make room there, or set another --destination".to_owned())
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    Some(WRITABLE.to_owned())
                }
                _ => None,
            },
        }
    }

    /// Whether the store knows no conditional writes.
    pub(crate) fn is_not_implemented(&self) -> bool {
        matches!(self, Self::S3(s3::Error::Put { source, .. }) if source.status == Some(501))
    }

    pub(crate) fn is_of_unknown_owner(&self) -> bool {
        matches!(self, Self::S3(s3::Error::UnknownOwner { .. }))
    }
}

/// A place that takes objects. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    S3(S3),
    Directory(PathBuf),
}

impl Destination {
    /// `None` for a bucket without AWS.
    pub(crate) fn new(location: &Location, aws: Option<&Aws>) -> Option<Self> {
        match location {
            Location::S3 {
                bucket,
                prefix,
                owner,
                is_derived,
                encryption,
            } => {
                let aws = aws?;
                Some(Self::S3(S3::new(
                    &aws.config,
                    bucket.clone(),
                    prefix.clone(),
                    Owner::new(owner.as_deref(), *is_derived, aws),
                    encryption.clone(),
                )))
            }
            Location::Directory(path) => Some(Self::Directory(path.clone())),
        }
    }

    /// Fails if the destination is certainly unusable. Logs a warning if that is uncertain.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        match self {
            Self::S3(s3) => Ok(s3.check().await?),
            Self::Directory(path) => check_directory(path),
        }
    }

    /// The content under a key, if there is any. More than the limit is an error: whoever can write
    /// there could fill the memory.
    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::S3(s3) => Ok(s3.get(key, limit).await?),
            Self::Directory(path) => read_file(&path.join(key), limit),
        }
    }

    pub(super) async fn put(&self, object: Object) -> Result<(), Error> {
        match self {
            Self::S3(s3) => Ok(s3.put(object).await?),
            Self::Directory(path) => put_file(&path.join(&object.key), &object.body).await,
        }
    }
}

/// The nearest part of the path that exists must be a writable directory.
fn check_directory(path: &Path) -> Result<(), Error> {
    let unusable = |reason| {
        Err(Error::Directory {
            path: path.to_owned(),
            reason,
        })
    };
    match path.ancestors().find(|ancestor| ancestor.exists()) {
        Some(ancestor) if !ancestor.is_dir() => unusable("part of its path is a file"),
        Some(ancestor) if access(ancestor, AccessFlags::W_OK | AccessFlags::X_OK).is_err() => {
            unusable("permission denied or read-only")
        }
        Some(_) => Ok(()),
        None => unusable("it does not exist"),
    }
}

fn read_file(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    match regular_file::read(path, limit) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A reader sees the old file or the new one, never a part.
async fn put_file(path: &Path, body: &Body) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
    std::fs::create_dir_all(&directory).map_err(failed)?;
    let mut file = new_file(&directory).map_err(failed)?;
    match body {
        Body::Bytes(bytes) | Body::Gzip(bytes) => file.write_all(bytes).map_err(failed)?,
        Body::File(source) => {
            let mut reader = source.reader();
            while let Some(part) = reader.next_part().map_err(failed)? {
                file.write_all(&part).map_err(failed)?;
                // Signals get their turn between two parts.
                tokio::task::yield_now().await;
            }
        }
    }
    file.persist(path)
        .map(drop)
        .map_err(|error| failed(error.error))
}

/// A file that gets its name once it is written. Temporary files are private to their owner;
/// published ones have the mode that the umask leaves.
pub(super) fn new_file(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".dbt-entrypoint-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_system_refuses_has_a_remedy() {
        for (kind, expected) in [
            (ErrorKind::StorageFull, Some("make room there")),
            (ErrorKind::QuotaExceeded, Some("make room there")),
            (ErrorKind::PermissionDenied, Some("make it writable")),
            (ErrorKind::ReadOnlyFilesystem, Some("make it writable")),
            (ErrorKind::NotADirectory, None),
        ] {
            let path = PathBuf::from("/srv/docs/state/lease.json");
            let error = Error::Write {
                path,
                source: kind.into(),
            };
            let hint = error.hint();
            let begins = hint.as_deref().and_then(|hint| hint.split(',').next());
            assert_eq!(begins, expected, "{kind}");
        }
    }
}
