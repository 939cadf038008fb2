//! Owns the call of `dbt retry` in the place of a step: with which arguments it does the same.
//!
//! Never decides what is left to do. Where it may do something else, it is not called.

use serde_json::{Map, Value, json};

use crate::config::{Step, Variables, variable};
use crate::yaml::{self, Kind, Node};

/// Options that say which nodes a step selects, each with one value or several: that is known.
const SELECTING: [&str; 11] = [
    "--select",
    "-s",
    "--models",
    "--model",
    "-m",
    "--exclude",
    "--selector",
    "--resource-type",
    "--resource-types",
    "--exclude-resource-type",
    "--indirect-selection",
];
/// Options with a value that `dbt retry` takes as well, with all their names.
const KEPT: [&[&str]; 7] = [
    &["--target", "-t"],
    &["--profile"],
    &["--profiles-dir"],
    &["--project-dir"],
    &["--target-path"],
    &["--vars"],
    &["--threads"],
];
/// Variables with which dbt compares the project to another one, as `--state` does.
const COMPARING: [&str; 6] = [
    "DBT_STATE",
    "DBT_DEFER",
    "DBT_DEFER_STATE",
    "DBT_ENGINE_STATE",
    "DBT_ENGINE_DEFER",
    "DBT_ENGINE_DEFER_STATE",
];

/// The step as `dbt retry`, and how it says that dbt was called. `has_tests`: whether it has
/// selected some. Fails with the reason if it would not do the same.
pub(super) fn command(
    step: &Step,
    version: Option<&str>,
    has_tests: bool,
    variables: &Variables,
) -> Result<(Vec<String>, Value), String> {
    let mut numbers = version.unwrap_or_default().split('.');
    let mut number = || numbers.next().and_then(|part| part.parse::<u32>().ok());
    let (major, minor) = (number(), number());
    if major.is_none() {
        return Err("nobody knows the version of dbt, and so whether it has retry".to_owned());
    }
    if major == Some(1) && minor.is_some_and(|minor| minor < 6) {
        let version = version.unwrap_or_default();
        return Err(format!("dbt {version} has no retry"));
    }
    if let Some(name) = COMPARING
        .iter()
        .find(|name| variable(variables, name).is_some())
    {
        return Err(format!("with {name} dbt retry would not do the same"));
    }
    let which = step.subcommand();
    let mut args = Map::new();
    args.insert("which".to_owned(), json!(which));
    args.insert("command".to_owned(), json!(which));
    let mut words = step.command.iter().skip(1).map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if SELECTING.contains(&name) {
            while words.next_if(|word| !word.starts_with('-')).is_some() {}
        } else if KEPT.iter().any(|names| names.contains(&name)) {
            if name == word {
                words.next();
            }
        } else {
            match (word, major) {
                // dbt 1.6 takes it from nowhere.
                ("--full-refresh" | "-f", Some(1)) if minor != Some(6) => {
                    args.insert("full_refresh".to_owned(), json!(true));
                }
                ("--fail-fast" | "-x", Some(1)) => {
                    args.insert("fail_fast".to_owned(), json!(true));
                }
                _ => return Err(format!("dbt retry may not know its argument {word:?}")),
            }
        }
    }
    let mut command = vec!["retry".to_owned()];
    for names in KEPT {
        if let Some(value) = step.option(names) {
            command.extend([names[0].to_owned(), value.to_owned()]);
        }
    }
    if major == Some(2) && !has_tests {
        // It would test what it builds, and fail the step for it.
        let tests = ["--exclude", "resource_type:test", "resource_type:unit_test"];
        command.extend(tests.map(str::to_owned));
    }
    // What dbt 1 takes from the earlier call alone, in the older versions.
    if let Some(vars) = step.option(&["--vars"]) {
        let vars = yaml::parse(vars).ok().and_then(|read| json_of(&read.root));
        let vars = vars.ok_or("its --vars cannot be read without dbt")?;
        args.insert("vars".to_owned(), vars);
    }
    if let Some(target) = step.option(&["--target", "-t"]) {
        args.insert("target".to_owned(), json!(target));
    }
    if let Some(threads) = step
        .option(&["--threads"])
        .and_then(|text| text.parse::<u32>().ok())
    {
        args.insert("threads".to_owned(), json!(threads));
    }
    Ok((command, Value::Object(args)))
}

/// `None` for what JSON has no form for.
fn json_of(node: &Node) -> Option<Value> {
    if let Some(fields) = node.fields() {
        let fields = fields.iter().map(|field| {
            let key = field.key.written()?.to_owned();
            Some((key, json_of(&field.value)?))
        });
        return fields.collect::<Option<Map<_, _>>>().map(Value::Object);
    }
    if let Some(items) = node.items() {
        return items
            .iter()
            .map(json_of)
            .collect::<Option<Vec<_>>>()
            .map(Value::Array);
    }
    let scalar = node.scalar()?;
    match &scalar.kind {
        Kind::Null => Some(Value::Null),
        Kind::Bool(truth) => Some(json!(truth)),
        Kind::Int(number) => i64::try_from(*number).ok().map(|number| json!(number)),
        Kind::Float(number) => Some(json!(number)).filter(Value::is_number),
        Kind::Text => Some(json!(scalar.text)),
        Kind::Merge | Kind::Other => None,
    }
}
