//! Owns what failed or warned, and what else one has to know of a run.
//!
//! Pure. Never shows more than a page can hold, and says what it leaves out.

use serde::Serialize;

use super::Reader;
use crate::artifacts::{NodeRun, NodeState};
use crate::history::Entry;
use crate::page::text::Message;
use crate::page::{StepFacts, headline, words};
use crate::pipeline::Status;

/// Failures that are shown with all that is known.
const MOST_FAILURES: usize = 40;
/// Failures that are in sight: what to do comes soon after them. The others are folded.
const IN_SIGHT: usize = 3;
/// So many are in sight if there are no more: a fold is not worth it.
const ALL_IN_SIGHT: usize = 5;
const MOST_WARNINGS: usize = 40;

#[derive(Serialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) href: Option<String>,
}

/// All that failed.
#[derive(Serialize)]
pub(super) struct Failures {
    pub(super) shown: Vec<Failure>,
    in_sight: usize,
    folded: usize,
    left_out: usize,
}

#[derive(Serialize)]
pub(super) struct Failure {
    pub(super) name: String,
    pub(super) href: Option<String>,
    /// What it is, and of which step.
    pub(super) what: String,
    /// Of a test: what it is about.
    pub(super) about: Option<Named>,
    pub(super) column: Option<String>,
    pub(super) file: Option<String>,
    pub(super) before: Option<String>,
    pub(super) message: Message,
    pub(super) results: Option<&'static str>,
}

impl Reader<'_> {
    /// What stands beside the step of a node that the earlier run has run.
    pub(super) fn earlier(&self, step: &str, node: &NodeRun) -> &'static str {
        let lines = &self.facts.summary.steps;
        match lines.iter().position(|line| line.name == step) {
            Some(index) if self.facts.is_of_earlier_run(index, node) => ", earlier run",
            _ => "",
        }
    }

    pub(super) fn failures(&mut self) -> Failures {
        let failed = self
            .nodes_in(|status, node| node.state == NodeState::Error && !is_only_a_warning(status));
        let in_sight = match failed.len() {
            all @ ..=ALL_IN_SIGHT => all,
            _ => IN_SIGHT,
        };
        let shown = failed.iter().take(MOST_FAILURES);
        Failures {
            shown: shown
                .map(|(name, step, node)| self.failure(name, step, node))
                .collect(),
            in_sight,
            folded: failed.len() - in_sight,
            left_out: failed.len().saturating_sub(MOST_FAILURES),
        }
    }

    pub(super) fn warnings(&mut self) -> (Vec<Failure>, usize) {
        let warned = self.nodes_in(|status, node| match node.state {
            NodeState::Warn => true,
            NodeState::Error => is_only_a_warning(status),
            _ => false,
        });
        let warned: Vec<_> = warned
            .into_iter()
            .filter(|(_, _, node)| words::kind(&node.id) != "source")
            .collect();
        let shown: Vec<Failure> = warned
            .iter()
            .take(MOST_WARNINGS)
            .map(|(name, step, node)| self.failure(name, step, node))
            .collect();
        let steps = headline::gave_way(self.facts).collect::<Vec<_>>();
        let steps = steps.into_iter().map(|(line, step, how)| Failure {
            name: line.name.clone(),
            href: None,
            what: "step".to_owned(),
            about: None,
            column: None,
            file: None,
            before: None,
            message: self.texts.message(&words::sentence(&how)),
            results: self.facts.links.runs.as_ref().and(step.results),
        });
        let mut all: Vec<Failure> = steps.collect();
        all.extend(shown);
        (all, warned.len().saturating_sub(MOST_WARNINGS))
    }

    fn failure(&mut self, step_name: &str, step: &StepFacts, node: &NodeRun) -> Failure {
        let known = self.facts.graph.get(&node.id);
        let attached = known.and_then(|known| known.attached_node.clone());
        let column = known.and_then(|known| known.column_name.clone());
        let file = known.and_then(|known| known.original_file_path.clone());
        Failure {
            name: self.name(&node.id),
            href: self.docs_of(&node.id),
            what: format!(
                "{} in {step_name}{}",
                words::kind(&node.id),
                self.earlier(step_name, node)
            ),
            about: attached.map(|id| Named {
                name: self.name(&id),
                href: self.docs_of(&id),
            }),
            column: column.map(|column| self.texts.line(&column)),
            file: file.map(|file| self.texts.line(&file)),
            before: (node.state == NodeState::Error)
                .then(|| failed_before(&node.id, self.facts.history))
                .flatten(),
            message: self
                .texts
                .message(node.message.as_deref().unwrap_or_default()),
            results: self.facts.links.runs.as_ref().and(step.results),
        }
    }

    /// What else one has to know of this run.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(resumed) = &self.facts.resumed {
            let from = self.texts.line(&resumed.from);
            notes.push(match &resumed.refused {
                None => format!(
                    "It went on with what the run {from} had begun: what had succeeded there did \
                     not run again."
                ),
                Some(why) => format!(
                    "It was asked to finish the run {from}, and ran everything instead: {}.",
                    self.texts.line(why)
                ),
            });
        }
        let lines = self.facts.summary.steps.iter().zip(&self.facts.steps);
        for (line, step) in lines {
            if !step.explanation.is_empty() && line.status == Status::Killed {
                notes.push(format!("{}: {}.", line.name, step.explanation));
            }
            if !step.unfinished.is_empty() {
                let names: Vec<String> = step
                    .unfinished
                    .iter()
                    .take(5)
                    .map(|id| self.name(id))
                    .collect();
                let more = step.unfinished.len() - names.len();
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let were = if step.unfinished.len() == 1 {
                    "was"
                } else {
                    "were"
                };
                let names = words::list(&names) + &more;
                notes.push(format!(
                    "{names} {were} still running when {} ended.",
                    line.name
                ));
            }
        }
        notes
    }
}

/// Whether the run goes on though nodes of a step with this status have failed. An earlier run has
/// gone on with one that counts as resumed.
fn is_only_a_warning(status: Status) -> bool {
    matches!(status, Status::Warned | Status::Success | Status::Resumed)
}

/// `first failure in 41 runs`, `failed also on 19 Nov and 20 Nov`.
fn failed_before(id: &str, history: &[Entry]) -> Option<String> {
    if history.is_empty() {
        return None;
    }
    let failed = history
        .iter()
        .rev()
        .filter(|run| run.failed.iter().any(|other| other == id));
    let mut days: Vec<String> = failed.map(|run| words::short_date(&run.started)).collect();
    days.dedup();
    if days.is_empty() {
        return Some(format!(
            "first failure in {}",
            words::digits(history.len() + 1, "run")
        ));
    }
    let more = days.len().saturating_sub(3);
    days.truncate(3);
    days.reverse();
    let more = if more > 0 {
        format!(", and on {} before", words::digits(more, "day"))
    } else {
        String::new()
    };
    Some(format!("failed also on {}{more}", words::list(&days)))
}
