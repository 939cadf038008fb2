//! Owns the names that people give to the parts of a login.
//!
//! Never sees a value.

/// A part of a login, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Port,
    Database,
    User,
    Password,
    Schema,
    Host,
    Address,
}

/// Names whose values are checked even where they are not used.
pub(super) const CHECKED: [&str; 9] = [
    "host", "port", "username", "user", "login", "password", "dbname", "database", "schema",
];

/// The names of each part, without case, hyphens and underscores. The first that is there counts.
const NAMES: [(Part, &[&str]); 7] = [
    (
        Part::Host,
        &["host", "hostname", "dbhost", "server", "endpoint"],
    ),
    (Part::Port, &["port", "dbport"]),
    (
        Part::User,
        &["username", "user", "login", "dbuser", "dbusername", "uid"],
    ),
    (
        Part::Password,
        &["password", "pass", "pwd", "passwd", "dbpassword"],
    ),
    (
        Part::Database,
        &["dbname", "database", "db", "databasename"],
    ),
    (
        Part::Schema,
        &["schema", "currentschema", "schemaname", "dbschema"],
    ),
    (
        Part::Address,
        &[
            "uri",
            "url",
            "jdbcurl",
            "jdbcconnectionurl",
            "connectionurl",
            "connectionuri",
            "connectionstring",
            "databaseurl",
        ],
    ),
];

impl Part {
    /// The part that a name stands for, and how far down its list it is.
    pub(super) fn ranked(name: &str) -> Option<(Self, usize)> {
        let plain = plain(name);
        // As in the variables that dbt gets.
        let plain = ["dbtredshift", "redshift"]
            .iter()
            .find_map(|prefix| plain.strip_prefix(prefix).filter(|rest| !rest.is_empty()))
            .unwrap_or(&plain);
        NAMES.iter().find_map(|(part, names)| {
            let rank = names.iter().position(|known| *known == plain)?;
            Some((*part, rank))
        })
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ranked(name).map(|(part, _)| part)
    }
}

/// A name as it is compared.
pub(in crate::credentials) fn plain(name: &str) -> String {
    name.chars()
        .filter(|char| !matches!(char, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}
