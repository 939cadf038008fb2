//! What one container leaves for the next: dbt's parse, below the destination, and never more than
//! a matter of time.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::aws::{Aws, Bucket};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::project::{DUCKDB_PROFILE, Project, with_real_dbt};
use crate::support::repo::unique;
use crate::support::result::Finished;
use crate::support::runner::Runner;

const ALL: &str = "seed,run,test";
const PARSED: &str = "Unable to do partial parsing because saved manifest not found";
const RESTORED: &str = "restored the saved parse";
const SAVED: &str = "saved the parse of this project";
const KEY: &str = "a key of the settings 0123456789";

/// A project as an image holds it: in another folder for every container, with the times of the
/// files as the image has them.
fn container() -> Project {
    let project = Project::new(DUCKDB_PROFILE);
    project.write(
        "models/orders.sql",
        "select * from {{ ref('countries') }}\n",
    );
    project.write(
        "models/orders.yml",
        "models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests: [unique]\n",
    );
    project.write("seeds/countries.csv", "id,name\n1,Denmark\n2,Norway\n");
    clock(&project);
    project
}

/// As reproducible builds do it.
fn clock(project: &Project) {
    for name in [
        "models/orders.sql",
        "models/orders.yml",
        "seeds/countries.csv",
    ] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        File::options()
            .write(true)
            .open(project.path().join(name))
            .unwrap()
            .set_times(FileTimes::new().set_modified(time))
            .unwrap();
    }
}

fn runner(project: &Project) -> Runner {
    with_real_dbt(Runner::new(project.path())).args([
        "--engine",
        "session",
        "--credentials",
        "none",
    ])
}

/// To a directory, as a local run that asks for it.
fn local(project: &Project, destination: &Path, steps: &str) -> Finished {
    let runner = runner(project).args(["--parse-cache", "on", "--steps", steps]);
    let run = runner
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", destination.display()),
        )
        .run();
    run.assert_code(0).assert_nothing_left();
    run
}

fn tests(run: &Finished) -> u64 {
    run.step("test")["nodes"]["success"].as_u64().unwrap()
}

#[test]
fn a_parse_is_restored_in_the_next_container_and_what_changed_is_parsed_whatever_its_time() {
    let destination = TempDir::new().unwrap();
    let first = local(&container(), destination.path(), ALL);
    assert!(
        first.out().contains(PARSED)
            && first.err().contains(SAVED)
            && !first.err().contains(RESTORED),
        "{first}"
    );
    let second = local(&container(), destination.path(), ALL);
    assert!(
        !second.out().contains("partial parsing") && second.err().contains(RESTORED),
        "{second}"
    );
    assert!(!second.err().contains(SAVED), "nothing is new\n{second}");
    assert_eq!((tests(&first), tests(&second)), (1, 1));

    // Another image, in which the file has the same time and another content.
    let changed = container();
    changed.write(
        "models/orders.yml",
        changed
            .read("models/orders.yml")
            .replace("[unique]", "[unique, not_null]"),
    );
    clock(&changed);
    let third = local(&changed, destination.path(), ALL);
    assert!(
        third.err().contains(RESTORED)
            && third.err().contains(SAVED)
            && !third.out().contains(PARSED),
        "{third}"
    );
    assert_eq!(tests(&third), 2);
    let manifest: Value = serde_json::from_str(&changed.read("target/manifest.json")).unwrap();
    let root = &manifest["nodes"]["seed.shop.countries"]["root_path"];
    assert_eq!(
        Path::new(root.as_str().unwrap()).canonicalize().unwrap(),
        changed.canonical(),
        "the seed is looked for here"
    );
}

/// Whoever reads a saved parse as it is trusts times and places of another container.
#[test]
fn what_reads_for_itself_or_cannot_parse_does_not_read_it() {
    let destination = TempDir::new().unwrap();
    local(&container(), destination.path(), "seed");
    let with = |project: &Project, steps: &str| {
        project.write(
            "dbt-entrypoint.yml",
            format!("steps:\n  - {{name: step, command: {steps}}}\n"),
        );
        let runner = runner(project).args(["--parse-cache", "on", "--publish", "on-success"]);
        runner
            .env(
                "DBT_ENTRYPOINT_DESTINATION",
                format!("file://{}", destination.path().display()),
            )
            .run()
    };
    // Another content under the same time, in a step that parses for itself: it counts.
    let changed = container();
    changed.write(
        "models/orders.yml",
        changed
            .read("models/orders.yml")
            .replace("[unique]", "[unique, not_null]"),
    );
    clock(&changed);
    with(&changed, "[parse]").assert_code(0);
    assert!(
        changed
            .read("target/manifest.json")
            .contains("not_null_orders_id")
    );
    // The seed of this container, not of the one that has parsed.
    let run = with(&container(), "[--log-level, info, seed]");
    run.assert_code(0).assert_nothing_left();
    // What cannot be parsed fails, and is not published.
    let broken = container();
    broken.write(
        "models/orders.yml",
        broken
            .read("models/orders.yml")
            .replace("- name: orders", "- nam: orders"),
    );
    clock(&broken);
    let run = with(&broken, "[seed]");
    run.assert_code(2).assert_nothing_left();
    assert_eq!(run.closing()["published"], 0, "{run}");
}

#[test]
fn a_package_that_is_gone_is_no_reason_to_fail() {
    let destination = TempDir::new().unwrap();
    let packed = container();
    packed.write("package/dbt_project.yml", "name: extra\nversion: '1.0'\n");
    packed.write("package/seeds/more.csv", "id\n1\n");
    packed.write("packages.yml", "packages:\n  - local: package\n");
    local(&packed, destination.path(), "deps,seed");
    let run = local(&container(), destination.path(), "seed");
    assert!(run.err().contains(RESTORED), "{run}");
    assert_eq!(run.step("seed")["nodes"]["success"], 1);
}

#[test]
fn what_does_not_fit_is_left_alone() {
    let destination = TempDir::new().unwrap();
    local(&container(), destination.path(), "seed");
    let label = destination.path().join("state/partial_parse.json");
    let content = destination.path().join("state/partial_parse.msgpack");
    let written: Value = serde_json::from_slice(&std::fs::read(&label).unwrap()).unwrap();
    let (label_then, content_then) = (
        std::fs::read(&label).unwrap(),
        std::fs::read(&content).unwrap(),
    );
    assert_eq!(
        (&written["profile"], &written["target"]),
        (&"shop".into(), &"dev".into())
    );
    let other = |key: &str| {
        let mut label = written.clone();
        label[key] = "another".into();
        serde_json::to_vec(&label).unwrap()
    };
    for (label_now, content_now, said) in [
        (
            other("dbt"),
            content_then.clone(),
            "made with another version of dbt or of the",
        ),
        (
            other("adapter"),
            content_then.clone(),
            "made with another version of dbt or of the",
        ),
        (
            other("sha256"),
            content_then.clone(),
            "does not match its label",
        ),
        (
            label_then.clone(),
            b"half of it".to_vec(),
            "does not match its label",
        ),
        (
            b"no JSON".to_vec(),
            content_then.clone(),
            "does not match its label",
        ),
    ] {
        std::fs::write(&label, label_now).unwrap();
        std::fs::write(&content, content_now).unwrap();
        let run = local(&container(), destination.path(), "seed");
        assert!(
            run.err().contains(said) && run.out().contains(PARSED) && run.err().contains(SAVED),
            "{said}: {run}"
        );
        assert_eq!(
            std::fs::read(&label).unwrap().len(),
            label_then.len(),
            "the next run has one that fits"
        );
    }
}

#[test]
fn a_parse_that_holds_a_secret_is_not_saved() {
    let destination = TempDir::new().unwrap();
    let project = container();
    let value = "in-a-tag-0123456789";
    project.write(
        "models/tagged.sql",
        "{{ config(tags=[env_var('DBT_REDSHIFT_PASSWORD')]) }}\nselect 1 as id\n",
    );
    let runner = runner(&project)
        .args([
            "--parse-cache",
            "on",
            "--publish",
            "always",
            "--steps",
            "seed",
        ])
        .env("DBT_REDSHIFT_PASSWORD", value);
    let run = runner
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", destination.path().display()),
        )
        .run();
    // The manifest holds it, too.
    run.assert_code(74)
        .assert_nothing_left()
        .assert_lacks(value.as_bytes());
    assert!(
        !destination.path().join("state/partial_parse.json").exists(),
        "{run}"
    );
}

/// A deployment on a local AWS with its own bucket.
struct Deployed {
    bucket: Bucket,
    proxy: FaultProxy,
    env: String,
}

impl Deployed {
    fn new(faults: impl FnOnce(FaultProxy) -> FaultProxy) -> Self {
        let (aws, env) = (Aws::shared(), unique("e"));
        let bucket = aws.bucket_named(&format!("dbt-documentation-{env}"));
        Self {
            bucket,
            proxy: faults(FaultProxy::before(aws)),
            env,
        }
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let project = container();
        let runner = Aws::attach_at(runner(&project), &self.proxy.endpoint())
            .env("DBT_ENTRYPOINT_CACHE_KEY", KEY)
            .env("ENV", &self.env)
            .args(["--steps", "seed"]);
        let run = runner
            .env("DBT_ENTRYPOINT_DEPLOYMENTS", &self.env)
            .args(arguments)
            .run();
        run.assert_code(0).assert_nothing_left();
        run
    }

    fn has_state(&self) -> bool {
        self.bucket
            .keys()
            .iter()
            .any(|key| key.starts_with("shop/state/partial_parse"))
    }
}

#[test]
fn a_deployment_keeps_its_parse_in_the_bucket_unless_told_otherwise() {
    let deployed = Deployed::new(|proxy| proxy);
    deployed.run(&["--parse-cache", "off"]);
    assert!(!deployed.has_state());
    deployed.run(&["--publish", "never"]);
    assert!(!deployed.has_state());
    assert!(deployed.run(&[]).err().contains(SAVED));
    let state: Vec<String> = deployed
        .bucket
        .keys()
        .into_iter()
        .filter(|key| key.starts_with("shop/state/partial_parse"))
        .collect();
    assert_eq!(
        state,
        [
            "shop/state/partial_parse.json",
            "shop/state/partial_parse.msgpack"
        ]
    );
    assert!(deployed.run(&[]).err().contains(RESTORED));
}

#[test]
fn without_the_right_to_read_or_to_write_it_the_run_is_the_same() {
    let denied = || Fault::s3(403, "AccessDenied", "Access Denied");
    let deployed = Deployed::new(|proxy| proxy.on("/shop/state/", denied()));
    let run = deployed.run(&[]);
    assert!(
        run.err().contains("cannot fetch the saved parse") && run.err().contains("is not saved"),
        "{run}"
    );
    assert!(run.out().contains(PARSED) && !deployed.has_state());
    assert_eq!(run.closing()["status"], "success");
}

#[test]
fn a_local_run_keeps_nothing_unless_asked_to() {
    let (destination, project) = (TempDir::new().unwrap(), container());
    let run = runner(&project)
        .args(["--steps", ALL])
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", destination.path().display()),
        )
        .run();
    run.assert_code(0);
    assert!(
        destination.path().join("manifest.json").exists()
            && !destination.path().join("state/partial_parse.json").exists(),
        "{run}"
    );
}

/// To a directory, with that key or none.
fn sealed(project: &Project, destination: &Path, key: &str, more: &[(&str, &str)]) -> Finished {
    let mut runner = runner(project)
        .args(["--parse-cache", "on", "--steps", "seed"])
        .env("DBT_ENTRYPOINT_CACHE_KEY", key)
        .env(
            "DBT_ENTRYPOINT_DESTINATION",
            format!("file://{}", destination.display()),
        );
    for (name, value) in more {
        runner = runner.env(name, value);
    }
    let run = runner.run();
    run.assert_code(0)
        .assert_nothing_left()
        .assert_lacks(KEY.as_bytes());
    run
}

/// What somebody can do who may write below `state/`, and nothing else: change the text of a model
/// and all that is said of the whole.
fn poison(destination: &Path) {
    let (label, content) = (
        destination.join("state/partial_parse.json"),
        destination.join("state/partial_parse.msgpack"),
    );
    let mut bytes = std::fs::read(&content).unwrap();
    let text = b"select * from";
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter_map(|(at, window)| (window == text).then_some(at))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + text.len()].copy_from_slice(b"drop   t from");
    }
    let mut said: Value = serde_json::from_slice(&std::fs::read(&label).unwrap()).unwrap();
    said["sha256"] = hex::encode(Sha256::digest(&bytes)).into();
    std::fs::write(&label, serde_json::to_vec(&said).unwrap()).unwrap();
    std::fs::write(&content, bytes).unwrap();
}

#[test]
fn a_parse_that_somebody_else_has_changed_is_not_restored() {
    let destination = TempDir::new().unwrap();
    let first = sealed(&container(), destination.path(), KEY, &[]);
    assert!(first.err().contains(SAVED), "{first}");
    let second = sealed(&container(), destination.path(), KEY, &[]);
    assert!(second.err().contains(RESTORED), "{second}");
    poison(destination.path());
    let third = sealed(&container(), destination.path(), KEY, &[]);
    assert!(
        !third.err().contains(RESTORED) && third.err().contains("its seal does not fit"),
        "{third}"
    );
    // Saved anew, so the poison is gone.
    let fourth = sealed(&container(), destination.path(), KEY, &[]);
    assert!(fourth.err().contains(RESTORED), "{fourth}");
}

/// Without a key only the user's word stands for it, and what the files say.
#[test]
fn a_changed_text_in_a_parse_without_a_seal_is_not_used() {
    let destination = TempDir::new().unwrap();
    sealed(&container(), destination.path(), "", &[]);
    poison(destination.path());
    let project = container();
    let run = sealed(&project, destination.path(), "", &[]);
    assert!(
        run.err().contains("the saved parse is left alone") && run.err().contains(SAVED),
        "{run}"
    );
    let manifest: Value = serde_json::from_str(&project.read("target/manifest.json")).unwrap();
    let text = &manifest["nodes"]["model.shop.orders"]["raw_code"];
    assert_eq!(text, "select * from {{ ref('countries') }}", "{run}");
    // What is saved in its place is used.
    let next = sealed(&container(), destination.path(), "", &[]);
    assert!(!next.err().contains("left alone"), "{next}");
    assert!(!next.out().contains("partial parsing"), "{next}");
}

#[test]
fn a_seal_is_worth_nothing_with_another_key_or_in_another_place() {
    let destination = TempDir::new().unwrap();
    let copy = TempDir::new().unwrap();
    sealed(&container(), destination.path(), KEY, &[]);
    let original = TempDir::new().unwrap();
    let put = |from: &Path, to: &Path| {
        std::fs::create_dir_all(to.join("state")).unwrap();
        for name in ["state/partial_parse.json", "state/partial_parse.msgpack"] {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    };
    put(destination.path(), original.path());
    for (place, key, more) in [
        (destination.path(), "another key of the settings", &[][..]),
        (destination.path(), KEY, &[("ENV", "somewhere-else")][..]),
        (destination.path(), KEY, &[("PROJECT_NAME", "other")][..]),
        (copy.path(), KEY, &[][..]),
    ] {
        // As it was, whatever the last case saved.
        put(original.path(), place);
        let run = sealed(&container(), place, key, more);
        assert!(
            !run.err().contains(RESTORED) && run.err().contains("its seal does not fit"),
            "{more:?} {run}"
        );
    }
    // Where it was made, it is worth something.
    put(original.path(), destination.path());
    let run = sealed(&container(), destination.path(), KEY, &[]);
    assert!(run.err().contains(RESTORED), "{run}");
    // No seal at all is no way around it.
    let unsealed = TempDir::new().unwrap();
    let run = sealed(&container(), unsealed.path(), "", &[]);
    assert!(run.err().contains(SAVED), "{run}");
    let run = sealed(&container(), unsealed.path(), KEY, &[]);
    assert!(
        !run.err().contains(RESTORED) && run.err().contains("its seal does not fit"),
        "{run}"
    );
}

#[test]
fn the_password_of_the_login_seals_where_there_is_no_key() {
    let destination = TempDir::new().unwrap();
    let with = |password| {
        sealed(
            &container(),
            destination.path(),
            "",
            &[("DBT_REDSHIFT_PASSWORD", password)],
        )
    };
    assert!(with("a-password-of-the-login").err().contains(SAVED));
    assert!(with("a-password-of-the-login").err().contains(RESTORED));
    let rotated = with("another-after-rotation");
    assert!(
        rotated.err().contains("its seal does not fit") && rotated.err().contains(SAVED),
        "{rotated}"
    );
}

#[test]
fn a_deployment_with_nothing_to_seal_with_keeps_no_parse() {
    let deployed = Deployed::new(|proxy| proxy);
    let project = container();
    let runner = Aws::attach_at(runner(&project), &deployed.proxy.endpoint())
        .env("ENV", &deployed.env)
        .env("DBT_ENTRYPOINT_DEPLOYMENTS", &deployed.env)
        .args(["--steps", "seed"]);
    let run = runner.run();
    run.assert_code(0)
        .assert_err_has(&["no password to seal it with", "DBT_ENTRYPOINT_CACHE_KEY"]);
    assert!(!deployed.has_state());
}

#[test]
fn the_key_reaches_no_step_and_no_log() {
    let project = container();
    // In the project, whose profile needs no login.
    let exec = || {
        Runner::new(project.path())
            .args(["exec", "--credentials", "none", "--"])
            .env("DBT_ENTRYPOINT_CACHE_KEY", KEY)
    };
    let run = exec().arg("/usr/bin/env").run();
    run.assert_code(0).assert_lacks(KEY.as_bytes());
    assert!(!run.out().contains("DBT_ENTRYPOINT_CACHE_KEY"), "{run}");
    let run = exec().args(["/bin/echo", KEY]).run();
    assert_eq!(run.out(), "*****\n");
}

#[test]
fn a_parse_with_the_value_of_a_variable_that_looks_like_a_secret_is_not_saved() {
    for (name, is_saved) in [("SERVICE_TOKEN", false), ("SERVICE_NAME", true)] {
        let destination = TempDir::new().unwrap();
        let project = container();
        project.write(
            "models/tagged.sql",
            format!("{{{{ config(tags=[env_var('{name}')]) }}}}\nselect 1 as id\n"),
        );
        let run = sealed(
            &project,
            destination.path(),
            KEY,
            &[(name, "tok-0123456789")],
        );
        assert_eq!(run.err().contains(SAVED), is_saved, "{run}");
        assert_eq!(
            run.err().contains("looks like a secret"),
            !is_saved,
            "{run}"
        );
        assert_eq!(
            destination.path().join("state/partial_parse.json").exists(),
            is_saved
        );
    }
}

/// Whoever can write below `state/` could fill the memory of every run.
#[test]
fn a_label_or_a_parse_without_end_is_not_read() {
    let destination = TempDir::new().unwrap();
    sealed(&container(), destination.path(), "", &[]);
    let state = destination.path().join("state");
    for name in ["partial_parse.json", "partial_parse.msgpack"] {
        let file = File::options().write(true).open(state.join(name)).unwrap();
        file.set_len(300 << 20).unwrap();
        let run = sealed(&container(), destination.path(), "", &[]);
        assert!(
            run.err().contains("cannot fetch the saved parse") && run.err().contains("larger than"),
            "{name}: {run}"
        );
    }
    std::fs::remove_file(state.join("partial_parse.json")).unwrap();
    nix::unistd::mkfifo(
        &state.join("partial_parse.json"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    let run = sealed(&container(), destination.path(), "", &[]);
    assert!(run.err().contains("not a regular file"), "{run}");
}
