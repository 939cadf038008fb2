//! Owns the fields of a secret by the names that people give them: a JSON object, a connection URI,
//! parameters, the properties of a Glue Connection.
//!
//! Never repeats a value in an error. Of what serde says, only line and column are used: its own
//! words quote what it found.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::connection::Connection;
use super::jdbc;
use crate::secret::Secret;

mod names;

use names::{CHECKED, Part};

pub(super) use names::plain;

/// What is wrong with the fields.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is not a JSON object (line {line}, column {column})")]
    NotAnObject { line: usize, column: usize },
    #[error("the field \"{field}\" must be {expected}, not {found}")]
    Type {
        field: String,
        expected: &'static str,
        found: &'static str,
    },
    #[error("the field \"{field}\" is not a number from 1 to 65535")]
    Port { field: String },
    #[error("it has no field \"{key}\", which the ARN asks for; it holds {}", list(.found))]
    NoKey { key: String, found: Vec<String> },
    #[error("the field \"{field}\" cannot be read as an address")]
    Address {
        field: String,
        #[source]
        source: jdbc::Error,
    },
    #[error("it cannot be read as a connection URI")]
    Uri(#[source] jdbc::Error),
}

/// A secret as a whole: the fields of a JSON object, or a connection URI. Unknown fields are
/// ignored, `null` counts as missing. `key` is the field that an ARN of ECS asks for.
pub(super) fn from_secret(text: &[u8], key: Option<&str>) -> Result<Connection, Error> {
    let uri = std::str::from_utf8(text)
        .ok()
        .filter(|text| jdbc::is_uri(text));
    if let Some(uri) = uri.filter(|_| key.is_none()) {
        return jdbc::parse_uri(uri).map_err(Error::Uri);
    }
    let read = |text: &[u8]| {
        // An editor of the console leaves a byte order mark.
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        serde_json::from_slice::<Fields>(text).map_err(|error| Error::NotAnObject {
            line: error.line(),
            column: error.column(),
        })
    };
    // What was encoded twice on its way is unpacked once more.
    if let Ok(inner) = serde_json::from_slice::<String>(text) {
        return from_secret(Zeroizing::new(inner).as_bytes(), key);
    }
    let mut fields = read(text)?;
    let Some(key) = key else {
        return fields.into_connection();
    };
    let Some(value) = fields.0.iter().position(|(name, _)| name == key) else {
        return Err(Error::NoKey {
            key: key.to_owned(),
            found: fields.0.into_iter().map(|(name, _)| name).collect(),
        });
    };
    match &mut fields.0[value].1 {
        Value::Object(inner) => std::mem::take(inner).into_connection(),
        Value::Text(text) if text.expose().trim_ascii_start().starts_with(b"{") => {
            read(text.expose())?.into_connection()
        }
        // ECS would inject this one value. A login needs the others, which the same secret has.
        Value::Text(text) if Part::of(key).is_none() => {
            let password = Some(text.clone());
            let rest = fields.into_connection()?;
            Ok(Connection { password, ..rest })
        }
        _ => fields.into_connection(),
    }
}

/// Fields by name, from parameters and properties.
pub(super) fn from_pairs(
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<Connection, Error> {
    let fields = pairs.map(|(name, value)| (name, Value::Text(Secret::new(value))));
    Fields(fields.collect()).into_connection()
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

/// A port as people write it.
pub(super) fn port(text: &[u8], field: &str) -> Result<u16, Error> {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    number.filter(|port| *port > 0).ok_or_else(|| Error::Port {
        field: field.to_owned(),
    })
}

/// Names and values in their order. Of a name given twice the last counts.
#[derive(Default)]
struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Every value of a usual name is checked, even where only one is used: a wrong type is a
    /// mistake that is worth knowing. Other names may mean something else.
    fn into_connection(self) -> Result<Connection, Error> {
        let is_there = |name: &str| self.0.iter().any(|(other, _)| plain(other) == name);
        // Airflow calls the database of a connection its schema.
        let of_airflow = is_there("conntype") || is_there("conntypeid");
        let with_login = is_there("login");
        let mut connection = Connection::default();
        let mut ranked = Vec::new();
        for (name, value) in self.0 {
            connection.note(&name);
            if let Some((part, rank)) = Part::ranked(&name) {
                ranked.push((part, rank, name, value));
            }
        }
        // The last of equals comes first; a port of its own comes before that of an address.
        ranked.reverse();
        ranked.sort_by_key(|(part, rank, ..)| (*part, *rank));
        for (part, _, name, value) in ranked {
            match part_of_connection(part, &name, value) {
                Ok(found) => connection = connection.or(found),
                Err(_) if !CHECKED.contains(&plain(&name).as_str()) => {}
                Err(error) => return Err(error),
            }
        }
        if connection.database.is_none() {
            if of_airflow {
                connection.database = connection.schema.take();
            } else if with_login {
                connection.database_or_schema = connection.schema.take();
            }
        }
        Ok(connection)
    }
}

fn part_of_connection(part: Part, name: &str, value: Value) -> Result<Connection, Error> {
    let mut found = Connection::default();
    match part {
        Part::Host => found.host = value.text(name)?,
        Part::Port => found.port = value.port(name)?,
        Part::User => found.user = value.text(name)?,
        Part::Password => found.password = value.secret(name)?,
        Part::Database => found.database = value.text(name)?,
        Part::Schema => found.schema = value.text(name)?,
        Part::Address => {
            if let Some(uri) = value.text(name)?.filter(|text| jdbc::is_uri(text)) {
                return jdbc::parse_uri(&uri).map_err(|source| Error::Address {
                    field: name.to_owned(),
                    source,
                });
            }
        }
    }
    found
        .trimmed()
        .with_host_taken_apart()
        .map_err(|source| Error::Address {
            field: name.to_owned(),
            source,
        })
}

/// Text is a `Secret` from the start, whatever the field: which one holds the password is decided
/// later.
#[derive(Default)]
enum Value {
    #[default]
    Missing,
    Text(Secret),
    Number(Option<u64>),
    Object(Fields),
    Other(&'static str),
}

impl Value {
    fn secret(self, field: &str) -> Result<Option<Secret>, Error> {
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) => Ok((!text.is_empty()).then_some(text)),
            other => Err(Error::Type {
                field: field.to_owned(),
                expected: "a string",
                found: other.name(),
            }),
        }
    }

    fn text(self, field: &str) -> Result<Option<String>, Error> {
        let Some(text) = self.secret(field)? else {
            return Ok(None);
        };
        // JSON and parameters are UTF-8, so nothing is lost.
        Ok(Some(String::from_utf8_lossy(text.expose()).into_owned()))
    }

    fn port(self, field: &str) -> Result<Option<u16>, Error> {
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) if text.expose().trim_ascii().is_empty() => Ok(None),
            Self::Text(text) => port(text.expose(), field).map(Some),
            Self::Number(number) => {
                let port = number
                    .and_then(|number| u16::try_from(number).ok())
                    .filter(|port| *port > 0);
                port.map(Some).ok_or_else(|| Error::Port {
                    field: field.to_owned(),
                })
            }
            other => Err(Error::Type {
                field: field.to_owned(),
                expected: "a number or a string",
                found: other.name(),
            }),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Missing => "null",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Object(_) => "an object",
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
            let value = map.next_value()?;
            fields.0.push((name, value));
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Object.visit_map(map).map(Value::Object)
    }
}

#[cfg(test)]
mod tests;
