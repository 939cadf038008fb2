//! How the runner itself logs in at AWS: as a task on ECS, by a profile, by a program; and that
//! none of these secrets gets out.

use serde_json::json;

use crate::support::aws::{ACCESS_KEY, Aws, REGION, SECRET_KEY};
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::Scene;
use crate::support::repo::unique;
use crate::support::runner::Runner;

const TOKEN: &str = "FwoGZXIvYXdzEXAMPLE//token+of/the+task==";

fn connection() -> String {
    let name = unique("connection");
    let url = "jdbc:redshift://h.example.com/d?currentSchema=s";
    Aws::shared().connection(
        &name,
        &json!({"JDBC_CONNECTION_URL": url, "USERNAME": "u", "PASSWORD": "redshift-password"}),
        &json!({}),
    );
    format!("glue:{name}")
}

/// dbt prints the keys, as a stack trace of an AWS client might.
fn talkative() -> Scene {
    let text = format!(
        "key {SECRET_KEY} token {TOKEN} url {}\n",
        "wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY"
    );
    Scene::new(
        Fake::new()
            .on("run", "stdout", &text)
            .on("run", "stderr", &text),
    )
}

fn runner(scene: &Scene, endpoint: &str) -> Runner {
    let runner = Aws::attach_at(scene.bare_runner(), endpoint).args([
        "--credentials",
        &connection(),
        "--steps",
        "run",
    ]);
    runner
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
}

#[test]
fn the_role_of_an_ecs_task_is_used_and_its_keys_are_redacted() {
    let answer = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": TOKEN,
        "Expiration": "2099-01-01T00:00:00Z",
                        "RoleArn": "arn:aws:iam::123456789012:role/dbt"});
    let answer = Message::new("HTTP/1.1 200 OK")
        .header("Content-Type", "application/json")
        .body(answer.to_string());
    let proxy =
        FaultProxy::before(Aws::shared()).on("GET /task-credentials", Fault::Answer(answer));
    let scene = talkative();
    let uri = format!("{}/task-credentials", proxy.endpoint());
    let run = runner(&scene, &proxy.endpoint())
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .run();
    run.assert_code(0)
        .assert_lacks(SECRET_KEY.as_bytes())
        .assert_lacks(TOKEN.as_bytes());
    assert!(
        run.out().contains("key ***** token ***** url *****\n"),
        "{run}"
    );
    let glue = proxy
        .log()
        .into_iter()
        .find(|seen| seen.line.contains("GetConnection"))
        .unwrap();
    assert_eq!(
        glue.request.get("x-amz-security-token"),
        Some(TOKEN),
        "the request was signed with the task's role"
    );
    // Steps have the task's role at hand too, by the same variable.
    assert!(
        scene
            .fake
            .variable("run", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
            .is_some()
    );
    assert_eq!(
        scene.fake.variable("run", "AWS_SECRET_ACCESS_KEY"),
        None,
        "nothing is added to dbt's environment"
    );
}

#[test]
fn a_profile_of_the_aws_files_is_used_and_its_keys_are_redacted() {
    let scene = talkative();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let config = format!(
        "[profile work]\nregion = {REGION}\nendpoint_url = {}\n",
        Aws::shared().endpoint()
    );
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let keys = format!(
        "[work]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = \
            {SECRET_KEY}\naws_session_token = {TOKEN}\n"
    );
    std::fs::write(home.path().join(".aws/credentials"), keys).unwrap();
    let runner = runner(&scene, "unused")
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION");
    let run = runner
        .env("HOME", home.path())
        .env("AWS_PROFILE", "work")
        .run();
    run.assert_code(0)
        .assert_lacks(SECRET_KEY.as_bytes())
        .assert_lacks(TOKEN.as_bytes());
}

#[test]
fn a_program_that_hands_out_keys_is_used() {
    let scene = talkative();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let keys = json!({"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY,
        "SessionToken": TOKEN});
    std::fs::write(home.path().join("keys.json"), keys.to_string()).unwrap();
    let config = format!(
        "[profile work]\ncredential_process = /bin/cat {}/keys.json\n",
        home.path().display()
    );
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let run = runner(&scene, &Aws::shared().endpoint())
        .env("HOME", home.path())
        .env("AWS_PROFILE", "work")
        .run();
    run.assert_code(0)
        .assert_lacks(SECRET_KEY.as_bytes())
        .assert_lacks(TOKEN.as_bytes());
}

/// The AWS CLI would ask for the code. AWS refuses the role without it.
#[test]
fn a_role_that_wants_a_second_factor_says_so() {
    let message = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: \
                   sts:AssumeRole on resource: arn:aws:iam::123456789012:role/dbt";
    let proxy =
        FaultProxy::before(Aws::shared()).on("POST /", Fault::sts(403, "AccessDenied", message));
    let scene = Scene::healthy();
    let home = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let config = format!(
        "[profile role]\nregion = {REGION}\nrole_arn = arn:aws:iam::123456789012:role/dbt\n\
         source_profile = me\nmfa_serial = arn:aws:iam::123456789012:mfa/ann\n\
         [profile me]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let run = runner(&scene, &Aws::shared().endpoint())
        .env("HOME", home.path())
        .env("AWS_ENDPOINT_URL_STS", proxy.endpoint())
        .env("AWS_PROFILE", "role")
        .run();
    run.assert_code(77).assert_err_has(&[
        "\"role\" wants a second factor (mfa_serial)",
        "sts:AssumeRole on resource",
        "export-credentials --profile role",
    ]);
}

/// A pipe can be read once.
#[test]
fn the_files_of_the_aws_cli_may_be_pipes() {
    let scene = Scene::healthy();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let config = format!(
        "[default]\nregion = {REGION}\naws_access_key_id = {ACCESS_KEY}\n\
         aws_secret_access_key = {SECRET_KEY}\n"
    );
    std::io::Write::write_all(&mut writer, config.as_bytes()).unwrap();
    drop(writer);
    let run = Aws::attach_at(scene.bare_runner(), &Aws::shared().endpoint())
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION")
        .env("AWS_CONFIG_FILE", "/dev/stdin")
        .args(["env", "--credentials", &connection()])
        .stdin(reader)
        .run();
    run.assert_code(0);
}

#[test]
fn without_a_region_the_error_says_so() {
    let scene = Scene::healthy();
    let runner = Aws::shared()
        .attach(scene.bare_runner())
        .args(["--credentials", "glue:redshift"])
        .env_remove("AWS_REGION");
    let run = runner.run();
    assert_ne!(run.code, Some(0));
    assert!(run.err().to_lowercase().contains("region"), "{run}");
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn an_expired_token_is_told_apart_from_a_missing_right() {
    for (kind, word) in [
        ("ExpiredTokenException", "expired"),
        ("UnrecognizedClientException", "token"),
    ] {
        let fault = Fault::json(
            400,
            kind,
            "The security token included in the request is expired or invalid",
        );
        let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", fault);
        let scene = Scene::healthy();
        let run = Aws::attach_at(scene.bare_runner(), &proxy.endpoint())
            .args(["--credentials", "glue:redshift"])
            .run();
        run.assert_code(77);
        assert!(run.err().to_lowercase().contains(word), "{run}");
        assert!(
            !run.err().contains("hint: allow glue:GetConnection on"),
            "a policy would not help: {run}"
        );
    }
}
