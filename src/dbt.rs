//! Owns the question which dbt it is: what the program that the settings name turns out to be.
//!
//! Never starts a step.

mod backtrace;
mod installation;

pub(crate) use backtrace::without_backtrace;
pub(crate) use installation::Installation;
