//! Owns what can end a run from outside: signals and the deadline, as one stream of one enum.
//!
//! Never kills anything: it says that the run should stop, and whether somebody insists.

use std::future::pending;
use std::io;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Instant, sleep_until};

/// Two signals closer together than this are one request: Ctrl-C on a terminal and an orchestrator often send it twice.
const INSISTENCE: Duration = Duration::from_secs(1);

/// Why the run should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Signal(Signal),
    Deadline,
}

/// A request to stop; the stop budget counts from `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) cause: Cause,
    pub(crate) at: Instant,
}

/// The requests of one run.
#[derive(Debug)]
pub(crate) struct Shutdown {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
    deadline: Option<Instant>,
    stop: Option<Stop>,
    /// When the first signal came, which is later than the stop if that was the deadline.
    signalled: Option<Instant>,
}

impl Shutdown {
    /// Listens from now on, whatever mask and dispositions were inherited. Needs a running runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let hang_up = unix::signal(SignalKind::hangup())?;
        let terminate = unix::signal(SignalKind::terminate())?;
        let interrupt = unix::signal(SignalKind::interrupt())?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(Self { terminate, interrupt, hang_up, deadline: None, stop: None, signalled: None })
    }

    /// The whole run may take so long, counted from `start`.
    pub(crate) fn set_deadline(&mut self, start: Instant, deadline: Option<Duration>) {
        // A deadline beyond what the clock can hold is none.
        self.deadline = deadline.and_then(|deadline| start.checked_add(deadline));
    }

    /// The request to stop, if there has been one.
    pub(crate) fn requested(&self) -> Option<Stop> {
        self.stop
    }

    /// Waits for the first request; returns at once when there has been one. May be dropped and called again.
    pub(crate) async fn stopped(&mut self) -> Stop {
        if let Some(stop) = self.stop {
            return stop;
        }
        let deadline = self.deadline;
        let cause = tokio::select! {
            signal = self.signal() => Cause::Signal(signal),
            () = at(deadline) => Cause::Deadline,
        };
        let stop = Stop { cause, at: Instant::now() };
        if matches!(cause, Cause::Signal(_)) {
            self.signalled = Some(stop.at);
        }
        self.stop = Some(stop);
        stop
    }

    /// Waits for a second signal, at least a second after the first. May be dropped and called again.
    pub(crate) async fn insisted(&mut self) {
        loop {
            let cause = Cause::Signal(self.signal().await);
            let at = Instant::now();
            match self.signalled {
                Some(first) if at.duration_since(first) >= INSISTENCE => return,
                Some(_) => {}
                // After a deadline or a step's timeout this is the first signal, not the second; it still stops the run.
                None => {
                    self.signalled = Some(at);
                    self.stop.get_or_insert(Stop { cause, at });
                }
            }
        }
    }

    async fn signal(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.hang_up.recv() => Signal::SIGHUP,
        }
    }
}

/// Waits until a moment, for ever if there is none.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
