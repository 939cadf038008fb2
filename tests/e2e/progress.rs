//! What the log says while dbt says nothing: how far it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::runner::Runner;

/// A dbt 2 that begins one of three nodes, ends another, and then says nothing for longer than
/// people wait.
const SILENT: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo "dbt 2.0.97"; exit; }
span() { echo "{\"record_type\":\"Span$1\",\"event_type\":\"v1.$2\",\"start_time_unix_nano\":\"1\",\
\"end_time_unix_nano\":\"2\",\"attributes\":{\"unique_id\":\"model.shop.$3\",\
\"in_selection\":true,\"phase\":\"EXECUTION_PHASE_RUN\",\"node_count_total\":\"3\",\
\"node_outcome\":\"NODE_OUTCOME_SUCCESS\"}}" >> "$DBT_OTEL_FILE_NAME"; }
span Start PhaseExecuted x
for node in a b; do span Start NodeProcessed $node; span Start NodeEvaluated $node; done
span End NodeEvaluated a
echo working
sleep 64
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

fn run(folder: &TempDir, format: &str) -> String {
    let dbt: PathBuf = folder.path().join("silent-dbt");
    fs::write(&dbt, SILENT).unwrap();
    fs::set_permissions(&dbt, fs::Permissions::from_mode(0o755)).unwrap();
    let project = Project::new(DUCKDB_PROFILE);
    let place = folder.path().join("published");
    fs::create_dir_all(place.join("state")).unwrap();
    fs::write(place.join("state/history.json"), HISTORY).unwrap();
    let run = Runner::new(project.path())
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", place.display()),
        )
        .env("DBT_ENTRYPOINT_DBT", dbt)
        .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
        .args([
            "--engine",
            "native",
            "--steps",
            "run",
            "--log-format",
            format,
        ])
        .run();
    run.assert_code(0);
    run.err()
}

#[test]
fn when_dbt_is_silent_for_a_minute_the_log_says_how_far_it_is() {
    let folder = TempDir::new().unwrap();
    let said = run(&folder, "text");
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("nodes done"))
        .collect();
    assert_eq!(lines.len(), 1, "{said}");
    let expected = "step run: 1 of 3 nodes done; running: model.shop.b for ";
    assert!(lines[0].contains(expected), "{said}");
    assert!(lines[0].ends_with(" s (last time 42 s)"), "{said}");
}

#[test]
fn in_json_it_is_an_event() {
    let folder = TempDir::new().unwrap();
    let said = run(&folder, "json");
    let line = said.lines().find(|line| line.contains("nodes done"));
    let event: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{said}"))).unwrap();
    assert_eq!((&event["done"], &event["total"]), (&1.into(), &3.into()));
    assert_eq!(event["running"], "model.shop.b");
    assert_eq!(event["step"], "run");
}
