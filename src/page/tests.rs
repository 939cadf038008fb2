//! Owns the proof that a page says what was, for runs as odd as they come.
//!
//! Never looks at a page as a browser does: tests/pages does.

use std::time::{Duration, Instant};

use super::samples::node;
use super::*;
use crate::artifacts::{NodeState, Nodes};
use crate::pipeline::Status;
use crate::report::{RunStatus, StepLine};

mod earlier_runs;
mod sentences;

/// 22 November 2026, 23:59:30 UTC.
const BEFORE_MIDNIGHT: f64 = 1_795_391_970.0;

fn same(text: &str) -> String {
    text.to_owned()
}

fn line(name: &str, status: Status, seconds: f64) -> StepLine {
    StepLine {
        name: name.to_owned(),
        status,
        exit_code: (status != Status::Skipped).then_some(0),
        seconds,
        nodes: None,
    }
}

fn summary(status: RunStatus, steps: Vec<StepLine>) -> Summary {
    let code = u8::from(status != RunStatus::Success);
    Summary {
        status,
        env: Some("live".to_owned()),
        project: Some("shop".to_owned()),
        steps,
        ..Summary::new("20261122T235930Z-01234567".to_owned(), code)
    }
}

fn step(subcommand: &str, ended: f64, nodes: Vec<NodeRun>) -> StepFacts {
    StepFacts {
        subcommand: subcommand.to_owned(),
        ended: Some(ended),
        nodes,
        ..StepFacts::default()
    }
}

fn facts(summary: &Summary, seconds: f64, steps: Vec<StepFacts>) -> Facts<'_> {
    Facts {
        summary,
        begun: BEFORE_MIDNIGHT,
        seconds,
        steps,
        graph: Graph::default(),
        history: &[],
        settings: Vec::new(),
        log: None,
        hint: None,
        links: Links::default(),
        can_resume: true,
        docs_are_new: None,
        commit: None,
        resumed: None,
        redact: &same,
    }
}

/// A node in seconds from the beginning of the run.
fn ran(id: &str, start: f64, end: f64) -> NodeRun {
    node(id, "1", BEFORE_MIDNIGHT + start, BEFORE_MIDNIGHT + end)
}

fn heading() -> Heading<'static> {
    Heading {
        project: "shop",
        env: "live",
        now: BEFORE_MIDNIGHT,
        has_docs: true,
        redact: &same,
    }
}

fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}

/// A run whose second step failed though the first had left a model that failed.
fn a_run_that_goes_on(first: Status, begun: f64) -> (Summary, Vec<StepFacts>) {
    let steps = vec![
        line(
            "first",
            first,
            if first == Status::Resumed { 0.0 } else { 9.0 },
        ),
        line("then", Status::Failed, 6.0),
    ];
    let failed = |id: &str, start: f64| NodeRun {
        state: NodeState::Error,
        ..ran(id, start, start + 0.5)
    };
    let down = NodeRun {
        state: NodeState::Skipped,
        span: None,
        seconds: 0.0,
        ..ran("model.shop.down", 0.0, 0.0)
    };
    let built = vec![
        ran("model.shop.a", begun + 1.0, begun + 2.0),
        ran("model.shop.b", begun + 2.0, begun + 3.0),
        failed("model.shop.bad", begun + 3.0),
        down,
    ];
    let mut steps_facts = vec![
        step("run", 9.0, built),
        step("test", 15.0, vec![failed("test.shop.fails", 14.0)]),
    ];
    if first == Status::Resumed {
        steps_facts[0].ended = Some(0.0);
    }
    (summary(RunStatus::Failed, steps), steps_facts)
}

#[test]
fn a_run_across_midnight_has_both_days() {
    let summary = summary(RunStatus::Success, vec![line("run", Status::Success, 60.0)]);
    let nodes = vec![ran("model.shop.a", 1.0, 59.0)];
    let page = of_run(&facts(&summary, 60.0, vec![step("run", 60.0, nodes)])).unwrap();
    assert_has(
        &page,
        &[
            "One model was built.",
            "Sun 22 Nov 2026, 23:59 UTC</time> to <time",
            "Mon 23 Nov 2026, 00:00 UTC",
            "a: 58 s, success",
        ],
    );
}

#[test]
fn a_clock_that_was_set_moves_no_bar_out_of_its_step() {
    let summary = summary(RunStatus::Success, vec![line("run", Status::Success, 60.0)]);
    // The clock goes an hour back, and for the last node on by a day.
    let nodes = vec![
        ran("model.shop.a", 1.0, 20.0),
        ran("model.shop.b", -3580.0, -3560.0),
        ran("model.shop.c", 86_440.0, 86_450.0),
    ];
    let page = of_run(&facts(&summary, 60.0, vec![step("run", 60.0, nodes)])).unwrap();
    assert_has(
        &page,
        &["Not drawn: 2 of them", "3 nodes with result and time"],
    );
    assert_eq!(page.matches("<rect class=\"s").count(), 1);
}

#[test]
fn a_run_that_began_before_its_predecessor_ended_has_its_place() {
    let entry = |id: &str, seconds| {
        let summary = format!(
            "{{\"run_id\": \"{id}\", \"status\": \"success\", \"exit_code\": 0, \"steps\": [\
             {{\"name\": \"run\", \"status\": \"success\", \"seconds\": {seconds}}}]}}"
        );
        Entry::of_summary(summary.as_bytes()).unwrap()
    };
    let mut history = crate::history::History::default();
    history.add(entry("20261122T061442Z-00000002", 60));
    history.add(entry("20261122T050000Z-00000001", 7200));
    let page = of_history(&history.runs, heading()).unwrap();
    let place = |id: &str| page.find(&format!("href=\"{id}/index.html")).unwrap();
    assert!(place("20261122T061442Z-00000002") < place("20261122T050000Z-00000001"));
    assert_has(&page, &["The last run succeeded.", "2 runs"]);
}

#[test]
fn runs_that_were_refused_and_clocks_of_the_future_count_for_nothing() {
    let entry = |id: &str, status: &str, code: u8, step: &str| {
        let summary = format!(
            "{{\"run_id\": \"{id}\", \"status\": \"{status}\", \"exit_code\": {code}, \
             \"steps\": [{{\"name\": \"run\", \"status\": \"{step}\", \"seconds\": 1}}]}}"
        );
        Entry::of_summary(summary.as_bytes()).unwrap()
    };
    let runs = [
        entry("20261120T061442Z-00000001", "success", 0, "success"),
        entry("20261121T061442Z-00000002", "failed", 1, "failed"),
        entry("20261122T061442Z-00000003", "error", 75, "skipped"),
        entry("20310101T061442Z-00000004", "success", 0, "success"),
    ];
    let mut heading = heading();
    heading.has_docs = false;
    let page = of_history(&runs, heading).unwrap();
    assert_has(
        &page,
        &[
            "The last run failed in the step run.",
            "1 of the last 2 runs succeeded",
            "20 Nov to 21 Nov",
            "did not start</span>",
            "another run held the lease",
            "1 did not start</label>",
        ],
    );
    assert!(!page.contains("docs of"), "{page}");
    // The run that lost its lease while it ran is one that failed.
    let lost = entry("20261122T061442Z-00000003", "error", 75, "cancelled");
    let page = of_history(&[lost], heading).unwrap();
    assert_has(
        &page,
        &["The last run ended with an error in the step run."],
    );
}

/// A thousand nodes and two hundred runs: the figures are those that are promised, and here nothing
/// of the program is optimised.
#[test]
fn a_large_page_is_small_and_quick() {
    let nodes = |kind: &str, count: u32| {
        let nodes = (0..count).map(|number| {
            let start = f64::from(number / 16) * 1.4;
            NodeRun {
                message: Some("Got 1 result, configured to warn if != 0".to_owned()),
                ..node(
                    &format!("{kind}.shop.{}_{number}", "a_long_name_".repeat(6)),
                    &(number % 16).to_string(),
                    BEFORE_MIDNIGHT + start,
                    BEFORE_MIDNIGHT + start + 1.3,
                )
            }
        });
        nodes.collect::<Vec<_>>()
    };
    let mut history = crate::history::History::default();
    for number in 0..200 {
        let id = format!(
            "202611{:02}T{:02}1442Z-{number:08x}",
            1 + number / 24,
            number % 24
        );
        let summary =
            format!("{{\"run_id\": \"{id}\", \"status\": \"success\", \"exit_code\": 0}}");
        let mut entry = Entry::of_summary(summary.as_bytes()).unwrap();
        entry.complete(60.0, nodes("model", 40).iter());
        history.add(entry);
    }
    let mut lines = vec![
        line("run", Status::Success, 40.0),
        line("test", Status::Success, 50.0),
    ];
    let counts = |success| Nodes {
        success,
        ..Nodes::default()
    };
    lines[0].nodes = Some(counts(400));
    lines[1].nodes = Some(counts(600));
    let summary = summary(RunStatus::Success, lines);
    let steps = vec![
        step("run", 40.0, nodes("model", 400)),
        step("test", 90.0, nodes("test", 600)),
    ];
    let mut facts = facts(&summary, 92.0, steps);
    facts.history = &history.runs;
    // The least of some attempts: other tests run at the same time.
    let mut took = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let page = of_run(&facts).unwrap();
        let overview = of_history(&history.runs, heading()).unwrap();
        took = took.min(start.elapsed());
        assert!(page.len() <= 400_000, "{} bytes", page.len());
        assert!(overview.len() <= 400_000, "{} bytes", overview.len());
    }
    eprintln!("both pages took {took:?}");
    assert!(took <= Duration::from_millis(300), "{took:?}");
}

#[test]
fn threads_are_counted_though_not_all_are_drawn() {
    let summary = summary(RunStatus::Success, vec![line("run", Status::Success, 9.0)]);
    let nodes = (0..64).map(|number| {
        let start = BEFORE_MIDNIGHT + 1.0;
        let id = format!("model.shop.m{number}");
        node(&id, &number.to_string(), start, start + 5.0)
    });
    let steps = vec![step("run", 9.0, nodes.collect())];
    let page = of_run(&facts(&summary, 9.0, steps)).unwrap();
    assert_has(
        &page,
        &[
            "64 threads at once, 64 nodes",
            "32 more threads are not drawn",
        ],
    );
}

#[test]
fn a_failure_on_the_critical_path_looks_like_one() {
    let summary = summary(RunStatus::Failed, vec![line("run", Status::Failed, 9.0)]);
    let failed = NodeRun {
        state: NodeState::Error,
        ..ran("model.shop.b", 3.0, 8.0)
    };
    let nodes = vec![ran("model.shop.a", 1.0, 3.0), failed];
    let mut facts = facts(&summary, 9.0, vec![step("run", 9.0, nodes)]);
    facts.graph = Graph::of(&[("model.shop.b", &["model.shop.a"])]);
    let page = of_run(&facts).unwrap();
    assert_has(
        &page,
        &[
            "b: 5.0 s, failed, on the critical path",
            "<rect class=\"b p\"",
            "<span class=\"bad\">✕</span> <bdi>b</bdi>",
        ],
    );
}

#[test]
fn nodes_that_never_began_have_no_time() {
    let summary = summary(
        RunStatus::Cancelled,
        vec![line("run", Status::Cancelled, 2.0)],
    );
    let never = NodeRun {
        state: NodeState::Skipped,
        ..ran("model.shop.never", 2.7, 2.7)
    };
    // Without a time, as a dbt 2 that was stopped writes it.
    let nodes = vec![
        ran("model.shop.a", 2.7, 2.7),
        ran("model.shop.b", 1.0, 1.5),
        never,
    ];
    let page = of_run(&facts(&summary, 2.2, vec![step("run", 2.0, nodes)])).unwrap();
    assert_has(
        &page,
        &[
            "2 nodes in 2.2 s",
            "Not drawn: 1 of them",
            "dbt gets ready: 1.0 s",
        ],
    );
    assert!(!page.contains("0.00 s"), "{page}");
}
