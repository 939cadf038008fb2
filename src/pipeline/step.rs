//! Owns the outcome of one step.
//!
//! Never reads dbt's output: what the runner did says whether a step was cancelled. dbt's exit code
//! does not: it is 2 in one version and 1 in the next.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::child::{Ended, StopCause};
use super::shutdown::Cause;
use crate::config::OnFailure;
use crate::dbt::Told;
use crate::process::{Ending, Error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    /// It failed, but that is only a warning.
    Warned,
    Failed,
    /// Ended after SIGINT, since the run should stop.
    Cancelled,
    /// Ended by SIGKILL or another signal: queries may go on in the warehouse.
    Killed,
    /// Ended after SIGINT, since the time was up.
    TimedOut,
    Skipped,
    /// Done by an earlier attempt, and not run again.
    Resumed,
}

impl Status {
    /// Whether the next step may rely on it.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Success | Self::Warned | Self::Resumed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Success => "success",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Killed => "killed",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
            Self::Resumed => "resumed",
        })
    }
}

/// The outcome of one step.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) status: Status,
    /// As a shell reports it; `None` for a step that did not run.
    pub(crate) exit_code: Option<u8>,
    pub(crate) seconds: f64,
    pub(crate) stopped: Option<StopCause>,
    /// Why it could not start, or why it failed though dbt says that it did not.
    pub(crate) fault: Option<String>,
    /// Of a dbt 2 that did not succeed: its results may call every node an error.
    pub(crate) told: Option<Told>,
    /// What it said last, redacted.
    pub(crate) last_words: Option<String>,
}

impl Outcome {
    /// The outcome of a step that had nothing to do.
    pub(super) fn done(name: &str) -> Self {
        Self {
            status: Status::Success,
            exit_code: Some(0),
            ..Self::skipped(name)
        }
    }

    /// The outcome of a step that an earlier attempt has done.
    pub(super) fn resumed(name: &str) -> Self {
        Self {
            status: Status::Resumed,
            ..Self::skipped(name)
        }
    }

    /// The outcome of a step that did not run.
    pub(crate) fn skipped(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: Status::Skipped,
            exit_code: None,
            seconds: 0.0,
            stopped: None,
            fault: None,
            told: None,
            last_words: None,
        }
    }

    /// A step that dbt calls a success, and that did not leave what it is there for.
    pub(crate) fn lacking(self, on_failure: OnFailure, code: u8, what: String) -> Self {
        Self {
            status: if on_failure == OnFailure::Warn {
                Status::Warned
            } else {
                Status::Failed
            },
            exit_code: Some(code),
            fault: Some(what),
            ..self
        }
    }

    pub(super) fn of(
        name: &str,
        on_failure: OnFailure,
        time: Duration,
        ended: Result<Ended, Error>,
    ) -> Self {
        let outcome = Self {
            seconds: time.as_secs_f64(),
            ..Self::skipped(name)
        };
        let warned = |status| {
            if on_failure == OnFailure::Warn {
                Status::Warned
            } else {
                status
            }
        };
        match ended {
            Ok(ended) => {
                let status = match (ended.stopped, ended.ending) {
                    // When the whole run stops, a step's failure is never only a warning.
                    (Some(StopCause::Run(_)), _) if ended.killed => Status::Killed,
                    (Some(StopCause::Run(Cause::Signal(_) | Cause::LeaseLost)), _) => {
                        Status::Cancelled
                    }
                    (Some(StopCause::Run(Cause::Deadline)), _) => Status::TimedOut,
                    (Some(StopCause::StepTimeout), _) => warned(if ended.killed {
                        Status::Killed
                    } else {
                        Status::TimedOut
                    }),
                    (None, Ending::Code(0)) => Status::Success,
                    (None, Ending::Code(_)) => warned(Status::Failed),
                    (None, Ending::Signal(_)) => warned(Status::Killed),
                };
                Self {
                    status,
                    exit_code: Some(ended.ending.code()),
                    stopped: ended.stopped,
                    ..outcome
                }
            }
            Err(error) => {
                let fault = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Self {
                    status: warned(Status::Failed),
                    exit_code: Some(error.code()),
                    fault: Some(fault),
                    ..outcome
                }
            }
        }
    }

    /// How a step ended whose failure is only a warning.
    pub(crate) fn in_words(&self) -> String {
        match (self.stopped, self.exit_code) {
            (Some(_), _) => format!("stopped by its timeout after {:.1} s", self.seconds),
            (None, Some(code)) => format!("failed (exit code {code})"),
            (None, None) => "failed".to_owned(),
        }
    }

    /// What an operator should know if the end was not an ordinary exit, after a separator.
    pub(crate) fn explanation(&self) -> String {
        match (self.status, self.stopped, self.exit_code) {
            (Status::Killed, Some(_), _) => {
                " (SIGKILL after SIGINT was not enough; its queries may go on in the warehouse)"
                    .to_owned()
            }
            (Status::Killed, None, Some(137)) => {
                " (killed by signal 9, probably out of memory)".to_owned()
            }
            (Status::Killed, None, Some(code)) => {
                let number = i32::from(code) - 128;
                let name = Signal::try_from(number)
                    .map_or_else(|_| String::new(), |signal| format!(", {signal}"));
                format!(" (killed by signal {number}{name})")
            }
            (Status::Failed, _, Some(code)) => format!(" (exit code {code})"),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNAL: Option<StopCause> = Some(StopCause::Run(Cause::Signal(Signal::SIGTERM)));
    const DEADLINE: Option<StopCause> = Some(StopCause::Run(Cause::Deadline));
    const TIMEOUT: Option<StopCause> = Some(StopCause::StepTimeout);

    /// What became of a step: first where its failure counts, then where it is only a warning.
    #[test]
    fn what_the_runner_did_decides_and_not_the_code_of_dbt() {
        for (ending, stopped, killed, expected, as_warning) in [
            (
                Ending::Code(0),
                None,
                false,
                Status::Success,
                Status::Success,
            ),
            (Ending::Code(1), None, false, Status::Failed, Status::Warned),
            (Ending::Code(2), None, false, Status::Failed, Status::Warned),
            (
                Ending::Signal(9),
                None,
                false,
                Status::Killed,
                Status::Warned,
            ),
            (
                Ending::Code(0),
                SIGNAL,
                false,
                Status::Cancelled,
                Status::Cancelled,
            ),
            (
                Ending::Code(2),
                SIGNAL,
                false,
                Status::Cancelled,
                Status::Cancelled,
            ),
            (
                Ending::Signal(9),
                SIGNAL,
                true,
                Status::Killed,
                Status::Killed,
            ),
            (
                Ending::Code(1),
                DEADLINE,
                false,
                Status::TimedOut,
                Status::TimedOut,
            ),
            (
                Ending::Signal(9),
                DEADLINE,
                true,
                Status::Killed,
                Status::Killed,
            ),
            (
                Ending::Code(2),
                TIMEOUT,
                false,
                Status::TimedOut,
                Status::Warned,
            ),
            (
                Ending::Signal(9),
                TIMEOUT,
                true,
                Status::Killed,
                Status::Warned,
            ),
        ] {
            for (on_failure, expected) in [
                (OnFailure::Stop, expected),
                (OnFailure::Continue, expected),
                (OnFailure::Warn, as_warning),
            ] {
                let ended = Ended {
                    ending,
                    stopped,
                    killed,
                };
                let outcome =
                    Outcome::of("run", on_failure, Duration::from_millis(1500), Ok(ended));
                assert_eq!(outcome.status, expected, "{ended:?} with {on_failure:?}");
                assert_eq!(
                    (outcome.exit_code, outcome.stopped),
                    (Some(ending.code()), stopped)
                );
                assert!((outcome.seconds - 1.5).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_step_that_could_not_be_run_says_why() {
        let error = || Error::CannotRun {
            program: "/bin/dbt".into(),
            source: std::io::Error::other("no"),
        };
        let outcome = Outcome::of("run", OnFailure::Stop, Duration::ZERO, Err(error()));
        assert_eq!(
            (outcome.status, outcome.exit_code),
            (Status::Failed, Some(126))
        );
        assert_eq!(outcome.fault.as_deref(), Some("/bin/dbt cannot be run: no"));
        assert_eq!(
            Outcome::of("run", OnFailure::Warn, Duration::ZERO, Err(error())).status,
            Status::Warned
        );
    }
}
