//! Owns the way of a child's output: read, redact, write on at once, in bounded memory.
//!
//! One thread for each pipe, so that a reader of our stdout that is slow, or gone, never keeps a signal from being handled.
//! Never waits for ever for a pipe that a stray grandchild keeps open.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use crate::redact::{Redactor, Stream};

mod lines;

use lines::JsonLines;

/// The size of a pipe on Linux; more is never in it at once.
const CHUNK: usize = 64 * 1024;
/// After the child's end a pipe may still hold what it wrote, at most what an unprivileged process can make a pipe hold. More than
/// that is not from the child.
const REST: usize = 1024 * 1024;
/// After the child's end, so long is waited for the end of a pipe that somebody else holds open, in milliseconds.
const LINGER: u16 = 500;

/// Which of the runner's own streams the output goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    Stdout,
    Stderr,
}

/// What becomes of the bytes besides redaction.
#[derive(Debug, Clone)]
pub(crate) enum Framing {
    /// As they are.
    Raw,
    /// Every line is JSON: what is not is wrapped, with the name of the step.
    Json { step: String },
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
    pub(crate) fn start(pipe: impl Into<OwnedFd>, sink: Sink, framing: Framing, redactor: Arc<Redactor>) -> io::Result<Self> {
        let (child_gone, child_lives) = io::pipe()?;
        let (finished, done) = oneshot::channel();
        let pipe = std::fs::File::from(pipe.into());
        thread::Builder::new().name("pump".to_owned()).stack_size(256 * 1024).spawn(move || {
            pump(pipe, &child_gone, sink, framing, &redactor);
            // Nobody listens any more where the run could not wait.
            let _ = finished.send(());
        })?;
        Ok(Self { child_lives: Some(child_lives), done })
    }

    /// Says that the child is gone, and waits until what it wrote is written on. May be dropped: the pump then goes on by itself.
    pub(crate) async fn finish(mut self) {
        drop(self.child_lives.take());
        let _ = self.done.await;
    }
}

fn pump(mut pipe: impl Read + AsFd, child_gone: &PipeReader, sink: Sink, framing: Framing, redactor: &Redactor) {
    let mut out = Outlet { stream: redactor.stream(), framing: Frame::new(framing), sink, redacted: Vec::new() };
    let mut chunk = vec![0; CHUNK];
    let mut rest: Option<usize> = None;
    loop {
        match ready(pipe.as_fd(), child_gone, rest.is_some()) {
            Ready::Data => {}
            Ready::ChildGone => {
                rest = Some(REST);
                continue;
            }
            Ready::Nothing => break,
        }
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => {
                out.write(&chunk[..length]);
                if let Some(left) = &mut rest {
                    *left = left.saturating_sub(length);
                    if *left == 0 {
                        break;
                    }
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => break,
        }
    }
    out.finish();
}

enum Ready {
    Data,
    ChildGone,
    Nothing,
}

/// Waits for data; also for the child's end, unless that is known, and then no longer than [`LINGER`].
fn ready(pipe: BorrowedFd<'_>, child_gone: &PipeReader, gone: bool) -> Ready {
    let mut watched = [PollFd::new(pipe, PollFlags::POLLIN), PollFd::new(child_gone.as_fd(), PollFlags::POLLIN)];
    let (count, timeout) = if gone { (1, PollTimeout::from(LINGER)) } else { (2, PollTimeout::NONE) };
    loop {
        match poll(&mut watched[..count], timeout) {
            Err(Errno::EINTR) => {}
            Err(_) | Ok(0) => return Ready::Nothing,
            Ok(_) if watched[0].any() == Some(true) => return Ready::Data,
            Ok(_) => return Ready::ChildGone,
        }
    }
}

/// Redaction, framing and the sink, in this order: redaction first, so that a secret which a wrapped line would cut is whole.
struct Outlet<'a> {
    stream: Stream<'a>,
    framing: Frame,
    sink: Sink,
    redacted: Vec<u8>,
}

enum Frame {
    Raw,
    Json(JsonLines),
}

impl Frame {
    fn new(framing: Framing) -> Self {
        match framing {
            Framing::Raw => Self::Raw,
            Framing::Json { step } => Self::Json(JsonLines::new(step)),
        }
    }
}

impl Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.stream.push(bytes, &mut self.redacted);
        self.emit(false);
    }

    fn finish(&mut self) {
        self.stream.finish(&mut self.redacted);
        self.emit(true);
    }

    fn emit(&mut self, last: bool) {
        match &mut self.framing {
            Frame::Raw => write(self.sink, &self.redacted),
            Frame::Json(lines) => {
                let mut framed = Vec::new();
                lines.push(&self.redacted, self.sink, &mut framed);
                if last {
                    lines.finish(self.sink, &mut framed);
                }
                write(self.sink, &framed);
            }
        }
        self.redacted.clear();
        // One long line must not keep its memory for the rest of the run.
        self.redacted.shrink_to(2 * CHUNK);
    }
}

/// A reader that is gone is no reason to stop dbt: the rest is read and dropped.
fn write(sink: Sink, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let _ = match sink {
        Sink::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
        Sink::Stderr => io::stderr().lock().write_all(bytes),
    };
}
