//! Owns the strip of days: one cell for each, in UTC, with its worst run.
//!
//! Pure. Never longer than a few weeks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Outcome;
use crate::history::Entry;
use crate::page::text::Texts;
use crate::page::words::{self, Moment};

/// How many days the strip shows.
const DAYS: u64 = 60;
const DAY: f64 = 86_400.0;

#[derive(Serialize)]
pub(super) struct Day {
    class: &'static str,
    sign: &'static str,
    words: String,
    /// Of the month, or the name of one that begins.
    label: String,
    /// The worst run.
    run: Option<String>,
    #[serde(skip)]
    pub(super) date: String,
}

pub(super) fn days(runs: &[&Entry], texts: &Texts) -> Vec<Day> {
    let mut by_day: BTreeMap<u64, Vec<&Entry>> = BTreeMap::new();
    for run in runs {
        let day = whole_days(words::seconds_of(&run.started));
        by_day.entry(day).or_default().push(run);
    }
    let (Some(first), Some(last)) = (by_day.keys().next(), by_day.keys().next_back()) else {
        return Vec::new();
    };
    let first = (*first).max(last.saturating_sub(DAYS - 1));
    let days = (first..=*last).map(|day| {
        let runs = by_day.get(&day).map(Vec::as_slice).unwrap_or_default();
        one(day, runs, texts)
    });
    days.collect()
}

fn one(day: u64, runs: &[&Entry], texts: &Texts) -> Day {
    #[expect(clippy::cast_precision_loss, reason = "days since 1970")]
    let iso = Moment::new(day as f64 * DAY).iso;
    let (date, short) = (words::date(&iso), words::short_date(&iso));
    let label = match short.split_once(' ') {
        Some(("1", month)) => month.to_owned(),
        Some((number, _)) => number.to_owned(),
        None => String::new(),
    };
    let rank = |run: &&&Entry| match Outcome::of(run).key {
        "bad" => 3,
        "skip" => 2,
        "warn" => 1,
        _ => 0,
    };
    let Some(worst) = runs.iter().max_by_key(rank) else {
        return Day {
            class: "none",
            sign: "",
            words: format!("{date}: no run"),
            label,
            run: None,
            date: short,
        };
    };
    let outcome = Outcome::of(worst);
    let status = texts.line(&outcome.in_short());
    Day {
        class: outcome.class,
        sign: outcome.sign,
        words: match runs.len() {
            1 => format!("{date}: {status}"),
            count => format!("{date}: {count} runs, the worst: {status}"),
        },
        label,
        run: Some(worst.id.clone()),
        date: short,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since 1970, which are not negative"
)]
fn whole_days(seconds: f64) -> u64 {
    (seconds / DAY) as u64
}
