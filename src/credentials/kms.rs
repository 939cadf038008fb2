//! Owns the decryption of a connection's password, and the hint about a key that may not be used.
//!
//! Never assumes that a password is text.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_types::base64;

use super::Error;
use crate::aws::{Fault, FaultKind, arn};
use crate::secret::Secret;

/// The ciphertext names its key, so no key id is sent.
pub(super) async fn decrypt(
    ciphertext: &str,
    origin: &str,
    config: &SdkConfig,
) -> Result<Secret, Error> {
    let bytes = base64::decode(ciphertext.trim()).map_err(|_| Error::Ciphertext {
        origin: origin.to_owned(),
    })?;
    let answer = Client::new(config)
        .decrypt()
        .ciphertext_blob(Blob::new(bytes))
        .send()
        .await;
    let plaintext = answer
        .map_err(|error| failed(origin, Fault::of(&error), config))?
        .plaintext;
    Ok(Secret::new(
        plaintext.map(Blob::into_inner).unwrap_or_default(),
    ))
}

/// Whether a service refuses because of the key that encrypts what it should hand out. It does so
/// in its own name and in many words.
pub(super) fn is_meant(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    let message = fault.message.to_lowercase();
    code == "DecryptionFailure"
        || code == "GlueEncryptionException"
        || ["kms", "ciphertext", "decrypt"]
            .iter()
            .any(|word| message.contains(word))
}

/// The key is the one that AWS mentions, else any of the account.
pub(super) fn hint(fault: &Fault, config: &SdkConfig) -> String {
    match arn::of_service_in("kms", &fault.message) {
        Some(key) => format!("allow kms:Decrypt on {key}"),
        None => format!(
            "allow kms:Decrypt on the key that encrypts it ({})",
            arn::build("kms", config, &fault.message, "key/*")
        ),
    }
}

fn failed(origin: &str, fault: Fault, config: &SdkConfig) -> Error {
    let hint = (fault.kind == FaultKind::Denied).then(|| hint(&fault, config));
    Error::Call {
        attempt: format!("decrypt the ENCRYPTED_PASSWORD of {origin}"),
        hint,
        fault: Box::new(fault),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    fn denied(code: &str, message: &str) -> Fault {
        Fault {
            kind: FaultKind::Denied,
            code: Some(code.to_owned()),
            status: Some(400),
            message: message.to_owned(),
            hint: None,
        }
    }

    #[test]
    fn a_refusal_because_of_the_key_is_told_from_others() {
        assert!(is_meant(&denied(
            "AccessDeniedException",
            "Access to KMS is not allowed"
        )));
        assert!(is_meant(&denied(
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist"
        )));
        assert!(is_meant(&denied("DecryptionFailure", "no")));
        assert!(!is_meant(&denied(
            "AccessDeniedException",
            "not authorized to perform: glue:GetConnection"
        )));
    }

    #[test]
    fn the_hint_names_the_key_or_all_keys() {
        let config = SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .behavior_version(BehaviorVersion::v2026_01_12())
            .build();
        let named = denied(
            "AccessDeniedException",
            "kms:Decrypt on resource: arn:aws:kms:eu-west-1:123456789012:key/abc because",
        );
        assert_eq!(
            hint(&named, &config),
            "allow kms:Decrypt on arn:aws:kms:eu-west-1:123456789012:key/abc"
        );
        let unnamed = denied("DecryptionFailure", "no");
        assert_eq!(
            hint(&unnamed, &config),
            "allow kms:Decrypt on the key that encrypts it (arn:aws:kms:eu-west-1:*:key/*)"
        );
    }

    #[tokio::test]
    async fn a_ciphertext_that_is_not_base64_is_an_error_without_it() {
        let config = SdkConfig::builder().build();
        let error = decrypt("SENTINEL!", "the Glue Connection \"x\"", &config)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the ENCRYPTED_PASSWORD of the Glue Connection \"x\" is not base64"
        );
    }
}
