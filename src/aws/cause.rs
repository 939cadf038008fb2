//! Owns what it means that a call got no answer, or none that the SDK could read.
//!
//! Never relies on the text of an error where its type can be asked; where it has to (the SDK keeps
//! some types to itself), an unknown text still ends in a sensible kind.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::client::NoAnswer;
use super::fault::{Fault, FaultKind};
use super::login::Obstacle;
use super::words::{contains_text, find, find_last, innermost, limit, untrusted};

const NO_WAY: &str = "check the network path to AWS: subnet, security group, VPC endpoint or NAT, \
    HTTPS_PROXY, NO_PROXY, AWS_ENDPOINT_URL";
const UNTRUSTED: &str = "set AWS_CA_BUNDLE to a file with that authority's certificate, or install \
    the system's CA certificates";
const NO_CREDENTIALS: &str = "give the task a task role; elsewhere set AWS_PROFILE, or \
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

impl Fault {
    /// Without a response, or with one that the SDK could not read, the chain of causes is all
    /// there is.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code();
                if code.is_some() || is_of_aws(service.raw()) {
                    Self::answered(code, service.err().message(), status)
                } else {
                    Self::foreign(status)
                }
            }
            SdkError::ResponseError(_) => unreadable_response(error, status),
            _ => no_response(error),
        }
    }
}

/// A response without a body, such as one to HEAD, has no code. AWS and the stores that speak S3
/// put a request id into each response; a proxy that refuses does not.
fn is_of_aws(response: &HttpResponse) -> bool {
    response
        .headers()
        .iter()
        .any(|(name, _)| name.starts_with("x-amz"))
}

/// The call ended before there was an answer.
fn no_response(error: &(dyn Error + 'static)) -> Fault {
    if let Some(obstacle) = find::<Obstacle>(error) {
        let (message, hint) = (obstacle.to_string(), obstacle.hint());
        return Fault::silent(obstacle.kind(), &message, Some(&hint));
    }
    if let Some(credentials) = find_last::<CredentialsError>(error) {
        return no_credentials(credentials);
    }
    if let Some(silence) = find::<NoAnswer>(error) {
        return no_answer(silence, "");
    }
    // The endpoint cannot be made, or the signature.
    if contains_text(error, "Missing Region") || contains_text(error, "signing region") {
        return Fault::silent(
            FaultKind::Misconfigured,
            "no AWS region is set",
            Some("set AWS_REGION"),
        );
    }
    if let Some(limit) = limit(error) {
        let what = if contains_text(error, "identity resolver") {
            "AWS credentials could not be fetched"
        } else {
            "AWS did not answer"
        };
        return Fault::silent(
            FaultKind::Unreachable,
            &format!("{what} within {limit}"),
            Some(NO_WAY),
        );
    }
    Fault::silent(FaultKind::Misconfigured, &innermost(error), None)
}

/// There was an answer, and the SDK gave up on it.
fn unreadable_response(error: &(dyn Error + 'static), status: Option<u16>) -> Fault {
    // An answer that stops half-way: its length is wrong, or no byte comes any more.
    let cut_off = find::<io::Error>(error).is_some()
        || ["throughput", "closed", "connection"]
            .iter()
            .any(|word| contains_text(error, word));
    if cut_off {
        return Fault {
            status,
            ..Fault::silent(
                FaultKind::Unreachable,
                "the connection to AWS was cut off mid-response",
                None,
            )
        };
    }
    Fault::foreign(status)
}

fn no_credentials(error: &CredentialsError) -> Fault {
    let source = error.source().unwrap_or(error);
    // A role that may not be assumed, a session that has expired: the call for credentials was
    // itself answered by AWS.
    if let Some(metadata) =
        find::<ErrorMetadata>(source).filter(|metadata| metadata.code().is_some())
    {
        return refused_credentials(metadata);
    }
    if let Some(silence) = find::<NoAnswer>(source) {
        return no_answer(silence, "AWS credentials could not be fetched: ");
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Fault::silent(
            FaultKind::Unauthenticated,
            "no AWS credentials were found",
            Some(NO_CREDENTIALS),
        ),
        CredentialsError::ProviderTimedOut(details) => {
            let message = format!(
                "AWS credentials could not be fetched within {:?}",
                details.timeout_duration()
            );
            Fault::silent(FaultKind::Unreachable, &message, None)
        }
        CredentialsError::InvalidConfiguration(_) => {
            let message = format!(
                "the AWS credentials are not set up correctly: {}",
                innermost(source)
            );
            Fault::silent(
                FaultKind::Misconfigured,
                &message,
                Some("check AWS_PROFILE and ~/.aws/config"),
            )
        }
        _ => unusable_credentials(source),
    }
}

fn refused_credentials(metadata: &ErrorMetadata) -> Fault {
    let mut fault = Fault::answered(metadata.code(), metadata.message(), None);
    match fault.kind {
        FaultKind::Denied => fault.hint = denied_role(metadata.message().unwrap_or_default()),
        FaultKind::Unreachable | FaultKind::Unauthenticated => {}
        _ => fault.kind = FaultKind::Unauthenticated,
    }
    fault.message = format!("AWS credentials could not be fetched: {}", fault.message);
    fault
}

fn denied_role(message: &str) -> Option<String> {
    let (action, rest) = message
        .split_once("to perform: ")?
        .1
        .split_once(" on resource: ")?;
    Some(format!(
        "allow {action} on {}",
        rest.split_whitespace().next()?
    ))
}

/// Whatever provides the credentials was found, and failed.
fn unusable_credentials(source: &(dyn Error + 'static)) -> Fault {
    let text = innermost(source);
    let status = status_in(&text);
    let reason = status.map_or(text, |status| {
        format!("their endpoint answered HTTP status {status}")
    });
    let (kind, hint) = match status {
        Some(429 | 500..) => (FaultKind::Unreachable, None),
        _ if ["expired", "SSO", "/sso/cache/"]
            .iter()
            .any(|word| contains_text(source, word)) =>
        {
            (
                FaultKind::Unauthenticated,
                Some("renew the session: `aws sso login`"),
            )
        }
        _ if reason.contains("external process") => (
            FaultKind::Unauthenticated,
            Some("run the credential_process of the AWS profile by hand, to see what it says"),
        ),
        _ => (FaultKind::Unauthenticated, Some(NO_CREDENTIALS)),
    };
    Fault::silent(
        kind,
        &format!("AWS credentials could not be fetched: {reason}"),
        hint,
    )
}

/// The status in `Non-success status from HTTP credential provider: StatusCode(503)`.
fn status_in(text: &str) -> Option<u16> {
    text.split_once("StatusCode(")?
        .1
        .split(')')
        .next()?
        .parse()
        .ok()
}

fn no_answer(silence: &NoAnswer, prefix: &str) -> Fault {
    let endpoint = &silence.endpoint;
    let source = silence.source.as_ref();
    let reason = innermost(source);
    let message = match limit(source) {
        Some(limit) if contains_text(source, "connect timeout") => {
            format!("could not connect to {endpoint} within {limit}")
        }
        Some(limit) => format!("{endpoint} did not answer within {limit}"),
        None if contains_text(source, "tunnel") => {
            format!("could not connect to {endpoint} through the proxy: {reason}")
        }
        None if contains_text(source, "(Connect)") => {
            format!("could not connect to {endpoint}: {reason}")
        }
        None => format!("no answer from {endpoint}: {reason}"),
    };
    let hint = if untrusted(source) { UNTRUSTED } else { NO_WAY };
    Fault::silent(
        FaultKind::Unreachable,
        &format!("{prefix}{message}"),
        Some(hint),
    )
}

#[cfg(test)]
mod tests;
