//! Owns the warm session: one Python process that has imported dbt and forks a child for every
//! step.
//!
//! That process never sees a secret: the environment of a step goes to its child alone, and only
//! once the child has left the process group. Never decides what a failure means: it says why a
//! step could not be started, and the step is started otherwise.

use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde::Serialize;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::timeout;

use crate::config::Variables;
use crate::dbt::Installation;
use crate::process::{AFTER_SIGKILL, Awaited, Ending, ProcessGroup, isolate};

mod channel;
mod forked;
mod program;
mod saved_parse;

pub(crate) use channel::Versions;
use channel::{Answer, Channel};
pub(crate) use forked::{Forked, Status};
use forked::{environment_block, send_environment};
pub(crate) use saved_parse::{FILE as SAVED_PARSE, ParseIdentity, Parsing, SavedParse};

/// Why there is no session, in words that follow "since".
#[derive(Debug)]
pub(crate) enum Unusable {
    /// With this dbt there can be none.
    Impossible(String),
    /// There should be one.
    Broken(String),
}

impl From<&str> for Unusable {
    fn from(why: &str) -> Self {
        Self::Impossible(why.to_owned())
    }
}

impl From<String> for Unusable {
    fn from(why: String) -> Self {
        Self::Impossible(why)
    }
}

/// An idle host needs a moment to see that nobody is there any more, one that parses would need
/// seconds.
const LEAVE_TAKING: Duration = Duration::from_millis(300);

/// What the host has to know of the installation.
#[derive(Serialize)]
struct Import<'a> {
    script: &'a str,
    adapter: Option<&'a str>,
}

#[derive(Serialize)]
struct Request<'a> {
    arguments: &'a [String],
    /// A parse that was made elsewhere.
    restored: Option<&'a Path>,
}

/// The process that has imported dbt, or is about to.
#[derive(Debug)]
pub(crate) struct Session {
    host: Child,
    _awaited: Awaited,
    group: ProcessGroup,
    channel: Channel,
    /// For warming up: the directory and the variables without secrets, until the host has them.
    surroundings: Option<Vec<u8>>,
    /// A parse that was made elsewhere, for the first step that reads one.
    restored: Option<PathBuf>,
}

impl Session {
    /// Starts the host, which imports dbt at once. `variables`: those that dbt was started with,
    /// without secrets.
    pub(crate) fn begin(
        installation: &Installation,
        adapter: Option<&str>,
        variables: &Variables,
        directory: &Path,
    ) -> io::Result<Self> {
        let name = installation
            .script
            .to_str()
            .ok_or_else(|| io::Error::other("the path of dbt is not valid UTF-8"))?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = std::process::Command::new(&installation.python);
        command
            .args(&installation.options)
            .args(["-c", program::READER])
            .args(script_directory(&installation.script))
            .env_clear()
            .envs(variables)
            .current_dir(directory);
        command
            .stdin(OwnedFd::from(theirs))
            .stdout(capture_file())
            .stderr(capture_file());
        isolate(&mut command);
        let host = tokio::process::Command::from(command).spawn()?;
        let number = host
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw)
            .ok_or_else(|| io::Error::other("it has no number"))?;
        let awaited = Awaited::new(number);
        let import = serde_json::to_vec(&Import {
            script: name,
            adapter,
        })?;
        let handed_over = ours.try_clone()?;
        // From here on the host is ended by whatever goes wrong.
        let session = Self {
            host,
            _awaited: awaited,
            group: ProcessGroup::led_by(number),
            channel: Channel::new(ours)?,
            surroundings: None,
            restored: None,
        };
        hand_over(&handed_over, &import)?;
        Ok(session)
    }

    /// Waits until dbt is imported.
    pub(crate) async fn imported(&mut self) -> Result<Versions, Unusable> {
        match self.channel.next().await {
            Ok(Answer::Ready(versions)) => Ok(versions),
            Ok(Answer::Unable(why)) => Err(Unusable::Impossible(why)),
            other => Err(Unusable::Broken(self.failure_reason(other).await)),
        }
    }

    /// Says what dbt warms up with. `variables` hold no secret; `restored` is a file with a parse
    /// that was made elsewhere.
    pub(crate) fn prepare(
        &mut self,
        directory: &Path,
        variables: &Variables,
        restored: Option<PathBuf>,
    ) {
        self.restored = restored;
        self.surroundings = Some(environment_block(directory, variables).to_vec());
    }

    /// Lets the host fork a step; before the first, dbt warms up.
    /// May be dropped, together with the session: the step then does nothing. `nodes`: where it
    /// tells what becomes of its nodes.
    pub(crate) async fn start(
        &mut self,
        arguments: &[String],
        directory: &Path,
        variables: &Variables,
        nodes: &File,
    ) -> Result<Forked, String> {
        if let Some(surroundings) = self.surroundings.take() {
            self.send(&surroundings, &[]).await?;
        }
        let request = Request {
            arguments,
            restored: self.restored.as_deref(),
        };
        let request = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        let (forked, payload) = self.fork(&request, nodes).await?;
        // Not before the child is out of the host's group and can be sent signals.
        let payload = send_environment(payload, environment_block(directory, variables));
        payload.map_err(|error| error.to_string())?;
        Ok(forked)
    }

    async fn fork(&mut self, request: &[u8], nodes: &File) -> Result<(Forked, PipeWriter), String> {
        let text = |error: io::Error| error.to_string();
        let (stdout, its_stdout) = io::pipe().map_err(text)?;
        let (stderr, its_stderr) = io::pipe().map_err(text)?;
        let (its_payload, payload) = io::pipe().map_err(text)?;
        let (status, its_status) = io::pipe().map_err(text)?;
        let status = pipe::Receiver::from_owned_fd(status.into()).map_err(text)?;
        let descriptors = [
            its_stdout.as_raw_fd(),
            its_stderr.as_raw_fd(),
            its_payload.as_raw_fd(),
            its_status.as_raw_fd(),
            nodes.as_raw_fd(),
        ];
        self.send(request, &descriptors).await?;
        // Ours are not needed any more, and the last one that is closed says that the step has
        // ended.
        drop((its_stdout, its_stderr, its_payload, its_status));
        let number = match self.channel.next().await {
            Ok(Answer::Started(number)) => Pid::from_raw(number),
            other => return Err(self.failure_reason(other).await),
        };
        let mut status = Status::new(Awaited::new(number), status);
        if !status.has_begun().await {
            return Err("the process of the step ended before dbt started".to_owned());
        }
        Ok((
            Forked {
                group: ProcessGroup::led_by(number),
                stdout,
                stderr,
                status,
            },
            payload,
        ))
    }

    async fn send(&mut self, content: &[u8], descriptors: &[RawFd]) -> Result<(), String> {
        match self.channel.send(content, descriptors).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failure_reason(Err(error)).await),
        }
    }

    /// Waits for the end of the step. May be dropped and called again. The error: nobody knows how
    /// it ended.
    pub(crate) async fn ended(&mut self, status: &mut Status) -> io::Result<Ending> {
        let lost = match self.channel.next().await {
            Ok(Answer::Code(code)) => return Ok(Ending::Code(code)),
            Ok(Answer::Signal(number)) => return Ok(Ending::Signal(number)),
            // The host is gone or talks nonsense. The step is a process of its own and goes on.
            lost => lost,
        };
        if let Some(code) = status.code().await {
            return Ok(Ending::Code(code));
        }
        // Ended by force, which only its parent is told: once that is gone, we are.
        let why = self.failure_reason(lost).await;
        self.kill();
        if let Some(ending) = status.awaited.inherited_ending().await {
            return Ok(ending);
        }
        // The host may have taken that in the moment of its own end: then one and the same signal
        // has ended both.
        let host = self.host.try_wait().ok().flatten();
        host.and_then(|host| host.signal())
            .map(Ending::Signal)
            .ok_or_else(|| {
                io::Error::other(format!(
                    "the session is lost, and with it how the step ended ({why})"
                ))
            })
    }

    /// Ends the host, and waits until it is gone: by itself if it is idle, else by force.
    pub(crate) async fn end(mut self) {
        self.channel.close();
        if timeout(LEAVE_TAKING, self.host.wait()).await.is_err() {
            self.kill();
        }
        let gone = async {
            let _ = self.host.wait().await;
            self.group.gone().await;
        };
        let _ = timeout(AFTER_SIGKILL, gone).await;
    }

    /// The host and what it may have started.
    fn kill(&self) {
        // Once they are gone, the number may be anybody's.
        if self.group.is_alive() {
            self.group.signal(Signal::SIGKILL);
        }
    }

    /// Why the host did not answer as it should.
    async fn failure_reason(&mut self, answer: io::Result<Answer>) -> String {
        match answer {
            Ok(Answer::Unable(why) | Answer::Broken(why)) => why,
            Ok(other) => format!("its host gave an unexpected answer ({other:?})"),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
                ) =>
            {
                // One that has closed the socket is of no use, even if it lives on.
                match timeout(LEAVE_TAKING, self.host.wait()).await {
                    Ok(Ok(status)) => format!("its host ended ({status})"),
                    Ok(Err(error)) => format!("its host ended ({error})"),
                    Err(_) => "its host has hung up".to_owned(),
                }
            }
            Err(error) => format!("its host sent something invalid ({error})"),
        }
    }
}

impl Drop for Session {
    /// Steps have groups of their own and are not meant.
    fn drop(&mut self) {
        self.kill();
    }
}

/// The directory that Python puts on the path for a script: that of the file itself, not of a link
/// to it.
fn script_directory(script: &Path) -> Option<PathBuf> {
    script.canonicalize().ok()?.parent().map(Path::to_owned)
}

/// What the host says as it starts, each step repeats, as a dbt of its own would have said it.
/// Nobody reads it where there is no place for it.
fn capture_file() -> Stdio {
    tempfile::tempfile().map_or_else(|_| Stdio::null(), Stdio::from)
}

/// All of this fits into the socket, so nobody is waited for.
fn hand_over(mut to_host: &UnixStream, import: &[u8]) -> io::Result<()> {
    to_host.write_all(&program::program())?;
    to_host.write_all(&channel::frame(import))
}
