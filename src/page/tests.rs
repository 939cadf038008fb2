//! Owns the proof that a page says what was, for runs as odd as they come.
//!
//! Never looks at a page as a browser does: tests/pages does.

use std::time::{Duration, Instant};

use super::samples::node;
use super::*;
use crate::artifacts::{NodeState, Nodes};
use crate::pipeline::Status;
use crate::report::{RunStatus, StepLine};

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

fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
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
fn a_resumed_run_says_so_and_a_refused_one_says_why() {
    let steps = vec![
        line("run", Status::Resumed, 0.0),
        line("test", Status::Success, 2.0),
    ];
    let summary = summary(RunStatus::Success, steps);
    let resumed = |refused: Option<&str>| Resumed {
        from: "20261121T061442Z-00000000".to_owned(),
        refused: refused.map(str::to_owned),
    };
    let of = |refused| {
        let steps = vec![StepFacts::default(), step("test", 2.0, Vec::new())];
        let mut facts = facts(&summary, 3.0, steps);
        facts.resumed = Some(resumed(refused));
        of_run(&facts).unwrap()
    };
    assert_has(
        &of(None),
        &[
            "It went on with what the run 20261121T061442Z-00000000 had begun",
            "done by the earlier run",
        ],
    );
    assert_has(
        &of(Some("the project has changed")),
        &["ran everything instead: the project has changed."],
    );
}

#[test]
fn a_step_that_was_killed_says_what_was_running() {
    let steps = vec![line("run", Status::Killed, 9.0)];
    let mut summary = summary(RunStatus::Failed, steps);
    summary.exit_code = 137;
    let mut run = step("run", 9.0, vec![ran("model.shop.a", 1.0, 2.0)]);
    run.unfinished = vec!["model.shop.big".to_owned()];
    run.explanation = " (killed by signal 9, probably out of memory)".to_owned();
    let page = of_run(&facts(&summary, 10.0, vec![run])).unwrap();
    assert_has(
        &page,
        &[
            "The step run was killed; one model was built.",
            "run: killed by signal 9, probably out of memory.",
            "big was still running when run ended.",
            "Give the task more memory",
        ],
    );
}

#[test]
fn each_failure_has_its_sentence() {
    let failed = |id: &str| NodeRun {
        state: NodeState::Error,
        ..ran(id, 0.0, 1.0)
    };
    let skipped = |id: &str| NodeRun {
        state: NodeState::Skipped,
        span: None,
        ..ran(id, 0.0, 0.0)
    };
    for (subcommand, nodes, expected) in [
        (
            "deps",
            vec![],
            "The packages could not be installed; nothing was built.",
        ),
        (
            "debug",
            vec![],
            "dbt could not connect to the warehouse; nothing was built.",
        ),
        ("run", vec![], "dbt failed in step."),
        (
            "run",
            vec![
                failed("model.shop.a"),
                skipped("model.shop.b"),
                ran("model.shop.c", 0.0, 1.0),
            ],
            "The model “a” could not be built and one node after that was skipped; one model was \
             built.",
        ),
        (
            "build",
            vec![
                failed("model.shop.a"),
                failed("model.shop.b"),
                failed("test.shop.t"),
            ],
            "Two models could not be built and one test failed.",
        ),
        (
            "source",
            vec![failed("source.shop.raw.orders")],
            "The source “raw.orders” is too old.",
        ),
        ("docs", vec![], "The docs could not be made."),
    ] {
        let summary = summary(RunStatus::Failed, vec![line("step", Status::Failed, 2.0)]);
        let page = of_run(&facts(&summary, 2.0, vec![step(subcommand, 2.0, nodes)])).unwrap();
        assert_has(&page, &[&format!("<h1><bdi>{expected}</bdi></h1>")]);
    }
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
    let page = of_history("shop", "live", &history.runs, &same).unwrap();
    let place = |id: &str| page.find(&format!("href=\"{id}/index.html")).unwrap();
    assert!(place("20261122T061442Z-00000002") < place("20261122T050000Z-00000001"));
    assert_has(&page, &["The last run succeeded.", "2 runs"]);
}

/// A thousand nodes and two hundred runs: the figures are those that are promised, and here nothing
/// of the program is optimised.
#[test]
fn a_large_page_is_small_and_quick() {
    let nodes = |kind: &str, count: u32| {
        let nodes = (0..count).map(|number| {
            let start = f64::from(number / 8) * 0.7;
            NodeRun {
                message: Some("Got 1 result, configured to warn if != 0".to_owned()),
                ..node(
                    &format!("{kind}.shop.a_name_as_long_as_they_are_in_practice_{number}"),
                    &(number % 8).to_string(),
                    BEFORE_MIDNIGHT + start,
                    BEFORE_MIDNIGHT + start + 0.6,
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
        let overview = of_history("shop", "live", &history.runs, &same).unwrap();
        took = took.min(start.elapsed());
        assert!(page.len() <= 400_000, "{} bytes", page.len());
        assert!(overview.len() <= 400_000, "{} bytes", overview.len());
    }
    eprintln!("both pages took {took:?}");
    assert!(took <= Duration::from_millis(300), "{took:?}");
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
fn models_that_failed_in_a_step_that_only_warned_are_told() {
    let (mut summary, steps) = a_run_that_goes_on(Status::Warned, 0.0);
    let page = of_run(&facts(&summary, 15.0, steps)).unwrap();
    assert_has(
        &page,
        &["The test “fails” failed; two models were built, one model could not be built."],
    );
    summary.status = RunStatus::Success;
    let (_, mut steps) = a_run_that_goes_on(Status::Warned, 0.0);
    steps.truncate(1);
    summary.steps.truncate(1);
    let page = of_run(&facts(&summary, 15.0, steps)).unwrap();
    assert_has(
        &page,
        &["Two models were built and one model could not be built."],
    );
}

#[test]
fn what_an_earlier_run_did_is_told_as_such() {
    let (summary, steps) = a_run_that_goes_on(Status::Resumed, -60.0);
    let mut facts = facts(&summary, 15.0, steps);
    facts.graph = Graph::of(&[("model.shop.b", &["model.shop.a"])]);
    let page = of_run(&facts).unwrap();
    assert_has(
        &page,
        &[
            "one thread at once, 1 node in 15 s",
            "4 more belong to the earlier run",
            "model in first, earlier run",
            "<bdi>bad</bdi><td>model<td>first, earlier run",
        ],
    );
    for absent in ["Critical path", "<title>a:", "Not drawn:"] {
        assert!(!page.contains(absent), "{absent:?} is in {page}");
    }
    let failed = page.split("id=\"next\"").next().unwrap();
    assert!(!failed.contains("bad</bdi>"), "{failed}");
}

/// A step that is finished takes over the nodes of the earlier run: those have earlier times or
/// none.
#[test]
fn a_step_that_was_finished_draws_its_own_nodes_only() {
    let summary = summary(RunStatus::Success, vec![line("run", Status::Success, 3.0)]);
    let nodes = vec![
        ran("model.shop.a", -60.0, -50.0),
        NodeRun {
            span: None,
            ..ran("model.shop.b", 0.0, 7.0)
        },
        ran("model.shop.c", 1.0, 2.0),
    ];
    let mut facts = facts(&summary, 3.0, vec![step("run", 3.0, nodes)]);
    facts.resumed = Some(Resumed {
        from: "20261121T061442Z-00000000".to_owned(),
        refused: None,
    });
    let page = of_run(&facts).unwrap();
    assert_has(
        &page,
        &[
            "All three models were built.",
            "one thread at once, 1 node in 3.0 s",
            "2 more belong to the earlier run",
        ],
    );
    let (_, slow) = page.split_once("id=\"slow\"").unwrap();
    let slow = slow.split("</section>").next().unwrap();
    assert!(!slow.contains("<bdi>a</bdi>") && slow.contains("<bdi>c</bdi>"));
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
