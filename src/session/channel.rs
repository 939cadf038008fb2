//! Owns the socket between the runner and the host: frames of four bytes of length and as much
//! content, descriptors along with them.
//!
//! Never blocks the thread.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream as Blocking;

use nix::sys::socket::{ControlMessage, MsgFlags, Shutdown, sendmsg, shutdown};
use serde::Deserialize;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// Answers are a number or a sentence; more is no answer.
const LONGEST: usize = 64 * 1024;

/// What the host says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// dbt is imported.
    Ready(Versions),
    /// Why it can do nothing more, and never could with this dbt.
    Unable(String),
    /// What went wrong with a dbt of which it should have been possible.
    Broken(String),
    /// The number of a step's process.
    Started(i32),
    /// The step ended by itself.
    Code(u8),
    /// The step was ended by a signal.
    Signal(i32),
}

/// What is imported.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Versions {
    /// Of dbt-core.
    pub(crate) dbt: String,
    /// Of the adapter, if it is there and says it.
    pub(crate) adapter: Option<String>,
    /// What should be there and is not, in words that follow "engine: session".
    pub(crate) left_out: Vec<String>,
    /// A parse that was made elsewhere can be taken.
    pub(crate) restores: bool,
}

#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    /// What has come of an answer.
    heard: Vec<u8>,
}

impl Channel {
    /// Needs a running runtime.
    pub(super) fn new(stream: Blocking) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: UnixStream::from_std(stream)?,
            heard: Vec::new(),
        })
    }

    /// Says that nothing more will come.
    pub(super) fn close(&self) {
        // A host that is gone has heard it.
        let _ = shutdown(self.stream.as_raw_fd(), Shutdown::Both);
    }

    pub(super) async fn send(&mut self, content: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
        let frame = frame(content);
        let rights = [ControlMessage::ScmRights(descriptors)];
        let rights = if descriptors.is_empty() {
            &[][..]
        } else {
            &rights[..]
        };
        let socket = self.stream.as_raw_fd();
        let once = || {
            Ok(sendmsg::<()>(
                socket,
                &[IoSlice::new(&frame)],
                rights,
                MsgFlags::empty(),
                None,
            )?)
        };
        let sent = self.stream.async_io(Interest::WRITABLE, once).await?;
        self.stream.write_all(&frame[sent..]).await
    }

    /// The next answer. May be dropped and called again.
    pub(super) async fn next(&mut self) -> io::Result<Answer> {
        loop {
            if let Some(answer) = self.take()? {
                return Ok(answer);
            }
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.heard) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// An answer that has come as a whole.
    fn take(&mut self) -> io::Result<Option<Answer>> {
        let Some((length, rest)) = self.heard.split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(io::Error::other("too long an answer"));
        }
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        let answer = serde_json::from_slice(content)?;
        self.heard.drain(..4 + length);
        Ok(Some(answer))
    }
}

/// Content with its length before it.
pub(super) fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + content.len());
    // Nothing longer than an environment is ever sent.
    frame.extend_from_slice(
        &u32::try_from(content.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    frame.extend_from_slice(content);
    frame
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pair() -> (Channel, Blocking) {
        let (ours, theirs) = Blocking::pair().unwrap();
        (Channel::new(ours).unwrap(), theirs)
    }

    #[tokio::test]
    async fn answers_come_one_by_one_however_they_are_cut() {
        let (mut channel, mut host) = pair();
        let mut bytes = frame(
            br#"{"ready": {"dbt": "1.11.16", "adapter": null, "left_out": [], "restores": true}}"#,
        );
        let in_the_second = bytes.len() + 10;
        bytes.extend(frame(br#"{"started": 7}"#));
        let (first, second) = bytes.split_at(in_the_second);
        host.write_all(first).unwrap();
        assert!(matches!(channel.next().await.unwrap(),
                Answer::Ready(versions) if versions.dbt == "1.11.16"));
        host.write_all(second).unwrap();
        assert!(matches!(channel.next().await.unwrap(), Answer::Started(7)));
        drop(host);
        assert_eq!(
            channel.next().await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }

    #[tokio::test]
    async fn nonsense_is_an_error_and_not_waited_for() {
        for nonsense in [
            &b"Traceback (most recent call last)"[..],
            b"\0\0\0\x02{}",
            b"\xff\xff\xff\xff",
        ] {
            let (mut channel, mut host) = pair();
            host.write_all(nonsense).unwrap();
            assert!(channel.next().await.is_err());
        }
    }
}
