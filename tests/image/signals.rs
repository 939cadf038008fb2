//! `docker stop` and `docker kill`: one SIGINT to dbt, a ledger, no query left; and what a kill
//! leaves.

use std::time::{Duration, Instant};

use crate::container::{Container, readable, writable};
use crate::engine::{docker, needs_engine};
use crate::pipeline::Lab;
use crate::support::deployment::run_id;
use crate::support::eventually;
use crate::support::fake::Fake;
use crate::support::project::{Project, REDSHIFT_PROFILE, with_login};
use crate::support::repo;

/// A project whose named file runs far longer than any test waits: whatever is gone in time was
/// cancelled.
fn slow(name: &str, sql: &str) -> Project {
    let project = Project::new(REDSHIFT_PROFILE);
    project.write("models/quick.sql", "select 1 as id\n");
    project.write(name, sql);
    readable(project.path());
    project
}

#[test]
fn docker_stop_cancels_the_query_and_leaves_a_ledger() {
    needs_engine!();
    let lab = Lab::new();
    let project = slow(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect pg_sleep(600)::text as slept from {{ \
            ref('quick') }}\n",
    );
    let mut started = lab
        .task(Container::new())
        .mount_read_only(project.path(), "/app/dbt")
        .args(["run", "--steps", "run,test"])
        .start();
    started.until("the query in pg_stat_activity", |_| {
        lab.standin.active("pg_sleep") == 1
    });
    let asked = Instant::now();
    started.stop(30);
    let took = asked.elapsed();
    let (run, container) = started.wait();
    run.assert_code(143).assert_nothing_left();
    assert_eq!(
        docker(&[
            "inspect",
            "--format",
            "{{.State.ExitCode}}",
            &container.name
        ]),
        "143"
    );
    assert!(took < Duration::from_secs(25), "it took {took:?}: {run}");
    // Cancelled, so neither a second SIGINT nor SIGKILL was needed to end it.
    assert_eq!(
        run.steps(),
        [("run", "cancelled"), ("test", "skipped")]
            .map(|(name, status)| (name.to_owned(), status.to_owned()))
    );
    assert_eq!(
        lab.standin.active("pg_sleep"),
        0,
        "the query goes on: {run}"
    );
    let id = run_id(&run);
    assert_eq!(
        lab.deployment.ledger(&id),
        [
            "01-run/nodes.ndjson",
            "01-run/run_results.json",
            "run.json",
            "steps.json",
            "summary.json"
        ]
    );
    assert_eq!(
        lab.deployment.json(&format!("shop/runs/{id}/summary.json")),
        run.closing()
    );
    assert!(
        lab.deployment.docs().is_empty(),
        "no docs of a cancelled run"
    );
}

#[test]
fn docker_kill_leaves_no_process_and_the_ledger_of_finished_steps() {
    needs_engine!();
    let lab = Lab::new();
    let project = slow(
        "tests/slow.sql",
        "select * from (select pg_sleep(600)::text as slept) as one where slept = 'never'\n",
    );
    let mut started = lab
        .task(Container::new())
        .mount_read_only(project.path(), "/app/dbt")
        .args(["run", "--steps", "run,test"])
        .start();
    started.until("step test", |running| {
        running.stderr().contains("step test: dbt")
    });
    started.until("the query in pg_stat_activity", |_| {
        lab.standin.active("pg_sleep") == 1
    });
    started.until("the ledger of the first step", |_| {
        lab.deployment
            .keys()
            .iter()
            .any(|key| key.ends_with("/01-run/run_results.json"))
    });
    docker(&["kill", started.name()]);
    let (run, _container) = started.wait();
    run.assert_code(137).assert_nothing_left();
}

/// A container with a fake dbt that records its signals.
fn recorded(fake: &Fake, flags: &[&str]) -> Container {
    writable(fake.path());
    Container::new()
        .with(with_login)
        .flags(flags.iter().copied())
        .mount(fake.path(), "/fake/run")
        .mount_read_only(&repo::fake_dbt(), "/fake/dbt")
        .env("FAKE_DBT_DIR", "/fake/run")
        .env("DBT_ENTRYPOINT_DBT", "/fake/dbt")
}

#[test]
fn dbt_gets_exactly_one_sigint_with_and_without_an_init() {
    needs_engine!();
    for (flags, signal, code) in [
        (&[][..], "TERM", 143),
        (&["--init"], "TERM", 143),
        (&["--tty"], "INT", 130),
        (&["--init"], "HUP", 129),
    ] {
        let fake = Fake::new().on("run", "until-sigint", "2 1500");
        let mut started = recorded(&fake, flags).start();
        started.until("dbt to be ready", |_| fake.is_ready("run"));
        docker(&["kill", "--signal", signal, started.name()]);
        let (run, _container) = started.wait();
        run.assert_code(code).assert_nothing_left();
        let signals: Vec<_> = fake
            .signals("run")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(signals, ["SIGINT"], "after {signal} with {flags:?}: {run}");
    }
}

#[test]
fn a_dbt_that_does_not_yield_is_killed_inside_the_time_that_docker_stop_gives_by_default() {
    needs_engine!();
    let fake = Fake::new()
        .on("run", "ready", "")
        .on("run", "ignore-signals", "")
        .on("run", "hang", "");
    let mut started = recorded(&fake, &[])
        .env("DBT_ENTRYPOINT_STOP_TIMEOUT", "8s")
        .args(["run", "--steps", "run"])
        .start();
    started.until("dbt to be ready", |_| fake.is_ready("run"));
    docker(&["stop", started.name()]);
    let (run, _container) = started.wait();
    // The engine's own SIGKILL would make it 137, and leave no closing line.
    run.assert_code(143).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "killed", "{run}");
}

#[test]
fn orphans_are_reaped() {
    needs_engine!();
    let fake = Fake::new()
        .on("run", "orphans", "20")
        .on("test", "count-zombies", "");
    recorded(&fake, &[])
        .args(["run", "--steps", "run,test"])
        .run()
        .assert_code(0);
    assert_eq!(fake.zombies(), 0);
}

#[test]
fn the_control_under_an_init_that_does_not_reap_zombies_are_left() {
    needs_engine!();
    let fake = Fake::new()
        .on("run", "orphans", "20")
        .on("test", "count-zombies", "");
    let container = recorded(&fake, &["--entrypoint", "/fake/dbt"]);
    container
        .args([
            "--as-init",
            "/bin/sh",
            "-c",
            "/fake/dbt run && exec /fake/dbt test",
        ])
        .run()
        .assert_code(0);
    assert_eq!(fake.zombies(), 20);
}

#[test]
fn a_container_that_is_stopped_between_two_steps_starts_no_further_one() {
    needs_engine!();
    let fake = Fake::new()
        .on("run", "ready", "")
        .on("run", "wait-for", "go")
        .on("test", "ready", "");
    let mut started = recorded(&fake, &[])
        .args(["run", "--steps", "run,test"])
        .start();
    started.until("dbt to be ready", |_| fake.is_ready("run"));
    docker(&["kill", "--signal", "TERM", started.name()]);
    let (run, _container) = started.wait();
    run.assert_code(143);
    eventually("the last call to be written down", || {
        !fake.steps().is_empty()
    });
    assert_eq!(fake.steps(), ["run"]);
}
