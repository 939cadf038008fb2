//! Signals to the runner while a step runs: one SIGINT to dbt, in time more, and an end that says
//! what happened.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::eventually;
use crate::support::fake::Fake;
use crate::support::processes;
use crate::support::project::Scene;
use crate::support::result::Finished;
use crate::support::runner::Runner;

const ASKED: [(Signal, i32); 3] = [
    (Signal::SIGTERM, 143),
    (Signal::SIGINT, 130),
    (Signal::SIGHUP, 129),
];

/// Starts the run, waits until dbt's step would see a signal, sends this one to the runner, and
/// waits for the end.
fn interrupt(scene: &Scene, runner: Runner, signal: Signal) -> Finished {
    let mut running = runner.spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(signal);
    running.wait()
}

#[test]
fn each_signal_reaches_dbt_as_one_sigint_and_gives_its_own_code() {
    for (signal, code) in ASKED {
        // It cancels for three seconds: a second SIGINT in that time would kill a real dbt while it
        // cancels.
        let scene = Scene::new(Fake::new().on("run", "until-sigint", "2 3000"));
        let run = interrupt(&scene, scene.runner(), signal);
        run.assert_code(code).assert_nothing_left();
        let signals: Vec<_> = scene
            .fake
            .signals("run")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(signals, ["SIGINT"], "after {signal}");
        let closing = run.closing();
        assert_eq!(closing["status"], "cancelled");
        assert_eq!(run.step("run")["status"], "cancelled");
        assert_eq!(run.step("test")["status"], "skipped");
        assert_eq!(
            scene.fake.steps(),
            ["deps", "debug", "run"],
            "no further step starts"
        );
    }
}

/// Nobody can tell dbt any more, and in a while another run may hold the lease.
#[cfg(target_os = "linux")]
#[test]
fn a_dbt_whose_runner_is_killed_is_interrupted() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
    let mut running = scene.runner().spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGKILL);
    eventually("dbt's end", || {
        processes::with_marker(running.marker()).is_empty()
    });
    // The kernel may say it once for each thread of the runner.
    let signals = scene.fake.signals("run");
    assert!(signals.iter().all(|(name, _)| name == "SIGINT"));
    assert!([1, 2].contains(&signals.len()), "{signals:?}");
}

#[test]
fn the_code_is_the_signals_whatever_dbt_makes_of_it() {
    for code in ["0", "1", "2"] {
        let scene = Scene::new(Fake::new().on("run", "until-sigint", code));
        let run = interrupt(&scene, scene.runner(), Signal::SIGTERM);
        run.assert_code(143);
        assert_eq!(
            run.step("run")["status"],
            "cancelled",
            "dbt exits {code}: {run}"
        );
    }
}

#[test]
fn a_dbt_that_ignores_sigint_gets_a_second_one_and_is_killed_when_the_budget_has_passed() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    let run = interrupt(
        &scene,
        scene.runner().args(["--stop-timeout", "15s"]),
        Signal::SIGTERM,
    );
    run.assert_code(143).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "killed");
    assert_eq!(run.closing()["status"], "cancelled");
    let signals = scene.fake.signals("run");
    assert_eq!(
        signals
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["SIGINT", "SIGINT"]
    );
    let apart = signals[1].1 - signals[0].1;
    assert!(
        (7_500..9_500).contains(&apart),
        "the second SIGINT came {apart} ms after the first"
    );
}

#[test]
fn a_short_budget_kills_before_a_second_sigint_is_due() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    let mut running = scene.runner().args(["--stop-timeout", "7s"]).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    let sent = Instant::now();
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "killed");
    assert_eq!(scene.fake.signals("run").len(), 1);
    let took = sent.elapsed();
    assert!(
        took >= Duration::from_millis(1_800),
        "killed too early, after {took:?}"
    );
    assert!(
        took < Duration::from_secs(7),
        "the whole stop took {took:?}"
    );
}

#[test]
fn the_log_says_that_queries_may_go_on_where_dbt_had_to_be_killed() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    let run = interrupt(
        &scene,
        scene.runner().args(["--stop-timeout", "6s"]),
        Signal::SIGTERM,
    );
    run.assert_code(143);
    let all = (run.out() + &run.err()).to_lowercase();
    assert!(all.contains("killed") && all.contains("quer"), "{run}");
}

#[test]
fn a_second_signal_a_second_later_kills_at_once() {
    let scene = Scene::new(Fake::new().on("run", "ignore-signals", ""));
    let mut running = scene.runner().args(["--stop-timeout", "55s"]).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGINT);
    running.until("the first SIGINT at dbt", |_| {
        scene.fake.signals("run").len() == 1
    });
    // The contract's own second: an earlier signal counts as the same wish.
    std::thread::sleep(Duration::from_millis(1_300));
    let sent = Instant::now();
    running.signal(Signal::SIGINT);
    let run = running.wait();
    assert!(
        sent.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        sent.elapsed()
    );
    run.assert_code(130).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "killed");
}

#[test]
fn a_second_signal_at_once_is_the_same_wish() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2 2500"));
    let mut running = scene.runner().spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    running.until("the first SIGINT at dbt", |_| {
        scene.fake.signals("run").len() == 1
    });
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert_eq!(run.step("run")["status"], "cancelled", "not killed: {run}");
    assert_eq!(scene.fake.signals("run").len(), 1);
}

#[test]
fn a_child_that_stays_in_the_group_after_dbt_is_gone_does_not_outlive_the_run() {
    let scene = Scene::new(Fake::new().on("run", "grandchild", "group").on(
        "run",
        "until-sigint",
        "2",
    ));
    let run = interrupt(
        &scene,
        scene.runner().args(["--stop-timeout", "8s"]),
        Signal::SIGTERM,
    );
    run.assert_code(143).assert_nothing_left();
}

#[test]
fn a_stray_grandchild_that_holds_the_pipes_does_not_hang_the_run() {
    let scene = Scene::new(Fake::new().on("run", "stdout", "before\n").on(
        "run",
        "grandchild",
        "stray",
    ));
    let run = scene.runner().args(["--steps", "run,test"]).run();
    run.assert_code(0);
    assert!(
        run.elapsed < Duration::from_secs(20),
        "the grandchild lives for a minute, the run took {:?}",
        run.elapsed
    );
    assert_eq!(scene.fake.steps(), ["run", "test"]);
    assert!(run.out().contains("before\n"));
}

#[test]
fn each_step_leads_a_session_and_a_group_of_its_own() {
    let scene = Scene::healthy();
    scene.runner().run().assert_code(0);
    let mut sessions = Vec::new();
    for call in scene.fake.calls() {
        let process = &call["process"];
        assert_eq!(process["pid"], process["pgid"]);
        assert_eq!(process["pid"], process["sid"]);
        assert_eq!(call["stdin"], "/dev/null");
        sessions.push(process["sid"].as_i64().unwrap());
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 6);
}

#[test]
fn a_step_has_default_dispositions_and_an_empty_mask_whatever_the_runner_inherited() {
    // As a shell starts a program in the background, and worse: SIGINT, SIGTERM and SIGHUP ignored,
    // others blocked.
    let python = "import signal, sys, os\n\
                  for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, \
                  signal.SIGQUIT, signal.SIGUSR1):\n    \
                  signal.signal(s, signal.SIG_IGN)\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, \
                  signal.SIGCHLD, signal.SIGUSR2, signal.SIGALRM])\n\
                  os.execv(sys.argv[1], sys.argv[1:])";
    let scene = Scene::healthy();
    // The fake's own runtime ignores SIGPIPE: `cat` shows what it was really given.
    let dbt = "#!/bin/sh\nexec cat /proc/self/status\n";
    scene.project.write("dbt.sh", dbt);
    let path = scene.project.path().join("dbt.sh");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let runner = scene
        .runner()
        .env("DBT_ENTRYPOINT_DBT", path)
        .args(["--steps", "run"]);
    let run = runner
        .under(["/usr/bin/env", "python3", "-c", python])
        .run();
    run.assert_code(0);
    let field = |name: &str| {
        let value = run
            .out()
            .lines()
            .find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()));
        u64::from_str_radix(&value.unwrap_or_default(), 16).unwrap_or(u64::MAX)
    };
    // Signals 32 and 33 are the C library's own: `posix_spawn` leaves them ignored, and nobody may
    // set them.
    let internal = 0b11 << 31;
    assert_eq!(field("SigBlk:") & !internal, 0, "{run}");
    assert_eq!(field("SigIgn:") & !internal, 0, "{run}");
}

#[test]
fn a_runner_that_was_started_with_signals_ignored_still_obeys_them() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
        // `sh` without job control does this to whatever it starts in the background.
        let runner =
            scene
                .runner()
                .under(["/bin/sh", "-c", "trap '' INT TERM HUP; exec \"$@\"", "sh"]);
        let run = interrupt(&scene, runner, signal);
        run.assert_code(code);
        assert_eq!(scene.fake.signals("run").len(), 1);
    }
}
