//! The end of a run: counts, failed nodes, the table above, and one last line that always fits.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, Scene};
use crate::support::result::Finished;

#[test]
fn nodes_are_counted_by_what_their_status_means() {
    let body = json!({"results": nodes_of_every_status()});
    let fake = Fake::new()
        .on("run", "write", format!("run_results.json {body}"))
        .on("run", "exit", "1");
    let run = Scene::new(fake)
        .runner()
        .args(["--steps", "deps,run"])
        .run();
    run.assert_code(1);
    let counts = &run.step("run")["nodes"];
    assert_eq!(
        (&counts["error"], &counts["warn"], &counts["skipped"]),
        (&json!(3), &json!(1), &json!(1)),
        "{run}"
    );
    assert_eq!(
        counts["success"], 4,
        "pass and no-op count as success: {run}"
    );
    assert_eq!(run.step("deps")["nodes"], json!(null));
}

/// A status of two words cannot come through `results`, which splits at blanks.
fn nodes_of_every_status() -> serde_json::Value {
    let node = |name: &str, status: &str| {
        json!({"unique_id": format!("model.shop.{name}"), "status": status,
        "message": "m", "failures": null})
    };
    json!([
        node("a", "success"),
        node("b", "success"),
        node("c", "error"),
        node("d", "skipped"),
        node("e", "no-op"),
        node("f", "fail"),
        node("g", "runtime error"),
        node("h", "warn"),
        node("i", "pass"),
    ])
}

#[test]
fn freshness_counts_its_sources() {
    let body = json!({"results": [{"unique_id": "source.shop.raw.orders", "status": "error"},
        {"unique_id": "source.shop.raw.b", "status": "warn"},
        {"unique_id": "source.shop.raw.c", "status": "pass"},
            {"unique_id": "source.shop.raw.d", "status": "runtime error", "error": "no column"}]});
    let fake = Fake::new()
        .on("source", "write", format!("sources.json {body}"))
        .on("source", "exit", "1");
    let run = Scene::new(fake)
        .runner()
        .args(["--steps", "freshness"])
        .run();
    run.assert_code(1);
    assert_eq!(
        run.step("freshness")["nodes"],
        json!({"success": 1, "error": 2, "warn": 1, "skipped": 0})
    );
    let closing = run.closing();
    let nodes: Vec<_> = closing["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| failed["node"].clone())
        .collect();
    assert!(nodes.contains(&json!("source.shop.raw.orders")), "{run}");
}

#[test]
fn failed_nodes_are_named_with_step_and_message_in_the_line_and_above_it() {
    let fake = Fake::new()
        .on(
            "run",
            "results",
            "model.shop.ok=success model.shop.orders=error:relation+does+not+exist",
        )
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1);
    let closing = run.closing();
    let expected =
        json!([{"step": "run", "node": "model.shop.orders", "message": "relation does not exist"}]);
    assert_eq!(closing["failed"], expected);
    let out = run.out();
    let above = &out[..out.trim_end().rfind('\n').unwrap()];
    assert!(
        above.contains("model.shop.orders") && above.contains("relation does not exist"),
        "{run}"
    );
}

#[test]
fn five_hundred_failed_nodes_fit_into_16_kib() {
    let message = "long+message+é\"\\".repeat(300);
    let nodes: Vec<_> = (0..500)
        .map(|index| format!("model.shop.m{index:03}=error:{message}"))
        .collect();
    let fake = Fake::new()
        .on("run", "results", nodes.join(" "))
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1);
    let closing = run.closing();
    assert_eq!(closing["failed"].as_array().unwrap().len(), 10);
    assert_eq!(run.step("run")["nodes"]["error"], 500);
    for failed in closing["failed"].as_array().unwrap() {
        assert!(
            !failed["message"].as_str().unwrap().is_empty(),
            "a message may be cut, not lost"
        );
    }
}

#[test]
fn long_names_of_nodes_and_steps_fit_too() {
    let name = "n".repeat(3000);
    let nodes: Vec<_> = (0..20)
        .map(|index| format!("model.shop.{name}{index}=error:x"))
        .collect();
    let fake = Fake::new()
        .on("run", "results", nodes.join(" "))
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1);
    run.closing();
}

#[test]
fn a_secret_in_a_message_is_replaced_in_the_closing_line() {
    let leak = PASSWORD.replace(' ', "+");
    let fake = Fake::new()
        .on(
            "run",
            "results",
            format!("model.shop.orders=error:failed+for+{leak}+there"),
        )
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1).assert_lacks(PASSWORD.as_bytes());
    assert!(run.out().contains("failed for ***** there"), "{run}");
}

#[test]
fn the_name_of_a_node_forges_no_line_of_the_table() {
    let result = concat!(
        r#"{"results": [{"unique_id": "model.shop.a\nrun  success\u001b[2J","#,
        r#" "status": "error", "message": "x\u001b[1A"}]}"#
    );
    let fake = Fake::new()
        .on("run", "write", format!("run_results.json {result}"))
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1);
    let shown = "run: model.shop.a\u{fffd}run  success\u{fffd}[2J: x\u{fffd}[1A\n";
    assert!(run.out().contains(shown), "{run}");
}

#[test]
fn the_table_says_step_result_time_and_counts() {
    let fake = Fake::new()
        .on("test", "results", "test.shop.a=pass test.shop.b=fail:Got+3")
        .on("test", "exit", "1");
    let run = Scene::new(fake).runner().run();
    run.assert_code(1);
    let out = run.out();
    let table: Vec<_> = out.lines().rev().skip(1).take(20).collect();
    let row = |step: &str| {
        table
            .iter()
            .find(|line| line.split_whitespace().any(|word| word == step))
            .copied()
            .unwrap_or_default()
    };
    assert!(row("run").contains("success"), "{run}");
    assert!(row("test").contains("failed"), "{run}");
    assert!(row("docs").contains("skipped"), "{run}");
}

#[test]
fn seconds_are_those_of_the_step() {
    let scene = Scene::new(Fake::new().on("run", "sleep-ms", "1200"));
    let run = scene.runner().args(["--steps", "deps,run,test"]).run();
    run.assert_code(0);
    let seconds = |step: &str| run.step(step)["seconds"].as_f64().unwrap();
    assert!((1.1..6.0).contains(&seconds("run")), "{run}");
    assert!(seconds("deps") < 1.1, "{run}");
}

#[test]
fn run_results_that_are_not_what_they_should_be_do_not_end_the_run() {
    for body in [
        "not json at all",
        "{\"results\": 7}",
        "{\"results\": [{\"status\": 3}]}",
        "",
        "[]",
    ] {
        let fake = Fake::new()
            .on("run", "write", format!("run_results.json {body}"))
            .on("run", "exit", "1");
        let run = Scene::new(fake).runner().args(["--steps", "run"]).run();
        run.assert_code(1);
        assert_eq!(run.closing()["status"], "failed", "{body:?}");
    }
}

#[test]
fn errors_before_the_first_step_have_a_closing_line_too() {
    let scene = Scene::healthy();
    let run = scene.bare_runner().run();
    run.assert_code(64);
    let closing = run.closing();
    assert_eq!(closing["status"], "error");
    assert!(closing["error"].as_str().unwrap().len() > 5);
}

/// Both streams through one pipe, so that their order can be seen.
fn merged(runner: crate::support::runner::Runner) -> crate::support::runner::Runner {
    runner.under(["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1"])
}

#[test]
fn nothing_follows_it_on_either_stream() {
    let noisy = || {
        Fake::new()
            .on("run", "stderr", "the last words on stderr")
            .on("run", "stdout", "and on stdout")
            .on("run", "exit", "1")
    };
    let (healthy, failing) = (Scene::healthy(), Scene::new(noisy()));
    merged(healthy.runner()).run().assert_code(0).closing();
    merged(failing.runner()).run().assert_code(1).closing();
    // The runner's own errors, before and after the steps.
    merged(healthy.bare_runner())
        .run()
        .assert_code(64)
        .closing();
    merged(healthy.runner())
        .arg("--no-such-flag")
        .run()
        .assert_code(64);
    merged(healthy.publishing_runner(Path::new("/dev/null/site")))
        .run()
        .assert_code(74)
        .closing();
}

#[test]
fn nothing_follows_it_after_a_signal_either() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
    let mut running = merged(scene.runner()).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.wait().assert_code(143).closing();
}

#[test]
fn a_reader_that_goes_away_breaks_nothing() {
    let scene = Scene::new(Fake::new().on("run", "flood", "2"));
    let run = scene
        .runner()
        .args(["--steps", "run,test"])
        .under(["/bin/sh", "-c", "\"$0\" \"$@\" | true"])
        .run();
    assert!(!run.err().contains("panicked"), "{run}");
    assert_eq!(
        scene.fake.steps(),
        ["run", "test"],
        "the work goes on: {run}"
    );
}

/// What the run said last, and what it left in the file.
fn line_and_file(run: &Finished, file: &Path) -> (String, String) {
    let last = run.out().lines().last().unwrap_or_default().to_owned();
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {run}"));
    (format!("{last}\n"), text)
}

/// Arguments, variables, exit code.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32);

#[test]
fn the_line_goes_to_a_file_too_however_the_run_ends() {
    let failing = || Fake::new().on("run", "exit", "1");
    let cases: [Case; 5] = [
        (
            &["--steps", "deps"],
            &[("DBT_ENTRYPOINT_SUMMARY_FILE", "line.json")],
            0,
        ),
        (&["--steps", "run", "--summary-file", "line.json"], &[], 1),
        (&["--steps", "nosuch", "--summary-file=line.json"], &[], 64),
        (&["--nosuch", "--summary-file", "line.json"], &[], 64),
        (
            &["--nosuch"],
            &[("DBT_ENTRYPOINT_SUMMARY_FILE", "line.json")],
            64,
        ),
    ];
    for (arguments, variables, code) in cases {
        let scene = Scene::new(failing());
        let file = scene.project.path().join("line.json");
        // Longer than the line will be: what was there before is gone.
        fs::write(&file, "x".repeat(20_000)).unwrap();
        let runner = variables
            .iter()
            .fold(scene.runner(), |runner, (name, value)| {
                runner.env(name, value)
            });
        let run = runner.args(arguments).run();
        run.assert_code(code);
        let (line, text) = line_and_file(&run, &file);
        assert_eq!(text, line, "{arguments:?}: {run}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning() {
    let scene = Scene::new(Fake::new());
    let pipe = scene.project.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for file in ["pipe", "no/such/directory", "."] {
        let run = scene
            .runner()
            .args(["--steps", "deps", "--summary-file", file])
            .run();
        run.assert_code(0);
        assert_eq!(run.closing()["status"], "success");
        assert!(
            run.err().contains("cannot write the closing line to"),
            "{file}: {run}"
        );
    }
}

#[test]
fn where_dbt_gave_up_its_last_words_are_the_error() {
    let said = "10:00:00  Running with dbt=1.11.16\n10:00:01  Encountered an error:\nParsing \
        Error\n  Env var required but not provided: 'X'\n";
    let fake = Fake::new().on("run", "stdout", said).on("run", "exit", "2");
    let scene = Scene::new(fake);
    for arguments in [&[][..], &["--log-format", "json"]] {
        let run = scene
            .runner()
            .args(["--steps", "run,docs"])
            .args(arguments)
            .run();
        run.assert_code(2);
        let closing = run.closing();
        assert_eq!(closing["status"], "failed");
        assert_eq!(
            closing["error"],
            "Parsing Error\n  Env var required but not provided: 'X'"
        );
    }
}

/// As dbt 2 does where it cannot read the project.
#[test]
fn results_of_no_node_do_not_hide_dbts_last_words() {
    let fake = Fake::new()
        .on("run", "write", r#"run_results.json {"results": []}"#)
        .on("run", "stdout", "Parsing Error\n")
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().args(["--steps", "run"]).run();
    run.assert_code(1);
    assert_eq!(run.closing()["error"], "Parsing Error", "{run}");
}

#[test]
fn last_words_are_of_bounded_length_and_without_secrets() {
    let fake = Fake::new()
        .on(
            "deps",
            "stdout",
            format!("{}{PASSWORD}\n", "x".repeat(2_000)),
        )
        .on("deps", "exit", "2");
    let run = Scene::new(fake).runner().args(["--steps", "deps"]).run();
    run.assert_lacks(PASSWORD.as_bytes());
    let closing = run.closing();
    assert_eq!(closing["error"].as_str().unwrap().chars().count(), 500);
}

#[test]
fn a_step_that_left_results_or_was_only_warned_about_says_nothing_there() {
    let body =
        json!({"results": [{"unique_id": "model.shop.a", "status": "error", "message": "m"}]});
    let fake = Fake::new()
        .on("run", "write", format!("run_results.json {body}"))
        .on("run", "stdout", "some words")
        .on("run", "exit", "1");
    let run = Scene::new(fake).runner().args(["--steps", "run"]).run();
    assert_eq!(run.closing()["error"], json!(null));
}
