//! dbt 2: how it is recognised, what of it is published, what its docs step has to leave, and what
//! is said of a run that was cancelled.
//!
//! The fake stands in for the released 2.0, of which only the layout is known here; the real one is
//! an alpha that makes no site.

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::deployment::Deployment;
use crate::support::fake::Fake;
use crate::support::project::{DUCKDB_PROFILE, Project, Scene, sample_project, with_dbt_2};
use crate::support::runner::Runner;

/// What is published of a site, and as what.
const SITE: [(&str, &str); 10] = [
    ("assets/index-Bd4c.js", "text/javascript; charset=utf-8"),
    ("assets/index-MKfhBlCr.css", "text/css; charset=utf-8"),
    ("assets/inter-latin.woff2", "font/woff2"),
    ("catalog.json", "application/json"),
    ("index.html", "text/html; charset=utf-8"),
    ("index/dbt.nodes.parquet", "application/vnd.apache.parquet"),
    (
        "index/dbt_rt.run_results.parquet",
        "application/vnd.apache.parquet",
    ),
    ("manifest.json", "application/json"),
    ("run_results.json", "application/json"),
    ("sources.json", "application/json"),
];

fn keys() -> Vec<String> {
    SITE.iter()
        .map(|(name, _)| format!("shop/{name}"))
        .collect()
}

#[test]
fn the_site_is_published_whole_and_nothing_that_dbt_works_with() {
    let lab = Deployment::new(Fake::two());
    let run = lab.runner().args(["--engine", "auto"]).run();
    run.assert_code(0)
        .assert_err_has(&["engine: native, since dbt 2.0.97 is one native program"]);
    assert_eq!(lab.docs(), keys(), "{run}");
    for (name, kind) in SITE {
        let object = lab.bucket.object(&format!("shop/{name}"));
        assert_eq!(object.get("content-type"), Some(kind), "{name}");
    }
    let uploads = lab.uploads();
    let place = |name: &str| uploads.iter().position(|key| key.ends_with(name)).unwrap();
    let parts = SITE.iter().filter(|(name, _)| name.contains('/'));
    assert!(
        parts
            .clone()
            .all(|(name, _)| place(name) < place("/index.html")),
        "the page came before what it needs: {uploads:?}"
    );
    let counted = &run.step("freshness")["nodes"];
    assert_eq!(counted["success"], 1, "`Pass` is a success: {counted}");
    assert_eq!(counted["error"], 0, "{counted}");
}

#[test]
fn a_site_that_is_written_elsewhere_is_published_as_well() {
    let elsewhere = TempDir::new().unwrap();
    let lab = Deployment::new(Fake::two());
    let run = lab
        .runner()
        .env("DBT_DOCS_OUTPUT_DIR", elsewhere.path())
        .args(["--engine", "native"])
        .run();
    run.assert_code(0);
    assert_eq!(lab.docs(), keys(), "{run}");
}

/// Beside what dbt works with, or in the midst of the project.
#[test]
fn a_site_that_shares_its_directory_takes_nothing_along() {
    for place in ["target", "./target/", "."] {
        let lab = Deployment::new(Fake::two());
        let run = lab
            .runner()
            .env("DBT_DOCS_OUTPUT_DIR", place)
            .args(["--engine", "native"])
            .run();
        run.assert_code(0);
        assert_eq!(lab.docs(), keys(), "{place}: {run}");
    }
}

#[test]
fn a_catalogue_that_docs_generate_does_not_write_is_another_commands() {
    let fake = Fake::two()
        .on("docs", "healthy", "")
        .on("docs", "remove", "catalog.json");
    let lab = Deployment::new(fake);
    let run = lab
        .runner()
        .args(["--engine", "native", "--target", "live"])
        .run();
    run.assert_code(0);
    assert_eq!(lab.docs(), keys(), "{run}");
    assert_eq!(lab.json("shop/catalog.json")["written_by"], "compile");
    assert_eq!(
        lab.scene.fake.arguments("compile"),
        ["compile", "--write-catalog", "--target", "live"]
    );
    let results = lab.json("shop/run_results.json");
    assert_eq!(results["args"]["which"], "test", "not that of compile");
    assert!(
        lab.scene
            .fake
            .variable("run", "DBT_WRITE_CATALOG")
            .is_none(),
        "a catalogue of a few nodes would take the place of the whole one"
    );
}

#[test]
fn docs_without_a_page_or_a_catalogue_fail_or_warn() {
    for (lost, on_failure, code, status) in [
        ("index.html", "stop", 74, "failed"),
        ("index.html", "warn", 0, "warned"),
        ("manifest.json", "stop", 74, "failed"),
    ] {
        let fake = Fake::two()
            .on("docs", "healthy", "")
            .on("docs", "remove", lost);
        let lab = Deployment::new(fake);
        lab.scene.project.write(
            "dbt-entrypoint.yml",
            format!(
                "steps: [run, {{name: docs, command: [docs, generate], on_failure: \
                    {on_failure}}}]\n"
            ),
        );
        let run = lab.runner().args(["--engine", "native"]).run();
        run.assert_code(code).assert_err_has(&[lost]);
        assert_eq!(run.step("docs")["status"], status, "{run}");
        if code == 74 {
            let error = run.closing()["error"].to_string();
            assert!(error.contains(lost), "{error}");
            assert_eq!(lab.docs(), [""; 0], "{run}");
        }
    }
}

#[test]
fn a_freshness_step_that_checked_nothing_is_a_warning_and_the_run_goes_on() {
    let fake = Fake::two()
        .on("source", "healthy", "")
        .on("source", "remove", "sources.json");
    let lab = Deployment::new(fake);
    let run = lab.runner().args(["--engine", "native"]).run();
    run.assert_code(0)
        .assert_err_has(&["WARN step freshness", "wrote no sources.json"]);
    assert_eq!(run.step("freshness")["status"], "warned", "{run}");
    assert_eq!(run.step("docs")["status"], "success", "{run}");
    let closing = run.closing();
    assert_eq!(closing["status"], "success", "{run}");
    assert_eq!(closing["error"], serde_json::Value::Null, "{run}");
}

#[test]
fn each_engine_that_is_asked_for_is_told_what_it_became() {
    for (fake, engine, words) in [
        (Fake::two(), "auto", "INFO engine: native, since"),
        (Fake::two(), "native", "INFO engine: native, since"),
        (Fake::two(), "process", "INFO engine: native, since"),
        (
            Fake::two(),
            "session",
            "WARN engine: native instead of session, since",
        ),
        (Fake::one(), "auto", "INFO engine: process, since"),
    ] {
        let scene = Scene::new(fake);
        let run = scene.runner().args(["--engine", engine]).run();
        run.assert_code(0).assert_err_has(&[words]);
    }
}

/// What is handed on of a failed run is its closing line, or the last lines of its log.
#[test]
fn a_backtrace_of_dbt_fills_neither_the_closing_line_nor_the_end_of_the_log() {
    let frames: String = (0..15)
        .map(|number| format!("  {number:2}: <unknown>\n"))
        .collect();
    let said = format!("[error] no such host\n{frames}");
    let result = serde_json::json!({
        "metadata": {}, "args": {"which": "run"}, "elapsed_time": 0.1,
        "results": [{"unique_id": "model.shop.orders", "status": "Error",
            "message": format!("no such column\n{frames}"), "execution_time": 0.1}],
    });
    let results = format!("run_results.json {result}");
    let fake = Fake::two()
        .on("run", "write", &results)
        .on("run", "stdout", &said)
        .on("run", "exit", "1")
        .on("debug", "stdout", &said)
        .on("debug", "exit", "1");
    let scene = Scene::new(fake);
    for (step, expected) in [("run", "no such column"), ("debug", "no such host")] {
        let run = scene.runner().args(["--steps", step]).run();
        run.assert_code(1);
        let out = run.out();
        let (_, after) = out.rsplit_once("<unknown>\n").expect("dbt's own output");
        assert!(after.lines().count() >= 4, "{step}: {run}");
        assert!(after.contains(expected), "{step}: {run}");
        let closing = run.closing();
        let told = match step {
            "run" => &closing["failed"][0]["message"],
            _ => &closing["error"],
        };
        let told = told.as_str().unwrap_or_default();
        assert!(told.contains(expected), "{step}: {closing}");
        assert!(!told.contains("<unknown>"), "{step}: {closing}");
    }
}

#[test]
fn the_sample_project_runs_without_a_warning_of_dbt_and_without_a_site_says_so() {
    let project = sample_project();
    let folder = TempDir::new().unwrap();
    let runner = with_dbt_2(Runner::new(project.path()))
        .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", folder.path().display()),
        )
        .args(["--engine", "auto", "--target", "duckdb"])
        .args(["--steps", "deps,debug,seed,run,snapshot,test,docs"])
        .args(["--publish", "always"]);
    let run = runner.run();
    run.assert_code(74)
        .assert_err_has(&["index.html", "engine: native"]);
    assert!(!run.out().contains("[warning] [ValidateMacroArgs"), "{run}");
    assert_eq!(run.step("run")["nodes"]["error"], 0, "{run}");
    assert_eq!(run.step("docs")["status"], "failed", "{run}");
    let catalog = std::fs::read(folder.path().join("catalog.json")).unwrap();
    let catalog: serde_json::Value = serde_json::from_slice(&catalog).unwrap();
    assert!(
        catalog["nodes"].as_object().unwrap().len() >= 5,
        "{catalog}"
    );
    assert!(!folder.path().join("compiled").exists(), "{run}");
}

#[test]
fn what_was_built_before_a_cancel_is_no_failure() {
    let project = Project::new(DUCKDB_PROFILE);
    project.write("models/quick.sql", "select 1 as id\n");
    project.write(
        "models/slow.sql",
        "{{ config(materialized='table') }}\nselect count(*) as c from range(100000000000) t(i) \
         where sin(i) > 0.5 -- {{ ref('quick') }}\n",
    );
    let runner = with_dbt_2(Runner::new(project.path()))
        .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
        .args(["--engine", "auto", "--steps", "run,test"]);
    let mut running = runner.spawn();
    running.until("the first model", |running| {
        running.stdout().contains("Succeeded")
    });
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143).assert_nothing_left();
    let step = run.step("run");
    assert_eq!(step["status"], "cancelled", "{run}");
    assert_eq!(step["nodes"]["success"], 1, "{run}");
    assert_eq!(step["nodes"]["error"], 0, "{run}");
    assert_eq!(run.closing()["failed"], serde_json::json!([]), "{run}");
}
