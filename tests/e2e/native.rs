//! dbt 2: how it is recognised, what of it is published, what its docs step has to leave, and what
//! is said of a run that was cancelled.
//!
//! The fake stands in for the released 2.0, of which only the layout is known here; the real one is
//! an alpha that makes no site.

use std::os::unix::fs::symlink;

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
    let dbt = serde_json::json!({"version": "2.0.97", "adapter": "redshift", "engine": "native"});
    assert_eq!(run.closing()["dbt"], dbt, "{run}");
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

/// Beside what dbt works with, or in the midst of the project, whatever it is called.
#[test]
fn a_site_that_shares_its_directory_takes_nothing_along() {
    let outside = TempDir::new().unwrap();
    let target = outside.path().join("target");
    let outside = outside.path().to_str().unwrap();
    let target = target.to_str().unwrap();
    for (site, target) in [
        ("target", None),
        ("./target/", None),
        (".", None),
        // The project lies beside the target directory.
        (".", Some(target)),
        // The target directory lies in that of the site.
        (outside, Some(target)),
        // A link to the target directory.
        ("link", None),
    ] {
        let lab = Deployment::new(Fake::two());
        let project = &lab.scene.project;
        symlink("target", project.path().join("link")).unwrap();
        project.write("target/run/of_an_earlier_run.html", "rows");
        let mut runner = lab.runner().env("DBT_DOCS_OUTPUT_DIR", site);
        if let Some(target) = target {
            runner = runner.env("DBT_TARGET_PATH", target);
        }
        let run = runner.args(["--engine", "native"]).run();
        run.assert_code(0);
        assert_eq!(lab.docs(), keys(), "{site} {target:?}: {run}");
    }
}

#[test]
fn a_docs_step_with_directories_of_its_own_takes_nothing_along() {
    let lab = Deployment::new(Fake::two());
    lab.scene.project.write(
        "dbt-entrypoint.yml",
        "steps: [run, test, freshness, {name: docs, command: [docs, generate, --target-path, out, \
         --output-dir, out]}]\n",
    );
    let run = lab.runner().args(["--engine", "native"]).run();
    run.assert_code(0);
    assert_eq!(lab.docs(), keys(), "{run}");
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

/// dbt 2 ends with 0 where it could not read a schema. The catalogue at the destination stays.
#[test]
fn a_catalogue_with_gaps_is_a_failure_and_replaces_none() {
    for (on_failure, code, status) in [("stop", 74, "failed"), ("warn", 0, "warned")] {
        let catalog = r#"catalog.json {"nodes": {}, "errors": ["[Non-critical] refused"]}"#;
        let fake = Fake::two()
            .on("docs", "healthy", "")
            .on("docs", "write", catalog);
        let lab = Deployment::new(fake);
        lab.scene.project.write(
            "dbt-entrypoint.yml",
            format!(
                "steps: [run, {{name: docs, command: [docs, generate], on_failure: \
                    {on_failure}}}]\n"
            ),
        );
        let run = lab.runner().args(["--engine", "native"]).run();
        run.assert_code(code)
            .assert_err_has(&["catalog.json is incomplete: refused"]);
        assert_eq!(run.step("docs")["status"], status, "{run}");
        assert!(
            !lab.docs().contains(&"shop/catalog.json".to_owned()),
            "{run}"
        );
    }
}

#[test]
fn a_command_of_docs_alone_makes_docs_as_well() {
    let lab = Deployment::new(Fake::two().on("docs", "stdout", "nothing to do\n"));
    lab.scene.project.write(
        "dbt-entrypoint.yml",
        "steps: [run, {name: docs, command: [docs]}]\n",
    );
    let run = lab.runner().args(["--engine", "native"]).run();
    run.assert_code(74).assert_err_has(&["index.html"]);
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
    let frames: Vec<String> = (0..15)
        .map(|number| format!("  {number:2}: <unknown>\n"))
        .collect();
    let frames = frames.concat();
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
    // All but the one of a dbt that can make no site.
    let said = [run.out(), run.err()].concat();
    let warnings = said.lines().filter(|line| line.contains("[warning]"));
    let warnings: Vec<&str> = warnings
        .filter(|line| !line.contains("DocsGenerateWarning"))
        .collect();
    assert_eq!(warnings, [""; 0], "{run}");
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

/// Where the command fails as a whole, the results of dbt 2 call every node an error.
#[test]
fn a_command_that_failed_as_a_whole_says_why_and_blames_no_node() {
    let hook = "name: shop\nversion: '1.0'\nprofile: shop\n";
    for (file, content, nodes, reason) in [
        (
            "dbt_project.yml",
            format!("{hook}on-run-end: [select nope]\n"),
            Some([1, 0, 0]),
            "\"nope\"",
        ),
        (
            "dbt_project.yml",
            format!("{hook}on-run-start: [select nope]\n"),
            Some([0, 0, 1]),
            "\"nope\"",
        ),
        (
            "models/b.sql",
            "select * from {{ ref('nowhere') }}\n".to_owned(),
            None,
            "Ref 'nowhere' not found",
        ),
        (
            "models/b.yml",
            "models:\n  - name: [x\n".to_owned(),
            None,
            "YAML error: did not find expected",
        ),
    ] {
        for format in ["text", "json"] {
            let project = Project::new(DUCKDB_PROFILE);
            project.write("models/a.sql", "select 1 as id\n");
            project.write(file, &content);
            let run = with_dbt_2(Runner::new(project.path()))
                .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
                .args(["--steps", "run", "--log-format", format])
                .run();
            run.assert_code(1);
            let closing = run.closing();
            assert_eq!(closing["failed"], serde_json::json!([]), "{run}");
            let error = closing["error"].as_str().unwrap_or_default();
            assert!(error.contains(reason), "{file}: {error}");
            let counted = &run.step("run")["nodes"];
            if let Some([success, error, skipped]) = nodes {
                assert_eq!(counted["success"], success, "{run}");
                assert_eq!(counted["error"], error, "{run}");
                assert_eq!(counted["skipped"], skipped, "{run}");
            }
        }
    }
}

#[test]
fn a_failed_test_says_what_it_found_or_why_it_could_not() {
    let project = Project::new(DUCKDB_PROFILE);
    project.write("models/a.sql", "select 1 as id\n");
    project.write(
        "models/a.yml",
        [
            "models:",
            "  - name: a",
            "    columns:",
            "      - name: id",
            "        data_tests: [{accepted_values: {arguments: {values: [2]}}}]",
            "      - name: gone",
            "        data_tests: [unique]",
            "unit_tests:",
            "  - {name: unit, model: a, given: [], expect: {rows: [{id: 2}]}}",
            "",
        ]
        .join("\n"),
    );
    let run = with_dbt_2(Runner::new(project.path()))
        .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
        .args(["--steps", "run,test"])
        .run();
    run.assert_code(1);
    let closing = run.closing();
    let failed = closing["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 3, "{run}");
    for (node, message) in [
        ("accepted_values", "found 1 row"),
        ("unique", "\"gone\" not found"),
        ("unit", "2 -> 1"),
    ] {
        let is_it = |failed: &&serde_json::Value| {
            let id = failed["node"].as_str().unwrap_or_default();
            id.split('.').nth(2).is_some_and(|name| name.contains(node))
                || id.ends_with(&format!(".{node}"))
        };
        let told = failed.iter().find(is_it).expect(node);
        let told = told["message"].as_str().unwrap_or_default();
        assert!(told.contains(message), "{node}: {told}");
    }
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
