//! End-to-end tests of the built program against its contract, on real parts.
//!
//! One binary, one module for each subject. Nothing here knows the program's source: only its arguments, streams, exit codes,
//! processes and requests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up should stop at the place that broke")]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]

mod support;

mod output;
mod pid_1;
mod pipeline_order;
mod signals;
mod step_arguments;
mod credential_sources;
mod credential_errors;
mod signals_while_fetching;
mod injected_environment;
mod the_tests_themselves;
mod published_docs;
mod ledger;
mod publish_faults;
mod signals_while_publishing;
