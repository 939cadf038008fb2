//! A dbt that cannot be imported: the run ends as it would without a session, and one line says
//! what happened.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fake::Fake;
use crate::support::faulty::{ALL, assert_process, faulty, with_modules};
use crate::support::installation::becomes;
use crate::support::processes;
use crate::support::repo;

/// It never comes to an end.
const HANGS: &str = "import os, time\nopen(os.environ['FAKE_DBT_DIR'] + '/ready-import', \
    'w').close()\ntime.sleep(60)";

#[test]
fn a_dbt_that_cannot_be_imported_is_run_as_it_is() {
    for (fault, why) in [
        (
            "raise ImportError('there is no agate')",
            "dbt cannot be imported (ImportError: there is no agate)",
        ),
        ("sys.exit(3)", "dbt cannot be imported (SystemExit: 3)"),
        (
            "raise KeyboardInterrupt",
            "dbt cannot be imported (KeyboardInterrupt",
        ),
        ("import os; os._exit(3)", "its host ended (exit status: 3)"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "its host ended (signal: 9",
        ),
        ("import os; os.close(0); os.closerange(3, 100)", "its host "),
        (
            "import os, time; os.close(0); os.closerange(3, 100); time.sleep(3600)",
            "its host has hung up",
        ),
    ] {
        let scene = faulty(Fake::new(), fault);
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, "WARN", why);
    }
}

#[test]
fn a_dbt_that_nobody_can_import_fails_as_it_does_by_itself() {
    let ended = ["process", "auto"].map(|engine| {
        let scene = with_modules(
            Fake::new(),
            &[("cli/main.py", "raise ImportError('there is no agate')\n")],
        );
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_code(1)
            .assert_err_has(&["ImportError: there is no agate"])
            .assert_nothing_left();
        run.steps()
    });
    assert_eq!(ended[0], ended[1]);
    assert_eq!(ended[0][0], ("deps".to_owned(), "failed".to_owned()));
}

#[test]
fn a_dbt_that_is_too_old_is_run_as_it_is() {
    for (version, level, why) in [
        ("'1.4.9'", "INFO", "dbt-core 1.4.9 is older than 1.5"),
        ("'unknown'", "WARN", "dbt cannot be imported"),
        ("None", "WARN", "dbt cannot be imported"),
    ] {
        let main = becomes(&repo::fake_dbt());
        let scene = with_modules(
            Fake::new(),
            &[
                ("cli/main.py", &main),
                ("version.py", &format!("__version__ = {version}\n")),
            ],
        );
        let run = scene.runner().args(["--engine", "auto"]).run();
        assert_process(&scene, &run, level, why);
    }
}

#[test]
fn of_a_dbt_newer_than_tested_the_session_uses_the_command_alone() {
    let main = becomes(&repo::fake_dbt());
    let scene = with_modules(
        Fake::new(),
        &[
            ("cli/main.py", &main),
            ("version.py", "__version__ = '1.99.0'\n"),
        ],
    );
    let run = scene.runner().args(["--engine", "auto"]).run();
    run.assert_code(0).assert_nothing_left();
    assert_eq!(scene.fake.steps(), ALL, "{run}");
    let err = run.err();
    let warning = err
        .lines()
        .find(|line| line.contains("engine: session without"));
    let words = "session without shortcuts, since dbt-core 1.99.0 is newer than 1.13";
    assert!(
        warning.is_some_and(|line| line.contains("WARN") && line.contains(words)),
        "{run}"
    );
    assert_eq!(run.closing()["dbt"]["engine"], "session");
}

#[test]
fn a_host_that_is_killed_while_it_imports_is_not_missed() {
    let scene = faulty(Fake::new(), HANGS);
    let mut running = scene.runner().args(["--engine", "auto"]).spawn();
    running.until("the import", |_| scene.fake.is_ready("import"));
    kill(
        Pid::from_raw(processes::host(running.pid(), running.marker()).expect("a host")),
        Signal::SIGKILL,
    )
    .unwrap();
    assert_process(&scene, &running.wait(), "WARN", "its host ended (signal: 9");
}

#[test]
fn a_host_that_hangs_is_ended_by_the_deadline() {
    let scene = faulty(Fake::new(), HANGS);
    let run = scene
        .runner()
        .args(["--engine", "auto", "--deadline", "3s"])
        .run();
    run.assert_code(124).assert_nothing_left();
    assert_eq!(run.closing()["status"], "timed_out");
    assert!(
        scene.fake.is_ready("import"),
        "the deadline came before the import: {run}"
    );
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn a_host_that_hangs_is_ended_by_a_signal() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        let scene = faulty(Fake::new(), HANGS);
        let mut running = scene.runner().args(["--engine", "auto"]).spawn();
        running.until("the import and the first step", |running| {
            scene.fake.is_ready("import") && running.stderr().contains("step deps:")
        });
        running.signal(signal);
        let run = running.wait();
        run.assert_code(code).assert_nothing_left();
        assert_eq!(
            (
                run.closing()["status"].as_str(),
                run.step("deps")["status"].as_str()
            ),
            (Some("cancelled"), Some("cancelled")),
            "{run}"
        );
        assert!(scene.fake.steps().is_empty());
    }
}

#[test]
fn a_host_that_hangs_costs_the_step_its_timeout_and_no_more() {
    let ended = [("process", ""), ("auto", HANGS)].map(|(engine, fault)| {
        let fake = if engine == "process" {
            Fake::new().on("deps", "until-sigint", "2")
        } else {
            Fake::new()
        };
        let scene = faulty(fake, if fault.is_empty() { "pass" } else { fault });
        let yaml = "steps:\n  - {name: deps, command: [deps], on_failure: continue, timeout: \
            2s}\n  - debug\n  - run\n";
        scene.project.write("dbt-entrypoint.yml", yaml);
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_nothing_left();
        (run.code, run.steps())
    });
    assert_eq!(ended[0], ended[1]);
    assert_eq!(ended[1].0, Some(124));
}
