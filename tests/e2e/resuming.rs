//! The run record, and the run that finishes another one: what is left out, what is run again, and
//! why a run cannot be finished.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::aws::Aws;
use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::Runner;

const STEPS: &str = "run,test,freshness";

/// A project whose run is to be finished, and where it leaves its record.
struct Unfinished {
    scene: Scene,
    place: TempDir,
}

impl Unfinished {
    /// Of three models, one is built, one has failed, one was not begun.
    fn new() -> Self {
        Self::with(
            Fake::one()
                .on(
                    "run",
                    "results",
                    "model.shop.a=success model.shop.b=error model.shop.c=skipped",
                )
                .on("run", "exit", "1")
                // What dbt goes by is gone when the run has ended.
                .on(
                    "retry",
                    "bash",
                    "cp $TMPDIR/dbt-entrypoint-*/run_results.json $FAKE_DBT_DIR",
                )
                .on(
                    "retry",
                    "results",
                    "model.shop.b=success model.shop.c=success",
                ),
        )
    }

    fn with(fake: Fake) -> Self {
        let unfinished = Self {
            scene: Scene::new(fake),
            place: TempDir::new().unwrap(),
        };
        fs::create_dir(unfinished.at("tmp")).unwrap();
        unfinished
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn runner(&self) -> Runner {
        self.scene
            .publishing_runner(&self.at("docs"))
            .env("TMPDIR", self.at("tmp"))
            .env("DBT_ENTRYPOINT_STEPS", STEPS)
            .args(["--engine", "process"])
    }

    fn resume(&self, which: &str) -> Finished {
        self.runner().args(["--resume", which]).run()
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.at("docs").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[track_caller]
    fn json(&self, name: &str) -> Value {
        let path = self.at("docs").join(name);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&content).unwrap()
    }

    /// The commands that dbt was called with, but for those that tell a version.
    fn calls(&self) -> Vec<String> {
        self.scene.fake.steps()
    }
}

fn statuses(results: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut statuses: Vec<_> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(&node["unique_id"]), text(&node["status"])))
        .collect();
    statuses.sort();
    statuses
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(id, status)| ((*id).to_owned(), (*status).to_owned()))
        .collect()
}

#[test]
fn the_record_is_there_before_step_one() {
    let look = "cat $TARGET_PLACE/runs/*/run.json > $FAKE_DBT_DIR/seen; echo '{}' > $1/x.json";
    let unfinished = Unfinished::with(Fake::one().on("run", "bash", look));
    let run = unfinished
        .runner()
        .env("TARGET_PLACE", unfinished.at("docs"))
        .env("GIT_SHA", "5eead41")
        .args(["--vars", &format!("{{a: {PASSWORD}}}")])
        .run();
    run.assert_code(0);
    let seen = fs::read(unfinished.scene.fake.path().join("seen")).unwrap();
    let record: Value = serde_json::from_slice(&seen).unwrap();
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    let mut expected = [
        "v",
        "run_id",
        "started",
        "env",
        "project",
        "attempt",
        "resumes",
        "dbt",
        "fingerprint",
        "steps",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(record["run_id"], run.closing()["run_id"]);
    assert_eq!(record["attempt"], 1);
    assert_eq!(record["resumes"], Value::Null);
    assert_eq!(record["fingerprint"]["git"], "5eead41");
    assert_eq!(record["dbt"]["engine"], "process");
    let command = &record["steps"][0]["command"];
    assert_eq!(record["steps"][0]["n"], 1);
    assert_eq!(*command, json!(["run", "--vars", "{a: *****}"]));
    assert_eq!(run.closing()["resumed"], Value::Null);
}

#[test]
fn a_step_goes_on_with_what_is_left_and_the_whole_is_published() {
    let unfinished = Unfinished::new();
    let first = unfinished.runner().run();
    first.assert_code(1);
    let second = unfinished.resume("last");
    second.assert_code(0);
    let calls = unfinished.calls();
    assert_eq!(calls, ["run", "retry", "test", "source"], "{second}");
    let state = fs::read(unfinished.scene.fake.path().join("run_results.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    let left = pairs(&[
        ("model.shop.a", "success"),
        ("model.shop.b", "error"),
        ("model.shop.c", "skipped"),
    ]);
    assert_eq!(statuses(&state), left);
    assert_eq!(state["args"]["which"], "run");
    let closing = second.closing();
    assert_eq!(
        closing["resumed"],
        json!({"from": run_id(&first), "refused": null})
    );
    let counted = json!({"success": 3, "error": 0, "warn": 0, "skipped": 0});
    assert_eq!(second.step("run")["nodes"], counted);
    let folder = format!("runs/{}", run_id(&second));
    let record = unfinished.json(&format!("{folder}/run.json"));
    assert_eq!(record["attempt"], 2);
    assert_eq!(record["resumes"], run_id(&first));
    assert_eq!(record["steps"][0]["command"], json!(["run"]));
    let whole = unfinished.json(&format!("{folder}/01-run/run_results.json"));
    let expected = ["a", "b", "c"].map(|name| (format!("model.shop.{name}"), "success".to_owned()));
    assert_eq!(statuses(&whole), expected);
    assert!(
        second
            .out()
            .contains(&format!("resumed from {}: ", run_id(&first))),
        "{second}"
    );
    assert!(
        second.out().contains("run: 1 of 3 nodes not run again"),
        "{second}"
    );
}

/// `dbt retry` says "Nothing to do" of a state that it reads in another way, and ends with 0.
#[test]
fn a_retry_that_leaves_nodes_out_is_no_success() {
    for (results, said) in [
        ("model.shop.b=success", "has not run model.shop.c"),
        ("", "has not run model.shop.b, model.shop.c"),
        (
            "model.shop.b=skipped model.shop.c=cancelled",
            "has not run model.shop.b, model.shop.c",
        ),
    ] {
        let fake = Fake::one()
            .on(
                "run",
                "results",
                "model.shop.a=success model.shop.b=error model.shop.c=skipped",
            )
            .on("run", "exit", "1");
        let fake = match results {
            "" => fake,
            results => fake.on("retry", "results", results),
        };
        let unfinished = Unfinished::with(fake);
        unfinished.runner().run().assert_code(1);
        let second = unfinished.resume("last");
        second.assert_code(1).assert_err_has(&[said]);
        assert_eq!(second.step("run")["nodes"]["skipped"], 1, "{second}");
        // It can be finished still.
        unfinished.resume("last");
        assert_eq!(unfinished.calls(), ["run", "retry", "retry"], "{second}");
    }
}

/// What failed in the earlier attempt and has not been reached in this one is not why this one
/// failed.
#[test]
fn a_retry_that_gives_up_says_why_in_its_own_words() {
    for (results, failed) in [
        ("", vec![]),
        ("model.shop.c=error:new", vec!["model.shop.c"]),
    ] {
        let fake = Fake::one()
            .on(
                "run",
                "results",
                "model.shop.a=success model.shop.b=error:old model.shop.c=skipped",
            )
            .on("run", "exit", "1");
        let fake = if results.is_empty() {
            fake.on("retry", "stdout", "Parsing Error: no such macro\n")
        } else {
            fake.on("retry", "results", results)
        };
        let unfinished = Unfinished::with(fake.on("retry", "exit", "2"));
        unfinished.runner().run().assert_code(1);
        let second = unfinished.resume("last");
        second.assert_code(2);
        let closing = second.closing();
        let error = closing["error"].as_str().unwrap_or_default();
        let gave_up = results.is_empty();
        assert_eq!(error.contains("Parsing Error"), gave_up, "{second}");
        let nodes = closing["failed"].as_array().unwrap().iter();
        let nodes: Vec<_> = nodes.map(|node| node["node"].as_str().unwrap()).collect();
        assert_eq!(nodes, failed, "{second}");
        assert!(!second.out().contains("old"), "{second}");
        // The counts are those of all attempts.
        let nodes = &second.step("run")["nodes"];
        assert_eq!(nodes["error"], if gave_up { 1 } else { 2 }, "{second}");
    }
}

#[test]
fn steps_that_are_done_are_not_run_again_and_what_they_left_is_published() {
    let fake = Fake::one()
        .on("source", "bash", "test -e $FAKE_DBT_DIR/mended")
        .on("source", "write", "sources.json {\"results\":[]}");
    let unfinished = Unfinished::with(fake);
    let steps = "run,test,freshness";
    let first = unfinished.runner().env("DBT_ENTRYPOINT_STEPS", steps).run();
    first.assert_code(1);
    fs::write(unfinished.scene.fake.path().join("mended"), "").unwrap();
    let second = unfinished.resume("last");
    second.assert_code(0);
    assert_eq!(unfinished.calls(), ["run", "test", "source", "source"]);
    let expected = pairs(&[
        ("run", "resumed"),
        ("test", "resumed"),
        ("freshness", "success"),
    ]);
    assert_eq!(second.steps(), expected);
    assert_eq!(second.step("run")["nodes"]["success"], 2);
    let folder = format!("runs/{}", run_id(&second));
    for step in ["01-run", "02-test"] {
        unfinished.json(&format!("{folder}/{step}/run_results.json"));
    }
    // Of the last step that ran nodes, in whichever attempt.
    let published = unfinished.json("run_results.json");
    assert_eq!(published["args"]["which"], "test");
}

/// Neither the engine nor the results of an earlier attempt make up what dbt did not tell.
#[test]
fn a_dbt_that_tells_nothing_of_its_nodes_leaves_none_in_a_resumed_step_either() {
    let unfinished = Unfinished::new();
    let first = unfinished.runner().run();
    let second = unfinished.resume("last");
    second.assert_code(0);
    for run in [first, second] {
        let nodes = format!("docs/runs/{}/01-run/nodes.ndjson", run_id(&run));
        assert!(!unfinished.at(&nodes).exists(), "{run}");
        run.assert_err_has(&["tells nothing of its nodes while it runs"]);
    }
}

/// As where the earlier attempt told of its nodes and this one does not, or not of all.
#[test]
fn nodes_that_dbt_has_not_told_of_are_in_the_record_by_their_results() {
    let unfinished = Unfinished::new();
    let first = run_id(&unfinished.runner().run());
    let told = "{\"t\":\"plan\",\"ids\":[\"model.shop.a\",\"model.shop.b\",\"model.shop.c\"]}\n";
    unfinished.write(&format!("runs/{first}/01-run/nodes.ndjson"), told);
    let second = unfinished.resume("last");
    second.assert_code(0);
    let nodes = format!("docs/runs/{}/01-run/nodes.ndjson", run_id(&second));
    let nodes = fs::read_to_string(unfinished.at(&nodes)).unwrap();
    let ends: Vec<_> = nodes
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["t"] == "end")
        .map(|end| (end["id"].clone(), end["status"].clone(), end["s"].clone()))
        .collect();
    let expected = ["a", "b", "c"].map(|node| {
        (
            json!(format!("model.shop.{node}")),
            json!("success"),
            json!(0.1),
        )
    });
    assert_eq!(ends, expected, "{nodes}");
}

#[test]
fn an_attempt_that_fails_is_finished_by_the_next_one() {
    let fake = Fake::one()
        .on(
            "run",
            "results",
            "model.shop.a=success model.shop.b=error model.shop.c=skipped",
        )
        .on("run", "exit", "1")
        .on(
            "retry",
            "bash",
            "if mkdir $FAKE_DBT_DIR/once 2>/dev/null; then echo '{\"results\":[\
             {\"unique_id\":\"model.shop.b\",\"status\":\"success\"},\
             {\"unique_id\":\"model.shop.c\",\"status\":\"error\"}]}' > $1/run_results.json; \
             exit 1; fi; \
             cp $TMPDIR/dbt-entrypoint-*/run_results.json $FAKE_DBT_DIR; echo '{\"results\":[\
             {\"unique_id\":\"model.shop.c\",\"status\":\"success\"}]}' > $1/run_results.json",
        );
    let unfinished = Unfinished::with(fake);
    unfinished.runner().run().assert_code(1);
    let second = unfinished.resume("last");
    second.assert_code(1);
    let counted = json!({"success": 2, "error": 1, "warn": 0, "skipped": 0});
    assert_eq!(second.step("run")["nodes"], counted, "{second}");
    let third = unfinished.resume("last");
    third.assert_code(0);
    let counted = json!({"success": 3, "error": 0, "warn": 0, "skipped": 0});
    assert_eq!(third.step("run")["nodes"], counted, "{third}");
    let state = fs::read(unfinished.scene.fake.path().join("run_results.json")).unwrap();
    let left = pairs(&[
        ("model.shop.a", "success"),
        ("model.shop.b", "success"),
        ("model.shop.c", "error"),
    ]);
    assert_eq!(statuses(&serde_json::from_slice(&state).unwrap()), left);
    let record = unfinished.json(&format!("runs/{}/run.json", run_id(&third)));
    assert_eq!(
        (&record["attempt"], &record["resumes"]),
        (&json!(3), &json!(run_id(&second)))
    );
}

/// A change before the second attempt, and a part of the reason.
#[test]
fn a_run_is_finished_only_if_all_is_as_it_was() {
    type Change = fn(&Unfinished, Runner) -> Runner;
    let changes: [(&str, Change); 10] = [
        ("the project has changed", |unfinished, runner| {
            unfinished.scene.project.write("models/new.sql", "select 1");
            runner
        }),
        ("the target of the profile", |unfinished, runner| {
            let profile = unfinished.scene.project.read("profiles.yml");
            let profile = profile.replace("threads: 2", "threads: 3");
            unfinished.scene.project.write("profiles.yml", profile);
            runner
        }),
        ("the target of the profile", |_, runner| {
            runner.env("DBT_REDSHIFT_PORT", "5440")
        }),
        ("or its schema, has changed", |_, runner| {
            runner.env("DBT_REDSHIFT_SCHEMA", "elsewhere")
        }),
        ("the commands of the steps have changed", |_, runner| {
            runner.args(["--vars", "{a: 1}"])
        }),
        ("the commands of the steps have changed", |_, runner| {
            runner.args(["--full-refresh"])
        }),
        ("the commit (GIT_SHA) has changed", |_, runner| {
            runner.env("GIT_SHA", "another")
        }),
        ("ENV was local and is sandbox now", |_, runner| {
            runner.env("ENV", "sandbox")
        }),
        ("it is a run of another project", |_, runner| {
            runner.env("PROJECT_NAME", "another")
        }),
        ("it began more than 1ms ago", |_, runner| {
            runner.args(["--resume-within", "1ms"])
        }),
    ];
    for (why, change) in changes {
        let unfinished = Unfinished::new();
        let first = run_id(&unfinished.runner().run());
        let second = change(&unfinished, unfinished.runner())
            .args(["--resume", "last"])
            .run();
        let closing = second.closing();
        let refused = closing["resumed"]["refused"].as_str().unwrap_or_default();
        assert!(refused.contains(why), "{why}: {second}");
        assert_eq!(closing["resumed"]["from"], first.as_str());
        assert_eq!(second.step("run")["status"], "failed", "{why}: {second}");
        let third = change(&unfinished, unfinished.runner())
            .args(["--resume", &first])
            .run();
        third
            .assert_code(64)
            .assert_err_has(&[why, &first, "hint: "]);
        assert!(!unfinished.calls().contains(&"retry".to_owned()), "{why}");
    }
}

/// What is the same in both runs, and nobody but dbt can tell what it comes to.
#[test]
fn what_the_runner_cannot_read_may_have_changed() {
    type Doubt = fn(&Unfinished, &str);
    let unread: Doubt = |unfinished, _| {
        let models = unfinished.scene.project.path().join("models");
        fs::create_dir_all(&models).unwrap();
        std::os::unix::fs::symlink("/proc/self/mem", models.join("odd.sql")).unwrap();
    };
    let unrendered: Doubt = |unfinished, schema| {
        let profile = unfinished.scene.project.read("profiles.yml");
        let profile = profile.replace("{{ env_var('DBT_REDSHIFT_SCHEMA') }}", schema);
        unfinished.scene.project.write("profiles.yml", profile);
    };
    for (doubt, schema, why) in [
        (unread, "", "not all of the project could be read"),
        (
            unrendered,
            "{{ schema_of(env_var('WHO')) }}",
            "only dbt can tell",
        ),
        (
            unrendered,
            "{{ env_var('W' ~ 'HO').split('.')[0] }}",
            "only dbt can tell",
        ),
        (
            unrendered,
            "{{ run_started_at.strftime('%d') }}",
            "only dbt can tell",
        ),
    ] {
        let unfinished = Unfinished::new();
        doubt(&unfinished, schema);
        let first = unfinished.runner().env("WHO", "alice.a").run();
        first
            .assert_code(1)
            .assert_err_has(&["this run cannot be resumed: "]);
        let second = unfinished
            .runner()
            .env("WHO", "bob.b")
            .args(["--resume", "last"])
            .run();
        let refused = second.closing()["resumed"]["refused"].to_string();
        assert!(refused.contains(why), "{schema}: {second}");
        assert_eq!(unfinished.calls(), ["run", "run"], "{schema}");
    }
}

/// Whatever only dbt can render, it comes from what the template names, or from nothing at all.
#[test]
fn what_only_dbt_can_render_is_known_by_what_it_comes_from() {
    for (schema, other_refused) in [
        ("{{ env_var('WHO').split('.')[0] }}", true),
        ("{{ env_var( 'WHO' ) | title }}", true),
        ("{{ env_var('WHO', 'x').split('.') | length }}", true),
        ("{{ var('schema', 'public') }}", false),
        ("{{ 1.5 | float }}", false),
    ] {
        let unfinished = Unfinished::new();
        let profile = unfinished.scene.project.read("profiles.yml");
        let profile = profile.replace("{{ env_var('DBT_REDSHIFT_SCHEMA') }}", schema);
        unfinished.scene.project.write("profiles.yml", profile);
        let run = |who: &str, resume: &[&str]| {
            let runner = unfinished.runner().env("WHO", who).args(resume.to_vec());
            runner.run().closing()["resumed"]["refused"].clone()
        };
        run("alice.a", &[]);
        let resume = ["--resume", "last"];
        if other_refused {
            let refused = run("bob.b", &resume).to_string();
            assert!(refused.contains("has changed"), "{schema}: {refused}");
        } else {
            assert_eq!(run("alice.a", &resume), Value::Null, "{schema}");
        }
    }
    let unfinished = Unfinished::new();
    fs::remove_file(unfinished.scene.project.path().join("profiles.yml")).unwrap();
    unfinished.runner().run().assert_code(1);
    let run = unfinished.resume("last");
    assert_eq!(run.closing()["resumed"]["refused"], Value::Null, "{run}");
}

#[test]
fn what_rotates_is_no_reason_to_run_everything() {
    let unfinished = Unfinished::new();
    unfinished.runner().run().assert_code(1);
    let second = unfinished
        .runner()
        .env("DBT_REDSHIFT_PASSWORD", "another-Sentinel-1")
        .args(["--resume", "last"])
        .run();
    second.assert_code(0);
    assert_eq!(
        second.closing()["resumed"]["refused"],
        Value::Null,
        "{second}"
    );
}

#[test]
fn a_run_that_has_succeeded_is_not_finished_once_more() {
    let unfinished = Unfinished::with(Fake::one());
    let first = run_id(&unfinished.runner().run());
    let second = unfinished.resume("last");
    second.assert_code(0);
    let refused = "it has succeeded, and nothing is left to do";
    assert_eq!(
        second.closing()["resumed"],
        json!({"from": first, "refused": refused})
    );
    assert_eq!(unfinished.calls().len(), 6);
    unfinished
        .resume(&first)
        .assert_code(64)
        .assert_err_has(&[refused]);
}

/// What is wrong at the destination; what `last` says of it; the code of a run that asks for it by
/// its ID.
#[test]
fn whatever_is_wrong_with_the_record_everything_is_run() {
    type Fault = fn(&Unfinished, &str);
    let faults: [(&str, i32, Fault); 10] = [
        ("there is no earlier run", 0, |unfinished, _| {
            fs::remove_file(unfinished.at("docs/state/last.json")).unwrap();
        }),
        ("state/last.json is malformed", 0, |unfinished, _| {
            unfinished.write("state/last.json", "{\"v\":1,\"run_id\":");
        }),
        ("state/last.json has version 2", 0, |unfinished, _| {
            unfinished.write("state/last.json", "{\"v\":2}");
        }),
        ("it names no run", 0, |unfinished, _| {
            unfinished.write(
                "state/last.json",
                "{\"v\":1,\"run_id\":\"../x\",\"steps\":[]}",
            );
        }),
        ("it has left no record", 65, |unfinished, run_id| {
            fs::remove_file(unfinished.at(&format!("docs/runs/{run_id}/run.json"))).unwrap();
        }),
        ("record is malformed", 65, |unfinished, run_id| {
            let name = format!("runs/{run_id}/run.json");
            let whole = unfinished.json(&name).to_string();
            unfinished.write(&name, &whole[..whole.len() / 2]);
        }),
        ("record is malformed", 65, |unfinished, run_id| {
            unfinished.write(&format!("runs/{run_id}/run.json"), "{\"v\":1}");
        }),
        ("when the run began", 65, |unfinished, run_id| {
            let name = format!("runs/{run_id}/run.json");
            let mut record = unfinished.json(&name);
            record["started"] = json!("yesterday");
            unfinished.write(&name, &record.to_string());
        }),
        ("version 7", 65, |unfinished, run_id| {
            unfinished.write(&format!("runs/{run_id}/run.json"), "{\"v\":7}");
        }),
        ("record is of another run", 65, |unfinished, run_id| {
            let name = format!("runs/{run_id}/run.json");
            let mut record = unfinished.json(&name);
            record["run_id"] = json!("20200101T000000Z-00000000");
            unfinished.write(&name, &record.to_string());
        }),
    ];
    for (why, code, fault) in faults {
        let unfinished = Unfinished::new();
        let first = run_id(&unfinished.runner().run());
        fault(&unfinished, &first);
        let second = unfinished.resume("last");
        second.assert_code(1);
        let closing = second.closing();
        let refused = closing["resumed"]["refused"].as_str().unwrap_or_default();
        assert!(refused.contains(why), "{why}: {second}");
        assert_eq!(unfinished.calls(), ["run", "run"], "{why}");
        let third = unfinished.resume(&first);
        third.assert_code(code);
        if code != 0 {
            third.assert_err_has(&[why, "hint: "]);
        }
    }
}

/// What is wrong with what a step has left: then all of it is run, and nothing is lost.
#[test]
fn a_step_of_which_nothing_is_known_is_run_in_full() {
    type Fault = fn(&Unfinished, &str);
    let faults: [Fault; 5] = [
        |unfinished, results| fs::remove_file(unfinished.at("docs").join(results)).unwrap(),
        |unfinished, results| unfinished.write(results, "{\"results\":[{\"uni"),
        |unfinished, results| unfinished.write(results, "[]"),
        |unfinished, results| unfinished.write(results, ""),
        |unfinished, results| unfinished.write(results, "{\"results\":{}}"),
    ];
    for fault in faults {
        let unfinished = Unfinished::new();
        let first = run_id(&unfinished.runner().run());
        fault(
            &unfinished,
            &format!("runs/{first}/01-run/run_results.json"),
        );
        let second = unfinished.resume("last");
        second.assert_code(1);
        assert_eq!(
            second.closing()["resumed"]["refused"],
            Value::Null,
            "{second}"
        );
        assert_eq!(unfinished.calls(), ["run", "run"], "{second}");
    }
}

/// Results of a step that was stopped do not say what it had selected.
#[test]
fn a_step_that_was_stopped_is_run_in_full_if_nobody_knows_what_it_had_selected() {
    let fake = Fake::one()
        .on("run", "results", "model.shop.a=success")
        .on("run", "ready", "")
        .on("run", "until-sigint", "2");
    let unfinished = Unfinished::with(fake);
    let mut running = unfinished.runner().spawn();
    running.until("dbt", |_| unfinished.scene.fake.is_ready("run"));
    running.signal(Signal::SIGTERM);
    let first = running.wait();
    first.assert_code(143);
    let mut running = unfinished.runner().args(["--resume", "last"]).spawn();
    running.until("dbt, again", |_| unfinished.calls().len() == 2);
    running.signal(Signal::SIGTERM);
    let second = running.wait();
    assert_eq!(unfinished.calls(), ["run", "run"], "{second}");
    second.assert_err_has(&["run in full, since what it had selected is not known"]);
    first.assert_err_has(&["tells nothing of its nodes while it runs"]);
}

/// Arguments with which `dbt retry` would not do the same.
#[test]
fn a_step_that_retry_does_not_know_is_run_in_full() {
    for (arguments, variable, why) in [
        (
            vec!["--", "--empty"],
            None,
            "dbt retry may not know its argument \"--empty\"",
        ),
        (
            vec!["--", "--defer", "--state", "x"],
            None,
            "dbt retry may not know its argument",
        ),
        (
            vec![],
            Some(("DBT_DEFER", "true")),
            "with DBT_DEFER dbt retry would not do the same",
        ),
    ] {
        let unfinished = Unfinished::new();
        let runner = |more: &[&str]| {
            let runner = unfinished.runner().args(more).args(&arguments);
            match variable {
                Some((name, value)) => runner.env(name, value),
                None => runner,
            }
        };
        runner(&[]).run().assert_code(1);
        let second = runner(&["--resume", "last"]).run();
        second
            .assert_code(1)
            .assert_err_has(&["run in full, since", why]);
        assert_eq!(unfinished.calls(), ["run", "run"]);
    }
}

/// It may be one that has no `retry`, and would fail at each attempt.
#[test]
fn a_dbt_of_unknown_version_is_not_asked_to_retry() {
    let unfinished = Unfinished::new();
    let script = unfinished.at("house-dbt");
    let content = format!("#!/bin/sh\nexec '{}' \"$@\"\n", repo::fake_dbt().display());
    fs::write(&script, content).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let runner = || unfinished.runner().env("DBT_ENTRYPOINT_DBT", &script);
    runner().run().assert_code(1);
    let second = runner().args(["--resume", "last"]).run();
    second
        .assert_code(1)
        .assert_err_has(&["run in full, since nobody knows the version of dbt"]);
    assert_eq!(unfinished.calls(), ["run", "run"], "{second}");
}

#[test]
fn retry_is_called_with_what_the_step_was_called_with() {
    let unfinished = Unfinished::new();
    let arguments = [
        "--select",
        "a",
        "b",
        "--vars",
        "{a: [1, x]}",
        "--target",
        "dev",
        "--threads",
        "3",
        "--full-refresh",
    ];
    unfinished.runner().args(arguments).run().assert_code(1);
    unfinished
        .runner()
        .args(arguments)
        .args(["--resume", "last"])
        .run()
        .assert_code(0);
    let called = unfinished.scene.fake.arguments("retry");
    let expected = [
        "retry",
        "--target",
        "dev",
        "--vars",
        "{a: [1, x]}",
        "--threads",
        "3",
    ];
    assert_eq!(called[..expected.len()], expected);
    assert_eq!(called[expected.len()], "--state");
    let state = fs::read(unfinished.scene.fake.path().join("run_results.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(
        state["args"],
        json!({"which": "run", "command": "run", "vars": {"a": [1, "x"]}, "target": "dev",
            "threads": 3, "full_refresh": true})
    );
    assert!(
        !Path::new(&called[expected.len() + 1]).exists(),
        "what it went by is left behind"
    );
}

#[test]
fn without_a_destination_there_is_nothing_to_finish() {
    let scene = Scene::new(Fake::one());
    let run = scene
        .runner()
        .args(["--resume", "last", "--steps", "run"])
        .run();
    run.assert_code(0);
    let refused = "nothing is published, so no run has left a record";
    assert_eq!(
        run.closing()["resumed"],
        json!({"from": null, "refused": refused})
    );
    let named = scene
        .runner()
        .args(["--resume", "20261122T061442Z-0a1b2c3d"])
        .run();
    named.assert_code(64).assert_err_has(&[refused]);
}

#[test]
fn a_malformed_setting_is_told_before_anything_happens() {
    let scene = Scene::new(Fake::one());
    let run = scene
        .runner()
        .args(["--resume", "yesterday", "--resume-within", "long"])
        .run();
    run.assert_code(64).assert_err_has(&[
        "--resume: \"yesterday\" is neither last nor the ID of a run",
        "--resume-within: \"long\" is not a duration",
    ]);
}

/// On S3: what is denied, or out of reach.
#[test]
fn a_record_that_cannot_be_read_is_not_resumed() {
    let id = "20261122T061442Z-0a1b2c3d";
    for (fault, last, code) in [
        (
            Fault::s3(403, "AccessDenied", "no"),
            "which run was the last one is not known",
            77,
        ),
        (
            Fault::s3(404, "NoSuchKey", "none"),
            "there is no earlier run",
            65,
        ),
    ] {
        let fake = Fake::one();
        let lab = Deployment::with_faults(fake, |proxy, bucket| {
            proxy
                .on(
                    &format!("GET /{bucket}/shop/state/last.json"),
                    fault.clone(),
                )
                .on(&format!("GET /{bucket}/shop/runs/"), fault)
        });
        let run = lab.runner().args(["--resume", "last"]).run();
        run.assert_code(0);
        let refused = &run.closing()["resumed"]["refused"];
        assert!(refused.as_str().unwrap_or_default().contains(last), "{run}");
        let named = lab.runner().args(["--resume", id]).run();
        let hint = if code == 77 {
            "allow s3:GetObject on arn:"
        } else {
            "hint: "
        };
        named.assert_code(code).assert_err_has(&[id, hint]);
        assert_eq!(named.closing()["resumed"]["from"], id);
    }
}

/// Contract of the closing line: `null` only where no run was to be finished.
#[test]
fn a_run_that_ends_before_its_first_step_says_which_one_it_was_to_finish() {
    let id = "20261122T061442Z-0a1b2c3d";
    let lab = Unfinished::new();
    let record = format!("runs/{id}/run.json");
    let missing = lab.resume(id);
    missing.assert_code(65);
    assert_eq!(
        missing.closing()["resumed"],
        json!({"from": id, "refused": "it has left no record"})
    );
    for content in ["[]", "nonsense"] {
        lab.write(&record, content);
        let malformed = lab.resume(id);
        malformed.assert_code(65);
        let resumed = &malformed.closing()["resumed"];
        assert_eq!(resumed["from"], id);
        let refused = resumed["refused"].as_str().unwrap_or_default();
        assert!(refused.contains("malformed"), "{malformed}");
        assert!(!malformed.err().contains("struct"), "{malformed}");
    }
    fs::remove_file(lab.at("docs").join(&record)).unwrap();
    fs::create_dir(lab.at("docs").join(&record)).unwrap();
    let folder = lab.resume(id);
    folder
        .assert_code(65)
        .assert_err_has(&["its record cannot be read", "hint: run without --resume"]);
    let early = lab
        .runner()
        .args(["--resume", "last", "--project-dir", "nowhere"])
        .run();
    let resumed = &early.closing()["resumed"];
    assert_eq!(resumed["from"], Value::Null, "{early}");
    assert!(resumed["refused"].is_string(), "{early}");
}

/// A role may write there and not read, or neither; the run goes on.
#[test]
fn a_record_that_cannot_be_written_is_a_warning() {
    let lab = Deployment::with_faults(Fake::one(), |proxy, bucket| {
        let denied = Fault::s3(403, "AccessDenied", "no");
        proxy
            .on(
                &format!("PUT /{bucket}/shop/state/last.json"),
                denied.clone(),
            )
            .on("/run.json", denied)
    });
    let run = lab.run();
    run.assert_code(0).assert_err_has(&[
        "WARN this run leaves no record, so that it cannot be resumed",
        "WARN the record of this run is incomplete",
    ]);
}

#[test]
fn the_record_is_created_and_never_replaced() {
    let lab = Deployment::healthy();
    let run = lab.run();
    run.assert_code(0);
    let line = format!("/shop/runs/{}/run.json", run_id(&run));
    let log = lab.proxy.log();
    let puts: Vec<_> = log
        .iter()
        .filter(|seen| seen.line.starts_with("PUT") && seen.line.contains(&line))
        .collect();
    assert_eq!(puts.len(), 1);
    assert_eq!(puts[0].request.get("if-none-match"), Some("*"));
}

/// A bucket that may be a stranger's: nothing of it is believed, and the run goes on.
#[test]
fn nothing_is_taken_over_from_a_bucket_whose_owner_is_not_known() {
    let lab = Deployment::with_faults(Fake::one(), |proxy, _| {
        proxy.on("POST / ", Fault::sts(403, "AccessDenied", "no"))
    });
    lab.bucket.put("shop/state/last.json", b"{\"v\":1}");
    let run = lab
        .runner()
        .args(["--resume", "last", "--steps", "run"])
        .run();
    let closing = run.closing();
    let refused = closing["resumed"]["refused"].as_str().unwrap_or_default();
    assert!(refused.contains("may belong to anybody"), "{run}");
    assert_eq!(run.step("run")["status"], "success", "{run}");
    assert_eq!(lab.proxy.count("GET /"), 0, "{run}");
    let id = "20261122T061442Z-0a1b2c3d";
    let named = lab.runner().args(["--resume", id]).run();
    named.assert_code(77);
    named.assert_err_has(&["may belong to anybody", "hint: set --bucket-owner"]);
}

/// The image is part of what has to be the same; on ECS its digest is known.
#[test]
fn another_image_is_another_run() {
    let lab = Deployment::new(
        Fake::one()
            .on("run", "results", "model.shop.a=success model.shop.b=error")
            .on("run", "exit", "1"),
    );
    let run = |image: &str, resume: bool| {
        let container = json!({"ImageID": image, "TaskARN": "x"}).to_string();
        let metadata = FaultProxy::before(Aws::shared()).on(
            "GET /v4/0 ",
            Fault::Answer(Message::new("HTTP/1.1 200 OK").body(container)),
        );
        let address = format!("{}/v4/0", metadata.endpoint());
        let runner = lab.runner().env("ECS_CONTAINER_METADATA_URI_V4", address);
        let runner = runner.args(["--steps", "run"]);
        let runner = if resume {
            runner.args(["--resume", "last"])
        } else {
            runner
        };
        runner.run()
    };
    let first = run("sha256:aa", false);
    let record = lab.json(&format!("shop/runs/{}/run.json", run_id(&first)));
    assert_eq!(record["fingerprint"]["image"], "sha256:aa");
    let second = run("sha256:bb", true);
    assert_eq!(
        second.closing()["resumed"]["refused"],
        "the image has changed",
        "{second}"
    );
    let third = run("sha256:bb", true);
    assert_eq!(
        third.closing()["resumed"]["refused"],
        Value::Null,
        "{third}"
    );
}
