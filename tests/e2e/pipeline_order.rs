//! The steps: their order, their end at the first failure, and what `on_failure` makes of one.

use serde_json::json;

use crate::support::fake::Fake;
use crate::support::project::Scene;

const ALL: [&str; 6] = ["deps", "debug", "run", "test", "source", "docs"];
const REPORTED: [&str; 6] = ["deps", "debug", "run", "test", "freshness", "docs"];

/// The statuses of the closing line, in order.
fn statuses(steps: &[(String, String)]) -> Vec<&str> {
    steps.iter().map(|(_, status)| status.as_str()).collect()
}

#[test]
fn six_steps_run_in_order_and_the_run_succeeds() {
    let scene = Scene::healthy();
    let run = scene.runner().run();
    run.assert_code(0);
    assert_eq!(scene.fake.steps(), ALL);
    let names: Vec<_> = run.steps().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, REPORTED);
    let closing = run.closing();
    assert_eq!(closing["status"], "success");
    assert_eq!(closing["error"], json!(null));
    assert_eq!(closing["env"], "local");
    assert_eq!(closing["project"], "shop");
    assert_eq!(closing["failed"], json!([]));
}

#[test]
fn no_arguments_and_the_command_run_are_the_same() {
    let scene = Scene::healthy();
    scene.runner().arg("run").run().assert_code(0);
    assert_eq!(scene.fake.steps(), ALL);
}

#[test]
fn every_step_can_be_the_first_to_fail_and_none_runs_after_it() {
    for (at, failing) in ALL.iter().enumerate() {
        let scene = Scene::new(Fake::new().on(failing, "exit", "1"));
        let run = scene.runner().run();
        run.assert_code(1);
        assert_eq!(scene.fake.steps(), ALL[..=at]);
        let steps = run.steps();
        let expected: Vec<&str> = (0..ALL.len())
            .map(|index| match index.cmp(&at) {
                std::cmp::Ordering::Less => "success",
                std::cmp::Ordering::Equal => "failed",
                std::cmp::Ordering::Greater => "skipped",
            })
            .collect();
        assert_eq!(statuses(&steps), expected, "{run}");
        assert_eq!(run.closing()["status"], "failed");
        assert_eq!(run.step(REPORTED[at])["exit_code"], 1);
    }
}

#[test]
fn any_exit_code_of_a_step_is_the_runs_own() {
    for code in [2, 3, 64, 77, 99, 124, 255] {
        let scene = Scene::new(Fake::new().on("run", "exit", code.to_string()));
        let run = scene.runner().run();
        run.assert_code(code);
        assert_eq!(
            run.closing()["status"],
            "failed",
            "dbt said so, not the runner: {run}"
        );
    }
}

#[test]
fn a_step_killed_by_a_signal_gives_128_and_its_number() {
    for (signal, code) in [(9, 137), (6, 134), (15, 143)] {
        let scene = Scene::new(Fake::new().on("run", "kill", signal.to_string()));
        let run = scene.runner().run();
        run.assert_code(code);
        let status = run.step("run")["status"].clone();
        assert!(status == "failed" || status == "killed", "{run}");
        assert_eq!(scene.fake.steps(), ALL[..3]);
    }
}

#[test]
fn continue_lets_later_steps_run_and_the_run_still_fails_with_the_first_code() {
    let scene = Scene::new(Fake::new().on("test", "exit", "1").on("docs", "exit", "2"));
    let yaml = "steps:\n  - run\n  - {name: checks, command: [test], on_failure: continue}\n  - \
        freshness\n  - docs\n";
    scene.project.write("dbt-entrypoint.yml", yaml);
    let run = scene.runner().run();
    run.assert_code(1);
    assert_eq!(scene.fake.steps(), ["run", "test", "source", "docs"]);
    let names: Vec<_> = run.steps().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["run", "checks", "freshness", "docs"]);
    assert_eq!(
        statuses(&run.steps()),
        ["success", "failed", "success", "failed"]
    );
}

#[test]
fn warn_makes_a_failed_step_a_warning_and_the_run_succeeds() {
    let scene = Scene::new(Fake::new().on("source", "exit", "1"));
    let yaml = "steps:\n  - run\n  - {name: freshness, command: [source, freshness], on_failure: \
        warn}\n  - docs\n";
    scene.project.write("dbt-entrypoint.yml", yaml);
    let run = scene.runner().run();
    run.assert_code(0);
    assert_eq!(statuses(&run.steps()), ["success", "warned", "success"]);
    assert_eq!(run.closing()["status"], "success");
}

#[test]
fn on_failure_stop_can_be_spelled_out() {
    let scene = Scene::new(Fake::new().on("test", "exit", "1"));
    let yaml = "steps:\n  - {name: checks, command: [test, --select, 'tag:nightly'], on_failure: \
        stop}\n  - docs\n";
    scene.project.write("dbt-entrypoint.yml", yaml);
    let run = scene.runner().run();
    run.assert_code(1);
    assert_eq!(statuses(&run.steps()), ["failed", "skipped"]);
    let arguments = scene.fake.arguments("test");
    assert!(
        arguments
            .windows(2)
            .any(|pair| pair == ["--select", "tag:nightly"]),
        "{arguments:?}"
    );
}

#[test]
fn a_step_past_its_timeout_is_stopped_with_124() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
    scene.project.write(
        "dbt-entrypoint.yml",
        "steps:\n  - {name: nightly, command: [run], timeout: 1s}\n  - docs\n",
    );
    let run = scene.runner().run();
    run.assert_code(124);
    assert_eq!(statuses(&run.steps()), ["timed_out", "skipped"]);
    assert_eq!(run.closing()["status"], "timed_out");
    assert_eq!(
        scene.fake.signals("run").len(),
        1,
        "one SIGINT, as for any other stop"
    );
}

#[test]
fn the_deadline_stops_the_whole_run_with_124() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
    let run = scene.runner().args(["--deadline", "2s"]).run();
    run.assert_code(124);
    assert_eq!(run.closing()["status"], "timed_out");
    assert_eq!(scene.fake.steps(), ALL[..3]);
    assert_eq!(run.step("docs")["status"], "skipped");
}

#[test]
fn a_deadline_that_does_not_pass_changes_nothing() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["--deadline", "50s"])
        .run()
        .assert_code(0);
    assert_eq!(scene.fake.steps(), ALL);
}

#[test]
fn a_step_that_ignores_its_timeout_is_killed_and_still_124() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    scene.project.write(
        "dbt-entrypoint.yml",
        "stop_timeout: 7s\nsteps:\n  - {name: nightly, command: [run], timeout: 1s}\n  - docs\n",
    );
    let run = scene.runner().run();
    run.assert_code(124).assert_nothing_left();
    assert_eq!(run.step("docs")["status"], "skipped");
    assert_eq!(run.closing()["status"], "timed_out");
}

#[test]
fn the_deadline_kills_what_ignores_it() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    let run = scene
        .runner()
        .args(["--deadline", "1s", "--stop-timeout", "7s"])
        .run();
    run.assert_code(124).assert_nothing_left();
    assert!(run.elapsed < std::time::Duration::from_secs(10), "{run}");
}
