//! Owns what surrounds a step that installs packages: they are kept while it runs, put back if it
//! fails, and stamped if it succeeds.
//!
//! Never decides whether there is anything to install: the stage says so.

use super::listening::Heard;
use super::{Engine, Outcome, Shutdown, Stage, Status, run_step, without_secrets};
use crate::config::{Step, Variables};
use crate::environment;
use crate::project::packages::{self, Kept};

/// The runner's own code for a fault that is not dbt's.
const INTERNAL: u8 = 70;

/// Whether this is the default `deps`. If a step spells out `--upgrade`, it should run.
pub(super) fn is_plain(step: &Step) -> bool {
    has_only(step, &[])
}

/// Whether it installs what package-lock.yml of the project says in the end, as `--lock` does not.
fn installs_lock(step: &Step) -> bool {
    has_only(step, &["--upgrade"])
}

/// Whether the step is `deps` with nothing but the flags, `--vars` and `--target`.
fn has_only(step: &Step, flags: &[&str]) -> bool {
    let mut words = step.command[1..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--vars" | "--target" => drop(words.next()),
            _ if flags.contains(&word) => {}
            _ => return false,
        }
    }
    step.subcommand() == "deps"
}

/// The variables by which the packages are known, since what is kept on disk should hold no secret.
fn harmless(stage: &Stage) -> Variables {
    let variables = &stage.environment.variables;
    without_secrets(variables, &environment::look_like_secrets(variables))
}

pub(super) async fn run(
    step: &Step,
    stage: &Stage,
    engine: &mut Engine,
    heard: &mut Heard<'_>,
    shutdown: &mut Shutdown,
) -> Outcome {
    let project = step.option(&["--project-dir"]);
    let project = project.map_or_else(
        || stage.directory.clone(),
        |path| stage.directory.join(path),
    );
    let place = match step.option(&["--packages-install-path"]) {
        Some(path) => Some(project.join(path)),
        None => packages::install_path(&project, &stage.environment.variables),
    };
    let kept = match place.as_deref().map(Kept::copy).transpose() {
        Ok(kept) => kept,
        Err(error) => {
            let what = format!(
                "cannot back up the installed packages before dbt replaces them: {error}; free \
                 space in the project's folder or in the temporary directory"
            );
            return Outcome::skipped(&step.name).lacking(step.on_failure, INTERNAL, what);
        }
    };
    let outcome = run_step(step, stage, engine, 0, heard, shutdown).await;
    let has_succeeded = outcome.status == Status::Success;
    let settled = kept.map(|kept| {
        if has_succeeded {
            kept.discard()
        } else {
            kept.restore()
        }
    });
    if let Some(Err(error)) = settled {
        tracing::warn!(
            "step {}: cannot {} the backup of the installed packages: {error}",
            step.name,
            if has_succeeded { "remove" } else { "restore" }
        );
    }
    if has_succeeded && installs_lock(step) {
        packages::stamp(&project, &harmless(stage));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnFailure;

    #[test]
    fn only_deps_as_it_is_by_default_may_be_left_out() {
        for (command, expected) in [
            ("deps", true),
            ("deps --vars {x:1} --target live", true),
            ("deps --upgrade", false),
            ("deps --lock", false),
            ("deps --target live --upgrade", false),
            ("deps --add-package x --target live", false),
            ("debug", false),
            ("run", false),
        ] {
            let command = command.split(' ').map(str::to_owned).collect();
            let step = Step {
                name: "x".to_owned(),
                command,
                on_failure: OnFailure::Stop,
                timeout: None,
            };
            assert_eq!(is_plain(&step), expected, "{step:?}");
        }
    }
}
