//! Owns what to do after a run that was no success, and where to read on.
//!
//! Pure. Never advises what would only repeat the failure.

use percent_encoding::utf8_percent_encode;
use serde::Serialize;

use super::{ADDRESS, Reader};
use crate::artifacts::{NodeRun, NodeState};
use crate::page::StepFacts;
use crate::page::headline::does_work;
use crate::pipeline::Status;
use crate::report::{RunStatus, StepLine};

#[derive(Serialize)]
pub(super) struct Card {
    pub(super) title: String,
    pub(super) words: String,
    pub(super) command: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Address {
    pub(super) href: String,
    pub(super) words: String,
}

impl Reader<'_> {
    /// What to do, the most useful first. `has_slow`: whether the page shows the slowest nodes.
    pub(super) fn next(&self, has_slow: bool) -> Vec<Card> {
        let facts = self.facts;
        let summary = facts.summary;
        let mut cards = Vec::new();
        if summary.status == RunStatus::Success {
            return cards;
        }
        let mut card = |title: &str, words: &str, command: Option<String>| {
            cards.push(Card {
                title: title.to_owned(),
                words: words.to_owned(),
                command,
            });
        };
        let mut steps = summary.steps.iter();
        if steps.any(|line| line.status == Status::Killed) {
            card(
                "Look for queries that still run in the warehouse",
                "A step was killed, so dbt could not cancel its queries: they may go on, hold \
                 locks and cost money.",
                None,
            );
        }
        let (title, words) = self.what_first(has_slow);
        card(title, words, None);
        if facts.can_resume {
            let may_be_the_project = matches!(summary.exit_code, 1 | 2) && !self.failed_in("debug");
            let title = if may_be_the_project {
                "Or finish this run, if the cause was rights, data or the warehouse"
            } else {
                "Then finish this run"
            };
            let command = format!("dbt-entrypoint run --resume {}", summary.run_id);
            let words = what_resuming_does(&summary.steps, &facts.steps);
            card(title, &words, Some(command));
        } else {
            let command = "dbt-entrypoint run".to_owned();
            card("Then run it again", "", Some(command));
        }
        cards
    }

    /// Whether the step that failed is of this subcommand of dbt.
    fn failed_in(&self, subcommand: &str) -> bool {
        let lines = &self.facts.summary.steps;
        let mut steps = lines.iter().zip(&self.facts.steps);
        let failed = steps.find(|(line, _)| line.status == Status::Failed);
        failed.is_some_and(|(_, step)| step.subcommand == subcommand)
    }

    /// A title, and what it takes.
    fn what_first(&self, has_slow: bool) -> (&'static str, &'static str) {
        let summary = self.facts.summary;
        let ran = summary.steps.iter().any(|line| line.exit_code.is_some());
        match summary.exit_code {
            64 => (
                "Correct the settings first",
                "Each fault is named above, with its file, line and key.",
            ),
            65 | 77 => (
                "Correct the login first",
                "The same error comes back until its cause is gone.",
            ),
            69 => (
                "Try again in a while",
                "AWS could not be reached, or answered too slowly.",
            ),
            70 => ("Report it", "This is a fault in the runner itself."),
            74 if ran => (
                "Mend what kept the results from being published",
                "dbt did its work. What stood in the way, and what helps, stands above.",
            ),
            74 => (
                "Make the destination usable",
                "No step ran, since the results would have no place to go to.",
            ),
            75 => (
                "Try again later",
                "Another run holds the lease of this project.",
            ),
            124 if has_slow => (
                "Give it more time, or less to do",
                "The deadline or the timeout of a step has passed. The slowest nodes are below.",
            ),
            124 => (
                "Give it more time, or less to do",
                "The deadline or the timeout of a step has passed.",
            ),
            126 | 127 => (
                "Correct the image first",
                "dbt is not there, or cannot be run.",
            ),
            137 => (
                "Give the task more memory, or dbt fewer threads",
                "Most often, a process that gets signal 9 has used more memory than it may.",
            ),
            1 if self.failed_in("source") => (
                "See to the sources",
                "One that is too old passes once its data has come: then another try is enough. \
                 One that could not be asked wants another name, or rights.",
            ),
            1 | 2 if self.failed_in("debug") => (
                "Let dbt reach the warehouse",
                "It may be paused or full, a security group or a route may be in the way, or the \
                 login is no longer right. If it was a passing fault, another try is enough.",
            ),
            2 => (
                "Read what dbt said",
                "dbt could not go on. It says so above, or in its log.",
            ),
            _ if summary.status == RunStatus::Cancelled => (
                "Find out who stopped it",
                "A deployment, a person, or a Spot instance that was taken back. The log names the \
                 signal.",
            ),
            _ => (
                "Correct what failed",
                "The same data and code give the same result: an orchestrator need not try again \
                 by itself. A corrected project runs in full, by the command of this run.",
            ),
        }
    }

    pub(super) fn links(&self) -> Vec<Address> {
        let facts = self.facts;
        let mut links = Vec::new();
        let mut link = |href: &str, words: String| {
            links.push(Address {
                href: href.to_owned(),
                words,
            });
        };
        if let Some(log) = &facts.log {
            link(log, "log of this run".to_owned());
        }
        if facts.links.runs.is_some() {
            for (line, step) in facts.summary.steps.iter().zip(&facts.steps) {
                if let Some(results) = step.results {
                    let number = facts
                        .steps
                        .iter()
                        .position(|other| std::ptr::eq(other, step));
                    let number = number.unwrap_or_default() + 1;
                    link(
                        &format!(
                            "{number:02}-{}/{results}",
                            utf8_percent_encode(&line.name, ADDRESS)
                        ),
                        format!("results of {}", line.name),
                    );
                }
            }
            link("summary.json", "summary".to_owned());
        }
        if let Some(docs) = &facts.links.docs {
            link(docs, "docs".to_owned());
        }
        links
    }
}

/// What a run that resumes this one does, and what that takes.
fn what_resuming_does(steps: &[StepLine], facts: &[StepFacts]) -> String {
    // As the runner decides it: a step that was let through with a warning did not finish.
    let is_done = |status| matches!(status, Status::Success | Status::Resumed);
    let next = steps.iter().position(|step| !is_done(step.status));
    let goes_on = next.map(|next| {
        let name = &steps[next].name;
        let built_before = facts[..next]
            .iter()
            .any(|facts| does_work(&facts.subcommand));
        let has_more = next + 1 < steps.len();
        if !has_kept(&steps[next], &facts[next]) {
            let after = if has_more { " and those after it" } else { "" };
            let kept = if built_before {
                ": what was built or passed before does not run again"
            } else {
                ""
            };
            return format!("Runs the step {name}{after} in full{kept}. ");
        }
        let before = if built_before { " or before" } else { "" };
        let after = if has_more {
            " The steps after it run in full."
        } else {
            ""
        };
        format!(
            "Goes on with the step {name}: what was built or passed there{before} does not run \
             again.{after} "
        )
    });
    format!(
        "{}It takes the project and the settings of this run, flags too: a changed project is \
         refused.",
        goes_on.unwrap_or_default()
    )
}

/// Whether a run that resumes this one keeps anything of the step. As the runner decides it: what
/// the step had selected has to be known.
fn has_kept(line: &StepLine, step: &StepFacts) -> bool {
    let results_are_whole = line.status == Status::Failed && line.exit_code == Some(1);
    let has_succeeded = |node: &NodeRun| matches!(node.state, NodeState::Success | NodeState::Warn);
    does_work(&step.subcommand)
        && (step.has_plan || results_are_whole)
        && step.nodes.iter().any(has_succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::samples::node;

    #[test]
    fn what_resuming_does_is_true_of_each_step() {
        let line = |(name, status): &(&str, Status)| StepLine {
            name: (*name).to_owned(),
            status: *status,
            exit_code: (*status != Status::Skipped).then_some(1),
            seconds: 1.0,
            nodes: None,
        };
        let (done, failed) = (Status::Success, Status::Failed);
        let told = |has_plan| StepFacts {
            subcommand: "run".to_owned(),
            nodes: vec![node("model.shop.a", "1", 0.0, 1.0)],
            has_plan,
            ..StepFacts::default()
        };
        let killed = Status::Killed;
        for (steps, has_plan, expected) in [
            (
                vec![("run", failed), ("test", Status::Skipped)],
                false,
                "Goes on with the step run: what was built or passed there does not run again. \
                 The steps after it run in full. ",
            ),
            (
                vec![("run", killed)],
                true,
                "Goes on with the step run: what was built or passed there does not run again. ",
            ),
            // dbt has told nothing of what it had selected.
            (vec![("run", killed)], false, "Runs the step run in full. "),
            (
                vec![("run", killed), ("test", Status::Skipped)],
                false,
                "Runs the step run and those after it in full. ",
            ),
            (
                vec![("seed", done), ("run", Status::Warned), ("test", failed)],
                true,
                "Goes on with the step run: what was built or passed there or before does not run \
                 again. The steps after it run in full. ",
            ),
            (
                vec![("run", Status::Resumed), ("test", Status::Skipped)],
                false,
                "Runs the step test in full: what was built or passed before does not run again. ",
            ),
            (vec![("run", done)], false, ""),
        ] {
            let facts: Vec<_> = steps.iter().map(|_| told(has_plan)).collect();
            let steps: Vec<_> = steps.iter().map(line).collect();
            assert_eq!(
                what_resuming_does(&steps, &facts).split("It takes").next(),
                Some(expected)
            );
        }
    }
}
