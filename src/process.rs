//! Owns what every process of ours has in common: how its program is found, how it is isolated, how
//! it ends, its group, what it leaves behind.
//!
//! Never decides what its end means.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
#[cfg(target_os = "linux")]
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
#[cfg(target_os = "linux")]
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid, setsid};

mod group;
mod lookup;
mod proc_fs;
pub(crate) mod seclusion;
pub(crate) mod strays;

pub(crate) use group::ProcessGroup;
pub(crate) use lookup::find;
pub(crate) use strays::Awaited;

/// Only a process that waits for a device outlives SIGKILL, perhaps forever.
pub(crate) const AFTER_SIGKILL: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} was not found", .program.display())]
    NotFound { program: PathBuf, source: io::Error },
    #[error("{} cannot be run", .program.display())]
    CannotRun { program: PathBuf, source: io::Error },
    #[error("cannot wait for {} to end", .program.display())]
    Wait { program: PathBuf, source: io::Error },
}

impl Error {
    /// As a shell reports it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::CannotRun { .. } => 126,
            Self::Wait { .. } => 70,
        }
    }

    /// Why a program that was found could not be started.
    pub(crate) fn of_start(program: PathBuf, source: io::Error) -> Self {
        // A script without its interpreter exists but cannot be run.
        if source.kind() == io::ErrorKind::NotFound && !program.exists() {
            Self::NotFound { program, source }
        } else {
            Self::CannotRun { program, source }
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(u8),
    Signal(i32),
}

impl Ending {
    /// As a shell reports it: 128+n for a signal.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }
}

impl From<std::process::ExitStatus> for Ending {
    fn from(status: std::process::ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, Some(number)) => Self::Signal(number),
            (None, None) => Self::Code(u8::MAX),
        }
    }
}

/// Gives a program a session and process group of its own, with default signal dispositions and an
/// empty mask. On Linux it gets a SIGINT when the runner is killed.
///
/// A process that a shell starts in the background has SIGINT ignored and hands that on: dbt would
/// never hear that it should cancel. A session of its own keeps a git prompt that reads the
/// terminal from stopping the group, and a Ctrl-C on the terminal from reaching dbt a second time.
///
/// A killed runner stops nobody, and once its lease has run out the next run begins: dbt should be
/// gone by then. A script that starts dbt has to hand the signal on. The kernel looks at the thread
/// that has started the program: the main one, which lives as long as the runner.
#[expect(
    unsafe_code,
    reason = "what a child does between fork and exec has no safe form"
)]
pub(crate) fn isolate(command: &mut std::process::Command) {
    let core_limit = seclusion::inherited_core_limit();
    let runner = getpid();
    // SAFETY: only async-signal-safe calls, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            #[cfg(target_os = "linux")]
            prctl::set_pdeathsig(Signal::SIGINT)?;
            if getppid() != runner {
                // It was killed before it could be told.
                return Err(Errno::ESRCH.into());
            }
            if let Some((soft, hard)) = core_limit {
                setrlimit(Resource::RLIMIT_CORE, soft, hard)?;
            }
            for number in 1..=libc::SIGRTMAX() {
                libc::signal(number, libc::SIG_DFL);
            }
            let mut empty: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut empty);
            Errno::result(libc::sigprocmask(
                libc::SIG_SETMASK,
                &raw const empty,
                std::ptr::null_mut(),
            ))?;
            Ok(())
        });
    }
}
