//! Owns what the closing line says, from its blank form to its end on stdout.
//!
//! Never publishes it: the ledger is `publishing`'s.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::Surroundings;
use super::pages::Pages;
use super::prepare::Error;
use crate::artifacts::{Destination, Results, seconds_since_1970};
use crate::causes;
use crate::config::{Config, Metrics, Pipeline, Publish, Resume};
use crate::exit_code::ExitCode;
use crate::lease::Lease;
use crate::pipeline::{Cause, Outcome, Shutdown, Status, Stop};
use crate::report::{self, Measured, Resumed, RunStatus, StepLine, Summary};

/// The least time for the closing line, even if the upload has used up the stop budget.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A run, from its first moment to its closing line.
pub(super) struct Run<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) shutdown: &'a mut Shutdown,
    /// What the closing line will say.
    pub(super) summary: Summary,
    /// From a signal to the end.
    pub(super) stop_timeout: Duration,
    /// Where the artifacts go; `None` until AWS is known, and for a run that publishes nothing.
    pub(super) destination: Option<Destination>,
    /// When it began.
    pub(super) begun: Instant,
    /// Whether the closing line carries metrics.
    pub(super) has_metrics: bool,
    /// What people will read of it.
    pub(super) pages: Pages,
    /// Held by this run, or asked for; `None` where it needs none.
    pub(super) lease: Option<Lease>,
}

/// The closing line of a run that never began: the command line was malformed, or the runner has a
/// fault.
/// `file`: where the line goes besides stdout.
pub(super) fn print_rejection(code: ExitCode, what: &str, file: Option<&Path>) {
    let mut summary = Summary::new(run_id(), code.number());
    summary.error = Some(what.to_owned());
    let line = summary.line();
    if let Some(path) = file {
        // The log may not have begun, and the line itself says what matters.
        let _ = report::write_summary(path, &line);
    }
    report::print(&format!("{line}\n"));
}

impl Run<'_> {
    /// Fills in what the settings say; every step counts as skipped until it has run.
    pub(super) fn describe_plan(&mut self, config: &Config, plan: &Pipeline) {
        self.has_metrics = plan.metrics == Metrics::Emf;
        let summary = &mut self.summary;
        summary.env = Some(config.env.clone());
        summary.project.clone_from(&config.project_name);
        summary.steps = plan
            .steps
            .iter()
            .map(|step| StepLine::new(&Outcome::skipped(&step.name), None))
            .collect();
        if let Publish::To { location, .. } = &plan.publish {
            summary.destination = Some(location.to_string());
        }
        summary.resumed = plan.resume.as_ref().map(|wanted| Resumed {
            from: match wanted {
                Resume::Run(run_id) => Some(run_id.clone()),
                Resume::Last => None,
            },
            // Until the run is found.
            refused: Some("this run ended before its first step".to_owned()),
            note: None,
        });
    }

    /// How long the run took, for its metrics: once, since two lines may tell it.
    pub(super) fn measure(&mut self) {
        if self.has_metrics && self.summary.measured.is_none() {
            let now = seconds_since_1970(SystemTime::now());
            self.summary.measured = Some(Measured::new(now, self.begun.elapsed()));
        }
    }

    /// The run cannot start.
    pub(super) fn record_error(&mut self, error: &Error) -> ExitCode {
        let console = &self.surroundings.console;
        console.error(error, error.hint().as_deref());
        self.summary.status = RunStatus::Error;
        self.summary.error = Some(causes::in_one_line(error));
        self.pages.hint = error.hint();
        if let (Some(resumed), Error::Resume(error)) = (&mut self.summary.resumed, error) {
            resumed.refused = Some(error.in_short());
        }
        error.code()
    }

    /// The run was stopped while no step ran.
    pub(super) fn record_stop(&mut self, stop: Stop) -> ExitCode {
        self.summary.status = match stop.cause {
            Cause::Signal(_) => RunStatus::Cancelled,
            Cause::Deadline => RunStatus::TimedOut,
            Cause::LeaseLost => {
                self.record_loss();
                RunStatus::Error
            }
        };
        stop.cause.into()
    }

    /// Records the outcome of a step.
    pub(super) fn record_step(
        &mut self,
        index: usize,
        outcome: &Outcome,
        results: Option<Results>,
    ) {
        let summary = &mut self.summary;
        // Where dbt gave up, nothing else says why.
        let names_none = |results: &Results| results.failed.is_empty();
        let gave_up = results.as_ref().is_none_or(names_none) && outcome.status == Status::Failed;
        let last_words = outcome.last_words.as_ref().filter(|_| gave_up);
        let (nodes, failed) = results.map_or((None, Vec::new()), |results| {
            self.pages.nodes_ran(index, results.runs);
            (Some(results.nodes), results.failed)
        });
        if let Some(line) = summary.steps.get_mut(index) {
            *line = StepLine::new(outcome, nodes);
        }
        // If a step's failure is only a warning, none of its nodes count as failed.
        if !outcome.status.is_success() {
            summary.failed.extend(failed);
        }
        if summary.error.is_none() && outcome.status != Status::Warned {
            summary.error = outcome.fault.as_ref().or(last_words).cloned();
        }
    }

    /// What the steps together mean.
    pub(super) fn set_final_status(&mut self, outcomes: &[Outcome]) -> ExitCode {
        let code = ExitCode::of_steps(outcomes);
        self.summary.status = match code {
            ExitCode::Success => RunStatus::Success,
            ExitCode::Signal(_) => RunStatus::Cancelled,
            ExitCode::TimedOut => RunStatus::TimedOut,
            ExitCode::NoLease => {
                self.record_loss();
                RunStatus::Error
            }
            // Of several failures the first one decides, as it does of the code.
            _ if outcomes
                .iter()
                .find(|outcome| !outcome.status.is_success())
                .is_some_and(|outcome| outcome.fault.is_some()) =>
            {
                RunStatus::Error
            }
            _ => RunStatus::Failed,
        };
        code
    }

    /// Prints the table and the line. A run that should stop does not wait for a reader of stdout
    /// that has stopped reading.
    pub(super) async fn close(mut self, code: ExitCode) {
        self.measure();
        let Self {
            surroundings,
            shutdown,
            mut summary,
            stop_timeout,
            ..
        } = self;
        summary.exit_code = code.number();
        let console = surroundings.console.clone();
        let line = console.line(&mut summary);
        let file = surroundings.summary_file.clone();
        let (printed, done) = oneshot::channel();
        let print = Arc::new(move || console.close(&summary, &line, file.as_deref()));
        let print_in_thread = Arc::clone(&print);
        let started = thread::Builder::new().spawn(move || {
            print_in_thread();
            // The run may no longer be waiting.
            let _ = printed.send(());
        });
        if started.is_err() {
            // No thread is to be had: the line is worth more than a limit on writing it.
            print();
            return;
        }
        let stop_budget_elapsed = async {
            let stop = shutdown.stopped().await;
            sleep_until((stop.at + stop_timeout).max(Instant::now() + LAST_WORDS)).await;
        };
        tokio::select! {
            _ = done => {}
            () = stop_budget_elapsed => {}
        }
    }
}

/// The time in UTC and eight random hex digits, such as `20261122T061442Z-0a1b2c3d`.
pub(super) fn run_id() -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now())
        .to_string()
        .replace(['-', ':'], "");
    let mut random = [0; 4];
    // Without randomness the process ID still distinguishes runs of the same second.
    let number = getrandom::fill(&mut random)
        .map_or_else(|_| std::process::id(), |()| u32::from_be_bytes(random));
    format!("{time}-{number:08x}")
}
