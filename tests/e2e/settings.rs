//! Settings: which of five places wins, and faults that are all named at once, with file, line and
//! key.

use std::fs;

use crate::support::project::Scene;
use crate::support::result::Finished;

/// The environment's name as dbt was given it.
#[track_caller]
fn env_seen(scene: &Scene) -> String {
    scene.fake.variable("run", "ENV").unwrap()
}

#[test]
fn flag_beats_variable_beats_env_file_beats_yaml_beats_default() {
    let scene = Scene::healthy();
    let file = scene.project.path().join("sandbox.env");
    scene.project.write("sandbox.env", "ENV=from-env-file\n");
    let ask = |yaml: bool, env_file: bool, variable: bool, flag: bool| {
        if yaml {
            scene
                .project
                .write("dbt-entrypoint.yml", "env: from-yaml\n");
        } else {
            drop(fs::remove_file(
                scene.project.path().join("dbt-entrypoint.yml"),
            ));
        }
        let mut runner = scene.runner().args(["--steps", "run"]);
        if env_file {
            runner = runner.arg("--env-file").arg(&file);
        }
        if variable {
            runner = runner.env("ENV", "from-variable");
        }
        if flag {
            runner = runner.args(["--env", "from-flag"]);
        }
        runner.run().assert_code(0);
        env_seen(&scene)
    };
    assert_eq!(ask(false, false, false, false), "local");
    assert_eq!(ask(true, false, false, false), "from-yaml");
    assert_eq!(ask(true, true, false, false), "from-env-file");
    assert_eq!(ask(true, true, true, false), "from-variable");
    assert_eq!(ask(true, true, true, true), "from-flag");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let scene = Scene::healthy();
    scene
        .project
        .write("dbt-entrypoint.yml", "env: from-yaml\n");
    scene
        .runner()
        .env("ENV", "")
        .args(["--steps", "run"])
        .run()
        .assert_code(0);
    assert_eq!(env_seen(&scene), "from-yaml");
}

#[test]
fn an_env_file_is_lines_and_no_shell() {
    let scene = Scene::healthy();
    let content =
        "# a comment\n\nPROJECT_NAME=from-file\nTEAM=$HOME `id` $(id)\nDBT_REDSHIFT_USER=ada\n";
    scene.project.write("sandbox.env", content);
    let runner = scene.runner().env_remove("DBT_REDSHIFT_USER").args([
        "--env-file",
        "sandbox.env",
        "--steps",
        "run",
    ]);
    runner.run().assert_code(0);
    let variable = |name: &str| scene.fake.variable("run", name).unwrap_or_default();
    assert_eq!(variable("PROJECT_NAME"), "from-file");
    assert_eq!(variable("TEAM"), "$HOME `id` $(id)");
    assert_eq!(variable("DBT_REDSHIFT_USER"), "ada");
}

#[test]
fn a_variable_that_is_set_beats_the_env_file_for_dbt_too() {
    let scene = Scene::healthy();
    scene.project.write(
        "sandbox.env",
        "DBT_REDSHIFT_USER=of-the-file\nDBT_REDSHIFT_SCHEMA=of-the-file\n",
    );
    let runner = scene.runner().env("DBT_REDSHIFT_SCHEMA", "").args([
        "--env-file",
        "sandbox.env",
        "--steps",
        "run",
    ]);
    runner.run().assert_code(0);
    assert_eq!(
        scene.fake.variable("run", "DBT_REDSHIFT_USER").as_deref(),
        Some("dbt_user")
    );
    assert_eq!(
        scene.fake.variable("run", "DBT_REDSHIFT_SCHEMA").as_deref(),
        Some("of-the-file")
    );
}

#[test]
fn a_settings_file_can_lie_elsewhere() {
    let scene = Scene::healthy();
    scene.project.write(
        "conf/nightly.yml",
        "env: nightly\nproject_name: other\nsteps: [run]\n",
    );
    let run = scene.runner().args(["--config", "conf/nightly.yml"]).run();
    run.assert_code(0);
    assert_eq!(env_seen(&scene), "nightly");
    assert_eq!(run.closing()["project"], "other");
    assert_eq!(scene.fake.steps(), ["run"]);
}

#[test]
fn steps_come_from_the_variable_and_from_yaml_as_text_or_list() {
    for (yaml, variable) in [
        ("", "run, docs"),
        ("steps: run,docs\n", ""),
        ("steps: [run, docs]\n", ""),
    ] {
        let scene = Scene::healthy();
        scene.project.write("dbt-entrypoint.yml", yaml);
        scene
            .runner()
            .env("DBT_ENTRYPOINT_STEPS", variable)
            .run()
            .assert_code(0);
        assert_eq!(scene.fake.steps(), ["run", "docs"], "{yaml:?} {variable:?}");
    }
}

#[test]
fn a_project_in_the_folder_dbt_is_found() {
    let scene = Scene::healthy();
    for name in ["dbt_project.yml", "profiles.yml"] {
        let content = scene.project.read(name);
        scene.project.write(&format!("dbt/{name}"), content);
        fs::remove_file(scene.project.path().join(name)).unwrap();
    }
    scene.runner().args(["--steps", "run"]).run().assert_code(0);
    let found = scene.fake.variable("run", "DBT_PROJECT_DIR").unwrap();
    assert_eq!(
        fs::canonicalize(found).unwrap(),
        scene.project.canonical().join("dbt")
    );
}

/// A run that must end with 64 before anything is started.
#[track_caller]
fn refused(run: &Finished, scene: &Scene, named: &[&str]) {
    run.assert_code(64).assert_err_has(named);
    assert!(scene.fake.steps().is_empty(), "dbt was started: {run}");
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    let scene = Scene::healthy();
    scene
        .project
        .write("dbt-entrypoint.yml", "env: dev\n\npublsh: never\n");
    refused(
        &scene.runner().run(),
        &scene,
        &["dbt-entrypoint.yml", "3", "publsh"],
    );
}

#[test]
fn an_unknown_step_is_named_wherever_it_stands() {
    let scene = Scene::healthy();
    refused(
        &scene.runner().args(["--steps", "deps,rnu"]).run(),
        &scene,
        &["rnu"],
    );
    refused(
        &scene.runner().env("DBT_ENTRYPOINT_STEPS", "deps,rnu").run(),
        &scene,
        &["rnu", "DBT_ENTRYPOINT_STEPS"],
    );
    scene.project.write(
        "dbt-entrypoint.yml",
        "env: dev\nsteps:\n  - deps\n  - rnu\n",
    );
    refused(
        &scene.runner().run(),
        &scene,
        &["rnu", "dbt-entrypoint.yml"],
    );
}

#[test]
fn malformed_values_are_named_with_their_key() {
    for (key, value) in [
        ("DBT_ENTRYPOINT_DEADLINE", "soon"),
        ("DBT_ENTRYPOINT_STOP_TIMEOUT", "-3s"),
        ("DBT_ENTRYPOINT_PUBLISH", "sometimes"),
        ("DBT_ENTRYPOINT_CREDENTIALS", "vault:redshift"),
        ("DBT_ENTRYPOINT_DESTINATION", "ftp://host/docs"),
        ("DBT_ENTRYPOINT_LOG_FORMAT", "xml"),
        ("DBT_ENTRYPOINT_ENGINE", "warp"),
        ("DBT_ENTRYPOINT_SSE", "rot13"),
        ("DBT_ENTRYPOINT_BUCKET_OWNER", "not-an-account"),
    ] {
        let scene = Scene::healthy();
        refused(&scene.runner().env(key, value).run(), &scene, &[key]);
    }
}

#[test]
fn malformed_values_in_yaml_are_named_with_line_and_key() {
    let scene = Scene::healthy();
    scene
        .project
        .write("dbt-entrypoint.yml", "env: dev\ndeadline: soon\n");
    refused(
        &scene.runner().run(),
        &scene,
        &["dbt-entrypoint.yml", "2", "deadline"],
    );
    scene.project.write(
        "dbt-entrypoint.yml",
        "env: dev\nsteps:\n  - {name: x, command: [run], on_failure: shrug}\n",
    );
    refused(
        &scene.runner().run(),
        &scene,
        &["dbt-entrypoint.yml", "3", "on_failure"],
    );
    scene
        .project
        .write("dbt-entrypoint.yml", "env: [unclosed\n");
    refused(&scene.runner().run(), &scene, &["dbt-entrypoint.yml"]);
}

#[test]
fn an_impossible_bucket_name_is_named_with_where_it_came_from() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .env("DBT_ENTRYPOINT_DESTINATION", "s3://-bucket/docs")
        .run();
    refused(&run, &scene, &["-bucket", "DBT_ENTRYPOINT_DESTINATION"]);
    // Made of the environment's name.
    let run = scene
        .runner()
        .env("ENV", "Dev_EU")
        .env("DBT_ENTRYPOINT_DEPLOYMENTS", "Dev_EU")
        .run();
    refused(&run, &scene, &["dbt-documentation-Dev_EU"]);
}

#[test]
fn all_faults_are_named_at_once() {
    let scene = Scene::healthy();
    scene.project.write(
        "dbt-entrypoint.yml",
        "env: dev\npublsh: never\nlog_format: xml\n",
    );
    let runner = scene
        .runner()
        .env("DBT_ENTRYPOINT_DEADLINE", "soon")
        .env("DBT_ENTRYPOINT_DESTINATION", "s3://B/x");
    let run = runner.args(["--stop-timeout", "never"]).run();
    refused(
        &run,
        &scene,
        &[
            "publsh",
            "log_format",
            "DBT_ENTRYPOINT_DEADLINE",
            "DBT_ENTRYPOINT_DESTINATION",
            "--stop-timeout",
        ],
    );
}

#[test]
fn a_settings_file_that_was_asked_for_must_exist() {
    let scene = Scene::healthy();
    refused(
        &scene.runner().args(["--config", "nowhere.yml"]).run(),
        &scene,
        &["nowhere.yml"],
    );
    refused(
        &scene.runner().args(["--env-file", "nowhere.env"]).run(),
        &scene,
        &["nowhere.env"],
    );
    scene
        .project
        .write("bad.env", "FINE=1\nthis is not an assignment\n");
    refused(
        &scene.runner().args(["--env-file", "bad.env"]).run(),
        &scene,
        &["bad.env", "2"],
    );
}

#[test]
fn an_unknown_flag_is_64() {
    let scene = Scene::healthy();
    let run = scene.runner().args(["--no-such-flag"]).run();
    run.assert_code(64).assert_err_has(&["--no-such-flag"]);
    scene
        .runner()
        .args(["no-such-command"])
        .run()
        .assert_code(64);
    scene.runner().args(["exec"]).run().assert_code(64);
}

#[test]
fn a_secret_in_the_environment_is_not_shown_with_a_fault() {
    let scene = Scene::healthy();
    let run = scene.runner().env("DBT_ENTRYPOINT_DEADLINE", "soon").run();
    run.assert_code(64)
        .assert_lacks(crate::support::project::PASSWORD.as_bytes());
}
