//! Owns how a run gets into the history, though others may end at the same moment, and how the page
//! of all runs follows it.
//!
//! Never overwrites what a later version has written, and never loses the run of somebody else.

use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use crate::artifacts::{Destination, DestinationError, Publisher, Saved, Tag, summaries};
use crate::causes;
use crate::history::{self, Entry, History, Read};
use crate::page::{self, Heading};

/// Each of them has lost against somebody who was faster.
const ATTEMPTS: u32 = 12;
const PAUSE: Duration = Duration::from_millis(40);
/// How far back the ledger is searched if there is no history.
const MEMORY: Duration = Duration::from_hours(120 * 24);
const MOST_SUMMARIES: usize = 200;
/// How often the page of all runs is made anew, since the history has changed meanwhile.
const RENEWALS: usize = 4;
const PAGE: &str = "runs/index.html";

/// What is known of earlier runs.
pub(super) enum Known {
    /// With its version, if it is there.
    Here(History, Option<Tag>),
    Later,
    Unread(DestinationError),
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self::Here(History::default(), None)
    }

    pub(super) fn runs(&self) -> &[Entry] {
        match self {
            Self::Here(history, _) => &history.runs,
            Self::Later | Self::Unread(_) => &[],
        }
    }
}

/// The history as it is now; one that is malformed or not there is made anew from the ledger.
pub(super) async fn read(destination: &Destination) -> Known {
    match destination.read_state(history::KEY, history::LARGEST).await {
        Ok(None) => Known::Here(made_anew(destination).await, None),
        Ok(Some(stored)) => match stored.content.as_deref().map(History::read) {
            Some(Read::History(history)) => Known::Here(history, Some(stored.tag)),
            Some(Read::Later) => Known::Later,
            unusable @ (Some(Read::Malformed) | None) => {
                let is = unusable.map_or("too large", |_| "malformed");
                tracing::warn!(
                    "{} is {is}, so it is made anew from the ledger",
                    history::KEY
                );
                Known::Here(made_anew(destination).await, Some(stored.tag))
            }
        },
        Err(error) => Known::Unread(error),
    }
}

async fn made_anew(destination: &Destination) -> History {
    let since = SystemTime::now()
        .checked_sub(MEMORY)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let since = humantime::format_rfc3339_seconds(since).to_string();
    let since = since.replace(['-', ':'], "");
    let mut history = History::default();
    match summaries(destination, &since, MOST_SUMMARIES).await {
        Ok(summaries) => {
            for entry in summaries
                .iter()
                .filter_map(|summary| Entry::of_summary(summary))
            {
                history.add(entry);
            }
        }
        Err(error) => tracing::info!(
            "earlier runs are not known: {}",
            causes::in_one_line(&error)
        ),
    }
    history
}

/// Adds a run to the history, and shows all of it.
pub(super) async fn remember(
    publisher: &Publisher,
    known: Known,
    entry: Entry,
    heading: Heading<'_>,
) {
    let Some(destination) = publisher.destination() else {
        return;
    };
    match write(destination, known, entry).await {
        Ok((history, tag)) => show(publisher, destination, history, tag, heading).await,
        Err(why) => tracing::warn!("this run is not in the history of runs: {why}"),
    }
}

/// The history as this run has left it, and its version. The error is a sentence.
async fn write(
    destination: &Destination,
    mut known: Known,
    entry: Entry,
) -> Result<(History, Tag), String> {
    for attempt in 0..ATTEMPTS {
        let (mut history, tag, unread) = match known {
            Known::Here(history, tag) => (history, tag, None),
            Known::Later => {
                return Err(format!(
                    "a later version of dbt-entrypoint has written {}",
                    history::KEY
                ));
            }
            // Without s3:ListBucket, S3 refuses to say that there is nothing.
            Known::Unread(error) => (History::default(), None, Some(error)),
        };
        history.add(entry.clone());
        let content = history.written();
        let saved = match &tag {
            Some(tag) => destination.replace_state(history::KEY, tag, &content).await,
            None => destination.create_state(history::KEY, &content).await,
        };
        match (saved, unread) {
            (Ok(Saved::Done(tag)), _) => return Ok((history, tag)),
            (Ok(Saved::Conflict), None) => {}
            (Ok(Saved::Conflict), Some(error)) => {
                return Err(format!(
                    "{}; reading it takes s3:GetObject on state/*",
                    causes::in_one_line(&error)
                ));
            }
            (Err(error), _) => return Err(causes::in_one_line(&error)),
        }
        // Those who lost together do not come back together. Process IDs are the same in each
        // container, but the IDs of runs end at random.
        let last = entry.id.bytes().last().unwrap_or_default();
        let share = u32::from(last % 7) + 1;
        sleep(PAUSE * (attempt + 1) * share / 4).await;
        known = read(destination).await;
    }
    Err("other runs have written it all the time".to_owned())
}

/// Publishes the page of all runs. A run that ended meanwhile may have published its own before, in
/// which this one is missing or which lacks that one: whoever was last looks again.
async fn show(
    publisher: &Publisher,
    destination: &Destination,
    mut history: History,
    mut tag: Tag,
    heading: Heading<'_>,
) {
    for _ in 0..RENEWALS {
        let page = match page::of_history(&history.runs, heading) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(
                    "there is no page of all runs: {}",
                    causes::in_one_line(&error)
                );
                return;
            }
        };
        if let Err(error) = publisher.put_page(PAGE, page).await {
            let error = causes::in_one_line(&error);
            tracing::warn!("the page of all runs is not renewed: {error}");
            return;
        }
        match destination.read_state(history::KEY, history::LARGEST).await {
            Ok(Some(stored)) if stored.tag != tag => {
                let content = stored.content.as_deref().map(History::read);
                let Some(Read::History(newer)) = content else {
                    return;
                };
                (history, tag) = (newer, stored.tag);
            }
            _ => return,
        }
    }
}
