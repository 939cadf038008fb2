//! Owns the question which variables the selected target of profiles.yml needs.
//!
//! dbt ignores a missing variable under the key `password` and sends the template text as the
//! password, so it is asked before dbt starts. Never decides what only dbt can: that is a warning.

use std::path::{Path, PathBuf};

use crate::config::{ProjectFile, Step, Unrendered, Variables, read_yaml, variable};
use crate::jinja;
use crate::yaml::{Node, Value};

/// What is wrong with the profile, in sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// What a command says of the target itself.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    target: Option<String>,
    profile: Option<String>,
    profiles_dir: Option<PathBuf>,
}

impl Choice {
    /// By the step's own flags; `None` for a step that needs no profile.
    fn of(step: &Step, project_dir: &Path) -> Option<Self> {
        if !needs_profile(step) {
            return None;
        }
        let text = |flags: &[&str]| step.option(flags).map(str::to_owned);
        Some(Self {
            target: text(&["--target", "-t"]),
            profile: text(&["--profile"]),
            profiles_dir: step
                .option(&["--profiles-dir"])
                .map(|directory| project_dir.join(directory)),
        })
    }
}

/// Looks at the target of each step.
pub(crate) fn check(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    steps: &[Step],
    variables: &Variables,
) -> Findings {
    let mut findings = Findings::default();
    for choice in choices(steps, project_dir) {
        match selected(project_dir, profiles_dir, &choice, variables) {
            Ok(Selection { place, output, .. }) => {
                each_string(&output, &mut Vec::new(), &mut |keys, text| {
                    check_value(&place, &keys.join("."), text, variables, &mut findings);
                });
            }
            Err(Unselected::Certainly(fault)) => findings.faults.push(fault),
            Err(Unselected::Perhaps(warning)) => findings.warnings.push(warning),
        }
    }
    for step in steps {
        if let Some(other) = other_project(step, project_dir) {
            findings.warnings.push(format!(
                "step {}: --project-dir names another project, {}: its profile is not checked, and \
                 its artifacts are neither reported nor published; set DBT_PROJECT_DIR instead",
                step.name,
                other.display()
            ));
        }
    }
    findings.faults.dedup();
    findings.warnings.dedup();
    findings
}

/// Without repetitions.
fn choices(steps: &[Step], project_dir: &Path) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for choice in steps
        .iter()
        .filter(|step| other_project(step, project_dir).is_none())
        .filter_map(|step| Choice::of(step, project_dir))
    {
        if !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    choices
}

/// Another project than that of the run, which a step names itself. What needs no profile leaves
/// nothing to read either.
fn other_project(step: &Step, project_dir: &Path) -> Option<PathBuf> {
    let own = project_dir.join(step.option(&["--project-dir"])?);
    let is_same = match (own.canonicalize(), project_dir.canonicalize()) {
        (Ok(own), Ok(of_run)) => own == of_run,
        _ => own == project_dir,
    };
    (!is_same && needs_profile(step)).then_some(own)
}

fn needs_profile(step: &Step) -> bool {
    !matches!(step.subcommand(), "deps" | "clean" | "init")
}

/// What dbt will select, as far as it can be told without dbt.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) profile: String,
    pub(crate) target: String,
    /// The type of the database.
    pub(crate) adapter: String,
}

/// `None` where only dbt can tell, and where the steps differ.
pub(crate) fn select(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    steps: &[Step],
    variables: &Variables,
) -> Option<Selected> {
    let choices = choices(steps, project_dir);
    let [choice] = &choices[..] else {
        return None;
    };
    let Selection {
        profile,
        target,
        output,
        ..
    } = selected(project_dir, profiles_dir, choice, variables).ok()?;
    let adapter = jinja::render(output.get("type")?.as_str()?, variables).text?;
    Some(Selected {
        profile,
        target,
        adapter,
    })
}

/// Parts of keys whose values may be secrets.
const SECRET: [&str; 4] = ["pass", "secret", "token", "key"];

/// What the steps' targets come to, without secrets, as texts: of each its profile and name, and
/// every key with its value. Where only dbt can tell which target it is, all of profiles.yml.
/// `None` where only dbt can tell what a value comes from. `variables`: without secrets.
pub(crate) fn rendered(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    steps: &[Step],
    variables: &Variables,
) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for choice in choices(steps, project_dir) {
        if let Ok(selection) = selected(project_dir, profiles_dir, &choice, variables) {
            texts.extend([selection.profile, selection.target]);
            render_all(&selection.output, variables, &mut texts)?;
            continue;
        }
        for name in ["PROFILE", "TARGET"] {
            texts.push(format!("{name}={:?}", engine_variable(variables, name)));
        }
        let directory = choice.profiles_dir.as_deref().or(profiles_dir);
        let file = directory.map(|directory| directory.join("profiles.yml"));
        if let Some(file) = file.filter(|file| file.exists()) {
            render_all(&read_yaml(&file).ok()?, variables, &mut texts)?;
        }
    }
    Some(texts)
}

/// Each key, and what its value comes to, or comes from.
fn render_all(node: &Node, variables: &Variables, texts: &mut Vec<String>) -> Option<()> {
    match &node.value {
        Value::Scalar(scalar) => match jinja::render(&scalar.text, variables).draft {
            Some(text) => texts.push(text),
            None => texts.extend(jinja::sources(&scalar.text, variables)?),
        },
        Value::List(items) => {
            for item in items.iter() {
                render_all(item, variables, texts)?;
            }
        }
        Value::Map(fields) => {
            for field in fields.iter() {
                let key = field.key.written().unwrap_or("?").to_owned();
                let is_secret = SECRET.iter().any(|part| key.contains(part));
                texts.push(key);
                if !is_secret {
                    render_all(&field.value, variables, texts)?;
                }
            }
        }
    }
    Some(())
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
    output: Node,
    /// Where it stands, in words.
    place: String,
}

/// Why no output is selected.
enum Unselected {
    /// dbt will stop, too.
    Certainly(String),
    /// Only dbt can tell.
    Perhaps(String),
}

fn selected(
    project_dir: &Path,
    profiles_dir: Option<&Path>,
    choice: &Choice,
    variables: &Variables,
) -> Result<Selection, Unselected> {
    let directory = choice.profiles_dir.as_deref().or(profiles_dir);
    let directory = directory.ok_or_else(|| {
        Unselected::Perhaps("no profiles.yml was found, so its variables were not checked".into())
    })?;
    let path = directory.join("profiles.yml");
    let undecided = |what: &str| {
        let path = path.display();
        Unselected::Perhaps(format!("{path}: {what}, so its variables were not checked"))
    };
    let profiles = read_yaml(&path).map_err(Unselected::Perhaps)?;
    let chosen = choice.profile.clone();
    let name = match chosen.or_else(|| engine_variable(variables, "PROFILE")) {
        Some(name) => name,
        None => profile_of_project(project_dir, variables)?
            .ok_or_else(|| undecided("dbt_project.yml names no profile"))?,
    };
    let profile = profiles
        .get(&name)
        .ok_or_else(|| undecided(&format!("there is no profile {name:?}")))?;
    let chosen = choice.target.clone();
    let target = match (
        chosen.or_else(|| engine_variable(variables, "TARGET")),
        profile.get("target"),
    ) {
        (Some(target), _) => target,
        (None, None) => "default".to_owned(),
        (None, Some(node)) => {
            let rendered = node
                .as_str()
                .map(|text| jinja::render(text, variables))
                .unwrap_or_default();
            let missing = rendered.missing.first();
            if let Some(variable) = missing {
                return Err(Unselected::Certainly(format!(
                    "{}:{}: the target of profile {name:?} needs the variable {variable}, which is \
                        not set; \
                     set it, or set --target or DBT_TARGET",
                    path.display(),
                    node.line
                )));
            }
            rendered.text.ok_or_else(|| {
                undecided(&format!(
                    "the target of profile {name:?} cannot be determined"
                ))
            })?
        }
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

/// What dbt_project.yml says. A file that cannot be read is told by whoever needs more of it.
fn profile_of_project(
    project_dir: &Path,
    variables: &Variables,
) -> Result<Option<String>, Unselected> {
    let Ok(project) = ProjectFile::read(project_dir) else {
        return Ok(None);
    };
    let profile = project.rendered("profile", variables);
    profile
        .map(|name| name.filter(|name| !name.is_empty()))
        .map_err(|Unrendered { what, is_certain }| {
            if is_certain {
                Unselected::Certainly(format!("{what}; or set DBT_PROFILE"))
            } else {
                Unselected::Perhaps(format!("{what}, so its variables were not checked"))
            }
        })
}

fn check_value(place: &str, key: &str, text: &str, variables: &Variables, findings: &mut Findings) {
    let found = jinja::render(text, variables);
    for name in found.missing {
        findings.faults.push(format!(
            "{place}: {key} needs the variable {name}, which is not set"
        ));
    }
    for name in found.empty {
        findings
            .warnings
            .push(format!("{place}: {key} takes {name}, which is empty"));
    }
    // Without the text: it may be a password with braces in it.
    if found.is_undecided {
        findings.warnings.push(format!(
            "{place}: only dbt can tell which variables {key} needs"
        ));
    }
}

/// Calls back for every string below the value, with the keys that lead to it.
fn each_string(node: &Node, keys: &mut Vec<String>, found: &mut impl FnMut(&[String], &str)) {
    match &node.value {
        Value::Scalar(_) => node.as_str().into_iter().for_each(|text| found(keys, text)),
        Value::List(items) => items.iter().for_each(|item| each_string(item, keys, found)),
        Value::Map(fields) => {
            for field in fields.iter() {
                keys.push(field.key.written().unwrap_or("?").to_owned());
                each_string(&field.value, keys, found);
                keys.pop();
            }
        }
    }
}
