//! Owns the bucket: whether it can be used at all, and one `PutObject` for each artifact.
//!
//! Never deletes or lists anything. `s3:PutObject` on the prefix is enough; `s3:GetObject` saves
//! time.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Config, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};

use super::content_type;
use super::object::{Body, Object};
use super::owner::Owner;
use super::stored::Condition;
use crate::aws::{Fault, FaultKind, has_own_endpoint, longest_wait};
use crate::config::Encryption;

mod body;
mod error;
mod hint;
mod list;
mod read;
mod state;

pub(crate) use error::Error;

/// A check that takes longer must not keep dbt waiting: the bucket may well work later.
const CHECK: Duration = Duration::from_secs(10);
/// An upload gets ten seconds and another ten per started 2 MiB: a link of 200 KB/s is slow, a
/// slower one is broken.
const PATIENCE: Duration = Duration::from_secs(10);
const BYTES_PER_PATIENCE: u64 = 2 << 20;
/// How many times that limit covers all attempts and the pauses between them, unless
/// `AWS_MAX_ATTEMPTS` asks for more than fit into it.
const ATTEMPTS: u32 = 6;

/// A bucket and a prefix in it.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    client: Client,
    region: Option<String>,
    bucket: String,
    prefix: String,
    owner: Owner,
    encryption: Option<Encryption>,
    aws: Arc<SdkConfig>,
}

impl S3 {
    pub(super) fn new(
        aws: &SdkConfig,
        bucket: String,
        prefix: String,
        owner: Owner,
        encryption: Option<Encryption>,
    ) -> Self {
        // Not AWS itself: the bucket is part of the path there, since no name server knows it as a
        // host. The ARN of an access point becomes a host in any case.
        let path_style = has_own_endpoint(aws, "S3") && !bucket.starts_with("arn:");
        let config: Config = aws_sdk_s3::config::Builder::from(aws)
            .force_path_style(path_style)
            .build();
        let region = aws.region().map(ToString::to_string);
        Self {
            client: Client::from_conf(config),
            region,
            bucket,
            prefix,
            owner,
            encryption,
            aws: Arc::new(aws.clone()),
        }
    }

    /// Fails if the bucket certainly does not exist, is in another region, or cannot be reached for
    /// lack of credentials. A refusal proves nothing: a role that may put objects need not be
    /// allowed to look at the bucket.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let owner = self.owner.expected().await;
        self.look(owner.as_ref().ok().cloned().flatten()).await?;
        // Told only where the bucket is otherwise in order. dbt can do its work without it.
        if let Err(fault) = owner {
            tracing::warn!(
                "nothing will be read from or published to the bucket {}: the account of this run \
                 is not known ({fault}), and the bucket may belong to anybody; set --bucket-owner",
                self.bucket
            );
        }
        Ok(())
    }

    async fn look(&self, owner: Option<String>) -> Result<(), Error> {
        let request = self
            .client
            .head_bucket()
            .bucket(&self.bucket)
            .set_expected_bucket_owner(owner.clone());
        let Ok(answer) = tokio::time::timeout(CHECK, request.send()).await else {
            tracing::warn!(
                "the bucket {} did not answer within {} s; the run goes on",
                self.bucket,
                CHECK.as_secs()
            );
            return Ok(());
        };
        let region_of = |headers: &aws_smithy_runtime_api::http::Headers| {
            headers.get("x-amz-bucket-region").map(str::to_owned)
        };
        let (fault, region) = match answer {
            Ok(_) => return Ok(()),
            Err(error) => (
                Fault::of(&error),
                error
                    .raw_response()
                    .and_then(|response| region_of(response.headers())),
            ),
        };
        let ours = self.region.clone().unwrap_or_default();
        match (fault.kind, fault.status, region) {
            (_, Some(301 | 307 | 400), Some(region)) if region != ours => Err(Error::OtherRegion {
                bucket: self.bucket.clone(),
                region,
                ours,
            }),
            (FaultKind::NotFound, ..) => Err(Error::NoBucket {
                bucket: self.bucket.clone(),
            }),
            (FaultKind::Misconfigured | FaultKind::Unauthenticated, ..) => Err(Error::Unusable {
                bucket: self.bucket.clone(),
                source: Box::new(fault),
            }),
            (FaultKind::Denied, ..) => {
                let unknown = owner.map_or_else(
                    || "its owner is unknown".to_owned(),
                    |owner| {
                        format!(
                            "the role may lack s3:ListBucket, or the bucket does not belong to \
                             account {owner}"
                        )
                    },
                );
                tracing::warn!(
                    "cannot look at the bucket {} ({fault}): {unknown}; the run goes on",
                    self.bucket
                );
                Ok(())
            }
            _ => {
                tracing::warn!(
                    "the bucket {} could not be checked: {fault}; the run goes on",
                    self.bucket
                );
                Ok(())
            }
        }
    }

    /// `None` if there is no such object.
    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(answer) = self.request_object(key).await? else {
            return Ok(None);
        };
        match self
            .content_within(key, answer.body, answer.length, limit)
            .await?
        {
            None => Err(Error::TooLarge {
                bucket: self.bucket.clone(),
                key: self.key(key),
                limit,
            }),
            content => Ok(content),
        }
    }

    async fn expected_owner(&self) -> Result<Option<String>, Error> {
        self.owner
            .expected()
            .await
            .map_err(|source| Error::UnknownOwner {
                bucket: self.bucket.clone(),
                source: Box::new(source),
            })
    }

    fn key(&self, key: &str) -> String {
        if self.prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.prefix)
        }
    }

    pub(super) async fn put(&self, object: Object) -> Result<(), Error> {
        self.put_if(object, None).await.map(drop)
    }

    /// Puts an object, under a condition if there is one. Returns its tag.
    async fn put_if(
        &self,
        object: Object,
        condition: Option<Condition<'_>>,
    ) -> Result<Option<String>, Error> {
        let owner = self.expected_owner().await?;
        let key = self.key(&object.key);
        let encoding = matches!(object.body, Body::Gzip(_)).then(|| "gzip".to_owned());
        let (body, size) = match object.body {
            Body::Bytes(bytes) | Body::Gzip(bytes) => {
                let size = bytes.len() as u64;
                (ByteStream::from(bytes), size)
            }
            Body::File(file) => (body::of(&file), file.size()),
        };
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .body(body)
            .content_type(content_type::of(&object.key))
            .set_content_encoding(encoding)
            .set_checksum_algorithm(self.checksum())
            .set_cache_control(object.no_cache.then(|| "no-cache".to_owned()))
            .set_expected_bucket_owner(owner);
        let request = match condition {
            None => request,
            Some(Condition::IsMissing) => request.if_none_match("*"),
            Some(Condition::Is(tag)) => request.if_match(tag.as_str()),
        };
        let request = match &self.encryption {
            None => request,
            Some(Encryption::Aes256) => {
                request.server_side_encryption(ServerSideEncryption::Aes256)
            }
            Some(Encryption::Kms(id)) => request
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .set_ssekms_key_id(id.clone()),
        };
        let result = request
            .customize()
            .config_override(Config::builder().timeout_config(self.patience(size)));
        // Each attempt has its own limits, but a response that trickles in respects them all.
        let patience = self.patience(size).read_timeout().unwrap_or(PATIENCE);
        let limit = longest_wait(&self.aws, patience).max(patience.saturating_mul(ATTEMPTS));
        let result = tokio::time::timeout(limit, result.send()).await;
        match result.map(|sent| sent.map_err(|error| Fault::of(&error))) {
            Ok(Ok(answer)) => Ok(answer.e_tag),
            failed => {
                let dripping = || Fault {
                    kind: FaultKind::Unreachable,
                    code: None,
                    status: None,
                    message: format!("no complete response within {} s", limit.as_secs()),
                    hint: None,
                };
                let source = Box::new(
                    failed.map_or_else(|_| dripping(), |sent| sent.err().unwrap_or_else(dripping)),
                );
                let hint = self.hint(&source, "s3:PutObject", &key);
                Err(Error::Put {
                    bucket: self.bucket.clone(),
                    key,
                    hint,
                    source,
                })
            }
        }
    }

    /// On every object, unless the SDK's own setting is for a store that knows none.
    fn checksum(&self) -> Option<ChecksumAlgorithm> {
        let only_required = self.aws.request_checksum_calculation()
            == Some(RequestChecksumCalculation::WhenRequired);
        (!only_required).then_some(ChecksumAlgorithm::Crc32)
    }

    /// The limit on waiting for a response includes sending the body.
    fn patience(&self, size: u64) -> TimeoutConfig {
        let steps = u32::try_from(size / BYTES_PER_PATIENCE)
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let mut timeouts = self
            .aws
            .timeout_config()
            .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        timeouts.set_read_timeout(Some(PATIENCE.saturating_mul(steps)));
        timeouts.build()
    }
}
