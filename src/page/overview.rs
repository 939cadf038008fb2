//! Owns what stands on the page of all runs, in which order, in which words.
//!
//! Pure. Never writes HTML: history.html does.

use serde::Serialize;

use super::Heading;
use super::text::Texts;
use super::words::{self, Moment};
use crate::history::Entry;

mod days;
mod plot;

use days::{Day, days};
use plot::{Plot, plot};

/// Of the name of a step, in letters, where there is little room.
const LONGEST_STEP: usize = 20;
/// By how much the clock of another host may be ahead, in seconds.
const SKEW: f64 = 60.0;

#[derive(Serialize)]
pub(super) struct View {
    title: String,
    project: String,
    env: String,
    has_docs: bool,
    headline: String,
    facts: Vec<String>,
    last_success: Option<Moment>,
    days: Vec<Day>,
    days_from: String,
    days_to: String,
    plot: Option<Plot>,
    run_count: usize,
    runs: Vec<Run>,
    statuses: Vec<Status>,
}

#[derive(Serialize)]
struct Run {
    id: String,
    started: Moment,
    key: &'static str,
    class: &'static str,
    sign: &'static str,
    status: String,
    took: String,
    nodes: String,
    failed: Option<String>,
    more: usize,
    note: &'static str,
    resumes: Option<String>,
}

/// A filter of the table.
#[derive(Serialize)]
struct Status {
    key: &'static str,
    words: &'static str,
    count: usize,
}

/// How a run ended.
struct Outcome<'a> {
    /// What it is filtered by.
    key: &'static str,
    /// How it looks.
    class: &'static str,
    sign: &'static str,
    what: &'static str,
    /// The step in which that happened.
    step: Option<&'a str>,
}

impl<'a> Outcome<'a> {
    fn of(run: &'a Entry) -> Self {
        let broken = run.steps.iter().find(|(_, status, _)| {
            let status = status.as_str();
            !matches!(status, "success" | "warned" | "skipped" | "resumed")
        });
        let is_killed = broken.is_some_and(|(_, status, _)| status == "killed");
        let has_warned =
            run.nodes.warn > 0 || run.steps.iter().any(|(_, status, _)| status == "warned");
        let (key, class, sign, what) = match run.status.as_str() {
            "success" if has_warned => ("warn", "warn", "!", "warnings"),
            "success" => ("ok", "ok", "✓", "success"),
            _ if run.was_refused() => ("wait", "skip", "–", "did not start"),
            "cancelled" if is_killed => ("bad", "bad", "✕", "killed"),
            "cancelled" => ("skip", "skip", "■", "cancelled"),
            "timed_out" => ("bad", "bad", "✕", "timed out"),
            "failed" => ("bad", "bad", "✕", "failed"),
            _ => ("bad", "bad", "✕", "error"),
        };
        Self {
            key,
            class,
            sign,
            what,
            step: broken.map(|(name, ..)| name.as_str()),
        }
    }

    /// `failed in run`.
    fn in_short(&self) -> String {
        let place = self.step.map(|step| words::shortened(step, LONGEST_STEP));
        let place = place.map(|step| format!(" in {step}"));
        format!("{}{}", self.what, place.unwrap_or_default())
    }

    /// `The last run failed in the step run.`
    fn of_last_run(&self) -> String {
        let what = match self.what {
            "success" => "succeeded",
            "warnings" => "succeeded, with warnings",
            "killed" => "was killed",
            "cancelled" => "was cancelled",
            "error" => "ended with an error",
            other => other,
        };
        let place = self.step.map(|step| format!(" in the step {step}"));
        format!("The last run {what}{}.", place.unwrap_or_default())
    }
}

pub(super) fn of(runs: &[Entry], heading: Heading) -> View {
    let texts = Texts::new(heading.redact);
    // A run that was refused is none that anybody waits for, and a clock may have been wrong.
    let counts =
        |run: &&Entry| !run.was_refused() && words::seconds_of(&run.started) <= heading.now + SKEW;
    let begun: Vec<&Entry> = runs.iter().filter(counts).collect();
    let last = begun.last();
    let is_success = |run: &&&Entry| run.status == "success";
    let took: Vec<f64> = begun
        .iter()
        .filter(is_success)
        .map(|run| run.seconds)
        .collect();
    let mut facts = Vec::new();
    if begun.len() > 1 {
        let (succeeded, all) = (took.len(), begun.len());
        facts.push(format!("{succeeded} of the last {all} runs succeeded"));
    }
    let median = words::median(took.clone());
    facts.extend(median.map(|median| format!("usually {}", words::duration(median))));
    facts.extend(trend(&took));
    let last_success = begun.iter().rev().find(is_success);
    let last_success = last_success.filter(|run| last.is_some_and(|last| last.id != run.id));
    let listed: Vec<Run> = runs.iter().rev().map(|run| row(run, &texts)).collect();
    let days = days(&begun, &texts);
    let date = |day: Option<&Day>| day.map(|day| day.date.clone()).unwrap_or_default();
    let (project, env) = (texts.line(heading.project), texts.line(heading.env));
    View {
        title: format!("{project} · {env}: runs"),
        project,
        env,
        has_docs: heading.has_docs,
        headline: last.map_or_else(
            || "No run has begun yet.".to_owned(),
            |run| texts.line(&Outcome::of(run).of_last_run()),
        ),
        facts,
        last_success: last_success.map(|run| Moment::of_iso(&run.started)),
        days_from: date(days.first()),
        days_to: date(days.last()),
        days,
        plot: plot(&begun, &texts),
        statuses: statuses(&listed),
        run_count: listed.len(),
        runs: listed,
    }
}

/// What the table can be filtered by, if there is more than one.
fn statuses(runs: &[Run]) -> Vec<Status> {
    let statuses = [
        ("ok", "succeeded"),
        ("warn", "with warnings"),
        ("bad", "failed"),
        ("skip", "cancelled"),
        ("wait", "did not start"),
    ];
    let statuses = statuses.map(|(key, words)| Status {
        key,
        words,
        count: runs.iter().filter(|run| run.key == key).count(),
    });
    let found = statuses.into_iter().filter(|status| status.count > 0);
    let found: Vec<_> = found.collect();
    if found.len() > 1 { found } else { Vec::new() }
}

/// Whether the last runs took more or less time than those before.
fn trend(took: &[f64]) -> Option<String> {
    const WINDOW: usize = 10;
    let recent = words::median(took.get(took.len().checked_sub(WINDOW)?..)?.to_vec())?;
    let before = took.get(..took.len().checked_sub(2 * WINDOW)? + WINDOW)?;
    let before = words::median(before.to_vec())?;
    let change = recent - before;
    let matters = before > 0.0 && (change / before).abs() >= 0.1 && change.abs() >= 1.0;
    matters.then(|| {
        let word = if change > 0.0 { "more" } else { "less" };
        format!(
            "the last {WINDOW} took {} {word} than those before",
            words::duration(change.abs())
        )
    })
}

fn row(run: &Entry, texts: &Texts) -> Run {
    let outcome = Outcome::of(run);
    Run {
        id: run.id.clone(),
        started: Moment::of_iso(&run.started),
        key: outcome.key,
        class: outcome.class,
        sign: outcome.sign,
        status: texts.line(&outcome.in_short()),
        took: words::duration(run.seconds),
        nodes: words::counts(run.nodes).join(" · "),
        failed: run.failed.first().map(|id| texts.line(words::name(id))),
        more: run.failed.len().saturating_sub(1),
        note: match outcome.key {
            "wait" => "another run held the lease",
            _ => "",
        },
        resumes: run.resumes.clone(),
    }
}
