//! The commands beside `run`: `exec` and `dbt` for one program, `env` for a look, and what every
//! command line tool has.

use std::fs::File;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::aws::Aws;
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::unique;

const URL: &str = "jdbc:redshift://warehouse.example.com:5444/analytics_db?currentSchema=marts";

fn connection() -> String {
    let name = unique("connection");
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "dbt_user", "PASSWORD": PASSWORD}),
        &json!({}),
    );
    format!("glue:{name}")
}

#[test]
fn exec_injects_and_hands_over_stdin_stdout_and_code() {
    let scene = Scene::healthy();
    scene.project.write("input", "line of stdin\n");
    let script = "read line; echo \"got $line for $DBT_REDSHIFT_USER at $DBT_REDSHIFT_HOST\"; echo \
        note >&2; exit 5";
    let runner = Aws::shared().attach(scene.bare_runner()).args([
        "exec",
        "--credentials",
        &connection(),
        "--",
        "/bin/sh",
        "-c",
        script,
    ]);
    let run = runner
        .stdin(File::open(scene.project.path().join("input")).unwrap())
        .run();
    run.assert_code(5);
    assert_eq!(
        run.out(),
        "got line of stdin for dbt_user at warehouse.example.com\n",
        "stdout is the program's alone"
    );
    run.assert_err_has(&["note\n"]);
}

#[test]
fn exec_redacts() {
    let scene = Scene::healthy();
    let script = "echo \"$DBT_REDSHIFT_PASSWORD\"; echo \"$DBT_REDSHIFT_PASSWORD\" >&2";
    let run = scene
        .runner()
        .args(["exec", "--", "/bin/sh", "-c", script])
        .run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    assert_eq!(run.out(), "*****\n");
}

#[test]
fn exec_publishes_nothing_even_in_a_deployment_environment() {
    let scene = Scene::healthy();
    let aws = Aws::shared();
    let proxy =
        FaultProxy::before(aws).on(" /", Fault::s3(500, "InternalError", "nobody should ask"));
    let runner = Aws::attach_at(scene.runner(), &proxy.endpoint()).env("ENV", "dev");
    let run = runner
        .arg("exec")
        .arg("--")
        .arg(crate::support::repo::fake_dbt())
        .args(["docs", "generate"])
        .run();
    run.assert_code(0);
    assert!(proxy.log().is_empty(), "{} requests", proxy.log().len());
    assert!(scene.project.path().join("target/index.html").exists());
}

#[test]
fn dbt_is_exec_of_the_dbt_program() {
    let scene = Scene::new(
        Fake::new()
            .on("run", "stdout", "selected\n")
            .on("run", "exit", "1"),
    );
    let run = scene
        .runner()
        .args(["dbt", "run", "--select", "orders", "--fail-fast"])
        .run();
    run.assert_code(1);
    assert_eq!(run.out(), "selected\n");
    assert_eq!(
        scene.fake.arguments("run"),
        ["run", "--select", "orders", "--fail-fast"]
    );
    assert_eq!(
        scene
            .fake
            .variable("run", "DBT_REDSHIFT_PASSWORD")
            .as_deref(),
        Some(PASSWORD)
    );
}

#[test]
fn options_that_the_runner_also_has_are_dbts_after_the_word_dbt() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .args([
            "dbt", "run", "--target", "dev", "--vars", "{a: 1}", "--help",
        ])
        .run();
    run.assert_code(0);
    assert_eq!(
        scene.fake.arguments("run"),
        ["run", "--target", "dev", "--vars", "{a: 1}", "--help"]
    );
}

#[test]
fn exec_works_from_anywhere() {
    let scene = Scene::healthy();
    let runner = scene
        .runner()
        .directory("/")
        .env("DBT_PROJECT_DIR", scene.project.path());
    runner.args(["dbt", "run"]).run().assert_code(0);
    let found = scene.fake.variable("run", "DBT_PROJECT_DIR").unwrap();
    assert_eq!(
        std::fs::canonicalize(found).unwrap(),
        scene.project.canonical()
    );
    let profiles = scene.fake.variable("run", "DBT_PROFILES_DIR").unwrap();
    assert_eq!(
        std::fs::canonicalize(profiles).unwrap(),
        scene.project.canonical()
    );
}

#[test]
fn exec_follows_the_same_signal_rules() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2 1500"));
    let mut running = scene.runner().args(["dbt", "run"]).spawn();
    running.until("dbt to be ready", |_| scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143).assert_nothing_left();
    assert_eq!(
        scene
            .fake
            .signals("run")
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["SIGINT"]
    );
}

#[test]
fn a_program_that_dies_by_a_signal_is_128_and_its_number() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["exec", "--", "/bin/sh", "-c", "kill -KILL $$"])
        .run()
        .assert_code(137);
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_run_126() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .args(["exec", "--", "no-such-program-anywhere"])
        .run();
    run.assert_code(127)
        .assert_err_has(&["no-such-program-anywhere"]);
    assert_eq!(run.out(), "");
    scene.project.write("not-executable", "#!/bin/sh\n");
    let run = scene
        .runner()
        .args(["exec", "--"])
        .arg(scene.project.path().join("not-executable"))
        .run();
    run.assert_code(126).assert_err_has(&["not-executable"]);
    scene
        .runner()
        .args(["exec", "--", "/"])
        .run()
        .assert_code(126);
}

#[test]
fn env_prints_names_and_origins_and_masks_values() {
    let scene = Scene::healthy();
    let source = connection();
    let runner = Aws::shared()
        .attach(scene.bare_runner())
        .args(["env", "--credentials", &source]);
    let run = runner.env("DBT_REDSHIFT_USER", "overriding_user").run();
    run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
    let out = run.out();
    for name in ["HOST", "PORT", "USER", "PASSWORD", "SCHEMA", "DB"] {
        assert!(out.contains(&format!("DBT_REDSHIFT_{name}")), "{run}");
    }
    assert!(out.contains("DBT_ENV_SECRET_REDSHIFT_PASSWORD"), "{run}");
    for name in ["ENV", "PROJECT_NAME", "DBT_PROJECT_DIR", "DBT_PROFILES_DIR"] {
        assert!(out.contains(name), "{name}: {run}");
    }
    let line = |name: &str| {
        out.lines()
            .find(|line| line.contains(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("DBT_REDSHIFT_HOST").to_lowercase().contains("glue"),
        "where it came from: {run}"
    );
    assert!(
        line("DBT_REDSHIFT_USER").to_lowercase().contains("env"),
        "where it came from: {run}"
    );
    for value in ["overriding_user", "warehouse.example.com", "analytics_db"] {
        assert!(!out.contains(value), "{value} is not masked: {run}");
    }
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn env_fails_as_run_does_where_there_is_no_login() {
    let scene = Scene::healthy();
    Aws::shared()
        .attach(scene.bare_runner())
        .args(["env", "--credentials", "glue:nowhere-to-be-found"])
        .run()
        .assert_code(65);
}

#[test]
fn help_and_version_need_nothing() {
    let scene = Scene::healthy();
    let empty = tempfile::TempDir::new().unwrap();
    let help = scene
        .bare_runner()
        .directory(empty.path())
        .args(["--help"])
        .run();
    help.assert_code(0);
    for word in [
        "run",
        "exec",
        "dbt",
        "env",
        "completions",
        "man",
        "--credentials",
        "--destination",
        "DBT_ENTRYPOINT_STEPS",
    ] {
        assert!(help.out().contains(word), "{word} is not in --help: {help}");
    }
    let version = scene
        .bare_runner()
        .directory(empty.path())
        .args(["--version"])
        .run();
    version.assert_code(0);
    assert_eq!(
        version.out(),
        format!("dbt-entrypoint {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_are_what_the_shell_accepts() {
    let scene = Scene::healthy();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = scene.bare_runner().args(["completions", shell]).run();
        run.assert_code(0);
        assert!(
            run.out().contains("dbt-entrypoint") && run.stderr.is_empty(),
            "{shell}"
        );
    }
    let script = scene
        .bare_runner()
        .args(["completions", "bash"])
        .run()
        .out();
    scene.project.write("completions.bash", script);
    let bash = Command::new("/bin/bash")
        .arg("-n")
        .arg(scene.project.path().join("completions.bash"))
        .status()
        .unwrap();
    assert!(bash.success());
    scene
        .bare_runner()
        .args(["completions", "no-such-shell"])
        .run()
        .assert_code(64);
}

#[test]
fn man_is_a_manual_page() {
    let run = Scene::healthy().bare_runner().args(["man"]).run();
    run.assert_code(0);
    let out = run.out();
    assert!(
        out.contains(".TH dbt-entrypoint 1") && out.contains(".SH SYNOPSIS"),
        "{run}"
    );
}

/// What dbt's own image is told to do, or that of a shell.
#[test]
fn a_word_that_is_no_command_is_told_with_what_to_write_instead() {
    for (arguments, ways) in [
        (
            &["build"][..],
            [
                "dbt-entrypoint dbt build",
                "dbt-entrypoint exec -- dbt build",
                "dbt-entrypoint --steps build",
            ],
        ),
        (
            &["run-operation", "grant"],
            [
                "dbt run-operation",
                "exec -- dbt run-operation",
                "command: [",
            ],
        ),
        (
            &["sh", "-c", "dbt run"],
            ["exec -- sh -c", "dbt-entrypoint dbt", "--steps"],
        ),
    ] {
        for format in ["text", "json"] {
            let scene = Scene::healthy();
            let run = scene
                .runner()
                .env("DBT_ENTRYPOINT_LOG_FORMAT", format)
                .args(arguments)
                .run();
            run.assert_code(64).assert_err_has(&ways);
            let told = format!("unexpected argument '{}' found", arguments[0]);
            assert_eq!(run.closing()["error"], json!(told));
            assert!(scene.fake.steps().is_empty());
        }
    }
}

#[test]
fn where_a_run_writes_is_told_loudly_where_it_may_surprise() {
    let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    let ecs = ("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1/v4/x");
    let nowhere = ("NOBODY_READS", "1");
    for (env, place, told) in [
        ("dev", nowhere, "WARN THIS RUN WRITES TO THE DEPLOYMENT"),
        ("dev", kubernetes, "WARN THIS RUN WRITES TO THE DEPLOYMENT"),
        ("dev", ecs, "INFO writing to the deployment"),
        ("local", nowhere, "INFO local run"),
        ("local", kubernetes, "though it runs in Kubernetes"),
        ("Dev", kubernetes, "WARN THIS RUN GOES TO THE SANDBOX"),
        (
            "local",
            ecs,
            "WARN THIS RUN GOES TO THE SANDBOX, though it runs in ECS",
        ),
    ] {
        let scene = Scene::healthy();
        let run = scene
            .runner()
            .env("ENV", env)
            .env(place.0, place.1)
            .args(["--steps", "run", "--publish", "never"])
            .run();
        run.assert_code(0).assert_err_has(&[told]);
    }
}
