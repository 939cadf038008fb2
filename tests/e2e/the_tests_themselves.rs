//! The support on which all else stands: a search that finds nothing, or a fault that does nothing,
//! would make every test pass.

use serde_json::json;

use crate::support::aws::{Aws, SECRET_KEY};
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::{self, unique};
use crate::support::sentinel;
use crate::support::{processes, standin::Standin};

#[test]
fn the_sentinel_is_found_in_every_form() {
    let secret = "a\"b'é\n/ü$";
    let forms = sentinel::forms(secret.as_bytes());
    for text in [
        "x a\"b'é\n/ü$ y",
        r#"{"p": "a\"b'é\n/ü$"}"#,
        r#""a\"b'\u00e9\n/\u00fc$""#,
        "u:a%22b%27%C3%A9%0A%2F%C3%BC%24@h",
    ] {
        assert!(
            forms
                .iter()
                .any(|form| sentinel::holds(text.as_bytes(), form)),
            "{text} {forms:?}"
        );
    }
    assert!(!forms.iter().any(|form| sentinel::holds(b"a*****", form)));
}

#[test]
#[should_panic(expected = "holds the secret")]
fn the_sentinel_is_found_in_a_folder() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("dbt.log"),
        format!("password: {PASSWORD}"),
    )
    .unwrap();
    sentinel::assert_folder_lacks(folder.path(), PASSWORD.as_bytes());
}

#[test]
fn the_local_aws_keeps_objects_byte_for_byte() {
    let bucket = Aws::shared().bucket();
    bucket.put("a/b.json", b"\x00\xff{}");
    assert_eq!(bucket.keys(), ["a/b.json"]);
    assert_eq!(bucket.object("a/b.json").body, b"\x00\xff{}");
}

#[test]
#[should_panic(expected = "holds the secret")]
fn the_sentinel_is_found_in_a_bucket() {
    let bucket = Aws::shared().bucket();
    bucket.put(
        "manifest.json",
        format!("{{\"key\": \"{SECRET_KEY}\"}}").as_bytes(),
    );
    bucket.assert_lacks(SECRET_KEY.as_bytes());
}

#[test]
fn the_local_aws_returns_connections_as_they_were_made() {
    let aws = Aws::shared();
    let name = unique("connection");
    let authentication = json!({"AuthenticationConfiguration": {"AuthenticationType": "BASIC",
        "SecretArn": "arn:x"}});
    aws.connection(
        &name,
        &json!({"USERNAME": "u", "PASSWORD": PASSWORD}),
        &authentication,
    );
    let answer = aws.call("glue", "AWSGlue.GetConnection", &json!({"Name": name}));
    assert_eq!(
        answer["Connection"]["ConnectionProperties"]["PASSWORD"],
        PASSWORD
    );
    assert_eq!(
        answer["Connection"]["AuthenticationConfiguration"]["SecretArn"],
        "arn:x"
    );
}

#[test]
fn faults_happen_and_the_rest_passes() {
    let aws = Aws::shared();
    let bucket = aws.bucket();
    let proxy = FaultProxy::before(aws)
        .first(
            1,
            "PUT",
            Fault::s3(503, "SlowDown", "Please reduce your request rate."),
        )
        .first(1, "PUT", Fault::Reset);
    let put = || {
        let line = format!("PUT /{}/key HTTP/1.1", bucket.name);
        Message::new(line)
            .body("body")
            .send(proxy.endpoint()["http://".len()..].parse().unwrap())
    };
    assert_eq!(put().unwrap().status(), 503);
    assert_eq!(
        put().unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    assert_eq!(put().unwrap().status(), 200);
    assert_eq!(bucket.object("key").body, b"body");
    assert_eq!(proxy.count("PUT"), 3);
}

#[test]
fn the_stand_in_answers_and_databases_are_apart() {
    let (one, other) = (Standin::database(), Standin::database());
    one.sql("create schema s; create table s.t (a int)");
    assert_eq!(
        one.sql("select count(*) from pg_tables where schemaname = 's'"),
        "1"
    );
    assert_eq!(
        other.sql("select count(*) from pg_tables where schemaname = 's'"),
        "0"
    );
    assert_eq!(one.active("pg_sleep"), 0);
}

#[test]
fn whatever_a_run_started_is_found_and_killed() {
    let scene = Scene::new(
        Fake::new()
            .on("run", "grandchild", "stray")
            .on("run", "ready", "")
            .on("run", "hang", ""),
    );
    let mut running = scene.runner().program(repo::fake_dbt()).arg("run").spawn();
    running.until("the fake", |_| scene.fake.is_ready("run"));
    let marker = running.marker().to_owned();
    assert_eq!(processes::with_marker(&marker).len(), 2);
    drop(running);
    assert!(processes::with_marker(&marker).is_empty());
}

#[test]
fn the_fake_counts_each_signal_and_says_what_it_was_given() {
    let scene = Scene::new(Fake::new().on("run", "until-sigint", "7 400"));
    let mut running = scene
        .runner()
        .program(repo::fake_dbt())
        .args(["run", "--threads", "3"])
        .spawn();
    running.until("the fake", |_| scene.fake.is_ready("run"));
    running.signal(nix::sys::signal::Signal::SIGINT);
    running.until("one signal", |_| scene.fake.signals("run").len() == 1);
    running.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(running.wait().code, Some(7));
    assert_eq!(scene.fake.signals("run").len(), 2);
    assert_eq!(scene.fake.arguments("run"), ["run", "--threads", "3"]);
    assert_eq!(
        scene
            .fake
            .variable("run", "DBT_REDSHIFT_PASSWORD")
            .as_deref(),
        Some(PASSWORD)
    );
}
