//! What the log says while dbt says nothing: how far it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::runner::Runner;

/// A dbt 2 that says nothing for longer than people wait: of three nodes it then has ended one, and
/// begun another. Where it fails first, a retry is left with two of them.
const SILENT: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo "dbt 2.0.97"; exit; }
span() { echo "{\"record_type\":\"Span$1\",\"event_type\":\"v1.$2\",\"start_time_unix_nano\":\"1\",\
\"end_time_unix_nano\":\"2\",\"attributes\":{\"unique_id\":\"model.shop.$3\",\
\"in_selection\":true,\"phase\":\"EXECUTION_PHASE_RUN\",\"node_count_total\":\"$total\",\
\"node_outcome\":\"NODE_OUTCOME_SUCCESS\"}}" >> "$DBT_OTEL_FILE_NAME"; }
leave() {
    node() { echo "{\"unique_id\":\"model.shop.$1\",\"status\":\"$2\"}"; }
    mkdir -p target
    echo "{\"results\":[$(node a success),$(node b "$1"),$(node c "$1")]}" > target/run_results.json
}
nodes="a b" total=3
[ "$1" != retry ] || nodes="b" total=2
span Start PhaseExecuted x
for node in $nodes; do span Start NodeProcessed $node; span Start NodeEvaluated $node; done
[ "$1" = retry ] || span End NodeEvaluated a
[ "$1" = retry ] || [ -z "$FAILS_FIRST" ] || { leave error; exit 1; }
echo working
sleep 64
leave success
"#;

/// Of two runs the later one is the last.
const HISTORY: &str = r#"{"v":1,"runs":[
{"id":"20261121T061442Z-1a2b3c4d","started":"2026-11-21T06:14:42Z","seconds":9.0,
"status":"success","code":0,"resumes":null,"steps":[["run","success",9.0]],
"nodes":{"success":1,"error":0,"warn":0,"skipped":0},"failed":[],
"slow":[["model.shop.b",7.0]],"fresh":[]},
{"id":"20261122T061442Z-1a2b3c4d","started":"2026-11-22T06:14:42Z","seconds":9.0,
"status":"success","code":0,"resumes":null,"steps":[["run","success",9.0]],
"nodes":{"success":1,"error":0,"warn":0,"skipped":0},"failed":[],
"slow":[["model.shop.b",41.7]],"fresh":[]}]}"#;

/// What the log of a silent run says, in that format. `is_resumed`: it finishes one that failed.
fn said(format: &str, is_resumed: bool) -> String {
    let folder = TempDir::new().unwrap();
    let dbt: PathBuf = folder.path().join("silent-dbt");
    fs::write(&dbt, SILENT).unwrap();
    fs::set_permissions(&dbt, fs::Permissions::from_mode(0o755)).unwrap();
    let project = Project::new(DUCKDB_PROFILE);
    let place = folder.path().join("published");
    fs::create_dir_all(place.join("state")).unwrap();
    fs::write(place.join("state/history.json"), HISTORY).unwrap();
    let runner = || {
        Runner::new(project.path())
            .env(
                "DBT_ENTRYPOINT_DESTINATION",
                format!("file://{}", place.display()),
            )
            .env("DBT_ENTRYPOINT_DBT", &dbt)
            .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
            .args(["--engine", "native", "--steps", "run"])
            .args(["--log-format", format])
    };
    if !is_resumed {
        let run = runner().run();
        run.assert_code(0);
        return run.err();
    }
    runner().env("FAILS_FIRST", "yes").run().assert_code(1);
    let run = runner()
        .env("FAILS_FIRST", "yes")
        .args(["--resume", "last"])
        .run();
    run.assert_code(0);
    run.err()
}

#[test]
fn when_dbt_is_silent_for_a_minute_the_log_says_how_far_it_is() {
    let said = said("text", false);
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("nodes done"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    let expected = "step run: 1 of 3 nodes done; running: model.shop.b for ";
    assert!(lines[0].contains(expected), "{said}");
    assert!(lines[0].ends_with(" s (last time 42 s)"), "{said}");
}

#[track_caller]
fn assert_event(said: &str) {
    let line = said.lines().find(|line| line.contains("nodes done"));
    let event: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{said}"))).unwrap();
    assert_eq!((&event["done"], &event["total"]), (&1.into(), &3.into()));
    assert_eq!(event["step"], "run");
    let running = event["running"].as_array().unwrap();
    assert_eq!(running.len(), 1, "{event}");
    assert_eq!(running[0]["node"], "model.shop.b");
    assert_eq!(running[0]["last_time"], 41.7);
    assert!(running[0]["seconds"].as_u64().unwrap() >= 58, "{event}");
}

#[test]
fn in_json_it_is_an_event() {
    assert_event(&said("json", false));
}

#[test]
fn a_step_that_is_resumed_counts_what_an_earlier_attempt_has_done() {
    assert_event(&said("json", true));
}
