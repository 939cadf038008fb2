//! Owns reading an object, up to a size: whoever can write there could fill the memory.
//!
//! Never writes.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError, DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::{Intercept, context};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::{Error, S3};
use crate::aws::{Fault, FaultKind};

/// What S3 answers when an object is asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: ByteStream,
    pub(super) length: Option<i64>,
    pub(super) tag: Option<String>,
    pub(super) last_modified: Option<DateTime>,
    /// The time of the answer, by the same clock.
    pub(super) date: Option<DateTime>,
}

impl S3 {
    /// `None` if there is no such object.
    pub(super) async fn request_object(&self, key: &str) -> Result<Option<Answer>, Error> {
        let owner = self.expected_owner().await?;
        let date = Date::default();
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .set_expected_bucket_owner(owner)
            .customize()
            .interceptor(date.clone());
        match request.send().await.map_err(|error| Fault::of(&error)) {
            Ok(answer) => Ok(Some(Answer {
                body: answer.body,
                length: answer.content_length,
                tag: answer.e_tag,
                last_modified: answer.last_modified,
                date: date.get(),
            })),
            Err(fault) if is_missing(&fault) => Ok(None),
            Err(fault) => Err(self.unread(key, fault)),
        }
    }

    /// `None` if there is more than the limit.
    pub(super) async fn content_within(
        &self,
        key: &str,
        mut body: ByteStream,
        length: Option<i64>,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let cut = |error: ByteStreamError| Fault {
            kind: FaultKind::Unreachable,
            code: None,
            status: None,
            message: error.to_string(),
            hint: None,
        };
        let fits = |size: u64| size <= limit;
        // What the answer says of its length need not be true, or may be left out.
        let length = length.and_then(|length| u64::try_from(length).ok());
        if !length.is_none_or(fits) {
            return Ok(None);
        }
        let mut content = Vec::new();
        while let Some(part) = body
            .try_next()
            .await
            .map_err(|error| self.unread(key, cut(error)))?
        {
            if !fits((content.len() + part.len()) as u64) {
                return Ok(None);
            }
            content.extend_from_slice(&part);
        }
        Ok(Some(content))
    }

    pub(super) fn unread(&self, key: &str, fault: Fault) -> Error {
        let key = self.key(key);
        Error::Get {
            bucket: self.bucket.clone(),
            hint: self.hint(&fault, "s3:GetObject", &key),
            key,
            source: Box::new(fault),
        }
    }
}

/// The object; a bucket that is missing is a fault.
pub(super) fn is_missing(fault: &Fault) -> bool {
    fault.kind == FaultKind::NotFound && fault.code.as_deref() != Some("NoSuchBucket")
}

/// The `Date` of a response, which the SDK does not hand on.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<DateTime>>>);

impl Date {
    fn get(&self) -> Option<DateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "date"
    }

    fn read_after_deserialization(
        &self,
        context: &context::AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
