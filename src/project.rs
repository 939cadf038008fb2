//! Owns what the runner has to know of a dbt project before dbt looks at it: where it can run,
//! where it writes, which variables its profile needs, whether its packages are installed.
//!
//! Never parses models and never renders Jinja beyond a plain `env_var` call: the rest is dbt's
//! business.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::config::{Config, ProjectFile, Variables};

mod jinja;
pub(crate) mod packages;
pub(crate) mod profile;

/// Where dbt puts its log unless it is told otherwise.
const LOGS: &str = "logs";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the project {} cannot be written to, and it could not be copied to a temporary directory", .project.display())]
    Copy { project: PathBuf, source: io::Error },
}

impl Error {
    pub(crate) fn hint(&self) -> String {
        let Self::Copy { .. } = self;
        "make the project writable; or make all of it readable, and give the container a writable temporary directory (a tmpfs or volume \
         at /tmp, or TMPDIR)"
            .to_owned()
    }
}

/// Where the steps run.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Absolute; the project itself or a copy of it.
    pub(crate) directory: PathBuf,
    /// Absolute.
    pub(crate) target: PathBuf,
    /// Deleted when the run is over.
    _copy: Option<TempDir>,
}

impl Workspace {
    /// Takes the project as it is or, where it cannot be written to, a copy without `target/` and
    /// `logs/`; in that case the settings are made to point at the copy.
    ///
    /// dbt with a read-only project exits with 2, without a word where `logs/` is missing.
    pub(crate) async fn prepare(config: &mut Config) -> Result<Self, Error> {
        let project = config.project_dir.clone();
        let target = target_path(&project, &config.variables);
        if !project.join("dbt_project.yml").is_file() || is_writable(&project, &target) {
            return Ok(Self {
                target: project.join(target),
                directory: project,
                _copy: None,
            });
        }
        let (from, without) = (project.clone(), target.clone());
        // On a thread of its own: a large project takes seconds, and a signal must not wait for it.
        let copied = tokio::task::spawn_blocking(move || copy(&from, &without))
            .await
            .unwrap_or_else(|error| Err(error.into()));
        Ok(Self::in_copy(
            config,
            &target,
            copied.map_err(|source| Error::Copy { project, source })?,
        ))
    }

    fn in_copy(config: &mut Config, target: &Path, copy: TempDir) -> Self {
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
            directory,
            _copy: Some(copy),
        }
    }
}

/// `DBT_TARGET_PATH`, else `target-path` of dbt_project.yml, else `target`; relative to the project
/// unless absolute.
fn target_path(project: &Path, variables: &Variables) -> PathBuf {
    let from_variable = profile::engine_variable(variables, "TARGET_PATH");
    let from_file = || {
        let text = ProjectFile::read(project).ok()?.text("target-path")?;
        let path = jinja::render(&text, variables);
        if path.is_none() {
            tracing::warn!(
                "target-path of dbt_project.yml cannot be told ({text}); set DBT_TARGET_PATH, or nothing may be published"
            );
        }
        path
    };
    PathBuf::from(
        from_variable
            .or_else(from_file)
            .unwrap_or_else(|| "target".to_owned()),
    )
}

/// Whether dbt can write where it will: the directory itself and, where they exist, `target/` and
/// `logs/` in it.
fn is_writable(project: &Path, target: &Path) -> bool {
    let places = [project.to_owned(), project.join(target), project.join(LOGS)];
    places
        .iter()
        .filter(|place| place.exists())
        .all(|place| access(place.as_path(), AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

/// Follows links: those of installed local packages lead out of `dbt_packages`, and a relative one
/// would lead nowhere.
fn copy(project: &Path, target: &Path) -> io::Result<TempDir> {
    let copy = tempfile::Builder::new()
        .prefix("dbt-entrypoint-")
        .tempdir()?;
    let left_out = [project.join(target), project.join(LOGS)];
    let walk = WalkDir::new(project).min_depth(1).follow_links(true);
    for entry in walk
        .into_iter()
        .filter_entry(|entry| !left_out.iter().any(|path| path == entry.path()))
    {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads nowhere, or in a circle, is nothing that dbt could read either.
            Err(error)
                if error.loop_ancestor().is_some()
                    || error
                        .path()
                        .is_some_and(|path| path.is_symlink() && !path.exists()) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let place = copy.path().join(
            entry
                .path()
                .strip_prefix(project)
                .map_err(io::Error::other)?,
        );
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(place)?;
        } else if entry.file_type().is_file() {
            // Contents alone: a copied mode of 0444 would keep dbt from replacing the file.
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", entry.path().display()))
            };
            io::copy(
                &mut std::fs::File::open(entry.path()).map_err(named)?,
                &mut std::fs::File::create(place)?,
            )?;
        }
    }
    Ok(copy)
}

#[cfg(test)]
mod tests;
