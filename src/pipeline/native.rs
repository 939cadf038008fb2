//! Owns a step of dbt 2: what it is asked for beside its command, whether it left what it should,
//! and which of its nodes had run before it was stopped.
//!
//! Never publishes and never reads results: dbt 2 that was interrupted calls every node an error.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::SystemTime;

use tokio::time::Instant;

use super::child::{Ended, Program, StopCause};
use super::listening::Listening;
use super::output::Framing;
use super::shutdown::Shutdown;
use super::{Outcome, Stage, run_program};
use crate::config::{OnFailure, Step, Variables, variable};
use crate::dbt::{Feed, SPANS, Told, read_spans};
use crate::process::{Ending, Error};

mod before;
mod docs;

use before::Before;
pub(crate) use docs::site_directory;
use docs::{CATALOG, Docs, WRITE_CATALOG, catalog_command};

const SOURCES: &str = "sources.json";

/// Runs a step of dbt 2. `version`: as far as it is known.
pub(super) async fn run(
    step: &Step,
    stage: &Stage,
    version: Option<&str>,
    framing: &Framing,
    mut listening: Listening<'_>,
    until: Option<Instant>,
    shutdown: &mut Shutdown,
) -> Outcome {
    let start = Instant::now();
    let mut variables = stage.environment.variables.clone();
    let spans = Spans::ask_for(&mut variables, step, stage);
    let feed = spans
        .as_ref()
        .map(|spans| Feed::of_spans(spans.file.clone()));
    let docs = step.makes_docs().then(|| Docs::before(step, stage));
    let sources = is_freshness(step).then(|| Before::of(stage.target_of(step), &[SOURCES]));
    if docs.is_some() {
        // Of other commands it would be that of the nodes they run.
        variables.insert(WRITE_CATALOG.into(), "true".into());
    }
    let command = run_command(&step.command, &variables, stage, framing, until, shutdown);
    let mut ended = listening.during(feed, command).await;
    if let Some(docs) = docs.as_ref().filter(|_| is_success(&ended))
        && !docs.has_catalog()
    {
        tracing::info!(
            "step {}: dbt compile --write-catalog, since docs generate left no {CATALOG}",
            step.name
        );
        let command = catalog_command(step);
        ended = run_command(&command, &variables, stage, framing, until, shutdown).await;
    }
    let is_complete = is_success(&ended);
    let mut outcome = Outcome::of(&step.name, step.on_failure, start.elapsed(), ended);
    if let Some(missing) = docs
        .filter(|_| is_complete)
        .and_then(|docs| docs.missing(version, step.on_failure))
    {
        outcome = outcome.lacking(step.on_failure, stage.code_without_docs, missing);
    }
    if sources.is_some_and(|before| is_complete && !before.has_new(SOURCES)) {
        let version = version.unwrap_or("2");
        let what =
            format!("dbt {version} ended with 0 and wrote no {SOURCES}: it checked no source");
        outcome = outcome.lacking(OnFailure::Warn, 0, what);
    }
    if !is_complete {
        let stopped = moment_of_stop(outcome.stopped, until, shutdown);
        let told = spans
            .as_ref()
            .map_or_else(Told::default, |spans| spans.read(stopped));
        outcome.told = Some(told);
    }
    outcome
}

async fn run_command(
    command: &[String],
    variables: &Variables,
    stage: &Stage,
    framing: &Framing,
    until: Option<Instant>,
    shutdown: &mut Shutdown,
) -> Result<Ended, Error> {
    let program = Program {
        path: stage.dbt.clone(),
        arguments: command.iter().map(OsString::from).collect(),
        variables,
        directory: Some(stage.directory.clone()),
        stdin: Stdio::null(),
    };
    run_program(
        program,
        framing,
        &stage.redactor,
        until,
        stage.stop_timeout,
        shutdown,
    )
    .await
}

fn is_success(ended: &Result<Ended, Error>) -> bool {
    ended
        .as_ref()
        .is_ok_and(|ended| ended.stopped.is_none() && ended.ending == Ending::Code(0))
}

/// When the runner stopped the step, by the clock that dbt's spans go by.
fn moment_of_stop(
    stopped: Option<StopCause>,
    until: Option<Instant>,
    shutdown: &Shutdown,
) -> Option<SystemTime> {
    let at = match stopped? {
        StopCause::Run(_) => shutdown.requested()?.at,
        StopCause::StepTimeout => until?,
    };
    SystemTime::now().checked_sub(at.elapsed())
}

/// The file in which dbt 2 tells what becomes of its nodes. One of ours lies where dbt writes, so
/// that a run that is killed leaves it where the next one takes it away.
struct Spans {
    file: PathBuf,
    /// Not one that the user wants, to which each command adds.
    is_ours: bool,
    /// What was in it before the step.
    before: u64,
}

impl Spans {
    const FILE: &str = "dbt-entrypoint-spans.jsonl";

    /// `None` where there is no place for them, or where it is not known.
    fn ask_for(variables: &mut Variables, step: &Step, stage: &Stage) -> Option<Self> {
        if step.option(&["--otel-file-name"]).is_some() {
            return None;
        }
        if let Some(theirs) = variable(variables, SPANS).map(PathBuf::from) {
            // dbt puts a relative one among its logs, wherever those are.
            return theirs.is_absolute().then(|| Self {
                before: fs::metadata(&theirs).map_or(0, |file| file.len()),
                file: theirs,
                is_ours: false,
            });
        }
        let target = stage.target_of(step);
        fs::create_dir_all(&target).ok()?;
        let spans = Self {
            file: target.join(Self::FILE),
            is_ours: true,
            before: 0,
        };
        spans.remove();
        variables.insert(SPANS.into(), spans.file.clone().into());
        Some(spans)
    }

    fn remove(&self) {
        if self.is_ours {
            // Mostly it is not there.
            drop(fs::remove_file(&self.file));
        }
    }

    /// Nothing where dbt wrote nothing: then nothing is known.
    fn read(&self, until: Option<SystemTime>) -> Told {
        read_spans(&self.file, self.before, until).unwrap_or_else(|_| Told {
            is_stopped: until.is_some(),
            ..Told::default()
        })
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether a step asks how old the sources are. What it finds may go to a file of the user's.
fn is_freshness(step: &Step) -> bool {
    let is_asked = step.subcommand() == "source"
        && (step.command.get(1)).is_some_and(|word| word.ends_with("freshness"));
    is_asked && step.option(&["--output", "-o"]).is_none()
}
