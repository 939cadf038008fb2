//! Owns the reading of addresses: the JDBC URL of a Glue Connection, a connection URI as a secret,
//! and an endpoint as the console shows it.
//!
//! Never repeats any part of the URL in an error: where an `@` is missing or misplaced, what looks
//! like a host is the login.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::connection::Connection;
use crate::secret::Secret;

/// Where Redshift listens unless it was told otherwise.
pub(super) const DEFAULT_PORT: u16 = 5439;

/// Why a URL is not one that leads to a warehouse.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("it does not begin with \"jdbc:\", expected jdbc:redshift://host:port/database")]
    NotJdbc,
    #[error(
        "its database is of another kind, expected jdbc:redshift://, jdbc:redshift:iam:// or \
            jdbc:postgresql://"
    )]
    Protocol,
    #[error("it has no host, expected jdbc:redshift://host:port/database")]
    NoHost,
    #[error(
        "its host is malformed, expected a name, an IPv4 address or an IPv6 address in brackets"
    )]
    Host,
    #[error("it has several hosts, expected one")]
    SeveralHosts,
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error(
        "it names a cluster and a region, expected the cluster's endpoint: \
            jdbc:redshift:iam://host:port/database"
    )]
    Cluster,
    #[error("its {part} is not UTF-8 once its percent-escapes are decoded")]
    Encoding { part: &'static str },
}

/// The parts of a URL. The port is always there, the rest as far as the URL has it.
pub(super) fn parse(url: &str) -> Result<Connection, Error> {
    let (protocol, rest) = protocol(url.trim())?;
    parse_rest(protocol, rest)
}

impl Connection {
    /// The console shows an endpoint as `host:port/database`. What is given by itself counts more.
    pub(super) fn with_host_taken_apart(self) -> Result<Self, Error> {
        let Some(host) = self.host.as_deref().filter(|host| is_endpoint(host)) else {
            return Ok(self);
        };
        let endpoint = take_apart(host)?;
        Ok(Self {
            host: Some(endpoint.host),
            port: self.port.or(endpoint.port),
            database: self.database.or(endpoint.database),
            ..self
        })
    }
}

/// Whether a secret is a connection URI as a whole, as Airflow and libpq have them, or a JDBC URL.
pub(super) fn is_uri(text: &str) -> bool {
    scheme_of_uri(text).is_some() || strip(text.trim(), "jdbc:").is_some()
}

/// The parts of such a URI.
pub(super) fn parse_uri(text: &str) -> Result<Connection, Error> {
    match scheme_of_uri(text) {
        Some(rest) => parse_rest(Protocol::Plain, rest),
        None => parse(text),
    }
}

/// What follows `redshift://` and the like; `SQLAlchemy` adds the name of a driver.
fn scheme_of_uri(text: &str) -> Option<&str> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let database = scheme.split('+').next().unwrap_or_default();
    ["redshift", "postgres", "postgresql"]
        .iter()
        .any(|known| database.eq_ignore_ascii_case(known))
        .then_some(rest)
}

/// A host with what the console shows after it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) database: Option<String>,
}

/// Whether a host carries more than a name or an address.
pub(crate) fn is_endpoint(host: &str) -> bool {
    let host = host.trim();
    host.contains(['/', ':']) && host.parse::<Ipv6Addr>().is_err()
}

/// `host:5439/dev`, with or without a scheme. No port is made up.
pub(crate) fn take_apart(text: &str) -> Result<Endpoint, Error> {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let place = rest.split(['/', '?', ';']).next().unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let parsed = parse_rest(Protocol::Plain, rest)?;
    let has_port = place.rsplit(']').next().unwrap_or_default().contains(':');
    Ok(Endpoint {
        host: parsed.host.unwrap_or_default(),
        port: parsed.port.filter(|_| has_port),
        database: parsed.database,
    })
}

fn parse_rest(protocol: Protocol, rest: &str) -> Result<Connection, Error> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', ';']).unwrap_or(rest.len()));
    let (login, place) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(login, place)| (Some(login), place));
    let (host, port) = host_and_port(place, protocol)?;
    let (database, options) = match tail.strip_prefix('/') {
        Some(path) => path.split_at(path.find(['?', ';']).unwrap_or(path.len())),
        None => ("", tail),
    };

    let mut connection = Connection {
        host: Some(host),
        port: Some(port),
        // No name of a database begins or ends so, but many a copied address does.
        database: text(database.trim_matches('/'), "database")?,
        is_for_iam: protocol == Protocol::Iam,
        ..Connection::default()
    };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        connection.user = text(user, "user")?;
        connection.password = secret(password);
    }
    for (name, value) in parameters(options) {
        match name.to_ascii_lowercase().as_str() {
            "user" | "username" | "uid" => connection.user = text(value, "user")?,
            "password" | "pwd" => connection.password = secret(value),
            // A search path has several; tables are made in the first.
            "currentschema" | "schema" | "search_path" => {
                connection.schema = text(value, "currentSchema")?
                    .and_then(|path| path.split(',').next().map(str::to_owned));
            }
            _ => {}
        }
    }
    Ok(connection.without_empty())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Plain,
    Iam,
}

fn protocol(url: &str) -> Result<(Protocol, &str), Error> {
    let rest = strip(url.trim_start(), "jdbc:").ok_or(Error::NotJdbc)?;
    let (protocol, rest) = if let Some(rest) = strip(rest, "redshift:iam:") {
        (Protocol::Iam, rest)
    } else {
        (
            Protocol::Plain,
            strip(rest, "redshift:")
                .or_else(|| strip(rest, "postgresql:"))
                .ok_or(Error::Protocol)?,
        )
    };
    // `jdbc:postgresql:database` means a server on this machine, where no warehouse is.
    match rest.strip_prefix("//") {
        Some(rest) => Ok((protocol, rest)),
        None if rest.contains("://") => Err(Error::Protocol),
        None => Err(Error::NoHost),
    }
}

fn host_and_port(place: &str, protocol: Protocol) -> Result<(String, u16), Error> {
    if place.contains(',') {
        return Err(Error::SeveralHosts);
    }
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(Error::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| Error::Host)?;
        (
            host,
            if port.is_empty() {
                ""
            } else {
                port.strip_prefix(':').ok_or(Error::Host)?
            },
        )
    } else {
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        if host
            .chars()
            .any(|char| !char.is_alphanumeric() && !".-_".contains(char))
            || port.contains(':')
        {
            return Err(Error::Host);
        }
        (host, port)
    };
    let number = port.bytes().all(|byte| byte.is_ascii_digit());
    if protocol == Protocol::Iam && (host.is_empty() || !number) {
        return Err(Error::Cluster);
    }
    if host.is_empty() {
        return Err(Error::NoHost);
    }
    let port = match port {
        "" => Some(DEFAULT_PORT),
        _ => port.parse().ok().filter(|port| *port > 0 && number),
    };
    port.map(|port| (host.to_owned(), port)).ok_or(Error::Port)
}

/// `?k=v&k2=v2`, `;k=v;k2=v2` and `;k=v?k2=v2`. Only the first question mark separates, so that a
/// value may hold another.
fn parameters(options: &str) -> impl Iterator<Item = (&str, &str)> {
    let (before, after) = options.split_once('?').unwrap_or((options, ""));
    before
        .split([';', '&'])
        .chain(after.split([';', '&']))
        .filter_map(|parameter| parameter.split_once('='))
}

/// `+` stays as it is: it is a space only in what an HTML form sends.
fn text(escaped: &str, part: &'static str) -> Result<Option<String>, Error> {
    let decoded = percent_decode_str(escaped)
        .decode_utf8()
        .map_err(|_| Error::Encoding { part })?;
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

/// A password is any bytes.
fn secret(escaped: &str) -> Option<Secret> {
    let secret = Secret::new(percent_decode_str(escaped).collect::<Vec<u8>>());
    (!secret.is_empty()).then_some(secret)
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
