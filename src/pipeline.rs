//! Owns the fail-fast loop: the steps in order, what a failure means for the next one, and the
//! outcome of each.
//!
//! "dbt failed" is an outcome here and not an error. Never publishes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::{LogFormat, OnFailure, Step};
use crate::dbt::{NodeEvent, without_backtrace};
use crate::environment::Environment;
use crate::process::{Error, strays};
use crate::redact::Redactor;

mod child;
mod deps;
mod engine;
mod listening;
mod native;
mod output;
mod shutdown;
mod step;

pub(crate) use child::{Ended, Program, StopCause};
pub(crate) use engine::{Engine, without_secrets};
pub(crate) use listening::LastTime;
pub(crate) use native::site_directory;
pub(crate) use output::{Framing, Pump, Sink};

pub(crate) use shutdown::{Cause, Shutdown, Stop};
pub(crate) use step::{Outcome, Status};

use child::{Output, Running};
use engine::Attempt;
use listening::{Heard, Listening};
use output::LastWords;

/// What all steps of a run share.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Absolute.
    pub(crate) dbt: PathBuf,
    /// The project, or its copy: relative paths in a project count from here.
    pub(crate) directory: PathBuf,
    /// Where dbt writes, unless a step says otherwise.
    pub(crate) target: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) log_format: LogFormat,
    pub(crate) stop_timeout: Duration,
    /// Why `deps` has nothing to do, if so.
    pub(crate) packages_installed: Option<String>,
    /// The code of a docs step that succeeds and leaves no docs.
    pub(crate) code_without_docs: u8,
    /// As far as the history knows it.
    pub(crate) last_time: LastTime,
    /// The steps, by index, that an earlier attempt has done and that are not run again.
    pub(crate) resumed: BTreeSet<usize>,
    /// How many nodes of a step, by index, an earlier attempt has done: dbt tells of the others.
    pub(crate) done_before: BTreeMap<usize, usize>,
}

impl Stage {
    /// Where a step writes.
    fn target_of(&self, step: &Step) -> PathBuf {
        step.target_directory(&self.directory, &self.target)
    }
}

/// Runs the steps, and calls back as each one ends, before the next one starts (`ended`, which may
/// know better how), and for what dbt tells of its nodes meanwhile (`heard`). Returns the outcomes
/// of those that ran, and the reason if the run was stopped between two steps.
pub(crate) async fn run(
    steps: &[Step],
    stage: &Stage,
    engine: &mut Engine,
    shutdown: &mut Shutdown,
    mut heard: impl FnMut(usize, NodeEvent),
    mut ended: impl AsyncFnMut(usize, &Step, &mut Outcome),
) -> (Vec<Outcome>, Option<Stop>) {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        if let Some(stop) = already_stopped(shutdown).await {
            return (outcomes, Some(stop));
        }
        let heard = &mut |event| heard(index, event);
        let mut outcome = match &stage.packages_installed {
            _ if stage.resumed.contains(&index) => {
                tracing::info!(
                    "step {}: not run again, an earlier attempt has done it",
                    step.name
                );
                Outcome::resumed(&step.name)
            }
            Some(reason) if deps::is_plain(step) => {
                tracing::info!("step {}: nothing to do, {reason}", step.name);
                Outcome::done(&step.name)
            }
            _ if step.subcommand() == "deps" => {
                deps::run(step, stage, engine, heard, shutdown).await
            }
            _ => {
                let done_before = stage.done_before.get(&index).copied();
                let done_before = done_before.unwrap_or_default();
                run_step(step, stage, engine, done_before, heard, shutdown).await
            }
        };
        tokio::select! {
            biased;
            () = ended(index, step, &mut outcome) => {}
            () = stop_budget_elapsed(shutdown, stage.stop_timeout) => {
                tracing::warn!("step {}: its results could not be read in time", step.name);
            }
        }
        log_outcome(&outcome);
        let was_stopped = matches!(outcome.stopped, Some(StopCause::Run(_)));
        let goes_on = outcome.status.is_success() || step.on_failure != OnFailure::Stop;
        outcomes.push(outcome);
        if was_stopped || !goes_on {
            break;
        }
    }
    (outcomes, None)
}

/// Runs one program to its end, with its output on the runner's streams. Fails only if it could not
/// be started or waited for.
pub(crate) async fn run_program(
    program: Program<'_>,
    framing: &Framing,
    redactor: &Arc<Redactor>,
    until: Option<Instant>,
    stop_timeout: Duration,
    shutdown: &mut Shutdown,
) -> Result<Ended, Error> {
    let (running, output) = program.start()?;
    pump_until_end(
        running,
        output,
        framing,
        redactor,
        until,
        stop_timeout,
        shutdown,
    )
    .await
}

/// Sees a started process through to its end.
async fn pump_until_end(
    running: Running<'_>,
    (stdout, stderr): Output,
    framing: &Framing,
    redactor: &Arc<Redactor>,
    until: Option<Instant>,
    stop_timeout: Duration,
    shutdown: &mut Shutdown,
) -> Result<Ended, Error> {
    let path = running.path().to_owned();
    let mut pumps = Vec::new();
    let mut pump = |pipe: Option<OwnedFd>, sink| {
        pipe.map_or(Ok(()), |pipe| {
            Pump::start(pipe, sink, framing.clone(), Arc::clone(redactor))
                .map(|pump| pumps.push(pump))
        })
    };
    let pumped = pump(stdout, Sink::Stdout).and_then(|()| pump(stderr, Sink::Stderr));
    // A program whose output nobody can read is stopped at once.
    let until = pumped.as_ref().map_or(Some(Instant::now()), |()| until);
    let ended = running.wait(until, stop_timeout, shutdown).await;
    if framing.is_of_a_step() {
        strays::end().await;
    }
    // A reader of our stdout that has stopped reading delays us as it would delay dbt, but not
    // beyond the stop budget.
    let drained = async {
        for pump in pumps {
            pump.finish().await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = stop_budget_elapsed(shutdown, stop_timeout) => tracing::warn!("the end of the output \
            could not be written in time"),
    }
    pumped.map_err(|source| Error::CannotRun {
        program: path,
        source,
    })?;
    ended
}

/// `done_before`: how many of its nodes an earlier attempt has done.
async fn run_step(
    step: &Step,
    stage: &Stage,
    engine: &mut Engine,
    done_before: usize,
    heard: &mut Heard<'_>,
    shutdown: &mut Shutdown,
) -> Outcome {
    let words: Vec<&str> = step
        .command
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .map(String::as_str)
        .collect();
    tracing::info!("step {}: dbt {}", step.name, words.join(" "));
    tracing::debug!(
        "step {}: {} {}",
        step.name,
        stage.dbt.display(),
        step.command.join(" ")
    );
    let last_words = LastWords::default();
    let framing = match stage.log_format {
        LogFormat::Text => Framing::Raw {
            last_words: last_words.clone(),
        },
        LogFormat::Json => Framing::Json {
            step: step.name.clone(),
            last_words: last_words.clone(),
        },
    };
    let listening = Listening {
        step: &step.name,
        words: last_words.clone(),
        format: stage.log_format,
        last_time: &stage.last_time,
        done_before,
        heard,
    };
    let outcome = run_framed(step, stage, engine, &framing, listening, shutdown).await;
    // The last words of dbt 2 are suggestions and a summary.
    let told = outcome.told.as_ref();
    let reason = told.and_then(|told| told.reasons.first());
    let reason = reason.map(|reason| {
        let reason = without_backtrace(reason);
        output::shortened(&stage.redactor.text(&reason))
    });
    Outcome {
        last_words: reason.or_else(|| last_words.tell()),
        ..outcome
    }
}

async fn run_framed(
    step: &Step,
    stage: &Stage,
    engine: &mut Engine,
    framing: &Framing,
    mut listening: Listening<'_>,
    shutdown: &mut Shutdown,
) -> Outcome {
    let start = Instant::now();
    let until = step.timeout.and_then(|timeout| start.checked_add(timeout));
    let (redactor, budget) = (&stage.redactor, stage.stop_timeout);
    if engine.is_native() {
        let version = engine.identity().version.as_deref();
        return native::run(step, stage, version, framing, listening, until, shutdown).await;
    }
    let ended = match engine.start(step, stage, until, shutdown).await {
        Attempt::Started(running, output, feed) => {
            let ended =
                pump_until_end(*running, output, framing, redactor, until, budget, shutdown);
            listening.during(feed.map(|feed| *feed), ended).await
        }
        Attempt::Stopped(ended) => Ok(ended),
        Attempt::NoSession => {
            run_program(
                process_of(step, stage),
                framing,
                redactor,
                until,
                budget,
                shutdown,
            )
            .await
        }
    };
    Outcome::of(&step.name, step.on_failure, start.elapsed(), ended)
}

/// The step as its own dbt process.
fn process_of<'a>(step: &Step, stage: &'a Stage) -> Program<'a> {
    Program {
        path: stage.dbt.clone(),
        arguments: step.command.iter().map(Into::into).collect(),
        variables: &stage.environment.variables,
        directory: Some(stage.directory.clone()),
        stdin: Stdio::null(),
    }
}

/// The request to stop, if there is one by now.
async fn already_stopped(shutdown: &mut Shutdown) -> Option<Stop> {
    // A signal that came while this thread was busy is noticed only once the runtime has looked.
    tokio::task::yield_now().await;
    tokio::select! {
        biased;
        stop = shutdown.stopped() => Some(stop),
        () = std::future::ready(()) => None,
    }
}

/// Waits until the stop budget is used up, except for the last second, in which the run reports its
/// end.
async fn stop_budget_elapsed(shutdown: &mut Shutdown, budget: Duration) {
    let stop = shutdown.stopped().await;
    sleep_until(stop.at + budget.saturating_sub(Duration::from_secs(1))).await;
}

fn log_outcome(outcome: &Outcome) {
    let name = &outcome.name;
    let seconds = outcome.seconds;
    match (outcome.status, &outcome.fault) {
        (Status::Success, _) => tracing::info!("step {name}: success in {seconds:.1} s"),
        (Status::Resumed, _) => {}
        (Status::Warned, Some(fault)) => {
            tracing::warn!("step {name}: {fault}; that is only a warning");
        }
        (Status::Warned, None) => tracing::warn!(
            "step {name}: {}, which is only a warning",
            outcome.in_words()
        ),
        (_, Some(fault)) => tracing::error!("step {name}: {fault}"),
        (status, None) => tracing::error!(
            "step {name}: {status} after {seconds:.1} s{}",
            outcome.explanation()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_that_came_while_the_thread_was_busy_is_noticed_between_two_steps() {
        let mut shutdown = Shutdown::install().unwrap();
        assert!(already_stopped(&mut shutdown).await.is_none());
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(already_stopped(&mut shutdown).await.is_some());
    }
}
