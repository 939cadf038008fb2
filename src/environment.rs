//! Owns the environment of dbt as a value: what was inherited, what the credential source supplied,
//! and what won over what.
//!
//! Pure. Never sets anything in the runner's own environment, never prints a value, and never goes
//! through a shell.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::config::{Config, CredentialSource, LogFormat, Variables, variable};
use crate::credentials::Connection;
use crate::secret::Secret;

/// Redshift's own port, if none is named.
const PORT: u16 = 5439;
/// dbt scrubs the values of variables with this prefix from its own logs.
const SCRUBBED: &str = "DBT_ENV_SECRET_";
/// The AWS variables whose values must not reach a log.
const AWS_SECRETS: [&str; 3] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
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
    fn variable(self) -> &'static str {
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
    #[error("the login from {origin} is incomplete: no {}", join(.missing, ", no "))]
    Incomplete { origin: String, missing: Vec<Field> },
    #[error("DBT_REDSHIFT_PORT is not a port number; expected 1 to 65535")]
    Port,
}

impl Error {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Incomplete { missing, .. } => {
                let names: Vec<&str> = missing.iter().map(|field| field.variable()).collect();
                Some(format!(
                    "add what is missing to the source, or set {}",
                    names.join(", ")
                ))
            }
            Self::Port => None,
        }
    }
}

/// A variable that the runner adds, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injected {
    pub(crate) name: &'static str,
    pub(crate) origin: String,
}

/// The whole environment of a child, and which values in it are secret.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) variables: Variables,
    pub(crate) injected: Vec<Injected>,
    /// Names of `DBT_REDSHIFT_*` that were set and won over what was fetched.
    pub(crate) overridden: Vec<&'static str>,
    /// Names and values that must not reach a log or an artifact.
    pub(crate) secrets: Vec<(String, Secret)>,
}

/// Composes the environment. `coloured`: whether a terminal shows dbt's output.
pub(crate) fn compose(
    config: &Config,
    connection: &Connection,
    coloured: bool,
) -> Result<Environment, Error> {
    let mut composer = Composer {
        config,
        environment: Environment {
            variables: config.variables.clone(),
            injected: Vec::new(),
            overridden: Vec::new(),
            secrets: Vec::new(),
        },
        missing: Vec::new(),
    };
    composer.port(connection)?;
    composer.field(
        Field::Host,
        connection
            .host
            .as_ref()
            .map(|host| host.as_bytes().to_vec()),
    );
    composer.field(
        Field::User,
        connection
            .user
            .as_ref()
            .map(|user| user.as_bytes().to_vec()),
    );
    composer.field(
        Field::Password,
        connection
            .password
            .as_ref()
            .map(|password| password.expose().to_vec()),
    );
    composer.field(
        Field::Database,
        connection
            .database
            .as_ref()
            .map(|database| database.as_bytes().to_vec()),
    );
    composer.schema(connection);
    if !composer.missing.is_empty() && config.credentials != CredentialSource::None {
        return Err(Error::Incomplete {
            origin: config.credentials.to_string(),
            missing: composer.missing,
        });
    }
    composer.scrubbed_password();
    composer.resolved_settings();
    composer.logging(coloured);
    let mut environment = composer.environment;
    environment.secrets = secrets(&environment.variables);
    // One that lost to a variable is a secret all the same.
    if let Some(password) = &connection.password
        && environment.overridden.contains(&Field::Password.variable())
    {
        let name = "the password that was fetched".to_owned();
        environment.secrets.push((name, password.clone()));
    }
    Ok(environment)
}

struct Composer<'a> {
    config: &'a Config,
    environment: Environment,
    missing: Vec<Field>,
}

impl Composer<'_> {
    /// A part of the login: a variable that is set and not empty wins over what was fetched.
    fn field(&mut self, field: Field, fetched: Option<Vec<u8>>) {
        let source = self.config.credentials.to_string();
        match fetched.filter(|value| !value.is_empty()) {
            found if self.is_set(field) => self.keep(field, found.is_some()),
            Some(value) => self.set(field.variable(), OsString::from_vec(value), source),
            None => self.missing.push(field),
        }
    }

    /// The port has a default, except for a project on another database.
    fn port(&mut self, connection: &Connection) -> Result<(), Error> {
        if self.is_set(Field::Port) {
            let given = variable(&self.environment.variables, Field::Port.variable());
            let number = given
                .and_then(|value| value.to_str())
                .and_then(|text| text.parse::<u16>().ok());
            if number.is_none_or(|number| number == 0)
                && self.config.credentials != CredentialSource::None
            {
                return Err(Error::Port);
            }
            self.keep(Field::Port, connection.port.is_some());
        } else if let Some(port) = connection.port {
            self.set(
                Field::Port.variable(),
                port.to_string().into(),
                self.config.credentials.to_string(),
            );
        } else if self.config.credentials != CredentialSource::None {
            self.set(
                Field::Port.variable(),
                PORT.to_string().into(),
                "default".to_owned(),
            );
        }
        Ok(())
    }

    /// The schema is a setting, too: its flag wins over the variable, and the settings file over
    /// what was fetched.
    fn schema(&mut self, connection: &Connection) {
        let name = Field::Schema.variable();
        let fetched = connection
            .schema
            .as_deref()
            .filter(|schema| !schema.is_empty());
        match (&self.config.schema, fetched) {
            (Some((schema, origin)), fetched) => {
                if fetched.is_some() {
                    self.environment.overridden.push(name);
                }
                self.set(name, schema.into(), origin.to_string());
            }
            (None, Some(schema)) => {
                self.set(name, schema.into(), self.config.credentials.to_string());
            }
            (None, None) => self.missing.push(Field::Schema),
        }
    }

    fn is_set(&self, field: Field) -> bool {
        variable(&self.environment.variables, field.variable()).is_some()
    }

    /// Keeps a variable that is set, and remembers its origin and whether it won over something.
    fn keep(&mut self, field: Field, won: bool) {
        let name = field.variable();
        if won {
            self.environment.overridden.push(name);
        }
        let from_file = self.config.from_env_file.contains(OsStr::new(name));
        let origin = if from_file {
            "--env-file"
        } else {
            "environment"
        };
        self.environment.injected.push(Injected {
            name,
            origin: origin.to_owned(),
        });
    }

    fn scrubbed_password(&mut self) {
        if let Some(password) =
            variable(&self.environment.variables, Field::Password.variable()).cloned()
        {
            let origin = format!("the same as {}", Field::Password.variable());
            self.set("DBT_ENV_SECRET_REDSHIFT_PASSWORD", password, origin);
        }
    }

    /// The resolved settings, so that `exec -- dbt …` works from anywhere.
    fn resolved_settings(&mut self) {
        let config = self.config;
        let settings = [
            ("ENV", Some(OsString::from(&config.env))),
            (
                "PROJECT_NAME",
                config.project_name.as_ref().map(OsString::from),
            ),
            (
                "DBT_ENTRYPOINT_DEPLOYMENTS",
                Some(config.deployments.join(",").into()),
            ),
            ("DBT_PROJECT_DIR", Some(config.project_dir.clone().into())),
            (
                "DBT_PROFILES_DIR",
                config.profiles_dir.clone().map(OsString::from),
            ),
        ];
        for (name, value) in settings {
            let origin = config
                .origins
                .get(name)
                .map(ToString::to_string)
                .unwrap_or_default();
            if let Some(value) = value {
                self.set(name, value, origin);
            }
        }
    }

    /// dbt colours its output even into a pipe, unless told not to. `DBT_ENGINE_*` is dbt's newer
    /// spelling.
    fn logging(&mut self, coloured: bool) {
        let variables = &mut self.environment.variables;
        let is_set = |variables: &Variables, name: &str| {
            [format!("DBT_{name}"), format!("DBT_ENGINE_{name}")]
                .iter()
                .any(|name| variable(variables, name).is_some())
        };
        if !coloured && !is_set(variables, "USE_COLORS") {
            variables.insert("DBT_USE_COLORS".into(), "false".into());
        }
        if self.config.log_format == LogFormat::Json {
            variables.remove(OsStr::new("DBT_ENGINE_LOG_FORMAT"));
            variables.insert("DBT_LOG_FORMAT".into(), "json".into());
        }
    }

    fn set(&mut self, name: &'static str, value: OsString, origin: String) {
        self.environment.variables.insert(name.into(), value);
        self.environment.injected.push(Injected { name, origin });
    }
}

/// Values that must not reach a log: the password, what dbt itself scrubs, and the secret half of
/// AWS credentials.
pub(crate) fn secrets(variables: &Variables) -> Vec<(String, Secret)> {
    let is_secret = |name: &OsStr| {
        name.as_bytes().starts_with(SCRUBBED.as_bytes())
            || name == Field::Password.variable()
            || AWS_SECRETS.iter().any(|known| name == *known)
    };
    let found = variables
        .iter()
        .filter(|(name, value)| is_secret(name) && !value.is_empty());
    found
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                Secret::new(value.as_bytes()),
            )
        })
        .collect()
}

fn join(fields: &[Field], separator: &str) -> String {
    fields
        .iter()
        .map(Field::to_string)
        .collect::<Vec<_>>()
        .join(separator)
}

#[cfg(test)]
mod tests;
