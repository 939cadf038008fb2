//! Owns every exit code of the program, and which failure leads to which.
//!
//! Never exits: only `main` and `init` do.

use crate::aws::{self, FaultKind};
use crate::credentials;
use crate::environment;
use crate::pipeline::{self, Cause, Outcome, Status, StopCause};

/// How the program ends. The README and `--help` have the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// Everything ran and was published.
    Success,
    /// A step's own code, passed through.
    Step(u8),
    /// Bad command line or settings.
    Usage,
    /// The credentials do not exist, are incomplete or malformed.
    Credentials,
    /// AWS could not be reached, or kept throttling, while credentials were fetched.
    Unavailable,
    /// A fault in the runner itself.
    Internal,
    /// dbt succeeded and publishing did not, or the destination was found unusable before step one.
    Publish,
    /// AWS denied access to the credentials.
    Denied,
    /// The deadline or a step's timeout passed.
    TimedOut,
    /// A program is there and cannot be run.
    CannotRun,
    /// A program was not found.
    NotFound,
    /// Ended by a signal.
    Signal(i32),
}

impl ExitCode {
    /// The number for `exit`.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Step(code) => code,
            Self::Usage => 64,
            Self::Credentials => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Publish => 74,
            Self::Denied => 77,
            Self::TimedOut => 124,
            Self::CannotRun => 126,
            Self::NotFound => 127,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }

    /// What the steps say: the first one that failed decides, except that a run which was stopped ends as it was stopped.
    pub(crate) fn of_steps(outcomes: &[Outcome]) -> Self {
        let stopped = outcomes.iter().find_map(|outcome| match outcome.stopped {
            Some(StopCause::Run(cause)) => Some(Self::from(cause)),
            _ => None,
        });
        let is_failure = |outcome: &&Outcome| !matches!(outcome.status, Status::Success | Status::Warned | Status::Skipped);
        let failed = outcomes.iter().find(is_failure).map(|outcome| match (outcome.stopped, outcome.exit_code) {
            (Some(_), _) => Self::TimedOut,
            (None, Some(code)) => Self::Step(code),
            (None, None) => Self::Internal,
        });
        stopped.or(failed).unwrap_or(Self::Success)
    }
}

impl From<Cause> for ExitCode {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Signal(signal) => Self::Signal(signal as i32),
            Cause::Deadline => Self::TimedOut,
        }
    }
}

impl From<&credentials::Error> for ExitCode {
    fn from(error: &credentials::Error) -> Self {
        match error.kind() {
            FaultKind::NotFound | FaultKind::Invalid => Self::Credentials,
            FaultKind::Denied | FaultKind::Unauthenticated => Self::Denied,
            FaultKind::Unreachable | FaultKind::Unexpected => Self::Unavailable,
            FaultKind::Misconfigured => Self::Usage,
        }
    }
}

impl From<&environment::Error> for ExitCode {
    fn from(error: &environment::Error) -> Self {
        match error {
            environment::Error::Incomplete { .. } => Self::Credentials,
            environment::Error::Port => Self::Usage,
        }
    }
}

impl From<&aws::Error> for ExitCode {
    fn from(_: &aws::Error) -> Self {
        Self::Usage
    }
}

impl From<&pipeline::Error> for ExitCode {
    fn from(error: &pipeline::Error) -> Self {
        match error {
            pipeline::Error::NotFound { .. } => Self::NotFound,
            pipeline::Error::CannotRun { .. } => Self::CannotRun,
            pipeline::Error::Wait { .. } => Self::Internal,
        }
    }
}
