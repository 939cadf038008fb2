//! Owns what keeps the other processes of this user out of the runner: a step has the same user id,
//! and could read the runner's environment and memory, or write to its streams, through `/proc`.
//!
//! Never changes what a step may do with itself.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// The limit on core files that the runner was started with: a step gets it back.
static CORE_LIMIT: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Takes this process out of the reach of others. To be called before anything else: what is not
/// hidden yet can be read.
///
/// A fork inherits it and an `exec` ends it, so PID 1 and the worker are both hidden, and a step is
/// an ordinary process.
pub(crate) fn begin() {
    #[cfg(target_os = "linux")]
    {
        // Where a sandbox forbids it, the run is as it would be without.
        let _ = nix::sys::prctl::set_dumpable(false);
    }
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_CORE) {
        let _ = CORE_LIMIT.set((soft, hard));
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// The limit on core files for a child.
pub(super) fn inherited_core_limit() -> Option<(rlim_t, rlim_t)> {
    CORE_LIMIT.get().copied()
}
