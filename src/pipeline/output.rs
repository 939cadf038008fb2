//! Owns the way of a child's output: read, redact, write on at once, in bounded memory.
//!
//! One thread for each pipe, so that a slow or absent reader of our stdout never keeps a signal
//! from being handled. Never waits forever for a pipe that a stray grandchild keeps open.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use crate::redact::{Redactor, Stream};

mod last_words;
mod lines;

pub(crate) use last_words::LastWords;
pub(super) use last_words::shortened;
use lines::JsonLines;

/// The size of a pipe on Linux; more is never in it at once.
const CHUNK: usize = 64 * 1024;
/// After the child's end a pipe may still hold its output, at most as much as an unprivileged
/// process can make a pipe hold. Anything beyond that is not from the child.
const REST: usize = 1024 * 1024;
/// How long to keep reading from a stray grandchild that still holds the pipe.
const LINGER: Duration = Duration::from_millis(500);

/// Which of the runner's own streams the output goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    Stdout,
    Stderr,
}

/// What happens to the bytes apart from redaction.
#[derive(Debug, Clone)]
pub(crate) enum Framing {
    /// As they are. When nobody reads our stream any more, the rest is read and dropped, since that
    /// is no reason to stop dbt.
    Raw { last_words: LastWords },
    /// As they are, from a program that `exec` runs: it learns that nobody reads any more, as it
    /// would without us.
    Program,
    /// Every line is JSON; any other line is wrapped, with the name of the step.
    Json { step: String, last_words: LastWords },
}

impl Framing {
    /// Nothing of a step survives it; a program in our place may well start a daemon.
    pub(super) fn is_of_a_step(&self) -> bool {
        !matches!(self, Self::Program)
    }
}

/// A pump at work.
#[derive(Debug)]
pub(crate) struct Pump {
    /// Closed to say that the child is gone.
    child_lives: Option<PipeWriter>,
    done: oneshot::Receiver<()>,
}

impl Pump {
    /// Starts a thread that moves everything from the pipe to the sink.
    pub(crate) fn start(
        pipe: impl Into<OwnedFd>,
        sink: Sink,
        framing: Framing,
        redactor: Arc<Redactor>,
    ) -> io::Result<Self> {
        let (child_gone, child_lives) = io::pipe()?;
        let (finished, done) = oneshot::channel();
        let pipe = File::from(pipe.into());
        thread::Builder::new()
            .name("pump".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                pump(pipe, &child_gone, sink, framing, &redactor);
                // If the run could not wait, nobody receives this.
                let _ = finished.send(());
            })?;
        Ok(Self {
            child_lives: Some(child_lives),
            done,
        })
    }

    /// Says that the child is gone, and waits until its output is written. May be dropped: the pump
    /// then goes on by itself.
    pub(crate) async fn finish(mut self) {
        drop(self.child_lives.take());
        let _ = self.done.await;
    }
}

fn pump(
    mut pipe: impl Read + AsFd,
    child_gone: &PipeReader,
    sink: Sink,
    framing: Framing,
    redactor: &Redactor,
) {
    let mut out = Outlet::new(redactor, framing, sink);
    let mut chunk = vec![0; CHUNK];
    let mut end = End::Unknown;
    while wait(pipe.as_fd(), child_gone, &mut end) {
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                end.count(length);
                if !out.write(&chunk[..length]) {
                    break;
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(_) => break,
        }
    }
    out.finish();
}

/// What the pump knows of the child's end.
enum End {
    Unknown,
    /// It is gone, and at most this many bytes of its output are still in the pipe.
    Owed {
        left: usize,
        until: Instant,
    },
    /// Its output has been read.
    Lingering {
        until: Instant,
    },
}

impl End {
    fn count(&mut self, length: usize) {
        if let Self::Owed { left, until } = self {
            *left = left.saturating_sub(length);
            if *left == 0 {
                *self = Self::Lingering { until: *until };
            }
        }
    }
}

/// Waits for data, and returns whether there is more to read. The child's output is read however
/// long our own reader takes; beyond that, nobody can delay us for longer than [`LINGER`] after the
/// child's end.
fn wait(pipe: BorrowedFd<'_>, child_gone: &PipeReader, end: &mut End) -> bool {
    loop {
        let mut watched = [
            PollFd::new(pipe, PollFlags::POLLIN),
            PollFd::new(child_gone.as_fd(), PollFlags::POLLIN),
        ];
        let (count, timeout) = match end {
            End::Unknown => (2, PollTimeout::NONE),
            End::Owed { .. } => (1, PollTimeout::ZERO),
            End::Lingering { until } => match until.checked_duration_since(Instant::now()) {
                Some(left) => (1, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)),
                None => return false,
            },
        };
        let ready = match poll(&mut watched[..count], timeout) {
            Err(Errno::EINTR) => continue,
            Err(_) => return false,
            Ok(ready) => ready,
        };
        let has_data = watched[0].any() == Some(true);
        match end {
            End::Unknown if has_data => return true,
            End::Unknown => {
                *end = End::Owed {
                    left: REST,
                    until: Instant::now() + LINGER,
                }
            }
            _ if has_data => return true,
            End::Owed { until, .. } => *end = End::Lingering { until: *until },
            End::Lingering { .. } if ready == 0 => return false,
            End::Lingering { .. } => {}
        }
    }
}

/// Redaction, framing and the sink, in this order: redaction comes first, while a secret that a
/// wrapped line would cut is still whole.
struct Outlet<'a> {
    stream: Stream<'a>,
    lines: Option<JsonLines>,
    /// Of a step.
    last_words: Option<LastWords>,
    /// Ends with its reader.
    ends: bool,
    sink: Sink,
    /// A descriptor of its own, without the lock of the standard library: the runner's last words
    /// must not wait for a reader that has stopped reading. `None` where the stream is closed.
    stream_out: Option<File>,
    redacted: Vec<u8>,
}

impl<'a> Outlet<'a> {
    fn new(redactor: &'a Redactor, framing: Framing, sink: Sink) -> Self {
        let (lines, ends, last_words) = match framing {
            Framing::Raw { last_words } => (None, false, Some(last_words)),
            Framing::Program => (None, true, None),
            Framing::Json { step, last_words } => {
                (Some(JsonLines::new(step)), false, Some(last_words))
            }
        };
        let descriptor = match sink {
            Sink::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Sink::Stderr => io::stderr().as_fd().try_clone_to_owned(),
        };
        Self {
            stream: redactor.stream(),
            lines,
            ends,
            last_words,
            sink,
            stream_out: descriptor.ok().map(File::from),
            redacted: Vec::new(),
        }
    }

    /// Returns whether to go on.
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.push(bytes, &mut self.redacted);
        let is_read = self.emit(false);
        is_read || !self.ends
    }

    fn finish(&mut self) {
        self.stream.finish(&mut self.redacted);
        self.emit(true);
    }

    /// Returns whether somebody reads.
    fn emit(&mut self, last: bool) -> bool {
        if let Some(last_words) = &self.last_words {
            last_words.hear(&self.redacted);
        }
        if let Some(lines) = &mut self.lines {
            let mut framed = Vec::new();
            lines.push(&self.redacted, self.sink, &mut framed);
            if last {
                lines.finish(self.sink, &mut framed);
            }
            self.redacted = framed;
        }
        let written = self
            .stream_out
            .as_mut()
            .map(|stream| stream.write_all(&self.redacted));
        self.redacted.clear();
        // One long line must not keep its memory for the rest of the run.
        self.redacted.shrink_to(2 * CHUNK);
        written.is_none_or(|written| written.is_ok())
    }
}
