//! Owns the results of each step: read as it ends, before the next one overwrites them, put
//! together with those of an earlier attempt, and kept in the ledger.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Kept, Publisher};
use crate::artifacts::found::Version;
use crate::artifacts::object::{Body, Object};
use crate::artifacts::opened::{Scanned, open_below};
use crate::artifacts::results::{self, FailedNode, Results};
use crate::artifacts::{Error, IN_MEMORY, LARGEST_RESULTS, RUN_RESULTS, SOURCES, merged};
use crate::config::Step;
use crate::dbt::Told;

const COPIED_AT_ONCE: u64 = 1 << 20;

impl Publisher {
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
                    // What failed in another attempt is not why this one did.
                    let is_new = |failed: &FailedNode| !of_earlier.contains(&failed.node);
                    counted.failed.retain(is_new);
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

    /// Becomes ready when the uploads that have begun since the last call have ended, however.
    pub(crate) fn uploaded(&mut self) -> impl Future<Output = ()> + use<> {
        let uploading = std::mem::take(&mut self.uploading);
        async move {
            for upload in uploading {
                // Its other end is dropped, and never sends.
                let _ = upload.await;
            }
        }
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
        let (guard, upload) = oneshot::channel();
        self.uploading.push(upload);
        self.ledger.spawn(async move {
            let _until_the_end = guard;
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
