//! Owns the proof that a page says what was in plain words, and advises what helps.
//!
//! Never looks at bars and lists.

use super::*;

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
    let old = || NodeRun {
        age: Some(90_000.0),
        ..failed("source.shop.raw.orders")
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
        ("run", vec![], "dbt failed in the step step."),
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
            "seed",
            vec![failed("seed.shop.a"), failed("seed.shop.b")],
            "Two seeds could not be built.",
        ),
        (
            "run",
            vec![
                ran("model.shop.a", 0.0, 1.0),
                failed("operation.shop.shop-on-run-end-0"),
            ],
            "The hook “shop-on-run-end-0” failed; one model was built.",
        ),
        (
            "run",
            vec![failed(&format!("model.shop.{}", "long_".repeat(50)))],
            "The model “long_long_long_long_long_long_long_long_long_lon…” could not be \
             built.",
        ),
        ("source", vec![old()], "The source “raw.orders” is too old."),
        (
            "source",
            vec![failed("source.shop.raw.orders")],
            "The source “raw.orders” could not be asked for its age.",
        ),
        (
            "source",
            vec![old(), old(), failed("source.shop.raw.customers")],
            "Two sources are too old and the source “raw.customers” could not be asked for its \
             age.",
        ),
        ("docs", vec![], "The docs could not be made."),
    ] {
        let summary = summary(RunStatus::Failed, vec![line("step", Status::Failed, 2.0)]);
        let page = of_run(&facts(&summary, 2.0, vec![step(subcommand, 2.0, nodes)])).unwrap();
        assert_has(&page, &[&format!("<h1><bdi>{expected}</bdi></h1>")]);
    }
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
fn a_step_that_was_killed_says_what_was_running() {
    let steps = vec![line("run", Status::Killed, 9.0)];
    let mut summary = summary(RunStatus::Failed, steps);
    summary.exit_code = 137;
    let mut run = step("run", 9.0, vec![ran("model.shop.a", 1.0, 2.0)]);
    run.unfinished = vec!["model.shop.big".to_owned()];
    run.explanation = "killed by signal 9, probably out of memory".to_owned();
    let page = of_run(&facts(&summary, 10.0, vec![run])).unwrap();
    assert_has(
        &page,
        &[
            "The step run was killed; one model was built.",
            "run: killed by signal 9, probably out of memory.",
            "big was still running when run ended.",
            "Give the task more memory",
            "Look for queries that still run",
            "Runs the step run in full.",
        ],
    );
}

#[test]
fn what_failed_in_steps_that_go_on_is_told() {
    let failed = |id: &str| NodeRun {
        state: NodeState::Error,
        ..ran(id, 0.0, 1.0)
    };
    let lines = vec![
        line("run", Status::Failed, 2.0),
        line("test", Status::Failed, 2.0),
    ];
    let summary = summary(RunStatus::Failed, lines);
    let steps = vec![
        step(
            "run",
            2.0,
            vec![failed("model.shop.a"), ran("model.shop.b", 0.0, 1.0)],
        ),
        step(
            "test",
            4.0,
            vec![failed("test.shop.s"), failed("test.shop.t")],
        ),
    ];
    let page = of_run(&facts(&summary, 4.0, steps)).unwrap();
    let expected = "The model “a” could not be built; one model was built, two tests failed.";
    assert_has(&page, &[&format!("<h1><bdi>{expected}</bdi></h1>")]);
}

#[test]
fn a_step_that_gave_way_is_told_and_is_a_warning() {
    for (how, expected) in [
        (
            "stopped by its timeout after 1.0 s",
            "One test passed and the step run was stopped by its timeout after 1.0 s.",
        ),
        (
            "failed (exit code 2)",
            "One test passed and the step run failed (exit code 2).",
        ),
    ] {
        let lines = vec![
            line("run", Status::Warned, 1.0),
            line("test", Status::Success, 2.0),
        ];
        let summary = summary(RunStatus::Success, lines);
        let mut run = step("run", 1.0, Vec::new());
        run.explanation = how.to_owned();
        let tests = step("test", 3.0, vec![ran("test.shop.t", 1.0, 2.0)]);
        let page = of_run(&facts(&summary, 3.0, vec![run, tests])).unwrap();
        assert_has(
            &page,
            &[&format!("<h1><bdi>{expected}</bdi></h1>"), "id=\"warned\""],
        );
    }
}

#[test]
fn what_helps_is_advised() {
    let (ran, none) = (Status::Success, Status::Skipped);
    for (code, subcommand, status, expected, absent) in [
        (
            74,
            "docs",
            ran,
            "kept the results from being published",
            "usable",
        ),
        (
            74,
            "run",
            none,
            "Make the destination usable",
            "dbt did its work",
        ),
        (
            1,
            "debug",
            Status::Failed,
            "Let dbt reach the warehouse",
            "need not try again",
        ),
        (
            1,
            "run",
            Status::Failed,
            "Correct what failed",
            "reach the warehouse",
        ),
        (
            1,
            "source",
            Status::Failed,
            "See to the sources",
            "need not try again",
        ),
        (
            124,
            "run",
            Status::TimedOut,
            "Give it more time",
            "slowest nodes are below",
        ),
        (75, "run", none, "Try again later", "was built"),
    ] {
        let status_of_run = match code {
            1 => RunStatus::Failed,
            124 => RunStatus::TimedOut,
            _ => RunStatus::Error,
        };
        let mut summary = summary(status_of_run, vec![line("step", status, 2.0)]);
        summary.exit_code = code;
        let page = of_run(&facts(
            &summary,
            2.0,
            vec![step(subcommand, 2.0, Vec::new())],
        ))
        .unwrap();
        assert_has(&page, &[expected]);
        assert!(!page.contains(absent), "{code}: {absent:?} is in {page}");
    }
}

#[test]
fn what_to_do_comes_soon_after_the_failures() {
    for (count, in_sight) in [(5, 5), (6, 3), (60, 3)] {
        let nodes = (0..count).map(|number| NodeRun {
            state: NodeState::Error,
            message: Some("no".to_owned()),
            ..ran(&format!("model.shop.m{number}"), 0.0, 1.0)
        });
        let summary = summary(RunStatus::Failed, vec![line("run", Status::Failed, 2.0)]);
        let steps = vec![step("run", 2.0, nodes.collect())];
        let page = of_run(&facts(&summary, 2.0, steps)).unwrap();
        let (before, _) = page.split_once("id=\"next\"").unwrap();
        let sight = before.split("<details").next().unwrap();
        assert_eq!(sight.matches("<article").count(), in_sight, "{count}");
        assert_eq!(before.matches("<article").count(), count.min(40), "{count}");
        let folded = format!("and {} more", count - in_sight);
        assert_eq!(before.contains(&folded), count > in_sight, "{count}");
    }
}
