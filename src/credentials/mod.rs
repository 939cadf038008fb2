//! Owns the fetching of the login: from a source that the user names to a `Connection`.
//!
//! Never demands that a login is complete, and never puts a value into an error.

mod connection;
mod fields;
mod jdbc;
mod source;
