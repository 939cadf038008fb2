//! Owns what is kept of a run: which files, from which step, in which order, to where, and never
//! with a secret in them.
//!
//! The docs are what the site shows; the ledger is what happened, whatever the outcome. Never
//! deletes anything and never changes what dbt wrote.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::task::{JoinSet, yield_now};

use crate::config::Step;
use crate::dbt::{Told, catalog_error};
use crate::redact::Redactor;
use crate::session::{ParseIdentity, SAVED_PARSE};

mod content_type;
mod destination;
mod docs;
mod found;
mod graph;
mod layout;
mod ledger;
mod merged;
mod object;
mod opened;
mod owner;
mod pages;
pub(crate) mod parse_cache;
mod results;
mod s3;
mod seal;
mod state;
mod stored;

pub(crate) use destination::{Destination, Error as DestinationError};
pub(crate) use graph::Graph;
pub(crate) use layout::Layout;
pub(crate) use ledger::Ledger;
pub(crate) use pages::summaries;
pub(crate) use parse_cache::Keeping;
pub(crate) use results::{
    FailedNode, NodeRun, NodeState, Nodes, Results, has_nodes, is_success, seconds_since_1970, time,
};
pub(crate) use seal::Sealer;
#[cfg(test)]
pub(crate) use state::loopback;
pub(crate) use stored::{Saved, Stored, Tag};

use docs::Docs;
use found::Version;
use object::{Body, Object};
use opened::{Scanned, open_below};

const RUN_RESULTS: &str = "run_results.json";
const SOURCES: &str = "sources.json";
const PAGE: &str = "index.html";
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
/// Larger files are read twice, for the scan and for the upload, rather than held in memory.
const IN_MEMORY: u64 = 512 * 1024;
/// Results are copied and counted before the next step starts. Those of ten thousand nodes with
/// long SQL have some 200 MB.
const LARGEST_RESULTS: u64 = 512 << 20;
const COPIED_AT_ONCE: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error("{} holds the value of a secret, so it is not published", .path.display())]
    Leak { path: PathBuf },
    #[error("{} has a name that is not valid UTF-8, so it cannot be published", .path.display())]
    Name { path: PathBuf },
    #[error("the docs step left no {} in {}, so nothing is published", .missing.join(" and no "),
        .directory.display())]
    NoDocs {
        directory: PathBuf,
        missing: Vec<&'static str>,
    },
    #[error("an upload ended unexpectedly")]
    Upload(#[source] tokio::task::JoinError),
}

impl Error {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Destination(error) => error.hint(),
            Self::Leak { .. } => Some(
                "find what writes it (a model, a hook, a macro that prints env_var), and \
                    rotate the secret"
                    .to_owned(),
            ),
            Self::NoDocs { .. } => Some(
                "read what the step printed; make docs generate write both files there, set \
                 publish to never, or leave the step out"
                    .to_owned(),
            ),
            Self::Name { .. } | Self::Upload(_) => None,
        }
    }
}

/// Follows a run and publishes what it wrote.
#[derive(Debug)]
pub(crate) struct Publisher {
    destination: Option<Destination>,
    redactor: Arc<Redactor>,
    target: PathBuf,
    /// One for each directory that a step writes to, in the order of their last use.
    docs: Vec<Docs>,
    run_id: String,
    /// The versions of run_results.json and sources.json after the last step.
    seen: HashMap<PathBuf, Version>,
    /// run_results.json of the last step that ran nodes.
    node_results: Option<Kept>,
    /// Of steps that are not run again: what they have left for the docs.
    adopted: BTreeMap<&'static str, Kept>,
    /// Of steps that go on with what an earlier attempt has done: its results.
    earlier: HashMap<usize, Value>,
    ledger: JoinSet<Result<(), Error>>,
}

impl Publisher {
    /// Notes the state of the target directory before the first step. Without a destination,
    /// results are read but nothing is published. `targets`: of all steps, in the order of their
    /// last use; of two files with one name the later is published.
    pub(crate) fn new(
        destination: Option<Destination>,
        target: &Path,
        targets: &[PathBuf],
        layout: &Layout,
        run_id: &str,
        redactor: Arc<Redactor>,
    ) -> Self {
        let results = targets
            .iter()
            .flat_map(|target| [RUN_RESULTS, SOURCES].map(|name| target.join(name)));
        let versions = results.filter_map(|path| Some((path.clone(), Version::of(&path)?)));
        Self {
            destination,
            redactor,
            target: target.to_owned(),
            run_id: run_id.to_owned(),
            seen: versions.collect(),
            docs: targets
                .iter()
                .map(|target| Docs::before(target, layout.clone()))
                .collect(),
            node_results: None,
            adopted: BTreeMap::new(),
            earlier: HashMap::new(),
            ledger: JoinSet::new(),
        }
    }

    /// Reads the results of a step and starts their upload to the ledger. Call it as the step ends,
    /// before the next one overwrites them. `told`: of a step that did not succeed, what is known
    /// better than by its results. `target`: where the step wrote.
    pub(crate) async fn keep(
        &mut self,
        index: usize,
        step: &Step,
        target: &Path,
        told: Option<&Told>,
    ) -> Option<Results> {
        let mut counted = None;
        for name in [RUN_RESULTS, SOURCES] {
            let written = self.newly_written(target, name).await;
            let earlier = self.earlier.get(&index).filter(|_| name == RUN_RESULTS);
            let Some((content, of_earlier)) = with_earlier(earlier, written, &step.name) else {
                continue;
            };
            if results::file_of(step) == Some(name) {
                counted = match &content {
                    Written::Small(bytes) => results::read(&step.name, &bytes[..], told),
                    Written::Large(file) => results::read(&step.name, file, told),
                };
                // `compile` of dbt 2 tells of no node.
                let is_compile = step.subcommand() == "compile";
                counted = counted.filter(|counted| !is_compile || counted.nodes.all() > 0);
                if let Some(counted) = &mut counted {
                    counted.of_earlier = of_earlier;
                }
            }
            if self.destination.is_none() {
                continue;
            }
            let kept = self.scan(content, &target.join(name)).await;
            let key = format!("{:02}-{}/{name}", index + 1, step.name);
            self.record(&key, kept.clone());
            // dbt 2 leaves empty results of a project that it could not read.
            let has_nodes = counted
                .as_ref()
                .is_none_or(|results| results.nodes.all() > 0);
            let is_better = has_nodes || self.node_results.is_none();
            if name == RUN_RESULTS && results::runs_nodes(step) && is_better {
                self.node_results = Some(kept);
            }
        }
        counted
    }

    /// Goes on with a step of which an earlier attempt has done a part. `results`: of all its
    /// nodes, those that are not done among them as skipped.
    pub(crate) fn go_on_with(&mut self, index: usize, results: Value) {
        self.earlier.insert(index, results);
    }

    /// What stands for the nodes of which such a step leaves no results.
    pub(crate) fn earlier(&mut self, index: usize) -> Option<&mut Value> {
        self.earlier.get_mut(&index)
    }

    /// Takes over what an earlier attempt has left of a step that is done, by the names of files.
    pub(crate) async fn adopt(
        &mut self,
        index: usize,
        step: &Step,
        left: Vec<(&'static str, Vec<u8>)>,
    ) -> Option<Results> {
        let mut counted = None;
        for (name, content) in left {
            if results::file_of(step) == Some(name) {
                counted = results::read(&step.name, &content[..], None);
            }
            let key = format!("{:02}-{}/{name}", index + 1, step.name);
            let kept = self.scan(Written::Small(content), Path::new(&key)).await;
            self.record(&key, kept.clone());
            if name == SOURCES || results::runs_nodes(step) {
                self.adopted.insert(name, kept.clone());
            }
            if name == RUN_RESULTS && results::runs_nodes(step) {
                self.node_results = Some(kept);
            }
        }
        counted
    }

    /// Waits for the uploads that `keep` started.
    pub(crate) async fn finish_ledger(&mut self) -> Vec<Error> {
        let mut errors = Vec::new();
        while let Some(result) = self.ledger.join_next().await {
            errors.extend(
                result
                    .unwrap_or_else(|error| Err(Error::Upload(error)))
                    .err(),
            );
        }
        errors
    }

    /// Puts the closing line into the ledger.
    pub(crate) async fn summarise(&self, line: &str) -> Result<(), Error> {
        let Some(destination) = &self.destination else {
            return Ok(());
        };
        let key = format!("runs/{}/summary.json", self.run_id);
        Ok(destination
            .put(Object {
                key,
                body: Body::Bytes(format!("{line}\n").into_bytes()),
                no_cache: false,
            })
            .await?)
    }

    /// Keeps the parse of this run for the next one. `by`: its label.
    pub(crate) async fn keep_parse(&self, by: ParseIdentity, keeping: &Keeping) {
        let Some(destination) = &self.destination else {
            return;
        };
        let path = self.target.join(SAVED_PARSE);
        let scanned = async {
            let file = open_below(&self.target, Path::new(SAVED_PARSE))?;
            if file.metadata()?.len() > parse_cache::LARGEST {
                return Err(io::Error::other("it is too large to be restored later"));
            }
            Scanned::new(file, path.clone(), &self.redactor).await
        };
        match scanned.await {
            Ok(Some(parse)) => parse_cache::save(destination, by, parse, keeping).await,
            Ok(None) => tracing::warn!(
                "the parse of this project holds the value of a secret, so it is not saved"
            ),
            Err(error) => tracing::warn!(
                "the parse of this project is not saved: {}: {error}",
                path.display()
            ),
        }
    }

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

    /// The content of a file that the last step wrote.
    async fn newly_written(&mut self, target: &Path, name: &'static str) -> Option<Written> {
        let file = open_below(target, Path::new(name)).ok()?;
        let metadata = file.metadata().ok()?;
        let version = Version::from(&metadata);
        if self.seen.insert(target.join(name), version) == Some(version) {
            return None;
        }
        Written::read(file, metadata.len(), target)
            .await
            .inspect_err(|error| tracing::warn!("cannot keep {name} of this step: {error}"))
            .ok()
    }

    async fn scan(&self, content: Written, path: &Path) -> Kept {
        let body = match content {
            Written::Small(bytes) => (!self.redactor.is_in(&bytes)).then_some(Body::Bytes(bytes)),
            // What cannot be read may hold anything.
            Written::Large(file) => Scanned::new(file, path.to_owned(), &self.redactor)
                .await
                .ok()
                .flatten()
                .map(Body::File),
        };
        body.ok_or_else(|| path.to_owned())
    }

    fn record(&mut self, name: &str, kept: Kept) {
        let Some(destination) = self.destination.clone() else {
            return;
        };
        let key = format!("runs/{}/{name}", self.run_id);
        self.ledger.spawn(async move {
            let object = Object {
                key,
                body: kept.map_err(|path| Error::Leak { path })?,
                no_cache: false,
            };
            Ok(destination.put(object).await?)
        });
    }
}

/// What a step has written, together with what an earlier attempt has done of it, and the nodes
/// that are in this alone.
fn with_earlier(
    earlier: Option<&Value>,
    written: Option<Written>,
    step: &str,
) -> Option<(Written, BTreeSet<String>)> {
    let Some(earlier) = earlier else {
        return Some((written?, BTreeSet::new()));
    };
    let whole = match written {
        // It was ended before it could write any, or is to write none.
        None => serde_json::to_vec(earlier)
            .ok()
            .map(|whole| (whole, merged::ids(earlier))),
        Some(Written::Small(later)) => merged::merge(earlier, &later),
        Some(Written::Large(mut file)) => {
            let mut later = Vec::new();
            let read = file.read_to_end(&mut later);
            read.ok().and_then(|_| merged::merge(earlier, &later))
        }
    };
    if whole.is_none() {
        tracing::warn!(
            "step {step}: its results cannot be put together with those of the earlier attempt"
        );
    }
    whole.map(|(whole, of_earlier)| (Written::Small(whole), of_earlier))
}

/// What is published of a file, or the path of one that holds a secret.
type Kept = Result<Body, PathBuf>;

/// What a step wrote, before the next one overwrites it.
enum Written {
    Small(Vec<u8>),
    /// A copy that has no name.
    Large(File),
}

impl Written {
    async fn read(file: File, size: u64, directory: &Path) -> io::Result<Self> {
        let mut content = file.take(size);
        if size > LARGEST_RESULTS {
            return Err(io::Error::other(format!(
                "it is larger than {LARGEST_RESULTS} bytes"
            )));
        }
        if size <= IN_MEMORY {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            return Ok(Self::Small(bytes));
        }
        // Where the step could write it, there is a place for it.
        let mut copy = tempfile::tempfile_in(directory)?;
        while io::copy(&mut content.by_ref().take(COPIED_AT_ONCE), &mut copy)? > 0 {
            // Signals get their turn.
            yield_now().await;
        }
        copy.rewind()?;
        Ok(Self::Large(copy))
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
