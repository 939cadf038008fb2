//! Owns what a run does about its pages: what is collected on the way, and that the page, the
//! history and the page of all runs are written at its end.
//!
//! Never fails a run: what goes wrong here is a warning.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::artifacts::{NodeRun, Publisher, seconds_since_1970};
use crate::aws::Aws;
use crate::causes;
use crate::config::{Config, Pipeline, Publish, Step, variable};
use crate::history::{self, Entry};
use crate::page::{self, Facts, Links, StepFacts};
use crate::pipeline::Outcome;
use crate::report::{Console, Summary};

mod remembering;

use remembering::{Known, read, remember};

/// The metadata of a task answers in a moment.
const METADATA: Duration = Duration::from_secs(2);
/// The name of the page that a local run leaves in dbt's target directory.
const LOCAL: &str = "run.html";
/// The page of one run in its folder, and of all runs in theirs.
const INDEX: &str = "index.html";

/// What is collected for the page while the run goes on.
#[derive(Debug)]
pub(super) struct Pages {
    begun: Instant,
    steps: Vec<StepFacts>,
    settings: Vec<(&'static str, String)>,
    /// What the runner advised.
    pub(super) hint: Option<String>,
    /// Under which address the destination can be opened.
    address: Option<String>,
    destination: Option<String>,
    /// Whether a page is left in the target directory.
    is_local: bool,
    makes_docs: bool,
    commit: Option<String>,
    log: Option<JoinHandle<Option<String>>>,
    /// Where the last step that ran nodes has left the manifest.
    manifest_in: Option<PathBuf>,
    /// Where the last step wrote.
    wrote_to: Option<PathBuf>,
}

/// All that is needed to write the pages, apart from the run.
pub(super) struct Job {
    pages: Pages,
    summary: Summary,
    console: Console,
    docs_are_new: bool,
}

impl Pages {
    pub(super) fn begin(begun: Instant) -> Self {
        Self {
            begun,
            steps: Vec::new(),
            settings: Vec::new(),
            hint: None,
            address: None,
            destination: None,
            is_local: false,
            makes_docs: false,
            commit: None,
            log: None,
            manifest_in: None,
            wrote_to: None,
        }
    }

    /// What the settings say.
    pub(super) fn plan(&mut self, config: &Config, plan: &Pipeline) {
        self.address.clone_from(&plan.page_url);
        self.is_local = !config.is_deployment();
        self.makes_docs = plan.steps.iter().any(Step::makes_docs);
        self.commit = variable(&config.variables, "GIT_SHA")
            .map(|commit| commit.to_string_lossy().chars().take(12).collect());
        self.steps = plan
            .steps
            .iter()
            .map(|step| StepFacts {
                subcommand: step.subcommand().to_owned(),
                command: without_values(&step.command),
                ..StepFacts::default()
            })
            .collect();
        let mut settings = vec![("environment", config.env.clone())];
        settings.extend(config.project_name.clone().map(|name| ("project", name)));
        settings.push(("credentials", config.credentials.to_string()));
        settings.extend(config.schema.clone().map(|(schema, _)| ("schema", schema)));
        settings.push((
            "publish",
            match &plan.publish {
                Publish::Never => "never".to_owned(),
                Publish::To {
                    even_after_failure: true,
                    ..
                } => "always".to_owned(),
                Publish::To { .. } => "on-success".to_owned(),
            },
        ));
        if let Publish::To { location, .. } = &plan.publish {
            self.destination = Some(location.to_string());
            settings.push(("destination", location.to_string()));
        }
        let deadline = config.deadline.map(humantime::format_duration);
        settings.extend(deadline.map(|deadline| ("deadline", deadline.to_string())));
        let budget = humantime::format_duration(config.stop_timeout).to_string();
        settings.push(("stop budget", budget));
        self.settings = settings;
    }

    /// Asks ECS where the log of this container goes, while the run goes on.
    pub(super) fn look_for_log(&mut self, aws: &Aws) {
        let Some(address) = aws.task_metadata.clone() else {
            return;
        };
        let aws = aws.clone();
        self.log = Some(tokio::spawn(async move {
            let metadata = timeout(METADATA, aws.get(&address)).await;
            page::log_address(&metadata.ok()?.ok()?)
        }));
    }

    /// The moment at which a step has ended. `target`: where it wrote.
    pub(super) fn step_ended(&mut self, index: usize, outcome: &Outcome, target: PathBuf) {
        let ended = self.begun.elapsed().as_secs_f64();
        if let Some(step) = self.steps.get_mut(index) {
            step.ended = Some(ended);
            step.explanation = outcome.explanation();
            if page::does_work(&step.subcommand) {
                self.manifest_in = Some(target.clone());
            }
            self.wrote_to = Some(target);
        }
    }

    /// What is known of the nodes of a step that has left no results, or not all.
    pub(super) fn heard(&mut self, index: usize, (ended, running): (Vec<NodeRun>, Vec<String>)) {
        if let Some(step) = self.steps.get_mut(index) {
            step.nodes = ended;
            step.unfinished = running;
        }
    }

    /// The nodes of a step, by its results.
    pub(super) fn nodes_ran(&mut self, index: usize, nodes: Vec<NodeRun>) {
        if let Some(step) = self.steps.get_mut(index) {
            step.results = match step.subcommand.as_str() {
                "source" => Some("sources.json"),
                _ => Some("run_results.json"),
            };
            step.nodes = nodes;
        }
    }
}

impl Job {
    /// `docs_are_new`: whether this run has published docs.
    pub(super) fn new(
        pages: Pages,
        summary: &Summary,
        console: &Console,
        docs_are_new: bool,
    ) -> Self {
        Self {
            pages,
            summary: summary.clone(),
            console: console.clone(),
            docs_are_new,
        }
    }

    /// Writes the pages. Returns the address of the page of this run, if it has one for a browser.
    pub(super) async fn write(mut self, publisher: &Publisher, is_copy: bool) -> Option<String> {
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
        let entry = Entry::of_summary(line.as_bytes()).map(|mut entry| {
            let nodes = self.pages.steps.iter().flat_map(|step| &step.nodes);
            entry.complete(seconds, nodes);
            entry
        });
        let console = self.console.clone();
        let redact = move |text: &str| console.redacted(text);
        let begun = history::start_of(&id)
            .map(seconds_since_1970)
            .unwrap_or_default();
        let has_destination = publisher.destination().is_some();
        let ran = self.pages.steps.iter().any(|step| step.ended.is_some());
        let mut facts = Facts {
            summary: &self.summary,
            begun,
            seconds,
            steps: self.pages.steps,
            graph,
            history: known.runs(),
            settings: self.pages.settings,
            log,
            hint: self.pages.hint,
            links: Links::default(),
            can_resume: has_destination && ran,
            docs_are_new: (self.pages.makes_docs && has_destination).then_some(self.docs_are_new),
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
        let last = self.pages.wrote_to.as_deref();
        let place = publisher.place_of_pages(last);
        if let Some(place) = place.filter(|_| self.pages.is_local && !is_copy) {
            facts.links.docs = place.join(INDEX).is_file().then(|| INDEX.to_owned());
            let page = page::of_run(&facts).map_err(|error| causes::in_one_line(&error));
            let left = page.and_then(|page| {
                let left = publisher.leave_page(place, LOCAL, &page);
                left.map_err(|error| causes::in_one_line(&error))
            });
            match left {
                Ok(path) => tracing::info!("the page of this run: {}", path.display()),
                Err(error) => tracing::warn!("there is no page of this run here: {error}"),
            }
        }
        publisher.destination()?;
        facts.links = Links {
            docs: self.pages.makes_docs.then(|| "../../index.html".to_owned()),
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
            remember(publisher, known, entry, &self.summary, &redact).await;
        }
        let key = address?;
        let place = self.pages.destination.unwrap_or_default();
        let place = self.pages.address.as_deref().unwrap_or(&place);
        tracing::info!("the page of this run: {place}/{key}");
        self.pages.address.map(|address| format!("{address}/{key}"))
    }
}

fn warn_of_no_page(why: &str) {
    tracing::warn!("there is no page of this run: {why}");
}

/// A command of dbt as people may read it: values of variables are theirs alone.
fn without_values(command: &[String]) -> String {
    let mut words = Vec::new();
    let mut is_value = false;
    for word in command {
        if is_value {
            words.push("…".to_owned());
        } else if word.starts_with("--vars=") {
            words.push("--vars=…".to_owned());
        } else {
            words.push(word.clone());
        }
        is_value = word == "--vars" && !is_value;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_not_told() {
        let command = ["run", "--vars", "{a: 1}", "--select", "x", "--vars={b: 2}"];
        let command = command.map(str::to_owned);
        assert_eq!(without_values(&command), "run --vars … --select x --vars=…");
    }
}
