//! Where things lie: the program under test, its fixtures, the virtual environment, temporary
//! files.
//!
//! Owns the tests' view of their own environment. What is missing is an error that names the
//! remedy, never a skipped test.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests' own environment, not the program's"
)]

use std::env;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_dbt-entrypoint");

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo builds examples with the tests, but not where only `--test e2e` was asked for: an old one
/// would answer for the new source.
pub fn fake_dbt() -> PathBuf {
    let path = Path::new(BINARY)
        .with_file_name("examples")
        .join("fake_dbt");
    let time = |path: &Path| {
        path.metadata()
            .and_then(|metadata| metadata.modified())
            .unwrap_or(UNIX_EPOCH)
    };
    let sources = [
        "fake_dbt.rs",
        "fake_dbt/artifacts.rs",
        "fake_dbt/processes.rs",
    ];
    let newest = sources
        .iter()
        .map(|name| time(&root().join("tests/fixtures").join(name)))
        .max()
        .unwrap();
    assert!(
        time(&path) >= newest,
        "{} is missing or old: run cargo build --examples",
        path.display()
    );
    path
}

/// A program of the virtual environment that holds dbt and moto.
pub fn venv(program: &str) -> PathBuf {
    let folder =
        env::var_os("DBT_ENTRYPOINT_TEST_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let path = folder.join("bin").join(program);
    assert!(
        path.exists(),
        "{} is missing: run scripts/test, which sets up what the tests need",
        path.display()
    );
    path
}

/// dbt 2 and its drivers, which `scripts/dbt2` puts there.
pub fn dbt_2() -> PathBuf {
    let path = root().join(".venv-dbt2");
    assert!(
        path.join("drivers/made-from").exists(),
        "{} is missing or half done: run scripts/dbt2",
        path.display()
    );
    path
}

/// The engine with which the whole suite runs: `scripts/test` does it once with each.
pub fn engine() -> String {
    let engine = env::var("DBT_ENTRYPOINT_TEST_ENGINE").unwrap_or_else(|_| "process".to_owned());
    assert!(
        ["process", "session", "native"].contains(&engine.as_str()),
        "DBT_ENTRYPOINT_TEST_ENGINE is {engine}, not process, session or native"
    );
    engine
}

/// A number that a variable may set for more than the suite does.
pub fn number(name: &str, default: u64) -> u64 {
    env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap())
}

/// The first of the candidates that exists. Tests need it: without it they fail and say what to
/// install.
pub fn system_program(candidates: &[&str], package: &str) -> PathBuf {
    let found = candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("none of {candidates:?} exists: run scripts/test, or install the package {package}")
    })
}

/// Under nextest each test is a process of its own, and all of one run share the parent; else the
/// process is the run.
pub fn test_run() -> (String, u32) {
    static NAME: OnceLock<String> = OnceLock::new();
    if let Ok(id) = env::var("NEXTEST_RUN_ID") {
        return (id, std::os::unix::process::parent_id());
    }
    (NAME.get_or_init(|| unique("run")).clone(), process::id())
}

/// A name that no other test of this or another run has.
pub fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    format!(
        "{prefix}-{}-{}-{nanoseconds:x}",
        process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}
