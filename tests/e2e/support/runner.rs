//! One run of the program under test: its settings, its life, what it left.
//!
//! Owns the child process. Its environment is clean but for what a test gives it, so that the
//! machine's settings decide nothing, and when a run is dropped, every process that carries its
//! marker is killed.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::processes::{self, MARKER};
use super::repo;
use super::result::Finished;

/// How long a run may take before the test gives it up: far more than any needs, so that a slow
/// machine fails nothing.
pub const PATIENCE: Duration = Duration::from_mins(3);

pub struct Runner {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    stdin: Stdio,
    marker: String,
    wrapper: Vec<OsString>,
}

impl Runner {
    pub fn new(directory: impl AsRef<Path>) -> Self {
        let runner = Self {
            program: repo::BINARY.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: directory.as_ref().to_owned(),
            stdin: Stdio::null(),
            marker: repo::unique("run"),
            wrapper: Vec::new(),
        };
        let home = directory.as_ref().to_owned();
        let marker = runner.marker.clone();
        runner
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("DBT_ENTRYPOINT_ENGINE", repo::engine())
            .env(MARKER, marker)
    }

    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.retain(|(key, _)| key != name.as_ref());
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self
    }

    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.directory);
        self
    }

    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// A program that starts the runner, such as `unshare`.
    #[must_use]
    pub fn under<A: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        self.wrapper = wrapper
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        self
    }

    /// Another program in the runner's place: the control of a test.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    pub fn spawn(self) -> Running {
        let mut words = self.wrapper;
        words.push(self.program.into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir(self.directory)
            .stdin(self.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", words[0].display()));
        let stdout = Capture::start(child.stdout.take().unwrap());
        let stderr = Capture::start(child.stderr.take().unwrap());
        Running {
            child,
            stdout,
            stderr,
            started,
            marker: self.marker,
        }
    }

    /// From start to end.
    pub fn run(self) -> Finished {
        self.spawn().wait()
    }
}

/// What came through one pipe so far.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock().unwrap().extend(&buffer[..count]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// The runner is gone, but a stray process may hold the pipe: what counts is what came until
    /// now.
    fn finish(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(2);
        while self
            .reader
            .as_ref()
            .is_some_and(|reader| !reader.is_finished())
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(5));
        }
        self.bytes.lock().unwrap().clone()
    }
}

pub struct Running {
    child: Child,
    stdout: Capture,
    stderr: Capture,
    started: Instant,
    marker: String,
}

impl Running {
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn marker(&self) -> &str {
        &self.marker
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for a condition while the program runs; if it ends first, or takes too long, that is
    /// shown.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "waited in vain for {what} ({ended:?})\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout(),
                self.stderr()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn wait(mut self) -> Finished {
        let status = self.status();
        Finished {
            code: status.code(),
            signal: status.signal(),
            elapsed: self.started.elapsed(),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
            survivors: processes::with_marker(&self.marker)
                .into_iter()
                .map(processes::describe)
                .collect(),
        }
    }

    fn status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the run does not end\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout(),
                self.stderr()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The runner first, so that nothing new is started; then what it started, wherever it went.
        drop(self.child.kill());
        drop(self.child.wait());
        processes::kill_all(&self.marker);
    }
}
