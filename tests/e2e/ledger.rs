//! The ledger: what each step left, kept apart by run and step, whatever became of the run.

use nix::sys::signal::Signal;

use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;

#[test]
fn a_successful_run_keeps_what_each_step_wrote_and_a_summary() {
    let lab = Deployment::healthy();
    let run = lab.run();
    run.assert_code(0);
    let id = run_id(&run);
    let expected = [
        "03-run/run_results.json",
        "04-test/run_results.json",
        "05-freshness/sources.json",
        "06-docs/run_results.json",
        "run.json",
        "steps.json",
        "summary.json",
    ];
    assert_eq!(lab.ledger(&id), expected);
    for (key, step) in [("03-run", "run"), ("04-test", "test"), ("06-docs", "docs")] {
        let body = lab.json(&format!("shop/runs/{id}/{key}/run_results.json"));
        assert_eq!(body["args"]["which"], step);
    }
}

#[test]
fn the_summary_is_the_closing_line() {
    let lab = Deployment::healthy();
    let run = lab.run();
    run.assert_code(0);
    let summary = lab.json(&format!("shop/runs/{}/summary.json", run_id(&run)));
    assert_eq!(summary, run.closing());
}

#[test]
fn a_failed_run_keeps_its_ledger() {
    let fake = Fake::new()
        .on("test", "results", "test.shop.a=fail:Got+1+result")
        .on("test", "exit", "1");
    let lab = Deployment::new(fake);
    let run = lab.run();
    run.assert_code(1);
    let id = run_id(&run);
    assert_eq!(
        lab.ledger(&id),
        [
            "03-run/run_results.json",
            "04-test/run_results.json",
            "run.json",
            "steps.json",
            "summary.json",
        ]
    );
    assert_eq!(
        lab.json(&format!("shop/runs/{id}/summary.json"))["status"],
        "failed"
    );
}

#[test]
fn a_step_that_wrote_nothing_keeps_nothing() {
    // `run` leaves a file, `test` fails before it writes one: the file of `run` must not pass for
    // that of `test`.
    let lab = Deployment::new(Fake::new().on("test", "exit", "2"));
    let run = lab.run();
    run.assert_code(2);
    assert_eq!(
        lab.ledger(&run_id(&run)),
        [
            "03-run/run_results.json",
            "run.json",
            "steps.json",
            "summary.json"
        ]
    );
}

#[test]
fn a_file_that_lay_there_before_the_run_is_not_kept() {
    let lab = Deployment::new(Fake::new().on("run", "exit", "2"));
    lab.scene
        .project
        .write("target/run_results.json", "{\"of\": \"an earlier run\"}");
    lab.scene.project.write("target/sources.json", "{}");
    let run = lab.run();
    run.assert_code(2);
    assert_eq!(
        lab.ledger(&run_id(&run)),
        ["run.json", "steps.json", "summary.json"]
    );
}

#[test]
fn a_step_is_kept_as_it_ends_not_at_the_end() {
    let lab = Deployment::new(
        Fake::new()
            .on("docs", "wait-for", "go")
            .on("docs", "healthy", ""),
    );
    let mut running = lab.runner().spawn();
    running.until("the ledger of the first steps", |_| {
        lab.keys()
            .iter()
            .any(|key| key.ends_with("/05-freshness/sources.json"))
    });
    let keys = lab.keys();
    assert!(
        keys.iter()
            .any(|key| key.ends_with("/03-run/run_results.json")),
        "{keys:?}"
    );
    assert!(
        !keys.iter().any(|key| key.ends_with("summary.json")),
        "{keys:?}"
    );
    lab.scene.fake.release("go");
    running.wait().assert_code(0);
}

#[test]
fn a_cancelled_run_completes_its_ledger() {
    let fake = Fake::new().on(
        "run",
        "results",
        "model.shop.orders=success model.shop.customers=skipped",
    );
    let lab = Deployment::new(fake.on("run", "until-sigint", "2"));
    let mut running = lab.runner().spawn();
    running.until("dbt to be ready", |_| lab.scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    let id = run_id(&run);
    assert_eq!(
        lab.ledger(&id),
        [
            "03-run/run_results.json",
            "run.json",
            "steps.json",
            "summary.json"
        ]
    );
    assert_eq!(
        lab.json(&format!("shop/runs/{id}/summary.json"))["status"],
        "cancelled"
    );
    assert!(lab.docs().is_empty());
}

#[test]
fn a_killed_step_keeps_what_it_had_written() {
    let fake = Fake::new()
        .on("run", "results", "model.shop.orders=success")
        .on("run", "ignore-signals", "");
    let lab = Deployment::new(fake);
    let mut running = lab.runner().args(["--stop-timeout", "7s"]).spawn();
    running.until("dbt to be ready", |_| lab.scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    let id = run_id(&run);
    assert_eq!(
        lab.ledger(&id),
        [
            "03-run/run_results.json",
            "run.json",
            "steps.json",
            "summary.json"
        ]
    );
    assert_eq!(
        lab.json(&format!("shop/runs/{id}/summary.json"))["steps"][2]["status"],
        "killed"
    );
}

#[test]
fn two_steps_of_one_kind_have_places_of_their_own() {
    let lab = Deployment::healthy();
    let yaml = "steps:\n  - run\n  - {name: checks, command: [test]}\n  - {name: nightly, command: \
        [test]}\n";
    lab.scene.project.write("dbt-entrypoint.yml", yaml);
    let run = lab.run();
    run.assert_code(0);
    let expected = [
        "01-run/run_results.json",
        "02-checks/run_results.json",
        "03-nightly/run_results.json",
        "run.json",
        "steps.json",
        "summary.json",
    ];
    assert_eq!(lab.ledger(&run_id(&run)), expected);
}

#[test]
fn two_runs_keep_two_ledgers() {
    let lab = Deployment::healthy();
    let ids = [run_id(&lab.run()), run_id(&lab.run())];
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        assert_eq!(
            lab.json(&format!("shop/runs/{id}/summary.json"))["run_id"],
            id
        );
    }
}
