//! Owns what can go wrong with a bucket, and what to do about it.
//!
//! Never decides whether it matters: before step one most of it is a warning.

use crate::aws::{Fault, FaultKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot publish s3://{bucket}/{key}")]
    Put {
        bucket: String,
        key: String,
        hint: Option<String>,
        source: Box<Fault>,
    },
    #[error("cannot read s3://{bucket}/{key}")]
    Get {
        bucket: String,
        key: String,
        hint: Option<String>,
        source: Box<Fault>,
    },
    #[error("cannot list s3://{bucket}/{folder}")]
    List {
        bucket: String,
        folder: String,
        source: Box<Fault>,
    },
    #[error("the bucket {bucket} does not exist")]
    NoBucket { bucket: String },
    #[error("the bucket {bucket} is in another region ({region}) than this run ({ours})")]
    OtherRegion {
        bucket: String,
        region: String,
        ours: String,
    },
    #[error("the bucket {bucket} cannot be used")]
    Unusable { bucket: String, source: Box<Fault> },
    #[error("s3://{bucket}/{key} is larger than {limit} bytes")]
    TooLarge {
        bucket: String,
        key: String,
        limit: u64,
    },
    #[error(
        "the bucket {bucket} may belong to anybody, since the account of this run is not known"
    )]
    UnknownOwner { bucket: String, source: Box<Fault> },
}

impl Error {
    pub(in crate::artifacts) fn fault(&self) -> Option<FaultKind> {
        match self {
            Self::Put { source, .. }
            | Self::Get { source, .. }
            | Self::List { source, .. }
            | Self::Unusable { source, .. }
            | Self::UnknownOwner { source, .. } => Some(source.kind),
            Self::NoBucket { .. } | Self::OtherRegion { .. } => Some(FaultKind::NotFound),
            Self::TooLarge { .. } => None,
        }
    }

    pub(in crate::artifacts) fn hint(&self) -> Option<String> {
        match self {
            Self::Put { hint, .. } | Self::Get { hint, .. } => hint.clone(),
            Self::NoBucket { .. } => Some(
                "create it, or set another --destination (DBT_ENTRYPOINT_DESTINATION)".to_owned(),
            ),
            Self::OtherRegion { region, .. } => Some(format!(
                "set AWS_REGION to {region}, or another --destination"
            )),
            Self::UnknownOwner { .. } => Some(
                "set --bucket-owner (DBT_ENTRYPOINT_BUCKET_OWNER) to the account of the bucket, or \
                 let the run reach STS"
                    .to_owned(),
            ),
            Self::TooLarge { .. } => None,
            Self::Unusable { source, .. } | Self::List { source, .. } => source.hint.clone(),
        }
    }
}
