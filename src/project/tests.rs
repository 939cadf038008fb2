//! Owns the tests of what the runner knows of a project: its profile, its expressions, and where it
//! runs.
//!
//! Never needs dbt.

mod profiles;
mod workspace;
