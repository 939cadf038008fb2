//! Owns the pages that tell people of runs: one for each run, and one for the last two hundred.
//!
//! Pure: values in, HTML out. Whatever dbt says is text there, never markup. Nothing is loaded from
//! anywhere, and a page forbids itself to do so.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::artifacts::{Graph, NodeRun};
use crate::history::Entry;
use crate::pipeline::Status;
use crate::report::Summary;

mod critical;
mod headline;
mod log_address;
mod overview;
mod run_view;
mod text;
mod timeline;
mod words;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub(crate) use headline::does_work;
pub(crate) use log_address::log_address;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/page.js");
const RUN: &str = concat!(
    include_str!("page/head.html"),
    include_str!("page/run.html")
);
const HISTORY: &str = concat!(
    include_str!("page/head.html"),
    include_str!("page/history.html")
);

/// What is known of a run at its end.
pub(crate) struct Facts<'a> {
    pub(crate) summary: &'a Summary,
    /// When it began, in seconds since 1970, and how long it took.
    pub(crate) begun: f64,
    pub(crate) seconds: f64,
    /// Of every step that is planned, in order, as in the summary.
    pub(crate) steps: Vec<StepFacts>,
    pub(crate) graph: Graph,
    /// Earlier runs, the latest at the end.
    pub(crate) history: &'a [Entry],
    /// What the run was given, by name, without secrets.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Where its log can be read.
    pub(crate) log: Option<String>,
    /// What the runner advises.
    pub(crate) hint: Option<String>,
    pub(crate) links: Links,
    /// Whether a later run can finish this one.
    pub(crate) can_resume: bool,
    /// Whether the docs that can be read are of this run; `None` where no run is known to have left
    /// any.
    pub(crate) docs_are_new: Option<bool>,
    pub(crate) commit: Option<String>,
    pub(crate) resumed: Option<Resumed>,
    /// Masks secrets.
    pub(crate) redact: &'a dyn Fn(&str) -> String,
}

impl Facts<'_> {
    /// Whether the run that this one finishes has run a node, so that its time is not of this run.
    /// Where both have run nodes of a step, dbt's times tell them apart: those that were taken over
    /// have earlier ones or none.
    fn is_of_earlier_run(&self, step: usize, node: &NodeRun) -> bool {
        let line = self.summary.steps.get(step);
        if line.is_some_and(|line| line.status == Status::Resumed) {
            return true;
        }
        let has_resumed = matches!(&self.resumed, Some(resumed) if resumed.refused.is_none());
        has_resumed
            && match node.span {
                Some((start, _)) => start < self.begun,
                None => node.seconds > 0.0,
            }
    }

    /// The nodes of a step that ran in this run.
    fn own_nodes(&self, step: usize) -> impl Iterator<Item = &NodeRun> {
        let nodes = self.steps.get(step).map_or(&[][..], |step| &step.nodes);
        nodes
            .iter()
            .filter(move |node| !self.is_of_earlier_run(step, node))
    }

    /// The nodes of all steps that ran in this run.
    pub(crate) fn all_own_nodes(&self) -> impl Iterator<Item = &NodeRun> {
        (0..self.steps.len()).flat_map(|step| self.own_nodes(step))
    }
}

/// Where a page leads to, relative to itself.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The page of dbt, where there is one.
    pub(crate) docs: Option<String>,
    /// The page of all runs, and so the ledger is beside this page.
    pub(crate) runs: Option<String>,
}

/// That a run was asked to finish an earlier one.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) from: String,
    /// Why it ran everything instead.
    pub(crate) refused: Option<String>,
}

/// What is known of a step beyond its line in the summary.
#[derive(Debug, Default)]
pub(crate) struct StepFacts {
    /// dbt's subcommand.
    pub(crate) subcommand: String,
    /// The whole command, without values of variables.
    pub(crate) command: String,
    /// When it ended, in seconds from the beginning of the run; `None` if it did not run.
    pub(crate) ended: Option<f64>,
    pub(crate) nodes: Vec<NodeRun>,
    /// How it ended, where that was no ordinary exit or is only a warning.
    pub(crate) explanation: String,
    /// Nodes that had begun and not ended when it did.
    pub(crate) unfinished: Vec<String>,
    /// Whether it is known what it had selected.
    pub(crate) has_plan: bool,
    /// Its results in the ledger.
    pub(crate) results: Option<&'static str>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[error("a fault in the template of a page")]
pub(crate) struct Error(#[from] minijinja::Error);

/// The page of one run.
pub(crate) fn of_run(facts: &Facts) -> Result<String, Error> {
    render(RUN, &run_view::of(facts))
}

/// What the page of all runs is headed by.
#[derive(Clone, Copy)]
pub(crate) struct Heading<'a> {
    pub(crate) project: &'a str,
    pub(crate) env: &'a str,
    /// In seconds since 1970.
    pub(crate) now: f64,
    /// Whether dbt's page is beside it.
    pub(crate) has_docs: bool,
    /// Masks secrets.
    pub(crate) redact: &'a dyn Fn(&str) -> String,
}

/// The page of all runs that are remembered, the latest at the end.
pub(crate) fn of_history(runs: &[Entry], heading: Heading) -> Result<String, Error> {
    render(HISTORY, &overview::of(runs, heading))
}

fn render(template: &str, view: &impl Serialize) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // A line that holds nothing but a tag leaves nothing.
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    let safe = |text: &str| Value::from_safe_string(text.to_owned());
    environment.add_global("style", safe(STYLE));
    environment.add_global("script", safe(SCRIPT));
    environment.add_global("policy", policy());
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    Ok(environment
        .template_from_str(template)?
        .render(Serde(view))?)
}

/// What a page may do: show itself. The style and the script are known by their hashes.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("sha256-{}", aws_smithy_types::base64::encode(digest))
}
