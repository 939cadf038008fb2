//! Owns one thing to publish: its key, its content, how long a browser may keep it.
//!
//! Never knows where it goes.

use super::opened::Scanned;

/// What is put.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// The same, compressed. Only a store that tells its readers so may get it.
    Gzip(Vec<u8>),
    /// Read while it is sent, and compared with what was scanned.
    File(Scanned),
}

/// One thing to publish.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Below the destination, with slashes.
    pub(super) key: String,
    pub(super) body: Body,
    /// Browsers ask whether the docs changed; what the ledger holds never does.
    pub(super) no_cache: bool,
}
