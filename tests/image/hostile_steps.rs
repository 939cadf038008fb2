//! A hostile step in the container: the runner's user, as few rights as there are, nothing to write
//! to but `/tmp`. It reaches nothing of the runner, and leaves nothing.

use tempfile::TempDir;

use crate::container::{Container, writable};
use crate::engine::needs_engine;
use crate::support::attacks::{
    COUNT_MARKED, MARK, NO_FILES, REACH, RUNNER, SWAP_FILES, TAKE_SLOTS, multiply, survivors,
};
use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, with_login};
use crate::support::repo;

/// The image's user without any right of root, and a fake dbt that does as it is told.
fn container(fake: &Fake) -> Container {
    writable(fake.path());
    Container::new()
        .with(with_login)
        .flags(["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"])
        .flags(["--security-opt", "no-new-privileges"])
        .mount(fake.path(), "/fake/run")
        .mount_read_only(&repo::fake_dbt(), "/fake/dbt")
        .env("FAKE_DBT_DIR", "/fake/run")
        .env("DBT_ENTRYPOINT_DBT", "/fake/dbt")
}

fn publishing(container: Container, folder: &TempDir) -> Container {
    container
        .mount(writable(folder.path()), "/docs")
        .env("DBT_ENTRYPOINT_DESTINATION", "file:///docs")
}

#[test]
fn neither_the_runner_nor_pid_1_can_be_read_or_written() {
    needs_engine!();
    let script =
        format!("{RUNNER}[ $runner != 1 ] || echo one >> reached; {REACH}runner=1; {REACH}");
    let fake = Fake::one().on("run", "bash", format!("{script}exit 0"));
    let run = container(&fake).args(["run", "--steps", "run"]).run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    let reached = std::fs::read_to_string(fake.path().join("reached"));
    assert!(reached.is_err(), "{}\n{run}", reached.unwrap());
    assert!(!run.out().contains("forged"), "{run}");
    // The script did look: a step is an ordinary process, which can read itself.
    let own = std::fs::read(fake.path().join("own")).unwrap();
    assert!(
        own.windows(PASSWORD.len())
            .any(|part| part == PASSWORD.as_bytes())
    );
}

#[test]
fn no_process_of_a_step_lives_when_the_next_one_begins_or_when_the_run_ends() {
    needs_engine!();
    for (what, script) in survivors() {
        let fake = Fake::one().on("run", "bash", format!("{MARK}{script}")).on(
            "test",
            "bash",
            COUNT_MARKED,
        );
        let run = container(&fake).args(["run", "--steps", "run,test"]).run();
        run.assert_code(0).assert_nothing_left();
        let alive = std::fs::read_to_string(fake.path().join("alive")).unwrap();
        assert_eq!(alive.trim(), "0", "{what}: {run}");
        assert!(fake.path().join("left").exists(), "{what}");
        assert!(run.err().contains("left behind"), "{what}: {run}");
    }
}

#[test]
fn a_daemon_that_swaps_files_publishes_nothing() {
    needs_engine!();
    let fake = Fake::one().on("run", "bash", SWAP_FILES);
    let folder = TempDir::new().unwrap();
    let container = publishing(container(&fake), &folder);
    let run = container.args(["run", "--steps", "run"]).run();
    run.assert_nothing_left();
    // It may have been ended between the two, with the password in the file.
    assert!(matches!(run.code, Some(0 | 74)), "{run}");
    let published = std::fs::read_to_string(folder.path().join("a.json"));
    assert!(
        published.is_err() || !published.unwrap().contains(PASSWORD),
        "{run}"
    );
}

#[test]
fn what_is_no_file_holds_nothing_up() {
    needs_engine!();
    let fake = Fake::one().on("run", "bash", NO_FILES);
    let folder = TempDir::new().unwrap();
    let container = publishing(container(&fake), &folder);
    let arguments = [
        "run",
        "--steps",
        "run",
        "--deadline",
        "60s",
        "--parse-cache",
        "on",
    ];
    let run = container.args(arguments).run();
    run.assert_code(0).assert_nothing_left();
    assert_eq!(run.closing()["published"], 1, "{run}");
    assert!(folder.path().join("manifest.json").exists());
}

#[test]
fn a_step_that_takes_all_process_slots_ends_with_its_own_code() {
    needs_engine!();
    let fake = Fake::one().on("run", "bash", TAKE_SLOTS);
    let container = container(&fake).flags(["--pids-limit", "60"]);
    let run = container.args(["run", "--steps", "run"]).run();
    run.assert_code(3).assert_nothing_left();
    assert_eq!(run.closing()["status"], "failed", "{run}");
}

#[test]
fn processes_that_multiply_are_gone_when_the_next_step_begins() {
    needs_engine!();
    for in_sessions in [false, true] {
        let script = format!("{MARK}{}", multiply(in_sessions));
        let fake = Fake::one()
            .on("run", "bash", script)
            .on("test", "bash", COUNT_MARKED);
        let container = container(&fake).flags(["--pids-limit", "60"]);
        let run = container.args(["run", "--steps", "run,test"]).run();
        run.assert_code(0).assert_nothing_left();
        let alive = std::fs::read_to_string(fake.path().join("alive")).unwrap();
        assert_eq!(alive.trim(), "0", "in sessions: {in_sessions}: {run}");
        assert!(run.err().contains("left behind"), "{run}");
    }
}
