//! Owns what can end a run from outside: signals, the deadline and the loss of the lease, as one
//! stream of one enum.
//!
//! Never kills anything: it reports that the run should stop, and whether a second signal insists.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Instant, sleep_until};

/// Two signals closer together than this are one request: Ctrl-C on a terminal and an orchestrator
/// often send it twice.
const INSISTENCE: Duration = Duration::from_secs(1);

/// Signals for the program that runs, and not for the run.
const PASSED_ON: [Signal; 4] = [
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// What comes from outside while a program runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Stop(Stop),
    PassOn(Signal),
}

/// Why the run should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Signal(Signal),
    Deadline,
    /// Another run may write from now on.
    LeaseLost,
}

/// A request to stop; the stop budget counts from `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) cause: Cause,
    pub(crate) at: Instant,
}

/// The requests of one run.
pub(crate) struct Shutdown {
    signals: Signals,
    deadline: Option<Instant>,
    /// Ready when the lease is lost.
    lease_lost: Pin<Box<dyn Future<Output = ()>>>,
    stop: Option<Stop>,
    /// When the first signal came; after the stop, if that was the deadline.
    signalled: Option<Instant>,
}

#[derive(Debug)]
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hang_up: unix::Signal,
    others: Vec<(Signal, unix::Signal)>,
}

impl Shutdown {
    /// Installs the signal handlers, whatever mask and dispositions were inherited. Needs a running
    /// runtime.
    pub(crate) fn install() -> io::Result<Self> {
        let hang_up = unix::signal(SignalKind::hangup())?;
        // Where SIGCHLD is ignored, as some parents hand it on, the kernel reaps our children and
        // nobody learns how they ended. A handler, once installed, stays.
        drop(unix::signal(SignalKind::child())?);
        let others = PASSED_ON.map(|signal| {
            unix::signal(SignalKind::from_raw(signal as i32)).map(|stream| (signal, stream))
        });
        let others = others.into_iter().collect::<io::Result<Vec<_>>>()?;
        let terminate = unix::signal(SignalKind::terminate())?;
        let interrupt = unix::signal(SignalKind::interrupt())?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        Ok(Self {
            signals: Signals {
                terminate,
                interrupt,
                hang_up,
                others,
            },
            deadline: None,
            lease_lost: Box::pin(pending()),
            stop: None,
            signalled: None,
        })
    }

    /// Sets the longest time for the whole run, counted from `start`.
    pub(crate) fn set_deadline(&mut self, start: Instant, deadline: Option<Duration>) {
        // A deadline beyond the range of the clock never passes.
        self.deadline = deadline.and_then(|deadline| start.checked_add(deadline));
    }

    /// Stops the run when the lease is lost.
    pub(crate) fn watch_lease(&mut self, lost: impl Future<Output = ()> + 'static) {
        self.lease_lost = Box::pin(lost);
    }

    /// The request to stop, if there has been one.
    pub(crate) fn requested(&self) -> Option<Stop> {
        self.stop
    }

    /// Waits for the first request; returns at once when there has been one. Signals that only a
    /// program understands are lost, since none runs. May be dropped and called again.
    pub(crate) async fn stopped(&mut self) -> Stop {
        loop {
            if let Event::Stop(stop) = self.event().await {
                return stop;
            }
        }
    }

    /// Waits for the first request, or for a signal that is to be passed on. May be dropped and
    /// called again.
    pub(crate) async fn event(&mut self) -> Event {
        if let Some(stop) = self.stop {
            return Event::Stop(stop);
        }
        let deadline = self.deadline;
        let cause = tokio::select! {
            signal = self.signals.next() => match signal {
                Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP => Cause::Signal(signal),
                other => return Event::PassOn(other),
            },
            () = sleep_until_some(deadline) => Cause::Deadline,
            () = &mut self.lease_lost => Cause::LeaseLost,
        };
        let stop = Stop {
            cause,
            at: Instant::now(),
        };
        if matches!(cause, Cause::Signal(_)) {
            self.signalled = Some(stop.at);
        }
        self.stop = Some(stop);
        Event::Stop(stop)
    }

    /// Waits for a second signal, at least a second after the first. May be dropped and called
    /// again.
    pub(crate) async fn second_signal(&mut self) {
        loop {
            let signal = self.signals.next().await;
            if PASSED_ON.contains(&signal) {
                continue;
            }
            let (cause, at) = (Cause::Signal(signal), Instant::now());
            match self.signalled {
                Some(first) if at.duration_since(first) >= INSISTENCE => return,
                Some(_) => {}
                // After a deadline or a step's timeout this is the first signal, not the second; it
                // still stops the run.
                None => {
                    self.signalled = Some(at);
                    self.stop.get_or_insert(Stop { cause, at });
                }
            }
        }
    }
}

impl Signals {
    async fn next(&mut self) -> Signal {
        let others = &mut self.others;
        let other = poll_fn(|context| {
            let ready = others.iter_mut().find_map(|(signal, stream)| {
                stream.poll_recv(context).is_ready().then_some(*signal)
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        });
        tokio::select! {
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.hang_up.recv() => Signal::SIGHUP,
            signal = other => signal,
        }
    }
}

/// Waits until a moment, or forever if there is none.
pub(crate) async fn sleep_until_some(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
