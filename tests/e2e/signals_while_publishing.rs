//! Signals while the upload runs: it may finish inside the stop budget, and is given up after it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::deployment::Deployment;
use crate::support::fake::Fake;
use crate::support::fault_proxy::Fault;

/// S3 takes the request for the last page and does not answer until it is released.
fn held() -> Deployment {
    Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!("PUT /{bucket}/shop/index.html"), Fault::Hold)
    })
}

#[test]
fn an_upload_that_finishes_in_time_ends_as_it_would_have() {
    let lab = held();
    let mut running = lab.runner().spawn();
    running.until("the upload", |_| lab.proxy.count("/shop/index.html") == 1);
    running.signal(Signal::SIGTERM);
    running.until("the signal in the log, or a moment", {
        let begin = Instant::now();
        move |_| begin.elapsed() > Duration::from_millis(700)
    });
    lab.proxy.release();
    let run = running.wait();
    run.assert_code(0);
    assert_eq!(run.closing()["status"], "success");
    assert!(lab.docs().contains(&"shop/index.html".to_owned()));
}

#[test]
fn an_upload_that_does_not_is_given_up_and_the_signals_code_stands() {
    let lab = held();
    let mut running = lab.runner().args(["--stop-timeout", "6s"]).spawn();
    running.until("the upload", |_| lab.proxy.count("/shop/index.html") == 1);
    let sent = Instant::now();
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    let took = sent.elapsed();
    assert!(
        took < Duration::from_secs(9) && took > Duration::from_secs(3),
        "it took {took:?}"
    );
    run.assert_code(143);
    assert_eq!(run.closing()["status"], "cancelled");
}

#[test]
fn a_second_signal_gives_the_upload_up_at_once() {
    let lab = held();
    let mut running = lab.runner().args(["--stop-timeout", "50s"]).spawn();
    running.until("the upload", |_| lab.proxy.count("/shop/index.html") == 1);
    running.signal(Signal::SIGTERM);
    let first = Instant::now();
    running.until("the contract's own second to pass", |_| {
        first.elapsed() > Duration::from_millis(1_300)
    });
    let sent = Instant::now();
    running.signal(Signal::SIGTERM);
    running.wait().assert_code(143);
    assert!(
        sent.elapsed() < Duration::from_secs(8),
        "it took {:?}",
        sent.elapsed()
    );
}

#[test]
fn a_dbt_failure_stays_the_code_when_the_upload_is_cut_short_in_time() {
    let fake = Fake::new()
        .on("docs", "healthy", "")
        .on("docs", "exit", "1");
    let lab = Deployment::with_faults(fake, |proxy, bucket| {
        proxy.on(&format!("PUT /{bucket}/shop/index.html"), Fault::Hold)
    });
    let mut running = lab.runner().args(["--publish", "always"]).spawn();
    running.until("the upload", |_| lab.proxy.count("/shop/index.html") == 1);
    running.signal(Signal::SIGTERM);
    lab.proxy.release();
    running.wait().assert_code(1);
}

#[test]
fn a_deadline_while_publishing_lets_it_finish_inside_the_stop_budget() {
    let lab = held();
    let mut running = lab.runner().args(["--deadline", "2s"]).spawn();
    running.until("the upload", |_| lab.proxy.count("/shop/index.html") == 1);
    let begin = Instant::now();
    running.until("the deadline to pass", |_| {
        begin.elapsed() > Duration::from_millis(2_500)
    });
    lab.proxy.release();
    running.wait().assert_code(0);

    let lab = held();
    let run = lab
        .runner()
        .args(["--deadline", "2s", "--stop-timeout", "6s"])
        .run();
    run.assert_code(124);
    assert_eq!(run.closing()["status"], "timed_out");
}

#[test]
fn a_signal_while_the_bucket_is_looked_at_ends_the_run_at_once() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!(" /{bucket}"), Fault::Silence)
    });
    let mut running = lab.runner().spawn();
    running.until("the question", |_| lab.proxy.count(&lab.bucket.name) > 0);
    let sent = Instant::now();
    running.signal(Signal::SIGTERM);
    running.wait().assert_code(143);
    assert!(
        sent.elapsed() < Duration::from_secs(8),
        "it took {:?}",
        sent.elapsed()
    );
    assert!(lab.scene.fake.steps().is_empty());
}

#[test]
fn a_ledger_that_hangs_holds_up_neither_the_steps_nor_a_stop() {
    let lab = Deployment::with_faults(
        Fake::new().on("test", "until-sigint", "2"),
        |proxy, bucket| proxy.on(&format!("PUT /{bucket}/shop/runs/"), Fault::Silence),
    );
    let mut running = lab.runner().args(["--stop-timeout", "8s"]).spawn();
    running.until("the step after the one whose ledger hangs", |_| {
        lab.scene.fake.is_ready("test")
    });
    let sent = Instant::now();
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert!(
        sent.elapsed() < Duration::from_secs(11),
        "it took {:?}",
        sent.elapsed()
    );
    assert_eq!(run.step("test")["status"], "cancelled");
}
