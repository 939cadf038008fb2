//! Owns what to do about an object that could not be put or read.
//!
//! Never decides whether it matters.

use super::S3;
use crate::aws::{Fault, FaultKind, arn, remedy};

impl S3 {
    pub(super) fn hint(&self, fault: &Fault, action: &str, key: &str) -> Option<String> {
        let hint = match fault.kind {
            FaultKind::Denied if fault.message.contains("kms:") => {
                let key = arn::of_service_in("kms", &fault.message).unwrap_or("the bucket's key");
                format!("allow kms:GenerateDataKey and kms:Decrypt on {key}")
            }
            FaultKind::Denied => {
                let partition = arn::partition(self.region.as_deref());
                let below = if self.prefix.is_empty() {
                    String::new()
                } else {
                    format!("{}/", self.prefix)
                };
                let resource = if self.bucket.starts_with("arn:") {
                    format!("{}/object", self.bucket)
                } else {
                    format!("arn:{partition}:s3:::{}", self.bucket)
                };
                let permission =
                    format!("allow {action} on {resource}/{below}* (the object was {key})");
                match self.owner.known() {
                    Some(owner) => format!(
                        "{permission}; if the bucket does not belong to account {owner}, set \
                         --bucket-owner or another --destination"
                    ),
                    None => permission,
                }
            }
            FaultKind::NotFound => {
                "create the bucket, or set another --destination (DBT_ENTRYPOINT_DESTINATION)"
                    .to_owned()
            }
            FaultKind::Misconfigured if fault.hint.is_none() => {
                "set AWS_REGION to the region of the bucket, or name another bucket".to_owned()
            }
            _ if self.checksum().is_some() && may_be_the_checksum(fault) => {
                "if the store knows no CRC32 checksum, set \
                 AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
                    .to_owned()
            }
            _ => return fault.hint.clone(),
        };
        Some(remedy(&fault.message, &hint))
    }
}

/// Stores other than AWS's refuse in their own words what they do not know.
fn may_be_the_checksum(fault: &Fault) -> bool {
    let codes = [
        "NotImplemented",
        "BadDigest",
        "InvalidDigest",
        "InvalidRequest",
    ];
    let message = fault.message.to_ascii_lowercase();
    fault
        .code
        .as_deref()
        .is_some_and(|code| codes.contains(&code))
        || ["checksum", "crc32", "trailer", "sha256"]
            .iter()
            .any(|word| message.contains(word))
}
