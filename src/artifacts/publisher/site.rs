//! Owns the publishing of the docs: which files, in which order, all or none.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use tokio::task::{JoinSet, yield_now};

use super::Publisher;
use crate::artifacts::docs::Docs;
use crate::artifacts::object::{Body, Object};
use crate::artifacts::opened::{Scanned, open_below};
use crate::artifacts::{Destination, DestinationError, Error, IN_MEMORY, PAGE, RUN_RESULTS};
use crate::dbt::catalog_error;

const CATALOG: &str = "catalog.json";
/// Last and back to back, in this order, so that a reader who opens the site meanwhile sees pages
/// that fit together.
const LAST: [&str; 3] = [CATALOG, "manifest.json", PAGE];
/// Uploads at once. More gains nothing over a single connection pool and holds more files in
/// memory.
const AT_ONCE: usize = 16;
/// So many files stay open between scan and upload. Of more, each is opened again and has to be as
/// it was: a process may not have any number of files open.
const AT_HAND: usize = 500;

impl Publisher {
    /// Publishes the docs. Returns how many files went out, and what went wrong. If one file holds
    /// a secret, none goes out, so that what is online still fits together.
    /// `made_in`: where a docs step that succeeded wrote, if there was one.
    pub(crate) async fn publish_docs(&self, made_in: Option<&Path>) -> (usize, Vec<Error>) {
        let Some(destination) = &self.destination else {
            return (0, Vec::new());
        };
        let docs = match self.docs().await {
            Ok(docs) => docs,
            Err(errors) => return (0, errors),
        };
        if let Some(directory) = made_in {
            let is_there = |name: &str| docs.iter().any(|(key, _)| key == name);
            let missing: Vec<&str> = [PAGE, CATALOG]
                .into_iter()
                .filter(|name| !is_there(name))
                .collect();
            if !missing.is_empty() {
                let directory = directory.to_owned();
                return (0, vec![Error::NoDocs { directory, missing }]);
            }
        }
        let (last, first) = docs
            .into_iter()
            .partition::<Vec<_>, _>(|(key, _)| LAST.contains(&key.as_str()));
        let mut published = 0;
        let mut errors = Vec::new();
        let mut uploads = JoinSet::new();
        let mut waiting = first.into_iter();
        loop {
            while uploads.len() < AT_ONCE && errors.is_empty() {
                let Some((key, source)) = waiting.next() else {
                    break;
                };
                uploads.spawn(put(destination.clone(), key, source));
            }
            match uploads.join_next().await {
                Some(Ok(Ok(()))) => published += 1,
                Some(Ok(Err(error))) => errors.push(error),
                Some(Err(error)) => errors.push(Error::Upload(error)),
                None => break,
            }
        }
        for name in LAST {
            let Some((key, source)) = last.iter().find(|(key, _)| key == name).cloned() else {
                continue;
            };
            if errors.is_empty() {
                match put(destination.clone(), key, source).await {
                    Ok(()) => published += 1,
                    Err(error) => errors.push(error),
                }
            }
        }
        (published, errors)
    }

    /// The files of the docs by key, each scanned.
    async fn docs(&self) -> Result<Vec<(String, Body)>, Vec<Error>> {
        let mut docs = BTreeMap::new();
        let mut errors = Vec::new();
        let written = self.docs.iter().flat_map(Docs::written);
        for (count, (directory, path)) in written.enumerate() {
            // Scanning blocks the thread; signals get their turn between two files.
            yield_now().await;
            if path == Path::new(CATALOG)
                && let Some(error) = catalog_error(&directory.join(&path))
            {
                tracing::warn!(
                    "{CATALOG} is incomplete and is not published, so that the one at the \
                     destination stays: {error}"
                );
                continue;
            }
            match (
                path.to_str(),
                self.source(&directory, &path, count < AT_HAND).await,
            ) {
                (None, _) => errors.push(Error::Name {
                    path: directory.join(path),
                }),
                (Some(key), Ok(source)) => {
                    docs.extend(source.map(|source| (key.to_owned(), source)));
                }
                (Some(_), Err(error)) => errors.push(error),
            }
        }
        // What another attempt has written does not lie in the target directory.
        for (name, kept) in &self.adopted {
            match kept.clone() {
                Ok(body) => drop(docs.entry((*name).to_owned()).or_insert(body)),
                Err(path) => errors.push(Error::Leak { path }),
            }
        }
        if errors.is_empty() {
            Ok(docs.into_iter().collect())
        } else {
            Err(errors)
        }
    }

    /// What is published of a file, if anything: `docs generate` leaves results that would replace
    /// those of the tests.
    async fn source(
        &self,
        directory: &Path,
        relative: &Path,
        stays_open: bool,
    ) -> Result<Option<Body>, Error> {
        let path = directory.join(relative);
        if relative == Path::new(RUN_RESULTS) {
            let kept = self.node_results.clone().transpose();
            return kept.map_err(|path| Error::Leak { path });
        }
        let scanned = async {
            let file = open_below(directory, relative)?;
            Scanned::new(file, path.clone(), &self.redactor).await
        };
        match scanned.await {
            Ok(Some(scanned)) if stays_open => Ok(Some(Body::File(scanned))),
            Ok(Some(scanned)) => Ok(Some(Body::File(scanned.closed()))),
            Ok(None) => Err(Error::Leak { path }),
            Err(source) => Err(DestinationError::Read { path, source }.into()),
        }
    }
}

async fn put(destination: Destination, key: String, mut body: Body) -> Result<(), Error> {
    if let Body::File(file) = &body
        && file.size() <= IN_MEMORY
    {
        let mut bytes = Vec::new();
        let read = file.reader().read_to_end(&mut bytes);
        read.map_err(|source| DestinationError::Read {
            path: file.path.clone(),
            source,
        })?;
        body = Body::Bytes(bytes);
    }
    Ok(destination
        .put(Object {
            key,
            body,
            no_cache: true,
        })
        .await?)
}
