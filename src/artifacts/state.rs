//! Owns small objects at the destination that several runs read and write: they are read with a
//! size limit, and written only if nobody else was faster.
//!
//! Never knows what such an object says.

use super::destination::{Destination, Error};
use super::stored::{Condition, Saved, Stored, Tag};

mod directory;

/// On the heap, since the futures of the SDK are large and deep.
///
/// Nothing is read from a bucket that may be a stranger's, and nothing is written there.
impl Destination {
    /// `None` if there is no such object.
    pub(crate) async fn read_state(&self, key: &str, limit: u64) -> Result<Option<Stored>, Error> {
        match self {
            Self::S3(s3) => Ok(Box::pin(s3.read_state(key, limit)).await?),
            Self::Directory(path) => directory::read(&path.join(key), limit),
        }
    }

    /// Writes an object that is not there yet.
    pub(crate) async fn create_state(&self, key: &str, content: &[u8]) -> Result<Saved, Error> {
        self.write_state(key, content, Condition::IsMissing).await
    }

    /// Writes an object that is still what the caller has read or written.
    pub(crate) async fn replace_state(
        &self,
        key: &str,
        tag: &Tag,
        content: &[u8],
    ) -> Result<Saved, Error> {
        self.write_state(key, content, Condition::Is(tag)).await
    }

    async fn write_state(
        &self,
        key: &str,
        content: &[u8],
        condition: Condition<'_>,
    ) -> Result<Saved, Error> {
        let saved = match self {
            Self::S3(s3) => Box::pin(s3.write_state(key, content, condition)).await,
            Self::Directory(path) => {
                return directory::write(&path.join(key), content, condition).await;
            }
        };
        if let Ok(Saved::Done(tag)) = saved {
            return Ok(Saved::Done(tag));
        }
        // S3 may have written the object though its answer was lost, and then refuses the same
        // request when the SDK repeats it. Only what is there now tells.
        let there = self.read_state(key, content.len() as u64).await;
        match there {
            Ok(Some(stored)) if stored.content.as_deref() == Some(content) => {
                Ok(Saved::Done(stored.tag))
            }
            _ => Ok(saved?),
        }
    }
}

#[cfg(test)]
pub(crate) mod loopback;
#[cfg(test)]
mod tests;
