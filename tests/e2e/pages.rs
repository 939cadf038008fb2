//! The pages of runs, and the history that they are made of: where they lie, what they say, and
//! that they never decide how a run ends. How they look is for tests/pages.

use std::fs;
use std::io::Read;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::fault_proxy::Fault;
use crate::support::processes;
use crate::support::project::{PASSWORD, REDSHIFT_PROFILE, Scene};
use crate::support::result::Finished;

const HISTORY: &str = "shop/state/history.json";
const OVERVIEW: &str = "shop/runs/index.html";

fn page_key(run: &Finished) -> String {
    format!("shop/runs/{}/index.html", run_id(run))
}

fn page(lab: &Deployment, run: &Finished) -> String {
    String::from_utf8(lab.bucket.object(&page_key(run)).body).unwrap()
}

fn history(lab: &Deployment) -> Vec<Value> {
    let history = lab.json(HISTORY);
    assert_eq!(history["v"], 1);
    history["runs"].as_array().unwrap().clone()
}

fn ids(lab: &Deployment) -> Vec<String> {
    let runs = history(lab);
    let ids = runs
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// A dbt whose `test` fails.
fn failing() -> Fake {
    Fake::new()
        .on(
            "test",
            "results",
            "test.shop.unique_a.0123456789=fail:Got+1+result",
        )
        .on("test", "exit", "1")
}

#[test]
fn a_run_leaves_its_page_the_history_and_the_page_of_all_runs() {
    let lab = Deployment::healthy();
    let run = lab.run();
    run.assert_code(0);
    let key = page_key(&run);
    for key in [key.as_str(), OVERVIEW] {
        let object = lab.bucket.object(key);
        assert_eq!(object.get("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(object.get("cache-control"), Some("no-cache"));
    }
    let uploads = lab.uploads();
    let place = |key: &str| {
        let place = uploads.iter().position(|upload| upload == key);
        place.unwrap_or_else(|| panic!("{key} is not among {uploads:?}"))
    };
    let summary = format!("shop/runs/{}/summary.json", run_id(&run));
    let order = ["shop/index.html", &key, HISTORY, OVERVIEW, &summary].map(place);
    assert!(order.is_sorted(), "{uploads:?}");

    let closing = run.closing();
    let entry = &history(&lab)[0];
    let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
    let mut expected = vec![
        "id", "started", "seconds", "status", "code", "resumes", "steps", "nodes", "failed",
        "slow", "fresh",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(entry["id"], closing["run_id"]);
    assert_eq!(
        (&entry["status"], &entry["code"]),
        (&json!("success"), &json!(0))
    );
    assert_eq!(entry["resumes"], Value::Null);
    let run_step = &entry["steps"][2];
    assert_eq!(
        (&run_step[0], &run_step[1]),
        (&json!("run"), &json!("success"))
    );
    assert!(run_step[2].is_f64(), "{entry}");
    assert_eq!(closing["page"], Value::Null);
    run.assert_err_has(&["the page of this run: s3://", &key]);
}

#[test]
fn the_address_of_the_page_is_told_where_one_is_set() {
    let lab = Deployment::healthy();
    let runner = lab
        .runner()
        .args(["--page-url", "https://docs.example.com/dbt/"]);
    let run = runner.run();
    run.assert_code(0);
    let address = format!(
        "https://docs.example.com/dbt/runs/{}/index.html",
        run_id(&run)
    );
    assert_eq!(run.closing()["page"], address);
    run.assert_err_has(&[&format!("the page of this run: {address}")]);
    let summary = lab.json(&format!("shop/runs/{}/summary.json", run_id(&run)));
    assert_eq!(summary, run.closing());
}

#[test]
fn a_failed_run_says_what_failed_and_how_to_finish_it() {
    let lab = Deployment::new(failing());
    let run = lab.run();
    run.assert_code(1);
    let page = page(&lab, &run);
    for part in [
        "The test “unique_a” failed",
        "Got 1 result",
        &format!("dbt-entrypoint run --resume {}", run_id(&run)),
        "results of test",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    let entry = &history(&lab)[0];
    assert_eq!(entry["failed"], json!(["test.shop.unique_a.0123456789"]));
    assert_eq!(entry["code"], 1);
}

#[test]
fn a_cancelled_run_has_its_page_inside_the_budget() {
    let fake = Fake::new().on("run", "results", "model.shop.orders=success");
    let lab = Deployment::new(fake.on("run", "until-sigint", "2"));
    let mut running = lab.runner().spawn();
    running.until("dbt to be ready", |_| lab.scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert!(page(&lab, &run).contains("The run was stopped in the step run"));
    assert_eq!(history(&lab)[0]["status"], "cancelled");
}

#[test]
fn a_run_that_could_not_start_says_why_and_what_helps() {
    let lab = Deployment::healthy();
    fs::remove_file(lab.scene.project.path().join("dbt_project.yml")).unwrap();
    let runner = lab.runner().env("PROJECT_NAME", "shop");
    let run = runner.run();
    run.assert_code(64);
    let page = page(&lab, &run);
    for part in ["could not start", "no dbt project in", "set --project-dir"] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    assert_eq!(history(&lab)[0]["code"], 64);
}

#[test]
fn a_local_run_leaves_its_page_in_the_target_directory_alone() {
    let scene = Scene::new(failing());
    let run = scene.runner().run();
    run.assert_code(1);
    let path = scene.project.path().join("target/run.html");
    run.assert_err_has(&[&format!("the page of this run: {}", path.display())]);
    let page = fs::read_to_string(path).unwrap();
    assert!(page.contains("The test “unique_a” failed"));
    assert!(
        !page.contains("--resume") && !page.contains("../"),
        "nothing is kept of this run"
    );

    // What is published of a later run are its docs.
    let folder = TempDir::new().unwrap();
    let scene = Scene::healthy();
    for _ in 0..2 {
        scene.publishing_runner(folder.path()).run().assert_code(0);
    }
    assert!(scene.project.path().join("target/run.html").exists());
    assert!(!folder.path().join("run.html").exists());
    assert!(folder.path().join("runs/index.html").exists());
}

#[test]
fn a_local_run_that_fails_early_replaces_the_page_of_the_last_success() {
    let scene = Scene::healthy();
    let path = scene.project.path().join("target/run.html");
    let page = || fs::read_to_string(&path).unwrap();
    scene.runner().run().assert_code(0);
    assert!(page().contains("Success"));
    let profile =
        REDSHIFT_PROFILE.to_owned() + "      query_group: \"{{ env_var('TEAM_QUERY_GROUP') }}\"\n";
    scene.project.write("profiles.yml", &profile);
    let run = scene.runner().run();
    run.assert_code(64)
        .assert_err_has(&[&format!("the page of this run: {}", path.display())]);
    assert!(page().contains("TEAM_QUERY_GROUP"), "{}", page());

    // A step that fails before dbt has written anything leaves one, too.
    let scene = Scene::new(Fake::new().on("debug", "exit", "1"));
    let run = scene.runner().args(["--steps", "debug,run"]).run();
    run.assert_code(1);
    let page = fs::read_to_string(scene.project.path().join("target/run.html")).unwrap();
    assert!(page.contains("Let dbt reach the warehouse"), "{page}");
}

#[test]
fn a_page_says_what_kept_the_results_from_being_published() {
    let fake = Fake::one().on("docs", "healthy", "");
    let scene = Scene::new(fake.on("docs", "remove", "catalog.json"));
    let folder = TempDir::new().unwrap();
    let runner = scene.publishing_runner(folder.path());
    let run = runner
        .env("DBT_ENTRYPOINT_ENGINE", "process")
        .args(["--steps", "run,docs"])
        .run();
    run.assert_code(74);
    let path = format!("runs/{}/index.html", run_id(&run));
    let page = fs::read_to_string(folder.path().join(path)).unwrap();
    for part in [
        "kept the results from being published",
        "make docs generate write both files there",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}

/// A thousand models whose names are as long as they may be.
fn thousand_models() -> Vec<String> {
    let name = "long_name_".repeat(24);
    (0..1000)
        .map(|number| format!("model.shop.{name}{number}"))
        .collect()
}

fn results_of(models: &[String]) -> Value {
    let result = |id: &String| json!({"unique_id": id, "status": "success", "execution_time": 1.0});
    json!({"results": models.iter().map(result).collect::<Vec<_>>()})
}

#[test]
fn the_pages_of_a_thousand_nodes_and_two_hundred_runs_take_little_memory() {
    let models = thousand_models();
    let results = results_of(&models);
    let fake = Fake::new()
        .on("run", "write", format!("run_results.json {results}"))
        .on("run", "ready", "")
        .on("run", "wait-for", "go");
    let lab = Deployment::with_faults(fake, |proxy, bucket| {
        proxy.on(&format!("PUT /{bucket}/{OVERVIEW}"), Fault::Hold)
    });
    let code = "select 1\n".repeat(2_000);
    let node = |id: &String| {
        (
            id.clone(),
            json!({"raw_code": code, "depends_on": {"nodes": []}}),
        )
    };
    let nodes: serde_json::Map<String, Value> = models.iter().map(node).collect();
    let manifest = json!({"nodes": nodes}).to_string();
    assert!(manifest.len() > 18_000_000);
    let target = lab.scene.project.path().join("target");
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("manifest.json"), manifest).unwrap();
    let runs: Vec<Value> = (0..200)
        .map(|number| {
            let (day, hour) = (1 + number / 24, number % 24);
            let slow: Vec<_> = models.iter().take(20).map(|id| json!([id, 1.5])).collect();
            json!({"id": format!("202611{day:02}T{hour:02}0000Z-{number:08x}"),
                "started": format!("2026-11-{day:02}T{hour:02}:00:00Z"), "seconds": 60.0,
                "status": "success", "code": 0, "resumes": null,
                "steps": [["run", "success", 60.0]], "failed": [], "slow": slow, "fresh": [],
                "nodes": {"success": 1000, "error": 0, "warn": 0, "skipped": 0}})
        })
        .collect();
    let history = json!({"v": 1, "runs": runs}).to_string();
    lab.bucket.put(HISTORY, history.as_bytes());
    let mut running = lab.runner().args(["--steps", "run"]).spawn();
    running.until("the step", |_| lab.scene.fake.is_ready("run"));
    // From now on its peak is that of what follows.
    fs::write(format!("/proc/{}/clear_refs", running.pid()), "5").unwrap();
    let before = processes::peak_memory(running.pid());
    lab.scene.fake.release("go");
    running.until("the last page", |_| lab.proxy.count(OVERVIEW) > 0);
    let grown = processes::peak_memory(running.pid()) - before;
    lab.proxy.release();
    running.wait().assert_code(0);
    assert!(grown < 30 * 1024, "the pages took {grown} KiB");
    eprintln!("the pages took {grown} KiB more than {before} KiB");
}

#[test]
fn a_large_page_is_stored_compressed() {
    let results = results_of(&thousand_models());
    let fake = Fake::new().on("run", "write", format!("run_results.json {results}"));
    let lab = Deployment::new(fake);
    let run = lab.runner().args(["--steps", "run"]).run();
    run.assert_code(0);
    let stored = lab.bucket.object(&page_key(&run));
    assert_eq!(stored.get("content-encoding"), Some("gzip"));
    assert_eq!(stored.get("content-type"), Some("text/html; charset=utf-8"));
    assert!(stored.body.len() < 100_000, "{} bytes", stored.body.len());
    let mut page = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&stored.body[..]);
    decoder.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"));
}

#[test]
fn a_history_that_is_too_large_is_called_so() {
    let lab = Deployment::healthy();
    lab.bucket.put(HISTORY, &vec![b' '; (4 << 20) + 1]);
    let run = lab.runner().args(["--steps", "run"]).run();
    run.assert_code(0)
        .assert_err_has(&["is too large, so it is made anew"]);
}

#[test]
fn commands_that_are_no_runs_and_runs_that_publish_nothing_leave_no_page() {
    let lab = Deployment::healthy();
    lab.runner()
        .args(["--publish", "never"])
        .run()
        .assert_code(0);
    assert!(lab.keys().is_empty(), "{:?}", lab.keys());
    lab.runner()
        .args(["exec", "--", "true"])
        .run()
        .assert_code(0);
    lab.runner().arg("env").run().assert_code(0);
    assert!(lab.keys().is_empty(), "{:?}", lab.keys());
}

#[test]
fn what_goes_wrong_with_a_page_is_a_warning() {
    let refused = Fault::s3(403, "AccessDenied", "Access Denied");
    for (key, warning) in [
        ("/index.html", "there is no page of this run"),
        ("/state/history.json", "not in the history of runs"),
        ("/runs/index.html", "the page of all runs is not renewed"),
    ] {
        let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on(key, refused.clone()));
        let runner = lab.runner().args(["--steps", "run"]);
        let run = runner
            .args(["--page-url", "https://docs.example.com"])
            .run();
        run.assert_code(0).assert_err_has(&["WARN", warning]);
        let has_page = warning != "there is no page of this run";
        assert_eq!(run.closing()["page"].is_string(), has_page, "{run}");
    }
}

#[test]
fn two_runs_that_end_at_once_are_both_remembered() {
    let lab = Deployment::new(
        Fake::new()
            .on("docs", "wait-for", "go")
            .on("docs", "healthy", ""),
    );
    let start = || {
        lab.runner()
            .args(["--steps", "docs", "--lease", "off"])
            .spawn()
    };
    let mut runs = [start(), start(), start()];
    for (number, running) in runs.iter_mut().enumerate() {
        running.until("dbt to run", |_| lab.scene.fake.calls().len() > number);
    }
    lab.scene.fake.release("go");
    let mut expected: Vec<String> = runs
        .into_iter()
        .map(|running| {
            let run = running.wait();
            run.assert_code(0);
            run_id(&run)
        })
        .collect();
    expected.sort();
    let mut found = ids(&lab);
    found.sort();
    assert_eq!(found, expected);
    let overview = String::from_utf8(lab.bucket.object(OVERVIEW).body).unwrap();
    assert!(expected.iter().all(|id| overview.contains(id.as_str())));
}

#[test]
fn a_history_that_was_written_meanwhile_is_read_again() {
    for (status, code) in [
        (412, "PreconditionFailed"),
        (409, "ConditionalRequestConflict"),
    ] {
        let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
            let pattern = format!("PUT /{bucket}/{HISTORY}");
            proxy.first(2, &pattern, Fault::s3(status, code, "somebody was faster"))
        });
        lab.runner().args(["--steps", "run"]).run().assert_code(0);
        assert_eq!(ids(&lab).len(), 1);
    }
}

#[test]
fn a_malformed_history_is_made_anew_from_the_ledger() {
    let lab = Deployment::healthy();
    let steps = ["--steps", "run"];
    let first = lab.runner().args(steps).run();
    first.assert_code(0);
    for malformed in ["{", "{\"v\": 1, \"runs\": [{\"id\": \"../..\"}]}"] {
        lab.bucket.put(HISTORY, malformed.as_bytes());
        let run = lab.runner().args(steps).run();
        run.assert_code(0).assert_err_has(&["made anew"]);
        let found = ids(&lab);
        assert!(
            found.contains(&run_id(&first)) && found.contains(&run_id(&run)),
            "{found:?}"
        );
    }
    assert_eq!(ids(&lab).len(), 3);
}

#[test]
fn a_history_of_a_later_version_is_left_alone() {
    let lab = Deployment::healthy();
    let later = json!({"v": 2, "runs": "elsewhere"});
    lab.bucket.put(HISTORY, later.to_string().as_bytes());
    let run = lab.runner().args(["--steps", "run"]).run();
    run.assert_code(0)
        .assert_err_has(&["WARN", "later version"]);
    assert_eq!(lab.json(HISTORY), later);
    assert!(!lab.keys().contains(&OVERVIEW.to_owned()));
    assert!(page(&lab, &run).contains("Success"));
}

#[test]
fn a_role_that_may_only_write_begins_a_history_and_never_replaces_one() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        let denied = Fault::s3(403, "AccessDenied", "Access Denied");
        proxy.on(&format!("GET /{bucket}/{HISTORY}"), denied)
    });
    let first = lab.runner().args(["--steps", "run"]).run();
    first.assert_code(0);
    assert_eq!(ids(&lab), [run_id(&first)]);
    let second = lab.runner().args(["--steps", "run"]).run();
    second
        .assert_code(0)
        .assert_err_has(&["WARN", "s3:GetObject on state/*"]);
    assert_eq!(ids(&lab), [run_id(&first)]);
}

#[test]
fn a_page_holds_no_secret_whatever_dbt_says() {
    let name = format!("model.shop.{PASSWORD}");
    let results = json!({"results": [{"unique_id": name, "status": "error",
        "message": format!("login failed for {PASSWORD}\n{}", "x".repeat(3000))}]});
    let fake = Fake::new()
        .on("run", "stderr", format!("{PASSWORD}\n"))
        .on("run", "write", format!("run_results.json {results}"))
        .on("run", "exit", "1");
    let scene = Scene::new(fake);
    let run = scene.runner().args(["--steps", "run"]).run();
    run.assert_code(1).assert_lacks(PASSWORD.as_bytes());
    let page = fs::read_to_string(scene.project.path().join("target/run.html")).unwrap();
    let found = crate::support::sentinel::forms(PASSWORD.as_bytes())
        .iter()
        .any(|form| crate::support::sentinel::holds(page.as_bytes(), form));
    assert!(!found, "the page holds the password");
    assert!(page.contains("login failed for *****"), "{page}");
}

#[test]
fn metrics_are_in_the_closing_line_where_they_are_asked_for() {
    let lab = Deployment::new(failing());
    let run = lab.runner().args(["--metrics", "emf"]).run();
    run.assert_code(1);
    let closing = run.closing();
    assert_eq!(
        closing["_aws"]["CloudWatchMetrics"][0]["Namespace"],
        "dbt-entrypoint"
    );
    assert_eq!(
        (&closing["run_failed"], &closing["run_succeeded"]),
        (&json!(1), &json!(0))
    );
    assert!(closing["duration"].as_f64().unwrap() > 0.0);
    assert_eq!(closing["project"], "shop");
    let summary = lab.json(&format!("shop/runs/{}/summary.json", run_id(&run)));
    assert_eq!(summary, closing);
    let without = lab.runner().args(["--steps", "run"]).run();
    assert_eq!(without.closing().get("_aws"), None);
}
