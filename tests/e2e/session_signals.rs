//! Signals, timeouts and the deadline while dbt is imported, while the project is parsed, and while
//! a step runs, with the real dbt.

use nix::sys::signal::Signal;

use crate::support::fake::Fake;
use crate::support::installation::{becomes, install};
use crate::support::processes;
use crate::support::project::{Project, Scene, with_real_dbt};
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::Runner;

const DUCKDB: &str =
    "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, threads: 1}\n";

/// Parsing it takes as long as ten thousand million rounds of a loop.
fn endless() -> Project {
    let project = Project::new(DUCKDB);
    let forever = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}";
    project.write("models/endless.sql", format!("{forever}\nselect 1 as id\n"));
    project
}

fn runner(project: &Project) -> Runner {
    with_real_dbt(Runner::new(project.path())).args([
        "--engine",
        "session",
        "--credentials",
        "none",
    ])
}

#[track_caller]
fn assert_ended(run: &Finished, code: i32, status: &str, step: &str) {
    run.assert_code(code).assert_nothing_left();
    assert_eq!(run.closing()["status"], status, "{run}");
    assert_eq!(run.step(step)["status"], status, "{run}");
}

#[test]
fn sigterm_while_dbt_is_imported_ends_the_run_at_once() {
    let project = endless();
    let mut running = runner(&project).args(["--steps", "debug,run"]).spawn();
    running.until("the host and the first step", |running| {
        processes::host(running.pid(), running.marker()).is_some()
            && running.stderr().contains("step debug:")
    });
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    assert_ended(&run, 143, "cancelled", "debug");
    assert!(
        !run.err().contains("engine: session"),
        "the import was over too soon to be interrupted: {run}"
    );
}

#[test]
fn a_signal_while_the_project_is_parsed_ends_the_run_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let project = endless();
        let mut running = runner(&project).args(["--steps", "debug,run"]).spawn();
        running.until("the step that parses", |running| {
            running.stderr().contains("step run:")
        });
        running.signal(signal);
        let run = running.wait();
        assert_ended(&run, code, "cancelled", "run");
        run.assert_err_has(&["engine: session, since"]);
        assert_eq!(run.step("debug")["status"], "success");
    }
}

#[test]
fn a_step_that_is_parsed_for_too_long_is_timed_out_and_the_next_one_runs() {
    let project = endless();
    let yaml = "steps:\n  - debug\n  - {name: run, command: [run], timeout: 3s, on_failure: \
        continue}\n  - {name: after, command: [debug]}\n";
    project.write("dbt-entrypoint.yml", yaml);
    let run = runner(&project).run();
    run.assert_code(124).assert_nothing_left();
    let steps: Vec<_> = run.steps().into_iter().map(|(_, status)| status).collect();
    assert_eq!(steps, ["success", "timed_out", "success"], "{run}");
}

#[test]
fn the_deadline_holds_while_the_project_is_parsed() {
    let project = endless();
    // Import and all: whatever of it has passed, it ends the run, which by itself never would.
    let run = runner(&project)
        .args(["--steps", "run", "--deadline", "12s"])
        .run();
    assert_ended(&run, 124, "timed_out", "run");
}

#[test]
fn a_step_of_the_session_gets_one_sigint_and_the_host_none() {
    let fake = Fake::new().on("run", "until-sigint", "2 2500");
    // The host would write this file if it ever saw the signal.
    let fault = "import os, signal, sys\n\
                 seen = os.environ.get('FAKE_DBT_DIR', '') + '/host-signal'\n\
                 if sys.argv[0] == '-c':\n    signal.signal(signal.SIGINT, lambda *_: open(seen, \
                 'w').close())\n";
    let main = format!("{fault}\n{}", becomes(&repo::fake_dbt()));
    let dbt = install(&fake.path().join("importable"), &[("cli/main.py", &main)]);
    let scene = Scene::new(fake.by(dbt));
    let mut running = scene.runner().args(["--engine", "session"]).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    assert_ended(&run, 143, "cancelled", "run");
    assert_eq!(scene.fake.signals("run").len(), 1);
    assert!(!scene.fake.path().join("host-signal").exists());
}
