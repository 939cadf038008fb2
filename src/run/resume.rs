//! Owns the beginning of a run's record, and what the run takes over from an earlier one that it
//! finishes.
//!
//! Never decides what is left to do: that is `record`'s. What cannot be read is not resumed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::time::timeout;

use super::recording::{Recorder, folder};
use crate::artifacts::{self, Ledger, Publisher, Results};
use crate::aws::Aws;
use crate::causes;
use crate::config::{Config, Pipeline, Step};
use crate::dbt::Identity;
use crate::lease::Tenure;
use crate::pipeline::{Outcome, Stage, Status};
use crate::record::{self, Past, Present, RunRecord, Todo};
use crate::report::Resumed;

mod earlier;
mod fingerprint;

pub(super) use earlier::Error;

const RECORD: &str = "run.json";
const RESULTS: &str = "run_results.json";
const SOURCES: &str = "sources.json";
/// In a message.
const MOST_NAMED: usize = 3;
/// The first step does not wait longer for a record that is there to save time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a run goes by that may finish another one.
pub(super) struct Attempt {
    /// As they are run now.
    pub(super) steps: Vec<Step>,
    pub(super) recorder: Recorder,
    /// For the closing line.
    pub(super) resumed: Option<Resumed>,
    todo: Vec<Todo>,
    past: Past,
    ledger: Option<Ledger>,
    /// What `dbt retry` reads.
    _states: Option<TempDir>,
}

/// What is known before step one.
pub(super) struct Known<'a> {
    pub(super) config: &'a Config,
    pub(super) plan: &'a Pipeline,
    pub(super) stage: &'a Stage,
    pub(super) aws: Option<&'a Aws>,
    pub(super) dbt: Identity,
    pub(super) ledger: Option<Ledger>,
    pub(super) tenure: Option<Tenure>,
    pub(super) run_id: &'a str,
}

/// Looks for the run that is to be finished, decides what is left to do, and writes the record.
/// Fails only if a certain run was asked for.
pub(super) async fn begin(known: Known<'_>) -> Result<Attempt, Error> {
    let Known {
        config,
        plan,
        stage,
        ..
    } = known;
    let fingerprint = fingerprint::take(&known).await;
    let present = Present {
        env: &config.env,
        project: config.project_name.as_deref(),
        fingerprint: &fingerprint,
        dbt: &known.dbt,
        steps: &plan.steps,
        redactor: &stage.redactor,
        now: SystemTime::now(),
        within: plan.resume_within,
    };
    let (earlier, resumed) = Box::pin(earlier::find(&known, &present)).await?;
    let variables = &stage.environment.variables;
    let todo = earlier.as_ref().map_or_else(Vec::new, |earlier| {
        record::decide(&earlier.past, &present, variables, |step| {
            is_needed(step, stage)
        })
    });
    let mut steps = plan.steps.clone();
    let recorder = Recorder::new(
        known.ledger.clone(),
        known.tenure.clone(),
        Arc::clone(&stage.redactor),
        known.run_id,
        &steps,
    );
    let (todo, states) = set_out(todo, &mut steps, &stage.target, &recorder);
    let resumed = resumed.map(|resumed| Resumed {
        note: earlier.as_ref().map(|_| describe(&todo, &steps)),
        ..resumed
    });
    if let Some(resumed) = &resumed {
        tell(resumed);
    }
    for (step, todo) in steps.iter().zip(&todo) {
        let name = &step.name;
        match todo {
            Todo::All { why: Some(why) } => {
                tracing::warn!("step {name}: run in full, since {why}");
            }
            Todo::Rest(rest) if rest.repeated.is_some() => {
                tracing::info!(
                    "step {name}: {}",
                    rest.repeated.as_deref().unwrap_or_default()
                );
            }
            _ => {}
        }
    }
    let record = earlier.as_ref().map(|earlier| &earlier.record);
    let record = RunRecord::new(known.run_id, &present, record).text();
    if let Some(ledger) = &known.ledger {
        match timeout(PATIENCE, ledger.create(RECORD, &record)).await {
            Ok(Ok(true)) => {}
            Err(_) => tracing::warn!(
                "this run leaves no record, so that it cannot be resumed: the destination did not \
                 answer within {} s",
                PATIENCE.as_secs()
            ),
            Ok(Ok(false)) => tracing::warn!("there is a record of a run with the ID of this one"),
            Ok(Err(error)) => tracing::warn!(
                "this run leaves no record, so that it cannot be resumed: {}",
                causes::in_one_line(&error)
            ),
        }
    }
    Ok(Attempt {
        steps,
        recorder,
        resumed,
        todo,
        past: earlier.map(|earlier| earlier.past).unwrap_or_default(),
        ledger: known.ledger,
        _states: states,
    })
}

/// Of a step that is done, what it leaves may still have to be made here: packages, and the docs
/// that are to be published.
fn is_needed(step: &Step, stage: &Stage) -> bool {
    match step.subcommand() {
        "deps" => stage.packages_installed.is_none(),
        _ => step.makes_docs(),
    }
}

/// Turns the steps of which some is left into `dbt retry`. Where its state cannot be written, all
/// of the step is run.
fn set_out(
    todo: Vec<Todo>,
    steps: &mut [Step],
    target: &Path,
    recorder: &Recorder,
) -> (Vec<Todo>, Option<TempDir>) {
    let mut states = None;
    let todo = todo.into_iter().enumerate().map(|(index, todo)| {
        let Todo::Rest(rest) = todo else {
            return todo;
        };
        let written = || -> io::Result<(TempDir, String)> {
            let prefix = tempfile::Builder::new()
                .prefix("dbt-entrypoint-")
                .to_owned();
            let directory = prefix.tempdir().or_else(|_| prefix.tempdir_in(target))?;
            std::fs::write(directory.path().join(RESULTS), rest.state.to_string())?;
            let path = directory.path().to_str().map(str::to_owned);
            let path = path.ok_or_else(|| io::Error::other("its path is not valid UTF-8"))?;
            Ok((directory, path))
        };
        match written() {
            Ok((directory, path)) => {
                states = Some(directory);
                steps[index].command.clone_from(&rest.command);
                steps[index].command.extend(["--state".to_owned(), path]);
                recorder.go_on_with(index, rest.log.clone());
                Todo::Rest(rest)
            }
            Err(error) => Todo::All {
                why: Some(format!(
                    "there is no place for what is done of it ({error})"
                )),
            },
        }
    });
    (todo.collect(), states)
}

fn describe(todo: &[Todo], steps: &[Step]) -> String {
    let named = steps.iter().zip(todo);
    let done: Vec<&str> = named
        .clone()
        .filter(|(_, todo)| matches!(todo, Todo::Nothing))
        .map(|(step, _)| step.name.as_str())
        .collect();
    let mut parts = Vec::new();
    if !done.is_empty() {
        parts.push(format!("not run again: {}", done.join(", ")));
    }
    for (step, todo) in named {
        if let Todo::Rest(rest) = todo {
            let all = rest.done + rest.left.len();
            parts.push(format!(
                "{}: {} of {all} nodes not run again",
                step.name, rest.done
            ));
        }
    }
    if parts.is_empty() {
        parts.push("all is run".to_owned());
    }
    parts.join("; ")
}

fn tell(resumed: &Resumed) {
    let from = resumed.from.as_deref().unwrap_or("an earlier run");
    match (&resumed.refused, &resumed.note) {
        (Some(why), _) => tracing::warn!("not resuming {from}, but running everything: {why}"),
        (None, note) => {
            tracing::info!("resuming {from}: {}", note.as_deref().unwrap_or_default());
        }
    }
}

/// A step that went on with an earlier attempt is a success only if it has run what was left:
/// `dbt retry` may leave nodes out and say nothing. `missed`: those of which it has left neither a
/// result nor an end that says that they ran.
pub(super) fn judge(step: &Step, missed: &[&str], outcome: &mut Outcome) {
    if outcome.status != Status::Success || missed.is_empty() {
        return;
    }
    let mut named = missed
        .iter()
        .take(MOST_NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if missed.len() > MOST_NAMED {
        named = format!("{named} and {} more", missed.len() - MOST_NAMED);
    }
    let what = format!("dbt retry ended as if all were done, and has not run {named}");
    *outcome = outcome.clone().lacking(step.on_failure, 1, what);
}

impl Attempt {
    /// The steps that are not run again.
    pub(super) fn resumed_steps(&self) -> impl Iterator<Item = usize> {
        let todo = self.todo.iter().enumerate();
        todo.filter_map(|(index, todo)| matches!(todo, Todo::Nothing).then_some(index))
    }

    /// How many nodes are done of each step of which a part is done.
    pub(super) fn done_before(&self) -> BTreeMap<usize, usize> {
        let todo = self.todo.iter().enumerate();
        todo.filter_map(|(index, todo)| match todo {
            Todo::Rest(rest) => Some((index, rest.done)),
            _ => None,
        })
        .collect()
    }

    /// What is left of each step of which a part is done.
    pub(super) fn left(&self) -> Vec<Option<BTreeSet<String>>> {
        let todo = self.todo.iter();
        todo.map(|todo| match todo {
            Todo::Rest(rest) => Some(rest.left.clone()),
            Todo::Nothing | Todo::Again | Todo::All { .. } => None,
        })
        .collect()
    }

    /// Puts what the earlier run has left into the ledger of this one, which so stands for both.
    /// Only then is this the last run. Returns the results of the steps that are done.
    pub(super) async fn take_over(&mut self, publisher: &mut Publisher) -> Vec<Option<Results>> {
        let known = self.todo.iter().zip(&self.past.steps);
        let ends = known.map(|(todo, past)| todo.of_earlier(past)).collect();
        let mut counted = Vec::new();
        for (index, (todo, step)) in self.todo.iter().zip(&self.steps).enumerate() {
            let mut results = None;
            match todo {
                Todo::Nothing => {
                    let past = &mut self.past.steps[index];
                    let left = [
                        (RESULTS, past.results.take()),
                        (SOURCES, past.sources.take()),
                    ];
                    let left = left
                        .into_iter()
                        .filter_map(|(name, content)| Some((name, content?)));
                    results = publisher.adopt(index, step, left.collect()).await;
                    if let Some(log) = past.nodes.take() {
                        self.recorder.go_on_with(index, log);
                    }
                }
                Todo::Rest(rest) => {
                    publisher.go_on_with(index, rest.state.clone());
                    if let Some(ledger) = &self.ledger {
                        let name = format!("{}/{RESULTS}", folder(index, step));
                        // Until the step has ended and left better ones.
                        let put = ledger.put(&name, &rest.state.to_string()).await;
                        tell_failure(put);
                    }
                }
                Todo::Again | Todo::All { .. } => {}
            }
            counted.push(results);
        }
        if timeout(PATIENCE, self.recorder.begin(ends, publisher.uploaded()))
            .await
            .is_err()
        {
            tracing::warn!(
                "until the destination has what was taken over, this run cannot be resumed"
            );
        }
        counted
    }
}

fn tell_failure(put: Result<(), artifacts::Error>) {
    if let Err(error) = put {
        tracing::warn!(
            "this run may not be resumed in full: {}",
            causes::in_one_line(&error)
        );
    }
}
