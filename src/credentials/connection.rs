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
    /// What Airflow calls the schema of a connection: the database, unless that comes from
    /// elsewhere.
    pub(crate) database_or_schema: Option<String>,
    /// The connection is made for IAM, which needs no password.
    pub(crate) is_for_iam: bool,
    /// The names of everything that the source holds, for a message about what is missing.
    pub(crate) found: Vec<String>,
}

/// More names than this help nobody, and a name that is longer is none.
const MOST_NAMES: usize = 20;
const LONGEST_NAME: usize = 40;

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
            database_or_schema: own.database_or_schema.or(other.database_or_schema),
            is_for_iam: own.is_for_iam || other.is_for_iam,
            found: own.found.into_iter().chain(other.found).collect(),
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
            database_or_schema: text(self.database_or_schema),
            ..self
        }
    }

    /// Blanks and line ends come along from files and forms; only to a password they may belong.
    pub(super) fn trimmed(self) -> Self {
        let text = |value: Option<String>| value.map(|value| value.trim().to_owned());
        Self {
            host: text(self.host),
            user: text(self.user),
            database: text(self.database),
            schema: text(self.schema),
            database_or_schema: text(self.database_or_schema),
            ..self
        }
        .without_empty()
    }

    /// Whether this knows no part of a login.
    pub(super) fn is_empty(&self) -> bool {
        self.host.is_none()
            && self.port.is_none()
            && self.user.is_none()
            && self.password.is_none()
            && self.database.is_none()
            && self.schema.is_none()
            && self.database_or_schema.is_none()
    }

    /// Notes the name of something that the source holds.
    pub(super) fn note(&mut self, name: &str) {
        let is_name = name.len() <= LONGEST_NAME && !name.contains(char::is_control);
        if is_name && self.found.len() < MOST_NAMES && !self.found.iter().any(|seen| seen == name) {
            self.found.push(name.to_owned());
        }
    }

    /// The first field that still is a reference which something should have replaced: an ARN, or
    /// what `CloudFormation` resolves.
    pub(super) fn with_reference(&self) -> Option<&'static str> {
        let text = |value: &Option<String>| {
            value
                .as_ref()
                .is_some_and(|value| is_reference(value.as_bytes()))
        };
        let password = self.password.as_ref();
        [
            ("host", text(&self.host)),
            ("user", text(&self.user)),
            (
                "password",
                password.is_some_and(|value| is_reference(value.expose())),
            ),
            ("database", text(&self.database)),
            ("schema", text(&self.schema)),
        ]
        .into_iter()
        .find_map(|(field, reference)| reference.then_some(field))
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

/// Whether a value only says where the real one is.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let is_arn = value.starts_with(b"arn:") && value.split(|byte| *byte == b':').count() > 5;
    is_arn || value.starts_with(b"{{resolve:")
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
    fn a_reference_is_told_from_a_value() {
        for (value, expected) in [
            (
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf",
                true,
            ),
            ("arn:aws-cn:ssm:cn-north-1:123456789012:parameter/x", true),
            (
                " arn:aws:secretsmanager:eu-west-1:1:secret:x:password::\n",
                true,
            ),
            ("{{resolve:secretsmanager:x:SecretString:password}}", true),
            ("arn: a Welsh name", false),
            ("p{{resolve:", false),
            ("", false),
        ] {
            assert_eq!(is_reference(value.as_bytes()), expected, "{value}");
        }
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
