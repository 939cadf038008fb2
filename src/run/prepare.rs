//! Owns the way from settings to an environment in which a child can start: AWS, the login, the
//! workspace, the secrets to hide.
//!
//! Never starts a child and never publishes.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::resume;
use crate::artifacts::Destination;
use crate::aws::{self, Aws};
use crate::config::{self, Config, Location, Pipeline, Publish};
use crate::credentials::{self, Connection};
use crate::environment::{self, Environment};
use crate::exit_code::ExitCode;
use crate::lease::Refusal;
use crate::process;
use crate::project;
use crate::redact::{Redactor, SHORTEST};
use crate::report::Console;

/// Each attempt has its own limits; this one is for a response that trickles in, and leaves a
/// person time for a second factor.
const FETCH: Duration = Duration::from_mins(2);

/// Why nothing could start. Each variant is one module's own error.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Settings(#[from] config::Error),
    #[error(transparent)]
    Aws(#[from] aws::Error),
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    #[error(transparent)]
    Environment(#[from] environment::Error),
    #[error(transparent)]
    Project(#[from] project::Error),
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error(transparent)]
    Resume(#[from] resume::Error),
    #[error(transparent)]
    Lease(#[from] Arc<Refusal>),
    #[error("these settings want no lease")]
    NoLease,
    #[error("the response for {origin} was not complete within {} s", .limit.as_secs())]
    FetchTimeout { origin: String, limit: Duration },
    #[error("{}", .faults.join("\n       "))]
    Faults {
        code: ExitCode,
        faults: Vec<String>,
        hints: Vec<String>,
    },
}

impl Error {
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::NoLease => ExitCode::Usage,
            Self::Lease(refusal) => (&**refusal).into(),
            Self::Aws(error) => error.into(),
            Self::Credentials(error) => error.into(),
            Self::Environment(error) => error.into(),
            Self::Program(error) => error.into(),
            Self::Resume(error) => error.code(),
            Self::FetchTimeout { .. } => ExitCode::Unavailable,
            Self::Project(_) => ExitCode::Internal,
            Self::Faults { code, .. } => *code,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Lease(refusal) => Some(refusal.hint()),
            Self::NoLease => {
                Some("leave lease: off out, or name the lease with --lease".to_owned())
            }
            Self::Credentials(error) => error.hint(),
            Self::Environment(error) => error.hint(),
            Self::Project(error) => Some(error.hint()),
            Self::Resume(error) => error.hint(),
            Self::Faults { hints, .. } => (!hints.is_empty()).then(|| hints.join("\nhint: ")),
            Self::Program(process::Error::NotFound { .. }) => {
                Some("install it, or set PATH, --dbt or DBT_ENTRYPOINT_DBT".to_owned())
            }
            Self::Settings(_) | Self::Aws(_) | Self::Program(_) | Self::FetchTimeout { .. } => None,
        }
    }
}

/// AWS as the variables configure it, if anything needs it.
pub(super) async fn load_aws(
    config: &Config,
    plan: Option<&Pipeline>,
) -> Result<Option<Aws>, Error> {
    let is_s3 = |location: &Location| matches!(location, Location::S3 { .. });
    let to_s3 = plan.is_some_and(|plan| {
        let publishes = matches!(&plan.publish, Publish::To { location, .. } if is_s3(location));
        let lease = plan.lease.as_ref();
        publishes || lease.is_some_and(|lease| is_s3(&lease.location))
    });
    if !config.credentials.is_remote() && !to_s3 {
        return Ok(None);
    }
    Ok(Some(aws::load(&config.variables).await?))
}

/// The destination of the artifacts, if there is one.
pub(super) fn open_destination(publish: &Publish, aws: Option<&Aws>) -> Option<Destination> {
    let Publish::To { location, .. } = publish else {
        return None;
    };
    Destination::new(location, aws)
}

/// The part of the login that the source has.
pub(super) async fn fetch_login(config: &Config, aws: Option<&Aws>) -> Result<Connection, Error> {
    if let Some(warning) = environment::validate(config)? {
        tracing::warn!("{warning}");
    }
    match aws {
        Some(aws) if config.credentials.is_remote() => {
            let limit = FETCH.max(aws::longest_wait(&aws.config, aws::ATTEMPT));
            let fetched =
                timeout(limit, credentials::fetch(&config.credentials, &aws.config)).await;
            let connection = fetched.map_err(|_| Error::FetchTimeout {
                origin: config.credentials.to_string(),
                limit,
            })??;
            tracing::info!("fetched the login from {}", config.credentials);
            Ok(connection)
        }
        _ => Ok(Connection::default()),
    }
}

/// All that a child needs.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) environment: Environment,
    pub(super) redactor: Arc<Redactor>,
}

/// Composes the environment, logs what won over what, and masks the secrets from here on.
pub(super) fn compose_environment(
    config: &Config,
    connection: &Connection,
    aws: Option<&Aws>,
    console: &Console,
) -> Result<Composed, Error> {
    let environment = environment::compose(config, connection, io::stdout().is_terminal())?;
    let mut secrets = environment.secrets.clone();
    secrets.extend(
        aws.into_iter()
            .flat_map(|aws| aws.issued.secrets())
            .map(|secret| ("the AWS credentials".to_owned(), secret)),
    );
    secrets.extend(aws::tokens(&environment.variables));
    secrets.extend(
        config
            .cache_key
            .iter()
            .map(|key| ("DBT_ENTRYPOINT_CACHE_KEY".to_owned(), key.clone())),
    );
    let redactor = Arc::new(Redactor::new(secrets.iter().map(|(_, secret)| secret)));
    console.hide(&redactor);
    if !environment.overridden.is_empty() {
        tracing::info!(
            "not taken from {}, since the settings or the environment set them: {}",
            config.credentials,
            environment.overridden.join(", ")
        );
    }
    for (name, _) in secrets.iter().filter(|(_, secret)| secret.len() < SHORTEST) {
        tracing::warn!(
            "the value of {name} is shorter than {SHORTEST} bytes, so it is neither masked in the \
             output nor looked for in artifacts"
        );
    }
    Ok(Composed {
        environment,
        redactor,
    })
}
