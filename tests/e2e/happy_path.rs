//! The main job on real parts: real dbt, the sample project, a login out of Glue, the site in S3.

use serde_json::json;

use crate::support::aws::{Aws, SECRET_KEY};
use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::project::{PASSWORD, Project, sample_project, with_real_dbt};
use crate::support::repo::{self, unique};
use crate::support::result::Finished;
use crate::support::runner::Runner;
use crate::support::sentinel;
use crate::support::standin::Standin;

/// The sample project on DuckDB, in a deployment environment, with a login that nobody uses but
/// everybody must keep quiet about.
fn deployed() -> (Deployment, Project, Runner) {
    let lab = Deployment::new(Fake::new());
    let project = sample_project();
    let name = unique("connection");
    let url = "jdbc:redshift://warehouse.example.com/dev?currentSchema=analytics";
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "dbt", "PASSWORD": PASSWORD}),
        &json!({}),
    );
    let runner = Runner::new(project.path())
        .env("ENV", &lab.env)
        .env("DBT_ENTRYPOINT_DEPLOYMENTS", &lab.env)
        .env("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:9/v4/0")
        .env("DBT_ENTRYPOINT_CREDENTIALS", format!("glue:{name}"));
    let runner =
        Aws::attach_at(with_real_dbt(runner), &lab.proxy.endpoint()).args(["--target", "duckdb"]);
    (lab, project, runner)
}

/// The dbt 2 of the tests checks no source and makes no page, which the runner tells.
fn has_pages_and_freshness() -> bool {
    repo::engine() != "native"
}

#[track_caller]
fn assert_six_steps(run: &Finished) {
    let (code, freshness, docs) = if has_pages_and_freshness() {
        (0, "success", "success")
    } else {
        run.assert_err_has(&["no sources.json", "index.html"]);
        (74, "warned", "failed")
    };
    run.assert_code(code);
    let expected = [
        ("deps", "success"),
        ("debug", "success"),
        ("run", "success"),
        ("test", "success"),
        ("freshness", freshness),
        ("docs", docs),
    ];
    let expected = expected.map(|(name, status)| (name.to_owned(), status.to_owned()));
    assert_eq!(run.steps(), expected, "{run}");
}

#[test]
fn the_sample_project_on_duckdb_is_built_tested_and_published() {
    let (lab, project, runner) = deployed();
    let run = runner.args(["--publish", "always"]).run();
    assert_six_steps(&run);
    let closing = run.closing();
    assert_eq!(closing["project"], "shop");
    assert!(
        run.step("run")["nodes"]["success"].as_u64().unwrap() >= 5,
        "{run}"
    );
    assert!(
        run.step("test")["nodes"]["success"].as_u64().unwrap() >= 10,
        "{run}"
    );
    let mut of_docs = vec!["catalog.json", "manifest.json"];
    if has_pages_and_freshness() {
        assert!(
            run.step("freshness")["nodes"]["success"].as_u64().unwrap() >= 1,
            "{run}"
        );
        of_docs.extend(["index.html", "sources.json"]);
    }

    let keys = lab.docs();
    for name in of_docs.iter().chain(&["run_results.json"]) {
        assert!(
            keys.contains(&format!("shop/{name}")),
            "{name} is missing of {keys:?}"
        );
    }
    for name in of_docs {
        let here = std::fs::read(project.path().join("target").join(name)).unwrap();
        assert_eq!(
            lab.bucket.object(&format!("shop/{name}")).body,
            here,
            "{name}"
        );
    }
    assert_eq!(closing["published"].as_u64().unwrap(), keys.len() as u64);
    assert_eq!(lab.json("shop/run_results.json")["args"]["which"], "test");
    assert!(
        lab.json("shop/catalog.json")["nodes"]
            .as_object()
            .unwrap()
            .len()
            >= 5
    );

    let id = run_id(&run);
    let ledger = lab.ledger(&id);
    let sources = has_pages_and_freshness().then_some("05-freshness/sources.json");
    for name in [
        "03-run/run_results.json",
        "04-test/run_results.json",
        "summary.json",
    ]
    .into_iter()
    .chain(sources)
    {
        assert!(
            ledger.contains(&name.to_owned()),
            "{name} is missing of {ledger:?}"
        );
    }
    assert_eq!(lab.json(&format!("shop/runs/{id}/summary.json")), closing);

    for secret in [PASSWORD, SECRET_KEY] {
        run.assert_lacks(secret.as_bytes());
        sentinel::assert_folder_lacks(&project.path().join("logs"), secret.as_bytes());
        sentinel::assert_folder_lacks(&project.path().join("target"), secret.as_bytes());
        lab.bucket.assert_lacks(secret.as_bytes());
    }
}

#[test]
fn with_json_logs_every_line_of_real_dbt_is_json() {
    let (_lab, _project, runner) = deployed();
    let run = runner
        .args(["--log-format", "json", "--steps", "deps,debug,run"])
        .run();
    run.assert_code(0);
    for line in run
        .out()
        .lines()
        .chain(run.err().lines())
        .filter(|line| !line.is_empty())
    {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line:?} is not JSON: {run}"
        );
    }
    assert!(
        run.out().contains("\"invocation_id\""),
        "dbt logs JSON by itself: {run}"
    );
}

#[test]
fn the_sample_project_on_redshift_does_all_six_steps() {
    let standin = Standin::database();
    let project = sample_project();
    let folder = tempfile::TempDir::new().unwrap();
    let runner = standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .env("DBT_REDSHIFT_SSLMODE", "disable");
    let run = runner
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", folder.path().display()),
        )
        .run();
    assert_six_steps(&run);
    run.assert_lacks(standin.password().as_bytes());
    // A local run builds in a sandbox, never in the deployed schema; only the raw tables lie beside
    // it.
    let schemas = standin.sql(
        "select string_agg(distinct schemaname, ' ') from pg_tables where \
        schemaname like 'analytics%'",
    );
    let built: Vec<_> = schemas
        .split(' ')
        .filter(|schema| *schema != "analytics_raw")
        .collect();
    assert!(
        !built.is_empty() && built.iter().all(|schema| schema.contains("sandbox")),
        "{schemas}"
    );
    assert_eq!(
        folder.path().join("index.html").exists(),
        has_pages_and_freshness()
    );
    sentinel::assert_folder_lacks(&project.path().join("logs"), standin.password().as_bytes());
    sentinel::assert_folder_lacks(folder.path(), standin.password().as_bytes());
}
