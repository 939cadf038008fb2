//! Owns what took how long: the critical path, the slowest nodes, what is usual.
//!
//! Pure. Never calls a time usual of which it knows too few.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::Reader;
use crate::artifacts::NodeState;
use crate::history::Entry;
use crate::page::critical::{self, Link};
use crate::page::words;

const MOST_SLOW: usize = 10;
const MOST_LINKS_OF_PATH: usize = 8;
/// The usual time is the median of so many runs, and of no fewer than those.
const RECENT: usize = 20;
const ENOUGH: usize = 3;
/// With more nodes in a step, its critical path would take longer than it is worth.
const LARGEST_PATH: usize = 5000;

#[derive(Serialize)]
pub(super) struct Path {
    pub(super) step: String,
    pub(super) words: String,
    pub(super) links: Vec<PathLink>,
    pub(super) others: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PathLink {
    pub(super) name: String,
    pub(super) href: Option<String>,
    pub(super) took: String,
    pub(super) waited: Option<String>,
    pub(super) share: String,
    pub(super) class: &'static str,
    /// Of one that did not simply succeed.
    pub(super) sign: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Slow {
    pub(super) name: String,
    pub(super) href: Option<String>,
    pub(super) kind: String,
    pub(super) took: String,
    pub(super) usually: Option<String>,
    pub(super) change: Option<String>,
    pub(super) change_class: &'static str,
    pub(super) spark: Option<Spark>,
}

#[derive(Serialize)]
pub(super) struct Spark {
    pub(super) points: String,
    pub(super) last_y: String,
    pub(super) words: String,
}

impl<'a> Reader<'a> {
    /// The critical paths of all steps that build, of which that of the longest is told.
    pub(super) fn path(&self) -> (Option<Path>, HashSet<(usize, &'a str)>) {
        let facts = self.facts;
        let mut on_path = HashSet::new();
        let mut longest: Option<(f64, &str, Vec<Link>)> = None;
        for (index, (line, step)) in facts.summary.steps.iter().zip(&facts.steps).enumerate() {
            let builds = matches!(
                step.subcommand.as_str(),
                "run" | "build" | "seed" | "snapshot"
            );
            if !builds || step.nodes.len() > LARGEST_PATH || facts.graph.is_empty() {
                continue;
            }
            let nodes: Vec<_> = facts.own_nodes(index).collect();
            let path = critical::path(&nodes, &facts.graph);
            if path.len() < 2 {
                continue;
            }
            on_path.extend(path.iter().map(|link| (index, link.node.id.as_str())));
            if longest
                .as_ref()
                .is_none_or(|(seconds, ..)| line.seconds > *seconds)
            {
                longest = Some((line.seconds, &line.name, path));
            }
        }
        let told = longest.map(|(seconds, step, path)| self.told(seconds, step, &path));
        (told, on_path)
    }

    fn told(&self, seconds: f64, step: &str, path: &[Link]) -> Path {
        let work: f64 = path.iter().map(|link| link.end - link.start).sum();
        let waited: f64 = path.iter().map(|link| link.without_thread).sum();
        let mut words = format!(
            "{}, one after the other: {} of the {} that {step} took.",
            words::sentence(&words::counted(path.len(), "node")).trim_end_matches('.'),
            // Of nodes that take no time, the clock is not exact enough.
            words::duration(work.min(seconds)),
            words::duration(seconds),
        );
        if waited >= 1.0 {
            let count = path.iter().filter(|link| link.without_thread > 0.0).count();
            let number = words::sentence(&words::number(count));
            words += " ";
            words += number.trim_end_matches('.');
            words += " of them could have begun earlier, if a thread had been free: more threads \
                      may help.";
        }
        let seconds_of = |link: &Link| link.end - link.start;
        let mut by_length: Vec<usize> = (0..path.len()).collect();
        by_length
            .sort_by(|one, other| seconds_of(&path[*other]).total_cmp(&seconds_of(&path[*one])));
        let others: f64 = by_length
            .iter()
            .skip(MOST_LINKS_OF_PATH)
            .map(|place| seconds_of(&path[*place]))
            .sum();
        let left_out = path.len().saturating_sub(MOST_LINKS_OF_PATH);
        let longest = path.iter().map(seconds_of).fold(0.001, f64::max);
        by_length.truncate(MOST_LINKS_OF_PATH);
        by_length.sort_unstable();
        let links = by_length.iter().map(|place| &path[*place]);
        let links = links.map(|link| PathLink {
            name: self.name(&link.node.id),
            href: self.docs_of(&link.node.id),
            took: words::duration(seconds_of(link)),
            waited: (link.without_thread >= 0.1)
                .then(|| format!("waited {}", words::duration(link.without_thread))),
            share: format!("{:.1}%", seconds_of(link) / longest * 100.0),
            class: match link.node.state {
                NodeState::Error => "bad",
                NodeState::Warn => "warn",
                _ => "ok",
            },
            sign: match link.node.state {
                NodeState::Error => Some("✕"),
                NodeState::Warn => Some("!"),
                _ => None,
            },
        });
        Path {
            step: step.to_owned(),
            words,
            links: links.collect(),
            others: (left_out > 0)
                .then(|| format!("and {left_out} shorter ones: {}", words::duration(others))),
        }
    }

    pub(super) fn slow(&self) -> (Vec<Slow>, bool) {
        let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
        for (index, step) in self.facts.steps.iter().enumerate() {
            // What `docs generate` or `compile` took to render a node says nothing of the node.
            if matches!(step.subcommand.as_str(), "docs" | "compile") {
                continue;
            }
            let ran = self.facts.own_nodes(index).filter(|node| {
                node.state != NodeState::Skipped && words::kind(&node.id) != "source"
            });
            for node in ran {
                *seconds.entry(&node.id).or_default() += node.seconds;
            }
        }
        let mut slow: Vec<_> = seconds.into_iter().collect();
        slow.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        slow.truncate(MOST_SLOW);
        let slow: Vec<Slow> = slow
            .into_iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .map(|(id, seconds)| self.slow_one(id, seconds))
            .collect();
        let has_usual = slow.iter().any(|slow| slow.usually.is_some());
        (slow, has_usual)
    }

    fn slow_one(&self, id: &str, seconds: f64) -> Slow {
        let runs = self.facts.history.iter().rev();
        let mut before: Vec<f64> = runs
            .filter_map(|run| run.slow.iter().find(|(other, _)| other == id))
            .map(|(_, seconds)| *seconds)
            .take(RECENT)
            .collect();
        before.reverse();
        let usual = (before.len() >= ENOUGH)
            .then(|| words::median(before.clone()))
            .flatten();
        let change = usual
            .filter(|usual| *usual > 0.05)
            .map(|usual| seconds / usual - 1.0);
        Slow {
            name: self.name(id),
            href: self.docs_of(id),
            kind: words::kind(id).to_owned(),
            took: words::duration(seconds),
            usually: usual.map(words::duration),
            change: change.map(|change| {
                let change = (change * 100.0).round();
                let sign = if change > 0.0 {
                    "+"
                } else if change < 0.0 {
                    "−"
                } else {
                    "±"
                };
                format!("{sign}{} %", change.abs())
            }),
            change_class: match change {
                // Of a node that takes no time, no change matters.
                Some(change) if change >= 0.25 && seconds >= 1.0 => "up",
                Some(change) if change <= -0.25 && usual >= Some(1.0) => "down",
                _ => "",
            },
            spark: usual.and_then(|_| spark(&before, seconds)),
        }
    }
}

/// How long runs that succeeded usually take.
pub(super) fn usual_run(history: &[Entry]) -> Option<f64> {
    let runs = history
        .iter()
        .rev()
        .filter(|run| run.status == "success" && run.resumes.is_none());
    let seconds: Vec<f64> = runs.map(|run| run.seconds).take(RECENT).collect();
    (seconds.len() >= ENOUGH)
        .then(|| words::median(seconds))
        .flatten()
}

/// A line of the last runs, 88 wide and 22 high, in which this one is a dot.
fn spark(before: &[f64], now: f64) -> Option<Spark> {
    let values: Vec<f64> = before.iter().copied().chain([now]).collect();
    let highest = values.iter().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "twenty points")]
    let pitch = 84.0 / (values.len().saturating_sub(1)).max(1) as f64;
    let mut x = 2.0;
    let mut points = Vec::new();
    for value in &values {
        points.push(format!("{x:.1},{:.1}", 19.0 - value / highest * 16.0));
        x += pitch;
    }
    Some(Spark {
        points: points.join(" "),
        last_y: format!("{:.1}", 19.0 - now / highest * 16.0),
        words: format!(
            "between {} and {}",
            words::duration(values.iter().copied().fold(f64::MAX, f64::min)),
            words::duration(highest)
        ),
    })
}
