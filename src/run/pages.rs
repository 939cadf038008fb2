//! Owns what is collected for the pages of a run on its way.
//!
//! Never fails a run.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::artifacts::NodeRun;
use crate::aws::Aws;
use crate::config::{Config, Pipeline, Publish, variable};
use crate::page::{self, StepFacts};
use crate::pipeline::{Outcome, Status};

mod job;
mod remembering;

pub(super) use job::Job;

/// The metadata of a task answers in a moment.
const METADATA: Duration = Duration::from_secs(2);

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

    /// The moment at which a step has ended. `target`: where it wrote. `has_plan`: whether it is
    /// known what it had selected.
    pub(super) fn step_ended(
        &mut self,
        index: usize,
        outcome: &Outcome,
        target: PathBuf,
        has_plan: bool,
    ) {
        let ended = self.begun.elapsed().as_secs_f64();
        if let Some(step) = self.steps.get_mut(index) {
            step.ended = Some(ended);
            step.explanation = match outcome.status {
                Status::Warned => outcome.in_words(),
                _ => outcome
                    .explanation()
                    .trim()
                    .trim_matches(['(', ')'])
                    .to_owned(),
            };
            step.has_plan = has_plan;
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
