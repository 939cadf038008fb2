//! Owns where dbt's project, profiles and program are, and what the runner reads in
//! dbt_project.yml.
//!
//! Never checks whether dbt can use them.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::file::scalar;
use super::layers::Layers;
use crate::setting;

/// What the runner reads in dbt_project.yml.
#[derive(Debug, Default)]
pub(crate) struct ProjectFile(Value);

impl ProjectFile {
    /// Reads the file of a project directory. The error is a sentence that names the file.
    pub(crate) fn read(project_dir: &Path) -> Result<Self, String> {
        read_yaml(&project_dir.join("dbt_project.yml")).map(Self)
    }

    /// A key of one word.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.0
            .get(key)
            .and_then(scalar)
            .filter(|text| !text.is_empty())
    }
}

/// A YAML file as a value. The error is a sentence that names the file and, for a syntax error, the
/// line.
pub(crate) fn read_yaml(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    serde_yaml::from_str(&text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        format!("{}:{line}: is not valid YAML: {error}", path.display())
    })
}

/// `./dbt` if it holds dbt_project.yml, else `.`.
pub(super) fn project_dir(
    layers: &Layers,
    working_directory: &Path,
    faults: &mut Vec<String>,
) -> PathBuf {
    let given = layers.text(&setting::PROJECT_DIR, faults);
    match given {
        Some(given) => absolute(working_directory, Path::new(&given.value)),
        None if working_directory.join("dbt/dbt_project.yml").is_file() => {
            working_directory.join("dbt")
        }
        None => working_directory.to_owned(),
    }
}

/// The project's own, else where dbt itself would look: the working directory, then `~/.dbt`.
pub(super) fn profiles_dir(
    layers: &Layers,
    project_dir: &Path,
    working_directory: &Path,
    faults: &mut Vec<String>,
) -> Option<PathBuf> {
    let given = layers.text(&setting::PROFILES_DIR, faults);
    if let Some(given) = given {
        return Some(absolute(working_directory, Path::new(&given.value)));
    }
    let candidates = [
        Some(project_dir.to_owned()),
        Some(working_directory.to_owned()),
    ];
    let found = candidates
        .into_iter()
        .flatten()
        .find(|directory| directory.join("profiles.yml").is_file());
    found.or_else(|| {
        layers
            .raw_variable("HOME")
            .map(|(value, _)| absolute(working_directory, Path::new(value)).join(".dbt"))
    })
}

/// A name is looked up on `PATH` later. A path counts from the runner's working directory, not from
/// dbt's.
pub(super) fn dbt(layers: &Layers, working_directory: &Path, faults: &mut Vec<String>) -> PathBuf {
    let given = layers.text(&setting::DBT, faults);
    let program = PathBuf::from(given.map_or_else(|| "dbt".to_owned(), |given| given.value));
    if program.components().count() > 1 {
        absolute(working_directory, &program)
    } else {
        program
    }
}

/// The fault of a run that has neither a project nor a name.
pub(super) fn missing_project(project_dir: &Path) -> String {
    match ProjectFile::read(project_dir) {
        Ok(_) => format!(
            "{}: has no name; add one or set --project-name or PROJECT_NAME",
            project_dir.join("dbt_project.yml").display()
        ),
        Err(_) if !project_dir.join("dbt_project.yml").exists() => {
            format!(
                "no dbt project in {}: dbt_project.yml is not there; set --project-dir or \
                 DBT_PROJECT_DIR",
                project_dir.display()
            )
        }
        Err(fault) => fault,
    }
}

fn absolute(working_directory: &Path, path: &Path) -> PathBuf {
    // `components` drops `.` in the middle and slashes at the end, which `join` would keep.
    working_directory.join(path).components().collect()
}
