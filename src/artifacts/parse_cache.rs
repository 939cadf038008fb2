//! Owns the saved parse at the destination, `state/partial_parse.msgpack`: a container starts from
//! a clean disk, and dbt would parse the whole project each time.
//!
//! It only saves time: whatever goes wrong is logged, and the run goes on. But a parse is code that
//! dbt runs, so a parse that somebody else could have left there is never restored.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::destination::Destination;
use super::object::{Body, Object};
use super::opened::Scanned;
use super::seal::Sealer;
use crate::causes;
use crate::redact::{Redactor, SHORTEST};
use crate::secret::Secret;
use crate::session::{ParseIdentity, SavedParse};

const CONTENT: &str = "state/partial_parse.msgpack";
const LABEL: &str = "state/partial_parse.json";
/// Past this, parsing locally is faster.
const PATIENCE: Duration = Duration::from_secs(10);
/// The parse of a project of ten thousand models has some 100 MB.
pub(super) const LARGEST: u64 = 256 << 20;
const LARGEST_LABEL: u64 = 64 << 10;

/// How the parse of a project is kept.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    /// `None` where the user has spelt out that it is kept without a seal.
    pub(crate) sealer: Option<Sealer>,
    /// Values that are no secret by their name alone, but look like one, each with its variable.
    pub(crate) suspicious: Vec<(String, Secret)>,
}

/// What is said of the content in a file beside it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    dbt: String,
    adapter: String,
    profile: String,
    target: String,
    /// Of two runs at once, each may have written one of the two objects.
    sha256: String,
    /// Over all of the above and where it lies. Absent where there was no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
}

impl Label {
    fn words(&self) -> [&str; 5] {
        [
            &self.dbt,
            &self.adapter,
            &self.profile,
            &self.target,
            &self.sha256,
        ]
    }

    async fn is_trusted(&self, keeping: &Keeping) -> bool {
        match (&keeping.sealer, &self.seal) {
            (Some(sealer), Some(seal)) => sealer.is_right(seal, &self.words()).await,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

/// Why there is no saved parse. None of these is worth failing for.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Destination(#[from] super::DestinationError),
    #[error("it was not fetched within {} s", PATIENCE.as_secs())]
    TooSlow,
    #[error("it does not match its label")]
    NotTogether,
    #[error(
        "its seal does not fit this login's password or this DBT_ENTRYPOINT_CACHE_KEY: the secret \
            has changed, or somebody else wrote it"
    )]
    NotSealed,
}

/// Fetches the parse that another run has left, if there is one. `keeping`: comes once the login
/// is there, or never where nothing is kept.
pub(crate) async fn fetch(
    destination: Destination,
    keeping: oneshot::Receiver<Keeping>,
) -> Option<SavedParse> {
    match find(&destination, keeping).await {
        Ok(found) => found,
        Err(why @ (Unusable::NotTogether | Unusable::NotSealed)) => {
            tracing::warn!("ignoring the saved parse: {why}");
            None
        }
        Err(why) => {
            tracing::info!(
                "cannot fetch the saved parse: {}",
                causes::in_one_line(&why)
            );
            None
        }
    }
}

async fn find(
    destination: &Destination,
    keeping: oneshot::Receiver<Keeping>,
) -> Result<Option<SavedParse>, Unusable> {
    let get = async |key, limit| {
        let content = timeout(PATIENCE, destination.get(key, limit)).await;
        Ok::<_, Unusable>(content.map_err(|_| Unusable::TooSlow)??)
    };
    let Some(label) = get(LABEL, LARGEST_LABEL).await? else {
        return Ok(None);
    };
    let Ok(keeping) = keeping.await else {
        return Ok(None);
    };
    let label: Label = serde_json::from_slice(&label).map_err(|_| Unusable::NotTogether)?;
    if !label.is_trusted(&keeping).await {
        return Err(Unusable::NotSealed);
    }
    let Some(content) = get(CONTENT, LARGEST).await? else {
        return Ok(None);
    };
    if label.sha256 != sha256(&content) {
        return Err(Unusable::NotTogether);
    }
    let Label {
        dbt,
        adapter,
        profile,
        target,
        ..
    } = label;
    let by = ParseIdentity {
        dbt,
        adapter,
        profile,
        target,
    };
    Ok(Some(SavedParse { by, content }))
}

/// Saves a parse, unless it holds what looks like a secret.
pub(super) async fn save(
    destination: &Destination,
    by: ParseIdentity,
    parse: Scanned,
    keeping: &Keeping,
) {
    if let Some(name) = keeping.suspicious_in(&parse).await {
        tracing::warn!(
            "the parse of this project is not saved: it holds the value of {name}, which looks \
             like a secret; rename the variable to DBT_ENV_SECRET_… to keep its value out of it"
        );
        return;
    }
    let ParseIdentity {
        dbt,
        adapter,
        profile,
        target,
    } = by;
    let mut label = Label {
        dbt,
        adapter,
        profile,
        target,
        sha256: parse.sha256(),
        seal: None,
    };
    if let Some(sealer) = &keeping.sealer {
        label.seal = sealer.seal(&label.words()).await;
    }
    let label = serde_json::to_vec(&label).unwrap_or_default();
    let size = parse.size() / 1000;
    for (key, body) in [(CONTENT, Body::File(parse)), (LABEL, Body::Bytes(label))] {
        let object = Object {
            key: key.to_owned(),
            body,
            no_cache: false,
        };
        if let Err(error) = destination.put(object).await {
            tracing::warn!(
                "the parse of this project is not saved: {}",
                causes::in_one_line(&error)
            );
            return;
        }
    }
    tracing::info!("saved the parse of this project for the next run ({size} kB)");
}

impl Keeping {
    /// The variable whose value the content holds.
    async fn suspicious_in(&self, parse: &Scanned) -> Option<&str> {
        let long_enough = self.suspicious.iter();
        let long_enough = long_enough.filter(|(_, value)| value.len() >= SHORTEST);
        let redactors: Vec<_> = long_enough
            .map(|(name, value)| (name, Redactor::new([value])))
            .collect();
        let mut searches: Vec<_> = redactors
            .iter()
            .map(|(name, redactor)| (name, redactor.search()))
            .collect();
        let mut reader = parse.reader();
        // What cannot be read will not be sent either.
        while let Ok(Some(part)) = reader.next_part() {
            for (name, search) in &mut searches {
                if search.push(&part) {
                    return Some(name);
                }
            }
            yield_now().await;
        }
        searches
            .into_iter()
            .find_map(|(name, search)| search.finish().then_some(name.as_str()))
    }
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod fuzz;
