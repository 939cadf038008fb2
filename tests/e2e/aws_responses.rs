//! What an answer means that is not from AWS, where credentials are asked for, and how often AWS is
//! asked.

use serde_json::json;

use crate::aws_variables::{asked, connection};
use crate::support::aws::{ACCESS_KEY, Aws, REGION, SECRET_KEY};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::Scene;
use crate::support::result::Finished;

fn html(status: u16) -> Fault {
    let page = "<html><body><h1>Blocked by the proxy of the company</h1></body></html>";
    Fault::Answer(
        Message::new(format!("HTTP/1.1 {status} Blocked"))
            .header("Content-Type", "text/html")
            .body(page),
    )
}

#[track_caller]
fn fetched_through(proxy: &FaultProxy) -> Finished {
    let scene = Scene::healthy();
    Aws::attach_at(asked(&scene, "glue:x", &[]), &proxy.endpoint())
        .env("AWS_MAX_ATTEMPTS", "1")
        .run()
}

#[test]
fn an_answer_without_a_code_of_aws_is_not_that_of_iam() {
    for status in [200, 302, 400, 401, 403, 404, 407, 502, 503] {
        let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", html(status));
        let run = fetched_through(&proxy);
        run.assert_code(69)
            .assert_err_has(&[&status.to_string(), "PROXY"]);
        assert!(!run.err().contains("hint: allow"), "{run}");
    }
}

#[test]
fn a_credentials_endpoint_on_this_machine_is_asked_directly() {
    let answer = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY,
        "Token": "t-12345678",
                        "Expiration": "2099-01-01T00:00:00Z"});
    let answer = Message::new("HTTP/1.1 200 OK")
        .header("Content-Type", "application/json")
        .body(answer.to_string());
    let aws = FaultProxy::before(Aws::shared()).on("GET /keys", Fault::Answer(answer));
    let company = FaultProxy::before(Aws::shared()).on("", html(403));
    let (scene, source) = (Scene::healthy(), connection());
    asked(&scene, &source, &[("AWS_REGION", REGION)])
        .env("AWS_ENDPOINT_URL", aws.endpoint())
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("{}/keys", aws.endpoint()),
        )
        .env("HTTP_PROXY", company.endpoint())
        .env("http_proxy", company.endpoint())
        .run()
        .assert_code(0);
    assert_eq!(company.log().len(), 0, "the proxy was asked");
    assert_eq!(aws.count("GET /keys"), 1);
}

#[test]
fn as_many_attempts_as_were_asked_for() {
    for (given, attempts) in [
        (&[("AWS_MAX_ATTEMPTS", "1")][..], 1),
        (&[("AWS_MAX_ATTEMPTS", "4")], 4),
        (&[("AWS_RETRY_MODE", "standard")], 3),
        (
            &[("AWS_RETRY_MODE", "legacy"), ("AWS_MAX_ATTEMPTS", "2")],
            2,
        ),
    ] {
        let proxy = FaultProxy::before(Aws::shared()).on("GetConnection", Fault::throttled());
        let scene = Scene::healthy();
        let runner = Aws::attach_at(asked(&scene, "glue:x", &[]), &proxy.endpoint());
        let run = given
            .iter()
            .fold(runner, |runner, (name, value)| runner.env(name, value))
            .run();
        run.assert_code(69);
        assert_eq!(proxy.count("GetConnection"), attempts, "{given:?}");
    }
}
