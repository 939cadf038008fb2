//! Owns the question which dbt it is: what the program that the settings name turns out to be.
//!
//! Never starts a step.

mod installation;

pub(crate) use installation::Installation;
