//! Owns the reading of the JDBC URL in a Glue Connection.
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
        "its database is of another kind, expected jdbc:redshift://, jdbc:redshift:iam:// or jdbc:postgresql://"
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
        "it names a cluster and a region, expected the cluster's endpoint: jdbc:redshift:iam://host:port/database"
    )]
    Cluster,
    #[error("its {part} is not UTF-8 once its percent-escapes are decoded")]
    Encoding { part: &'static str },
}

/// The parts of a URL. The port is always there, the rest as far as the URL has it.
pub(super) fn parse(url: &str) -> Result<Connection, Error> {
    let (protocol, rest) = protocol(url)?;
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
        database: text(database, "database")?,
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
            "currentschema" => {
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
