//! Several attempts at one run, each of which fails, or is killed, somewhere else: what one of them
//! has done stays done.
//!
//! Never looks at single nodes: the steps are what counts here.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::fault_proxy::Fault;
use crate::support::processes;
use crate::support::project::Scene;
use crate::support::result::Finished;
use crate::support::runner::Runner;

const STEPS: [&str; 3] = ["deps", "run", "test"];

/// A run of which a step fails, or goes on until it is killed, as long as it is told to.
struct Tried {
    scene: Scene,
    place: TempDir,
}

impl Tried {
    fn new() -> Self {
        let fake = STEPS.into_iter().fold(Fake::one(), |fake, step| {
            let obey = format!(
                "case $(cat $FAKE_DBT_DIR/fate-{step} 2>/dev/null) in fail) exit 1;; \
                 hang) touch $FAKE_DBT_DIR/hangs-{step}; sleep 600;; esac"
            );
            fake.on(step, "bash", obey).on(step, "healthy", "")
        });
        let tried = Self {
            scene: Scene::new(fake),
            place: TempDir::new().unwrap(),
        };
        // Packages that are never there: `deps` has to be run in each attempt.
        tried
            .scene
            .project
            .write("packages.yml", "packages:\n  - git: x\n");
        tried
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn runner(&self) -> Runner {
        self.scene
            .publishing_runner(self.place.path())
            .args(["--engine", "process"])
    }

    /// From now on.
    fn let_it(&self, fate: &str, step: &str) {
        let path = self.scene.fake.path().join(format!("fate-{step}"));
        fs::write(path, fate).unwrap();
        let hangs = self.scene.fake.path().join(format!("hangs-{step}"));
        let _ = fs::remove_file(hangs);
    }

    #[track_caller]
    fn json(&self, name: &str) -> Value {
        let content = fs::read(self.at(name)).unwrap();
        serde_json::from_slice(&content).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let steps = STEPS.join(",");
        self.runner()
            .args(["--steps", &steps])
            .args(arguments)
            .run()
    }

    /// Kills a run, with all that it has started, when it comes to a step that hangs. Returns its
    /// ID, and what it has called.
    fn kill_at(&self, step: &str, arguments: &[&str]) -> String {
        self.let_it("hang", step);
        let before = self.runs();
        let steps = STEPS.join(",");
        let mut running = self
            .runner()
            .args(["--steps", &steps])
            .args(arguments)
            .spawn();
        let hangs = self.scene.fake.path().join(format!("hangs-{step}"));
        let index = STEPS.iter().position(|name| *name == step).unwrap();
        let id = || self.runs().into_iter().find(|id| !before.contains(id));
        running.until("the step, and the record of those before it", |_| {
            hangs.exists() && id().is_some_and(|id| self.ends(&id).iter().take(index).all(is_done))
        });
        let id = id().unwrap();
        processes::kill_all(running.marker());
        let killed = running.wait();
        assert_eq!(killed.code, None, "{killed}");
        self.let_it("pass", step);
        id
    }

    fn runs(&self) -> Vec<String> {
        let runs = fs::read_dir(self.at("runs")).into_iter().flatten();
        let names = runs.map(|run| run.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.contains('.')).collect()
    }

    fn ends(&self, id: &str) -> Vec<Value> {
        let content = fs::read(self.at(&format!("runs/{id}/steps.json"))).unwrap_or_default();
        let ends: Value = serde_json::from_slice(&content).unwrap_or_default();
        ends["steps"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![Value::Null])
    }

    /// What dbt was called for since the last time.
    fn calls(&self) -> String {
        let steps = self.scene.fake.steps().join(" ");
        let _ = fs::remove_file(self.scene.fake.path().join("log"));
        steps
    }
}

fn is_done(end: &Value) -> bool {
    matches!(end["status"].as_str(), Some("success" | "resumed"))
}

fn statuses(run: &Finished) -> String {
    let statuses: Vec<String> = run.steps().into_iter().map(|(_, status)| status).collect();
    statuses.join(" ")
}

#[test]
fn an_attempt_that_fails_or_is_killed_early_loses_nothing_of_what_was_done_before() {
    for is_killed in [false, true] {
        let tried = Tried::new();
        tried.let_it("fail", "test");
        tried.run(&[]).assert_code(1);
        for _ in 0..2 {
            if is_killed {
                tried.kill_at("deps", &["--resume", "last"]);
            } else {
                tried.let_it("fail", "deps");
                let failed = tried.run(&["--resume", "last"]);
                assert_eq!(statuses(&failed), "failed skipped skipped", "{failed}");
                tried.let_it("pass", "deps");
            }
        }
        tried.let_it("pass", "test");
        tried.calls();
        let last = tried.run(&["--resume", "last"]);
        last.assert_code(0);
        assert_eq!(tried.calls(), "deps test", "{is_killed}: {last}");
        assert_eq!(statuses(&last), "success resumed success", "{last}");
        assert_eq!(last.step("run")["nodes"]["success"], 2, "{last}");
        assert!(last.out().contains("not run again: run"), "{last}");
    }
}

#[test]
fn a_run_that_was_killed_is_finished_also_if_it_is_not_the_last_any_more() {
    for others in [
        vec![],
        vec![None],
        vec![Some("test")],
        vec![None, Some("test")],
    ] {
        let tried = Tried::new();
        let first = tried.kill_at("test", &[]);
        for killed_at in &others {
            match killed_at {
                // Another run in between.
                None => drop(tried.run(&["--", "--select", "a"])),
                Some(step) => drop(tried.kill_at(step, &["--resume", &first])),
            }
        }
        tried.calls();
        let last = tried.run(&["--resume", &first]);
        last.assert_code(0);
        assert_eq!(tried.calls(), "deps test", "{others:?}: {last}");
        assert_eq!(statuses(&last), "success resumed success", "{last}");
    }
}

/// What is at the destination, what dbt is called for then, and what the log says.
#[test]
fn where_nobody_knows_how_the_steps_ended_they_are_run_and_the_log_says_so() {
    const UNKNOWN: &str = "how the steps of";
    let earlier_version = |id: &str| {
        let done = json!({"status": "success", "exit_code": 0});
        json!({"v": 1, "run_id": id, "steps": [done, done]}).to_string()
    };
    for (ends, last, expected, said) in [
        (None, None, "deps run test", UNKNOWN),
        (
            Some("{\"v\":1,\"ste"),
            None,
            "deps run test",
            "steps.json of",
        ),
        (Some("{\"v\":7}"), None, "deps run test", "has version 7"),
        (
            Some("{\"v\":1,\"steps\":[]}"),
            None,
            "deps run test",
            "resuming",
        ),
        (
            None,
            Some(earlier_version as fn(&str) -> String),
            "deps test",
            "resuming",
        ),
    ] {
        let tried = Tried::new();
        let id = tried.kill_at("test", &[]);
        let path = tried.at(&format!("runs/{id}/steps.json"));
        match ends {
            Some(content) => fs::write(path, content).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        if let Some(last) = last {
            fs::write(tried.at("state/last.json"), last(&id)).unwrap();
        }
        tried.calls();
        let run = tried.run(&["--resume", "last"]);
        run.assert_code(0).assert_err_has(&[said]);
        assert_eq!(tried.calls(), expected, "{ends:?}: {run}");
        assert_eq!(run.closing()["resumed"]["from"], json!(id));
        assert_ne!(run_id(&run), id);
    }
}

/// The file of a step that is done, as it is found, whether its nodes have told of themselves, what
/// dbt is called for then, and how many nodes of the step count.
#[test]
fn results_that_cannot_be_read_are_made_anew_or_the_step_is_run_again() {
    type Fault = fn(&[u8]) -> Option<Vec<u8>>;
    let missing: Fault = |_| None;
    let cut: Fault = |whole| Some(whole[..whole.len() / 2].to_vec());
    let other: Fault = |_| Some(b"[]".to_vec());
    // More than one model has, and less than what a step may leave.
    let large: Fault = |whole| {
        let mut results: Value = serde_json::from_slice(whole).unwrap();
        results["results"][0]["compiled_code"] = json!("x".repeat(70 << 20));
        Some(results.to_string().into_bytes())
    };
    for (fault, is_told, expected) in [
        (missing, false, "deps run test"),
        (missing, true, "deps test"),
        (cut, false, "deps run test"),
        (cut, true, "deps test"),
        (other, false, "deps run test"),
        (large, false, "deps test"),
    ] {
        let tried = Tried::new();
        tried.let_it("fail", "test");
        let first = tried.run(&[]);
        let folder = tried.at(&format!("runs/{}/02-run", run_id(&first)));
        let path = folder.join("run_results.json");
        let whole = fs::read(&path).unwrap();
        match fault(&whole) {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        if is_told {
            let results: Value = serde_json::from_slice(&whole).unwrap();
            let nodes = results["results"].as_array().unwrap();
            let ids: Vec<&Value> = nodes.iter().map(|node| &node["unique_id"]).collect();
            let mut lines = json!({"t": "plan", "ids": ids}).to_string();
            for id in ids {
                let end = json!({"t": "end", "id": id, "status": "success"});
                lines = format!("{lines}\n{end}");
            }
            fs::write(folder.join("nodes.ndjson"), lines).unwrap();
        }
        tried.let_it("pass", "test");
        tried.calls();
        let second = tried.run(&["--resume", "last", "--publish", "always"]);
        second.assert_code(0);
        assert_eq!(tried.calls(), expected, "{is_told}: {second}");
        assert_eq!(second.step("run")["nodes"]["success"], 2, "{second}");
        if expected == "deps run test" {
            second.assert_err_has(&["WARN step run: run in full, since an earlier attempt has"]);
        }
        let results = format!("runs/{}/02-run/run_results.json", run_id(&second));
        assert_eq!(tried.json(&results)["results"].as_array().unwrap().len(), 2);
        tried.json("run_results.json");
    }
}

/// Of a dbt that tells nothing of its nodes, the results of one attempt say what was selected, and
/// those of the next attempts are put together with them.
#[test]
fn what_a_step_had_selected_stays_known_though_the_next_attempt_is_stopped_or_killed() {
    let results = "model.shop.a=success model.shop.b=error model.shop.c=skipped";
    let wait = "mkdir $FAKE_DBT_DIR/once || exit 0; touch $FAKE_DBT_DIR/waits; sleep 600";
    for (signal, code) in [(Some(Signal::SIGTERM), Some(143)), (None, None)] {
        let fake = Fake::one()
            .on("run", "results", results)
            .on("run", "exit", "1")
            .on("retry", "bash", wait)
            .on(
                "retry",
                "results",
                "model.shop.b=success model.shop.c=success",
            );
        let scene = Scene::new(fake);
        let place = TempDir::new().unwrap();
        let runner = || {
            let runner = scene.publishing_runner(place.path());
            runner.args(["--engine", "process", "--steps", "run", "--resume", "last"])
        };
        runner().run().assert_code(1);
        let mut running = runner().spawn();
        let waits = scene.fake.path().join("waits");
        running.until("dbt", |_| waits.exists());
        match signal {
            Some(signal) => running.signal(signal),
            None => processes::kill_all(running.marker()),
        }
        let ended = running.wait();
        assert_eq!(ended.code, code, "{ended}");
        let last = runner().run();
        last.assert_code(0);
        assert_eq!(scene.fake.steps(), ["run", "retry", "retry"], "{last}");
        assert_eq!(last.step("run")["nodes"]["success"], 3, "{last}");
    }
}

/// Else a later run would go on with the run before, whose nodes this one has built anew.
#[test]
fn a_run_becomes_the_last_one_as_soon_as_that_can_be_written() {
    let denied = Fault::s3(403, "AccessDenied", "no");
    // One without an answer is given up when the lease would have ended, had it not been renewed.
    for (fault, ttl) in [(denied, "90s"), (Fault::Hold, "3s")] {
        let fake = Fake::new()
            .on("test", "ready", "")
            .on("test", "wait-for", "go");
        let lab = Deployment::with_faults(fake, |proxy, bucket| {
            proxy.first(1, &format!("PUT /{bucket}/shop/state/last.json"), fault)
        });
        let mut running = lab.runner().args(["--lease-ttl", ttl]).spawn();
        running.until("a step", |_| lab.scene.fake.is_ready("test"));
        let last = "shop/state/last.json".to_owned();
        assert!(!lab.keys().contains(&last));
        running.until("the second time", |_| lab.keys().contains(&last));
        let id = lab.json(&last)["run_id"].clone();
        fs::write(lab.scene.fake.path().join("go"), "").unwrap();
        lab.proxy.release();
        let run = running.wait();
        run.assert_code(0);
        assert_eq!(id, json!(run_id(&run)));
    }
}

/// Else the run before it would be finished, though this one has changed what that had done.
#[test]
fn a_run_that_ends_soon_becomes_the_last_one_at_its_end() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        let denied = Fault::s3(403, "AccessDenied", "no");
        proxy.first(1, &format!("PUT /{bucket}/shop/state/last.json"), denied)
    });
    let run = lab.runner().args(["--steps", "deps"]).run();
    run.assert_code(0);
    let last = lab.json("shop/state/last.json");
    assert_eq!(last["run_id"], json!(run_id(&run)), "{run}");
}

/// The page and the closing line are worth more to whoever has stopped a run.
#[test]
fn a_record_that_hangs_does_not_use_up_the_time_of_a_run_that_is_stopped() {
    let lab = Deployment::with_faults(Fake::new().on("deps", "until-sigint", "2"), |proxy, _| {
        proxy.on("/shop/state/last.json", Fault::Hold)
    });
    let mut running = lab.runner().spawn();
    running.until("the write that hangs", |_| {
        lab.proxy.count("/shop/state/last.json") > 0
            && lab.keys().iter().any(|key| key.ends_with("/steps.json"))
    });
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    assert!(run.elapsed < Duration::from_secs(20), "{run}");
    let summary = format!("shop/runs/{}/summary.json", run_id(&run));
    assert!(lab.keys().contains(&summary), "{run}");
    lab.proxy.release();
}

/// Killed between the two, a run would have a step that is done and has left nothing.
#[test]
fn a_step_counts_as_done_only_when_its_results_are_there() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, _| {
        proxy.on("03-run/run_results.json", Fault::Hold)
    });
    let mut running = lab.runner().spawn();
    let ends = |id: &str| lab.json(&format!("shop/runs/{id}/steps.json"))["steps"].clone();
    let id = || {
        let log = lab.proxy.log();
        let done = log.iter().filter(|seen| seen.status == 200);
        let mut keys = done.filter_map(|seen| seen.line.split("/shop/runs/").nth(1));
        keys.find_map(|key| Some(key.split_once("/steps.json")?.0.to_owned()))
    };
    running.until("the end of a later step", |_| {
        id().is_some_and(|id| is_done(&ends(&id)[3]))
    });
    assert_eq!(ends(&id().unwrap())[2], Value::Null);
    lab.proxy.release();
    let run = running.wait();
    run.assert_code(0);
    assert!(is_done(&ends(&run_id(&run))[2]), "{run}");
}
