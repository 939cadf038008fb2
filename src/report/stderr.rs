//! Owns the runner's own writes to stderr.
//!
//! Never waits forever for a reader that has stopped reading, so that a signal can still end the
//! runner.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How many bytes a writable pipe takes without blocking, on Linux.
const ATOMIC: usize = 4096;
/// How long to wait for a reader that is not reading, in milliseconds. After that nothing waits for
/// it again.
const PATIENCE: u16 = 1000;

/// stderr, without the lock of the standard library: another thread may hold that while it waits
/// for the same reader.
#[derive(Debug)]
pub(super) struct Stderr {
    /// `None` where stderr is closed.
    stderr: Option<File>,
    stalled: AtomicBool,
}

impl Stderr {
    pub(super) fn new() -> Self {
        let stderr = io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .ok()
            .map(File::from);
        Self {
            stderr,
            stalled: AtomicBool::new(false),
        }
    }

    /// Writes the text, or drops the rest of it when nobody reads.
    pub(super) fn write_or_drop(&self, text: &[u8]) {
        let Some(mut stderr) = self.stderr.as_ref() else {
            return;
        };
        for part in text.chunks(ATOMIC) {
            let patience = if self.stalled.load(Ordering::Relaxed) {
                PollTimeout::ZERO
            } else {
                PollTimeout::from(PATIENCE)
            };
            let ready = poll(
                &mut [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)],
                patience,
            );
            self.stalled.store(ready == Ok(0), Ordering::Relaxed);
            if !ready.is_ok_and(|ready| ready > 0) || stderr.write_all(part).is_err() {
                return;
            }
        }
    }
}
