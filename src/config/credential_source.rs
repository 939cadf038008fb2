//! Owns the setting `credentials`: which source the login comes from.
//!
//! Never fetches anything.

use std::fmt;
use std::str::FromStr;

use super::layers::Layers;
use crate::setting;

const FORMS: &str = "expected glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, env or none";

/// What must be set for the login to come from the environment alone. The port has a default.
const REQUIRED: [&str; 4] = [
    "DBT_REDSHIFT_HOST",
    "DBT_REDSHIFT_USER",
    "DBT_REDSHIFT_PASSWORD",
    "DBT_REDSHIFT_DB",
];

/// Where the login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CredentialSource {
    /// A Glue Connection, by name.
    Glue(String),
    /// A secret, by id or ARN.
    SecretsManager(String),
    /// Parameters below a path that begins with `/`.
    Ssm(String),
    /// The variables `DBT_REDSHIFT_*` alone.
    Env,
    /// Fetches nothing and demands nothing: for a project on another database.
    None,
}

impl CredentialSource {
    /// Whether AWS has to be asked.
    pub(crate) fn is_remote(&self) -> bool {
        match self {
            Self::Glue(_) | Self::SecretsManager(_) | Self::Ssm(_) => true,
            Self::Env | Self::None => false,
        }
    }

    /// Whether dbt needs a login for Redshift, which then has to be complete.
    pub(crate) fn needs_login(&self) -> bool {
        match self {
            Self::Glue(_) | Self::SecretsManager(_) | Self::Ssm(_) | Self::Env => true,
            Self::None => false,
        }
    }
}

impl FromStr for CredentialSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "env" => Ok(Self::Env),
            None if text == "none" => Ok(Self::None),
            Some(("glue", name)) if !name.is_empty() => Ok(Self::Glue(name.to_owned())),
            Some(("secretsmanager", id)) if !id.is_empty() => {
                Ok(Self::SecretsManager(id.to_owned()))
            }
            Some(("ssm", path)) if path.starts_with('/') => Ok(Self::Ssm(path.to_owned())),
            Some(("ssm", path)) => Err(format!(
                "the path {path:?} does not begin with '/'; {FORMS}"
            )),
            Some(("glue" | "secretsmanager", _)) => {
                Err(format!("{text:?} names nothing after the colon; {FORMS}"))
            }
            // A password pasted into the wrong place must not come back in an error message.
            _ => Err(format!("is not a credential source; {FORMS}")),
        }
    }
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glue(name) => write!(formatter, "glue:{name}"),
            Self::SecretsManager(id) => write!(formatter, "secretsmanager:{id}"),
            Self::Ssm(path) => write!(formatter, "ssm:{path}"),
            Self::Env => formatter.write_str("env"),
            Self::None => formatter.write_str("none"),
        }
    }
}

/// Without the setting it is `env` if the environment is complete, else a fault that says how to
/// set it.
pub(super) fn resolve(
    layers: &Layers,
    has_schema: bool,
    faults: &mut Vec<String>,
) -> CredentialSource {
    let before = faults.len();
    let given = layers.text(&setting::CREDENTIALS, faults);
    if let Some(given) = given {
        return given.value.parse().unwrap_or_else(|what| {
            faults.push(given.fault(what));
            CredentialSource::None
        });
    }
    if faults.len() > before || layers.has_unread_file() {
        return CredentialSource::None;
    }
    let mut missing: Vec<&str> = REQUIRED
        .into_iter()
        .filter(|name| !layers.has_variable(name))
        .collect();
    if !has_schema {
        missing.push("DBT_REDSHIFT_SCHEMA");
    }
    if !missing.is_empty() {
        faults.push(format!(
            "no source of credentials: set --credentials, DBT_ENTRYPOINT_CREDENTIALS or \
                `credentials` in dbt-entrypoint.yml \
             (glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, or none for a project on another \
             database), \
             or set the missing {}",
            missing.join(", ")
        ));
    }
    CredentialSource::Env
}
