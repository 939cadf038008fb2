//! Owns what is written at the end of a run: its page, the history, the page of all runs.
//!
//! Never fails a run: what goes wrong here is a warning.

use std::path::Path;
use std::time::SystemTime;

use super::Pages;
use super::remembering::{Known, read, remember};
use crate::artifacts::{Publisher, seconds_since_1970};
use crate::causes;
use crate::history::Entry;
use crate::page::{self, Facts, Heading, Links};
use crate::pipeline::Status;
use crate::report::{Console, StepLine, Summary};

/// The name of the page that a local run leaves in dbt's target directory.
const LOCAL: &str = "run.html";
/// The page of one run in its folder, and of all runs in theirs.
const INDEX: &str = "index.html";

/// All that is needed to write the pages, apart from the run.
pub(in crate::run) struct Job {
    pages: Pages,
    summary: Summary,
    console: Console,
    has_published: bool,
}

impl Job {
    /// `has_published`: whether this run has published anything beside its ledger.
    pub(in crate::run) fn new(
        pages: Pages,
        summary: &Summary,
        console: &Console,
        has_published: bool,
    ) -> Self {
        Self {
            pages,
            summary: summary.clone(),
            console: console.clone(),
            has_published,
        }
    }

    /// Writes the pages. Returns the address of the page of this run, if it has one for a browser.
    /// `stays_here`: whether what is written to the target directory stays.
    pub(in crate::run) async fn write(
        mut self,
        publisher: &Publisher,
        stays_here: bool,
    ) -> Option<String> {
        let log = match self.pages.log.take() {
            Some(log) => log.await.ok().flatten(),
            None => None,
        };
        let graph = self.pages.manifest_in.as_deref();
        let graph = graph.map(Publisher::graph).unwrap_or_default();
        let known = match publisher.destination() {
            Some(destination) => read(destination).await,
            None => Known::nothing(),
        };
        let id = self.summary.run_id.clone();
        let seconds = self.pages.begun.elapsed().as_secs_f64();
        // The closing line is what the ledger remembers, too.
        let line = self.console.line(&mut self.summary);
        let mut entry = Entry::of_summary(line.as_bytes());
        let console = self.console.clone();
        let redact = move |text: &str| console.redacted(text);
        let has_destination = publisher.destination().is_some();
        let ran = self.pages.steps.iter().any(|step| step.ended.is_some());
        let makers = self.pages.docs_steps.iter();
        let makers = makers.filter_map(|index| self.summary.steps.get(*index));
        let docs_are_new = docs_are_new(makers, self.has_published, known.runs());
        let mut facts = Facts {
            summary: &self.summary,
            begun: seconds_since_1970(self.pages.begun_at),
            seconds,
            steps: self.pages.steps,
            graph,
            history: known.runs(),
            settings: self.pages.settings,
            log,
            hint: self.pages.hint,
            links: Links::default(),
            can_resume: has_destination && ran,
            docs_are_new,
            commit: self.pages.commit,
            resumed: self
                .summary
                .resumed
                .as_ref()
                .filter(|_| ran)
                .and_then(|resumed| {
                    Some(page::Resumed {
                        from: resumed.from.clone()?,
                        refused: resumed.refused.clone(),
                    })
                }),
            redact: &redact,
        };
        if let Some(entry) = &mut entry {
            entry.complete(seconds, facts.all_own_nodes());
        }
        if self.pages.is_local && stays_here {
            let place = publisher.place_of_pages(self.pages.wrote_to.as_deref());
            leave_here(publisher, place, &mut facts);
        }
        publisher.destination()?;
        facts.links = Links {
            docs: docs_are_new.map(|_| "../../index.html".to_owned()),
            runs: Some("../index.html".to_owned()),
        };
        let key = format!("runs/{id}/{INDEX}");
        let address = match page::of_run(&facts) {
            Ok(page) => match publisher.put_page(&key, page).await {
                Ok(()) => Some(key),
                Err(error) => {
                    warn_of_no_page(&causes::in_one_line(&error));
                    None
                }
            },
            Err(error) => {
                warn_of_no_page(&causes::in_one_line(&error));
                None
            }
        };
        drop(facts);
        if let Some(entry) = entry {
            let heading = Heading {
                project: self.summary.project.as_deref().unwrap_or("dbt"),
                env: self.summary.env.as_deref().unwrap_or_default(),
                now: seconds_since_1970(SystemTime::now()),
                has_docs: docs_are_new.is_some(),
                redact: &redact,
            };
            remember(publisher, known, entry, heading).await;
        }
        let key = address?;
        let place = self.pages.destination.unwrap_or_default();
        let place = self.pages.address.as_deref().unwrap_or(&place);
        tracing::info!("the page of this run: {place}/{key}");
        self.pages.address.map(|address| format!("{address}/{key}"))
    }
}

/// Leaves the page beside what dbt wrote.
fn leave_here(publisher: &Publisher, place: &Path, facts: &mut Facts) {
    facts.links.docs = place.join(INDEX).is_file().then(|| INDEX.to_owned());
    let page = page::of_run(facts).map_err(|error| causes::in_one_line(&error));
    let left = page.and_then(|page| {
        let left = publisher.leave_page(place, LOCAL, &page);
        left.map_err(|error| causes::in_one_line(&error))
    });
    match left {
        Ok(path) => tracing::info!("the page of this run: {}", path.display()),
        Err(error) => tracing::warn!("there is no page of this run here: {error}"),
    }
}

/// Whether the docs at the destination are those of this run; `None` where it makes none, or where
/// no run is known to have left some. `makers`: its steps that make docs.
fn docs_are_new<'s>(
    makers: impl Iterator<Item = &'s StepLine>,
    has_published: bool,
    history: &[Entry],
) -> Option<bool> {
    let makers: Vec<_> = makers.collect();
    let has_made = makers.iter().any(|line| line.status == Status::Success);
    if has_published && has_made {
        return Some(true);
    }
    let is_maker = |name: &str| makers.iter().any(|line| line.name == name);
    let has_left_docs = |run: &Entry| {
        let mut steps = run.steps.iter();
        run.status == "success"
            && steps.any(|(name, status, _)| status == "success" && is_maker(name))
    };
    history.iter().any(has_left_docs).then_some(false)
}

fn warn_of_no_page(why: &str) {
    tracing::warn!("there is no page of this run: {why}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_are_only_claimed_where_a_run_has_left_some() {
        let line = |status| StepLine {
            name: "docs".to_owned(),
            status,
            exit_code: None,
            seconds: 1.0,
            nodes: None,
        };
        let before = |status: &str, docs: &str| {
            let summary = format!(
                "{{\"run_id\": \"20261122T061442Z-00000002\", \"status\": \"{status}\", \
                 \"exit_code\": 0, \"steps\": [{{\"name\": \"docs\", \"status\": \
                 \"{docs}\", \"seconds\": 1}}]}}"
            );
            vec![Entry::of_summary(summary.as_bytes()).unwrap()]
        };
        let (now, failed) = (line(Status::Success), line(Status::Skipped));
        for (makers, has_published, history, expected) in [
            (vec![&now], true, vec![], Some(true)),
            (vec![&now], false, vec![], None),
            (vec![&failed], true, vec![], None),
            (
                vec![&failed],
                true,
                before("success", "success"),
                Some(false),
            ),
            (vec![&now], false, before("success", "success"), Some(false)),
            (vec![&failed], false, before("failed", "success"), None),
            (vec![&failed], false, before("success", "warned"), None),
            (vec![], true, before("success", "success"), None),
        ] {
            let told = docs_are_new(makers.iter().copied(), has_published, &history);
            assert_eq!(told, expected, "{makers:?} {has_published} {history:?}");
        }
    }
}
