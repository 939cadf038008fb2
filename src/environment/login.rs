//! Owns the parts of a login: the variable of each, what is wrong with one that is set, and what is
//! said where some are missing.
//!
//! Never shows a value, and never changes one.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::config::{Config, variable};
use crate::credentials::{self, Endpoint, EndpointError, is_endpoint, is_reference, take_apart};

/// Properties of a Glue Connection that name a warehouse without saying where it is, and who knows.
const NAMED_BY: [(&str, &str); 2] = [
    ("CLUSTER_IDENTIFIER", "aws redshift describe-clusters"),
    ("WORKGROUP_NAME", "aws redshift-serverless get-workgroup"),
];

/// A part of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Host,
    Port,
    User,
    Password,
    Schema,
    Database,
}

impl Field {
    /// The variable that dbt reads it from.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::Host => "DBT_REDSHIFT_HOST",
            Self::Port => "DBT_REDSHIFT_PORT",
            Self::User => "DBT_REDSHIFT_USER",
            Self::Password => "DBT_REDSHIFT_PASSWORD",
            Self::Schema => "DBT_REDSHIFT_SCHEMA",
            Self::Database => "DBT_REDSHIFT_DB",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Host => "host",
            Self::Port => "port",
            Self::User => "user",
            Self::Password => "password",
            Self::Schema => "schema",
            Self::Database => "database",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "the login from {origin} is incomplete: no {}{}",
        join(.missing, ", no "),
        list_found(.found)
    )]
    Incomplete {
        origin: String,
        missing: Vec<Field>,
        /// The names of what the source holds.
        found: Vec<String>,
        is_for_iam: bool,
    },
    #[error("cannot read DBT_REDSHIFT_HOST as host, host:port or host:port/database")]
    Host(#[source] EndpointError),
    #[error("{name} is an unresolved reference, not a value")]
    Reference { name: &'static str },
    #[error("DBT_REDSHIFT_PORT is not a port number; expected 1 to 65535")]
    Port,
}

impl Error {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Incomplete {
                missing,
                found,
                is_for_iam,
                ..
            } => {
                let names: Vec<&str> = missing.iter().map(|field| field.variable()).collect();
                let mut hint = format!(
                    "add what is missing to the source, or set {}",
                    names.join(", ")
                );
                if *is_for_iam && missing.contains(&Field::Password) {
                    hint = format!(
                        "the connection is made for IAM, which needs no password: {}; or {hint}",
                        credentials::IAM
                    );
                }
                if missing.contains(&Field::Host)
                    && let Some((name, command)) = NAMED_BY
                        .iter()
                        .find(|(name, _)| found.iter().any(|found| found == name))
                {
                    hint = format!("{hint}; for the host of the {name}: `{command}`");
                }
                Some(hint)
            }
            Self::Reference { .. } => Some(credentials::REFERENCE.to_owned()),
            Self::Port => Some("set a number, or unset DBT_REDSHIFT_PORT".to_owned()),
            Self::Host(_) => None,
        }
    }
}

/// What of the login that is set has to be put right.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// It is what Kubernetes says of a service of that name.
    pub(super) ignores_port: bool,
    /// A host that carries more.
    pub(super) endpoint: Option<Endpoint>,
}

/// What can be said of the login that is set before anything is fetched: what is wrong with it, or
/// a warning.
pub(crate) fn validate(config: &Config) -> Result<Option<&'static str>, Error> {
    Ok(check(config)?.ignores_port.then_some(
        "DBT_REDSHIFT_PORT is ignored: its value is the link to a Kubernetes service, not a port; \
         set enableServiceLinks: false, or rename the service",
    ))
}

pub(super) fn check(config: &Config) -> Result<Login, Error> {
    let mut login = Login::default();
    if !config.credentials.needs_login() {
        return Ok(login);
    }
    let given = |field: Field| variable(&config.variables, field.variable());
    for field in [Field::Password, Field::User, Field::Host, Field::Database] {
        if given(field).is_some_and(|value| is_reference(value.as_bytes())) {
            return Err(Error::Reference {
                name: field.variable(),
            });
        }
    }
    if let Some(port) = given(Field::Port) {
        let port = port.to_string_lossy();
        login.ignores_port = ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| port.starts_with(scheme));
        let is_number = port.parse::<u16>().is_ok_and(|number| number > 0);
        if !is_number && !login.ignores_port {
            return Err(Error::Port);
        }
    }
    if let Some(host) = given(Field::Host).and_then(|host| host.to_str())
        && is_endpoint(host)
    {
        login.endpoint = Some(take_apart(host).map_err(Error::Host)?);
    }
    Ok(login)
}

/// The names of what was there instead, never values.
fn list_found(found: &[String]) -> String {
    if found.is_empty() {
        String::new()
    } else {
        format!(" (it holds {})", found.join(", "))
    }
}

fn join(fields: &[Field], separator: &str) -> String {
    fields
        .iter()
        .map(Field::to_string)
        .collect::<Vec<_>>()
        .join(separator)
}
