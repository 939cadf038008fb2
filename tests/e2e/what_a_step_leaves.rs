//! What a hostile step leaves behind: processes in its group, outside of it and in flight, and
//! files that are no files. Nothing of it survives the step, and nothing of it is published.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::attacks::{
    COUNT_MARKED, MARK, NO_FILES, NOTE, SWAP_FILES, TAKE_SLOTS, multiply, survivors,
};
use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, Scene};

#[test]
fn no_process_of_a_step_lives_when_the_next_one_begins_or_when_the_run_ends() {
    for (what, script) in survivors() {
        let fake = Fake::new().on("run", "bash", format!("{MARK}{script}")).on(
            "test",
            "bash",
            COUNT_MARKED,
        );
        let scene = Scene::new(fake);
        let run = scene.runner().args(["--steps", "run,test"]).run();
        run.assert_code(0).assert_nothing_left();
        let alive = std::fs::read_to_string(scene.fake.path().join("alive")).unwrap();
        assert_eq!(alive.trim(), "0", "{what}: {run}");
        assert!(scene.fake.path().join("left").exists(), "{what}");
        assert!(run.err().contains("left behind"), "{what}: {run}");
    }
}

#[test]
fn the_search_for_survivors_finds_one_that_lives() {
    let script = format!("{MARK}setsid sleep 60 >/dev/null & sleep 0.2; {COUNT_MARKED}");
    let scene = Scene::new(Fake::new().on("run", "bash", script));
    scene
        .runner()
        .args(["--steps", "run"])
        .run()
        .assert_code(0)
        .assert_nothing_left();
    let alive = std::fs::read_to_string(scene.fake.path().join("alive")).unwrap();
    assert_ne!(alive.trim(), "0");
}

#[test]
fn a_survivor_of_a_cancelled_step_ends_with_the_run() {
    let script = format!("setsid bash -c 'trap \"\" INT TERM; sleep 60' >/dev/null 2>&1 & {NOTE}");
    let fake = Fake::new()
        .on("run", "bash", script)
        .on("run", "until-sigint", "1 0");
    let scene = Scene::new(fake);
    let mut running = scene.runner().args(["--steps", "run"]).spawn();
    running.until("the step", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143).assert_nothing_left();
    assert!(run.elapsed < Duration::from_secs(20), "{run}");
}

#[test]
fn what_ends_by_itself_with_its_step_is_not_told() {
    let scene = Scene::new(Fake::new().on("run", "bash", "setsid sleep 0.02 >/dev/null 2>&1 & "));
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(0);
    assert!(!run.err().contains("left behind"), "{run}");
}

#[test]
fn a_daemon_that_swaps_files_while_they_are_published_is_gone_by_then() {
    for _ in 0..3 {
        let scene = Scene::new(Fake::new().on("run", "bash", SWAP_FILES));
        let destination = TempDir::new().unwrap();
        let run = scene
            .publishing_runner(destination.path())
            .args(["--steps", "run"])
            .run();
        run.assert_nothing_left();
        // It may have been ended between the two, with the password in the file.
        assert!(matches!(run.code, Some(0 | 74)), "{run}");
        let published = std::fs::read_to_string(destination.path().join("a.json"));
        assert!(
            published.is_err() || !published.unwrap().contains(PASSWORD),
            "{run}"
        );
    }
}

#[test]
fn a_fifo_a_socket_and_a_link_in_the_target_directory_hold_nothing_up() {
    let scene = Scene::new(Fake::new().on("run", "bash", NO_FILES));
    let destination = TempDir::new().unwrap();
    let run = scene
        .publishing_runner(destination.path())
        .args(["--steps", "run", "--deadline", "60s", "--parse-cache", "on"])
        .run();
    run.assert_code(0).assert_nothing_left();
    assert_eq!(run.closing()["published"], 1, "{run}");
    assert!(destination.path().join("manifest.json").exists());
}

/// A user of his own, with a limit on his processes; as on a host.
const LIMITED: [&str; 6] = [
    "/usr/bin/prlimit",
    "--nproc=60",
    "/usr/bin/setpriv",
    "--reuid=54322",
    "--regid=54322",
    "--clear-groups",
];
/// The same, and the runner is PID 1; as in a container.
const AS_PID_1: [&str; 5] = [
    "/usr/bin/unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
];

/// Lets that user write wherever the scene wants it.
fn open_to_all(paths: &[&Path]) {
    for path in paths {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(path, mode).unwrap();
    }
}

#[test]
fn a_step_that_takes_all_process_slots_ends_with_its_own_code() {
    let fake = Fake::new().on("run", "bash", TAKE_SLOTS);
    let scene = Scene::new(fake);
    let destination = TempDir::new().unwrap();
    open_to_all(&[scene.project.path(), scene.fake.path(), destination.path()]);
    let run = scene
        .publishing_runner(destination.path())
        .args(["--steps", "run", "--publish", "always"])
        .under(LIMITED)
        .run();
    run.assert_nothing_left();
    run.assert_code(3);
    assert_eq!(run.closing()["status"], "failed", "{run}");
}

/// By a signal to all of them at once: one after the other they would never come to an end.
#[test]
fn processes_that_multiply_are_gone_when_the_next_step_begins() {
    let as_pid_1 = [&LIMITED[..], &AS_PID_1, &["--mount-proc"]].concat();
    for (in_sessions, under) in [(false, LIMITED.to_vec()), (true, as_pid_1)] {
        let script = format!("{MARK}{}", multiply(in_sessions));
        let fake = Fake::new()
            .on("run", "bash", script)
            .on("test", "bash", COUNT_MARKED);
        let scene = Scene::new(fake);
        open_to_all(&[scene.project.path(), scene.fake.path()]);
        let run = scene
            .runner()
            .args(["--steps", "run,test"])
            .under(under)
            .run();
        run.assert_code(0).assert_nothing_left();
        let alive = std::fs::read_to_string(scene.fake.path().join("alive")).unwrap();
        assert_eq!(alive.trim(), "0", "in sessions: {in_sessions}: {run}");
        assert!(run.err().contains("left behind"), "{run}");
    }
}

/// Slots that somebody else has taken before the run begins.
#[test]
fn a_run_that_gets_no_thread_at_all_is_a_fault_of_the_runner_with_a_closing_line() {
    let scene = Scene::healthy();
    open_to_all(&[scene.project.path(), scene.fake.path()]);
    let mut under = LIMITED;
    under[1] = "--nproc=1";
    let run = scene.runner().under(under).run();
    run.assert_code(70);
    assert_eq!(run.closing()["status"], "error", "{run}");
}

/// Of 200 MB the runner needs states and names, and a private copy that takes no memory.
#[test]
fn results_of_200_mb_are_counted_and_kept_in_little_memory() {
    let script = "exec python3 - \"$1\" <<'E'\n\
        import json, sys\n\
        node = {'unique_id': 'model.shop.a', 'status': 'success', 'message': 'm' * 20_000, \
        'compiled_code': 'x' * 80_000}\n\
        with open(sys.argv[1] + '/run_results.json', 'w') as file:\n\
        \x20   file.write('{\"results\": [' + json.dumps(node))\n\
        \x20   for _ in range(1999): file.write(',' + json.dumps(node))\n\
        \x20   file.write(']}')\n\
        E\n";
    let fake = Fake::new()
        .on("run", "bash", script)
        .on("debug", "until-sigint", "1 0");
    let scene = Scene::new(fake);
    let destination = TempDir::new().unwrap();
    let mut running = scene
        .publishing_runner(destination.path())
        .args(["--steps", "run,debug"])
        .spawn();
    running.until("the next step", |_| scene.fake.is_ready("debug"));
    let peak = crate::support::processes::peak_memory(running.pid());
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143).assert_nothing_left();
    assert_eq!(run.step("run")["nodes"]["success"], 2000, "{run}");
    assert!(peak < 80_000, "{peak} KiB");
    let id = crate::support::deployment::run_id(&run);
    let kept = destination
        .path()
        .join(format!("runs/{id}/01-run/run_results.json"));
    assert!(kept.metadata().unwrap().len() > 200_000_000, "{run}");
    let left = std::fs::read_dir(scene.project.path().join("target")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left = left.filter(|name| name != "run.html");
    assert_eq!(left.count(), 1, "the copy has no name");
}

/// A file of a terabyte takes no room on the disk, and an hour to read.
#[test]
fn a_file_without_end_holds_up_no_request_to_stop() {
    for name in ["manifest.json", "run_results.json", "partial_parse.msgpack"] {
        let script = format!("echo '{{}}' > \"$1/graph.json\"; truncate -s 1T \"$1/{name}\"");
        let fake = Fake::new()
            .on("run", "bash", script)
            .on("debug", "until-sigint", "1 0");
        let scene = Scene::new(fake);
        let destination = TempDir::new().unwrap();
        // Results are read at once, and everything else when it is published.
        let steps = if name == "run_results.json" {
            "run,debug"
        } else {
            "run"
        };
        let mut running = scene
            .publishing_runner(destination.path())
            .args(["--steps", steps, "--stop-timeout", "6s", "-v"])
            .args(["--parse-cache", "on", "--publish", "always"])
            .spawn();
        running.until("the end of the step", |running| {
            running.stderr().contains("step run: success")
        });
        let sent = std::time::Instant::now();
        running.signal(Signal::SIGTERM);
        let run = running.wait();
        assert!(sent.elapsed() < Duration::from_secs(9), "{name}: {run}");
        run.assert_nothing_left();
        assert!(matches!(run.code, Some(143 | 74 | 0)), "{name}: {run}");
        run.closing();
    }
}

/// What the runner itself reads of the project after a step.
#[test]
fn a_fifo_in_the_place_of_a_file_that_is_read_after_a_step_holds_nothing_up() {
    for name in [
        "package-lock.yml",
        "packages.yml",
        "dbt_packages/.dbt-entrypoint.json",
    ] {
        let script = format!("mkdir -p dbt_packages; rm -f {name}; mkfifo {name}");
        let fake = Fake::new()
            .on("run", "bash", &script)
            .on("deps", "bash", script);
        let scene = Scene::new(fake);
        scene.project.write("packages.yml", "packages: []\n");
        let run = scene
            .runner()
            .args(["--steps", "run,deps", "--deadline", "30s"])
            .run();
        assert_eq!(run.closing()["status"], "success", "{name}: {run}");
    }
}
