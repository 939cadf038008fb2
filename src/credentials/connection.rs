//! Owns the login of one warehouse, as far as a source knows it.
//!
//! Never holds an empty value: what is empty is missing.

use crate::secret::Secret;

/// What a source knows. `Debug` does not show the password, since `Secret` does not.
#[derive(Debug, Default, Clone)]
pub(crate) struct Connection {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<String>,
    pub(crate) schema: Option<String>,
}

impl Connection {
    /// What this lacks comes from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        let (own, other) = (self.without_empty(), other.without_empty());
        Self {
            host: own.host.or(other.host),
            port: own.port.or(other.port),
            user: own.user.or(other.user),
            password: own.password.or(other.password),
            database: own.database.or(other.database),
            schema: own.schema.or(other.schema),
        }
    }

    pub(super) fn without_empty(self) -> Self {
        let text = |value: Option<String>| value.filter(|value| !value.is_empty());
        Self {
            host: text(self.host),
            port: self.port,
            user: text(self.user),
            password: self.password.filter(|value| !value.is_empty()),
            database: text(self.database),
            schema: text(self.schema),
        }
    }

    /// The first field that an environment variable cannot hold.
    pub(super) fn with_nul(&self) -> Option<&'static str> {
        let text =
            |value: &Option<String>| value.as_ref().is_some_and(|value| value.contains('\0'));
        let password = self
            .password
            .as_ref()
            .is_some_and(|value| value.expose().contains(&0));
        [
            ("host", text(&self.host)),
            ("user", text(&self.user)),
            ("password", password),
            ("database", text(&self.database)),
            ("schema", text(&self.schema)),
        ]
        .into_iter()
        .find_map(|(field, nul)| nul.then_some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_filled_and_a_given_one_is_kept() {
        let own = Connection {
            host: Some(String::new()),
            user: Some("own".into()),
            ..Connection::default()
        };
        let other = Connection {
            host: Some("other".into()),
            user: Some("other".into()),
            password: Some(Secret::new("")),
            port: Some(1),
            ..Connection::default()
        };
        let filled = own.or(other);
        assert_eq!(
            (filled.host.as_deref(), filled.user.as_deref(), filled.port),
            (Some("other"), Some("own"), Some(1))
        );
        assert!(filled.password.is_none());
    }

    #[test]
    fn a_nul_byte_is_found_by_field() {
        assert_eq!(Connection::default().with_nul(), None);
        let password = Connection {
            password: Some(Secret::new(vec![b'a', 0])),
            ..Connection::default()
        };
        assert_eq!(password.with_nul(), Some("password"));
        let schema = Connection {
            schema: Some("a\0b".into()),
            ..Connection::default()
        };
        assert_eq!(schema.with_nul(), Some("schema"));
    }

    #[test]
    fn debug_does_not_show_the_password() {
        let connection = Connection {
            password: Some(Secret::new("SENTINEL")),
            ..Connection::default()
        };
        assert!(!format!("{connection:?}").contains("SENTINEL"));
    }
}
