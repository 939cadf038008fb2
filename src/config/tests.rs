//! Owns what the tests of the settings share: a working directory, variables and flags, resolved as
//! `run` and `exec` do it.
//!
//! Never touches the environment or the working directory of the test process.

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::{Cli, Command};

mod env_file;
mod faults;
mod fuzz;
mod precedence;
mod publishing;
mod steps;
mod table;

/// Where a setting may come from, complete but for what a test is about.
struct Scene {
    home: TempDir,
    variables: Variables,
    flags: Vec<String>,
}

impl Scene {
    /// A project named `shop` in the working directory, and no credentials wanted.
    fn new() -> Self {
        let scene = Self {
            home: tempfile::tempdir().unwrap(),
            variables: Variables::new(),
            flags: Vec::new(),
        };
        scene.write("dbt_project.yml", "name: shop\n");
        scene.var("DBT_ENTRYPOINT_CREDENTIALS", "none")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.remove(OsStr::new(name));
        self
    }

    fn flags(mut self, flags: &[&str]) -> Self {
        self.flags
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    fn settings(self, text: &str) -> Self {
        self.write("settings.yml", text);
        let path = self.path("settings.yml");
        self.flags(&["--config", &path])
    }

    fn env_file(self, text: &str) -> Self {
        self.write("sandbox.env", text);
        let path = self.path("sandbox.env");
        self.flags(&["--env-file", &path])
    }

    fn resolve(&self) -> Result<(Config, Pipeline), Error> {
        let words = ["dbt-entrypoint".to_owned(), "run".to_owned()]
            .into_iter()
            .chain(self.flags.iter().cloned());
        match Cli::try_parse_from(words).unwrap().command {
            Some(Command::Run(args)) => resolve_run(
                &args,
                &Files::read(&args.common),
                &self.variables,
                self.home.path(),
            ),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn run(&self) -> (Config, Pipeline) {
        self.resolve().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Every fault, with `~` for the working directory.
    #[track_caller]
    fn faults(&self) -> Vec<String> {
        self.strip(self.resolve().unwrap_err())
    }

    /// What `exec` says, which knows no flags of the pipeline.
    #[track_caller]
    fn faults_of_exec(&self) -> Vec<String> {
        let words = ["dbt-entrypoint", "exec"]
            .map(str::to_owned)
            .into_iter()
            .chain(self.flags.iter().cloned());
        match Cli::try_parse_from(words.chain(["--", "dbt"].map(str::to_owned)))
            .unwrap()
            .command
        {
            Some(Command::Exec(args)) => self.strip(
                resolve(
                    &args.common,
                    &Files::read(&args.common),
                    &self.variables,
                    self.home.path(),
                )
                .unwrap_err(),
            ),
            other => panic!("{other:?}"),
        }
    }

    fn strip(&self, error: Error) -> Vec<String> {
        let home = self.path("");
        error
            .faults
            .into_iter()
            .map(|fault| fault.replace(home.as_str(), "~/"))
            .collect()
    }
}
