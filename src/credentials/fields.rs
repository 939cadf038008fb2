//! Owns the fields of a secret: the JSON object in Secrets Manager, and parameters by name.
//!
//! Never repeats a value in an error. Of what serde says, only line and column are used: its own
//! words quote what it found.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::connection::Connection;
use crate::secret::Secret;

/// What is wrong with the fields.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is not a JSON object (line {line}, column {column})")]
    NotAnObject { line: usize, column: usize },
    #[error("the field \"{field}\" must be {expected}, not {found}")]
    Type {
        field: &'static str,
        expected: &'static str,
        found: &'static str,
    },
    #[error("the field \"{field}\" is not a number from 1 to 65535")]
    Port { field: &'static str },
}

/// The fields of a JSON object. Unknown ones are ignored, `null` counts as missing.
pub(super) fn from_json(json: &[u8]) -> Result<Connection, Error> {
    match serde_json::from_slice::<Fields>(json) {
        Ok(fields) => fields.into_connection(),
        Err(error) => Err(Error::NotAnObject {
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// Fields by name, from parameters.
pub(super) fn from_pairs(
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<Connection, Error> {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        if let Some(slot) = fields.slot(&name) {
            *slot = Value::Text(Secret::new(value));
        }
    }
    fields.into_connection()
}

/// A port as people write it.
pub(super) fn port(text: &[u8], field: &'static str) -> Result<u16, Error> {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    number.filter(|port| *port > 0).ok_or(Error::Port { field })
}

#[derive(Default)]
struct Fields {
    host: Value,
    port: Value,
    username: Value,
    user: Value,
    password: Value,
    dbname: Value,
    database: Value,
    schema: Value,
}

impl Fields {
    fn slot(&mut self, name: &str) -> Option<&mut Value> {
        Some(match name {
            "host" => &mut self.host,
            "port" => &mut self.port,
            "username" => &mut self.username,
            "user" => &mut self.user,
            "password" => &mut self.password,
            "dbname" => &mut self.dbname,
            "database" => &mut self.database,
            "schema" => &mut self.schema,
            _ => return None,
        })
    }

    fn into_connection(self) -> Result<Connection, Error> {
        // Both names are checked, even where only one is used: a wrong type is a mistake that is
        // worth knowing.
        let (username, user) = (self.username.text("username")?, self.user.text("user")?);
        let (dbname, database) = (self.dbname.text("dbname")?, self.database.text("database")?);
        let connection = Connection {
            host: self.host.text("host")?,
            port: self.port.port("port")?,
            user: username.or(user),
            password: self.password.secret("password")?,
            database: dbname.or(database),
            schema: self.schema.text("schema")?,
        };
        Ok(connection.without_empty())
    }
}

/// Text is a `Secret` from the start, whatever the field: which one holds the password is decided
/// later.
#[derive(Default)]
enum Value {
    #[default]
    Missing,
    Text(Secret),
    Number(Option<u64>),
    Other(&'static str),
}

impl Value {
    fn secret(self, field: &'static str) -> Result<Option<Secret>, Error> {
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) => Ok((!text.is_empty()).then_some(text)),
            other => Err(Error::Type {
                field,
                expected: "a string",
                found: other.name(),
            }),
        }
    }

    fn text(self, field: &'static str) -> Result<Option<String>, Error> {
        let Some(text) = self.secret(field)? else {
            return Ok(None);
        };
        // JSON and parameters are UTF-8, so nothing is lost.
        Ok(Some(String::from_utf8_lossy(text.expose()).into_owned()))
    }

    fn port(self, field: &'static str) -> Result<Option<u16>, Error> {
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) if text.is_empty() => Ok(None),
            Self::Text(text) => port(text.expose(), field).map(Some),
            Self::Number(number) => {
                let port = number
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|port| *port > 0);
                port.map(Some).ok_or(Error::Port { field })
            }
            Self::Other(found) => Err(Error::Type {
                field,
                expected: "a number or a string",
                found,
            }),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Missing => "null",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Other(name) => name,
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<String>()? {
            match fields.slot(&name) {
                Some(slot) => *slot = map.next_value()?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other("a boolean"))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}

#[cfg(test)]
mod tests;
