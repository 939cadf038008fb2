//! Owns conditional writes, and the age of an object by S3's own clock.
//!
//! Never takes an answer that was lost for a failure: `artifacts::state` looks what is there.

use std::time::Duration;

use tokio::time::timeout;

use super::read::is_missing;
use super::{Error, PATIENCE, S3};
use crate::artifacts::object::{Body, Object};
use crate::artifacts::stored::{Condition, Saved, Stored, Tag};
use crate::aws::{Fault, FaultKind, longest_wait};

impl S3 {
    pub(in crate::artifacts) async fn read_state(
        &self,
        key: &str,
        limit: u64,
    ) -> Result<Option<Stored>, Error> {
        let limit_of_time = longest_wait(&self.aws, PATIENCE);
        let reading = timeout(limit_of_time, self.read_now(key, limit));
        reading.await.unwrap_or_else(|_| {
            let seconds = limit_of_time.as_secs();
            let fault = Fault {
                kind: FaultKind::Unreachable,
                code: None,
                status: None,
                message: format!("no complete response within {seconds} s"),
                hint: None,
            };
            Err(self.unread(key, fault))
        })
    }

    async fn read_now(&self, key: &str, limit: u64) -> Result<Option<Stored>, Error> {
        let Some(answer) = self.request_object(key).await? else {
            return Ok(None);
        };
        let age = answer.date.zip(answer.last_modified).map(|(now, then)| {
            // What was written before this second ended may seem to come from the next one.
            let seconds = now.secs().saturating_sub(then.secs());
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        });
        let tag = self.tag(key, answer.tag)?;
        let content = self
            .content_within(key, answer.body, answer.length, limit)
            .await?;
        Ok(Some(Stored { content, tag, age }))
    }

    pub(in crate::artifacts) async fn write_state(
        &self,
        key: &str,
        content: &[u8],
        condition: Condition<'_>,
    ) -> Result<Saved, Error> {
        let object = Object {
            key: key.to_owned(),
            body: Body::Bytes(content.to_owned()),
            no_cache: false,
        };
        match self.put_if(object, Some(condition)).await {
            Ok(tag) => Ok(Saved::Done(self.tag(key, tag)?)),
            Err(Error::Put { source, .. }) if is_conflict(&source) => Ok(Saved::Conflict),
            Err(error) => Err(error),
        }
    }

    /// Without a tag nobody could say which version is meant.
    fn tag(&self, key: &str, tag: Option<String>) -> Result<Tag, Error> {
        let untagged = || Fault {
            kind: FaultKind::Unexpected,
            code: None,
            status: None,
            message: "the response has no ETag".to_owned(),
            hint: None,
        };
        tag.map(Tag::new)
            .ok_or_else(|| self.unread(key, untagged()))
    }
}

/// The condition does not hold (412), another write is under way (409), or the object is gone that
/// was to be replaced.
fn is_conflict(fault: &Fault) -> bool {
    matches!(fault.status, Some(409 | 412)) || is_missing(fault)
}
