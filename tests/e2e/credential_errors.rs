//! A login that cannot be had: each reason with its own exit code, the remedy in the message, and
//! dbt never started.

use serde_json::{Value, json};

use crate::support::aws::{Aws, REGION};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::unique;
use crate::support::result::Finished;

const URL: &str = "jdbc:redshift://warehouse.example.com:5439/dev?currentSchema=analytics";

/// A run that must end before dbt starts. The SDK's waits between retries are kept short, their
/// number is not touched.
#[track_caller]
fn refused(source: &str, proxy: Option<&FaultProxy>, code: i32) -> Finished {
    let scene = Scene::healthy();
    let endpoint = proxy.map_or_else(|| Aws::shared().endpoint(), FaultProxy::endpoint);
    let run = Aws::attach_at(scene.bare_runner(), &endpoint)
        .args(["--credentials", source])
        .env("RUST_BACKTRACE", "1")
        .run();
    run.assert_code(code);
    assert!(scene.fake.steps().is_empty(), "dbt was started: {run}");
    assert_eq!(run.closing()["status"], "error");
    assert!(run.closing()["error"].is_string());
    run.assert_err_has(&["error: "]);
    for noise in [
        "panicked",
        "backtrace",
        "SdkError",
        "ServiceError",
        "DispatchFailure",
        "Unhandled(",
    ] {
        assert!(!run.err().contains(noise), "{noise} in {run}");
    }
    run
}

#[track_caller]
fn glue(properties: &Value, code: i32) -> Finished {
    let name = unique("connection");
    Aws::shared().connection(&name, properties, &json!({}));
    let run = refused(&format!("glue:{name}"), None, code);
    run.assert_lacks(PASSWORD.as_bytes());
    run
}

fn complete() -> String {
    let name = unique("connection");
    let properties =
        json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "dbt_user", "PASSWORD": PASSWORD});
    Aws::shared().connection(&name, &properties, &json!({}));
    format!("glue:{name}")
}

#[test]
fn what_does_not_exist_is_65_and_named() {
    for source in [
        "glue:no-such-connection",
        "secretsmanager:no-such-secret",
        "ssm:/no/such/path/",
    ] {
        let run = refused(source, None, 65);
        run.assert_err_has(&[source.split_once(':').unwrap().1.trim_end_matches('/')]);
    }
}

#[test]
fn a_connection_that_names_a_missing_secret_is_65_and_names_the_secret() {
    let run = glue(
        &json!({"JDBC_CONNECTION_URL": URL, "SECRET_ID": "secret-that-is-not-there"}),
        65,
    );
    run.assert_err_has(&["secret-that-is-not-there"]);
}

#[test]
fn every_missing_field_is_named_at_once_and_no_value() {
    let run = glue(
        &json!({"JDBC_CONNECTION_URL": "jdbc:redshift://only-the-host.example.com",
            "PASSWORD": PASSWORD}),
        65,
    );
    let err = run.err().to_lowercase();
    for field in ["user", "schema", "database"] {
        assert!(err.contains(field), "{field} is not named: {run}");
    }
    assert!(!err.contains("only-the-host"), "a value is shown: {run}");
}

#[test]
fn an_empty_field_counts_as_missing() {
    let name = unique("secret");
    let secret = json!({"host": "", "username": "dbt_user", "password": "", "dbname": "dev",
        "schema": "analytics"});
    Aws::shared().secret(&name, &secret.to_string());
    let run = refused(&format!("secretsmanager:{name}"), None, 65);
    let err = run.err().to_lowercase();
    assert!(err.contains("host") && err.contains("password"), "{run}");
}

#[test]
fn malformed_content_is_65_and_not_shown() {
    let name = unique("secret");
    Aws::shared().secret(&name, &format!("{{\"password\": \"{PASSWORD}-broken"));
    let run = refused(&format!("secretsmanager:{name}"), None, 65);
    run.assert_lacks(b"Sentinel-7f3a9c")
        .assert_err_has(&[&name]);
    let url = "jdbc:mysql://user:Sentinel-7f3a9c@host:3306/db";
    let run = glue(
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "u", "PASSWORD": PASSWORD}),
        65,
    );
    run.assert_lacks(b"Sentinel-7f3a9c");
    let run = glue(
        &json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "u", "ENCRYPTED_PASSWORD": "not base64!"}),
        65,
    );
    run.assert_err_has(&["ENCRYPTED_PASSWORD"]);
}

#[test]
fn a_secret_with_a_binary_value_is_65() {
    let name = unique("secret");
    let binary = aws_smithy_types::base64::encode(b"\x00\xff");
    Aws::shared().call(
        "secretsmanager",
        "secretsmanager.CreateSecret",
        &json!({"Name": name, "SecretBinary": binary}),
    );
    refused(&format!("secretsmanager:{name}"), None, 65);
}

#[test]
fn denied_access_is_77_and_the_hint_names_action_and_resource() {
    let arn = format!("arn:aws:glue:{REGION}:123456789012:connection/redshift");
    let proxy = FaultProxy::before(Aws::shared())
        .on("GetConnection", Fault::denied("glue:GetConnection", &arn));
    let run = refused("glue:redshift", Some(&proxy), 77);
    run.assert_err_has(&[&format!("hint: allow glue:GetConnection on {arn}")]);
    assert_eq!(
        proxy.count("GetConnection"),
        1,
        "a denial is final and not tried again"
    );
}

#[test]
fn denied_access_behind_the_connection_is_77_too() {
    let secret = format!("arn:aws:secretsmanager:{REGION}:123456789012:secret:redshift-AbCdEf");
    let name = unique("connection");
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": URL, "SECRET_ID": "redshift"}),
        &json!({}),
    );
    let proxy = FaultProxy::before(Aws::shared()).on(
        "GetSecretValue",
        Fault::denied("secretsmanager:GetSecretValue", &secret),
    );
    let run = refused(&format!("glue:{name}"), Some(&proxy), 77);
    // A policy names a secret without the six letters at its end, or with placeholders for them.
    run.assert_err_has(&[&format!(
        "hint: allow secretsmanager:GetSecretValue on {}",
        secret.trim_end_matches("AbCdEf")
    )]);

    let name = unique("connection");
    let ciphertext = Aws::shared().encrypted(PASSWORD);
    let properties =
        json!({"JDBC_CONNECTION_URL": URL, "USERNAME": "u", "ENCRYPTED_PASSWORD": ciphertext});
    Aws::shared().connection(&name, &properties, &json!({}));
    let key = format!("arn:aws:kms:{REGION}:123456789012:key/1234");
    let proxy = FaultProxy::before(Aws::shared()).on("Decrypt", Fault::denied("kms:Decrypt", &key));
    let run = refused(&format!("glue:{name}"), Some(&proxy), 77);
    run.assert_err_has(&["hint: allow kms:Decrypt on ", &key]);

    let path = format!("arn:aws:ssm:{REGION}:123456789012:parameter/dbt/redshift");
    let fault = Fault::denied("ssm:GetParametersByPath", &path);
    let proxy = FaultProxy::before(Aws::shared()).on("GetParametersByPath", fault);
    let run = refused("ssm:/dbt/redshift/", Some(&proxy), 77);
    run.assert_err_has(&["hint: allow ssm:GetParametersByPath on ", &path]);
}

#[test]
fn throttling_that_stops_is_survived() {
    let source = complete();
    let proxy = FaultProxy::before(Aws::shared()).first(2, "GetConnection", Fault::throttled());
    let scene = Scene::healthy();
    let run = Aws::attach_at(scene.bare_runner(), &proxy.endpoint())
        .args(["--credentials", &source, "--steps", "run"])
        .run();
    run.assert_code(0);
    assert_eq!(proxy.count("GetConnection"), 3);
}

#[test]
fn throttling_without_end_is_69() {
    let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::throttled());
    refused("glue:redshift", Some(&proxy), 69);
    assert!(
        proxy.count("GetConnection") >= 3,
        "it was tried {} times",
        proxy.count("GetConnection")
    );
}

#[test]
fn server_errors_without_end_are_69() {
    for (status, kind) in [
        (500, "InternalServiceException"),
        (503, "ServiceUnavailable"),
    ] {
        let proxy = FaultProxy::before(Aws::shared())
            .on("GetConnection", Fault::json(status, kind, "try later"));
        refused("glue:redshift", Some(&proxy), 69);
        assert!(proxy.count("GetConnection") >= 3);
    }
}

#[test]
fn resets_are_survived_once_and_69_without_end() {
    let source = complete();
    let proxy = FaultProxy::before(Aws::shared()).first(1, "GetConnection", Fault::Reset);
    let scene = Scene::healthy();
    let run = Aws::attach_at(scene.bare_runner(), &proxy.endpoint())
        .args(["--credentials", &source, "--steps", "run"])
        .run();
    run.assert_code(0);
    let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Reset);
    refused("glue:redshift", Some(&proxy), 69);
}

#[test]
fn silence_is_69_in_bounded_time() {
    let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Silence);
    refused("glue:redshift", Some(&proxy), 69);
}

#[test]
fn a_closed_port_is_69() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let scene = Scene::healthy();
    let run = Aws::attach_at(scene.bare_runner(), &format!("http://{address}"))
        .args(["--credentials", "glue:x"])
        .run();
    run.assert_code(69);
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn without_aws_credentials_the_error_says_so() {
    let scene = Scene::healthy();
    let runner = Aws::shared()
        .attach(scene.bare_runner())
        .args(["--credentials", "glue:redshift"]);
    let run = runner
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .run();
    let code = run.code.unwrap();
    assert!(code == 69 || code == 77, "{run}");
    assert!(run.err().to_lowercase().contains("credentials"), "{run}");
    run.assert_err_has(&["hint: "]);
}
