//! Whose bucket it is: names are global, so a bucket whose name was derived may be a stranger's,
//! who would get the manifest and could hand out a parse. It has to be the account's of the run.

use serde_json::json;

use crate::support::aws::Aws;
use crate::support::deployment::Deployment;
use crate::support::fake::Fake;
use crate::support::fault_proxy::{Fault, FaultProxy, Seen};
use crate::support::http::Message;
use crate::support::runner::Runner;

/// The account of the local AWS, as STS has it.
const ACCOUNT: &str = "123456789012";
const TASK_ACCOUNT: &str = "210987654321";
/// A request to STS has no target in its head.
const STS: &str = "POST / ";

fn to_s3(lab: &Deployment) -> Vec<Seen> {
    let named = |seen: &Seen| seen.line.contains(&lab.bucket.name);
    lab.proxy.log().into_iter().filter(named).collect()
}

#[track_caller]
fn assert_owner(lab: &Deployment, owner: Option<&str>) {
    let requests = to_s3(lab);
    for method in ["HEAD", "PUT"] {
        assert!(
            requests.iter().any(|seen| seen.line.starts_with(method)),
            "no {method}"
        );
    }
    for seen in requests {
        assert_eq!(
            seen.request.get("x-amz-expected-bucket-owner"),
            owner,
            "{}",
            seen.line
        );
    }
}

fn run(runner: Runner) -> crate::support::result::Finished {
    runner.args(["--steps", "run"]).run()
}

#[test]
fn every_request_to_a_derived_bucket_names_the_account_of_the_caller() {
    let lab = Deployment::healthy();
    run(lab.runner()).assert_code(0);
    assert_owner(&lab, Some(ACCOUNT));
    assert_eq!(lab.proxy.count(STS), 1, "asked once");
}

#[test]
fn on_ecs_the_task_says_which_account_it_is_and_nobody_else_is_asked() {
    let task = json!({"Cluster": "dbt",
        "TaskARN": format!("arn:aws:ecs:eu-north-1:{TASK_ACCOUNT}:task/dbt/0a1b")});
    let metadata = FaultProxy::before(Aws::shared()).on(
        "GET /v4/0a1b/task",
        Fault::Answer(Message::new("HTTP/1.1 200 OK").body(task.to_string())),
    );
    let lab = Deployment::healthy();
    let address = format!("{}/v4/0a1b", metadata.endpoint());
    let run = run(lab.runner().env("ECS_CONTAINER_METADATA_URI_V4", address));
    // The bucket of the local AWS is another account's, and where it looks at that it says so.
    assert!(matches!(run.code, Some(0 | 74)), "{run}");
    for seen in to_s3(&lab) {
        let owner = seen.request.get("x-amz-expected-bucket-owner");
        assert_eq!(owner, Some(TASK_ACCOUNT), "{}", seen.line);
    }
    assert_eq!(lab.proxy.count(STS), 0);
}

#[test]
fn metadata_that_makes_no_sense_or_has_no_end_is_as_good_as_none() {
    for body in ["{}", "no JSON", &"x".repeat(1 << 20)] {
        let metadata = FaultProxy::before(Aws::shared()).on(
            "/task",
            Fault::Answer(Message::new("HTTP/1.1 200 OK").body(body)),
        );
        let lab = Deployment::healthy();
        run(lab
            .runner()
            .env("ECS_CONTAINER_METADATA_URI_V4", metadata.endpoint()))
        .assert_code(0);
        assert_owner(&lab, Some(ACCOUNT));
    }
}

#[test]
fn an_owner_that_is_named_is_taken_for_it() {
    let lab = Deployment::healthy();
    run(lab.runner().args(["--bucket-owner", ACCOUNT])).assert_code(0);
    assert_owner(&lab, Some(ACCOUNT));
    assert_eq!(lab.proxy.count(STS), 0);
}

#[test]
fn a_bucket_that_is_named_without_its_owner_is_the_users_word() {
    let lab = Deployment::healthy();
    let destination = format!("s3://{}/shop", lab.bucket.name);
    run(lab.runner().args(["--destination", &destination])).assert_code(0);
    assert_owner(&lab, None);
    assert_eq!(lab.proxy.count(STS), 0);
}

#[test]
fn without_knowing_the_account_nothing_goes_into_a_derived_bucket_or_comes_out() {
    for fault in [
        Fault::s3(
            403,
            "AccessDenied",
            "not authorized to perform: sts:GetCallerIdentity",
        ),
        Fault::Reset,
    ] {
        let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on(STS, fault));
        let run = run(lab
            .runner()
            .env("DBT_ENTRYPOINT_CACHE_KEY", "some key of the settings"));
        run.assert_code(74).assert_err_has(&[
            "WARN nothing will be read from or published to",
            "may belong to anybody",
            "--bucket-owner",
        ]);
        assert_eq!(run.steps()[0].1, "success", "dbt does its work\n{run}");
        let beyond: Vec<String> = to_s3(&lab)
            .into_iter()
            .map(|seen| seen.line)
            .filter(|line| !line.starts_with("HEAD"))
            .collect();
        assert!(beyond.is_empty(), "{beyond:?}");
    }
}

#[test]
fn a_bucket_that_may_not_be_looked_at_is_a_warning() {
    let denied = || Fault::s3(403, "Forbidden", "Forbidden");
    let lab = Deployment::with_faults(Fake::new(), |proxy, _| proxy.on("HEAD", denied()));
    let run = run(lab.runner());
    run.assert_code(0)
        .assert_err_has(&["WARN cannot look at the bucket", ACCOUNT]);
}

/// What S3 says to every request that expects another owner.
#[test]
fn a_strangers_bucket_gets_nothing_and_gives_nothing() {
    let denied = || Fault::s3(403, "AccessDenied", "Access Denied");
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!("/{bucket}"), denied())
    });
    let run = run(lab.runner());
    run.assert_code(74).assert_err_has(&[
        "WARN cannot look at the bucket",
        &format!("does not belong to account {ACCOUNT}"),
        "--bucket-owner",
    ]);
    assert!(lab.keys().is_empty());
}
