//! Owns how this program reaches AWS: one client configuration for all services, and what a failed
//! call means.
//!
//! Never knows a service, and never reads a variable on its own: what the SDK does not read by
//! itself arrives in `Settings`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::profile::ProfileSet;
use aws_config::retry::{RetryConfig, RetryMode};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::HttpClientError;

pub(crate) mod arn;
mod cause;
mod client;
mod fault;
mod issued;
mod trust;
mod words;

pub(crate) use fault::{Fault, FaultKind};
pub(crate) use issued::Issued;

/// A host that answers at all accepts a connection in a fraction of this; one behind a wrong
/// security group never does.
const CONNECT: Duration = Duration::from_secs(3);

/// From the request to the first byte of the answer. With the SDK's three attempts an AWS that
/// accepts and then says nothing is given up after half a minute. Deliberately not a limit on the
/// whole attempt: an attempt includes finding credentials, for which a laptop's
/// `credential_process` may wait for a person, and those calls have limits of their own.
const READ: Duration = Duration::from_secs(10);

/// What the SDK would not find by itself, or would choke on.
#[derive(Debug, Default, Clone)]
pub(crate) struct Settings {
    /// `AWS_CA_BUNDLE`. The SDK ignores it.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// `AWS_RETRY_MODE`. The SDK panics on a value that it does not know, even on the AWS CLI's own
    /// `legacy`.
    pub(crate) retry_mode: Option<String>,
    /// `AWS_MAX_ATTEMPTS`. The SDK panics on what is not a positive number.
    pub(crate) max_attempts: Option<String>,
}

/// Why there is no client configuration. All of these are bad settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the CA bundle {} (AWS_CA_BUNDLE)", path.display())]
    Bundle {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the CA bundle {} (AWS_CA_BUNDLE) holds no usable certificate in PEM format", path.display())]
    NoCertificate { path: PathBuf },
    #[error("cannot set up TLS")]
    Tls(#[source] HttpClientError),
    #[error("{name} is \"{value}\", expected {expected}")]
    Retries {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
}

/// What a caller needs of AWS.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) config: SdkConfig,
    /// The credentials that the SDK has been given so far.
    pub(crate) issued: Issued,
}

/// Region, profile, credentials and endpoints come from the SDK's own chain; nothing is asked of
/// AWS yet.
pub(crate) async fn load(settings: &Settings) -> Result<Aws, Error> {
    let profile = profile().await;
    let from_profile = |key| {
        profile
            .as_ref()
            .and_then(|profile: &ProfileSet| profile.get(key))
    };
    let bundle = settings
        .ca_bundle
        .clone()
        .or_else(|| from_profile("ca_bundle").map(PathBuf::from));
    let trust = bundle.as_deref().map(trust::read).transpose()?;
    let client = client::new(trust).map_err(Error::Tls)?;
    let retries = retries(
        pick(
            settings.retry_mode.as_deref(),
            "AWS_RETRY_MODE",
            from_profile("retry_mode"),
            "retry_mode of the AWS profile",
        ),
        pick(
            settings.max_attempts.as_deref(),
            "AWS_MAX_ATTEMPTS",
            from_profile("max_attempts"),
            "max_attempts of the AWS profile",
        ),
    )?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .build();
    let defaults = aws_config::defaults(BehaviorVersion::v2026_01_12());
    let config = defaults
        .http_client(client)
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await;
    let (config, issued) = issued::observe(config);
    Ok(Aws { config, issued })
}

/// The selected profile of `~/.aws/config`. One that cannot be parsed is the SDK's to complain
/// about, when it looks for credentials.
#[expect(
    clippy::default_trait_access,
    reason = "the SDK does not export the types: file system, environment, names of the files"
)]
async fn profile() -> Option<ProfileSet> {
    aws_config::profile::load(
        &Default::default(),
        &Default::default(),
        &Default::default(),
        None,
    )
    .await
    .ok()
}

/// A setting and the name under which it was found: the variable, else the profile's key. Empty
/// counts as unset.
fn pick<'a>(
    variable: Option<&'a str>,
    variable_name: &'static str,
    key: Option<&'a str>,
    key_name: &'static str,
) -> Option<(&'static str, &'a str)> {
    let variable = variable.map(|value| (variable_name, value.trim()));
    let key = key.map(|value| (key_name, value.trim()));
    variable
        .into_iter()
        .chain(key)
        .find(|(_, value)| !value.is_empty())
}

/// The SDK's own defaults with what was asked for. Always given to the SDK, since its own reading
/// of these settings panics on bad ones.
fn retries(
    mode: Option<(&'static str, &str)>,
    attempts: Option<(&'static str, &str)>,
) -> Result<RetryConfig, Error> {
    let mut retries = RetryConfig::standard();
    if let Some((name, value)) = mode {
        let mode = match value.to_ascii_lowercase().as_str() {
            // What the AWS CLI calls `legacy` is its rules before `standard`; the nearest thing
            // that this SDK has.
            "standard" | "legacy" => RetryMode::Standard,
            "adaptive" => RetryMode::Adaptive,
            _ => {
                return Err(Error::Retries {
                    name,
                    value: value.to_owned(),
                    expected: "standard, adaptive or legacy",
                });
            }
        };
        retries = retries.with_retry_mode(mode);
    }
    if let Some((name, value)) = attempts {
        match value.parse::<u32>() {
            Ok(attempts) if attempts > 0 => retries = retries.with_max_attempts(attempts),
            _ => {
                return Err(Error::Retries {
                    name,
                    value: value.to_owned(),
                    expected: "a number of attempts, 1 or more",
                });
            }
        }
    }
    Ok(retries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_wins_over_the_profile_and_an_empty_one_does_not() {
        assert_eq!(
            pick(Some("adaptive"), "V", Some("standard"), "K"),
            Some(("V", "adaptive"))
        );
        assert_eq!(
            pick(Some(" "), "V", Some("standard"), "K"),
            Some(("K", "standard"))
        );
        assert_eq!(pick(None, "V", Some(""), "K"), None);
    }

    #[test]
    fn retries_are_the_sdks_unless_asked_otherwise() {
        assert_eq!(retries(None, None).unwrap(), RetryConfig::standard());
        let asked = retries(
            Some(("AWS_RETRY_MODE", "Adaptive")),
            Some(("AWS_MAX_ATTEMPTS", "7")),
        )
        .unwrap();
        assert_eq!(asked, RetryConfig::adaptive().with_max_attempts(7));
        assert_eq!(
            retries(Some(("AWS_RETRY_MODE", "legacy")), None).unwrap(),
            RetryConfig::standard()
        );
    }

    #[test]
    fn a_bad_retry_setting_is_named() {
        for value in ["0", "-1", "three"] {
            let message = retries(None, Some(("AWS_MAX_ATTEMPTS", value)))
                .unwrap_err()
                .to_string();
            assert_eq!(
                message,
                format!(
                    "AWS_MAX_ATTEMPTS is \"{value}\", expected a number of attempts, 1 or more"
                )
            );
        }
        let message = retries(Some(("AWS_RETRY_MODE", "often")), None)
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "AWS_RETRY_MODE is \"often\", expected standard, adaptive or legacy"
        );
    }
}
