//! `--log-format json`: every line of both streams is JSON, dbt's own as they were, all others
//! wrapped.

use serde_json::{Value, json};

use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, Scene};
use crate::support::result::Finished;

#[track_caller]
fn lines(stream: &[u8], run: &Finished) -> Vec<Value> {
    let parse = |line: &[u8]| {
        serde_json::from_slice(line)
            .unwrap_or_else(|error| panic!("{error} in {:?}: {run}", String::from_utf8_lossy(line)))
    };
    stream
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(parse)
        .collect()
}

#[test]
fn every_line_of_both_streams_is_json() {
    let own = r#"{"info": {"level": "info", "msg": "Found 3 models"}, "data": {}}"#;
    let fake = Fake::new()
        .on("run", "stdout", format!("{own}\n"))
        .on("run", "stdout", "DeprecationWarning: a \"quoted\" word\n")
        .on(
            "run",
            "stderr",
            "Traceback (most recent call last):\n  File \"x.py\"\n",
        )
        .on("run", "stdout", b"\xff\xfe not UTF-8\n")
        .on("run", "stdout", "7\n\"text\"\n[1]\n")
        .on("run", "stdout", "\n")
        .on("run", "stdout", "no end");
    let scene = Scene::new(fake);
    let run = scene
        .runner()
        .args(["--log-format", "json", "--steps", "deps,run"])
        .run();
    run.assert_code(0);
    let out = lines(&run.stdout, &run);
    let err = lines(&run.stderr, &run);
    assert!(
        run.out().contains(&format!("{own}\n")),
        "dbt's own lines as they are: {run}"
    );
    let wrapped = |text: &str| {
        out.iter()
            .chain(&err)
            .find(|line| {
                line["message"]
                    .as_str()
                    .is_some_and(|message| message.contains(text))
            })
            .cloned()
    };
    for text in [
        "DeprecationWarning: a \"quoted\" word",
        "Traceback",
        "not UTF-8",
        "no end",
    ] {
        let line = wrapped(text).unwrap_or_else(|| panic!("{text}: {run}"));
        assert_eq!(line["step"], "run", "{line}");
        assert!(line["level"].is_string(), "{line}");
    }
    assert!(
        err.iter()
            .any(|line| line["message"] == "Traceback (most recent call last):"),
        "streams stay apart: {run}"
    );
    assert_eq!(run.closing()["status"], "success");
    // Bare values are JSON, but no log lines: whoever reads the log expects objects.
    assert!(out.iter().chain(&err).all(Value::is_object), "{run}");
}

#[test]
fn failures_are_json_too() {
    let fake = Fake::new()
        .on("run", "results", "model.shop.orders=error:no+such+relation")
        .on("run", "exit", "1");
    let run = Scene::new(fake)
        .runner()
        .args(["--log-format", "json"])
        .run();
    run.assert_code(1);
    lines(&run.stdout, &run);
    lines(&run.stderr, &run);
    // And the runner's own errors.
    let run = Scene::healthy()
        .bare_runner()
        .env("DBT_ENTRYPOINT_LOG_FORMAT", "json")
        .args(["--credentials", "ssm:/nowhere/", "--deadline", "3s"])
        .run();
    assert_ne!(run.code, Some(0));
    lines(&run.stdout, &run);
    assert!(!lines(&run.stderr, &run).is_empty());
}

#[test]
fn there_is_no_table() {
    let run = Scene::healthy()
        .runner()
        .args(["--log-format", "json"])
        .run();
    run.assert_code(0);
    for line in lines(&run.stdout, &run) {
        assert!(line.is_object());
    }
}

#[test]
fn dbt_is_asked_to_log_json_as_well() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["--log-format", "json"])
        .run()
        .assert_code(0);
    for step in ["deps", "run", "docs"] {
        let variable = scene.fake.variable(step, "DBT_LOG_FORMAT");
        let arguments = scene.fake.arguments(step);
        let flag = arguments
            .windows(2)
            .any(|pair| pair == ["--log-format", "json"]);
        assert!(
            variable.as_deref() == Some("json") || flag,
            "{step}: {variable:?} {arguments:?}"
        );
    }
}

#[test]
fn a_wrapped_line_hides_secrets_and_stays_json() {
    let fake = Fake::new().on("run", "stdout", format!("password is {PASSWORD} indeed\n"));
    let inner = json!({"msg": format!("password={PASSWORD}")}).to_string();
    let scene = Scene::new(fake.on("run", "stdout", format!("{inner}\n")));
    let run = scene
        .runner()
        .args(["--log-format", "json", "--steps", "run"])
        .run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    lines(&run.stdout, &run);
    assert!(
        run.out().contains("password is ***** indeed") && run.out().contains("password=*****"),
        "{run}"
    );
}

#[test]
fn a_very_long_line_stays_json() {
    let scene = Scene::new(
        Fake::new()
            .on("run", "flood", "8")
            .on("run", "stdout", "\nshort\n"),
    );
    let run = scene
        .runner()
        .args(["--log-format", "json", "--steps", "run"])
        .run();
    run.assert_code(0);
    lines(&run.stdout, &run);
    assert!(run.out().contains("short"));
}
