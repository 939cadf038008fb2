//! As PID 1, the way a container starts it: signals are forwarded, zombies reaped, the worker's
//! code is the exit code.
//!
//! `unshare` makes the namespace. Where the kernel allows none, these tests fail: nothing else
//! could stand for them.

use nix::sys::signal::Signal;

use crate::support::fake::Fake;
use crate::support::project::Scene;
use crate::support::repo;
use crate::support::runner::{Runner, Running};

const UNSHARE: [&str; 6] = [
    "/usr/bin/unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
];

/// The process that is PID 1 in there, as seen from here: `unshare` itself stays outside and does
/// not pass signals on.
fn inner_pid(running: &Running) -> Option<i32> {
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    std::fs::read_to_string(path)
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The child of that process which does the work. It came first; an orphan could only come later.
fn worker(running: &Running) -> i32 {
    let init = inner_pid(running).expect("PID 1 of the namespace");
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    children
        .split_whitespace()
        .next()
        .expect("a worker")
        .parse()
        .unwrap()
}

fn signal_inside(running: &Running, signal: Signal) {
    let pid = inner_pid(running).expect("PID 1 of the namespace");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn a_whole_run_succeeds_and_is_pid_1() {
    let scene = Scene::healthy();
    let run = scene.runner().under(UNSHARE).run();
    run.assert_code(0);
    assert_eq!(run.closing()["status"], "success");
    // The namespace was real, or the test would have shown nothing: process ids begin anew.
    assert!(scene.fake.call("deps")["process"]["pid"].as_i64().unwrap() < 100);
}

#[test]
fn exit_codes_come_through() {
    for code in [1, 2, 77, 255] {
        let scene = Scene::new(Fake::new().on("debug", "exit", code.to_string()));
        scene.runner().under(UNSHARE).run().assert_code(code);
    }
}

#[test]
fn a_step_that_dies_by_a_signal_is_128_and_its_number_there_too() {
    let scene = Scene::new(Fake::new().on("run", "kill", "9"));
    scene.runner().under(UNSHARE).run().assert_code(137);
}

#[test]
fn each_signal_is_forwarded_and_dbt_gets_one_sigint() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        let scene = Scene::new(Fake::new().on("run", "until-sigint", "2 2000"));
        let mut running = scene.runner().under(UNSHARE).spawn();
        running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
        signal_inside(&running, signal);
        let run = running.wait();
        run.assert_code(code).assert_nothing_left();
        assert_eq!(run.closing()["status"], "cancelled");
        let signals: Vec<_> = scene
            .fake
            .signals("run")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(signals, ["SIGINT"], "after {signal}");
    }
}

#[test]
fn a_signal_to_the_whole_group_of_pid_1_reaches_dbt_once() {
    // Ctrl-C on a terminal goes to the foreground group, in which a worker without a group of its
    // own would get it a second time.
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2 2500"));
    let mut running = scene.runner().under(UNSHARE).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    let group_of = |pid| nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid))).unwrap();
    let group = group_of(running.pid());
    assert_eq!(
        group_of(inner_pid(&running).unwrap()),
        group,
        "PID 1 is what the terminal signals"
    );
    assert_ne!(
        group_of(worker(&running)),
        group,
        "the worker is signalled by PID 1 alone"
    );
    nix::sys::signal::killpg(group, Signal::SIGINT).unwrap();
    // `unshare` is in that group and dies of it or not, depending on its version: what counts is
    // what dbt saw.
    crate::support::eventually("dbt's end", || scene.fake.signals("run").len() == 1);
    let marker = running.marker().to_owned();
    crate::support::eventually("the end of the run", || {
        crate::support::processes::with_marker(&marker).is_empty()
    });
    assert_eq!(scene.fake.signals("run").len(), 1);
}

/// Leaves twenty orphans in one step, and counts in the next how many of them are still zombies.
fn orphaning() -> Scene {
    Scene::new(
        Fake::new()
            .on("run", "orphans", "20")
            .on("test", "count-zombies", ""),
    )
}

#[test]
fn orphans_are_reaped() {
    let scene = orphaning();
    scene
        .runner()
        .args(["--steps", "run,test"])
        .under(UNSHARE)
        .run()
        .assert_code(0);
    assert_eq!(scene.fake.zombies(), 0);
}

#[test]
fn the_zombie_test_fails_under_an_init_that_does_not_reap() {
    let scene = orphaning();
    let script = "\"$DBT_ENTRYPOINT_DBT\" run && exec \"$DBT_ENTRYPOINT_DBT\" test";
    let control: Runner =
        scene
            .runner()
            .program(repo::fake_dbt())
            .args(["--as-init", "/bin/sh", "-c", script]);
    control.under(UNSHARE).run().assert_code(0);
    assert_eq!(scene.fake.zombies(), 20);
}

#[test]
fn exec_runs_a_program_as_pid_1_with_its_code() {
    let scene = Scene::healthy();
    let runner = scene
        .runner()
        .args([
            "exec",
            "--",
            "/bin/sh",
            "-c",
            "echo out; echo err >&2; exit 7",
        ])
        .under(UNSHARE);
    let run = runner.run();
    run.assert_code(7);
    assert_eq!(run.out(), "out\n");
}

#[test]
fn a_worker_that_is_killed_ends_the_container_with_137() {
    let scene = Scene::new(Fake::new().on("run", "ready", "").on("run", "hang", ""));
    let mut running = scene.runner().under(UNSHARE).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    let worker = worker(&running);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    running.wait().assert_code(137).assert_nothing_left();
}

/// A step has the user of the worker, and so the right to stop it.
#[test]
fn a_worker_that_a_step_has_stopped_goes_on_and_keeps_to_its_deadline() {
    let script = "runner=$$; until [ \"$(cat /proc/$runner/comm)\" = dbt-entrypoint ]; do \
         runner=$(sed 's/.*) //' /proc/$runner/stat | cut -d' ' -f2); done; \
         kill -STOP $runner; exec sleep 60";
    let scene = Scene::new(Fake::new().on("run", "bash", script));
    let run = scene
        .runner()
        .args(["--steps", "run", "--deadline", "3s", "--stop-timeout", "7s"])
        .under(UNSHARE)
        .run();
    run.assert_code(124).assert_nothing_left();
    assert_eq!(run.closing()["status"], "timed_out");
}
