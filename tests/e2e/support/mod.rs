//! What the tests stand on: runs of the program, projects, a fake dbt, a local AWS, a Redshift
//! stand-in, faults.
//!
//! Owns no test. Each part is real where it can be; what is fake says so in its name.

pub mod attacks;
pub mod aws;
pub mod deployment;
pub mod fake;
pub mod fault_proxy;
pub mod faulty;
pub mod forward_proxy;
pub mod http;
pub mod installation;
pub mod lab;
pub mod processes;
pub mod project;
pub mod repo;
pub mod result;
pub mod runner;
pub mod sentinel;
pub mod standin;
pub mod twins;

use std::thread;
use std::time::{Duration, Instant};

/// Waits for a condition that needs no running program, and says what was waited for.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + runner::PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
