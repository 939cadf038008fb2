//! Owns where dbt's project, profiles and program are.
//!
//! Never checks whether dbt can use them.

use std::path::{Path, PathBuf};

use super::layers::Layers;
use crate::setting;

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

fn absolute(working_directory: &Path, path: &Path) -> PathBuf {
    // `components` drops `.` in the middle and slashes at the end, which `join` would keep.
    working_directory.join(path).components().collect()
}
