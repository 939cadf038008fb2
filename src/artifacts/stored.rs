//! Owns what is known of an object that several runs read and write.
//!
//! Pure. Never knows where it lies or what it says.

use std::time::Duration;

/// An object as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// `None` if it is larger than the limit.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) tag: Tag,
    /// Since the object was written, by the clock of the place where it lies. `None` where that
    /// place does not tell.
    pub(crate) age: Option<Duration>,
}

/// One version of an object: S3's entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

/// What became of a conditional write that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// The object is there, in this version.
    Done(Tag),
    /// The object is another than the caller knew, or somebody else writes it at this moment.
    Conflict,
}

/// Under which condition an object is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    IsMissing,
    Is(&'a Tag),
}

impl Tag {
    pub(crate) fn new(tag: impl Into<String>) -> Self {
        Self(tag.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
