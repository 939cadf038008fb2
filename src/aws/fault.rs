//! Owns what a failed AWS call means: its kind, and a message for people.
//!
//! Never prints what the SDK prints about its own errors (type names, whole requests), and nothing
//! of a message but its first line: after a bad signature AWS sends back the request's headers, the
//! session token among them.

/// Longer messages are cut; those of AWS that are worth reading are shorter.
const LONGEST: usize = 500;

/// What to do about it differs between these, and so does the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// What was asked for does not exist.
    NotFound,
    /// AWS knows the caller and refuses.
    Denied,
    /// There are no credentials, or AWS does not accept them.
    Unauthenticated,
    /// No connection, no answer in time, a failure on AWS's side, or too many requests.
    Unreachable,
    /// No region, or a setting that the SDK cannot use.
    Misconfigured,
    /// AWS refuses the request as it is: a malformed name, a secret that is marked for deletion.
    Invalid,
    /// Something answered that does not speak as AWS does.
    Unexpected,
}

/// A failed call. The message is short and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The error code of AWS, such as `AccessDeniedException`.
    pub(crate) code: Option<String>,
    /// The HTTP status, if there was an answer.
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    /// What to do, as far as that does not depend on the service.
    pub(crate) hint: Option<String>,
}

impl Fault {
    /// A response of AWS, with a code or only with a status.
    pub(super) fn answered(code: Option<&str>, message: Option<&str>, status: Option<u16>) -> Self {
        let kind = code.and_then(of_code).unwrap_or_else(|| of_status(status));
        let said = message
            .map(first_line)
            .filter(|message| !message.is_empty());
        let message = match (code, said) {
            (Some(code), Some(said)) => format!("{code}: {said}"),
            (Some(code), None) => match status {
                Some(status) => format!("{code} (HTTP status {status})"),
                None => code.to_owned(),
            },
            (None, _) => match (kind, status) {
                (FaultKind::Unexpected, status) => return Self::foreign(status),
                (_, Some(status)) => format!("HTTP status {status}"),
                (_, None) => "AWS refused the request without a reason".to_owned(),
            },
        };
        let hint = (kind == FaultKind::Unauthenticated)
            .then(|| renewal(code.unwrap_or_default()).to_owned());
        Self {
            kind,
            code: code.map(str::to_owned),
            status,
            message,
            hint,
        }
    }

    /// An answer of something that stands before AWS: a proxy, a portal, another server. What it
    /// refuses, no policy of IAM can allow.
    pub(super) fn foreign(status: Option<u16>) -> Self {
        let kind = match of_status(status) {
            FaultKind::Unreachable => FaultKind::Unreachable,
            _ => FaultKind::Unexpected,
        };
        let status_text = status
            .map(|status| format!(" (HTTP status {status})"))
            .unwrap_or_default();
        let message = match status {
            Some(407) => "the proxy wants a user name and a password".to_owned(),
            _ => "the response is not from AWS".to_owned(),
        };
        Self {
            status,
            ..Self::silent(
                kind,
                &format!("{message}{status_text}"),
                Some("check HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL"),
            )
        }
    }

    /// A failure without an answer.
    pub(super) fn silent(kind: FaultKind, message: &str, hint: Option<&str>) -> Self {
        Self {
            kind,
            code: None,
            status: None,
            message: first_line(message),
            hint: hint.map(str::to_owned),
        }
    }
}

/// Codes decide before the status: AWS answers 400 to nearly everything.
fn of_code(code: &str) -> Option<FaultKind> {
    const UNAUTHENTICATED: [&str; 17] = [
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnauthorizedException",
        "UnrecognizedClientException",
    ];
    // Secrets Manager and Glue say so when the key may not be used.
    const DENIED: [&str; 6] = [
        "DecryptionFailure",
        "GlueEncryptionException",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    ];
    const UNREACHABLE: [&str; 16] = [
        "BandwidthLimitExceeded",
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceException",
        "KMSInternalException",
        "KeyUnavailableException",
        "OperationTimeoutException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
    ];
    if UNAUTHENTICATED.contains(&code) {
        Some(FaultKind::Unauthenticated)
    } else if code.contains("AccessDenied") || DENIED.contains(&code) {
        Some(FaultKind::Denied)
    } else if code.contains("Throttl")
        || code.starts_with("TooManyRequests")
        || UNREACHABLE.contains(&code)
    {
        Some(FaultKind::Unreachable)
    } else if code == "PermanentRedirect" {
        // A bucket is in another region than AWS_REGION says.
        Some(FaultKind::Misconfigured)
    } else if code.contains("NotFound") || code.starts_with("NoSuch") {
        Some(FaultKind::NotFound)
    } else {
        None
    }
}

fn of_status(status: Option<u16>) -> FaultKind {
    match status {
        Some(401) => FaultKind::Unauthenticated,
        Some(403) => FaultKind::Denied,
        Some(404) => FaultKind::NotFound,
        Some(408 | 429 | 500..) => FaultKind::Unreachable,
        Some(400..) => FaultKind::Invalid,
        _ => FaultKind::Unexpected,
    }
}

fn renewal(code: &str) -> &'static str {
    if code.starts_with("Expired") || code == "TokenRefreshRequired" {
        "renew the AWS credentials (`aws sso login`, or a new AWS_SESSION_TOKEN)"
    } else if code.starts_with("RequestTime") || code == "RequestExpired" {
        "set the clock of this machine"
    } else {
        "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile that \
            AWS_PROFILE names"
    }
}

/// The first line, cut to a length that a log line bears, without control characters.
pub(super) fn first_line(message: &str) -> String {
    let line = message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let mut cut: String = line
        .chars()
        .filter(|char| !char.is_control())
        .take(LONGEST)
        .collect();
    if line.chars().count() > LONGEST {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: Option<&str>, status: u16) -> FaultKind {
        Fault::answered(code, None, Some(status)).kind
    }

    #[test]
    fn codes_decide_before_the_status() {
        for (code, status, expected) in [
            ("EntityNotFoundException", 400, FaultKind::NotFound),
            ("ResourceNotFoundException", 400, FaultKind::NotFound),
            ("ParameterNotFound", 400, FaultKind::NotFound),
            ("NoSuchBucket", 404, FaultKind::NotFound),
            ("AccessDeniedException", 400, FaultKind::Denied),
            ("AccessDenied", 403, FaultKind::Denied),
            ("DecryptionFailure", 400, FaultKind::Denied),
            ("ExpiredTokenException", 400, FaultKind::Unauthenticated),
            (
                "UnrecognizedClientException",
                400,
                FaultKind::Unauthenticated,
            ),
            ("SignatureDoesNotMatch", 403, FaultKind::Unauthenticated),
            ("ThrottlingException", 400, FaultKind::Unreachable),
            ("ThrottledException", 400, FaultKind::Unreachable),
            ("TooManyRequestsException", 429, FaultKind::Unreachable),
            ("RequestLimitExceeded", 503, FaultKind::Unreachable),
            ("SlowDown", 503, FaultKind::Unreachable),
            ("InternalServiceException", 500, FaultKind::Unreachable),
            ("PermanentRedirect", 301, FaultKind::Misconfigured),
            ("ValidationException", 400, FaultKind::Invalid),
            ("InvalidRequestException", 400, FaultKind::Invalid),
        ] {
            assert_eq!(kind(Some(code), status), expected, "{code}");
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        for (status, expected) in [
            (200, FaultKind::Unexpected),
            (302, FaultKind::Unexpected),
            (400, FaultKind::Invalid),
            (401, FaultKind::Unauthenticated),
            (403, FaultKind::Denied),
            (404, FaultKind::NotFound),
            (429, FaultKind::Unreachable),
            (503, FaultKind::Unreachable),
        ] {
            assert_eq!(kind(None, status), expected, "{status}");
        }
    }

    #[test]
    fn messages_are_short_and_in_words() {
        let fault = Fault::answered(
            Some("EntityNotFoundException"),
            Some("Connection redshift not found."),
            Some(400),
        );
        assert_eq!(
            fault.to_string(),
            "EntityNotFoundException: Connection redshift not found."
        );
        assert_eq!(
            Fault::answered(Some("InvalidCiphertextException"), None, Some(400)).to_string(),
            "InvalidCiphertextException (HTTP status 400)"
        );
        assert_eq!(
            Fault::answered(None, None, Some(503)).to_string(),
            "HTTP status 503"
        );
        assert_eq!(
            Fault::answered(None, None, Some(200)).to_string(),
            "the response is not from AWS (HTTP status 200)"
        );
    }

    #[test]
    fn the_headers_in_the_message_about_a_bad_signature_are_not_shown() {
        let message = "The request signature we calculated does not match.\n\nThe Canonical String \
            was\n'x-amz-security-token:SENTINEL'";
        let fault = Fault::answered(Some("InvalidSignatureException"), Some(message), Some(403));
        assert_eq!(
            fault.to_string(),
            "InvalidSignatureException: The request signature we calculated does not match."
        );
        assert!(!format!("{fault:?}").contains("SENTINEL"));
        assert!(first_line(&"x".repeat(10_000)).chars().count() <= LONGEST + 1);
        assert_eq!(first_line("a\u{1b}[31mb"), "a[31mb");
    }
}
