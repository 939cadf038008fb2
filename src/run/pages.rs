//! Owns what a run does about its pages: what is collected on the way, and that the page, the
//! history and the page of all runs are written at its end.
//!
//! Never fails a run: what goes wrong here is a warning.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::artifacts::{NodeRun, Publisher, seconds_since_1970};
use crate::aws::Aws;
use crate::causes;
use crate::config::{Config, Pipeline, Publish, variable};
use crate::history::Entry;
use crate::page::{self, Facts, Links, StepFacts};
use crate::pipeline::{Outcome, Status};
use crate::report::{Console, StepLine, Summary};

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
    /// The same moment by the clock, as dbt gives the times of its nodes.
    begun_at: SystemTime,
    steps: Vec<StepFacts>,
    settings: Vec<(&'static str, String)>,
    /// What the runner advised.
    pub(super) hint: Option<String>,
    /// Under which address the destination can be opened.
    address: Option<String>,
    destination: Option<String>,
    /// Whether a page is left in the target directory.
    is_local: bool,
    /// The places of the steps that make docs.
    docs_steps: Vec<usize>,
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
    has_published: bool,
}

impl Pages {
    pub(super) fn begin(begun: Instant) -> Self {
        Self {
            begun,
            begun_at: SystemTime::now()
                .checked_sub(begun.elapsed())
                .unwrap_or(SystemTime::UNIX_EPOCH),
            steps: Vec::new(),
            settings: Vec::new(),
            hint: None,
            address: None,
            destination: None,
            is_local: false,
            docs_steps: Vec::new(),
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
        let steps = plan.steps.iter().enumerate();
        let makers = steps.filter(|(_, step)| step.makes_docs());
        self.docs_steps = makers.map(|(index, _)| index).collect();
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
    /// `has_published`: whether this run has published anything beside its ledger.
    pub(super) fn new(
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
            remember(publisher, known, entry, &self.summary, &redact).await;
        }
        let key = address?;
        let place = self.pages.destination.unwrap_or_default();
        let place = self.pages.address.as_deref().unwrap_or(&place);
        tracing::info!("the page of this run: {place}/{key}");
        self.pages.address.map(|address| format!("{address}/{key}"))
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
