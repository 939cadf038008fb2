//! Owns the decision what is left of an earlier run: whether it may be finished at all, and what
//! becomes of each step.
//!
//! Pure. Where anything is not known, more is run and not less.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::nodes::NodeLog;
use super::{EndedStep, Fingerprint, RunRecord, commands, results};
use crate::artifacts::is_success;
use crate::config::{Step, Variables};
use crate::dbt::Identity;
use crate::redact::Redactor;

mod retry;

/// Commands that `dbt retry` goes on with.
const RETRIED: [&str; 5] = ["run", "build", "test", "seed", "snapshot"];
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
    let (command, args) = retry::command(step, version, has_tests, variables).map_err(Some)?;
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

#[cfg(test)]
mod tests;
