//! Owns what stands on the page of all runs, in which order, in which words.
//!
//! Pure. Never writes HTML: history.html does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::text::Texts;
use super::words::{self, Moment};
use crate::history::Entry;

/// How many days the strip shows.
const DAYS: u64 = 60;
const DAY: f64 = 86_400.0;
/// The plot, in the units of its SVG.
const HEIGHT: f64 = 120.0;
const TOP: f64 = 16.0;

#[derive(Serialize)]
pub(super) struct View {
    project: String,
    env: String,
    headline: String,
    class: &'static str,
    facts: Vec<String>,
    last_success: Option<Moment>,
    days: Vec<Day>,
    plot: Plot,
    run_count: usize,
    runs: Vec<Run>,
    has_filter: bool,
    statuses: Vec<Status>,
}

#[derive(Serialize)]
struct Day {
    class: &'static str,
    sign: &'static str,
    words: String,
}

#[derive(Serialize)]
struct Plot {
    lines: Vec<Line>,
    bars: Vec<Bar>,
    from: String,
    to: String,
    words: String,
    height: f64,
    base: f64,
}

#[derive(Serialize)]
struct Line {
    y: f64,
    label: String,
}

#[derive(Serialize)]
struct Bar {
    x: String,
    width: String,
    y: f64,
    height: f64,
    class: &'static str,
    title: String,
    mark: Option<Mark>,
}

#[derive(Serialize)]
struct Mark {
    x: String,
    y: f64,
    sign: &'static str,
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
    resumes: Option<String>,
}

/// A filter of the table.
#[derive(Serialize)]
struct Status {
    key: &'static str,
    words: &'static str,
    count: usize,
}

/// What a run is filtered by, how it looks, and what it is called.
fn outcome(run: &Entry) -> (&'static str, &'static str, &'static str, String) {
    let broken = run.steps.iter().find(|(_, status, _)| {
        !matches!(
            status.as_str(),
            "success" | "warned" | "skipped" | "resumed"
        )
    });
    let place = broken
        .map(|(name, ..)| format!(" in {name}"))
        .unwrap_or_default();
    let has_warned =
        run.nodes.warn > 0 || run.steps.iter().any(|(_, status, _)| status == "warned");
    match run.status.as_str() {
        "success" if has_warned => ("warn", "warn", "!", "warnings".to_owned()),
        "success" => ("ok", "ok", "✓", "success".to_owned()),
        "cancelled" if broken.is_some_and(|(_, status, _)| status == "killed") => {
            ("bad", "bad", "✕", format!("killed{place}"))
        }
        "cancelled" => ("skip", "skip", "■", format!("cancelled{place}")),
        "timed_out" => ("bad", "bad", "✕", format!("timed out{place}")),
        "failed" => ("bad", "bad", "✕", format!("failed{place}")),
        _ => ("bad", "bad", "✕", format!("error{place}")),
    }
}

pub(super) fn of(
    project: &str,
    env: &str,
    runs: &[Entry],
    redact: &dyn Fn(&str) -> String,
) -> View {
    let texts = Texts::new(redact);
    let last = runs.last();
    let succeeded = runs.iter().filter(|run| run.status == "success").count();
    let (class, headline) = last.map_or(("skip", "No run is known yet.".to_owned()), |run| {
        let (key, class, _, status) = outcome(run);
        let status = texts.line(&status);
        let what = match key {
            "ok" => "succeeded".to_owned(),
            "warn" => "succeeded, with warnings".to_owned(),
            "skip" => format!("was {status}"),
            _ => match status.strip_prefix("error") {
                Some(place) => format!("ended with an error{place}"),
                None if status.starts_with("killed") => format!("was {status}"),
                None => status,
            },
        };
        (class, format!("The last run {what}."))
    });
    let mut facts = Vec::new();
    if runs.len() > 1 {
        facts.push(format!(
            "{succeeded} of the last {} runs succeeded",
            runs.len()
        ));
    }
    let took = runs
        .iter()
        .filter(|run| run.status == "success")
        .map(|run| run.seconds);
    let took: Vec<f64> = took.collect();
    facts.extend(
        words::median(took.clone()).map(|median| format!("usually {}", words::duration(median))),
    );
    facts.extend(trend(&took));
    let last_success = runs.iter().rev().find(|run| run.status == "success");
    let last_success = last_success
        .filter(|run| last.is_some_and(|last| last.id != run.id))
        .map(|run| Moment::of_iso(&run.started));
    let listed: Vec<Run> = runs.iter().rev().map(|run| row(run, &texts)).collect();
    let count = |key: &str| listed.iter().filter(|run| run.key == key).count();
    let statuses = [
        ("ok", "succeeded"),
        ("warn", "with warnings"),
        ("bad", "failed"),
        ("skip", "cancelled"),
    ];
    let statuses = statuses.map(|(key, words)| Status {
        key,
        words,
        count: count(key),
    });
    let statuses: Vec<_> = statuses
        .into_iter()
        .filter(|status| status.count > 0)
        .collect();
    View {
        project: texts.line(project),
        env: texts.line(env),
        headline,
        class,
        facts,
        last_success,
        days: days(runs),
        plot: plot(runs, &texts),
        has_filter: statuses.len() > 1,
        statuses,
        run_count: listed.len(),
        runs: listed,
    }
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
    let (key, class, sign, status) = outcome(run);
    let nodes = &run.nodes;
    let counts = [
        (nodes.error, "failed"),
        (nodes.warn, "warned"),
        (nodes.success, "fine"),
        (nodes.skipped, "skipped"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    Run {
        id: run.id.clone(),
        started: Moment::of_iso(&run.started),
        key,
        class,
        sign,
        status: texts.line(&status),
        took: words::duration(run.seconds),
        nodes: counts.join(" · "),
        failed: run.failed.first().map(|id| texts.line(words::name(id))),
        more: run.failed.len().saturating_sub(1),
        resumes: run.resumes.as_deref().map(|id| texts.line(id)),
    }
}

/// One cell for each day, in UTC, the worst of its runs.
fn days(runs: &[Entry]) -> Vec<Day> {
    let day_of = |run: &Entry| whole_days(words::seconds_of(&run.started));
    let mut by_day: BTreeMap<u64, Vec<&Entry>> = BTreeMap::new();
    for run in runs {
        by_day.entry(day_of(run)).or_default().push(run);
    }
    let (Some(first), Some(last)) = (by_day.keys().next(), by_day.keys().next_back()) else {
        return Vec::new();
    };
    let first = (*first).max(last.saturating_sub(DAYS - 1));
    (first..=*last)
        .map(|day| {
            #[expect(clippy::cast_precision_loss, reason = "days since 1970")]
            let date = words::date(&Moment::new(day as f64 * DAY).iso);
            let Some(runs) = by_day.get(&day) else {
                return Day {
                    class: "none",
                    sign: "",
                    words: format!("{date}: no run"),
                };
            };
            let rank = |run: &&&Entry| match outcome(run).0 {
                "bad" => 3,
                "skip" => 2,
                "warn" => 1,
                _ => 0,
            };
            let worst = runs.iter().max_by_key(rank).map(|run| outcome(run));
            let (_, class, sign, status) = worst.unwrap_or_default();
            let words = match runs.len() {
                1 => format!("{date}: {status}"),
                count => format!("{date}: {count} runs, the worst: {status}"),
            };
            Day { class, sign, words }
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since 1970, which are not negative"
)]
fn whole_days(seconds: f64) -> u64 {
    (seconds / DAY) as u64
}

fn plot(runs: &[Entry], texts: &Texts) -> Plot {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let highest = seconds.last().copied().unwrap_or(1.0).max(1.0);
    let (step, top) = scale(highest);
    let y_of = |seconds: f64| TOP + HEIGHT * (1.0 - (seconds / top).clamp(0.0, 1.0));
    let mut lines = Vec::new();
    let mut at = 0.0;
    while at <= top + 0.001 {
        lines.push(Line {
            y: y_of(at),
            label: label(at),
        });
        at += step;
    }
    // Few runs are not spread over the whole width.
    #[expect(clippy::cast_precision_loss, reason = "two hundred runs")]
    let pitch = 100.0 / runs.len().max(30) as f64;
    let mut x = 0.0;
    let mut bars = Vec::new();
    for run in runs {
        let (key, class, sign, status) = outcome(run);
        let started = Moment::of_iso(&run.started);
        let y = y_of(run.seconds).min(TOP + HEIGHT - 1.5);
        bars.push(Bar {
            x: format!("{x:.2}%"),
            width: format!("{:.2}%", pitch * 0.76),
            y,
            height: TOP + HEIGHT - y,
            class,
            title: format!(
                "{}: {}, {}",
                started.words,
                words::duration(run.seconds),
                texts.line(&status)
            ),
            mark: (key != "ok").then(|| Mark {
                x: format!("{:.2}%", x + pitch * 0.38),
                y: TOP - 4.0,
                sign,
            }),
        });
        x += pitch;
    }
    let date = |run: Option<&Entry>| {
        run.map(|run| words::short_date(&run.started))
            .unwrap_or_default()
    };
    Plot {
        lines,
        bars,
        from: date(runs.first()),
        to: if runs.len() > 15 {
            date(runs.last())
        } else {
            String::new()
        },
        words: format!(
            "Duration of {}: between {} and {}",
            words::digits(runs.len(), "run"),
            words::duration(seconds.first().copied().unwrap_or_default()),
            words::duration(highest)
        ),
        height: TOP + HEIGHT + 20.0,
        base: TOP + HEIGHT,
    }
}

/// Of a line: whole seconds, as its distance is.
fn label(at: f64) -> String {
    match at {
        ..1.0 => "0".to_owned(),
        ..60.0 => format!("{at:.0} s"),
        _ => words::duration(at),
    }
}

/// The distance of the lines, and the highest of them, for two to four lines.
fn scale(highest: f64) -> (f64, f64) {
    const STEPS: [f64; 16] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0,
        14_400.0, 43_200.0,
    ];
    let step = STEPS.into_iter().find(|step| highest / step <= 4.0);
    let step = step.unwrap_or_else(|| (highest / 4.0 / DAY).ceil() * DAY);
    (step, (highest / step).ceil() * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_label_of_its_own() {
        for (highest, expected) in [
            (1.0, "0, 1 s"),
            (13.0, "0, 5 s, 10 s, 15 s"),
            (61.0, "0, 20 s, 40 s, 1 min, 1 min 20 s"),
            (5000.0, "0, 30 min, 1 h, 1 h 30 min"),
        ] {
            let (step, top) = scale(highest);
            let mut at = 0.0;
            let mut labels = Vec::new();
            while at <= top + 0.001 {
                labels.push(label(at));
                at += step;
            }
            assert_eq!(labels.join(", "), expected, "{highest}");
        }
    }
}
