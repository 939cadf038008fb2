//! Owns how long nodes took last time, as the history of runs knows it of the slowest.
//!
//! Never waited for: it stands in a line that comes after a minute.

use std::collections::BTreeMap;

use crate::artifacts::Destination;
use crate::history::{self, History, Read};
use crate::pipeline::LastTime;

/// Reads the history while the run goes on. Needs a running runtime.
pub(super) fn look_up(destination: Option<&Destination>) -> LastTime {
    let last_time = LastTime::default();
    if let Some(destination) = destination.cloned() {
        let found = LastTime::clone(&last_time);
        tokio::spawn(async move {
            let stored = destination.read_state(history::KEY, history::LARGEST).await;
            let content = stored.ok().flatten().and_then(|stored| stored.content);
            if let Some(Read::History(history)) = content.as_deref().map(History::read) {
                // Nobody else sets it.
                let _ = found.set(times(&history));
            }
        });
    }
    last_time
}

/// Of each node that of the latest run.
fn times(history: &History) -> BTreeMap<String, f64> {
    let runs = history.runs.iter();
    runs.flat_map(|run| run.slow.iter().cloned()).collect()
}
