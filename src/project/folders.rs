//! Owns the list of folders in which dbt looks for the files of a project.
//!
//! Never looks into them.

use std::path::Path;

use crate::config::ProjectFile;

/// Each key of dbt_project.yml with dbt's own default.
const PATHS: [(&str, &str); 8] = [
    ("model-paths", "models"),
    ("seed-paths", "seeds"),
    ("test-paths", "tests"),
    ("analysis-paths", "analyses"),
    ("macro-paths", "macros"),
    ("snapshot-paths", "snapshots"),
    ("asset-paths", "assets"),
    ("function-paths", "functions"),
];

/// Relative to the project. A list that only dbt can read counts as the whole project.
pub(crate) fn folders(project_dir: &Path) -> Vec<String> {
    let Ok(project) = ProjectFile::read(project_dir) else {
        return vec![".".to_owned()];
    };
    let listed = |key: &str, default: &str| match project.list(key) {
        Some(folders) => folders,
        None if project.has(key) => vec![".".to_owned()],
        None => vec![default.to_owned()],
    };
    let mut folders: Vec<String> = PATHS
        .iter()
        .flat_map(|(key, default)| listed(key, default))
        .collect();
    // Where dbt finds texts for the docs; by default, in all of the others.
    folders.extend(project.list("docs-paths").unwrap_or_default());
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_are_those_of_the_project_or_of_dbt() {
        for (content, included, excluded) in [
            ("name: x", vec!["models", "seeds", "macros"], vec!["."]),
            (
                "model-paths: [a, b]",
                vec!["a", "b", "seeds"],
                vec!["models"],
            ),
            ("model-paths: []", vec!["seeds"], vec!["models", "."]),
            (
                "model-paths: \"{{ var('x') }}\"",
                vec![".", "seeds"],
                vec!["models"],
            ),
            ("docs-paths: [texts]", vec!["texts", "models"], vec![]),
            ("- nonsense", vec!["."], vec!["models"]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("dbt_project.yml"), content).unwrap();
            let folders = folders(directory.path());
            let has = |name: &&str| folders.iter().any(|folder| folder == name);
            assert!(included.iter().all(has), "{content}: {folders:?}");
            assert!(!excluded.iter().any(has), "{content}: {folders:?}");
        }
    }
}
