//! The password is in dbt's environment and nowhere else: no layer, no `docker inspect`, no process
//! list, no log.

use std::io::Read;

use aho_corasick::AhoCorasick;
use serde_json::json;

use crate::container::{Container, writable};
use crate::engine::{docker, image, needs_engine, stream};
use crate::support::aws::Aws;
use crate::support::deployment::Deployment;
use crate::support::fake::Fake;
use crate::support::processes;
use crate::support::project::PASSWORD;
use crate::support::repo::{self, unique};
use crate::support::sentinel::{forms, holds};

/// Whether an archive holds the secret in any form, and whether it holds what shows that it was
/// searched.
fn search(archive: impl Read, secret: &[u8], control: &[u8]) -> (bool, bool) {
    let mut patterns = vec![control.to_vec()];
    patterns.extend(forms(secret));
    let (mut leaked, mut searched) = (false, false);
    for found in AhoCorasick::new(&patterns)
        .unwrap()
        .stream_find_iter(archive)
    {
        if found.unwrap().pattern().as_usize() == 0 {
            searched = true;
        } else {
            leaked = true;
        }
    }
    (leaked, searched)
}

#[track_caller]
fn assert_archive_lacks(arguments: &[&str], secret: &[u8], control: &[u8]) {
    let mut child = stream(arguments);
    let found = search(child.stdout.take().unwrap(), secret, control);
    assert!(child.wait().unwrap().success(), "docker {arguments:?}");
    assert_eq!(
        found,
        (false, true),
        "docker {arguments:?}: the secret, the control"
    );
}

#[test]
fn the_password_is_in_no_layer_no_inspect_and_no_process_list() {
    needs_engine!();
    let lab = Deployment::new(
        Fake::new()
            .on("run", "stdout", PASSWORD)
            .on("run", "ready", "")
            .on("run", "wait-for", "go"),
    );
    let fake = &lab.scene.fake;
    writable(fake.path());
    let name = unique("connection");
    let url = "jdbc:redshift://warehouse.example.com/dev?currentSchema=analytics";
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "dbt", "PASSWORD": PASSWORD}),
        &json!({}),
    );
    let mut started = Container::new()
        .env("ENV", &lab.env)
        .env("DBT_ENTRYPOINT_DEPLOYMENTS", &lab.env)
        .env("DBT_ENTRYPOINT_CREDENTIALS", format!("glue:{name}"))
        .with(|runner| Aws::attach_at(runner, &lab.proxy.endpoint()))
        .mount(fake.path(), "/fake/run")
        .mount_read_only(&repo::fake_dbt(), "/fake/dbt")
        .env("FAKE_DBT_DIR", "/fake/run")
        .env("DBT_ENTRYPOINT_DBT", "/fake/dbt")
        .start();
    started.until("dbt to be ready", |_| fake.is_ready("run"));

    let secret = PASSWORD.as_bytes();
    let lacks = |what: &str, bytes: &[u8]| {
        assert!(
            !forms(secret).iter().any(|form| holds(bytes, form)),
            "{what} holds the password: {}",
            String::from_utf8_lossy(bytes)
        );
    };
    lacks(
        "docker inspect",
        docker(&["inspect", started.name()]).as_bytes(),
    );
    lacks(
        "docker top",
        docker(&["top", started.name(), "-ef"]).as_bytes(),
    );
    lacks("docker logs", docker(&["logs", started.name()]).as_bytes());
    // Of all processes of the container, only dbt has it in its environment.
    let mut with_password = Vec::new();
    let all = processes::with_marker(started.running.marker());
    for pid in &all {
        lacks("a command line", &processes::cmdline(*pid));
        if holds(&processes::environ(*pid), secret) {
            with_password.push(processes::describe(*pid));
        }
    }
    assert!(
        with_password.len() == 1 && with_password[0].contains("/fake/dbt"),
        "{with_password:?} of {all:?}"
    );

    fake.release("go");
    let (run, container) = started.wait();
    run.assert_code(0).assert_lacks(secret);
    assert!(
        run.out().contains("*****"),
        "it was printed and masked: {run}"
    );
    // What the container wrote, above the layers of the image, and the volume beside them.
    assert_archive_lacks(&["export", &container.name], secret, b"sample_data");
    assert_archive_lacks(
        &["cp", &format!("{}:/app/dbt", container.name), "-"],
        secret,
        b"catalog.json",
    );
    assert_archive_lacks(
        &["cp", &format!("{}:/tmp", container.name), "-"],
        secret,
        b"tmp/",
    );
    lab.bucket.assert_lacks(secret);
}

#[test]
fn the_image_was_built_without_a_secret() {
    needs_engine!();
    let history = docker(&[
        "history",
        "--no-trunc",
        "--format",
        "{{.CreatedBy}}",
        &image(),
    ]);
    let inspected = docker(&["image", "inspect", &image()]);
    for text in [history, inspected] {
        for word in ["PASSWORD", "SECRET", "TOKEN", "AWS_", "://"] {
            assert!(!text.contains(word), "{word} is in {text}");
        }
    }
}
