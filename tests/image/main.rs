//! Tests of the image: what `docker run` and ECS start, with a real engine.
//!
//! One module for each subject. `scripts/test image` builds the image and runs them; where no
//! Docker engine answers they say so and end, except in CI, where they fail. Containers use the
//! host's network, on whose loopback the local AWS and the Redshift stand-in listen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken set-up should stop at the place that broke"
)]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]

#[path = "../e2e/support/mod.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest of it"
)]
#[allow(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::naive_bytecount,
    reason = "as in the end-to-end tests"
)]
mod support;

mod container;
mod engine;

mod commands;
mod contents;
mod dbt_2;
mod fargate;
mod hardship;
mod hostile_steps;
mod network;
mod overrides;
mod pipeline;
mod projects;
mod resuming;
mod secrets;
mod signals;
