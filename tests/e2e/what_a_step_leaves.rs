//! What a hostile step leaves behind: processes in its group, outside of it and in flight, and
//! files that are no files. Nothing of it survives the step, and nothing of it is published.

use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::attacks::{
    COUNT_MARKED, MARK, NO_FILES, NOTE, SWAP_FILES, TAKE_SLOTS, survivors,
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

/// As on a host where a limit on processes holds for this user.
#[test]
fn a_step_that_takes_all_process_slots_ends_with_its_own_code() {
    let fake = Fake::new().on("run", "bash", TAKE_SLOTS);
    let scene = Scene::new(fake);
    let destination = TempDir::new().unwrap();
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
    };
    for path in [scene.project.path(), scene.fake.path(), destination.path()] {
        open(path);
    }
    let slots = [
        "/usr/bin/prlimit",
        "--nproc=60",
        "/usr/bin/setpriv",
        "--reuid=54322",
        "--regid=54322",
        "--clear-groups",
        "--",
    ];
    let run = scene
        .publishing_runner(destination.path())
        .args(["--steps", "run", "--publish", "always"])
        .under(slots)
        .run();
    run.assert_nothing_left();
    run.assert_code(3);
    assert_eq!(run.closing()["status"], "failed", "{run}");
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
    assert_eq!(left.count(), 1, "the copy has no name");
}
