//! Owns what is kept of a run: which files, from which step, in which order, to where, and never
//! with a secret in them.
//!
//! The docs are what the site shows; the ledger is what happened, whatever the outcome. Never
//! deletes anything and never changes what dbt wrote.

use std::path::PathBuf;

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
mod publisher;
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
pub(crate) use publisher::Publisher;
pub(crate) use results::{
    FailedNode, NodeRun, NodeState, Nodes, Results, has_nodes, is_success, seconds_since_1970, time,
};
pub(crate) use seal::Sealer;
#[cfg(test)]
pub(crate) use state::loopback;
pub(crate) use stored::{Saved, Stored, Tag};

/// Of the results of a step. Those of ten thousand nodes with long SQL have some 200 MB.
pub(crate) const LARGEST_RESULTS: u64 = 512 << 20;
const RUN_RESULTS: &str = "run_results.json";
const SOURCES: &str = "sources.json";
const PAGE: &str = "index.html";
/// Larger files are read twice, for the scan and for the upload, rather than held in memory.
const IN_MEMORY: u64 = 512 * 1024;

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
