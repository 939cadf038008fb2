//! Owns the tests of what a call without an answer means: errors as the SDK nests them.
//!
//! Never makes a call.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;

use super::*;

type Failure = SdkError<ErrorMetadata, HttpResponse>;

fn dispatch(source: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
    SdkError::dispatch_failure(ConnectorError::other(source.into(), None))
}

fn no_answer_of(source: impl Into<Box<dyn Error + Send + Sync>>) -> NoAnswer {
    NoAnswer {
        endpoint: "http://127.0.0.1:1".to_owned(),
        source: source.into(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("client error (Connect)")]
struct Connect(#[source] io::Error);

fn refused() -> NoAnswer {
    no_answer_of(Connect(io::Error::from_raw_os_error(111)))
}

#[track_caller]
fn check(error: &Failure, kind: FaultKind, message: &str) -> Fault {
    let fault = Fault::of(error);
    assert_eq!((fault.kind, fault.message.as_str()), (kind, message));
    fault
}

#[test]
fn what_cannot_be_reached_is_named() {
    check(
        &dispatch(refused()),
        FaultKind::Unreachable,
        "could not connect to http://127.0.0.1:1: connection refused",
    );
    let slow = no_answer_of("HTTP read timeout occurred after 10s");
    check(
        &SdkError::dispatch_failure(ConnectorError::timeout(slow.into())),
        FaultKind::Unreachable,
        "http://127.0.0.1:1 did not answer within 10s",
    );
    let far = no_answer_of("HTTP connect timeout occurred after 3s");
    check(
        &dispatch(far),
        FaultKind::Unreachable,
        "could not connect to http://127.0.0.1:1 within 3s",
    );
    let whole =
        SdkError::timeout_error("operation attempt timeout (single attempt) occurred after 20s");
    check(
        &whole,
        FaultKind::Unreachable,
        "AWS did not answer within 20s",
    );
    let closed = dispatch(no_answer_of("connection closed before message completed"));
    check(
        &closed,
        FaultKind::Unreachable,
        "no answer from http://127.0.0.1:1: connection closed before message completed",
    );
}

#[test]
fn no_credentials_and_unreachable_credentials_are_told_apart() {
    let none = check(
        &dispatch(CredentialsError::not_loaded("x")),
        FaultKind::Unauthenticated,
        "no AWS credentials were found",
    );
    assert_eq!(none.hint.as_deref(), Some(NO_CREDENTIALS));
    let nested: Failure = dispatch(refused());
    check(
        &dispatch(CredentialsError::unhandled(nested)),
        FaultKind::Unreachable,
        "AWS credentials could not be fetched: could not connect to http://127.0.0.1:1: \
            connection refused",
    );
    let status = |status| {
        dispatch(CredentialsError::provider_error(format!(
            "Non-success status from provider: StatusCode({status})"
        )))
    };
    let message = "AWS credentials could not be fetched: their endpoint answered HTTP status";
    check(
        &status(503),
        FaultKind::Unreachable,
        &format!("{message} 503"),
    );
    check(
        &status(403),
        FaultKind::Unauthenticated,
        &format!("{message} 403"),
    );
    let late = CredentialsError::provider_timed_out(Duration::from_secs(5));
    check(
        &dispatch(late),
        FaultKind::Unreachable,
        "AWS credentials could not be fetched within 5s",
    );
    let slow = dispatch("identity resolver timed out after 21.6s");
    check(
        &slow,
        FaultKind::Unreachable,
        "AWS credentials could not be fetched within 21.6s",
    );
    let broken = dispatch(CredentialsError::invalid_configuration("profile `x` loops"));
    check(
        &broken,
        FaultKind::Misconfigured,
        "the AWS credentials are not set up correctly: profile `x` loops",
    );
}

#[test]
fn a_role_that_may_not_be_assumed_is_named() {
    let role = "arn:aws:iam::123456789012:role/dbt";
    let message = format!(
        "User: arn:aws:iam::123456789012:user/a is not authorized to perform: sts:AssumeRole \
            on resource: {role}"
    );
    let metadata = ErrorMetadata::builder()
        .code("AccessDenied")
        .message(message)
        .build();
    let fault = Fault::of(&dispatch(CredentialsError::provider_error(metadata)));
    assert_eq!(fault.kind, FaultKind::Denied);
    assert_eq!(
        fault.hint.unwrap(),
        format!("allow sts:AssumeRole on {role}")
    );
}

#[test]
fn a_missing_region_is_recognised() {
    for text in [
        "Invalid Configuration: Missing Region",
        "missing signing region",
    ] {
        let fault = check(
            &dispatch(text),
            FaultKind::Misconfigured,
            "no AWS region is set",
        );
        assert_eq!(fault.hint.as_deref(), Some("set AWS_REGION"));
    }
    check(
        &SdkError::construction_failure("invalid uri character"),
        FaultKind::Misconfigured,
        "invalid uri character",
    );
}

#[test]
fn answers_that_the_sdk_cannot_read() {
    let of = |status: u16, text: &str| -> Failure {
        SdkError::response_error(
            text.to_owned(),
            HttpResponse::new(status.try_into().unwrap(), SdkBody::empty()),
        )
    };
    check(
        &of(200, "unexpected token"),
        FaultKind::Unexpected,
        "the response is not from AWS (HTTP status 200)",
    );
    check(
        &of(503, "unexpected token"),
        FaultKind::Unreachable,
        "the response is not from AWS (HTTP status 503)",
    );
    check(
        &of(200, "throughput of 0 B/s was observed"),
        FaultKind::Unreachable,
        "the connection to AWS was cut off mid-response",
    );
    let metadata = ErrorMetadata::builder()
        .code("NoSuchBucket")
        .message("no")
        .build();
    let answered = SdkError::service_error(
        metadata,
        HttpResponse::new(404.try_into().unwrap(), SdkBody::empty()),
    );
    assert_eq!(
        check(&answered, FaultKind::NotFound, "NoSuchBucket: no").status,
        Some(404)
    );
}
