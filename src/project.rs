//! Owns what the runner has to know of a dbt project before dbt looks at it: where it can run,
//! where it writes, which variables its profile needs, whether its packages are installed.
//!
//! Never parses models: that is dbt's business.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use self::copied::Copied;
use crate::config::{Config, ProjectFile, Step, Variables};

mod copied;
mod folders;
pub(crate) mod packages;
pub(crate) mod profile;

pub(crate) use folders::folders;

/// Where dbt writes unless told otherwise.
const TARGET: &str = "target";
/// Where dbt puts its log unless told otherwise.
const LOGS: &str = "logs";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the project {} cannot be written to, and it could not be copied to a temporary \
        directory", .project.display())]
    Copy { project: PathBuf, source: io::Error },
}

impl Error {
    pub(crate) fn hint(&self) -> String {
        let Self::Copy { .. } = self;
        "make the project writable; or make all of it readable, and give the container a writable \
            temporary directory (a tmpfs or volume \
         at /tmp, or TMPDIR)"
            .to_owned()
    }
}

/// Where the steps run.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Absolute; the project itself or a copy of it.
    pub(crate) directory: PathBuf,
    /// Absolute. Where dbt writes unless a step says otherwise.
    pub(crate) target: PathBuf,
    /// Why nobody knows where dbt writes, if so; then `target` is a guess.
    pub(crate) target_unknown: Option<String>,
    /// Removed with this value.
    copy: Option<Copied>,
}

impl Workspace {
    /// Takes the project as it is or, where dbt could not write what it has to, a copy without
    /// `target/` and `logs/`; in that case the settings are made to point at the copy.
    /// `variables`: those that dbt gets. `steps`: which may name places of their own.
    /// `changes_project`: whether dbt writes not only to its target and its log.
    ///
    /// dbt with a read-only project exits with 2, without a word where `logs/` is missing.
    pub(crate) async fn prepare(
        config: &mut Config,
        variables: &Variables,
        steps: &[Step],
        changes_project: bool,
    ) -> Result<Self, Error> {
        let project = config.project_dir.clone();
        let (target, target_unknown) = match target_path(&project, variables) {
            Ok(target) => (target, None),
            Err(why) => (PathBuf::from(TARGET), Some(why)),
        };
        let mut places = places(&project, &target, &log_path(&project, variables), steps);
        places.extend(changes_project.then(|| project.clone()));
        let is_project = project.join("dbt_project.yml").is_file();
        if !is_project || places.iter().all(|place| can_be_written(place)) {
            return Ok(Self {
                target: project.join(target),
                target_unknown,
                directory: project,
                copy: None,
            });
        }
        let copied = copy(&project, &target, &std::env::temp_dir()).await;
        let copied = copied.map_err(|source| Error::Copy { project, source })?;
        Ok(Self {
            target_unknown,
            ..Self::in_copy(config, &target, copied)
        })
    }

    fn in_copy(config: &mut Config, target: &Path, copy: Copied) -> Self {
        let project = config.project_dir.clone();
        let directory = copy.path().to_owned();
        tracing::info!(
            "{} cannot be written to: the steps run in the copy {}",
            project.display(),
            directory.display()
        );
        if let Some(profiles) = &mut config.profiles_dir
            && let Ok(inside) = profiles.strip_prefix(&project)
        {
            *profiles = directory.join(inside).components().collect();
        }
        config.project_dir.clone_from(&directory);
        Self {
            target: directory.join(target),
            target_unknown: None,
            directory,
            copy: Some(copy),
        }
    }

    /// Whether it is a copy, which goes when the run ends.
    pub(crate) fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Where a step writes: by its own `--target-path`, else as the others.
    pub(crate) fn target_of(&self, step: &Step) -> PathBuf {
        step.target_directory(&self.directory, &self.target)
    }

    /// The directories that the steps write to, in the order of their last use.
    pub(crate) fn targets_of(&self, steps: &[Step]) -> Vec<PathBuf> {
        let mut targets = Vec::new();
        for target in steps.iter().map(|step| self.target_of(step)) {
            targets.retain(|known| *known != target);
            targets.push(target);
        }
        targets
    }
}

/// A copy of the project in `place`. The work is done on a thread of its own: a large project takes
/// seconds, and a signal must not wait for it. The copy itself stays here, so that it is removed
/// when nobody waits any longer.
async fn copy(project: &Path, target: &Path, place: &Path) -> io::Result<Copied> {
    let copied = Copied::begin(place)?;
    let filler = copied.filler();
    let left_out = [project.join(target), project.join(LOGS)];
    let (project, place) = (project.to_owned(), place.to_owned());
    let work = move || {
        let forgotten = copied::remove_forgotten(&place);
        if forgotten > 0 {
            tracing::info!("removed copies of projects that killed runs left behind: {forgotten}");
        }
        filler.fill(&project, &left_out)
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(error.into()))?;
    Ok(copied)
}

/// Where dbt would write; `None` where there is no project, or nobody knows.
pub(crate) fn target(project: &Path, variables: &Variables) -> Option<PathBuf> {
    let is_project = project.join("dbt_project.yml").is_file();
    let target = target_path(project, variables).ok().filter(|_| is_project);
    target.map(|target| project.join(target))
}

/// `DBT_TARGET_PATH`, else `target-path` of dbt_project.yml, else `target`; relative to the project
/// unless absolute. An empty one of the file is the project itself. The error is a sentence.
fn target_path(project: &Path, variables: &Variables) -> Result<PathBuf, String> {
    if let Some(path) = profile::engine_variable(variables, "TARGET_PATH") {
        return Ok(path.into());
    }
    let path = ProjectFile::read(project)?
        .rendered("target-path", variables)
        .map_err(|unrendered| format!("{}; set DBT_TARGET_PATH", unrendered.what))?;
    Ok(path.map_or_else(|| TARGET.into(), PathBuf::from))
}

/// What dbt makes of `DBT_LOG_PATH`, else of `log-path` in dbt_project.yml, in the same way.
fn log_path(project: &Path, variables: &Variables) -> PathBuf {
    let from_file = || {
        let file = ProjectFile::read(project).ok()?;
        file.rendered("log-path", variables).ok()?
    };
    let path = profile::engine_variable(variables, "LOG_PATH").or_else(from_file);
    project.join(path.as_deref().unwrap_or(LOGS))
}

/// Where the steps write: each to its own `--target-path` and `--log-path`, if it has them.
fn places(project: &Path, target: &Path, log: &Path, steps: &[Step]) -> Vec<PathBuf> {
    if steps.is_empty() {
        return vec![project.join(target), log.to_owned()];
    }
    let of_step = |step: &Step| {
        let own = |flag, default: &Path| {
            let path = step.option(&[flag]).filter(|path| !path.is_empty());
            project.join(path.map_or(default, Path::new))
        };
        [own("--target-path", target), own("--log-path", log)]
    };
    steps.iter().flat_map(of_step).collect()
}

/// Whether something can be put into the directory, or into what it would be made in.
fn can_be_written(directory: &Path) -> bool {
    let there = directory.ancestors().find(|path| path.exists());
    there.is_some_and(|path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

#[cfg(test)]
mod tests;
