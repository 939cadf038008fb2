//! Owns the search through a chain of causes, and the words for what lies at its bottom.
//!
//! Never prints an error's `Debug` form: the SDK's and the TLS library's hold type names and whole
//! structures.

use std::error::Error;

use aws_smithy_runtime_api::client::result::ConnectorError;
use rustls::CertificateError;

use crate::causes;

/// The first cause of a type.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// The innermost cause of a type.
pub(super) fn find_last<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).filter_map(|cause| cause.downcast_ref()).last()
}

/// Whether a cause says so.
pub(super) fn contains_text(error: &(dyn Error + 'static), what: &str) -> bool {
    chain(error).any(|cause| cause.to_string().contains(what))
}

/// The time limit that passed: `HTTP connect timeout occurred after 3s`, `identity resolver timed
/// out after 21.6s`.
pub(super) fn limit(error: &(dyn Error + 'static)) -> Option<String> {
    chain(error).find_map(|cause| {
        let text = cause.to_string();
        let (before, limit) = text.rsplit_once(" after ")?;
        (before.contains("time") && limit.starts_with(|first: char| first.is_ascii_digit()))
            .then(|| limit.to_owned())
    })
}

/// What lies at the bottom: `Connection refused (os error 111)` becomes `connection refused`.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return handshake(tls).to_owned();
    }
    let text = chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default();
    if let Some(refusal) = text.strip_prefix("tunnel error: ") {
        return if refusal == "unsuccessful" {
            "the proxy refuses".to_owned()
        } else {
            refusal.to_owned()
        };
    }
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        // `DNS …` stays, `Connection …` does not.
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

/// Whether another trust store could help.
pub(super) fn untrusted(error: &(dyn Error + 'static)) -> bool {
    let tls = find::<rustls::Error>(error).map(handshake);
    tls.is_some_and(|words| words == UNKNOWN_AUTHORITY || words == INVALID)
}

const UNKNOWN_AUTHORITY: &str = "its certificate is signed by an unknown authority";
const INVALID: &str = "its certificate is not valid";

fn handshake(error: &rustls::Error) -> &'static str {
    let rustls::Error::InvalidCertificate(reason) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => "it does not speak TLS",
            _ => "the TLS handshake failed",
        };
    };
    match reason {
        CertificateError::UnknownIssuer => UNKNOWN_AUTHORITY,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired, by the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, by the clock of this machine"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        _ => INVALID,
    }
}

/// The error and its causes, without the one that says `io error` or `timeout` and no more.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    causes::of(error).filter(|error| !error.is::<ConnectorError>())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] io::Error);

    #[test]
    fn the_innermost_cause_in_words() {
        let refused = Layer("client error (Connect)", io::Error::from_raw_os_error(111));
        assert_eq!(innermost(&refused), "connection refused");
        assert!(contains_text(&refused, "(Connect)"));
        let tunnel = Layer(
            "client error (Connect)",
            io::Error::other("tunnel error: unsuccessful"),
        );
        assert_eq!(innermost(&tunnel), "the proxy refuses");
        assert_eq!(innermost(&io::Error::other("DNS is down")), "DNS is down");
    }

    #[test]
    fn a_handshake_is_found_where_the_standard_library_hides_it() {
        let of = |reason| {
            Layer(
                "x",
                io::Error::other(io::Error::other(rustls::Error::InvalidCertificate(reason))),
            )
        };
        assert_eq!(
            innermost(&of(CertificateError::UnknownIssuer)),
            UNKNOWN_AUTHORITY
        );
        assert!(untrusted(&of(CertificateError::UnknownIssuer)));
        assert_eq!(innermost(&of(CertificateError::BadSignature)), INVALID);
        assert!(!untrusted(&of(CertificateError::NotValidForName)));
        assert!(!untrusted(&of(CertificateError::Expired)));
    }

    #[test]
    fn a_time_limit_is_found_in_the_words_of_the_sdk() {
        let limit_in = |text: &'static str| limit(&Layer(text, io::Error::other("x")));
        assert_eq!(
            limit_in("HTTP connect timeout occurred after 3s").as_deref(),
            Some("3s")
        );
        assert_eq!(
            limit_in("operation attempt timeout (single attempt) occurred after 10s").as_deref(),
            Some("10s")
        );
        assert_eq!(
            limit_in("identity resolver timed out after 21.6s").as_deref(),
            Some("21.6s")
        );
        assert_eq!(limit_in("it closed after all"), None);
    }
}
