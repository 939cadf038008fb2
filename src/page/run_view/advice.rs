//! Owns what to do after a run that was no success, and where to read on.
//!
//! Pure. Never advises what would only repeat the failure.

use percent_encoding::utf8_percent_encode;
use serde::Serialize;

use super::{ADDRESS, Reader};
use crate::page::words;
use crate::report::RunStatus;

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
    /// What to do, the most useful first.
    pub(super) fn next(&self) -> Vec<Card> {
        let facts = self.facts;
        let summary = facts.summary;
        let mut cards = Vec::new();
        if summary.status == RunStatus::Success {
            return cards;
        }
        let card = |title: &str, words: &str, command: Option<String>| Card {
            title: title.to_owned(),
            words: words.to_owned(),
            command,
        };
        let (first, again) = match summary.exit_code {
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
            74 => (
                "Make the destination usable",
                "dbt did its work, or could not begin, since its results have no place to go to.",
            ),
            75 => (
                "Try again later",
                "Another run holds the lease of this project.",
            ),
            124 => (
                "Give it more time, or less to do",
                "The deadline or the timeout of a step has passed. The slowest nodes are below.",
            ),
            126 | 127 => (
                "Correct the image first",
                "dbt is not there, or cannot be run.",
            ),
            137 => (
                "Give the task more memory, or dbt fewer threads",
                "Most often, a process that gets signal 9 has used more memory than it may.",
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
                 by itself.",
            ),
        };
        cards.push(card(first, again, None));
        if facts.can_resume {
            let left: Vec<String> = summary
                .steps
                .iter()
                .filter(|step| {
                    !matches!(
                        step.status.to_string().as_str(),
                        "success" | "warned" | "resumed"
                    )
                })
                .map(|step| step.name.clone())
                .collect();
            let words = if left.is_empty() {
                "Nothing that succeeded runs again.".to_owned()
            } else {
                format!(
                    "Goes on with {}. Nothing that succeeded runs again.",
                    words::list(&left)
                )
            };
            let command = format!("dbt-entrypoint run --resume {}", summary.run_id);
            cards.push(card("Then finish this run", &words, Some(command)));
        } else {
            cards.push(card(
                "Then run it again",
                "",
                Some("dbt-entrypoint run".to_owned()),
            ));
        }
        cards
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
