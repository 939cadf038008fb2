//! Owns the saved parse at the destination, `state/partial_parse.msgpack`: a container starts from
//! a clean disk, and dbt would parse the whole project each time.
//!
//! Only a matter of time: whatever goes wrong is a line in the log, and the run goes on.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use tokio::time::timeout;

use super::destination::{Body, Destination, Object};
use crate::causes;
use crate::redact::Redactor;
use crate::session::{ParsedBy, SavedParse};

const CONTENT: &str = "state/partial_parse.msgpack";
const LABEL: &str = "state/partial_parse.json";
/// Past this, parsing locally is faster.
const PATIENCE: Duration = Duration::from_secs(10);

/// The label of a saved parse, in a file beside it.
#[derive(Serialize, Deserialize)]
struct Label {
    #[serde(flatten)]
    by: ParsedBy,
    /// Two runs at once may each have written one of the two objects.
    sha1: String,
}

/// Fetches the parse that another run has left, if there is one.
pub(crate) async fn fetch(destination: &Destination) -> Option<SavedParse> {
    let both = async {
        let Some(label) = destination.get(LABEL).await? else {
            return Ok(None);
        };
        Ok(destination
            .get(CONTENT)
            .await?
            .map(|content| (label, content)))
    };
    let found = match timeout(PATIENCE, both).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            let error: super::DestinationError = error;
            tracing::info!("no saved parse can be had: {}", causes::in_one_line(&error));
            None
        }
        Err(_) => {
            tracing::info!("no saved parse was had within {} s", PATIENCE.as_secs());
            None
        }
    };
    let (label, content) = found?;
    match serde_json::from_slice::<Label>(&label) {
        Ok(label) if label.sha1 == sha1(&content) => Some(SavedParse {
            by: label.by,
            content,
        }),
        _ => {
            tracing::info!(
                "the saved parse and what is said of it do not belong together, so it is left alone"
            );
            None
        }
    }
}

/// Saves a parse, unless it holds a secret.
pub(crate) async fn save(
    destination: &Destination,
    by: ParsedBy,
    content: Vec<u8>,
    redactor: &Redactor,
) {
    if redactor.is_in(&content) {
        tracing::warn!("the parse of this project holds the value of a secret, so it is not saved");
        return;
    }
    let label = serde_json::to_vec(&Label {
        by,
        sha1: sha1(&content),
    })
    .unwrap_or_default();
    let size = content.len() / 1000;
    for (key, content) in [(CONTENT, content), (LABEL, label)] {
        let object = Object {
            key: key.to_owned(),
            body: Body::Bytes(content),
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

fn sha1(content: &[u8]) -> String {
    let mut hash = String::new();
    for byte in Sha1::digest(content) {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}
