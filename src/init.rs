//! Owns the duties of PID 1: it starts the worker, forwards signals, reaps orphans, lets nobody
//! stop the worker, and exits as the worker did.
//!
//! No threads, no runtime, no secrets, no kill timer: the worker owns the deadline, or an upload
//! would be cut off. A `waitpid(-1)` in the process that also waits for its own children would
//! steal their exit status, so this is a process of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, setpgid};

/// The signals that an orchestrator, a terminal or an operator sends. SIGPIPE and faults of our own
/// do not concern the worker.
const FORWARDED: [Signal; 8] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCONT,
];

/// A fact about this process, so there is one of it.
static IS_PID_1_OURS: AtomicBool = AtomicBool::new(false);

/// Whether PID 1 is this program: then all processes that it shares its numbers with came out of
/// this run, or were put into its container by hand.
pub(crate) fn is_pid_1_ours() -> bool {
    IS_PID_1_OURS.load(Ordering::Relaxed)
}

/// As PID 1, returns in the worker, and in PID 1 itself the exit code once the worker has ended.
/// Anywhere else it does nothing.
///
/// Call it before there is any thread.
#[expect(unsafe_code, reason = "fork and signal have no safe form")]
pub(crate) fn split() -> Option<u8> {
    if getpid() != Pid::from_raw(1) {
        return None;
    }
    // Blocked before the fork, so that no signal falls between it and the loop: as PID 1 the
    // default action is to ignore it.
    let mut awaited = SigSet::empty();
    FORWARDED
        .into_iter()
        .chain([Signal::SIGCHLD])
        .for_each(|signal| awaited.add(signal));
    let inherited = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
    if awaited.thread_block().is_err() {
        return None;
    }
    // Where SIGCHLD is ignored, the kernel reaps the worker itself and nobody learns how it ended.
    // SAFETY: the default disposition is valid, and nothing of ours has set another.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
    // SAFETY: there is one thread.
    match unsafe { fork() } {
        // The program also works without a second process, only without reaping.
        Err(_) => {
            let _ = inherited.thread_set_mask();
            None
        }
        Ok(ForkResult::Child) => {
            IS_PID_1_OURS.store(true, Ordering::Relaxed);
            // A group of its own, or a Ctrl-C on the container's terminal would reach it twice:
            // from the terminal and from PID 1.
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let _ = inherited.thread_set_mask();
            None
        }
        Ok(ForkResult::Parent { child }) => Some(supervise(child, &awaited)),
    }
}

fn supervise(worker: Pid, awaited: &SigSet) -> u8 {
    loop {
        match awaited.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(worker) {
                    return code;
                }
            }
            Ok(signal) => {
                // If the worker has ended meanwhile, its SIGCHLD is next.
                let _ = kill(worker, signal);
                resume(worker);
            }
            Err(_) => {}
        }
    }
}

/// A step could stop the worker, which has the same user, and a stopped worker sees no deadline.
fn resume(worker: Pid) {
    let _ = kill(worker, Signal::SIGCONT);
}

/// One SIGCHLD may stand for several ends. Returns the worker's exit code if it is among them.
fn reap(worker: Pid) -> Option<u8> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == worker => {
                code = Some(u8::try_from(status).unwrap_or(u8::MAX));
            }
            // Never raised again: PID 1 ignores what it sends itself.
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => {
                code = Some(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
            Ok(WaitStatus::Stopped(pid, _)) if pid == worker => resume(worker),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return code,
            Ok(_) | Err(_) => {}
        }
    }
}
