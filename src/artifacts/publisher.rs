//! Owns the following of a run: what it wrote goes to the ledger step by step, and to the docs at
//! its end.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::docs::Docs;
use super::found::Version;
use super::object::{Body, Object};
use super::opened::{Scanned, open_below};
use super::{Destination, Error, Keeping, Layout, RUN_RESULTS, SOURCES, parse_cache};
use crate::redact::Redactor;
use crate::session::{ParseIdentity, SAVED_PARSE};

mod site;
mod steps;

/// What is published of a file, or the path of one that holds a secret.
type Kept = Result<Body, PathBuf>;

/// Follows a run and publishes what it wrote.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(super) destination: Option<Destination>,
    pub(super) redactor: Arc<Redactor>,
    pub(super) target: PathBuf,
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
    /// Those uploads of which nobody has asked yet when they end.
    uploading: Vec<oneshot::Receiver<Infallible>>,
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
            uploading: Vec::new(),
        }
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
}
