//! Owns one child process and its group: how to start it, wait for it and stop it.
//!
//! Never reads what it prints and never decides what its end means for the run.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until};

use super::shutdown::{Cause, Event, Shutdown, sleep_until_some};
use crate::config::Variables;
use crate::process::{AFTER_SIGKILL, Awaited, Ending, Error, ProcessGroup, isolate};
use crate::session::{Forked, Session, Status};

/// A second SIGINT this long after the first clears the cases in which dbt swallowed the first one.
/// Sooner, it would kill dbt while it cancels its queries in the warehouse.
const SECOND_INTERRUPT: Duration = Duration::from_secs(8);
/// The part of the stop budget that is kept for the upload of the ledger.
const UPLOAD: Duration = Duration::from_secs(5);

/// A program with its arguments and surroundings.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: &'a Variables,
    /// The runner's own working directory if none is given.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdin: Stdio,
}

/// Why a process was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopCause {
    Run(Cause),
    /// The step's own `timeout`.
    StepTimeout,
}

/// The end of a process, and whether the runner brought it about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) stopped: Option<StopCause>,
    /// SIGINT was not enough.
    pub(crate) killed: bool,
}

/// A started program.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    path: PathBuf,
    process: Process<'a>,
    group: ProcessGroup,
    /// There is nobody left to stop.
    ended: bool,
}

/// Whose child it is, and so how its end is learned.
#[derive(Debug)]
enum Process<'a> {
    /// Ours.
    Child(
        Child,
        #[expect(dead_code, reason = "keeps its end from being taken")] Awaited,
    ),
    /// The session's.
    Forked {
        session: &'a mut Session,
        status: Status,
    },
}

impl Process<'_> {
    /// May be dropped and called again until it has given an answer.
    async fn wait(&mut self) -> io::Result<Ending> {
        match self {
            Self::Child(child, _) => child.wait().await.map(Ending::from),
            Self::Forked { session, status } => session.ended(status).await,
        }
    }
}

/// The ends of a program's output that are read.
pub(super) type Output = (Option<OwnedFd>, Option<OwnedFd>);

impl Drop for Running<'_> {
    /// Whatever made the runner give up waiting, dbt does not go on by itself, and gets the one
    /// signal on which it cancels its queries.
    fn drop(&mut self) {
        if !self.ended {
            self.group.signal(Signal::SIGINT);
        }
    }
}

impl Program<'_> {
    /// Starts it, in a session and process group of its own.
    pub(crate) fn start(self) -> Result<(Running<'static>, Output), Error> {
        let mut command = std::process::Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables);
        command
            .stdin(self.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        isolate(&mut command);
        let path = self.path;
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .map_err(|source| Error::of_start(path.clone(), source))?;
        let number = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map_or(Pid::from_raw(0), Pid::from_raw);
        let awaited = Awaited::new(number);
        let pipe = |source| Error::CannotRun {
            program: path.clone(),
            source,
        };
        let stdout = child
            .stdout
            .take()
            .map(tokio::process::ChildStdout::into_owned_fd)
            .transpose()
            .map_err(pipe)?;
        let stderr = child
            .stderr
            .take()
            .map(tokio::process::ChildStderr::into_owned_fd)
            .transpose()
            .map_err(pipe)?;
        Ok((
            Running {
                path,
                process: Process::Child(child, awaited),
                group: ProcessGroup::led_by(number),
                ended: false,
            },
            (stdout, stderr),
        ))
    }
}

impl<'a> Running<'a> {
    /// A step that the session has forked. `path`: dbt's, for messages.
    pub(super) fn forked(
        path: PathBuf,
        forked: Forked,
        session: &'a mut Session,
    ) -> (Self, Output) {
        let Forked {
            group,
            stdout,
            stderr,
            status,
        } = forked;
        let output = (Some(stdout.into()), Some(stderr.into()));
        (
            Self {
                path,
                process: Process::Forked { session, status },
                group,
                ended: false,
            },
            output,
        )
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the end. When the run should stop, or the time is up (`until`), the group gets one
    /// SIGINT, a second one when it still lives 8 s later, and SIGKILL when the stop budget less
    /// the time for the upload has passed or somebody insists.
    pub(crate) async fn wait(
        mut self,
        until: Option<Instant>,
        budget: Duration,
        shutdown: &mut Shutdown,
    ) -> Result<Ended, Error> {
        let (cause, since) = loop {
            tokio::select! {
                ending = self.process.wait() => {
                    let ending = ending.map_err(|source| Error::Wait { program: self.path.clone(),
                        source })?;
                    self.ended = true;
                    return Ok(Ended { ending, stopped: None, killed: false });
                }
                event = shutdown.event() => match event {
                    Event::Stop(stop) => break (StopCause::Run(stop.cause), stop.at),
                    Event::PassOn(signal) => self.group.signal(signal),
                },
                () = sleep_until_some(until) => break (StopCause::StepTimeout, Instant::now()),
            }
        };
        let (ending, killed) = self.stop(since + kill_after(budget), shutdown).await;
        self.ended = true;
        Ok(Ended {
            ending,
            stopped: Some(cause),
            killed,
        })
    }

    async fn stop(&mut self, kill_at: Instant, shutdown: &mut Shutdown) -> (Ending, bool) {
        let group = self.group;
        // SIGTERM would end dbt at once: no query cancelled in the warehouse, no run_results.json.
        group.signal(Signal::SIGINT);
        let again = Instant::now() + SECOND_INTERRUPT;
        let process = &mut self.process;
        let gone = async {
            let ending = process.wait().await;
            group.gone().await;
            ending
        };
        tokio::pin!(gone);
        let mut killed = false;
        let mut interrupted_again = false;
        let mut given_up = kill_at + AFTER_SIGKILL;
        loop {
            tokio::select! {
                ending = &mut gone => {
                    let sent = if killed { Signal::SIGKILL } else { Signal::SIGINT };
                    // What nobody can tell, our own signal has done.
                    return (ending.unwrap_or(Ending::Signal(sent as i32)), killed);
                }
                () = sleep_until(again), if !interrupted_again => {
                    interrupted_again = true;
                    if again < kill_at {
                        group.signal(Signal::SIGINT);
                    }
                }
                () = sleep_until(kill_at), if !killed => {
                    killed = true;
                    given_up = Instant::now() + AFTER_SIGKILL;
                    group.signal(Signal::SIGKILL);
                }
                () = shutdown.second_signal(), if !killed => {
                    killed = true;
                    given_up = Instant::now() + AFTER_SIGKILL;
                    group.signal(Signal::SIGKILL);
                }
                () = sleep_until(given_up), if killed => {
                    tracing::error!("{} does not end even after SIGKILL; it is left behind",
                        self.path.display());
                    return (Ending::Signal(Signal::SIGKILL as i32), true);
                }
            }
        }
    }
}

/// Even a budget that leaves nothing after the upload's share gives the group a moment to end by
/// itself.
fn kill_after(budget: Duration) -> Duration {
    let least = Duration::from_secs(1).min(budget / 2);
    budget.saturating_sub(UPLOAD).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_seconds_of_the_budget_are_kept_for_the_upload() {
        for (budget, expected) in [
            (25_000, 20_000),
            (30_000, 25_000),
            (6_500, 1_500),
            (6_000, 1_000),
            (5_000, 1_000),
            (1_000, 500),
            (0, 0),
        ] {
            assert_eq!(
                kill_after(Duration::from_millis(budget)),
                Duration::from_millis(expected),
                "{budget} ms"
            );
        }
    }
}
