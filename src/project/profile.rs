//! Owns the question which variables the selected target of profiles.yml needs.
//!
//! dbt ignores a missing variable under the key `password` and sends the template text as the
//! password, so it is asked before dbt starts. Never decides what only dbt can: that is a warning.

use std::ffi::OsStr;
use std::path::Path;

use serde_yaml::Value;

use super::jinja::{self, EnvVar};
use crate::config::{ProjectFile, Variables, read_yaml, variable};

/// What is wrong with the profile, in sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Looks at the target that dbt will select. `target`: the flag, which wins over dbt's own
/// variables.
pub(crate) fn check(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    target: Option<&str>,
    variables: &Variables,
) -> Findings {
    let mut findings = Findings::default();
    match selected(project_dir, profiles_dir, target, variables) {
        Ok(Selection { place, output, .. }) => {
            each_string(&output, &mut Vec::new(), &mut |keys, text| {
                check_value(&place, keys, text, variables, &mut findings);
            });
        }
        Err(undecided) => findings.warnings.push(undecided),
    }
    findings
}

/// What dbt will select, as far as it can be told without dbt.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) profile: String,
    pub(crate) target: String,
    /// The type of the database.
    pub(crate) adapter: String,
}

/// `None` where only dbt can tell.
pub(crate) fn select(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    target: Option<&str>,
    variables: &Variables,
) -> Option<Selected> {
    let Selection {
        profile,
        target,
        output,
        ..
    } = selected(project_dir, profiles_dir, target, variables).ok()?;
    let adapter = jinja::render(output.get("type")?.as_str()?, variables)?;
    Some(Selected {
        profile,
        target,
        adapter,
    })
}

/// One of dbt's own settings: the newer spelling wins, and an empty value counts as unset.
pub(super) fn engine_variable(variables: &Variables, name: &str) -> Option<String> {
    let found = variable(variables, &format!("DBT_ENGINE_{name}"))
        .or_else(|| variable(variables, &format!("DBT_{name}")));
    found.and_then(|value| value.to_str()).map(str::to_owned)
}

/// The selected output.
struct Selection {
    profile: String,
    target: String,
    output: Value,
    /// Where it stands, in words.
    place: String,
}

fn selected(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    target: Option<&str>,
    variables: &Variables,
) -> Result<Selection, String> {
    let directory =
        profiles_dir.ok_or("no profiles.yml was found, so its variables were not checked")?;
    let path = directory.join("profiles.yml");
    let undecided = |what: &str| {
        format!(
            "{}: {what}, so its variables were not checked",
            path.display()
        )
    };
    let mut profiles = read_yaml(&path)?;
    // `<<: *defaults`, as dbt's parser takes it; a merge that is malformed is for dbt to report.
    let _ = profiles.apply_merge();
    let from_project = || {
        ProjectFile::read(project_dir)
            .ok()?
            .text("profile")
            .and_then(|text| jinja::render(&text, variables))
    };
    let name = engine_variable(variables, "PROFILE").or_else(from_project);
    let name = name.ok_or_else(|| undecided("dbt_project.yml names no profile"))?;
    let profile = profiles
        .get(&name)
        .ok_or_else(|| undecided(&format!("there is no profile {name:?}")))?;
    let target = match target
        .map(str::to_owned)
        .or_else(|| engine_variable(variables, "TARGET"))
    {
        Some(target) => target,
        None => match profile.get("target") {
            None => "default".to_owned(),
            Some(value) => value
                .as_str()
                .and_then(|text| jinja::render(text, variables))
                .ok_or_else(|| {
                    undecided(&format!("the target of profile {name:?} cannot be told"))
                })?,
        },
    };
    let output = profile
        .get("outputs")
        .and_then(|outputs| outputs.get(&target));
    let output =
        output.ok_or_else(|| undecided(&format!("profile {name:?} has no target {target:?}")))?;
    let place = format!("{}: target {target:?} of profile {name:?}", path.display());
    Ok(Selection {
        place,
        output: output.clone(),
        profile: name,
        target,
    })
}

fn check_value(
    place: &str,
    keys: &[String],
    text: &str,
    variables: &Variables,
    findings: &mut Findings,
) {
    let key = keys.join(".");
    for call in jinja::env_vars(text) {
        match call {
            EnvVar::Required(name) => match variables.get(OsStr::new(&name)) {
                None => findings.faults.push(format!(
                    "{place}: {key} needs the variable {name}, which is not set"
                )),
                Some(value) if value.is_empty() => findings
                    .warnings
                    .push(format!("{place}: {key} takes {name}, which is empty")),
                Some(_) => {}
            },
            EnvVar::Undecided => {
                findings.warnings.push(format!(
                    "{place}: cannot tell which variables {key} needs: {}",
                    shortened(text)
                ));
            }
            EnvVar::Optional { .. } => {}
        }
    }
}

/// Calls back for every string below the value, with the keys that lead to it.
fn each_string(value: &Value, keys: &mut Vec<String>, found: &mut impl FnMut(&[String], &str)) {
    match value {
        Value::String(text) => found(keys, text),
        Value::Sequence(items) => items.iter().for_each(|item| each_string(item, keys, found)),
        Value::Mapping(fields) => {
            for (key, field) in fields {
                keys.push(key.as_str().unwrap_or("?").to_owned());
                each_string(field, keys, found);
                keys.pop();
            }
        }
        _ => {}
    }
}

fn shortened(text: &str) -> String {
    let start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        format!("{start}…")
    } else {
        start
    }
}
