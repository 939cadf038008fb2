//! A cancelled run leaves no query in the warehouse: with the real adapter, twenty times in a row.

use nix::sys::signal::Signal;

use crate::support::eventually;
use crate::support::project::{Project, REDSHIFT_PROFILE, with_real_dbt};
use crate::support::runner::Runner;
use crate::support::standin::Standin;

fn project() -> Project {
    let project = Project::new(REDSHIFT_PROFILE);
    project.write("models/quick.sql", "select 1 as id\n");
    // Runs far longer than any test waits: whatever is gone in time was cancelled.
    project.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect \
        pg_sleep(600)::text as slept from {{ ref('quick') }}\n",
    );
    project
}

/// Interrupts one run once the warehouse shows its query, and returns when none is left.
fn cancel_once(standin: &Standin, project: &Project, signal: Signal, code: i32) {
    let runner = standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .args(["--steps", "run,test"]);
    let mut running = runner.spawn();
    running.until("the query in pg_stat_activity", |_| {
        standin.active("pg_sleep") == 1
    });
    running.signal(signal);
    let run = running.wait();
    run.assert_code(code).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "cancelled", "not killed: {run}");
    assert_eq!(
        standin.active("pg_sleep"),
        0,
        "the query goes on after the run: {run}"
    );
    eventually("all sessions to be closed", || standin.sessions() == 0);
}

/// Four times five, so that both cores have something to do.
fn cancel_five_times(signal: Signal, code: i32) {
    let (standin, project) = (Standin::database(), project());
    for _ in 0..5 {
        cancel_once(&standin, &project, signal, code);
    }
}

#[test]
fn after_sigterm_no_query_is_left_first_five() {
    cancel_five_times(Signal::SIGTERM, 143);
}

#[test]
fn after_sigterm_no_query_is_left_second_five() {
    cancel_five_times(Signal::SIGTERM, 143);
}

#[test]
fn after_sigint_no_query_is_left() {
    cancel_five_times(Signal::SIGINT, 130);
}

#[test]
fn after_sighup_no_query_is_left() {
    cancel_five_times(Signal::SIGHUP, 129);
}

#[test]
fn a_dbt_that_is_simply_killed_leaves_its_query_behind() {
    // The control: were the stand-in to end the queries of a lost client by itself, the tests above
    // would show nothing.
    let (standin, project) = (Standin::database(), project());
    let runner = standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .program(crate::support::repo::venv("dbt"));
    let mut running = runner.args(["run", "--profiles-dir", "."]).spawn();
    running.until("the query in pg_stat_activity", |_| {
        standin.active("pg_sleep") == 1
    });
    running.signal(Signal::SIGKILL);
    drop(running.wait());
    assert_eq!(standin.active("pg_sleep"), 1);
}

#[test]
fn a_cancelled_run_keeps_what_had_finished() {
    let (standin, project) = (Standin::database(), project());
    let folder = tempfile::TempDir::new().unwrap();
    let runner = standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .args(["--steps", "run"]);
    let destination = format!("file://{}", folder.path().display());
    let mut running = runner.args(["--destination", &destination]).spawn();
    running.until("the query in pg_stat_activity", |_| {
        standin.active("pg_sleep") == 1
    });
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert_eq!(run.step("run")["nodes"]["success"], 1, "{run}");
    let id = crate::support::deployment::run_id(&run);
    let kept = folder
        .path()
        .join(format!("runs/{id}/01-run/run_results.json"));
    let results: serde_json::Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert!(
        results["results"]
            .as_array()
            .unwrap()
            .iter()
            .any(|result| result["unique_id"] == "model.shop.quick")
    );
}
