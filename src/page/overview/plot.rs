//! Owns the durations over time: where each run stands, and the lines behind them.
//!
//! Pure. Never draws: history.html does. Days without a run are as wide as others.

use serde::Serialize;

use super::Outcome;
use crate::history::Entry;
use crate::page::text::Texts;
use crate::page::words::{self, Moment};

/// In the units of the SVG.
const HEIGHT: f64 = 120.0;
const TOP: f64 = 10.0;
/// In percent of the width, so that no point hangs over the edge.
const MARGIN: f64 = 1.0;
const DAY: f64 = 86_400.0;

#[derive(Serialize)]
pub(super) struct Plot {
    lines: Vec<Line>,
    points: Vec<Point>,
    dates: Vec<Date>,
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
struct Date {
    x: String,
    anchor: &'static str,
    label: String,
}

#[derive(Serialize)]
struct Point {
    x: String,
    y: String,
    class: &'static str,
    /// Of a run that did not simply succeed: it stands in place of a dot.
    sign: Option<&'static str>,
    title: String,
}

pub(super) fn plot(runs: &[&Entry], texts: &Texts) -> Option<Plot> {
    let began = |run: &Entry| words::seconds_of(&run.started);
    let (first, last) = (began(runs.first()?), began(runs.last()?));
    let seconds = runs.iter().map(|run| run.seconds);
    let shortest = seconds.clone().fold(f64::MAX, f64::min);
    let longest = seconds.fold(1.0, f64::max);
    let (step, top) = scale(longest);
    let y_of = |seconds: f64| TOP + HEIGHT * (1.0 - (seconds / top).clamp(0.0, 1.0));
    let x_of = |at: f64| {
        let share = (at - first) / (last - first).max(1.0);
        format!("{:.2}%", MARGIN + (100.0 - 2.0 * MARGIN) * share)
    };
    let points = runs.iter().map(|run| {
        let outcome = Outcome::of(run);
        let (began, took) = (Moment::of_iso(&run.started), words::duration(run.seconds));
        let status = texts.line(&outcome.in_short());
        Point {
            x: x_of(words::seconds_of(&run.started)),
            y: format!("{:.1}", y_of(run.seconds)),
            class: outcome.class,
            sign: (outcome.key != "ok").then_some(outcome.sign),
            title: format!("{}: {took}, {status}", began.words),
        }
    });
    let range = words::digits(runs.len(), "run");
    let (from, to) = (words::duration(shortest), words::duration(longest));
    Some(Plot {
        lines: lines(step, top, y_of),
        points: points.collect(),
        dates: dates(first, last, x_of),
        words: format!("Duration of {range}: between {from} and {to}"),
        height: TOP + HEIGHT + 20.0,
        base: TOP + HEIGHT,
    })
}

fn lines(step: f64, top: f64, y_of: impl Fn(f64) -> f64) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = 0.0;
    while at <= top + 0.001 {
        lines.push(Line {
            y: y_of(at),
            label: label(at),
        });
        at += step;
    }
    lines
}

/// The beginning, the middle and the end; with their times if all is of a few days.
fn dates(first: f64, last: f64, x_of: impl Fn(f64) -> String) -> Vec<Date> {
    let all = [
        (first, "start"),
        (f64::midpoint(first, last), "middle"),
        (last, "end"),
    ];
    // Of a single moment there is one.
    let count = if last > first { all.len() } else { 1 };
    let dates = all.into_iter().take(count).map(|(at, anchor)| {
        let iso = Moment::new(at).iso;
        let clock = iso.get(11..16).unwrap_or_default();
        let date = words::short_date(&iso);
        Date {
            x: x_of(at),
            anchor,
            label: if last - first < 4.0 * DAY {
                format!("{date}, {clock}")
            } else {
                date
            },
        }
    });
    dates.collect()
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
            let labels: Vec<_> = lines(step, top, |_| 0.0)
                .into_iter()
                .map(|line| line.label)
                .collect();
            assert_eq!(labels.join(", "), expected, "{highest}");
        }
    }

    #[test]
    fn a_plot_is_over_time() {
        let at = |number: f64| (number * DAY, Moment::new(number * DAY));
        let run = |(_, moment): (f64, Moment)| {
            let id = moment.iso.replace(['-', ':'], "") + "-00000000";
            let summary =
                format!("{{\"run_id\": \"{id}\", \"status\": \"success\", \"exit_code\": 0}}");
            Entry::of_summary(summary.as_bytes()).unwrap()
        };
        let runs = [at(1.0), at(2.0), at(11.0)].map(run);
        let same = |text: &str| text.to_owned();
        let plot = plot(&runs.iter().collect::<Vec<_>>(), &Texts::new(&same)).unwrap();
        let places: Vec<&str> = plot.points.iter().map(|point| point.x.as_str()).collect();
        assert_eq!(places, ["1.00%", "10.80%", "99.00%"]);
        let dates: Vec<&str> = plot.dates.iter().map(|date| date.label.as_str()).collect();
        assert_eq!(dates, ["2 Jan", "7 Jan", "12 Jan"]);
    }
}
