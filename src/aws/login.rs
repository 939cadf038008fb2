//! Owns the way to AWS credentials: which ones the SDK was given, since their secret half must not
//! reach a log either, and what stands in the way where the SDK does not say it.
//!
//! Never asks for credentials itself: that could cost a call, or a person's second factor, that
//! nothing else needs.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Answer;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_types::error::ErrorMetadata;

use super::fault::FaultKind;
use super::profiles::{Unread, decoded};
use super::variables::{PROFILE, SdkVariables};
use super::words::{contains_text, find, innermost};
use crate::secret::Secret;

/// Longer chains of `source_profile` are circles.
const LONGEST_CHAIN: usize = 10;

/// Secret keys and session tokens, as they were issued. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Issued(Arc<Mutex<Vec<Secret>>>);

impl Issued {
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What stands in the way of credentials, as far as the settings show it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    #[error("{missing} is not set, though {given} is")]
    HalfAKey {
        missing: &'static str,
        given: &'static str,
    },
    #[error("the AWS profile \"{profile}\" ({origin}) is in none of {}", .files.join(", "))]
    NoProfile {
        profile: String,
        /// What names it.
        origin: String,
        files: [String; 2],
    },
    #[error(
        "the AWS profile \"{profile}\" signs in with `aws login`, which only the AWS CLI can use"
    )]
    CliLogin { profile: String },
    #[error("cannot read {}, where the AWS credentials may be: {}", .0.path.display(), .0.reason)]
    Unread(Unread),
    #[error(
        "the AWS profile \"{profile}\" wants a second factor (mfa_serial), which nobody can enter \
         here: {said}"
    )]
    SecondFactor {
        profile: String,
        /// By AWS.
        said: String,
    },
    #[error("cannot read the token file {} ({origin}): {}", path.display(), innermost(.source))]
    TokenFile {
        path: PathBuf,
        origin: &'static str,
        source: io::Error,
    },
}

impl Obstacle {
    pub(super) fn kind(&self) -> FaultKind {
        match self {
            Self::CliLogin { .. } => FaultKind::Misconfigured,
            _ => FaultKind::Unauthenticated,
        }
    }

    pub(super) fn hint(&self) -> String {
        match self {
            Self::HalfAKey { missing, given } => format!("set {missing}, or unset {given}"),
            Self::NoProfile { .. } => {
                "check AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE".to_owned()
            }
            Self::Unread(_) => {
                "make it readable for this user (in a container, the owner and mode of what is \
                 mounted), or name another file"
                    .to_owned()
            }
            Self::CliLogin { profile } | Self::SecondFactor { profile, .. } => format!(
                "let the AWS CLI hand its credentials over: add a profile with \
                 `credential_process = aws configure export-credentials --profile {profile} \
                 --format process` and name it \
                 in AWS_PROFILE, or run eval \"$(aws configure export-credentials --profile \
                 {profile} --format env)\" first"
            ),
            Self::TokenFile { origin, .. } => {
                format!("mount the file with the token, or unset {origin}")
            }
        }
    }

    /// Half a key is not passed over for the next place that has a whole one.
    fn half_a_key(variables: &SdkVariables) -> Option<Self> {
        Self::half(variables, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }

    fn half(variables: &SdkVariables, given: &'static str, missing: &'static str) -> Option<Self> {
        let is_half = variables.contains_key(given) && !variables.contains_key(missing);
        is_half.then_some(Self::HalfAKey { missing, given })
    }

    /// What the settings show. `profiles` is `None` where they cannot be parsed, which is the SDK's
    /// to complain about.
    fn find(variables: &SdkVariables, profiles: Option<&ProfileSet>) -> Option<Self> {
        let has = |name: &str| variables.contains_key(name);
        let half = |given, missing| Self::half(variables, given, missing);
        let token_file = |name| Self::of_token_file(variables.get(name)?, name);
        let in_container = has("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            || has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        // The order of the SDK: keys, the profile, a token for a role, the container.
        half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")
            .or_else(|| Self::of_profile(variables, profiles?))
            .or_else(|| half("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"))
            .or_else(|| token_file("AWS_WEB_IDENTITY_TOKEN_FILE"))
            .or_else(|| {
                in_container.then(|| token_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))?
            })
    }

    /// Follows `source_profile` from the profile that is selected.
    fn of_profile(variables: &SdkVariables, profiles: &ProfileSet) -> Option<Self> {
        let mut origin = variables.get(PROFILE).map(|_| PROFILE.to_owned());
        let mut name = profiles.selected_profile();
        for _ in 0..LONGEST_CHAIN {
            let Some(profile) = profiles.get_profile(name) else {
                let file = |name, default: &str| {
                    let named = variables.get(name).cloned();
                    named.unwrap_or_else(|| default.to_owned())
                };
                return Some(Self::NoProfile {
                    profile: decoded(name),
                    // Without a name it is `default`, which need not be there.
                    origin: origin?,
                    files: [
                        file("AWS_CONFIG_FILE", "~/.aws/config"),
                        file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                    ],
                });
            };
            if let Some(path) = profile.get("web_identity_token_file") {
                return Self::of_token_file(path, "web_identity_token_file");
            }
            if profile.get("login_session").is_some() {
                return Some(Self::CliLogin {
                    profile: decoded(name),
                });
            }
            origin = Some(format!("source_profile of \"{}\"", decoded(name)));
            name = profile.get("source_profile")?;
        }
        None
    }

    /// AWS refused a role whose profile wants what a person would have to type.
    fn of_second_factor(profiles: &ProfileSet, said: &ErrorMetadata) -> Option<Self> {
        let selected = profiles.get_profile(profiles.selected_profile());
        let source = |profile: &&Profile| profiles.get_profile(profile.get("source_profile")?);
        let profile = std::iter::successors(selected, source)
            .take(LONGEST_CHAIN)
            .find(|profile| profile.get("mfa_serial").is_some())?;
        Some(Self::SecondFactor {
            profile: decoded(profile.name()),
            said: said.message().unwrap_or_default().to_owned(),
        })
    }

    fn of_token_file(path: &str, origin: &'static str) -> Option<Self> {
        let source = std::fs::File::open(path).err()?;
        Some(Self::TokenFile {
            path: path.into(),
            origin,
            source,
        })
    }
}

/// The same configuration, with every set of credentials noted as it is handed out, and every
/// failure told by what is known of it.
pub(super) fn observe(
    config: SdkConfig,
    variables: SdkVariables,
    profiles: Option<ProfileSet>,
    unread: Option<Unread>,
) -> (SdkConfig, Issued) {
    let issued = Issued::default();
    let Some(inner) = config.credentials_provider() else {
        return (config, issued);
    };
    let observer = Observer {
        inner,
        issued: issued.clone(),
        variables,
        profiles,
        unread,
        first: Mutex::default(),
    };
    (
        config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(observer))
            .build(),
        issued,
    )
}

struct Observer {
    inner: SharedCredentialsProvider,
    issued: Issued,
    variables: SdkVariables,
    profiles: Option<ProfileSet>,
    unread: Option<Unread>,
    /// The SDK tells a fault of a profile once, and from then on that it has told it.
    first: Mutex<Option<Arc<CredentialsError>>>,
}

impl fmt::Debug for Observer {
    /// Variables and profiles hold keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Observer")
    }
}

/// A failure that was told before.
#[derive(Debug)]
struct Again(Arc<CredentialsError>);

impl fmt::Display for Again {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Again {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl Observer {
    fn explain(&self, error: CredentialsError) -> CredentialsError {
        let known = Obstacle::find(&self.variables, self.profiles.as_ref()).or_else(|| {
            let said = find(&error).filter(|said: &&ErrorMetadata| said.code().is_some())?;
            Obstacle::of_second_factor(self.profiles.as_ref()?, said)
        });
        let is_lacking = matches!(
            (&known, &error),
            (Some(Obstacle::NoProfile { .. }), _)
                | (None, CredentialsError::CredentialsNotLoaded(_))
        );
        let unread = self
            .unread
            .clone()
            .filter(|_| is_lacking)
            .map(Obstacle::Unread);
        if let Some(obstacle) = unread.or(known) {
            return CredentialsError::provider_error(obstacle);
        }
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let told = first
            .take()
            .filter(|_| contains_text(&error, "already taken"))
            .unwrap_or_else(|| Arc::new(error));
        *first = Some(Arc::clone(&told));
        CredentialsError::unhandled(Again(told))
    }
}

impl ProvideCredentials for Observer {
    fn provide_credentials<'a>(&'a self) -> Answer<'a>
    where
        Self: 'a,
    {
        Answer::new(async {
            if let Some(obstacle) = Obstacle::half_a_key(&self.variables) {
                return Err(CredentialsError::provider_error(obstacle));
            }
            let provided = self.inner.provide_credentials().await;
            let credentials = provided.map_err(|error| self.explain(error))?;
            let mut seen = self.issued.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(Secret::new(credentials.secret_access_key()));
            seen.extend(credentials.session_token().map(Secret::new));
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<aws_credential_types::Credentials> {
        self.inner.fallback_on_interrupt()
    }
}
