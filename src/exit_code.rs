//! Owns every exit code of the program, and which error of the modules above leads to which. Those
//! of a run itself are decided in `run`: `prepare`, `preflight`, `publishing`.
//!
//! Never exits: only `main` and `init` do.

use crate::aws::{self, FaultKind};
use crate::credentials;
use crate::environment;
use crate::lease;
use crate::pipeline::{Cause, Outcome, Status, StopCause};
use crate::process;

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
    /// dbt succeeded but publishing did not, or the destination was found unusable before step one.
    PublishFailed,
    /// Another run holds the lease, or this one lost it.
    NoLease,
    /// AWS denied access to the credentials.
    Denied,
    /// The deadline or a step's timeout passed.
    TimedOut,
    /// A program exists but cannot be run.
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
            Self::PublishFailed => 74,
            Self::NoLease => 75,
            Self::Denied => 77,
            Self::TimedOut => 124,
            Self::CannotRun => 126,
            Self::NotFound => 127,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }

    /// The exit code of the steps: that of the first one that failed. If the run was stopped, what
    /// stopped it decides instead.
    pub(crate) fn of_steps(outcomes: &[Outcome]) -> Self {
        let stopped = outcomes.iter().find_map(|outcome| match outcome.stopped {
            Some(StopCause::Run(cause)) => Some(Self::from(cause)),
            _ => None,
        });
        let is_failure =
            |outcome: &&Outcome| !outcome.status.is_success() && outcome.status != Status::Skipped;
        let failed = outcomes.iter().find(is_failure).map(|outcome| {
            match (outcome.stopped, outcome.exit_code) {
                (Some(_), _) => Self::TimedOut,
                (None, Some(code)) => Self::Step(code),
                (None, None) => Self::Internal,
            }
        });
        stopped.or(failed).unwrap_or(Self::Success)
    }
}

impl From<Cause> for ExitCode {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Signal(signal) => Self::Signal(signal as i32),
            Cause::Deadline => Self::TimedOut,
            Cause::LeaseLost => Self::NoLease,
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
            environment::Error::Incomplete { .. } | environment::Error::Reference { .. } => {
                Self::Credentials
            }
            environment::Error::Port | environment::Error::Host(_) => Self::Usage,
        }
    }
}

impl From<&lease::Refusal> for ExitCode {
    fn from(refusal: &lease::Refusal) -> Self {
        match (refusal, refusal.kind()) {
            (lease::Refusal::Held { .. }, _) => Self::NoLease,
            (lease::Refusal::NoLease { .. }, _) => Self::Usage,
            (lease::Refusal::Unkept { .. }, _) => Self::Internal,
            (_, Some(FaultKind::Denied | FaultKind::Unauthenticated)) => Self::Denied,
            (_, Some(FaultKind::NotFound | FaultKind::Misconfigured)) => Self::Usage,
            // A directory that cannot be written to.
            (lease::Refusal::Unusable { .. }, None) => Self::PublishFailed,
            _ => Self::Unavailable,
        }
    }
}

impl From<&aws::Error> for ExitCode {
    fn from(_: &aws::Error) -> Self {
        Self::Usage
    }
}

impl From<&process::Error> for ExitCode {
    fn from(error: &process::Error) -> Self {
        match error {
            process::Error::NotFound { .. } => Self::NotFound,
            process::Error::CannotRun { .. } => Self::CannotRun,
            process::Error::Wait { .. } => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    fn outcome(status: Status, exit_code: Option<u8>, stopped: Option<StopCause>) -> Outcome {
        Outcome {
            status,
            exit_code,
            stopped,
            ..Outcome::skipped("step")
        }
    }

    fn of(outcomes: &[(Status, Option<u8>, Option<StopCause>)]) -> u8 {
        let outcomes: Vec<Outcome> = outcomes
            .iter()
            .map(|(status, code, stopped)| outcome(*status, *code, *stopped))
            .collect();
        ExitCode::of_steps(&outcomes).number()
    }

    const TERMINATED: Option<StopCause> = Some(StopCause::Run(Cause::Signal(Signal::SIGTERM)));
    const INTERRUPTED: Option<StopCause> = Some(StopCause::Run(Cause::Signal(Signal::SIGINT)));
    const DEADLINE: Option<StopCause> = Some(StopCause::Run(Cause::Deadline));
    const LOST: Option<StopCause> = Some(StopCause::Run(Cause::LeaseLost));
    const TIMEOUT: Option<StopCause> = Some(StopCause::StepTimeout);

    /// Every status with every reason for being stopped.
    #[test]
    fn one_step() {
        for (status, exit_code, plain, timeout) in [
            (Status::Success, Some(0), 0, 0),
            (Status::Warned, Some(1), 0, 0),
            (Status::Skipped, None, 0, 0),
            (Status::Failed, Some(1), 1, 124),
            (Status::Failed, Some(2), 2, 124),
            (Status::Failed, Some(127), 127, 124),
            (Status::Failed, None, 70, 124),
            (Status::Killed, Some(137), 137, 124),
            (Status::Killed, Some(143), 143, 124),
            (Status::Cancelled, Some(2), 2, 124),
            (Status::TimedOut, Some(2), 2, 124),
        ] {
            for (stopped, expected) in [
                (None, plain),
                (TIMEOUT, timeout),
                (TERMINATED, 143),
                (INTERRUPTED, 130),
                (DEADLINE, 124),
                (LOST, 75),
            ] {
                assert_eq!(
                    of(&[(status, exit_code, stopped)]),
                    expected,
                    "{status:?} {exit_code:?} {stopped:?}"
                );
            }
        }
    }

    #[test]
    fn of_several_steps_the_first_that_failed_decides_unless_the_run_was_stopped() {
        let good = (Status::Success, Some(0), None);
        let warned = (Status::Warned, Some(3), None);
        let failed = |code| (Status::Failed, Some(code), None);
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[good, warned, good]), 0);
        assert_eq!(of(&[good, failed(1), failed(2), good]), 1);
        assert_eq!(
            of(&[warned, failed(2), (Status::TimedOut, Some(2), TIMEOUT)]),
            2
        );
        assert_eq!(of(&[(Status::TimedOut, Some(2), TIMEOUT), failed(1)]), 124);
        assert_eq!(
            of(&[failed(1), (Status::Cancelled, Some(2), TERMINATED)]),
            143
        );
        assert_eq!(of(&[good, (Status::Killed, Some(137), DEADLINE)]), 124);
    }

    #[test]
    fn the_numbers_are_those_of_the_help() {
        let codes = [
            ExitCode::Success,
            ExitCode::Step(1),
            ExitCode::Usage,
            ExitCode::Credentials,
            ExitCode::Unavailable,
            ExitCode::Internal,
            ExitCode::PublishFailed,
            ExitCode::NoLease,
            ExitCode::Denied,
            ExitCode::TimedOut,
            ExitCode::CannotRun,
            ExitCode::NotFound,
            ExitCode::Signal(15),
        ];
        assert_eq!(
            codes.map(ExitCode::number),
            [0, 1, 64, 65, 69, 70, 74, 75, 77, 124, 126, 127, 143]
        );
        let help: Vec<&str> = crate::cli::EXIT_CODES
            .lines()
            .skip(1)
            .filter_map(|line| line.get(2..12))
            .map(str::trim)
            .collect();
        assert_eq!(
            help,
            [
                "0", "1, 2", "64", "65", "69", "70", "74", "75", "77", "124", "126, 127", "128+n"
            ]
        );
    }
}
