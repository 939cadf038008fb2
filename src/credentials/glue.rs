//! Owns the Glue Connection: the four shapes in which it holds a login, and which of them counts.
//!
//! Never asks for a secret that it does not need.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_glue::Client;
use zeroize::Zeroizing;

use super::{Connection, Error, elsewhere, fields, jdbc, kms, secrets_manager};
use crate::aws::{Fault, FaultKind, arn};
use crate::secret::Secret;

type Properties = HashMap<String, String>;

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
    let secret_arn = connection
        .authentication_configuration
        .and_then(|authentication| authentication.secret_arn);
    let properties = connection.connection_properties.unwrap_or_default();
    let properties = properties
        .into_iter()
        .map(|(key, value)| (key.as_str().to_owned(), value))
        .collect();

    let plan = plan(properties, secret_arn, &origin)?;
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
fn plan(
    mut properties: Properties,
    secret_arn: Option<String>,
    origin: &str,
) -> Result<Plan, Error> {
    let mut take = |key: &str| properties.remove(key).filter(|value| !value.is_empty());
    let url = match take("JDBC_CONNECTION_URL").map(Zeroizing::new) {
        Some(url) => jdbc::parse(&url).map_err(|source| Error::Url {
            origin: origin.to_owned(),
            source,
        })?,
        None => Connection::default(),
    };
    let port = take("PORT")
        .map(|port| fields::port(port.as_bytes(), "PORT"))
        .transpose();
    let mut own = Connection {
        host: url.host,
        // A URL without a port means the default one, so `PORT` counts only where there is no URL.
        port: url.port,
        user: take("USERNAME"),
        password: take("PASSWORD").map(Secret::new),
        database: url.database,
        schema: None,
    }
    .or(Connection {
        host: take("HOST"),
        port: port.map_err(|source| Error::Fields {
            origin: origin.to_owned(),
            source,
        })?,
        database: take("DATABASE"),
        ..Connection::default()
    });
    let mut last_resort = Connection {
        user: url.user,
        password: url.password,
        schema: url.schema,
        ..Connection::default()
    };

    let complete = own.user.is_some() && own.password.is_some();
    let encrypted = take("ENCRYPTED_PASSWORD").map(Login::Encrypted);
    let elsewhere = take("SECRET_ID")
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
