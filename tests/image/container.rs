//! One container from its `docker run` to what it left.
//!
//! Owns the flags and the life of a container. It is run by the runner of the end-to-end tests with
//! the Docker client as the program, so the same questions can be asked of its end; `docker run`
//! hands the variables on by name, and no value shows in a command line.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::engine::{self, Made, docker};
use crate::support::processes::MARKER;
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::{Runner, Running};

/// What the end-to-end tests' support sets. Those that are not set are not handed on.
const HANDED_ON: [&str; 14] = [
    MARKER,
    "AWS_ACCESS_KEY_ID",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "DBT_REDSHIFT_DB",
    "DBT_REDSHIFT_HOST",
    "DBT_REDSHIFT_PASSWORD",
    "DBT_REDSHIFT_PORT",
    "DBT_REDSHIFT_SCHEMA",
    "DBT_REDSHIFT_USER",
    "DBT_ENTRYPOINT_DBT",
    "FAKE_DBT_DIR",
];

pub struct Container {
    runner: Runner,
    flags: Vec<String>,
    image: String,
    arguments: Vec<String>,
    name: String,
}

impl Container {
    /// Of the image under test, on the host's network.
    pub fn new() -> Self {
        Self::of(&engine::image()).flags(["--network", "host"])
    }

    pub fn of(image: &str) -> Self {
        let runner = Runner::new(repo::root()).program(engine::client().unwrap());
        let runner = engine::client_environment()
            .into_iter()
            .fold(runner, |runner, (name, value)| runner.env(name, value));
        let name = repo::unique("dbt-entrypoint-test");
        let flags = ["run", "--name", &name, "--label", &engine::label()]
            .map(str::to_owned)
            .to_vec();
        let container = Self {
            runner,
            flags,
            image: image.to_owned(),
            arguments: Vec::new(),
            name,
        };
        HANDED_ON.iter().fold(container, |container, name| {
            container.flags(["--env", name])
        })
    }

    #[must_use]
    pub fn flags<'a>(mut self, flags: impl IntoIterator<Item = &'a str>) -> Self {
        self.flags.extend(flags.into_iter().map(str::to_owned));
        self
    }

    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(str::to_owned));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.runner = self.runner.env(name, value);
        self.flags(["--env", name])
    }

    /// What attaches a run to AWS, to the stand-in or to a fake dbt.
    #[must_use]
    pub fn with(mut self, attach: impl FnOnce(Runner) -> Runner) -> Self {
        self.runner = attach(self.runner);
        self
    }

    #[must_use]
    pub fn mount(self, from: &Path, to: &str) -> Self {
        let mount = format!("{}:{to}", from.display());
        self.flags(["--volume", &mount])
    }

    #[must_use]
    pub fn mount_read_only(self, from: &Path, to: &str) -> Self {
        self.mount(from, &format!("{to}:ro"))
    }

    pub fn start(self) -> Started {
        let made = Made::container(self.name);
        let running = self
            .runner
            .args(self.flags)
            .arg(self.image)
            .args(self.arguments)
            .spawn();
        Started { running, made }
    }

    pub fn run(self) -> Finished {
        self.start().wait().0
    }
}

pub struct Started {
    // Dropped in this order: the container's processes are gone before the engine is asked to
    // remove it.
    pub running: Running,
    made: Made,
}

impl Started {
    pub fn name(&self) -> &str {
        &self.made.name
    }

    pub fn until(&mut self, what: &str, condition: impl FnMut(&Running) -> bool) {
        self.running.until(what, condition);
    }

    /// How it ended, and the container as it is after its end, for as long as that is looked at.
    pub fn wait(self) -> (Finished, Made) {
        (self.running.wait(), self.made)
    }

    pub fn stop(&self, seconds: u32) {
        docker(&["stop", "--time", &seconds.to_string(), self.name()]);
    }
}

/// A folder that the container's user can read, whatever made it.
pub fn readable(folder: &Path) -> &Path {
    permit(folder, 0o755)
}

/// A folder that the container's user can write to.
pub fn writable(folder: &Path) -> &Path {
    permit(folder, 0o777)
}

fn permit(folder: &Path, mode: u32) -> &Path {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    folder
}
