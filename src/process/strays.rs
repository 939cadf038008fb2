//! Owns the processes that a step leaves behind: daemons, double forks, background jobs. They
//! become children of the runner, which reaps them while the step runs and ends them after it.
//!
//! Never touches a child that its own module waits for, nor one of this session, such as a
//! `credential_process` of the AWS SDK.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid, getsid};
use tokio::time::{Instant, sleep};

use super::{AFTER_SIGKILL, Ending, proc_fs};
use crate::init;

/// What ends with its step, as Python's resource tracker does, needs a moment to notice, and more
/// than one where the processor is shared.
const GRACE: Duration = Duration::from_millis(750);
/// What is still there then forks faster than it can be ended one by one.
const ONE_BY_ONE: Duration = Duration::from_millis(750);
/// Between two looks at processes that are about to end.
const NAP: Duration = Duration::from_millis(2);

/// The children that somebody waits for. A fact about this process, so there is one of it.
static AWAITED: Mutex<BTreeSet<Pid>> = Mutex::new(BTreeSet::new());

fn awaited() -> MutexGuard<'static, BTreeSet<Pid>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that somebody waits for a child, as long as it is kept. To be made before anything is
/// awaited after the start, or its end may be taken for that of a stray.
#[derive(Debug)]
pub(crate) struct Awaited(Pid);

impl Awaited {
    pub(crate) fn new(child: Pid) -> Self {
        awaited().insert(child);
        Self(child)
    }

    /// How a process has ended that became our child when its own parent ended, or will in a
    /// moment; `None` if it never does.
    pub(crate) async fn inherited_ending(&self) -> Option<Ending> {
        let start = Instant::now();
        loop {
            match waitpid(self.0, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => {
                    return Some(Ending::Code(u8::try_from(code).unwrap_or(u8::MAX)));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return Some(Ending::Signal(signal as i32));
                }
                _ if start.elapsed() > AFTER_SIGKILL => return None,
                _ => sleep(NAP).await,
            }
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        awaited().remove(&self.0);
    }
}

/// From here on, orphans of the steps are children of this process and are reaped as they end.
/// Needs a running runtime. Elsewhere than on Linux they go to the system's own reaper.
pub(crate) fn adopt() {
    #[cfg(target_os = "linux")]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // An old kernel without it leaves them to PID 1, as before.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        if let Ok(mut ended) = signal(SignalKind::child()) {
            tokio::spawn(async move {
                while ended.recv().await.is_some() {
                    reap(strays());
                }
            });
        }
    }
}

/// Ends what is left of the steps, and does not return before it is gone, except where even SIGKILL
/// does not help.
pub(crate) async fn end() {
    let start = Instant::now();
    let mut killed: BTreeSet<Pid> = BTreeSet::new();
    let mut seen_last = Vec::new();
    loop {
        let found = strays();
        // Only a look that finds nobody is the end: whoever has ended since the last one may have
        // left a child, which is a child of this process by now.
        if found.is_empty() {
            break;
        }
        let left = reap(found);
        if start.elapsed() > GRACE {
            end_now(&left);
            killed.extend(&left);
        }
        if start.elapsed() > GRACE + ONE_BY_ONE && init::is_pid_1_ours() {
            // Everybody whom this user may end, except PID 1 and ourselves: none of them can fork
            // meanwhile. A session of ours is lost by it, which costs time alone.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        }
        if start.elapsed() > GRACE + AFTER_SIGKILL {
            tracing::error!(
                "{} processes that the steps had left behind do not end even after SIGKILL",
                left.len()
            );
            return;
        }
        // One that forks and ends, again and again, is caught only without a pause.
        if left == seen_last {
            sleep(NAP).await;
        } else {
            tokio::task::yield_now().await;
        }
        seen_last = left;
    }
    match killed.len() {
        0 => {}
        1 => tracing::warn!("ended a process that the step had left behind"),
        count => tracing::warn!("ended {count} processes that the step had left behind"),
    }
}

/// Ends each of them, together with its process group: a signal to a group reaches all of it before
/// any of it can fork again.
fn end_now(strays: &[Pid]) {
    let groups: BTreeSet<Pid> = strays
        .iter()
        .filter_map(|stray| getpgid(Some(*stray)).ok())
        // Other numbers do not mean a group.
        .filter(|group| group.as_raw() > 1)
        .collect();
    // What has ended meanwhile needs no signal.
    for group in groups.difference(&awaited()) {
        let _ = killpg(*group, Signal::SIGKILL);
    }
    for stray in strays {
        let _ = kill(*stray, Signal::SIGKILL);
    }
}

/// The children that nobody waits for, those that have ended among them.
fn strays() -> Vec<Pid> {
    let ours = getsid(None).ok();
    let mut children = proc_fs::children();
    // Steps and the host have sessions of their own, and nobody can enter another session.
    children.retain(|child| !awaited().contains(child) && getsid(Some(*child)).ok() != ours);
    children
}

/// Takes the end of each stray that has ended, and gives back those that live.
fn reap(mut strays: Vec<Pid>) -> Vec<Pid> {
    strays.retain(|stray| {
        matches!(
            waitpid(*stray, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive)
        )
    });
    strays
}
