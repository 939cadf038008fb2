//! Owns the first sentence: what happened, in plain words.
//!
//! Never shortens what failed to a number where there is one name.

use std::collections::HashMap;

use super::words::{counted, is_test, kind, list, name, plural, sentence};
use super::{Facts, StepFacts};
use crate::artifacts::{NodeRun, NodeState};
use crate::report::RunStatus;

/// What became of the nodes of all steps, with the place of the step; of a node that ran twice, the
/// last time.
pub(super) struct Work<'a> {
    nodes: HashMap<&'a str, (usize, &'a NodeRun)>,
}

impl<'a> Work<'a> {
    pub(super) fn of(steps: &'a [StepFacts]) -> Self {
        let nodes = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| does_work(&step.subcommand))
            .flat_map(|(index, step)| step.nodes.iter().map(move |node| (index, node)))
            .filter(|(_, node)| kind(&node.id) != "hook");
        Self {
            nodes: nodes.map(|run| (run.1.id.as_str(), run)).collect(),
        }
    }

    fn with(&self, state: NodeState, tests: bool) -> usize {
        let nodes = self.nodes.values();
        nodes
            .filter(|(_, node)| node.state == state && is_test(&node.id) == tests)
            .count()
    }

    /// How many models or tests failed in other steps than this one: those went on.
    fn failed_outside(&self, step: Option<usize>, tests: bool) -> usize {
        let nodes = self.nodes.values().filter(|(index, node)| {
            Some(*index) != step && node.state == NodeState::Error && is_test(&node.id) == tests
        });
        nodes.count()
    }

    /// Whether everything was built that should have been.
    fn is_whole(&self) -> bool {
        let states = [NodeState::Error, NodeState::Skipped];
        states.into_iter().all(|state| self.with(state, false) == 0)
    }

    pub(super) fn built(&self) -> usize {
        self.with(NodeState::Success, false) + self.with(NodeState::Warn, false)
    }

    pub(super) fn passed(&self) -> usize {
        self.with(NodeState::Success, true)
    }

    pub(super) fn warned(&self) -> usize {
        self.with(NodeState::Warn, true)
    }

    pub(super) fn failed_tests(&self) -> usize {
        self.with(NodeState::Error, true)
    }

    /// What all that was built may be called.
    fn noun(&self) -> &'static str {
        let mut built = self.nodes.values().filter(|(_, node)| !is_test(&node.id));
        if built.all(|(_, node)| kind(&node.id) == "model") {
            "model"
        } else {
            "node"
        }
    }

    /// `17 models were built`, if any were.
    fn built_in_words(&self, all: bool) -> Option<String> {
        let built = self.built();
        let (noun, were) = (self.noun(), were(built));
        match built {
            0 => None,
            1 => Some(format!("{} {were} built", counted(1, noun))),
            2.. if all && self.is_whole() => {
                Some(format!("all {} {were} built", counted(built, noun)))
            }
            _ => Some(format!("{} {were} built", counted(built, noun))),
        }
    }
}

/// `two models could not be built`, of those that stopped no step.
fn not_built_in_words(work: &Work, step: Option<usize>) -> Option<String> {
    let count = work.failed_outside(step, false);
    (count > 0).then(|| format!("{} could not be built", counted(count, work.noun())))
}

/// Whether a step builds or tests anything: `compile` and `docs` only render SQL.
pub(crate) fn does_work(subcommand: &str) -> bool {
    matches!(
        subcommand,
        "run" | "test" | "build" | "seed" | "snapshot" | "retry" | "clone"
    )
}

fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// `text`: makes the name of a node fit for the page.
pub(super) fn of(facts: &Facts, work: &Work, text: &dyn Fn(&str) -> String) -> String {
    let summary = facts.summary;
    let broken = summary.steps.iter().position(|step| {
        let status = step.status.to_string();
        !matches!(
            status.as_str(),
            "success" | "warned" | "skipped" | "resumed"
        )
    });
    let ran = summary.steps.iter().any(|step| step.exit_code.is_some());
    match (summary.status, broken) {
        (RunStatus::Success, _) => success(facts, work),
        (RunStatus::Error, None) if ran => {
            let done = work.built_in_words(true).map(|built| format!("; {built}"));
            let done = done.unwrap_or_default();
            sentence(&format!("dbt did its work, but publishing failed{done}"))
        }
        (RunStatus::Cancelled | RunStatus::TimedOut, None) if !ran => {
            "The run was stopped before its first step.".to_owned()
        }
        (_, None) if !ran => "The run could not start, so nothing was built.".to_owned(),
        (_, None) => "The run was stopped between two steps.".to_owned(),
        (_, Some(index)) => {
            let status = summary.steps[index].status.to_string();
            let step = facts.steps.get(index);
            let what = match status.as_str() {
                "cancelled" => format!("the run was stopped in {}", summary.steps[index].name),
                "timed_out" => {
                    format!(
                        "the step {} took longer than it may and was stopped",
                        summary.steps[index].name
                    )
                }
                "killed" => format!("the step {} was killed", summary.steps[index].name),
                _ => failure(facts, step, &summary.steps[index].name, text),
            };
            sentence(&format!("{what}{}", rest(facts, index, work)))
        }
    }
}

fn success(facts: &Facts, work: &Work) -> String {
    let mut parts: Vec<String> = work.built_in_words(true).into_iter().collect();
    parts.extend(not_built_in_words(work, None));
    let (passed, warned) = (work.passed(), work.warned());
    if passed + warned > 0 {
        parts.push(format!("{} passed", counted(passed, "test")));
    }
    if warned > 0 {
        parts.push(format!("{} warned", super::words::number(warned)));
    }
    let failed = work.failed_outside(None, true);
    if failed > 0 {
        parts.push(format!("{} failed", counted(failed, "test")));
    }
    if facts.docs_are_new == Some(true) {
        parts.push("the docs are up to date".to_owned());
    }
    if parts.is_empty() {
        return "The run succeeded.".to_owned();
    }
    sentence(&list(&parts))
}

/// What failed in a step.
fn failure(
    facts: &Facts,
    step: Option<&StepFacts>,
    step_name: &str,
    text: &dyn Fn(&str) -> String,
) -> String {
    let subcommand = step.map_or("", |step| step.subcommand.as_str());
    let nodes = step.map_or(&[][..], |step| &step.nodes[..]);
    let failed: Vec<&NodeRun> = nodes
        .iter()
        .filter(|node| node.state == NodeState::Error)
        .collect();
    let of_kind = |tests: bool| failed.iter().filter(move |node| is_test(&node.id) == tests);
    let (builds, tests) = (of_kind(false).count(), of_kind(true).count());
    // In quotation marks, since names can be words: `the test fails failed`.
    let one = |node: &NodeRun| format!("“{}”", text(name(&node.id)));
    match subcommand {
        "deps" => "the packages could not be installed".to_owned(),
        "debug" => "dbt could not connect to the warehouse".to_owned(),
        "docs" => "the docs could not be made".to_owned(),
        "source" if failed.len() == 1 => format!("the source {} is too old", one(failed[0])),
        "source" if !failed.is_empty() => {
            format!("{} are too old", counted(failed.len(), "source"))
        }
        _ if builds + tests == 0 => {
            let gave_up = facts.summary.error.is_some();
            let how = if gave_up {
                "dbt gave up in"
            } else {
                "dbt failed in"
            };
            format!("{how} {step_name}")
        }
        _ => {
            let mut parts = Vec::new();
            match builds {
                0 => {}
                1 => parts.extend(of_kind(false).map(|node| {
                    format!("the {} {} could not be built", kind(&node.id), one(node))
                })),
                _ => parts.push(format!("{} could not be built", counted(builds, "model"))),
            }
            match tests {
                0 => {}
                1 if builds == 0 => {
                    parts
                        .extend(of_kind(true).map(|node| format!("the test {} failed", one(node))));
                }
                _ => parts.push(format!("{} failed", counted(tests, "test"))),
            }
            let skipped = nodes
                .iter()
                .filter(|node| node.state == NodeState::Skipped)
                .count();
            if skipped > 0 {
                let noun = plural(skipped, "node");
                let number = super::words::number(skipped);
                parts.push(format!(
                    "{number} {noun} after that {} skipped",
                    were(skipped)
                ));
            }
            list(&parts)
        }
    }
}

/// What holds in spite of it.
fn rest(facts: &Facts, step: usize, work: &Work) -> String {
    let subcommand = facts.steps.get(step);
    let subcommand = subcommand.map_or("", |step| step.subcommand.as_str());
    let mut parts = Vec::new();
    match (work.built_in_words(false), subcommand) {
        (Some(built), "test") => parts.push(match (work.is_whole(), work.built()) {
            (false, _) => built,
            (true, 1) => format!("the {} was built", work.noun()),
            (true, _) => format!("the {}s were built", work.noun()),
        }),
        (Some(built), _) => parts.push(built),
        (None, "deps" | "debug") => parts.push("nothing was built".to_owned()),
        (None, _) => {}
    }
    parts.extend(not_built_in_words(work, Some(step)));
    if matches!(subcommand, "source" | "docs") && work.passed() > 0 && work.failed_tests() == 0 {
        parts.push(format!("{} passed", counted(work.passed(), "test")));
    }
    if facts.docs_are_new == Some(false) {
        parts.push("the docs still show an earlier run".to_owned());
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("; {}", parts.join(", "))
}
