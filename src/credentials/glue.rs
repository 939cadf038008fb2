//! Owns the Glue Connection: the four shapes in which it holds a login, and which of them counts.
//!
//! Never asks for a secret that it does not need.

use aws_config::SdkConfig;
use aws_sdk_glue::Client;
use aws_sdk_glue::types::AuthenticationType;
use zeroize::Zeroizing;

use super::{Connection, Error, elsewhere, fields, jdbc, kms, secrets_manager};
use crate::aws::{Fault, FaultKind, arn};
use crate::secret::Secret;

/// What a connection says under which names, in order of preference.
#[derive(Debug, Default)]
struct Properties(Vec<(String, Zeroizing<String>)>);

impl Properties {
    /// Newer connections keep the same things once for each engine, and as JSON.
    fn add(&mut self, properties: impl IntoIterator<Item = (String, String)>) {
        let mut nested = Vec::new();
        for (name, value) in properties {
            if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(&value) {
                nested.extend(object.into_iter().filter_map(|(name, value)| match value {
                    serde_json::Value::String(text) => Some((name, text)),
                    serde_json::Value::Number(number) => Some((name, number.to_string())),
                    _ => None,
                }));
            }
            self.0.push((name, Zeroizing::new(value)));
        }
        let nested = nested.into_iter();
        self.0
            .extend(nested.map(|(name, value)| (name, Zeroizing::new(value))));
    }

    /// The first that is not blank under one of these names, without case and underscores.
    fn find(&self, names: &[&str]) -> Option<&Zeroizing<String>> {
        let known = |name: &str| names.contains(&fields::plain(name).as_str());
        self.0
            .iter()
            .find(|(name, value)| known(name) && !value.trim().is_empty())
            .map(|(_, value)| value)
    }

    /// The same without blanks around it.
    fn text(&self, names: &[&str]) -> Option<String> {
        self.find(names).map(|value| value.trim().to_owned())
    }
}

pub(super) async fn fetch(name: &str, config: &SdkConfig) -> Result<Connection, Error> {
    let origin = format!("the Glue Connection \"{name}\"");
    let answer = Client::new(config)
        .get_connection()
        .name(name)
        .hide_password(false)
        .send()
        .await;
    let connection = answer
        .map_err(|error| failed(name, &origin, Fault::of(&error), config))?
        .connection;
    let connection = connection.ok_or_else(|| Error::Empty {
        origin: origin.clone(),
    })?;
    let authentication = connection.authentication_configuration;
    let is_for_iam = authentication.as_ref().is_some_and(|authentication| {
        authentication.authentication_type == Some(AuthenticationType::Iam)
    });
    let secret_arn = authentication.and_then(|authentication| authentication.secret_arn);
    let mut properties = Properties::default();
    let own = connection.connection_properties.unwrap_or_default();
    properties.add(
        own.into_iter()
            .map(|(key, value)| (key.as_str().to_owned(), value)),
    );
    for of_engine in [
        connection.python_properties,
        connection.spark_properties,
        connection.athena_properties,
    ] {
        properties.add(of_engine.unwrap_or_default());
    }

    let mut plan = plan(&properties, secret_arn, &origin)?;
    plan.own.is_for_iam |= is_for_iam;
    let fetched = match &plan.login {
        Login::Given => Connection::default(),
        Login::Secret(id) => secrets_manager::fetch(id, Some(&origin), config).await?,
        Login::Encrypted(ciphertext) => {
            let password = kms::decrypt(ciphertext, &origin, config).await?;
            Connection {
                password: Some(password),
                ..Connection::default()
            }
        }
    };
    Ok(plan.complete(fetched))
}

/// What a connection says by itself, and where the rest is.
#[derive(Debug)]
struct Plan {
    own: Connection,
    login: Login,
    /// What counts only if nothing else supplies it.
    last_resort: Connection,
}

#[derive(Debug, PartialEq, Eq)]
enum Login {
    Given,
    Secret(String),
    Encrypted(String),
}

impl Plan {
    fn complete(self, fetched: Connection) -> Connection {
        let mut connection = self.own.or(fetched).or(self.last_resort);
        if connection.host.is_some() {
            connection.port.get_or_insert(jdbc::DEFAULT_PORT);
        }
        connection
    }
}

/// The shapes, in order of preference: `USERNAME` with `PASSWORD`, `SECRET_ID`,
/// `ENCRYPTED_PASSWORD`, the secret of the authentication configuration. Then what the JDBC URL has
/// among its parameters.
fn plan(properties: &Properties, secret_arn: Option<String>, origin: &str) -> Result<Plan, Error> {
    let unusable = |source| Error::Fields {
        origin: origin.to_owned(),
        source,
    };
    let url = match properties.find(&["jdbcconnectionurl"]) {
        Some(url) => jdbc::parse(url).map_err(|source| Error::Url {
            origin: origin.to_owned(),
            source,
        })?,
        None => Connection::default(),
    };
    let other_url = properties
        .find(&["jdbcurl", "connectionurl", "url"])
        .filter(|url| jdbc::is_uri(url))
        .and_then(|url| jdbc::parse_uri(url).ok())
        .unwrap_or_default();
    let port = properties
        .text(&["port"])
        .map(|port| fields::port(port.as_bytes(), "PORT"))
        .transpose();
    let by_parts = Connection {
        host: properties.text(&["host", "hostname", "endpoint"]),
        port: port.map_err(unusable)?,
        database: properties.text(&["database", "databasename", "dbname"]),
        ..Connection::default()
    };
    let by_parts = by_parts.with_host_taken_apart().map_err(|source| {
        unusable(fields::Error::Address {
            field: "HOST".to_owned(),
            source,
        })
    })?;
    let password = properties.find(&["password"]);
    let mut own = Connection {
        host: url.host,
        // A URL without a port means the default one, so `PORT` counts only where there is no URL.
        port: url.port,
        user: properties.text(&["username", "user"]),
        password: password.map(|password| Secret::new(password.as_str())),
        database: url.database,
        is_for_iam: url.is_for_iam,
        ..Connection::default()
    }
    .or(by_parts)
    .or(Connection {
        host: other_url.host,
        port: other_url.port,
        database: other_url.database,
        ..Connection::default()
    });
    for (name, _) in &properties.0 {
        own.note(name);
    }
    let mut last_resort = Connection {
        user: url.user,
        password: url.password,
        schema: url.schema.or(properties.text(&["schema", "currentschema"])),
        ..Connection::default()
    };

    let complete = own.user.is_some() && own.password.is_some();
    let encrypted = properties
        .text(&["encryptedpassword"])
        .map(Login::Encrypted);
    let elsewhere = properties
        .text(&["secretid", "secretarn", "secretname"])
        .map(Login::Secret)
        .or(encrypted)
        .or(secret_arn.filter(|arn| !arn.is_empty()).map(Login::Secret));
    let login = match elsewhere {
        Some(login) if !complete => {
            // A password without a user name is not the first shape; that of the secret goes with
            // the user name of the secret.
            last_resort = Connection {
                password: own.password.take(),
                ..Connection::default()
            }
            .or(last_resort);
            login
        }
        _ => Login::Given,
    };
    Ok(Plan {
        own,
        login,
        last_resort,
    })
}

fn failed(name: &str, origin: &str, fault: Fault, config: &SdkConfig) -> Error {
    let hint = match fault.kind {
        // Without `HidePassword` Glue decrypts on behalf of the caller, and says so when the caller
        // may not.
        FaultKind::Denied if kms::is_meant(&fault) => Some(kms::hint(&fault, config)),
        FaultKind::Denied => {
            let resource = |resource: &str| arn::build("glue", config, &fault.message, resource);
            Some(format!(
                "allow glue:GetConnection on {} and on {}",
                resource(&format!("connection/{name}")),
                resource("catalog")
            ))
        }
        FaultKind::NotFound => Some(elsewhere(config)),
        _ => None,
    };
    Error::Call {
        attempt: format!("read {origin}"),
        hint,
        fault: Box::new(fault),
    }
}

#[cfg(test)]
mod tests;
