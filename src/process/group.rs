//! Owns the process group of a step: signals to it, and whether anybody in it still lives.
//!
//! Never decides when a signal is due.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::sleep;

use super::proc_fs;

/// How soon to look at a group again: nothing reports the end of its last member. Each look reads
/// all of `/proc`, so the pauses grow.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LATER_LOOKS: Duration = Duration::from_millis(500);

/// A process group of ours. Nothing else can have its number, so no signal goes astray.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(Pid);

impl ProcessGroup {
    /// The group that a process has made for itself.
    pub(crate) fn led_by(leader: Pid) -> Self {
        Self(leader)
    }

    pub(crate) fn signal(self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = killpg(self.0, signal);
    }

    pub(crate) fn is_alive(self) -> bool {
        killpg(self.0, None) != Err(Errno::ESRCH) && proc_fs::is_group_alive(self.0).unwrap_or(true)
    }

    /// Waits until nobody in it lives. May be dropped.
    pub(crate) async fn gone(self) {
        let mut pause = FIRST_LOOK;
        while self.is_alive() {
            sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOKS);
        }
    }
}
