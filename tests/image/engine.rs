//! The Docker engine: whether one answers, and what is asked of it beside running containers.
//!
//! Owns the label by which everything that the tests make can be found, and the removal of what a
//! test made, also when it panics.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests' own environment, not the program's"
)]
#![allow(clippy::print_stderr, reason = "a skipped test has to say so")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::repo;

/// Ends a test that cannot run here. In CI there is an engine, so there a missing one is a failure.
macro_rules! needs_engine {
    () => {
        if !$crate::engine::answers() {
            return;
        }
    };
}
pub(crate) use needs_engine;

/// The image under test.
pub fn image() -> String {
    env::var("DBT_ENTRYPOINT_TEST_IMAGE").unwrap_or_else(|_| "dbt-entrypoint:local".to_owned())
}

/// The one with dbt 2.
pub fn image_2() -> String {
    env::var("DBT_ENTRYPOINT_TEST_IMAGE_2").unwrap_or_else(|_| "dbt-entrypoint:dbt2".to_owned())
}

/// `scripts/test-image` gives all of one run the same value, and removes what carries it when the
/// run was cut off.
pub fn label() -> String {
    let run = env::var("DBT_ENTRYPOINT_TEST_LABEL").unwrap_or_else(|_| repo::test_run().0);
    format!("dbt-entrypoint.test={run}")
}

pub fn answers() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    let answers =
        *ANSWER.get_or_init(|| client().is_some_and(|client| ask(client, &["info"]).is_ok()));
    if answers {
        for image in [image(), image_2()] {
            assert!(
                ask(client().unwrap(), &["image", "inspect", &image]).is_ok(),
                "there is no image {image}: run scripts/test image, which builds both"
            );
        }
    } else {
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "no Docker engine answers, and in CI there has to be one"
        );
        eprintln!("SKIPPED: no Docker engine answers; scripts/test image says how to get one");
    }
    answers
}

/// The first `docker` on PATH that knows `BuildKit`, as in scripts/docker.sh.
pub fn client() -> Option<&'static Path> {
    static CLIENT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = || env::var_os("PATH").unwrap_or_default();
    let candidates = || {
        env::split_paths(&path())
            .map(|folder| folder.join("docker"))
            .collect::<Vec<_>>()
    };
    let knows_buildkit = |client: &PathBuf| {
        ask(client, &["build", "--help"]).is_ok_and(|help| help.contains("--progress"))
    };
    CLIENT
        .get_or_init(|| {
            candidates()
                .into_iter()
                .filter(|path| path.exists())
                .find(knows_buildkit)
        })
        .as_deref()
}

/// What of the caller's environment tells the client where the engine is.
pub fn client_environment() -> Vec<(String, String)> {
    env::vars()
        .filter(|(name, _)| {
            name.starts_with("DOCKER_") || name == "HOME" || name == "XDG_RUNTIME_DIR"
        })
        .collect()
}

fn ask(client: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(client)
        .env("DOCKER_BUILDKIT", "1")
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("{}: {error}", client.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!(
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

#[track_caller]
pub fn docker(arguments: &[&str]) -> String {
    ask(client().unwrap(), arguments)
        .unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
}

/// Bytes of the layers that an instruction with these words made, unpacked.
pub fn layers(of: &str, words: &str) -> u64 {
    let history = docker(&[
        "history",
        "--human=false",
        "--no-trunc",
        "--format",
        "{{.Size}} {{.CreatedBy}}.",
        of,
    ]);
    let sizes = history
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, by)| by.contains(words));
    sizes.map(|(size, _)| size.parse::<u64>().unwrap()).sum()
}

/// Its standard output as it comes, for what is too large to hold.
pub fn stream(arguments: &[&str]) -> std::process::Child {
    Command::new(client().unwrap())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// One thing of the engine's that is removed when the test is over.
pub struct Made {
    pub name: String,
    removal: &'static [&'static str],
}

impl Made {
    pub fn container(name: String) -> Self {
        Self {
            name,
            removal: &["rm", "--force", "--volumes"],
        }
    }

    #[track_caller]
    pub fn network() -> Self {
        let name = repo::unique("dbt-entrypoint-test");
        docker(&["network", "create", "--label", &label(), &name]);
        Self {
            name,
            removal: &["network", "rm"],
        }
    }

    /// An image from the Dockerfile in that folder.
    #[track_caller]
    pub fn image(folder: &Path) -> Self {
        Self::image_with(folder, &[])
    }

    /// The same, with these flags of the build.
    #[track_caller]
    pub fn image_with(folder: &Path, flags: &[&str]) -> Self {
        let name = repo::unique("dbt-entrypoint-test");
        let label = label();
        let build = ["build", "--quiet", "--label", &label, "--tag", &name];
        docker(&[&build[..], flags, &[folder.to_str().unwrap()]].concat());
        Self {
            name,
            removal: &["image", "rm", "--force"],
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let arguments: Vec<_> = self
            .removal
            .iter()
            .copied()
            .chain([self.name.as_str()])
            .collect();
        // A test that fails has more to say than that its container is gone already.
        drop(ask(client().unwrap(), &arguments));
    }
}
