//! Owns how this program reaches AWS: one client configuration for all services, and what a failed
//! call means.
//!
//! Asks nothing by itself but the task which one it is. Never reads a variable of this process:
//! those of the run arrive as a value.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileSet;
use aws_config::retry::{RetryConfig, RetryMode};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::HttpClientError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::config::{Variables, variable};

pub(crate) mod arn;
mod cause;
mod client;
mod endpoints;
mod fault;
mod image;
mod login;
mod policy;
mod profiles;
mod proxies;
mod token_files;
mod trust;
mod variables;
mod words;

pub(crate) use endpoints::is_set as has_own_endpoint;
pub(crate) use fault::{Fault, FaultKind};
pub(crate) use login::Issued;
pub(crate) use policy::remedy;
pub(crate) use token_files::tokens;
pub(crate) use variables::adopt;

use proxies::Proxies;

use client::Client;

/// A host that answers at all accepts a connection in a fraction of this; one behind a wrong
/// security group never does.
const CONNECT: Duration = Duration::from_secs(3);

/// From the request to the first byte of the answer. With the SDK's three attempts an AWS that
/// accepts and then says nothing is given up after half a minute. Deliberately not a limit on the
/// whole attempt: an attempt includes finding credentials, for which a laptop's
/// `credential_process` may wait for a person, and those calls have limits of their own.
const READ: Duration = Duration::from_secs(10);

/// The task's metadata answers in a moment.
const METADATA: Duration = Duration::from_secs(1);

/// Why there is no client configuration. All of these are bad settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the CA bundle {} ({origin})", path.display())]
    Bundle {
        path: PathBuf,
        origin: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the CA bundle {} ({origin}) holds no usable certificate in PEM format",
        path.display())]
    NoCertificate { path: PathBuf, origin: &'static str },
    #[error("cannot set up TLS")]
    Tls(#[source] HttpClientError),
    #[error("{name} is \"{value}\", expected {expected}")]
    Retries {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    /// All of them at once.
    #[error("{}", .0.join("\n       "))]
    Settings(Vec<String>),
}

/// The longest that one attempt takes.
pub(crate) const ATTEMPT: Duration = CONNECT.saturating_add(READ);

/// How often the AWS CLI tries in the mode `legacy`.
const LEGACY_ATTEMPTS: u32 = 5;

/// What a caller needs of AWS.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    pub(crate) config: SdkConfig,
    /// The credentials that the SDK has been given so far.
    pub(crate) issued: Issued,
    /// Where an ECS task learns about itself, if this is one.
    pub(crate) task_metadata: Option<String>,
    task_arn: Arc<OnceCell<Option<String>>>,
    client: Client,
}

impl Aws {
    /// What a plain address answers, such as the metadata of a task. Never more than 64 KiB.
    pub(crate) async fn get(&self, address: &str) -> Result<Vec<u8>, BoxError> {
        self.client.get(address, CONNECT).await
    }

    /// The ARN of the ECS task that this is; `None` if it is none, or does not know it. Asked for
    /// once.
    pub(crate) async fn task_arn(&self) -> Option<&str> {
        let arn = self.task_arn.get_or_init(|| self.ask_for_task_arn());
        arn.await.as_deref()
    }

    async fn ask_for_task_arn(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "TaskARN")]
            arn: String,
        }
        let address = format!("{}/task", self.task_metadata.as_ref()?);
        match timeout(METADATA, self.get(&address)).await {
            Ok(Ok(content)) => serde_json::from_slice::<Answer>(&content)
                .ok()
                .map(|answer| answer.arn),
            Ok(Err(error)) => {
                tracing::debug!("cannot read the metadata of the task: {error}");
                None
            }
            Err(_) => None,
        }
    }
}

/// Region, profile, credentials and endpoints come from the SDK's own chain; no call to AWS is made
/// yet. `variables` are those of the run, which the environment of this process has to show the SDK
/// by `adopt`.
pub(crate) async fn load(variables: &Variables) -> Result<Aws, Error> {
    let task_metadata = variable(variables, "ECS_CONTAINER_METADATA_URI_V4")
        .and_then(|address| address.to_str())
        .map(str::to_owned);
    let (variables, mut faults) = variables::read(variables);
    let (proxies, more_faults) = Proxies::read(&variables);
    faults.extend(more_faults);
    if !faults.is_empty() {
        return Err(Error::Settings(faults));
    }
    let (files, unread) = profiles::read(&variables).await.map_err(Error::Settings)?;
    let profile = variables
        .get(variables::PROFILE)
        .map(|name| profiles::encoded(name));
    let profiles = load_profiles(&files, profile.clone()).await;
    let from_profile = |key| profiles.as_ref().and_then(|profiles| profiles.get(key));
    let find = |variable: &'static str, key, key_name| {
        pick(
            variables.get(variable).map(String::as_str),
            variable,
            from_profile(key),
            key_name,
        )
    };
    let trust = find("AWS_CA_BUNDLE", "ca_bundle", "ca_bundle of the AWS profile")
        .map(|(origin, path)| trust::read(Path::new(path), origin))
        .transpose()?;
    let client = client::new(trust, proxies).map_err(Error::Tls)?;
    let retries = retries(
        find(
            "AWS_RETRY_MODE",
            "retry_mode",
            "retry_mode of the AWS profile",
        ),
        find(
            "AWS_MAX_ATTEMPTS",
            "max_attempts",
            "max_attempts of the AWS profile",
        ),
    )?;
    if let Some(region) = from_profile("region")
        && !variables.contains_key(variables::REGION)
        && !variables::is_region(region)
    {
        let fault = variables::not_a_region(region);
        return Err(Error::Settings(vec![format!(
            "region of the AWS profile: {fault}"
        )]));
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .build();
    let mut defaults = aws_config::defaults(BehaviorVersion::v2026_01_12()).profile_files(files);
    if let Some(profile) = profile {
        defaults = defaults.profile_name(profile);
    }
    let config = defaults
        .http_client(SharedHttpClient::new(client.clone()))
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await;
    let config = endpoints::without_blank(config);
    endpoints::check(&config, &variables).map_err(Error::Settings)?;
    let (config, issued) = login::observe(config, variables, profiles, unread);
    Ok(Aws {
        config,
        issued,
        task_metadata,
        task_arn: Arc::default(),
        client,
    })
}

/// The longest that a call takes whose attempts take `attempt` each, with the pauses between them.
pub(crate) fn longest_wait(config: &SdkConfig, attempt: Duration) -> Duration {
    let default = RetryConfig::standard();
    let retries = config.retry_config().unwrap_or(&default);
    let pauses = (0..retries.max_attempts().saturating_sub(1)).map(|retry| {
        let pause = 2_u32.checked_pow(retry);
        let pause = pause.and_then(|factor| retries.initial_backoff().checked_mul(factor));
        pause.map_or(retries.max_backoff(), |pause| {
            pause.min(retries.max_backoff())
        })
    });
    pauses.fold(
        attempt.saturating_mul(retries.max_attempts()),
        Duration::saturating_add,
    )
}

/// The profiles of the files, for what the SDK does not read or say itself.
#[expect(
    clippy::default_trait_access,
    reason = "the SDK does not export the types: file system, environment"
)]
async fn load_profiles(files: &EnvConfigFiles, selected: Option<String>) -> Option<ProfileSet> {
    let selected = selected.map(Cow::Owned);
    aws_config::profile::load(&Default::default(), &Default::default(), files, selected)
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
            "standard" => RetryMode::Standard,
            "adaptive" => RetryMode::Adaptive,
            // What the AWS CLI had before `standard`: the nearest thing that this SDK has, and the
            // number of attempts.
            "legacy" => {
                retries = retries.with_max_attempts(LEGACY_ATTEMPTS);
                RetryMode::Standard
            }
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
            RetryConfig::standard().with_max_attempts(5)
        );
    }

    #[test]
    fn more_attempts_may_take_longer() {
        let wait = |attempts| {
            let mut config = SdkConfig::builder();
            config.set_retry_config(Some(RetryConfig::standard().with_max_attempts(attempts)));
            longest_wait(&config.build(), Duration::from_secs(10)).as_secs()
        };
        assert_eq!((wait(1), wait(3)), (10, 30 + 1 + 2));
        assert_eq!(wait(9), 90 + (1 + 2 + 4 + 8 + 16) + 3 * 20);
        assert!(wait(100) > 1000);
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
