//! Owns the beginning of a run's record, and what the run takes over from an earlier one that it
//! finishes.
//!
//! Never decides what is left to do: that is `record`'s. What cannot be read is not resumed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::timeout;

use super::recording::{LAST, Recorder, folder};
use crate::artifacts::{DestinationError, Ledger, Publisher};
use crate::aws::{Aws, FaultKind};
use crate::causes;
use crate::config::{Config, Pipeline, Resume, Step, variable};
use crate::dbt::Identity;
use crate::environment;
use crate::exit_code::ExitCode;
use crate::pipeline::{Stage, without_secrets};
use crate::project;
use crate::record::{
    self, EndedStep, Fingerprint, LastRun, Malformed, NodeLog, Past, PastStep, Present, RunRecord,
    Todo, fingerprint,
};
use crate::report::Resumed;

const RECORD: &str = "run.json";
const NODES: &str = "nodes.ndjson";
const RESULTS: &str = "run_results.json";
const SOURCES: &str = "sources.json";
const SUMMARY: &str = "summary.json";
/// The first step does not wait longer for a record that is there to save time.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the runner itself has written.
const LARGEST_RECORD: u64 = 4 << 20;
/// Those of ten thousand nodes.
const LARGEST_RESULTS: u64 = 64 << 20;

/// Why the run that is to be finished cannot be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("run {run_id} cannot be resumed: {why}")]
    Refused { run_id: String, why: String },
    #[error("run {run_id} cannot be resumed: it has left no record ({RECORD})")]
    Missing { run_id: String },
    #[error("run {run_id} cannot be resumed: its record cannot be read: {what}")]
    Malformed { run_id: String, what: String },
    #[error("run {run_id} cannot be resumed: its record is out of reach")]
    Unreadable {
        run_id: String,
        source: Box<DestinationError>,
    },
}

impl Error {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Refused { .. } => ExitCode::Usage,
            Self::Missing { .. } | Self::Malformed { .. } => ExitCode::Credentials,
            Self::Unreadable { source, .. } => match source.fault() {
                Some(FaultKind::Denied | FaultKind::Unauthenticated) => ExitCode::Denied,
                Some(FaultKind::Unreachable | FaultKind::Unexpected) => ExitCode::Unavailable,
                Some(_) => ExitCode::Usage,
                None => ExitCode::Credentials,
            },
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } => match source.fault() {
                Some(FaultKind::Denied) => Some(
                    "allow s3:GetObject on runs/* and state/* below the destination; without \
                     s3:ListBucket, S3 denies what is not there as well"
                        .to_owned(),
                ),
                _ => source.hint(),
            },
            Self::Missing { .. } => {
                Some("look below runs/ at the destination which runs there are".to_owned())
            }
            Self::Refused { .. } | Self::Malformed { .. } => Some(
                "run without --resume, or with --resume last, which then runs everything"
                    .to_owned(),
            ),
        }
    }

    /// For `last`, which runs everything instead.
    fn in_short(&self) -> String {
        match self {
            Self::Refused { why, .. } => why.clone(),
            Self::Missing { .. } => "it has left no record".to_owned(),
            Self::Malformed { what, .. } => format!("its record cannot be read: {what}"),
            Self::Unreadable { source, .. } => causes::in_one_line(source),
        }
    }
}

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
    /// sources.json of the steps of the earlier run.
    sources: Vec<Option<Vec<u8>>>,
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
    pub(super) run_id: &'a str,
}

/// An earlier run that may be finished.
struct Earlier {
    record: RunRecord,
    past: Past,
    sources: Vec<Option<Vec<u8>>>,
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
    let fingerprint = fingerprint(&known).await;
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
    let (earlier, resumed) = Box::pin(find(&known, &present)).await?;
    let variables = &stage.environment.variables;
    let todo = earlier.as_ref().map_or_else(Vec::new, |earlier| {
        record::decide(&earlier.past, &present, variables, |step| {
            is_needed(step, stage)
        })
    });
    let mut steps = plan.steps.clone();
    let recorder = Recorder::new(
        known.ledger.clone(),
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
    let (past, sources) =
        earlier.map_or_else(Default::default, |earlier| (earlier.past, earlier.sources));
    Ok(Attempt {
        steps,
        recorder,
        resumed,
        todo,
        past,
        ledger: known.ledger,
        sources,
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
            let all = rest.done + rest.left;
            parts.push(format!(
                "{}: {} of {all} nodes not run again",
                step.name, rest.done
            ));
        }
    }
    if parts.is_empty() {
        parts.push("nothing of it is done, so all is run".to_owned());
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

/// The run to finish, if one is to be and can be.
async fn find(
    known: &Known<'_>,
    present: &Present<'_>,
) -> Result<(Option<Earlier>, Option<Resumed>), Error> {
    let Some(wanted) = &known.plan.resume else {
        return Ok((None, None));
    };
    let refused = |from: Option<String>, why: String| {
        let refused = Some(why);
        let note = None;
        let resumed = Resumed {
            from,
            refused,
            note,
        };
        Ok((None, Some(resumed)))
    };
    let run_id = match (wanted, &known.ledger) {
        (Resume::Run(run_id), Some(_)) => run_id.clone(),
        (Resume::Last, Some(ledger)) => match last(ledger).await {
            Ok(last) => last.run_id,
            Err(why) => return refused(None, why),
        },
        (wanted, None) => {
            let why = "nothing is published, so no run has left a record".to_owned();
            return match wanted {
                Resume::Last => refused(None, why),
                Resume::Run(run_id) => Err(Error::Refused {
                    run_id: run_id.clone(),
                    why,
                }),
            };
        }
    };
    match (Box::pin(load(known, present, &run_id)).await, wanted) {
        (Ok(earlier), _) => {
            let resumed = Resumed {
                from: Some(run_id),
                refused: None,
                note: None,
            };
            Ok((Some(earlier), Some(resumed)))
        }
        (Err(error), Resume::Last) => refused(Some(run_id), error.in_short()),
        (Err(error), Resume::Run(_)) => Err(error),
    }
}

/// Which run was the last one; else why nobody knows.
async fn last(ledger: &Ledger) -> Result<LastRun, String> {
    match ledger.shared(LAST, LARGEST_RECORD).await {
        Ok(Some(content)) => LastRun::read(&content).map_err(|Malformed(what)| {
            format!("which run was the last one is not known: {LAST} {what}")
        }),
        Ok(None) => Err("there is no earlier run".to_owned()),
        Err(error) => {
            let what = causes::in_one_line(&error);
            Err(format!("which run was the last one is not known: {what}"))
        }
    }
}

/// Reads the record of a run, and all that it has left, if it may be finished.
async fn load(known: &Known<'_>, present: &Present<'_>, run_id: &str) -> Result<Earlier, Error> {
    /// The closing line, as far as it matters here.
    #[derive(Deserialize)]
    struct Closing {
        status: String,
        steps: Vec<EndedStep>,
    }
    let Some(ledger) = &known.ledger else {
        let run_id = run_id.to_owned();
        return Err(Error::Missing { run_id });
    };
    let unreadable = |source: DestinationError| Error::Unreadable {
        run_id: run_id.to_owned(),
        source: Box::new(source),
    };
    let content = ledger.fetch(run_id, RECORD, LARGEST_RECORD).await;
    let content = content.map_err(unreadable)?.ok_or_else(|| Error::Missing {
        run_id: run_id.to_owned(),
    })?;
    let record = RunRecord::read(&content, run_id).map_err(|Malformed(what)| Error::Malformed {
        run_id: run_id.to_owned(),
        what,
    })?;
    // What may be missing is denied to a role that may not list the bucket.
    let optional = async |name: &str, limit| match ledger.fetch(run_id, name, limit).await {
        Err(error) if error.fault() == Some(FaultKind::Denied) => Ok(None),
        // Too large, or no file: it says nothing.
        Err(error) if error.fault().is_none() => {
            tracing::warn!("not taken over: {}", causes::in_one_line(&error));
            Ok(None)
        }
        fetched => fetched.map_err(unreadable),
    };
    let closing = optional(SUMMARY, LARGEST_RECORD).await?;
    let closing = closing.and_then(|content| serde_json::from_slice::<Closing>(&content).ok());
    let (status, ended) = if let Some(Closing { status, steps }) = closing {
        (Some(status), steps)
    } else {
        // A run that was killed has none.
        let last = last(ledger).await.ok();
        let last = last.filter(|last| last.run_id == run_id);
        (None, last.map(|last| last.steps).unwrap_or_default())
    };
    if let Some(why) = record::refusal(&record, status.as_deref(), present) {
        let run_id = run_id.to_owned();
        return Err(Error::Refused { run_id, why });
    }
    let mut past = Past::default();
    let mut sources = Vec::new();
    for (index, step) in present.steps.iter().enumerate() {
        let folder = folder(index, step);
        let name = |file: &str| format!("{folder}/{file}");
        let (nodes, results, source) = (name(NODES), name(RESULTS), name(SOURCES));
        let (nodes, results, source) = tokio::join!(
            optional(&nodes, LARGEST_RESULTS),
            optional(&results, LARGEST_RESULTS),
            optional(&source, LARGEST_RESULTS),
        );
        past.steps.push(PastStep {
            ended: ended.get(index).cloned(),
            nodes: nodes?.map(|content| NodeLog::read(&content)),
            results: results?,
        });
        sources.push(source?);
    }
    Ok(Earlier {
        record,
        past,
        sources,
    })
}

/// What has to be the same.
async fn fingerprint(known: &Known<'_>) -> Fingerprint {
    let Known {
        config,
        plan,
        stage,
        aws,
        ..
    } = known;
    let variables = &stage.environment.variables;
    let secrets = environment::look_like_secrets(variables);
    let harmless = without_secrets(variables, &secrets);
    let project =
        fingerprint::of_project(&config.project_dir, &project::folders(&config.project_dir));
    let project = project
        .inspect_err(|error| {
            tracing::warn!("this run cannot be resumed: its project cannot be read: {error}");
        })
        .ok();
    let directory = config.profiles_dir.as_deref();
    let target = project::profile::rendered(&config.project_dir, directory, &plan.steps, &harmless);
    let schema = variable(&harmless, "DBT_REDSHIFT_SCHEMA").map(|schema| schema.to_string_lossy());
    let target = target.iter().map(String::as_str);
    let image = match aws {
        Some(aws) => aws.image().await,
        None => None,
    };
    let git = variable(variables, "GIT_SHA").map(|sha| sha.to_string_lossy().into_owned());
    Fingerprint {
        project,
        profile: Some(fingerprint::of_texts(target.chain(schema.as_deref()))),
        vars: Some(fingerprint::of_vars(&plan.steps)),
        image,
        git,
    }
}

impl Attempt {
    /// The steps that are not run again.
    pub(super) fn resumed_steps(&self) -> impl Iterator<Item = usize> {
        let todo = self.todo.iter().enumerate();
        todo.filter_map(|(index, todo)| matches!(todo, Todo::Nothing).then_some(index))
    }

    /// Puts what the earlier run has left into the ledger of this one, which so stands for both.
    /// Only then is this the last run. Returns the results of the steps that are done.
    pub(super) async fn take_over(
        &mut self,
        publisher: &mut Publisher,
    ) -> Vec<Option<crate::artifacts::Results>> {
        let mut counted = Vec::new();
        for (index, (todo, step)) in self.todo.iter().zip(&self.steps).enumerate() {
            let mut results = None;
            match todo {
                Todo::Nothing => {
                    let past = &mut self.past.steps[index];
                    let left = [
                        (RESULTS, past.results.take()),
                        (SOURCES, self.sources[index].take()),
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
                Todo::All { .. } => {}
            }
            counted.push(results);
        }
        if timeout(PATIENCE, self.recorder.send()).await.is_err() {
            tracing::warn!("this run may not be resumed: the destination does not answer");
        }
        counted
    }
}

fn tell_failure(put: Result<(), crate::artifacts::Error>) {
    if let Err(error) = put {
        tracing::warn!(
            "this run may not be resumed in full: {}",
            causes::in_one_line(&error)
        );
    }
}
