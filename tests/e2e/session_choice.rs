//! Which engine starts the steps, and that the log says so in one line, with the reason.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::fake::Fake;
use crate::support::installation::{COMMAND, VERSION, becomes, install};
use crate::support::project::Scene;
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::Runner;

/// A fake that can be imported, whatever the engine of the suite is.
fn importable() -> Scene {
    let fake = Fake::new();
    let dbt = install(
        &fake.path().join("importable"),
        &[("cli/main.py", &becomes(&repo::fake_dbt()))],
    );
    Scene::new(fake.by(dbt))
}

fn script(scene: &Scene, text: &str) -> PathBuf {
    let path = scene.fake.path().join("dbt");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The one line of the log about the engine.
#[track_caller]
fn line(run: &Finished) -> String {
    let err = run.err();
    let lines: Vec<_> = err
        .lines()
        // A fake has nothing of dbt's inside.
        .filter(|line| line.contains("engine: ") && !line.contains("engine: session without"))
        .collect();
    assert_eq!(lines.len(), 1, "{run}");
    lines[0].to_owned()
}

/// Whether all steps had the same parent, which was not the runner.
fn forked_by_one(scene: &Scene, runner: i64) -> bool {
    let parents: Vec<_> = scene
        .fake
        .calls()
        .iter()
        .map(|call| call["process"]["ppid"].as_i64().unwrap())
        .collect();
    assert!(
        parents.iter().all(|parent| *parent == parents[0]),
        "{parents:?}"
    );
    parents[0] != runner
}

fn run(scene: &Scene, runner: Runner) -> (Finished, bool) {
    let running = runner.spawn();
    let pid = running.pid();
    let run = running.wait();
    run.assert_code(0).assert_nothing_left();
    assert_eq!(
        scene.fake.steps(),
        ["deps", "debug", "run", "test", "source", "docs"]
    );
    let forked = forked_by_one(scene, pid.into());
    (run, forked)
}

#[test]
fn auto_is_the_default_and_takes_the_session_where_dbt_can_be_imported() {
    for choice in [None, Some("auto"), Some("session")] {
        let scene = importable();
        let runner = match choice {
            Some(choice) => scene.runner().args(["--engine", choice]),
            None => scene.runner().env_remove("DBT_ENTRYPOINT_ENGINE"),
        };
        let (run, forked) = run(&scene, runner);
        assert!(forked, "{choice:?}: {run}");
        let line = line(&run);
        assert!(
            line.contains("engine: session, since")
                && line.contains(VERSION)
                && line.contains("INFO"),
            "{line}"
        );
    }
}

#[test]
fn process_is_taken_at_its_word() {
    let scene = importable();
    let (run, forked) = run(&scene, scene.runner().args(["--engine", "process"]));
    assert!(!forked, "{run}");
    let line = line(&run);
    assert!(
        line.contains("engine: process, since the settings ask for it") && line.contains("INFO"),
        "{line}"
    );
}

#[test]
fn a_dbt_that_is_more_than_dbt_cores_own_script_is_run_as_it_is() {
    let python = "/usr/bin/env python3";
    let scene = importable();
    let real = script(&scene, "").with_file_name("importable/bin/dbt");
    let native = repo::fake_dbt();
    let texts = [
        None,
        Some(format!("#!/bin/sh\nexec '{}' \"$@\"\n", real.display())),
        Some(format!(
            "#!{python}\nimport os, sys\nos.environ['TEAM'] = 'x'\nos.execv({:?}, ['dbt', \
                *sys.argv[1:]])\n",
            native.display()
        )),
        Some(format!(
            "#!{}\nimport os\nos.environ['TEAM'] = 'x'\n{COMMAND}",
            real.with_file_name("python3").display()
        )),
    ];
    for text in texts {
        let scene = Scene::healthy();
        let dbt = text.map_or_else(repo::fake_dbt, |text| script(&scene, &text));
        for (engine, level, words) in [
            ("auto", "INFO", "engine: process, since"),
            (
                "session",
                "WARN",
                "engine: process instead of session, since",
            ),
        ] {
            let fresh = Scene::healthy();
            let run = fresh
                .runner()
                .env("DBT_ENTRYPOINT_DBT", &dbt)
                .args(["--engine", engine])
                .run();
            run.assert_code(0).assert_nothing_left();
            assert_eq!(fresh.fake.steps().len(), 6, "{run}");
            let line = line(&run);
            let reason = format!(
                "{words} {} is not the script that comes with dbt-core",
                dbt.display()
            );
            assert!(line.contains(&reason) && line.contains(level), "{line}");
        }
    }
}

#[test]
fn a_dbt_that_is_not_there_ends_the_run_as_ever() {
    for engine in ["process", "auto", "session"] {
        let scene = importable();
        let run = scene
            .runner()
            .env("DBT_ENTRYPOINT_DBT", "/nowhere/dbt")
            .args(["--engine", engine])
            .run();
        run.assert_code(127)
            .assert_err_has(&["/nowhere/dbt was not found"])
            .assert_nothing_left();
    }
}

#[test]
fn a_dbt_whose_interpreter_is_gone_ends_the_run_as_ever() {
    let ended = ["process", "auto", "session"].map(|engine| {
        let scene = importable();
        fs::remove_file(scene.fake.path().join("importable/bin/python3")).unwrap();
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_nothing_left();
        (run.code, run.steps())
    });
    assert_eq!(ended[0].0, Some(126), "{ended:?}");
    assert!(ended.iter().all(|end| *end == ended[0]), "{ended:?}");
}

#[test]
fn with_json_logs_the_line_about_the_engine_is_json_too() {
    let scene = importable();
    let run = scene
        .runner()
        .args(["--engine", "auto", "--log-format", "json"])
        .run();
    run.assert_code(0);
    let value: serde_json::Value = serde_json::from_str(&line(&run)).unwrap();
    assert!(value.to_string().contains(VERSION), "{value}");
}

#[test]
fn one_program_needs_no_session() {
    let scene = importable();
    let runner = scene
        .runner()
        .env("DBT_ENTRYPOINT_ENGINE", "session")
        .args(["dbt", "run"]);
    let running = runner.spawn();
    let pid = running.pid();
    let run = running.wait();
    run.assert_code(0);
    assert!(!run.err().contains("engine: "), "{run}");
    assert!(!forked_by_one(&scene, pid.into()));
}

#[test]
fn a_step_inherits_nothing_that_is_the_sessions_own() {
    // The socket, pipes and captured output of the host are none of a step's business, and would
    // keep pipes open that should close.
    let descriptors = ["process", "session"].map(|engine| {
        let fake = Fake::new();
        let lists = "import os\n\n\ndef cli():\n    os.execv('/bin/ls', ['ls', '/proc/self/fd'])\n";
        let dbt = install(&fake.path().join("importable"), &[("cli/main.py", lists)]);
        let scene = Scene::new(fake.by(dbt));
        let run = scene
            .runner()
            .args(["--engine", engine, "--steps", "run"])
            .run();
        run.assert_code(0);
        run.out()
            .lines()
            .filter(|line| line.parse::<u32>().is_ok())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    assert!(
        descriptors[0].len() > 3,
        "`ls` shows its own, and the folder that it reads: {descriptors:?}"
    );
    assert_eq!(descriptors[0], descriptors[1]);
}
