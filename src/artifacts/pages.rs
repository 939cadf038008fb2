//! Owns how a page gets to where people read it, and what the run knows for it: the manifest, what
//! earlier runs have left.
//!
//! Never makes a page, and never puts one anywhere that holds a secret.

use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinSet;

use super::destination::{Destination, new_file};
use super::graph::Graph;
use super::object::{Body, Object};
use super::opened::open_below;
use super::{DestinationError, Error, Publisher};

/// A smaller page stays as it is, for who reads it with `aws s3 cp`.
const LARGEST_PLAIN: usize = 128 << 10;
/// Reading a larger one would take longer than its critical path is worth.
const LARGEST_MANIFEST: u64 = 96 << 20;
const LARGEST_SUMMARY: u64 = 64 << 10;
/// Summaries that are fetched at once.
const AT_ONCE: usize = 16;

impl Publisher {
    /// Where artifacts go, if anywhere.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// Publishes a page. Browsers ask each time whether it has changed. S3 tells them that it is
    /// compressed; a directory could not.
    pub(crate) async fn put_page(&self, key: &str, page: String) -> Result<(), Error> {
        let Some(destination) = &self.destination else {
            return Ok(());
        };
        self.refuse_leak(&page, Path::new(key))?;
        let body = match destination {
            Destination::S3(_) if page.len() > LARGEST_PLAIN => gzip(&page),
            _ => Body::Bytes(page.into_bytes()),
        };
        let object = Object {
            key: key.to_owned(),
            body,
            no_cache: true,
        };
        Ok(destination.put(object).await?)
    }

    /// Where people look for what dbt wrote: the target directory, or the other place that the last
    /// step wrote to.
    pub(crate) fn place_of_pages<'a>(&'a self, last: Option<&'a Path>) -> &'a Path {
        let places = [Some(self.target.as_path()), last];
        let there = places.into_iter().flatten().find(|place| place.is_dir());
        // A step that failed early has written nothing.
        there.unwrap_or(&self.target)
    }

    /// Leaves a page beside what dbt wrote, or would have. Returns its path.
    pub(crate) fn leave_page(
        &self,
        directory: &Path,
        name: &str,
        page: &str,
    ) -> Result<PathBuf, Error> {
        let path = directory.join(name);
        self.refuse_leak(page, &path)?;
        let write = || {
            fs::create_dir_all(directory)?;
            let mut file = new_file(directory)?;
            file.write_all(page.as_bytes())?;
            file.persist(&path).map_err(|error| error.error)
        };
        match write() {
            Ok(_) => Ok(path),
            Err(source) => Err(DestinationError::Write { path, source }.into()),
        }
    }

    /// How the nodes of the project depend on each other, as far as dbt has said so.
    pub(crate) fn graph(target: &Path) -> Graph {
        let Ok(manifest) = open_below(target, Path::new("manifest.json")) else {
            return Graph::default();
        };
        match manifest.metadata() {
            Ok(metadata) if metadata.len() <= LARGEST_MANIFEST => {
                Graph::read(BufReader::with_capacity(1 << 16, manifest))
            }
            _ => Graph::default(),
        }
    }

    fn refuse_leak(&self, page: &str, path: &Path) -> Result<(), Error> {
        if self.redactor.is_in(page.as_bytes()) {
            let path = path.to_owned();
            return Err(Error::Leak { path });
        }
        Ok(())
    }
}

fn gzip(page: &str) -> Body {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(page.as_bytes());
    match written.and_then(|()| encoder.finish()) {
        Ok(bytes) => Body::Gzip(bytes),
        // Nothing fails that is written to memory.
        Err(_) => Body::Bytes(page.as_bytes().to_owned()),
    }
}

/// The summaries of the last runs in the ledger, as far as they can be listed and read.
pub(crate) async fn summaries(
    destination: &Destination,
    since: &str,
    most: usize,
) -> Result<Vec<Vec<u8>>, DestinationError> {
    let mut ids = destination.runs_since(since).await?;
    ids.sort();
    let surplus = ids.len().saturating_sub(most);
    let mut ids = ids.drain(surplus..);
    let mut found = Vec::new();
    let mut fetches = JoinSet::new();
    loop {
        while fetches.len() < AT_ONCE
            && let Some(id) = ids.next()
        {
            let destination = destination.clone();
            fetches.spawn(async move {
                let key = format!("runs/{id}/summary.json");
                destination.get(&key, LARGEST_SUMMARY).await
            });
        }
        match fetches.join_next().await {
            Some(Ok(Ok(summary))) => found.extend(summary),
            // A run that has left none, or none that can be read, is not known.
            Some(_) => {}
            None => return Ok(found),
        }
    }
}

impl Destination {
    /// The names of the folders below `runs/` that come after another name.
    async fn runs_since(&self, since: &str) -> Result<Vec<String>, DestinationError> {
        let path = match self {
            Self::S3(s3) => return Ok(s3.folders("runs", since).await?),
            Self::Directory(path) => path.join("runs"),
        };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(DestinationError::Read { path, source }),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| name.as_str() > since).collect())
    }
}
