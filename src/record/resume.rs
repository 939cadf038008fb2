//! Owns the decision what is left of an earlier run: whether it may be finished at all, and what
//! becomes of each step.
//!
//! Pure. Where anything is not known, more is run and not less.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::nodes::NodeLog;
use super::{EndedStep, Fingerprint, RunRecord, commands, results};
use crate::artifacts::is_success;
use crate::config::{Step, Variables, variable};
use crate::dbt::Identity;
use crate::redact::Redactor;
use crate::yaml::{self, Kind, Node};

/// Commands that `dbt retry` goes on with.
const RETRIED: [&str; 5] = ["run", "build", "test", "seed", "snapshot"];
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

/// What this run is about to do.
#[derive(Debug)]
pub(crate) struct Present<'a> {
    pub(crate) env: &'a str,
    pub(crate) project: Option<&'a str>,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) dbt: &'a Identity,
    pub(crate) steps: &'a [Step],
    pub(crate) redactor: &'a Redactor,
    pub(crate) now: SystemTime,
    /// An older run is not resumed.
    pub(crate) within: Duration,
}

/// What is known of an earlier run beside its record: one for each step.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) steps: Vec<PastStep>,
}

/// What an earlier run has left of a step.
#[derive(Debug, Default)]
pub(crate) struct PastStep {
    /// `None` of a step that nobody has seen end.
    pub(crate) ended: Option<EndedStep>,
    pub(crate) nodes: Option<NodeLog>,
    /// Its run_results.json.
    pub(crate) results: Option<Vec<u8>>,
    /// Its sources.json.
    pub(crate) sources: Option<Vec<u8>>,
}

impl PastStep {
    /// Whether the step has left results that are not there any more, or cannot be read.
    fn lacks_results(&self, step: &Step) -> bool {
        let results = match step.subcommand() {
            "source" => &self.sources,
            _ => &self.results,
        };
        let has_nodes = self.ended.as_ref().is_some_and(|end| end.nodes.is_some());
        has_nodes && results.is_none()
    }

    /// Makes the results that a step lacks of what its nodes have told, if all of them have
    /// succeeded.
    pub(crate) fn restore_results(&mut self, step: &Step, version: Option<&str>) {
        if !self.lacks_results(step) || !RETRIED.contains(&step.subcommand()) {
            return;
        }
        let Some((log, plan)) = self.nodes.as_ref().and_then(|log| Some((log, log.plan()?))) else {
            return;
        };
        let done: BTreeSet<String> = log.succeeded().map(|(id, _)| id.to_owned()).collect();
        if plan.is_subset(&done) {
            let args = json!({"which": step.subcommand()});
            let results = results::to_retry(plan, &done, log, None, &args, version);
            self.results = Some(results.to_string().into_bytes());
        }
    }
}

/// What is to be done with a step.
#[derive(Debug)]
pub(crate) enum Todo {
    /// It is done.
    Nothing,
    /// It is done, and run again for what it leaves, which is not here.
    Again,
    /// Some of it is done.
    Rest(Box<Remainder>),
    /// All of it. `why`: of a step that was begun.
    All { why: Option<String> },
}

/// What is left of a step.
#[derive(Debug)]
pub(crate) struct Remainder {
    /// The arguments of dbt, without the directory of the state.
    pub(crate) command: Vec<String>,
    /// The content of run_results.json in that directory.
    pub(crate) state: Value,
    /// The earlier attempts, of what they have done.
    pub(crate) log: NodeLog,
    pub(crate) done: usize,
    /// The nodes that are to be run.
    pub(crate) left: BTreeSet<String>,
    /// Why a node that is done is run once more.
    pub(crate) repeated: Option<String>,
}

/// Why a run cannot be resumed, in words that stand alone. `status`: how it ended, if it did.
pub(crate) fn refusal(
    record: &RunRecord,
    status: Option<&str>,
    present: &Present<'_>,
) -> Option<String> {
    if record.project.as_deref() != present.project {
        return Some("it is a run of another project".to_owned());
    }
    if record.env != present.env {
        return Some(format!("ENV was {} and is {} now", record.env, present.env));
    }
    if record.steps != commands(present) {
        return Some("the commands of the steps have changed".to_owned());
    }
    if let Some(what) = record.fingerprint.difference(present.fingerprint) {
        return Some(what.to_owned());
    }
    match (&record.dbt.version, &present.dbt.version) {
        (Some(then), Some(now)) if then != now => {
            return Some(format!("dbt was {then} and is {now} now"));
        }
        _ => {}
    }
    let within = humantime::format_duration(present.within);
    // Without a time it is not read at all.
    let started = record.started().unwrap_or(SystemTime::UNIX_EPOCH);
    match present.now.duration_since(started) {
        Ok(age) if age > present.within => {
            return Some(format!("it began more than {within} ago"));
        }
        // The clock of another machine may be ahead, but not for years.
        Err(ahead) if ahead.duration() > present.within => {
            let what =
                format!("it begins more than {within} from now, by the clock of this machine");
            return Some(what);
        }
        _ => {}
    }
    (status == Some("success")).then(|| "it has succeeded, and nothing is left to do".to_owned())
}

/// What becomes of each step. `is_needed`: whether a step that is done has to be run again, since
/// what it leaves is not here.
pub(crate) fn decide(
    past: &Past,
    present: &Present<'_>,
    variables: &Variables,
    is_needed: impl Fn(&Step) -> bool,
) -> Vec<Todo> {
    let mut is_reached = false;
    let nothing = PastStep::default();
    let steps = present.steps.iter().enumerate();
    steps
        .map(|(index, step)| {
            let past = past.steps.get(index).unwrap_or(&nothing);
            if is_reached {
                return Todo::All { why: None };
            }
            if past.ended.as_ref().is_some_and(EndedStep::is_done) {
                if is_needed(step) {
                    return Todo::Again;
                }
                if !past.lacks_results(step) {
                    return Todo::Nothing;
                }
            }
            is_reached = true;
            let is_lost = || {
                let why = "an earlier attempt has run it, but its results cannot be had";
                past.lacks_results(step).then(|| why.to_owned())
            };
            match rest(step, past, present, variables) {
                Ok(rest) => Todo::Rest(Box::new(rest)),
                Err(why) => Todo::All {
                    why: why.or_else(is_lost),
                },
            }
        })
        .collect()
}

impl Todo {
    /// How the step ended in an earlier attempt, as far as that still counts.
    pub(crate) fn of_earlier(&self, past: &PastStep) -> Option<EndedStep> {
        match self {
            Self::Nothing | Self::Again | Self::Rest(_) => past.ended.clone(),
            Self::All { .. } => None,
        }
    }
}

/// What is left of a step that was begun. Fails with the reason if nobody can tell, without one if
/// it has no nodes, or none of them is done.
fn rest(
    step: &Step,
    past: &PastStep,
    present: &Present<'_>,
    variables: &Variables,
) -> Result<Remainder, Option<String>> {
    if !RETRIED.contains(&step.subcommand()) {
        return Err(None);
    }
    let earlier = past.results.as_deref().and_then(results::read);
    let mut log = past.nodes.clone().unwrap_or_default();
    // dbt 2 that was stopped names all nodes in its results, if it could still write them.
    if let Some(earlier) = &earlier {
        let ids: Vec<String> = results::statuses(earlier)
            .map(|(id, _)| id.to_owned())
            .collect();
        log.complete_plan(&ids);
    }
    let mut done: BTreeSet<String> = log.succeeded().map(|(id, _)| id.to_owned()).collect();
    if let Some(earlier) = &earlier {
        let succeeded = results::statuses(earlier).filter(|(_, status)| is_success(status));
        done.extend(succeeded.map(|(id, _)| id.to_owned()));
    }
    if log.plan().is_none() {
        let has_ended = past.ended.as_ref().is_some_and(EndedStep::left_all_results);
        match &earlier {
            Some(earlier) if has_ended => {
                let ids = results::statuses(earlier).map(|(id, _)| id.to_owned());
                log.set_plan(ids.collect());
            }
            _ if done.is_empty() && past.nodes.is_none() && past.results.is_none() => {
                return Err(None);
            }
            _ => return Err(Some("what it had selected is not known".to_owned())),
        }
    }
    let plan = log.plan().cloned().unwrap_or_default();
    done.retain(|id| plan.contains(id));
    if done.is_empty() {
        return Err(None);
    }
    let version = present.dbt.version.as_deref();
    let has_tests = plan.iter().any(|id| is_test(id));
    let (command, args) = retry(step, version, has_tests, variables).map_err(Some)?;
    let mut repeated = None;
    if done.len() == plan.len() {
        // Its hooks may not have run, and nobody has seen it end.
        let last = log.last_success().map(str::to_owned);
        let last = last
            .or_else(|| done.iter().next().cloned())
            .unwrap_or_default();
        done.remove(&last);
        repeated = Some(format!(
            "all its nodes are done, but nobody has seen its end; {last} is run again, so that \
             what follows the nodes is not left out"
        ));
    }
    log.keep_only(&done);
    Ok(Remainder {
        command,
        state: results::to_retry(&plan, &done, &log, earlier.as_ref(), &args, version),
        done: done.len(),
        left: plan.difference(&done).cloned().collect(),
        log,
        repeated,
    })
}

fn is_test(id: &str) -> bool {
    id.starts_with("test.") || id.starts_with("unit_test.")
}

/// The step as `dbt retry`, and how it says that dbt was called. `has_tests`: whether it has
/// selected some. Fails with the reason if it would not do the same.
fn retry(
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

#[cfg(test)]
mod tests;
