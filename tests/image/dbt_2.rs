//! The image with dbt 2: no Python, a driver inside, and the same runner around it.
//!
//! A chosen few: what the runner does is tested in the image with dbt 1, whose binary this has.

use std::fs;

use serde_json::json;

use crate::container::{Container, readable};
use crate::engine::{Made, docker, image, image_2, layers, needs_engine};
use crate::pipeline::Lab;
use crate::support::deployment::run_id;
use crate::support::project::{Project, REDSHIFT_PROFILE, with_login};
use crate::support::standin::Standin;

/// As few rights as there are, and a user that nobody knows.
const HARDSHIP: [&str; 8] = [
    "--read-only",
    "--user",
    "1234567:1234567",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--init",
];

fn container() -> Container {
    Container::of(&image_2()).flags(["--network", "host"])
}

/// A shell in the image, without the entry point.
fn shell(of: &str, script: &str) -> String {
    let run = Container::of(of)
        .flags([
            "--network",
            "none",
            "--user",
            "0",
            "--entrypoint",
            "/bin/sh",
        ])
        .args(["-c", script])
        .run();
    run.assert_code(0);
    run.out()
}

#[test]
fn it_holds_no_python_and_is_no_larger_than_the_image_with_dbt_1() {
    needs_engine!();
    let python = "find / -xdev -iname '*python*' | head -n 3";
    assert_eq!(shell(&image_2(), python), "");
    assert_ne!(shell(&image(), python), "", "it can find Python");
    let programs = "for name in pip apt dpkg perl gcc curl wget git dbt sh; do \
                    command -v $name; done; true";
    assert_eq!(
        shell(&image_2(), programs),
        "/usr/bin/git\n/opt/dbt/bin/dbt\n/usr/bin/sh\n"
    );
    let (one, two) = (layers(&image(), ""), layers(&image_2(), ""));
    assert!(two <= one, "{two} bytes beside {one}");
}

#[test]
fn beside_dbt_it_is_the_image_with_dbt_1() {
    needs_engine!();
    let ask = |of: &str, format: &str| docker(&["image", "inspect", "--format", format, of]);
    for format in [
        "{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.User}}",
        "{{.Config.StopSignal}} {{.Config.WorkingDir}} {{json .Config.Volumes}}",
        "{{json .Config.OnBuild}}",
    ] {
        assert_eq!(ask(&image(), format), ask(&image_2(), format));
    }
    let environment = ask(&image_2(), "{{json .Config.Env}}");
    let environment: Vec<String> = serde_json::from_str(&environment).unwrap();
    let names: Vec<_> = environment
        .iter()
        .map(|entry| entry.split('=').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["PATH", "XDG_CACHE_HOME", "ADBC_DRIVER_PATH", "HOME", "LANG"],
        "with ENV, a local run would be no sandbox run any more"
    );
    let sum = "sha256sum /usr/local/bin/dbt-entrypoint";
    assert_eq!(shell(&image(), sum), shell(&image_2(), sum));
    let rights = "find / -xdev -type f -perm /6000; find /opt/dbt -perm /022";
    assert_eq!(shell(&image_2(), rights), "");
}

#[test]
fn the_sample_project_runs_with_few_rights_and_publishes() {
    needs_engine!();
    let lab = Lab::new();
    let run = lab.task(container().flags(HARDSHIP)).run();
    // The version that is built in makes no site: see docs/dbt2.md.
    run.assert_code(74)
        .assert_nothing_left()
        .assert_err_has(&["index.html", "engine: native", "nothing to do"])
        .assert_lacks(lab.standin.password().as_bytes());
    let steps = [
        ("deps", "success"),
        ("debug", "success"),
        ("run", "success"),
        ("test", "success"),
        ("freshness", "warned"),
        ("docs", "failed"),
    ];
    let steps = steps.map(|(name, status)| (name.to_owned(), status.to_owned()));
    assert_eq!(run.steps(), steps, "{run}");
    assert_eq!(run.step("run")["nodes"]["error"], 0, "{run}");
    let made = lab
        .standin
        .sql("select string_agg(tablename, ' ') from pg_tables");
    assert!(made.contains("fct_orders"), "{made}: {run}");
    let ledger = lab.deployment.ledger(&run_id(&run));
    assert!(
        ledger.contains(&"04-test/run_results.json".to_owned()),
        "{ledger:?}"
    );
}

#[test]
fn the_driver_is_inside_and_nothing_is_fetched() {
    needs_engine!();
    let debug = |folder: &str| {
        Container::of(&image_2())
            .flags(["--network", "none"])
            .flags(HARDSHIP)
            .with(with_login)
            .env("DBT_REDSHIFT_HOST", "127.0.0.1")
            .env("XDG_CACHE_HOME", folder)
            .args(["dbt", "debug"])
            .run()
    };
    let fetches = "failed to lookup address";
    let inside = debug("/opt/dbt/cache");
    assert_ne!(inside.code, Some(0), "there is no warehouse: {inside}");
    inside.assert_lacks(fetches.as_bytes());
    let elsewhere = debug("/tmp/nothing");
    assert!(
        format!("{}{}", elsewhere.out(), elsewhere.err()).contains(fetches),
        "the control, which has to fetch it: {elsewhere}"
    );
}

#[test]
fn docker_stop_cancels_the_query() {
    needs_engine!();
    let lab = Lab::new();
    let project = Project::new(REDSHIFT_PROFILE);
    project.write("models/quick.sql", "select 1 as id\n");
    project.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\n\
         select pg_sleep(600)::text as slept from {{ ref('quick') }}\n",
    );
    readable(project.path());
    let mut started = lab
        .task(container())
        .mount_read_only(project.path(), "/app/dbt")
        .args(["run", "--steps", "run,test"])
        .start();
    started.until("the query in pg_stat_activity", |_| {
        lab.standin.active("pg_sleep") == 1
    });
    started.stop(30);
    let (run, _container) = started.wait();
    run.assert_code(143).assert_nothing_left();
    assert_eq!(lab.standin.active("pg_sleep"), 0, "it goes on: {run}");
    assert_eq!(run.step("run")["status"], "cancelled", "{run}");
    assert_eq!(run.step("run")["nodes"]["success"], 1, "{run}");
    assert_eq!(run.closing()["failed"], json!([]), "{run}");
}

#[test]
fn a_teams_project_takes_the_place_of_the_samples() {
    needs_engine!();
    let standin = Standin::database();
    let project = Project::new(REDSHIFT_PROFILE);
    project.write("models/only.sql", "select 1 as id\n");
    project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny\n",
    );
    project.write(
        "local_packages/tiny/dbt_project.yml",
        "name: tiny\nversion: '1.0'\n",
    );
    let lines = format!(
        "FROM {}\nCOPY --chown=65532:65532 . /app/dbt\nRUN dbt deps --project-dir /app/dbt\n",
        image_2()
    );
    fs::write(project.path().join("Dockerfile"), lines).unwrap();
    let made = Made::image(project.path());
    let run = Container::of(&made.name)
        .flags(["--network", "host"])
        .flags(HARDSHIP)
        .with(|runner| standin.attach(runner))
        .args(["run", "--steps", "deps,run"])
        .run();
    run.assert_code(0)
        .assert_err_has(&["step deps: nothing to do"]);
    assert_eq!(run.step("run")["nodes"]["success"], 1, "{run}");
    assert_eq!(run.closing()["project"], "shop", "{run}");
}

#[test]
fn git_finds_its_libraries() {
    needs_engine!();
    let script = "git --version && /usr/lib/git-core/git-remote-https 2>&1 | grep -c usage";
    let said = shell(&image_2(), script);
    assert!(
        said.starts_with("git version ") && said.ends_with("\n1\n"),
        "{said}"
    );
}
