//! Owns a step that the session has forked: its environment on the way to it, and what it says of
//! its end.
//!
//! Never knows how the session has made it.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use tokio::net::unix::pipe;
use zeroize::Zeroizing;

use crate::config::Variables;
use crate::process::{Awaited, ProcessGroup};

/// A step that the host has forked.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) group: ProcessGroup,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) status: Status,
}

/// What a step itself says of its end, for the case that the host is gone by then.
#[derive(Debug)]
pub(crate) struct Status {
    pub(super) awaited: Awaited,
    pipe: pipe::Receiver,
    said: Vec<u8>,
}

impl Status {
    pub(super) fn new(awaited: Awaited, pipe: pipe::Receiver) -> Self {
        Self {
            awaited,
            pipe,
            said: Vec::new(),
        }
    }

    pub(super) async fn has_begun(&mut self) -> bool {
        while self.said.is_empty() {
            if !self.read_more().await {
                return false;
            }
        }
        // A child that could not leave the host's group says only its code.
        self.said[0] == b'+'
    }

    /// What the step said of its end. One that was ended by force says nothing.
    pub(super) async fn code(&mut self) -> Option<u8> {
        while self.said.len() < 2 && self.read_more().await {}
        self.said.get(1).copied()
    }

    /// Says whether there may be more. May be dropped and called again.
    async fn read_more(&mut self) -> bool {
        loop {
            if self.pipe.readable().await.is_err() {
                return false;
            }
            match self.pipe.try_read_buf(&mut self.said) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
    }
}

/// On a thread of its own: an environment can be larger than a pipe, and the child reads it when it
/// comes to it.
pub(super) fn send_environment(
    mut payload: PipeWriter,
    content: Zeroizing<Vec<u8>>,
) -> io::Result<()> {
    thread::Builder::new()
        .name("payload".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || {
            // A child that is gone by now needs none.
            let _ = payload.write_all(&content);
        })?;
    Ok(())
}

/// `directory NUL name=value NUL … NUL`: an empty entry is the end, so that half of it is not taken
/// for all.
pub(super) fn environment_block(directory: &Path, variables: &Variables) -> Zeroizing<Vec<u8>> {
    let size = directory.as_os_str().len()
        + 2
        + variables
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2)
            .sum::<usize>();
    let mut block = Zeroizing::new(Vec::with_capacity(size));
    block.extend_from_slice(directory.as_os_str().as_bytes());
    block.push(0);
    for (name, value) in variables {
        block.extend_from_slice(name.as_bytes());
        block.push(b'=');
        block.extend_from_slice(value.as_bytes());
        block.push(0);
    }
    block.push(0);
    block
}
