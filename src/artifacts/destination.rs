//! Owns the two places artifacts go to, and the one way to put a file there.
//!
//! Never decides what is published.

use std::io;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use nix::unistd::{AccessFlags, access};

use super::s3::{self, S3};
use crate::config::Location;

/// Why an object was not, or cannot be, put.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    S3(#[from] s3::Error),
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the destination {} cannot be written to: {reason}", .path.display())]
    Directory { path: PathBuf, reason: &'static str },
}

impl Error {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::S3(error) => error.hint(),
            Self::Directory { .. } => {
                Some("make it writable, or set another --destination".to_owned())
            }
            Self::Write { .. } | Self::Read { .. } => None,
        }
    }
}

/// What is put.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// Read while it is sent.
    File(PathBuf),
}

/// One thing to publish.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Below the destination, with slashes.
    pub(super) key: String,
    pub(super) body: Body,
    /// Browsers ask whether the docs changed; the ledger never changes.
    pub(super) no_cache: bool,
}

/// A place that takes objects. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    S3(S3),
    Directory(PathBuf),
}

impl Destination {
    /// `None` for a bucket without AWS.
    pub(crate) fn new(location: &Location, aws: Option<&SdkConfig>) -> Option<Self> {
        match location {
            Location::S3 {
                bucket,
                prefix,
                owner,
                encryption,
            } => Some(Self::S3(S3::new(
                aws?,
                bucket.clone(),
                prefix.clone(),
                owner.clone(),
                encryption.clone(),
            ))),
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

    /// The content under a key, if there is any.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::S3(s3) => Ok(s3.get(key).await?),
            Self::Directory(path) => match tokio::fs::read(path.join(key)).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                read => read.map(Some).map_err(|source| Error::Read {
                    path: path.join(key),
                    source,
                }),
            },
        }
    }

    pub(super) async fn put(&self, object: Object) -> Result<(), Error> {
        match self {
            Self::S3(s3) => s3.put(object).await,
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

/// A reader sees the old file or the new one, never a part.
async fn put_file(path: &Path, body: &Body) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
    tokio::fs::create_dir_all(&directory)
        .await
        .map_err(failed)?;
    let file = tempfile::Builder::new()
        .prefix(".dbt-entrypoint-")
        .permissions(readable())
        .tempfile_in(&directory)
        .map_err(failed)?;
    match body {
        Body::Bytes(bytes) => tokio::fs::write(file.path(), bytes).await.map_err(failed)?,
        Body::File(source) => tokio::fs::copy(source, file.path())
            .await
            .map(drop)
            .map_err(failed)?,
    }
    file.persist(path)
        .map(drop)
        .map_err(|error| failed(error.error))
}

/// Temporary files are private to their owner; published ones have the mode that the umask leaves.
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}
