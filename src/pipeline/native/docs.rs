//! Owns what a docs step of dbt 2 has to leave: how the catalogue is asked for, where the site is,
//! and what of both is missing.
//!
//! Never starts dbt.

use std::path::{Component, Path, PathBuf};

use crate::config::{OnFailure, Step, Variables, variable};
use crate::dbt::catalog_error;
use crate::pipeline::Stage;

use super::before::Before;

/// Makes dbt 2 write catalog.json, whatever the command.
pub(super) const WRITE_CATALOG: &str = "DBT_WRITE_CATALOG";
/// Where dbt 2 writes the site, if not into the target directory.
const OUTPUT_DIR: &str = "DBT_DOCS_OUTPUT_DIR";
const PAGE: &str = "index.html";
pub(super) const CATALOG: &str = "catalog.json";
const MANIFEST: &str = "manifest.json";
/// Options that `compile --write-catalog` cannot be given, and whether a value follows.
const ONLY_DOCS: [(&str, bool); 7] = [
    ("--output-dir", true),
    ("--duckdb-cdn-base", true),
    ("--compile", false),
    ("--no-compile", false),
    ("--empty-catalog", false),
    ("--static", false),
    // It is there already.
    ("--write-catalog", false),
];

/// `compile --write-catalog` with the options of the step.
pub(super) fn catalog_command(step: &Step) -> Vec<String> {
    let mut command = vec!["compile".to_owned(), "--write-catalog".to_owned()];
    let is_said = |word: &String| word == "docs" || word == "generate";
    let mut words = step.command.iter().skip_while(|word| is_said(word));
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        match ONLY_DOCS.iter().find(|(option, _)| *option == name) {
            Some((_, true)) if name == word => drop(words.next()),
            Some(_) => {}
            None => command.push(word.clone()),
        }
    }
    command
}

/// Where dbt 2 writes the site of a docs step, if not into the target directory of the step.
pub(crate) fn site_directory(
    step: &Step,
    variables: &Variables,
    directory: &Path,
    target: &Path,
) -> Option<PathBuf> {
    step.option(&["--output-dir"])
        .map(PathBuf::from)
        .or_else(|| variable(variables, OUTPUT_DIR).map(PathBuf::from))
        .map(|site| without_dots(&directory.join(site)))
        .filter(|site| *site != without_dots(target))
}

/// The same path without `.` and `..`.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// What lay in both directories before the step.
pub(super) struct Docs {
    target: Before,
    site: Before,
}

impl Docs {
    pub(super) fn before(step: &Step, stage: &Stage) -> Self {
        let target = stage.target_of(step);
        let variables = &stage.environment.variables;
        let site = site_directory(step, variables, &stage.directory, &target)
            .unwrap_or_else(|| target.clone());
        Self {
            target: Before::of(target, &[CATALOG, MANIFEST]),
            site: Before::of(site, &[PAGE]),
        }
    }

    pub(super) fn has_catalog(&self) -> bool {
        self.target.has_new(CATALOG)
    }

    /// What a site cannot do without, and the step did not write, in words with the remedy.
    pub(super) fn missing(&self, version: Option<&str>, on_failure: OnFailure) -> Option<String> {
        let page = (&self.site, PAGE);
        let missing: Vec<_> = [page, (&self.target, MANIFEST), (&self.target, CATALOG)]
            .into_iter()
            .filter(|(before, name)| !before.has_new(name))
            .map(|(before, name)| before.directory.join(name).display().to_string())
            .collect();
        let version = version.unwrap_or("2");
        if missing.is_empty() {
            let catalog = self.target.directory.join(CATALOG);
            return catalog_error(&catalog).map(|error| {
                let catalog = catalog.display();
                format!("dbt {version} ended with 0 and {catalog} is incomplete: {error}")
            });
        }
        let remedy = match on_failure {
            _ if self.site.has_new(PAGE) => "read dbt's own output",
            OnFailure::Warn => "use a version of dbt that writes a site, or leave the step out",
            OnFailure::Stop | OnFailure::Continue => {
                "use a version of dbt that writes a site, leave the step out, or set on_failure: \
                    warn"
            }
        };
        Some(format!(
            "dbt {version} ended with 0 and wrote no {}; {remedy}",
            missing.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &str) -> Step {
        Step {
            name: "docs".to_owned(),
            command: command.split(' ').map(str::to_owned).collect(),
            on_failure: OnFailure::Stop,
            timeout: None,
        }
    }

    #[test]
    fn the_catalogue_is_asked_for_with_the_options_of_the_step() {
        for (command, expected) in [
            ("docs generate", "compile --write-catalog"),
            ("docs", "compile --write-catalog"),
            (
                "docs generate --target live --vars {a:1}",
                "compile --write-catalog --target live --vars {a:1}",
            ),
            (
                "docs generate --output-dir site --write-catalog --no-compile --target-path out",
                "compile --write-catalog --target-path out",
            ),
            (
                "docs generate --duckdb-cdn-base=https://mirror -t live",
                "compile --write-catalog -t live",
            ),
        ] {
            assert_eq!(
                catalog_command(&step(command)).join(" "),
                expected,
                "{command}"
            );
        }
    }

    #[test]
    fn the_site_is_where_the_step_or_the_variable_says() {
        let variables = Variables::from([(OUTPUT_DIR.into(), "by/variable".into())]);
        let none = Variables::new();
        for (command, variables, expected) in [
            ("docs generate", &none, None),
            ("docs generate", &variables, Some("/p/by/variable")),
            (
                "docs generate --output-dir site",
                &variables,
                Some("/p/site"),
            ),
            ("docs generate --output-dir=/abs", &none, Some("/abs")),
            ("docs generate --output-dir ./site/../target/", &none, None),
            ("docs generate --output-dir .", &none, Some("/p")),
        ] {
            let (project, target) = (Path::new("/p"), Path::new("/p/target"));
            let found = site_directory(&step(command), variables, project, target);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{command}");
        }
    }
}
