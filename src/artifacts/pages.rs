//! Owns how a page gets to where people read it, and what the run knows for it: the manifest, what
//! earlier runs have left.
//!
//! Never makes a page, and never puts one anywhere that holds a secret.

use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::destination::{Destination, new_file};
use super::graph::Graph;
use super::object::{Body, Object};
use super::opened::open_below;
use super::{DestinationError, Error, Publisher};

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

    /// Publishes a page. Browsers ask each time whether it has changed.
    pub(crate) async fn put_page(&self, key: &str, page: String) -> Result<(), Error> {
        let Some(destination) = &self.destination else {
            return Ok(());
        };
        self.refuse_leak(&page, Path::new(key))?;
        let object = Object {
            key: key.to_owned(),
            body: Body::Bytes(page.into_bytes()),
            no_cache: true,
        };
        Ok(destination.put(object).await?)
    }

    /// Where people look for what dbt wrote: the target directory, or the other place that the last
    /// step wrote to. `None` if dbt has written nothing.
    pub(crate) fn place_of_pages<'a>(&'a self, last: Option<&'a Path>) -> Option<&'a Path> {
        let places = [Some(self.target.as_path()), last];
        places.into_iter().flatten().find(|place| place.is_dir())
    }

    /// Leaves a page beside what dbt wrote. Returns its path.
    pub(crate) fn leave_page(
        &self,
        directory: &Path,
        name: &str,
        page: &str,
    ) -> Result<PathBuf, Error> {
        let path = directory.join(name);
        self.refuse_leak(page, &path)?;
        let write = || {
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
