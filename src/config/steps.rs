//! Owns the setting `steps` and the selection of nodes: each step as the arguments that dbt gets.
//!
//! Never runs anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::SettingsFile;
use super::layers::Layers;
use super::origin::Given;
use super::values;
use crate::cli::NodeArgs;
use crate::setting;
use crate::yaml::Node;

const SHORT: [&str; 10] = [
    "deps",
    "debug",
    "run",
    "test",
    "freshness",
    "docs",
    "build",
    "seed",
    "snapshot",
    "compile",
];
const DEFAULT: [&str; 6] = ["deps", "debug", "run", "test", "freshness", "docs"];
/// Options that dbt also takes before its subcommand, each followed by a value.
const VALUED: [&str; 27] = [
    "--defer-state",
    "--deprecated-favor-state",
    "--exclude",
    "--indirect-selection",
    "--log-file-max-bytes",
    "--log-format",
    "--log-format-file",
    "--log-level",
    "--log-level-file",
    "--log-path",
    "--otel-file-name",
    "--partial-parse-file-path",
    "--printer-width",
    "--profile",
    "--profiles-dir",
    "--project-dir",
    "--record-timing-info",
    "--select",
    "--selector",
    "--state",
    "--target",
    "--target-path",
    "--threads",
    "--vars",
    "--warn-error-options",
    "-s",
    "-t",
];
/// By which a subcommand is told from the value of an option that is not known here.
const SUBCOMMANDS: [&str; 20] = [
    "build",
    "clean",
    "clone",
    "compile",
    "debug",
    "deps",
    "docs",
    "init",
    "list",
    "ls",
    "parse",
    "retry",
    "run",
    "run-operation",
    "seed",
    "show",
    "snapshot",
    "source",
    "system",
    "test",
];
/// Two digits number the steps in the ledger, and the closing line has to hold them all.
const MOST: usize = 99;
const LONGEST_NAME: usize = 40;

/// One dbt command of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// dbt's whole argument list, the subcommand first.
    pub(crate) command: Vec<String>,
    pub(crate) on_failure: OnFailure,
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// No later step runs.
    Stop,
    /// Later steps run, and the run still fails.
    Continue,
    /// Later steps run, and the run does not fail.
    Warn,
}

impl Step {
    /// dbt's subcommand: the first word of the command.
    pub(crate) fn subcommand(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Whether it is `docs generate`, or `docs` alone, which is the same to dbt 2.
    pub(crate) fn makes_docs(&self) -> bool {
        let second = self.command.get(1).map_or("generate", String::as_str);
        self.subcommand() == "docs" && (second == "generate" || second.starts_with('-'))
    }

    /// Where it writes: by its own `--target-path`, else to `usual`. `project`: where dbt runs.
    pub(crate) fn target_directory(&self, project: &Path, usual: &Path) -> PathBuf {
        self.option(&["--target-path"])
            .filter(|path| !path.is_empty())
            .map_or_else(|| usual.to_owned(), |path| project.join(path))
    }

    /// The value of an option of dbt, as dbt takes it: `--target x`, `--target=x`, `-t x`, `-tx`,
    /// and of several the last one. `flags`: all its names.
    pub(crate) fn option(&self, flags: &[&str]) -> Option<&str> {
        let mut value = None;
        let mut words = self.command.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            for flag in flags {
                let Some(rest) = word.strip_prefix(flag) else {
                    continue;
                };
                let is_short = !flag.starts_with("--");
                if rest.is_empty() {
                    value = words.next();
                } else if let Some(rest) = rest.strip_prefix('=').filter(|_| !is_short) {
                    value = Some(rest);
                } else if is_short && !word.starts_with("--") {
                    value = Some(rest);
                }
            }
        }
        value
    }
}

/// The steps with the selection of nodes in them.
/// `extra`: arguments for the run or build step.
pub(super) fn resolve(
    layers: &Layers,
    nodes: &NodeArgs,
    extra: &[String],
    faults: &mut Vec<String>,
) -> Vec<Step> {
    let mut steps = match layers.only_in_file(&setting::STEPS) {
        Some((node, file)) if node.items().is_some() => {
            spelled_steps(node.items().unwrap_or_default(), file, faults)
        }
        _ => match layers.text(&setting::STEPS, faults) {
            Some(given) => listed_steps(&given, faults),
            None => DEFAULT.iter().map(|name| short(name)).collect(),
        },
    };
    if steps.len() > MOST {
        faults.push(format!(
            "steps: {} steps, but a run may have at most {MOST}",
            steps.len()
        ));
    }
    for step in &mut steps {
        add_selection(step, nodes);
        if matches!(step.subcommand(), "run" | "build") {
            step.command.extend(extra.iter().cloned());
        }
    }
    if !extra.is_empty()
        && !steps
            .iter()
            .any(|step| matches!(step.subcommand(), "run" | "build"))
    {
        faults.push(format!(
            "arguments after -- ({}): there is no run or build step that could take them",
            extra.join(" ")
        ));
    }
    steps
}

/// `run,test`.
fn listed_steps(given: &Given<String>, faults: &mut Vec<String>) -> Vec<Step> {
    let names = given.value.split(',').map(str::trim);
    let (known, unknown): (Vec<&str>, Vec<&str>) = names.partition(|name| SHORT.contains(name));
    faults.extend(unknown.iter().map(|name| given.fault(unknown_step(name))));
    known.into_iter().map(short).collect()
}

fn spelled_steps(items: &[Node], file: &SettingsFile, faults: &mut Vec<String>) -> Vec<Step> {
    if items.is_empty() {
        faults.push(format!(
            "{}: is empty; leave it out for the default",
            file.origin("steps")
        ));
    }
    let mut steps = Vec::new();
    for item in items {
        if item.fields().is_some() {
            let before = faults.len();
            let step = spelled(item, file, faults);
            steps.extend(step.filter(|_| faults.len() == before));
            continue;
        }
        let what = match item.written() {
            Some(name) if SHORT.contains(&name) => {
                steps.push(short(name));
                continue;
            }
            Some(name) => unknown_step(name),
            None => "a step is a name or a mapping with name and command".to_owned(),
        };
        faults.push(format!("{}: {what}", file.at(item.line, "steps")));
    }
    steps
}

/// `{name: nightly, command: [test, --select, "tag:nightly"], on_failure: continue, timeout: 20m}`.
fn spelled(step: &Node, file: &SettingsFile, faults: &mut Vec<String>) -> Option<Step> {
    const KEYS: [&str; 4] = ["name", "command", "on_failure", "timeout"];
    for key in step
        .fields()
        .unwrap_or_default()
        .iter()
        .map(|field| &field.key)
    {
        let name = key.written().unwrap_or_default();
        if !KEYS.contains(&name) {
            faults.push(format!(
                "{}: unknown key of a step; known are {}",
                file.at(key.line, name),
                KEYS.join(", ")
            ));
        }
    }
    let word = |key: &str| {
        step.get(key)
            .map(|value| value.written().unwrap_or_default())
    };
    let name = word("name").unwrap_or_default().to_owned();
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
        faults.push(format!(
            "{}: a step's name is 1 to {LONGEST_NAME} letters, digits, '-' or '_' (it becomes part \
             of a key)",
            file.origin_in(step, "name")
        ));
    }
    let command: Option<Vec<String>> = match step.get("command") {
        None if SHORT.contains(&name.as_str()) => Some(short(&name).command),
        command => command.and_then(Node::items).and_then(|words| {
            let words = words.iter().map(|word| word.written().map(str::to_owned));
            words.collect()
        }),
    };
    let command = command.filter(|words| {
        words
            .first()
            .is_some_and(|word| !word.is_empty() && word != "dbt")
    });
    if command.is_none() {
        let what = "must be the list of dbt's arguments, such as [test, --select, \
         \"tag:nightly\"], without dbt itself";
        faults.push(format!("{}: {what}", file.origin_in(step, "command")));
    }
    let on_failure = match word("on_failure") {
        None | Some("stop") => OnFailure::Stop,
        Some("continue") => OnFailure::Continue,
        Some("warn") => OnFailure::Warn,
        Some(other) => {
            faults.push(format!(
                "{}: {other:?} is not stop, continue or warn",
                file.origin_in(step, "on_failure")
            ));
            OnFailure::Stop
        }
    };
    let timeout = word("timeout").and_then(|value| {
        let given = Given {
            value: value.to_owned(),
            origin: file.origin_in(step, "timeout"),
        };
        values::time(&given, faults)
    });
    Some(Step {
        name,
        command: subcommand_first(command?),
        on_failure,
        timeout,
    })
}

/// What dbt takes before its subcommand, it takes after it as well; everything here looks for the
/// subcommand in the first place.
fn subcommand_first(mut command: Vec<String>) -> Vec<String> {
    let mut options = 0;
    let subcommand = loop {
        let Some(word) = command.get(options) else {
            // What dbt makes of it is its own affair.
            return command;
        };
        if options == 0 && !word.starts_with('-') || SUBCOMMANDS.contains(&word.as_str()) {
            break word;
        }
        let has_value = VALUED.contains(&word.as_str()) || word == "-r";
        options += if has_value { 2 } else { 1 };
    };
    let of_second: &[&str] = match subcommand.as_str() {
        "docs" => &["generate", "serve"],
        "source" => &["freshness", "snapshot-freshness"],
        _ => &[],
    };
    command[..=options].rotate_left(options);
    let second = command
        .iter()
        .position(|word| of_second.contains(&word.as_str()));
    if let Some(second) = second {
        command[1..=second].rotate_right(1);
    }
    command
}

fn short(name: &str) -> Step {
    let command: &[&str] = match name {
        "freshness" => &["source", "freshness"],
        "docs" => &["docs", "generate"],
        other => &[other],
    };
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    Step {
        name: name.to_owned(),
        command,
        on_failure: OnFailure::Stop,
        timeout: None,
    }
}

fn unknown_step(name: &str) -> String {
    format!("unknown step {name:?}; known are {}", SHORT.join(", "))
}

/// Adds the flags that the step's subcommand takes, unless the step spells them out itself.
///
/// `docs` and `freshness` never get a selection: a partial catalog would replace the site's, and a
/// freshness check that selects a model checks nothing and passes.
fn add_selection(step: &mut Step, nodes: &NodeArgs) {
    let subcommand = step.subcommand().to_owned();
    let has_nodes = matches!(
        subcommand.as_str(),
        "run" | "test" | "build" | "seed" | "snapshot" | "compile"
    );
    let others = [
        "deps",
        "debug",
        "source",
        "docs",
        "clone",
        "list",
        "ls",
        "parse",
        "retry",
        "run-operation",
        "show",
    ];
    // An unknown subcommand may refuse a flag, and then the step would fail.
    if !has_nodes && !others.contains(&subcommand.as_str()) {
        return;
    }
    let written = step.command.clone();
    let spells = |flags: &[&str]| {
        written.iter().any(|word| {
            flags.contains(&word.as_str())
                || flags
                    .iter()
                    .any(|flag| word.starts_with(&format!("{flag}=")))
        })
    };
    let mut add = |flag: &str, value: Option<&String>, same: &[&str]| {
        if let Some(value) = value.filter(|_| !spells(same)) {
            step.command.extend([flag.to_owned(), value.clone()]);
        }
    };
    if has_nodes {
        // The command line never widens the selection that a step spells out itself.
        let selects = [
            "--select",
            "-s",
            "--models",
            "-m",
            "--exclude",
            "--selector",
        ];
        nodes
            .select
            .iter()
            .for_each(|value| add("--select", Some(value), &selects));
        nodes
            .exclude
            .iter()
            .for_each(|value| add("--exclude", Some(value), &selects));
        add("--selector", nodes.selector.as_ref(), &selects);
        add("--threads", nodes.threads.as_ref(), &["--threads"]);
    }
    add("--vars", nodes.vars.as_ref(), &["--vars"]);
    add("--target", nodes.target.as_ref(), &["--target", "-t"]);
    let rebuilds = matches!(subcommand.as_str(), "run" | "build" | "seed" | "compile");
    if nodes.full_refresh && rebuilds && !spells(&["--full-refresh", "-f"]) {
        step.command.push("--full-refresh".to_owned());
    }
}
