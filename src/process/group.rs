//! Owns the process group of a step: signals to it, and whether anybody in it still lives.
//!
//! Never waits.

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process group of ours. Its number cannot be anything else, so no signal goes astray.
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

    /// Zombies do not count: whoever should reap them may never do so, and they run nothing.
    pub(crate) fn is_alive(self) -> bool {
        killpg(self.0, None) != Err(Errno::ESRCH) && self.has_living_member().unwrap_or(true)
    }

    /// `None` where there is no `/proc` to tell.
    fn has_living_member(self) -> Option<bool> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let mut seen = false;
        for process in processes.filter_map(Result::ok) {
            // `pid (name) state parent group …`; a name may hold anything, a parenthesis too.
            let Ok(line) = std::fs::read_to_string(process.path().join("stat")) else {
                continue;
            };
            let Some((_, rest)) = line.rsplit_once(')') else {
                continue;
            };
            let mut fields = rest.split_ascii_whitespace();
            let (state, group) = (fields.next(), fields.nth(1));
            seen = true;
            if group.and_then(|group| group.parse().ok()) == Some(self.0.as_raw())
                && !matches!(state, Some("Z" | "X"))
            {
                return Some(true);
            }
        }
        seen.then_some(false)
    }
}
