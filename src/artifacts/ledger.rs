//! Owns the small files of the ledger that are the runner's own, and what another run has left of
//! them: each scanned before it is sent, each read with a size limit.
//!
//! Never knows what they say.

use std::path::PathBuf;
use std::sync::Arc;

use super::destination::{Destination, Error as DestinationError};
use super::object::{Body, Object};
use super::{Error, Saved};
use crate::redact::Redactor;

/// The ledger of one run. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    destination: Destination,
    run_id: Arc<str>,
    redactor: Arc<Redactor>,
}

impl Ledger {
    pub(crate) fn new(destination: Destination, run_id: &str, redactor: Arc<Redactor>) -> Self {
        Self {
            destination,
            run_id: run_id.into(),
            redactor,
        }
    }

    /// Writes a file, also over what it was before. `name`: below the folder of the run.
    pub(crate) async fn put(&self, name: &str, content: &str) -> Result<(), Error> {
        let key = key_of(&self.run_id, name);
        self.scan(&key, content)?;
        let body = Body::Bytes(content.as_bytes().to_owned());
        let no_cache = false;
        Ok(self
            .destination
            .put(Object {
                key,
                body,
                no_cache,
            })
            .await?)
    }

    /// Writes a file that is not there yet. Says whether it was not.
    pub(crate) async fn create(&self, name: &str, content: &str) -> Result<bool, Error> {
        let key = key_of(&self.run_id, name);
        self.scan(&key, content)?;
        // The ID of a run is not given twice: a directory needs no lock, whose file would stay.
        if let Destination::Directory(path) = &self.destination {
            let is_new = !path.join(&key).exists();
            if is_new {
                self.put(name, content).await?;
            }
            return Ok(is_new);
        }
        let saved = self
            .destination
            .create_state(&key, content.as_bytes())
            .await?;
        Ok(saved != Saved::Conflict)
    }

    /// What another run has left, if it has. More than the limit is an error.
    pub(crate) async fn fetch(
        &self,
        run_id: &str,
        name: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, DestinationError> {
        self.destination.get(&key_of(run_id, name), limit).await
    }

    /// The content of an object that all runs share.
    pub(crate) async fn shared(
        &self,
        key: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, DestinationError> {
        self.destination.get(key, limit).await
    }

    /// Writes an object that all runs share; the last one wins.
    pub(crate) async fn share(&self, key: &str, content: &str) -> Result<(), Error> {
        self.scan(key, content)?;
        let body = Body::Bytes(content.as_bytes().to_owned());
        let (key, no_cache) = (key.to_owned(), false);
        Ok(self
            .destination
            .put(Object {
                key,
                body,
                no_cache,
            })
            .await?)
    }

    fn scan(&self, key: &str, content: &str) -> Result<(), Error> {
        if self.redactor.is_in(content.as_bytes()) {
            let path = PathBuf::from(key);
            return Err(Error::Leak { path });
        }
        Ok(())
    }
}

fn key_of(run_id: &str, name: &str) -> String {
    format!("runs/{run_id}/{name}")
}
