//! One run at a time: who holds the lease, who waits for it, who loses it, and what becomes of it
//! however a run ends.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::aws::Aws;
use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::Scene;
use crate::support::result::Finished;
use crate::support::runner::{Runner, Running};

/// Which run was the last one.
const LAST: &str = "shop/state/last.json";
const KEY: &str = "shop/state/lease.json";
const OTHER: &str = "20261122T061442Z-0a1b2c3d";

/// A lab whose step `run` works until it gets SIGINT.
fn lab() -> Deployment {
    Deployment::new(Fake::new().on("run", "until-sigint", "2"))
}

fn lease(lab: &Deployment) -> Value {
    lab.json(KEY)
}

fn plant(lab: &Deployment, holder: &Value, ttl: u64) {
    let record = json!({"v": 1, "holder": holder, "task": "some host",
        "since": "2026-11-22T06:14:42Z", "seq": 7, "ttl": ttl});
    lab.bucket.put(KEY, record.to_string().as_bytes());
}

/// A run in the middle of its step `run`.
fn working(lab: &Deployment, runner: Runner) -> Running {
    let mut running = runner.spawn();
    running.until("dbt to work", |_| lab.scene.fake.is_ready("run"));
    running
}

#[track_caller]
fn assert_free(lab: &Deployment) {
    assert_eq!(lease(lab)["holder"], Value::Null);
}

fn error(run: &Finished) -> String {
    run.closing()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_deployment_holds_it_from_before_step_one_until_everything_is_published() {
    let lab = lab();
    let running = working(&lab, lab.runner());
    let held = lease(&lab);
    running.signal(Signal::SIGTERM);
    let run = running.wait();
    run.assert_code(143);
    let id = run_id(&run);
    assert_eq!(held["v"], 1);
    assert_eq!(held["holder"], id);
    assert_eq!(held["ttl"], 90);
    assert!(
        held["task"].as_str().is_some_and(|task| !task.is_empty()),
        "{held}"
    );
    let since = held["since"].as_str().unwrap().replace(['-', ':'], "");
    assert_eq!(since.len(), 16, "{since}");
    // Each a moment later than the one before, perhaps in another second.
    let stopped = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    assert!(id[..16] <= *since && since <= stopped.replace(['-', ':'], ""));
    assert_free(&lab);
    assert!(lease(&lab)["seq"].as_u64() > held["seq"].as_u64());
    // The order of a whole run.
    let lab = Deployment::healthy();
    lab.run().assert_code(0);
    let uploads = lab.uploads();
    assert_eq!(
        (uploads[0].as_str(), uploads.last().unwrap().as_str()),
        (KEY, KEY)
    );
    assert!(
        uploads[uploads.len() - 2].ends_with("/summary.json"),
        "{uploads:?}"
    );
}

#[test]
fn on_ecs_it_names_the_task() {
    let arn = "arn:aws:ecs:eu-north-1:123456789012:task/dbt/0a1b";
    let task = json!({"Cluster": "dbt", "TaskARN": arn});
    let metadata = FaultProxy::before(Aws::shared()).on(
        "/task",
        Fault::Answer(Message::new("HTTP/1.1 200 OK").body(task.to_string())),
    );
    let lab = Deployment::healthy();
    let runner = lab
        .runner()
        .env("ECS_CONTAINER_METADATA_URI_V4", metadata.endpoint());
    runner.run().assert_code(0);
    assert_eq!(lease(&lab)["task"], arn);
    assert_eq!(metadata.count("/task"), 1, "asked once");
}

#[test]
fn a_sandbox_has_none_and_neither_has_a_run_that_wants_none() {
    let lab = Deployment::healthy();
    let destination = format!("s3://{}/shop", lab.bucket.name);
    let sandbox = lab
        .runner()
        .env("ENV", "mine")
        .args(["--destination", &destination]);
    sandbox.run().assert_code(0);
    lab.runner().args(["--lease", "off"]).run().assert_code(0);
    lab.runner()
        .args(["--publish", "never"])
        .run()
        .assert_code(0);
    assert!(!lab.keys().contains(&KEY.to_owned()), "{:?}", lab.keys());
    let spelt_out = lab
        .runner()
        .env("ENV", "mine")
        .env("DBT_ENTRYPOINT_LEASE", "on");
    spelt_out
        .args(["--destination", &destination])
        .run()
        .assert_code(0);
    assert_free(&lab);
}

#[test]
fn the_second_run_is_refused_with_the_name_of_the_first() {
    let lab = lab();
    let running = working(&lab, lab.runner());
    let held = lease(&lab);
    let second = lab.run();
    second.assert_code(75);
    let message = error(&second);
    for part in ["holder", "task", "since"].map(|key| held[key].as_str().unwrap()) {
        assert!(message.contains(part), "{message} lacks {part}");
    }
    assert_eq!(second.closing()["status"], "error");
    assert!(
        second.steps().iter().all(|(_, status)| status == "skipped"),
        "{second}"
    );
    second.assert_err_has(&[
        "error: the lease s3://",
        "hint: try again later",
        "lease break",
    ]);
    assert_eq!(lease(&lab)["holder"], held["holder"]);
    assert_eq!(
        lab.scene.fake.steps(),
        ["deps", "debug", "run"],
        "of the first run alone"
    );
    running.signal(Signal::SIGTERM);
    running.wait().assert_code(143);
}

#[test]
fn a_run_that_may_wait_begins_when_the_first_one_ends() {
    let lab = lab();
    let running = working(&lab, lab.runner());
    let mut second = lab
        .runner()
        .args(["--lease-wait", "2m", "--steps", "deps"])
        .spawn();
    second.until("the second to wait", |second| {
        second.stderr().contains("waiting up to 2m")
    });
    running.signal(Signal::SIGTERM);
    let first = running.wait();
    let second = second.wait();
    second
        .assert_code(0)
        .assert_err_has(&[&run_id(&first), "took the lease"]);
    assert_free(&lab);
}

#[test]
fn whoever_waits_gives_up_when_its_time_has_passed_or_a_signal_comes() {
    let lab = Deployment::healthy();
    plant(&lab, &json!(OTHER), 600);
    let run = lab.runner().args(["--lease-wait", "3s"]).run();
    run.assert_code(75);
    assert!(run.elapsed > Duration::from_secs(3), "{run}");
    let mut waiting = lab.runner().args(["--lease-wait", "10m"]).spawn();
    waiting.until("it to wait", |run| {
        run.stderr().contains("waiting up to 10m")
    });
    let sent = Instant::now();
    waiting.signal(Signal::SIGTERM);
    waiting.wait().assert_code(143);
    assert!(sent.elapsed() < Duration::from_secs(5), "at once");
    let deadline = lab
        .runner()
        .args(["--lease-wait", "10m", "--deadline", "2s"])
        .run();
    deadline.assert_code(124);
    assert_eq!(lease(&lab)["seq"], 7, "untouched");
}

#[test]
fn a_run_that_was_killed_is_followed_after_its_ttl() {
    let lab = lab();
    let running = working(&lab, lab.runner().args(["--lease-ttl", "6s"]));
    let holder = lease(&lab)["holder"].as_str().unwrap().to_owned();
    running.signal(Signal::SIGKILL);
    let killed = Instant::now();
    drop(running);
    lab.runner().run().assert_code(75);
    let next = lab
        .runner()
        .args(["--lease-wait", "1m", "--steps", "deps"])
        .run();
    next.assert_code(0);
    let after = killed.elapsed();
    // The unit tests measure it closer; here a whole program starts twice, beside others.
    assert!(
        (5..30).contains(&after.as_secs()),
        "{after:?} after its end"
    );
    next.assert_err_has(&["WARN took over the lease", &holder]);
    assert_free(&lab);
}

#[test]
fn it_is_renewed_every_third_of_its_ttl_while_steps_run_and_while_publishing() {
    let publishing = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!("PUT /{bucket}/shop/index.html"), Fault::Hold)
    });
    let with_step = lab();
    for lab in [&with_step, &publishing] {
        let seq = || {
            // Looking without a pause would keep the local AWS from its work.
            std::thread::sleep(Duration::from_millis(200));
            lease(lab)["seq"].as_u64().unwrap_or(0)
        };
        let mut running = lab.runner().args(["--lease-ttl", "6s"]).spawn();
        running.until("the step, or the docs", |_| {
            lab.scene.fake.is_ready("run") || lab.proxy.count("index.html") > 0
        });
        let (before, began) = (seq(), Instant::now());
        running.until("three renewals", |_| seq() > before + 2);
        let third = began.elapsed() / 3;
        assert!((1400..3500).contains(&third.as_millis()), "{third:?}");
        lab.proxy.release();
        running.signal(Signal::SIGTERM);
        running.wait();
        assert_free(lab);
    }
}

#[test]
fn a_run_that_loses_it_stops_its_step_and_publishes_no_docs() {
    for (holder, word) in [
        (
            json!(OTHER),
            "taken over by the run 20261122T061442Z-0a1b2c3d",
        ),
        (Value::Null, "taken away"),
    ] {
        let fake = Fake::new().on("test", "until-sigint", "2 500");
        let lab = Deployment::new(fake);
        let runner = lab
            .runner()
            .args(["--lease-ttl", "6s", "--publish", "always"]);
        let mut running = runner.spawn();
        running.until("dbt to work", |_| lab.scene.fake.is_ready("test"));
        plant(&lab, &holder, 90);
        let last = json!({"v": 1, "run_id": OTHER, "steps": []});
        lab.bucket.put(LAST, last.to_string().as_bytes());
        let run = running.wait();
        run.assert_code(75).assert_nothing_left();
        assert_eq!(lab.json(LAST), last, "another run is the last one now");
        let closing = run.closing();
        assert_eq!(
            (&closing["status"], &closing["published"]),
            (&json!("error"), &json!(0))
        );
        assert!(error(&run).contains(word), "{run}");
        assert_eq!(run.step("test")["status"], "cancelled");
        assert_eq!(run.step("docs")["status"], "skipped");
        let signals = lab.scene.fake.signals("test");
        assert_eq!(signals.len(), 1, "{signals:?}");
        assert_eq!(signals[0].0, "SIGINT");
        assert!(lab.docs().is_empty(), "{:?}", lab.docs());
        let id = run_id(&run);
        // By then another run may be the last one.
        run.assert_err_has(&["nothing more is published", &format!("--resume {id} ")]);
        let ledger = lab.ledger(&id);
        assert!(ledger.contains(&"summary.json".to_owned()), "{ledger:?}");
        assert_eq!(
            lease(&lab)["holder"],
            holder,
            "another's lease is not given back"
        );
    }
}

/// As when a machine stands still: the step ends, and the lease is another run's by then.
#[test]
fn a_run_that_could_not_renew_it_is_not_the_last_run_any_more() {
    let fake = Fake::new()
        .on("run", "ready", "")
        .on("run", "wait-for", "go")
        .on("run", "healthy", "");
    let lab = Deployment::new(fake);
    let mut running = lab.runner().args(["--lease-ttl", "3s"]).spawn();
    running.until("dbt to work", |_| lab.scene.fake.is_ready("run"));
    running.signal(Signal::SIGSTOP);
    plant(&lab, &json!(OTHER), 90);
    let last = json!({"v": 1, "run_id": OTHER, "steps": []});
    lab.bucket.put(LAST, last.to_string().as_bytes());
    std::fs::write(lab.scene.fake.path().join("go"), "").unwrap();
    std::thread::sleep(Duration::from_secs(4));
    running.signal(Signal::SIGCONT);
    let run = running.wait();
    run.assert_code(75).assert_nothing_left();
    assert_eq!(run.step("run")["status"], "success", "{run}");
    assert_eq!(lab.json(LAST), last);
}

#[test]
fn a_run_that_loses_it_while_publishing_publishes_no_more() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!("PUT /{bucket}/shop/catalog.json"), Fault::Hold)
    });
    let mut running = lab.runner().args(["--lease-ttl", "6s"]).spawn();
    running.until("the docs", |_| lab.proxy.count("catalog.json") > 0);
    plant(&lab, &json!(OTHER), 90);
    let run = running.wait();
    run.assert_code(75);
    assert_eq!(run.closing()["status"], "error");
    assert!(error(&run).contains("was lost"), "{run}");
    assert!(!lab.docs().contains(&"shop/index.html".to_owned()));
    assert!(
        lab.ledger(&run_id(&run))
            .contains(&"summary.json".to_owned())
    );
    lab.proxy.release();
}

#[test]
fn without_s3_a_run_goes_on_for_its_ttl_and_then_stops() {
    let lab = Deployment::with_faults(
        Fake::new().on("run", "until-sigint", "2"),
        |proxy, bucket| {
            let lease = format!("/{bucket}/{KEY}");
            // Taken by the first write; whatever comes later fails.
            proxy
                .after(1, &format!("PUT {lease}"), Fault::s3(503, "SlowDown", "no"))
                .after(1, &format!("GET {lease}"), Fault::s3(503, "SlowDown", "no"))
        },
    );
    let started = Instant::now();
    let run = lab.runner().args(["--lease-ttl", "3s"]).run();
    run.assert_code(75);
    assert!(started.elapsed() > Duration::from_secs(3));
    assert!(
        error(&run).contains("was not renewed for its TTL of 3 s"),
        "{run}"
    );
    run.assert_err_has(&["WARN cannot renew the lease"]);
    assert_eq!(run.step("run")["status"], "cancelled");
}

#[test]
fn s3_out_of_reach_at_the_start_is_69() {
    for fault in [Fault::s3(503, "SlowDown", "slow down"), Fault::Reset] {
        let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on(KEY, fault));
        let run = lab.run();
        run.assert_code(69)
            .assert_err_has(&["error: the lease s3://", "--lease off"]);
        assert!(lab.scene.fake.steps().is_empty());
    }
}

#[test]
fn a_role_that_may_not_use_it_is_told_so_and_refused_only_if_it_is_spelt_out() {
    for (method, action) in [("GET", "s3:GetObject"), ("PUT", "s3:PutObject")] {
        let denied = || Fault::s3(403, "AccessDenied", "Access Denied");
        let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
            proxy.on(&format!("{method} /{bucket}/{KEY}"), denied())
        });
        let run = lab.run();
        run.assert_code(0)
            .assert_err_has(&["WARN this run holds no lease", action, KEY]);
        let run = lab.runner().args(["--lease", "on"]).run();
        run.assert_code(77).assert_err_has(&[action, KEY]);
        assert_eq!(run.closing()["status"], "error");
    }
}

#[test]
fn without_knowing_whose_bucket_it_is_nothing_is_read() {
    let denied = || Fault::s3(403, "AccessDenied", "sts:GetCallerIdentity");
    let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on("POST / ", denied()));
    let run = lab.runner().args(["--lease", "on"]).run();
    run.assert_code(77)
        .assert_err_has(&["may belong to anybody", "--bucket-owner"]);
    assert!(lab.scene.fake.steps().is_empty());
    assert_eq!(lab.proxy.count(KEY), 0);
}

#[test]
fn it_is_given_back_however_a_run_ends() {
    let cases: [(&str, Fake, &[&str], i32); 4] = [
        ("a failure", Fake::new().on("run", "exit", "1"), &[], 1),
        (
            "the deadline",
            Fake::new().on("run", "until-sigint", "2"),
            &["--deadline", "5s"],
            124,
        ),
        ("a missing dbt", Fake::new(), &["--dbt", "no-such-dbt"], 127),
        (
            "docs that are missing",
            Fake::new().on("docs", "exit", "0"),
            &[],
            74,
        ),
    ];
    for (name, fake, arguments, code) in cases {
        let lab = Deployment::new(fake);
        let run = lab.runner().args(arguments).run();
        run.assert_code(code);
        assert_free(&lab);
        assert!(run.elapsed < Duration::from_secs(30), "{name}");
    }
}

#[test]
fn whatever_lies_in_its_place_is_respected_for_a_ttl_and_then_taken_over() {
    let huge = " ".repeat(70_000);
    let odd = ["", "{\"v\":1,\"hol", "{\"v\":2,\"holder\":\"x\"}", &huge];
    for content in odd {
        let lab = Deployment::healthy();
        lab.bucket.put(KEY, content.as_bytes());
        let run = lab.run();
        run.assert_code(75)
            .assert_err_has(&["error: the lease s3://", "lease break"]);
        let run = lab
            .runner()
            .args(["--lease-ttl", "3s", "--lease-wait", "1m", "--steps", "deps"])
            .run();
        run.assert_code(0)
            .assert_err_has(&["WARN took over the lease"]);
        assert_free(&lab);
    }
}

/// Nothing but the wrong name is known of it.
#[test]
fn an_object_that_was_never_a_lease_is_left_alone_where_the_user_names_it() {
    let lab = Deployment::healthy();
    let address = format!("s3://{}/data/orders.json", lab.bucket.name);
    let orders = r#"[{"order":1}]"#;
    lab.bucket.put("data/orders.json", orders.as_bytes());
    std::thread::sleep(Duration::from_secs(3));
    for command in [&["run", "--lease-ttl", "1s"][..], &["lease", "break"]] {
        let run = lab.runner().args(command).args(["--lease", &address]).run();
        run.assert_code(64)
            .assert_err_has(&["is no lease", &address, "hint: name another object"]);
    }
    assert_eq!(lab.json("data/orders.json"), json!([{"order": 1}]));
    // Made beforehand for this, as with `touch`, or cut off.
    for content in [&b""[..], br#"{"v":1,"holder":"oth"#] {
        lab.bucket.put("data/orders.json", content);
        std::thread::sleep(Duration::from_secs(3));
        let run = lab
            .runner()
            .args(["--lease-ttl", "1s", "--lease", &address]);
        run.args(["--steps", "deps"]).run().assert_code(0);
    }
}

#[test]
fn two_projects_that_write_one_schema_name_the_same_key() {
    let lab = lab();
    let other = Deployment::healthy();
    let address = format!("s3://{}/shared/lease.json", lab.bucket.name);
    let running = working(&lab, lab.runner().args(["--lease", &address]));
    let second = other.runner().env("DBT_ENTRYPOINT_LEASE", &address).run();
    second.assert_code(75);
    assert!(error(&second).contains(&address), "{second}");
    let destination = ["--lease", address.as_str(), "--publish", "never"];
    other
        .runner()
        .env("ENV", "mine")
        .args(destination)
        .run()
        .assert_code(75);
    running.signal(Signal::SIGTERM);
    running.wait().assert_code(143);
    assert_eq!(lab.json("shared/lease.json")["holder"], Value::Null);
    assert!(!lab.keys().contains(&KEY.to_owned()));
}

#[test]
fn a_directory_has_one_too_if_it_is_asked_for() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "2"));
    let folder = tempfile::TempDir::new().unwrap();
    let destination = format!("file://{}", folder.path().display());
    let file = folder.path().join("state/lease.json");
    let runner = || {
        scene
            .runner()
            .args(["--lease-ttl", "4s", "--destination", &destination])
    };
    runner().args(["--steps", "deps"]).run().assert_code(0);
    assert!(!file.exists(), "not by default");
    let mut running = runner().args(["--lease", "on"]).spawn();
    running.until("dbt to work", |_| scene.fake.is_ready("run"));
    runner().args(["--lease", "on"]).run().assert_code(75);
    running.signal(Signal::SIGKILL);
    drop(running);
    let next = runner()
        .args(["--lease", "on", "--lease-wait", "1m", "--steps", "deps"])
        .run();
    next.assert_code(0)
        .assert_err_has(&["WARN took over the lease file:///"]);
    let record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(record["holder"], Value::Null);
}

#[test]
fn it_can_be_seen_and_taken_away() {
    let lab = lab();
    let show = |format: &str| {
        let run = lab
            .runner()
            .args(["lease", "show", "--log-format", format])
            .run();
        run.assert_code(0);
        run.out()
    };
    assert!(show("text").contains("nobody"), "{}", show("text"));
    let running = working(&lab, lab.runner().args(["--lease-ttl", "6s"]));
    let held = lease(&lab);
    for part in ["holder", "task", "since"].map(|key| held[key].as_str().unwrap()) {
        assert!(show("text").contains(part), "{} lacks {part}", show("text"));
    }
    let seen: Value = serde_json::from_str(&show("json")).unwrap();
    assert_eq!(
        (&seen["holder"], &seen["state"]),
        (&held["holder"], &json!("held"))
    );
    let broken = lab.runner().args(["lease", "break"]).run();
    broken.assert_code(0);
    assert!(
        broken.out().contains(held["holder"].as_str().unwrap()),
        "{broken}"
    );
    assert_free(&lab);
    running.wait().assert_code(75);
    let again = lab.runner().args(["lease", "break"]).run();
    again.assert_code(0);
    assert!(again.out().contains("nobody holds"), "{again}");
    let again = lab
        .runner()
        .args(["lease", "break", "--log-format", "json"])
        .run();
    let line: Value = serde_json::from_str(&again.out()).unwrap();
    assert_eq!(
        (&line["state"], &line["taken_from"]),
        (&json!("free"), &Value::Null)
    );
}

#[test]
fn the_commands_need_no_login_but_a_lease() {
    let lab = Deployment::healthy();
    let bare = |command: &str| {
        [
            "DBT_REDSHIFT_HOST",
            "DBT_REDSHIFT_PASSWORD",
            "DBT_ENTRYPOINT_CREDENTIALS",
        ]
        .iter()
        .fold(lab.runner(), |runner, name| runner.env_remove(name))
        .args(["lease", command])
    };
    for command in ["show", "break"] {
        bare(command).run().assert_code(0);
        let none = bare(command).env("ENV", "mine").run();
        none.assert_code(64)
            .assert_err_has(&["there is none", "--destination"]);
        // Runs from a laptop take none; whoever asks there means that of the deployment.
        let address = format!("s3://{}/shop", lab.bucket.name);
        let there = bare(command)
            .env("ENV", "mine")
            .args(["--destination", &address]);
        there.run().assert_code(0);
        let off = bare(command).args(["--lease", "off"]).run();
        off.assert_code(64).assert_err_has(&["want no lease"]);
    }
}

/// What helps a run, `--lease off`, leaves these commands nothing to do.
#[test]
fn the_commands_hint_at_what_helps_them() {
    for (status, code, exit, hint) in [
        (403, "AccessDenied", 77, "allow s3:GetObject on "),
        (503, "SlowDown", 69, "try again later"),
        (
            301,
            "PermanentRedirect",
            64,
            "set AWS_REGION to the region of the bucket",
        ),
    ] {
        let fault = Fault::s3(status, code, "no");
        let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on(KEY, fault));
        for command in ["show", "break"] {
            let run = lab.runner().args(["lease", command]).run();
            run.assert_code(exit).assert_err_has(&["hint: ", hint]);
            assert!(!run.err().contains("--lease off"), "{run}");
        }
    }
}

#[test]
fn a_lease_in_another_region_is_a_wrong_setting() {
    let moved = Fault::s3(301, "PermanentRedirect", "use the specified endpoint");
    let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on("/elsewhere/lease", moved));
    let address = "s3://elsewhere/lease.json";
    let run = lab.runner().args(["--lease", address]).run();
    run.assert_code(64)
        .assert_err_has(&[address, "AWS_REGION", "--lease off"]);
}

#[test]
fn settings_that_make_no_sense_are_64() {
    let lab = Deployment::healthy();
    for (name, value, said) in [
        ("--lease", "maybe", "on, off or s3://bucket/key"),
        ("--lease", "s3://bucket", "names no object"),
        ("--lease", "s3://bucket/folder/", "names no object"),
        ("--lease", "file:///tmp/lease", "on, off or s3://bucket/key"),
        ("--lease-wait", "soon", "is not a duration"),
        ("--lease-ttl", "0s", "longer than zero"),
        ("--lease-ttl", "1500ms", "whole seconds"),
    ] {
        let run = lab.runner().args([name, value]).run();
        run.assert_code(64).assert_err_has(&[name, said]);
    }
    let nowhere = lab
        .runner()
        .args(["--lease", "on", "--publish", "never"])
        .run();
    nowhere
        .assert_code(64)
        .assert_err_has(&["--lease: a lease lies at the destination"]);
}

/// Each of fifty starts the real program; the fake dbt notes when its step began and ended.
#[test]
fn of_fifty_starters_at_once_one_runs() {
    let lab = lab();
    let mut starters: Vec<_> = (0..50)
        .map(|_| lab.runner().args(["--steps", "run"]).spawn())
        .collect();
    let mut refused = 0;
    let deadline = Instant::now() + Duration::from_mins(1);
    while starters.len() > 1 {
        assert!(Instant::now() < deadline, "{} are left", starters.len());
        let ended = starters.iter_mut().position(Running::has_ended);
        match ended {
            Some(index) => {
                starters.swap_remove(index).wait().assert_code(75);
                refused += 1;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    assert_eq!(refused, 49);
    let mut winner = starters.remove(0);
    winner.until("dbt to work", |_| lab.scene.fake.is_ready("run"));
    winner.signal(Signal::SIGTERM);
    winner.wait().assert_code(143);
    assert_eq!(lab.scene.fake.steps(), ["run"]);
}
