//! Owns the first sentence: what happened, in plain words.
//!
//! Never shortens what failed to a number where there is one name.

use std::collections::HashMap;

use super::words::{self, counted, is_test, kind, list, name, plural, sentence};
use super::{Facts, StepFacts};
use crate::artifacts::{NodeRun, NodeState};
use crate::pipeline::Status;
use crate::report::{RunStatus, StepLine};

/// A longer name of a node would fill the first screen of a phone. The whole one stands below.
const LONGEST_NAME: usize = 48;

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

    fn ended(&self, state: NodeState, tests: bool) -> impl Iterator<Item = &'a NodeRun> {
        let nodes = self.nodes.values().map(|(_, node)| *node);
        nodes.filter(move |node| node.state == state && is_test(&node.id) == tests)
    }

    /// The models or tests that failed in other steps than this one: those went on.
    fn failed_outside(&self, step: Option<usize>, tests: bool) -> Vec<&'a NodeRun> {
        let nodes = self
            .nodes
            .values()
            .filter(|(index, _)| Some(*index) != step);
        nodes
            .map(|(_, node)| *node)
            .filter(|node| node.state == NodeState::Error && is_test(&node.id) == tests)
            .collect()
    }

    /// Whether everything was built that should have been.
    fn is_whole(&self) -> bool {
        let states = [NodeState::Error, NodeState::Skipped];
        states
            .into_iter()
            .all(|state| self.ended(state, false).next().is_none())
    }

    fn built(&self) -> Vec<&'a NodeRun> {
        let states = [NodeState::Success, NodeState::Warn];
        let built = states
            .into_iter()
            .flat_map(|state| self.ended(state, false));
        built.collect()
    }

    fn passed(&self) -> usize {
        self.ended(NodeState::Success, true).count()
    }

    pub(super) fn warned(&self) -> usize {
        self.ended(NodeState::Warn, true).count()
    }

    /// `17 models were built`, if any were.
    fn built_in_words(&self, all: bool) -> Option<String> {
        let built = self.built();
        let (count, noun) = (built.len(), noun(&built));
        let were = were(count);
        match count {
            0 => None,
            2 if all && self.is_whole() => Some(format!("both {noun}s {were} built")),
            3.. if all && self.is_whole() => {
                Some(format!("all {} {were} built", counted(count, noun)))
            }
            _ => Some(format!("{} {were} built", counted(count, noun))),
        }
    }
}

/// What nodes may be called together.
fn noun(nodes: &[&NodeRun]) -> &'static str {
    let kinds = ["model", "seed", "snapshot", "hook", "function"];
    let is_of = |wanted: &&str| nodes.iter().all(|node| kind(&node.id) == *wanted);
    kinds.into_iter().find(is_of).unwrap_or("node")
}

/// `two models could not be built, one test failed`: what stopped no step.
fn failed_elsewhere(work: &Work, step: Option<usize>) -> Vec<String> {
    let (builds, tests) = (
        work.failed_outside(step, false),
        work.failed_outside(step, true),
    );
    let mut parts = Vec::new();
    if !builds.is_empty() {
        let what = counted(builds.len(), noun(&builds));
        parts.push(format!("{what} could not be built"));
    }
    if !tests.is_empty() {
        parts.push(format!("{} failed", counted(tests.len(), "test")));
    }
    parts
}

/// How the steps ended whose failure is only a warning, where no node says so.
pub(super) fn gave_way<'a>(
    facts: &'a Facts,
) -> impl Iterator<Item = (&'a StepLine, &'a StepFacts, String)> {
    let lines = facts.summary.steps.iter().zip(&facts.steps);
    lines.filter_map(|(line, step)| {
        let how = step.explanation.as_str();
        let was_stopped = how.starts_with("stopped");
        let mut nodes = step.nodes.iter();
        let is_told = !was_stopped && nodes.any(|node| node.state == NodeState::Error);
        let was = if was_stopped { "was " } else { "" };
        (line.status == Status::Warned && !is_told)
            .then(|| (line, step, format!("the step {} {was}{how}", line.name)))
    })
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
        (_, None) if summary.was_refused() => {
            "The run did not start, since another run holds the lease.".to_owned()
        }
        (_, None) if !ran => "The run could not start, so nothing was built.".to_owned(),
        (_, None) => "The run was stopped between two steps.".to_owned(),
        (_, Some(index)) => {
            let status = summary.steps[index].status.to_string();
            let step = facts.steps.get(index);
            let what = match status.as_str() {
                "cancelled" => {
                    format!(
                        "the run was stopped in the step {}",
                        summary.steps[index].name
                    )
                }
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
    let (passed, warned) = (work.passed(), work.warned());
    if passed + warned > 0 {
        parts.push(format!("{} passed", counted(passed, "test")));
    }
    if warned > 0 {
        parts.push(format!("{} warned", words::number(warned)));
    }
    parts.extend(failed_elsewhere(work, None));
    parts.extend(gave_way(facts).map(|(_, _, how)| how));
    if facts.docs_are_new == Some(true) {
        parts.push("the docs are up to date".to_owned());
    }
    if parts.is_empty() {
        return "The run succeeded.".to_owned();
    }
    sentence(&list(&parts))
}

const SILENT: &str = "could not be asked for its age";

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
    let one = |node: &NodeRun| {
        let name = words::shortened(&text(name(&node.id)), LONGEST_NAME);
        format!("“{name}”")
    };
    match subcommand {
        "deps" => "the packages could not be installed".to_owned(),
        "debug" => "dbt could not connect to the warehouse".to_owned(),
        "docs" => "the docs could not be made".to_owned(),
        "source" if !failed.is_empty() => {
            let (old, silent): (Vec<&NodeRun>, Vec<&NodeRun>) =
                failed.iter().partition(|node| node.age.is_some());
            let told = |nodes: &[&NodeRun], was: &str, were: &str| match nodes {
                [] => None,
                [node] => Some(format!("the source {} {was}", one(node))),
                _ => Some(format!("{} {were}", counted(nodes.len(), "source"))),
            };
            let silent = told(&silent, SILENT, SILENT);
            let parts = [told(&old, "is too old", "are too old"), silent];
            list(&parts.into_iter().flatten().collect::<Vec<_>>())
        }
        _ if builds + tests == 0 => {
            let gave_up = facts.summary.error.is_some();
            let how = if gave_up {
                "dbt gave up in"
            } else {
                "dbt failed in"
            };
            format!("{how} the step {step_name}")
        }
        _ => {
            let mut parts = Vec::new();
            match builds {
                0 => {}
                1 => parts.extend(of_kind(false).map(|node| {
                    let failed = match kind(&node.id) {
                        "hook" => "failed",
                        _ => "could not be built",
                    };
                    format!("the {} {} {failed}", kind(&node.id), one(node))
                })),
                _ => {
                    let nodes: Vec<&NodeRun> = of_kind(false).copied().collect();
                    let what = counted(builds, noun(&nodes));
                    parts.push(format!("{what} could not be built"));
                }
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
                let number = words::number(skipped);
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
    let built = work.built();
    match (work.built_in_words(false), subcommand) {
        (Some(words), "test") => parts.push(match (work.is_whole(), built.len()) {
            (false, _) => words,
            (true, 1) => format!("the {} was built", noun(&built)),
            (true, _) => format!("the {}s were built", noun(&built)),
        }),
        (Some(words), _) => parts.push(words),
        (None, "deps" | "debug") => parts.push("nothing was built".to_owned()),
        (None, _) => {}
    }
    let elsewhere = failed_elsewhere(work, Some(step));
    let tests_are_fine = work.failed_outside(None, true).is_empty();
    if matches!(subcommand, "source" | "docs") && work.passed() > 0 && tests_are_fine {
        parts.push(format!("{} passed", counted(work.passed(), "test")));
    }
    parts.extend(elsewhere);
    if facts.docs_are_new == Some(false) {
        parts.push("the docs still show an earlier run".to_owned());
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("; {}", parts.join(", "))
}
