//! Owns the question of which dbt is installed: what the program in the settings turns out to be.
//!
//! Never starts a step.

mod backtrace;
mod installation;

pub(crate) use backtrace::without_backtrace;
pub(crate) use installation::Installation;
