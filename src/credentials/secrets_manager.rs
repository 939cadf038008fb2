//! Owns the reading of a secret in AWS Secrets Manager.
//!
//! Never asks another region than that of the secret's ARN, if the secret is named by one.

use aws_config::{Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::primitives::Blob;

use super::{Connection, Error, elsewhere, fields, kms};
use crate::aws::{Fault, FaultKind, arn};
use crate::secret::Secret;

/// `referrer` is what names the secret, if the user did not.
pub(super) async fn fetch(
    id: &str,
    referrer: Option<&str>,
    config: &SdkConfig,
) -> Result<Connection, Error> {
    let origin = match referrer {
        Some(referrer) => format!("the secret \"{id}\", which {referrer} refers to"),
        None => format!("the secret \"{id}\""),
    };
    let name = &Name::of(id);
    let id = &name.id;
    let config = &in_region_of(id, config);
    let client = Client::from_conf(Builder::from(config).build());
    let request = client
        .get_secret_value()
        .secret_id(id)
        .set_version_stage(name.stage.clone())
        .set_version_id(name.version.clone());
    let answer = request.send().await;
    let answer = answer.map_err(|error| failed(id, &origin, Fault::of(&error), config))?;
    let secret = answer
        .secret_string
        .map(String::into_bytes)
        .or(answer.secret_binary.map(Blob::into_inner))
        .map(Secret::new);
    let secret = secret
        .filter(|secret| !secret.is_empty())
        .ok_or_else(|| Error::Empty {
            origin: origin.clone(),
        })?;
    fields::from_secret(secret.expose(), name.key.as_deref())
        .map_err(|source| Error::Fields { origin, source })
}

/// A secret as ECS names it in a task definition: the ARN or the name, then a key of its JSON, a
/// stage and a version, any of which may be empty.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    id: String,
    key: Option<String>,
    stage: Option<String>,
    version: Option<String>,
}

/// `arn:aws:secretsmanager:region:account:secret:name`; no name holds a colon.
const COLONS_OF_AN_ARN: usize = 6;

impl Name {
    fn of(text: &str) -> Self {
        let text = text.trim();
        let colons = if text.starts_with("arn:") {
            COLONS_OF_AN_ARN
        } else {
            0
        };
        let end = text.match_indices(':').nth(colons);
        let (id, rest) = end.map_or((text, ""), |(end, _)| (&text[..end], &text[end + 1..]));
        let mut rest = rest
            .split(':')
            .map(|part| (!part.is_empty()).then(|| part.to_owned()));
        Self {
            id: id.to_owned(),
            key: rest.next().flatten(),
            stage: rest.next().flatten(),
            version: rest.next().flatten(),
        }
    }
}

/// A connection may refer to a secret elsewhere. Endpoints that the user set stay as they are.
fn in_region_of(id: &str, config: &SdkConfig) -> SdkConfig {
    match arn::region_of(id) {
        Some(region) => config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build(),
        None => config.clone(),
    }
}

fn failed(id: &str, origin: &str, fault: Fault, config: &SdkConfig) -> Error {
    let hint = match fault.kind {
        FaultKind::Denied if kms::is_meant(&fault) => Some(kms::hint(&fault, config)),
        FaultKind::Denied => Some(format!(
            "allow secretsmanager:GetSecretValue on {}",
            resource(id, &fault, config)
        )),
        FaultKind::NotFound => Some(elsewhere(config)),
        _ => None,
    };
    Error::Call {
        attempt: format!("read {origin}"),
        hint,
        fault: Box::new(fault),
    }
}

/// AWS appends a hyphen and six characters to the name, of which a policy knows nothing beforehand.
fn resource(id: &str, fault: &Fault, config: &SdkConfig) -> String {
    if id.starts_with("arn:") {
        id.to_owned()
    } else {
        arn::build(
            "secretsmanager",
            config,
            &fault.message,
            &format!("secret:{id}-??????"),
        )
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    const ARN: &str =
        "arn:aws:secretsmanager:eu-central-1:210987654321:secret:prod/redshift-AbCdEf";

    fn config() -> SdkConfig {
        SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .behavior_version(BehaviorVersion::v2026_01_12())
            .build()
    }

    fn hint(id: &str, code: &str, message: &str) -> Option<String> {
        let message = format!("{code}: {message}");
        let fault = Fault {
            kind: FaultKind::Denied,
            code: Some(code.to_owned()),
            status: Some(400),
            message,
            hint: None,
        };
        failed(id, "it", fault, &in_region_of(id, &config())).hint()
    }

    #[test]
    fn what_ecs_puts_behind_a_name_is_taken_off() {
        for (text, id, key, stage, version) in [
            (ARN, ARN, "", "", ""),
            (&format!("{ARN}:password::"), ARN, "password", "", ""),
            (&format!("{ARN}::AWSPREVIOUS:"), ARN, "", "AWSPREVIOUS", ""),
            (&format!("{ARN}:::0c1d-2e"), ARN, "", "", "0c1d-2e"),
            (&format!("{ARN}:k:s:v"), ARN, "k", "s", "v"),
            ("prod/redshift", "prod/redshift", "", "", ""),
            (
                "prod/redshift:password::",
                "prod/redshift",
                "password",
                "",
                "",
            ),
        ] {
            let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let expected = Name {
                id: id.to_owned(),
                key: part(key),
                stage: part(stage),
                version: part(version),
            };
            assert_eq!(Name::of(text), expected, "{text}");
        }
    }

    #[test]
    fn an_arn_decides_the_region() {
        assert_eq!(
            in_region_of(ARN, &config()).region().unwrap().as_ref(),
            "eu-central-1"
        );
        assert_eq!(
            in_region_of("prod/redshift", &config())
                .region()
                .unwrap()
                .as_ref(),
            "eu-west-1"
        );
    }

    #[test]
    fn a_denied_call_hints_at_the_permission() {
        let user = "User: arn:aws:sts::123456789012:assumed-role/dbt/task is not authorized to \
            perform: secretsmanager:GetSecretValue";
        assert_eq!(
            hint("prod/redshift", "AccessDeniedException", user).unwrap(),
            "allow secretsmanager:GetSecretValue on \
                arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/redshift-??????"
        );
        assert_eq!(
            hint(ARN, "AccessDeniedException", user).unwrap(),
            format!("allow secretsmanager:GetSecretValue on {ARN}")
        );
        assert_eq!(
            hint(
                ARN,
                "DecryptionFailure",
                "Secrets Manager can't decrypt the protected secret text"
            )
            .unwrap(),
            "allow kms:Decrypt on the key that encrypts it (arn:aws:kms:eu-central-1:*:key/*)"
        );
        assert!(
            hint(ARN, "AccessDeniedException", "Access to KMS is not allowed")
                .unwrap()
                .starts_with("allow kms:Decrypt on ")
        );
    }

    #[test]
    fn a_secret_that_does_not_exist_hints_at_the_region() {
        let fault = Fault {
            kind: FaultKind::NotFound,
            code: None,
            status: Some(400),
            message: String::new(),
            hint: None,
        };
        let error = failed("x", "the secret \"x\"", fault, &config());
        assert_eq!(error.to_string(), "cannot read the secret \"x\"");
        assert_eq!(
            error.hint().unwrap(),
            "check the name, and the region: eu-west-1 was asked (AWS_REGION)"
        );
    }
}
