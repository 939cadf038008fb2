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
use aws_config::profile::ProfileSet;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Answer;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::variables::{PROFILE, SdkVariables};
use super::words::{contains_text, innermost};
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
    #[error("the AWS profile \"{profile}\" (AWS_PROFILE) is in none of {}", .files.join(", "))]
    NoProfile { profile: String, files: Vec<String> },
    #[error(
        "the AWS profile \"{profile}\" signs in with `aws login`, which only the AWS CLI can use"
    )]
    CliLogin { profile: String },
    #[error("cannot read the web identity token file {} ({origin}): {}", path.display(), innermost(.source))]
    TokenFile {
        path: PathBuf,
        origin: &'static str,
        source: io::Error,
    },
}

impl Obstacle {
    pub(super) fn hint(&self) -> String {
        match self {
            Self::NoProfile { .. } => {
                "check AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE".to_owned()
            }
            Self::CliLogin { profile } => format!(
                "let the AWS CLI hand its credentials over: add a profile with `credential_process = \
                 aws configure export-credentials --profile {profile} --format process` and name it \
                 in AWS_PROFILE, or run eval \"$(aws configure export-credentials --profile \
                 {profile} --format env)\" first"
            ),
            Self::TokenFile { .. } => {
                "mount the token of the service account, or unset AWS_WEB_IDENTITY_TOKEN_FILE"
                    .to_owned()
            }
        }
    }

    /// What the settings show. `profiles` is `None` where the files cannot be parsed, which is the
    /// SDK's to complain about.
    fn find(variables: &SdkVariables, profiles: Option<&ProfileSet>) -> Option<Self> {
        // The order of the SDK: variables, the profile, the token file of the variables.
        let profile = profiles.and_then(|profiles| Self::of_profile(variables, profiles));
        profile.or_else(|| {
            let path = variables.get("AWS_WEB_IDENTITY_TOKEN_FILE")?;
            Self::of_token_file(path, "AWS_WEB_IDENTITY_TOKEN_FILE")
        })
    }

    fn of_profile(variables: &SdkVariables, profiles: &ProfileSet) -> Option<Self> {
        if let Some(profile) = variables.get(PROFILE)
            && profiles.get_profile(profile).is_none()
        {
            let file = |name, default: &str| {
                variables
                    .get(name)
                    .map_or_else(|| default.to_owned(), Clone::clone)
            };
            return Some(Self::NoProfile {
                profile: profile.clone(),
                files: vec![
                    file("AWS_CONFIG_FILE", "~/.aws/config"),
                    file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                ],
            });
        }
        let mut name = profiles.selected_profile();
        for _ in 0..LONGEST_CHAIN {
            let profile = profiles.get_profile(name)?;
            if let Some(path) = profile.get("web_identity_token_file") {
                return Self::of_token_file(path, "web_identity_token_file of the AWS profile");
            }
            if profile.get("login_session").is_some() {
                return Some(Self::CliLogin {
                    profile: name.to_owned(),
                });
            }
            name = profile.get("source_profile")?;
        }
        None
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
        if let Some(obstacle) = Obstacle::find(&self.variables, self.profiles.as_ref()) {
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
