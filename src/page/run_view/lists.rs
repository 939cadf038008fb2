//! Owns the lists of a page: steps, tests, sources, all nodes.
//!
//! Pure. Never longer than a page can hold.

use serde::Serialize;

use super::Reader;
use crate::artifacts::NodeState;
use crate::page::StepFacts;
use crate::page::words::{self, Moment};

const MOST_ROWS: usize = 1000;
const MOST_SOURCES: usize = 60;

#[derive(Serialize)]
pub(super) struct StepCard {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) status: String,
    pub(super) took: Option<String>,
    pub(super) counts: Vec<String>,
    pub(super) note: String,
    pub(super) share: String,
}

#[derive(Serialize)]
pub(super) struct Tests {
    pub(super) passed: usize,
    pub(super) warned: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

#[derive(Serialize)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) href: Option<String>,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) status: &'static str,
    pub(super) age: String,
    pub(super) limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) step: String,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) status: &'static str,
    pub(super) took: String,
    pub(super) rows: String,
}

impl Reader<'_> {
    pub(super) fn steps(&self) -> Vec<StepCard> {
        let facts = self.facts;
        let all = facts.seconds.max(0.001);
        let lines = facts.summary.steps.iter().zip(&facts.steps);
        lines
            .map(|(line, step)| {
                let status = line.status.to_string();
                let (class, sign) = words::state(&status);
                let ran = line.exit_code.is_some();
                StepCard {
                    name: line.name.clone(),
                    class,
                    sign,
                    status: match status.as_str() {
                        "skipped" => "not run".to_owned(),
                        "timed_out" => "timed out".to_owned(),
                        "resumed" => "done by the earlier run".to_owned(),
                        _ => status,
                    },
                    took: ran.then(|| words::duration(line.seconds)),
                    counts: line.nodes.map(words::counts).unwrap_or_default(),
                    note: step.command.clone(),
                    share: format!("{:.1}%", (line.seconds / all * 100.0).clamp(0.0, 100.0)),
                }
            })
            .collect()
    }

    /// Of this run, or of the last one that looked.
    pub(super) fn sources(&self) -> (Vec<Source>, usize, Option<Moment>) {
        type Known<'k> = (String, &'k str, Option<f64>, Option<(&'k str, f64)>);
        let mut all: Vec<Known> = Vec::new();
        let mut of = None;
        for step in self
            .facts
            .steps
            .iter()
            .filter(|step| step.subcommand == "source")
        {
            for node in &step.nodes {
                let state = match node.state {
                    NodeState::Success => "pass",
                    NodeState::Warn => "warn",
                    NodeState::Error => "error",
                    NodeState::Skipped | NodeState::Unknown => "skipped",
                };
                let limit = match node.state {
                    NodeState::Error => node.fails_after.map(|limit| ("fails after", limit)),
                    _ => node.warns_after.map(|limit| ("warns after", limit)),
                };
                all.push((node.id.clone(), state, node.age, limit));
            }
        }
        if all.is_empty()
            && let Some(run) = self
                .facts
                .history
                .iter()
                .rev()
                .find(|run| !run.fresh.is_empty())
        {
            of = Some(Moment::of_iso(&run.started));
            all.extend(
                run.fresh
                    .iter()
                    .map(|(id, state, age)| (id.clone(), state.as_str(), *age, None)),
            );
        }
        let rank = |state: &str| match state {
            "error" => 0,
            "warn" => 1,
            _ => 2,
        };
        all.sort_by(|one, other| (rank(one.1), &one.0).cmp(&(rank(other.1), &other.0)));
        let left_out = all.len().saturating_sub(MOST_SOURCES);
        let shown = all
            .into_iter()
            .take(MOST_SOURCES)
            .map(|(id, state, age, limit)| {
                let (class, sign, status) = match state {
                    "pass" => ("ok", "✓", "fresh"),
                    "warn" => ("warn", "!", "late"),
                    "error" if age.is_some() => ("bad", "✕", "too old"),
                    "error" => ("bad", "✕", "could not be asked"),
                    _ => ("skip", "–", "not looked at"),
                };
                Source {
                    name: self.name(&id),
                    href: self.docs_of(&id),
                    class,
                    sign,
                    status,
                    age: age.map_or_else(
                        || "–".to_owned(),
                        |age| format!("{} old", words::duration(age)),
                    ),
                    limit: limit.map(|(what, limit)| format!("{what} {}", words::duration(limit))),
                }
            });
        (shown.collect(), left_out, of)
    }

    /// All nodes, those that need attention first.
    pub(super) fn rows(&self) -> (Vec<Row>, usize) {
        let mut all = self.nodes_in(|_, _| true);
        let rank = |state| match state {
            NodeState::Error => 0,
            NodeState::Warn => 1,
            NodeState::Unknown => 2,
            NodeState::Success => 3,
            NodeState::Skipped => 4,
        };
        all.sort_by(|(_, _, one), (_, _, other)| {
            (rank(one.state), other.seconds)
                .partial_cmp(&(rank(other.state), one.seconds))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let left_out = all.len().saturating_sub(MOST_ROWS);
        let rows = all.into_iter().take(MOST_ROWS).map(|(step, _, node)| {
            let (class, sign, status) = match node.state {
                NodeState::Success => ("ok", "✓", "success"),
                NodeState::Warn => ("warn", "!", "warned"),
                NodeState::Error => ("bad", "✕", "failed"),
                NodeState::Skipped => ("skip", "–", "skipped"),
                NodeState::Unknown => ("skip", "?", "unknown"),
            };
            Row {
                name: self.name(&node.id),
                kind: words::kind(&node.id).to_owned(),
                step: format!("{step}{}", self.earlier(step, node)),
                class,
                sign,
                status,
                // One that has never begun took no time, nor is it known of each that did.
                took: match node.seconds {
                    seconds if seconds > 0.0 => words::duration(seconds),
                    _ => "–".to_owned(),
                },
                rows: node
                    .rows
                    .map(|rows| format!("{rows:.0}"))
                    .unwrap_or_default(),
            }
        });
        (rows.collect(), left_out)
    }
}

pub(super) fn tests(steps: &[StepFacts]) -> Option<Tests> {
    let mut tests = Tests {
        passed: 0,
        warned: 0,
        failed: 0,
        skipped: 0,
    };
    let ran = steps
        .iter()
        .filter(|step| matches!(step.subcommand.as_str(), "test" | "build" | "retry"));
    for node in ran
        .flat_map(|step| &step.nodes)
        .filter(|node| words::is_test(&node.id))
    {
        match node.state {
            NodeState::Success => tests.passed += 1,
            NodeState::Warn => tests.warned += 1,
            NodeState::Error => tests.failed += 1,
            NodeState::Skipped => tests.skipped += 1,
            NodeState::Unknown => {}
        }
    }
    (tests.passed + tests.warned + tests.failed + tests.skipped > 0).then_some(tests)
}
