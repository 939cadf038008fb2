//! What the program was handed by whoever started it, and who listens to it: pipes that nobody
//! reads, or nobody closes, files that can be read only once, dispositions of signals, a PID 1 that
//! does not reap.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::fake::Fake;
use crate::support::project::Scene;
use crate::support::runner::Runner;

/// `exec -- sh -c SCRIPT`, without credentials.
fn shell(scene: &Scene, script: &str) -> Runner {
    scene.runner().args([
        "exec",
        "--credentials",
        "none",
        "--",
        "/bin/bash",
        "-c",
        script,
    ])
}

#[test]
fn a_grandchild_that_goes_on_talking_does_not_hang_the_end() {
    let scene = Scene::healthy();
    let run = shell(
        &scene,
        "(for i in $(seq 1 100); do echo tick; sleep 0.2; done) & echo done",
    )
    .run();
    run.assert_code(0);
    assert!(run.out().contains("done"), "{run}");
    assert!(run.elapsed < Duration::from_secs(10), "{run}");
}

#[test]
fn a_program_hears_that_nobody_reads_its_output_any_more() {
    let scene = Scene::healthy();
    let script = "\"$@\" | head -n 1; exit ${PIPESTATUS[0]}";
    let run = shell(&scene, "exec yes")
        .under(["/bin/bash", "-c", script, "bash"])
        .run();
    run.assert_code(128 + Signal::SIGPIPE as i32);
    assert_eq!(run.out(), "y\n");
}

#[test]
fn a_reader_of_stderr_that_has_stopped_reading_does_not_keep_a_signal_from_working() {
    let fake = Fake::new()
        .on("run", "ready", "")
        .on("run", "stderr", vec![b'x'; 3 << 20]);
    let scene = Scene::new(fake);
    let deaf = [
        "/bin/bash",
        "-c",
        "exec \"$@\" 2> >(exec sleep 30 >/dev/null)",
        "bash",
    ];
    let mut running = scene
        .runner()
        .args(["--steps", "run", "--stop-timeout", "10s"])
        .under(deaf)
        .spawn();
    running.until("the step", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert_eq!(run.closing()["status"], "cancelled");
    assert!(run.elapsed < Duration::from_secs(20), "{run}");
}

#[test]
fn settings_may_come_through_a_pipe_that_can_be_read_once() {
    let scene = Scene::healthy();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"MY_VARIABLE=from the pipe\n").unwrap();
    drop(writer);
    let runner = scene.runner().args([
        "exec",
        "--credentials",
        "none",
        "--env-file",
        "/dev/stdin",
        "--",
        "printenv",
        "MY_VARIABLE",
    ]);
    let run = runner.stdin(reader).run();
    run.assert_code(0);
    assert_eq!(run.out(), "from the pipe\n");
}

#[test]
fn an_ignored_sigchld_does_not_lose_the_exit_code() {
    let scene = Scene::healthy();
    let python = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
        os.execv(sys.argv[1], sys.argv[1:])";
    let run = shell(&scene, "exit 5")
        .under(["/usr/bin/env", "python3", "-c", python])
        .run();
    run.assert_code(5);
}

#[test]
fn signals_that_only_a_program_understands_reach_it() {
    for (signal, name) in [
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGWINCH, "WINCH"),
    ] {
        let scene = Scene::healthy();
        let mut running = shell(
            &scene,
            &format!("trap 'exit 9' {name}; echo ready; while :; do sleep 0.05; done"),
        )
        .spawn();
        running.until("the program", |running| running.stdout().contains("ready"));
        running.signal(signal);
        running.wait().assert_code(9);
    }
}

#[test]
fn a_zombie_that_nobody_reaps_is_no_process_to_wait_for() {
    let scene = Scene::healthy();
    let ready = scene.project.path().join("ready");
    // A worker that ends a second after its SIGINT, when its parent is gone: PID 1 inherits it.
    let worker = "import signal, time\n\
                  def end(*_): time.sleep(1); raise SystemExit\n\
                  signal.signal(signal.SIGINT, end)\n\
                  time.sleep(50)";
    scene.project.write("worker.py", worker);
    let path = scene.project.path().join("worker.py");
    let script = format!(
        "python3 {} & sleep 1; touch {}; sleep 50",
        path.display(),
        ready.display()
    );
    let run = shell(&scene, &script)
        .under(pid_1_without_reaping(&ready))
        .run();
    run.assert_code(143);
    assert!(run.elapsed < Duration::from_secs(12), "{run}");
}

/// A PID 1 that starts the runner, sends it a SIGTERM once the file is there, and waits for nobody
/// else.
fn pid_1_without_reaping(ready: &Path) -> Vec<String> {
    let init = format!(
        "import os, signal, subprocess, sys, time\n\
         runner = subprocess.Popen(sys.argv[1:])\n\
         while not os.path.exists({:?}): time.sleep(0.02)\n\
         runner.send_signal(signal.SIGTERM)\n\
         sys.exit(runner.wait())",
        ready.to_str().unwrap()
    );
    let words = [
        "/usr/bin/unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
        "python3",
        "-c",
        &init,
    ];
    words.map(str::to_owned).to_vec()
}

#[test]
fn a_line_end_in_an_aws_variable_is_named() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE\n")
        .env("AWS_SECRET_ACCESS_KEY", "secret-with-line-end\r")
        .args(["--credentials", "glue:x"])
        .run();
    run.assert_code(64).assert_err_has(&[
        "variable AWS_ACCESS_KEY_ID: holds a control character",
        "variable AWS_SECRET_ACCESS_KEY",
    ]);
    assert_eq!(run.closing()["exit_code"], 64);
}

#[test]
fn a_working_directory_that_is_gone_still_ends_with_the_closing_line() {
    let scene = Scene::healthy();
    let gone = [
        "/bin/sh",
        "-c",
        "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"",
        "sh",
    ];
    let run = scene.runner().under(gone).run();
    run.assert_code(70)
        .assert_err_has(&["cannot find the working directory"]);
    assert_eq!(run.closing()["status"], "error");
}

#[test]
fn what_writes_nothing_needs_no_place_to_write_to() {
    let scene = Scene::healthy();
    std::fs::set_permissions(
        scene.project.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let wrapper = [
        "/usr/bin/setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        "--",
    ];
    for command in [&["env"][..], &["exec", "--", "true"]] {
        let runner = scene
            .runner()
            .env("TMPDIR", "/nonexistent")
            .env("HOME", "/")
            .args(command);
        runner.under(wrapper).run().assert_code(0);
    }
}
