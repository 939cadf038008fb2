//! Owns the fetching of the login: from a source that the user names to a `Connection`.
//!
//! Never demands that a login is complete, since the environment may supply what a source lacks,
//! and never puts a value into an error.

use aws_config::SdkConfig;

use crate::aws::{Fault, FaultKind, remedy};
use crate::config::CredentialSource as Source;

mod connection;
mod fields;
mod glue;
mod jdbc;
mod kms;
mod secrets_manager;
mod ssm;

pub(crate) use connection::{Connection, is_reference};
pub(crate) use jdbc::{Endpoint, Error as EndpointError, is_endpoint, take_apart};

/// A login without a password is dbt's own business.
pub(crate) const IAM: &str =
    "set --credentials none (DBT_ENTRYPOINT_CREDENTIALS=none) and `method: iam` in profiles.yml";

/// What to do about a value that only says where the real one is.
pub(crate) const REFERENCE: &str = "put the value itself there, or name the secret as the source: \
     --credentials secretsmanager:ARN (DBT_ENTRYPOINT_CREDENTIALS); ECS resolves an ARN only under \
     `secrets` of a task definition, CloudFormation {{resolve:…}} only in a template";

/// Why there is no login. `kind` says what that means for the exit code, `hint` what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {attempt}")]
    Call {
        /// Such as `read the Glue Connection "redshift"`.
        attempt: String,
        hint: Option<String>,
        #[source]
        fault: Box<Fault>,
    },
    #[error("cannot use the JDBC_CONNECTION_URL of {origin}")]
    Url {
        origin: String,
        #[source]
        source: jdbc::Error,
    },
    #[error("cannot use {origin}")]
    Fields {
        origin: String,
        #[source]
        source: fields::Error,
    },
    #[error("the ENCRYPTED_PASSWORD of {origin} is not base64")]
    Ciphertext { origin: String },
    #[error("{origin} is empty")]
    Empty { origin: String },
    #[error(
        "no parameter directly below {path} is named host, port, username, password, dbname or \
            schema; {}",
        list(.found)
    )]
    NoParameters { path: String, found: Vec<String> },
    #[error("the {field} from {source_name} is an unresolved reference, not a value")]
    Reference {
        field: &'static str,
        source_name: String,
    },
    #[error(
        "the {field} from {source_name} holds a NUL byte, which no environment variable can hold"
    )]
    Nul {
        field: &'static str,
        source_name: String,
    },
}

impl Error {
    /// What went wrong, in AWS's terms: contents that cannot be used are `Invalid`, ones that are
    /// not there `NotFound`.
    pub(crate) fn kind(&self) -> FaultKind {
        match self {
            Self::Call { fault, .. } => fault.kind,
            Self::Url { .. }
            | Self::Fields { .. }
            | Self::Ciphertext { .. }
            | Self::Reference { .. }
            | Self::Nul { .. } => FaultKind::Invalid,
            Self::Empty { .. } | Self::NoParameters { .. } => FaultKind::NotFound,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Call { hint, fault, .. } => hint
                .as_deref()
                .map(|hint| remedy(&fault.message, hint))
                .or_else(|| fault.hint.clone()),
            Self::Fields { .. } => Some(
                "a secret is a JSON object with host, port, username (or user, login), password, \
                    dbname (or database, \
                 db) and schema, or a connection URI; DBT_REDSHIFT_* variables may supply what it \
                 lacks"
                    .to_owned(),
            ),
            Self::NoParameters { .. } => Some("check the path and AWS_REGION".to_owned()),
            Self::Reference { .. } => Some(REFERENCE.to_owned()),
            Self::Url {
                source: jdbc::Error::Cluster,
                ..
            } => Some(format!(
                "give the endpoint of the cluster in the URL, or, to log in by IAM, {IAM}"
            )),
            Self::Url { .. } | Self::Ciphertext { .. } | Self::Empty { .. } | Self::Nul { .. } => {
                None
            }
        }
    }
}

/// What the source knows. `env` and `none` know nothing.
pub(crate) async fn fetch(source: &Source, config: &SdkConfig) -> Result<Connection, Error> {
    let connection = match source {
        Source::Glue(name) => glue::fetch(name, config).await?,
        Source::SecretsManager(id) => secrets_manager::fetch(id, None, config).await?,
        Source::Ssm(path) => ssm::fetch(path, config).await?,
        Source::Env | Source::None => Connection::default(),
    };
    let connection = connection.trimmed();
    let source_name = source.to_string();
    if let Some(field) = connection.with_nul() {
        return Err(Error::Nul { field, source_name });
    }
    if let Some(field) = connection.with_reference() {
        return Err(Error::Reference { field, source_name });
    }
    Ok(connection)
}

/// The names of what was there instead.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    }
}

/// The hint for a name that AWS does not know: most often it exists, in another region.
fn elsewhere(config: &SdkConfig) -> String {
    match config.region() {
        Some(region) => format!("check the name, and the region: {region} was asked (AWS_REGION)"),
        None => "check the name and AWS_REGION".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_environment_and_nothing_need_no_aws() {
        let config = SdkConfig::builder().build();
        for source in [Source::Env, Source::None] {
            let connection = fetch(&source, &config).await.unwrap();
            assert!(connection.host.is_none() && connection.password.is_none());
        }
    }

    #[test]
    fn an_error_does_not_repeat_its_source() {
        let error = Error::Url {
            origin: "the Glue Connection \"redshift\"".into(),
            source: jdbc::Error::NoHost,
        };
        assert_eq!(
            error.to_string(),
            "cannot use the JDBC_CONNECTION_URL of the Glue Connection \"redshift\""
        );
        assert_eq!(error.kind(), FaultKind::Invalid);
    }
}
