//! A fake dbt for one test: the script that it follows, and what it wrote down.
//!
//! Owns the folder that both sides share (see `tests/fixtures/fake_dbt.rs`), outside the project,
//! so that nothing in it is an artifact.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use super::installation;
use super::repo;
use super::runner::Runner;

/// What would end a field or a line of the script.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

pub struct Fake {
    dir: TempDir,
    script: String,
    /// The program itself, or a command of Python that becomes it.
    dbt: PathBuf,
}

impl Fake {
    pub fn new() -> Self {
        match repo::engine().as_str() {
            "session" => {
                let fake = Self::one();
                let module = installation::becomes(&fake.dbt);
                let modules = [("cli/main.py", module.as_str())];
                let dbt = installation::install(&fake.dir.path().join("venv"), &modules);
                fake.by(dbt)
            }
            "native" => Self::two(),
            _ => Self::one(),
        }
    }

    /// A native program that is a dbt 1 by its version.
    pub fn one() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            script: String::new(),
            dbt: repo::fake_dbt(),
        }
    }

    /// The same program by the name that makes it a dbt 2.
    pub fn two() -> Self {
        let fake = Self::one();
        let dbt = fake.dir.path().join("dbt");
        symlink(&fake.dbt, &dbt).unwrap();
        fake.by(dbt)
    }

    /// In another dbt than the engine of the suite asks for.
    #[must_use]
    pub fn by(self, dbt: PathBuf) -> Self {
        Self { dbt, ..self }
    }

    /// What the step does, one verb after another; a step that is not named does what a healthy dbt
    /// does.
    #[must_use]
    pub fn on(mut self, step: &str, verb: &str, argument: impl AsRef<[u8]>) -> Self {
        let argument = percent_encode(argument.as_ref(), ESCAPED);
        writeln!(self.script, "{step}\t{verb}\t{argument}").unwrap();
        fs::write(self.dir.path().join("script"), &self.script).unwrap();
        self
    }

    pub fn attach(&self, runner: Runner) -> Runner {
        runner
            .env("FAKE_DBT_DIR", self.dir.path())
            .env("DBT_ENTRYPOINT_DBT", &self.dbt)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn steps(&self) -> Vec<String> {
        self.calls()
            .iter()
            .map(|call| call["step"].as_str().unwrap().to_owned())
            .collect()
    }

    #[track_caller]
    pub fn call(&self, step: &str) -> Value {
        let found = self.calls().into_iter().find(|call| call["step"] == step);
        found.unwrap_or_else(|| panic!("dbt was not called for {step}, but for {:?}", self.steps()))
    }

    #[track_caller]
    pub fn arguments(&self, step: &str) -> Vec<String> {
        let call = self.call(step);
        call["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| argument.as_str().unwrap().to_owned())
            .collect()
    }

    /// The environment that the step was given, as bytes.
    #[track_caller]
    pub fn environment(&self, step: &str) -> BTreeMap<String, Vec<u8>> {
        let file = self.dir.path().join(format!("env-{step}"));
        let bytes = fs::read(&file)
            .unwrap_or_else(|error| panic!("dbt was not called for {step}: {error}"));
        let entries = bytes
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                let at = entry.iter().position(|byte| *byte == b'=').unwrap();
                (
                    String::from_utf8_lossy(&entry[..at]).into_owned(),
                    entry[at + 1..].to_vec(),
                )
            })
            .collect()
    }

    #[track_caller]
    pub fn variable(&self, step: &str, name: &str) -> Option<String> {
        self.environment(step)
            .get(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The signals that arrived, each with the milliseconds since 1970.
    pub fn signals(&self, step: &str) -> Vec<(String, u64)> {
        let text =
            fs::read_to_string(self.dir.path().join(format!("signals-{step}"))).unwrap_or_default();
        let parse = |line: &str| {
            let (name, time) = line.split_once(' ')?;
            Some((name.to_owned(), time.parse().ok()?))
        };
        text.lines().filter_map(parse).collect()
    }

    pub fn is_ready(&self, step: &str) -> bool {
        self.dir.path().join(format!("ready-{step}")).exists()
    }

    /// Lets a step go on that waits for that name.
    pub fn release(&self, name: &str) {
        fs::write(self.dir.path().join(name), "").unwrap();
    }

    pub fn zombies(&self) -> usize {
        fs::read_to_string(self.dir.path().join("zombies"))
            .unwrap()
            .parse()
            .unwrap()
    }
}
