//! Owns the environment of dbt as a value: what was inherited, what the credential source supplied,
//! and what won over what.
//!
//! Pure. Never sets anything in the runner's own environment, never prints a value, and never goes
//! through a shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::config::{Config, LogFormat, Variables, variable};
use crate::credentials::{Connection, Endpoint};
use crate::jinja::SECRET_PREFIX;
use crate::secret::Secret;

mod login;

pub(crate) use login::{Error, validate};

use login::Field;

/// Redshift's own port, if none is named.
const PORT: u16 = 5439;
/// The AWS variables whose values must not reach a log.
const AWS_SECRETS: [&str; 4] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// What the names of secrets hold.
const SUSPICIOUS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
];

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

impl Environment {
    /// What proves that somebody has the login.
    pub(crate) fn password(&self) -> Option<Secret> {
        variable(&self.variables, Field::Password.variable())
            .map(|password| Secret::new(password.as_bytes()))
    }
}

/// Composes the environment. `coloured`: whether a terminal shows dbt's output.
pub(crate) fn compose(
    config: &Config,
    connection: &Connection,
    coloured: bool,
) -> Result<Environment, Error> {
    let login = login::check(config)?;
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
    if login.ignores_port {
        composer
            .environment
            .variables
            .remove(OsStr::new(Field::Port.variable()));
    }
    if let Some(endpoint) = login.endpoint {
        composer.take_apart(endpoint);
    }
    composer.port(connection);
    let database_is_known = composer.is_set(Field::Database) || connection.database.is_some();
    let database = connection.database.as_ref().or_else(|| {
        // Where the database is known otherwise, a schema is a schema.
        let ambiguous = connection.database_or_schema.as_ref();
        ambiguous.filter(|_| !database_is_known)
    });
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
        database.map(|database| database.as_bytes().to_vec()),
    );
    composer.schema(connection, database_is_known);
    if !composer.missing.is_empty() && config.credentials.needs_login() {
        return Err(Error::Incomplete {
            origin: config.credentials.to_string(),
            missing: composer.missing,
            found: connection.found.clone(),
            is_for_iam: connection.is_for_iam,
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

    /// Host, port and database each in the variable of its own; those that are set stay.
    fn take_apart(&mut self, endpoint: Endpoint) {
        let origin = format!("{} (taken apart)", Field::Host.variable());
        let Endpoint {
            host,
            port,
            database,
        } = endpoint;
        let variables = &mut self.environment.variables;
        variables.insert(Field::Host.variable().into(), host.into());
        let parts = [
            (Field::Port, port.map(|port| port.to_string())),
            (Field::Database, database),
        ];
        for (field, value) in parts {
            if let Some(value) = value.filter(|_| !self.is_set(field)) {
                self.set(field.variable(), value.into(), origin.clone());
            }
        }
    }

    /// The port has a default, except for a project on another database.
    fn port(&mut self, connection: &Connection) {
        if self.is_set(Field::Port) {
            self.keep(Field::Port, connection.port.is_some());
        } else if let Some(port) = connection.port {
            self.set(
                Field::Port.variable(),
                port.to_string().into(),
                self.config.credentials.to_string(),
            );
        } else if self.config.credentials.needs_login() {
            self.set(
                Field::Port.variable(),
                PORT.to_string().into(),
                "default".to_owned(),
            );
        }
    }

    /// The schema is a setting, too: its flag wins over the variable, and the settings file over
    /// what was fetched.
    fn schema(&mut self, connection: &Connection, database_is_known: bool) {
        let name = Field::Schema.variable();
        let ambiguous = connection.database_or_schema.as_deref();
        let fetched = connection.schema.as_deref();
        let fetched = fetched.or(ambiguous.filter(|_| database_is_known));
        let fetched = fetched.filter(|schema| !schema.is_empty());
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
        if self
            .environment
            .injected
            .iter()
            .any(|seen| seen.name == name)
        {
            return;
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
        name.as_bytes().starts_with(SECRET_PREFIX.as_bytes())
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

/// Values of ordinary variables whose names say that they are secrets, each with its name. dbt may
/// print them, as it does without us; but what one run keeps for the next is better without.
pub(crate) fn look_like_secrets(variables: &Variables) -> Vec<(String, Secret)> {
    let looks_so = |name: &str| {
        let name = name.to_ascii_uppercase();
        SUSPICIOUS.iter().any(|word| name.contains(word))
            // The name of a file or the address of a source is none.
            && !["_FILE", "_PATH", "_URI", "_URL"].iter().any(|end| name.ends_with(end))
            && !name.starts_with("DBT_ENTRYPOINT_")
    };
    let found = variables.iter().filter_map(|(name, value)| {
        let name = name.to_str().filter(|name| looks_so(name))?;
        Some((name.to_owned(), Secret::new(value.as_bytes())))
    });
    found.collect()
}

#[cfg(test)]
mod tests;
