//! Owns what stands on the page of one run, in which order, in which words.
//!
//! Pure. Never writes HTML: run.html does.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::headline::{self, Work};
use super::text::{Message, Texts};
use super::timeline::{self, Span, Timeline};
use super::words::{self, Moment};
use super::{Facts, StepFacts};
use crate::artifacts::{NodeRun, NodeState};
use crate::pipeline::Status;
use crate::report::RunStatus;

const ADDRESS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

mod advice;
mod durations;
mod failures;
mod lists;

use advice::{Address, Card};
use durations::{Path, Slow, usual_run};
use failures::{Failure, Failures};
use lists::{Row, Source, StepCard, Tests, tests};

#[derive(Serialize)]
pub(super) struct View {
    project: String,
    env: String,
    run_id: String,
    title: String,
    headline: String,
    notes: Vec<String>,
    pill: Pill,
    started: Moment,
    ended: Moment,
    over_midnight: bool,
    took: String,
    usually: Option<String>,
    dbt: Option<String>,
    commit: Option<String>,
    exit_code: u8,
    error: Option<Message>,
    hint: Option<Message>,
    failures: Failures,
    warnings: Vec<Failure>,
    warnings_left_out: usize,
    next: Vec<Card>,
    links: Vec<Address>,
    runs: Option<String>,
    steps: Vec<StepCard>,
    timeline: Timeline,
    timeline_words: String,
    earlier_nodes: usize,
    path: Option<Path>,
    slow: Vec<Slow>,
    has_usual: bool,
    tests: Option<Tests>,
    sources: Vec<Source>,
    sources_left_out: usize,
    sources_of: Option<Moment>,
    rows: Vec<Row>,
    rows_left_out: usize,
    node_count: String,
    settings: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Pill {
    class: &'static str,
    sign: &'static str,
    words: String,
}

/// Reads the facts, and keeps what several parts of the page need.
struct Reader<'a> {
    facts: &'a Facts<'a>,
    texts: Texts<'a>,
}

pub(super) fn of(facts: &Facts) -> View {
    let work = Work::of(&facts.steps);
    let mut reader = Reader {
        facts,
        texts: Texts::new(facts.redact),
    };
    let summary = facts.summary;
    let line = |text: &str| reader.texts.line(text);
    let headline = headline::of(facts, &work, &line);
    let project = line(summary.project.as_deref().unwrap_or("dbt"));
    let env = line(summary.env.as_deref().unwrap_or("no environment"));
    let pill = pill(facts, &work);
    let (started, ended) = (
        Moment::new(facts.begun),
        Moment::new(facts.begun + facts.seconds),
    );
    let usual = usual_run(facts.history);
    let dbt = summary.dbt.as_ref().map(|dbt| {
        let parts = [dbt.version.as_deref(), dbt.adapter.as_deref(), dbt.engine];
        let parts: Vec<String> = parts.into_iter().flatten().map(line).collect();
        parts.join(" · ")
    });
    let (path, on_path) = reader.path();
    let spans = reader.spans();
    let timeline = timeline::draw(
        facts.begun,
        facts.seconds,
        &spans,
        |step, node| on_path.contains(&(step, node.id.as_str())),
        |id| reader.texts.line(words::name(id)),
    );
    let timeline_words = timeline_words(&timeline, facts);
    let node_count = facts.steps.iter().map(|step| step.nodes.len()).sum();
    let earlier_nodes = node_count - facts.all_own_nodes().count();
    let (sources, sources_left_out, sources_of) = reader.sources();
    let (slow, has_usual) = reader.slow();
    let (rows, rows_left_out) = reader.rows();
    let steps = reader.steps();
    let settings = facts
        .settings
        .iter()
        .map(|(name, value)| (*name, reader.texts.line(value)))
        .collect();
    let commit = facts.commit.as_deref().map(line);
    let failures = reader.failures();
    let (warnings, warnings_left_out) = reader.warnings();
    let error = summary
        .error
        .as_deref()
        .filter(|_| failures.shown.is_empty() || summary.status == RunStatus::Error);
    let error = error.map(|error| reader.texts.message(error));
    let hint = facts.hint.as_deref().map(|hint| reader.texts.message(hint));
    View {
        title: format!("{project} · {env}: {}", pill.words),
        notes: reader.notes(),
        run_id: summary.run_id.clone(),
        over_midnight: started.day() != ended.day(),
        took: words::duration(facts.seconds),
        usually: usual.map(words::duration),
        exit_code: summary.exit_code,
        next: reader.next(!slow.is_empty()),
        links: reader.links(),
        runs: facts.links.runs.clone(),
        tests: tests(&facts.steps),
        node_count: words::digits(node_count, "node"),
        project,
        env,
        headline,
        pill,
        started,
        ended,
        dbt: dbt.filter(|dbt| !dbt.is_empty()),
        commit,
        error,
        hint,
        failures,
        warnings,
        warnings_left_out,
        steps,
        timeline,
        timeline_words,
        earlier_nodes,
        path,
        slow,
        has_usual,
        sources,
        sources_left_out,
        sources_of,
        rows,
        rows_left_out,
        settings,
    }
}

impl<'a> Reader<'a> {
    fn name(&self, id: &str) -> String {
        self.texts.line(words::name(id))
    }

    /// The page of a node in dbt's docs.
    fn docs_of(&self, id: &str) -> Option<String> {
        let docs = self.facts.links.docs.as_ref()?;
        let kind = id.split('.').next()?;
        let has_page = matches!(
            kind,
            "model" | "test" | "unit_test" | "seed" | "snapshot" | "source"
        );
        has_page.then(|| format!("{docs}#!/{kind}/{}", utf8_percent_encode(id, ADDRESS)))
    }

    /// The nodes that are wanted, by the status of their step, with that step.
    fn nodes_in(
        &self,
        is_wanted: impl Fn(Status, &NodeRun) -> bool,
    ) -> Vec<(&'a str, &'a StepFacts, &'a NodeRun)> {
        let facts = self.facts;
        let lines = facts.summary.steps.iter().zip(&facts.steps);
        lines
            .flat_map(|(line, step)| {
                let nodes: Vec<_> = step
                    .nodes
                    .iter()
                    .filter(|node| is_wanted(line.status, node))
                    .map(|node| (line.name.as_str(), step, node))
                    .collect();
                nodes
            })
            .collect()
    }

    fn spans(&self) -> Vec<Span<'a>> {
        let facts = self.facts;
        let lines = facts.summary.steps.iter().zip(&facts.steps);
        lines
            .enumerate()
            .map(|(index, (line, step))| {
                let end = step.ended.unwrap_or_default();
                Span {
                    name: line.name.clone(),
                    start: (end - line.seconds).max(0.0),
                    end,
                    nodes: facts.own_nodes(index).collect(),
                }
            })
            .collect()
    }
}

fn pill(facts: &Facts, work: &Work) -> Pill {
    let summary = facts.summary;
    let broken = summary.steps.iter().find(|step| {
        let status = step.status.to_string();
        !matches!(
            status.as_str(),
            "success" | "warned" | "skipped" | "resumed"
        )
    });
    let place = broken
        .map(|step| format!(" in {}", step.name))
        .unwrap_or_default();
    let has_warned = summary
        .steps
        .iter()
        .zip(&facts.steps)
        .any(|(line, step)| line.status == Status::Warned || has_gone_on(line.status, step));
    let (class, sign, words) = match summary.status {
        RunStatus::Success if work.warned() > 0 || has_warned => {
            ("warn", "!", "Success, with warnings".to_owned())
        }
        RunStatus::Success => ("ok", "✓", "Success".to_owned()),
        RunStatus::Failed => ("bad", "✕", format!("Failed{place}")),
        RunStatus::Cancelled if broken.is_some_and(|step| step.status.to_string() == "killed") => {
            ("bad", "✕", format!("Killed{place}"))
        }
        RunStatus::Cancelled => ("skip", "■", format!("Cancelled{place}")),
        RunStatus::TimedOut => ("bad", "✕", format!("Timed out{place}")),
        RunStatus::Error if summary.was_refused() => ("skip", "–", "Did not start".to_owned()),
        RunStatus::Error => ("bad", "✕", format!("Error{place}")),
    };
    Pill { class, sign, words }
}

/// Whether nodes of a step failed and the run went on, since that was only a warning. An earlier
/// run may have done that.
fn has_gone_on(status: Status, step: &StepFacts) -> bool {
    let mut nodes = step.nodes.iter();
    status == Status::Resumed && nodes.any(|node| node.state == NodeState::Error)
}

fn timeline_words(timeline: &Timeline, facts: &Facts) -> String {
    let nodes = facts.all_own_nodes();
    let nodes = nodes.filter(|node| timeline::takes_time(node)).count();
    format!(
        "{} at once, {} in {}",
        words::counted(timeline.lanes.len() + timeline.lanes_not_drawn, "thread"),
        words::digits(nodes, "node"),
        words::duration(facts.seconds)
    )
}
