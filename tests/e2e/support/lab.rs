//! Servers that all tests of one run share: started by the first that needs one, ended when the run
//! is over.
//!
//! Owns that start. A server watches the process that owns the run (nextest, or the test binary
//! under plain cargo) and ends with it, so nothing stays behind after a crash either, and no test
//! has to be the last.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::repo;

/// Generous, since a cold start may have to compile Python's modules while cargo and other tests
/// use both cores.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the server says of itself: `script` gets `--owner PID --dir DIR`, and writes `ready.json`
/// into DIR once it answers.
pub fn shared(name: &str, python: &Path, script: &str) -> Value {
    let (run, owner) = repo::test_run();
    let dir = std::env::temp_dir().join(format!("dbt-entrypoint-{name}-{run}"));
    // Creating a folder either succeeds or fails, in one step: whoever made it starts the server,
    // all others wait for it.
    match fs::create_dir(&dir) {
        Ok(()) => start(&dir, owner, python, &repo::root().join(script)),
        Err(error) => assert!(dir.exists(), "{}: {error}", dir.display()),
    }
    wait_for(&dir)
}

fn start(dir: &Path, owner: u32, python: &Path, script: &Path) {
    let log = File::create(dir.join("server.log")).unwrap();
    // A group of its own: nextest kills the group of a test that takes too long, and others still
    // use the server.
    let server = Command::new(python)
        .arg(script)
        .args(["--owner", &owner.to_string(), "--dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .process_group(0)
        .spawn();
    let mut server = server.unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    // Reaps it where the test binary is the whole run, and tells the waiting tests when it ends too
    // early.
    let dir = dir.to_owned();
    thread::spawn(move || {
        let status = server.wait();
        drop(fs::write(dir.join("ended"), format!("{status:?}")));
    });
}

fn wait_for(dir: &Path) -> Value {
    let log = |dir: &PathBuf| fs::read_to_string(dir.join("server.log")).unwrap_or_default();
    let dir = dir.to_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = fs::read_to_string(dir.join("ready.json")) {
            return serde_json::from_str(&text).unwrap();
        }
        assert!(
            // One that fails removes the folder as it ends.
            dir.exists() && !dir.join("ended").exists(),
            "a server of the tests ended: {}\n{}",
            dir.display(),
            log(&dir)
        );
        assert!(
            Instant::now() < deadline,
            "a server of the tests does not start: {}\n{}",
            dir.display(),
            log(&dir)
        );
        thread::sleep(Duration::from_millis(20));
    }
}
