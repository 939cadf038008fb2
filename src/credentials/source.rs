//! Owns where the login comes from, as the user writes it.
//!
//! Never asks whether what is named exists.

use std::fmt;
use std::str::FromStr;

/// One source of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The name of a Glue Connection.
    Glue(String),
    /// The name or the ARN of a secret.
    SecretsManager(String),
    /// The path above the parameters.
    Ssm(String),
    /// The variables of the environment, complete.
    Env,
    /// Nothing is fetched and nothing is demanded.
    None,
}

/// What was typed is no source.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, env or none")]
pub(crate) struct NotASource;

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let (kind, name) = typed.split_once(':').unwrap_or((typed, ""));
        match (kind, name) {
            ("env", "") if typed == "env" => Ok(Self::Env),
            ("none", "") if typed == "none" => Ok(Self::None),
            ("glue", name) if !name.is_empty() => Ok(Self::Glue(name.to_owned())),
            ("secretsmanager", id) if !id.is_empty() => Ok(Self::SecretsManager(id.to_owned())),
            ("ssm", path) if path.starts_with('/') => Ok(Self::Ssm(path.to_owned())),
            _ => Err(NotASource),
        }
    }
}

/// What was typed.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glue(name) => write!(formatter, "glue:{name}"),
            Self::SecretsManager(id) => write!(formatter, "secretsmanager:{id}"),
            Self::Ssm(path) => write!(formatter, "ssm:{path}"),
            Self::Env => formatter.write_str("env"),
            Self::None => formatter.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_given_back() {
        for (typed, expected) in [
            ("glue:redshift", Source::Glue("redshift".into())),
            ("glue:a:b c", Source::Glue("a:b c".into())),
            ("secretsmanager:prod/redshift", Source::SecretsManager("prod/redshift".into())),
            (
                "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-b",
                Source::SecretsManager("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-b".into()),
            ),
            ("ssm:/shop/dev/", Source::Ssm("/shop/dev/".into())),
            ("ssm:/shop/dev", Source::Ssm("/shop/dev".into())),
            ("env", Source::Env),
            ("none", Source::None),
        ] {
            assert_eq!(typed.parse::<Source>().as_ref(), Ok(&expected));
            assert_eq!(expected.to_string(), typed);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_accepted_forms() {
        for typed in
            ["", "glue", "glue:", "secretsmanager:", "ssm:", "ssm:shop/dev", "env:", "env:x", "none:", "vault:x", "Glue:x", "redshift"]
        {
            let error = typed.parse::<Source>().unwrap_err();
            assert_eq!(error.to_string(), "expected glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, env or none", "{typed}");
        }
    }
}
