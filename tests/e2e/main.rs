//! End-to-end tests of the built program against its contract, on real parts.
//!
//! One binary, one module for each subject. Nothing here knows the program's source: only its
//! arguments, streams, exit codes, processes and requests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken set-up should stop at the place that broke"
)]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]
#![allow(clippy::naive_bytecount, reason = "speed is not what is tested here")]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the files are the tests' own"
)]

mod support;

mod attempts;
mod aws_logins;
mod aws_responses;
mod aws_variables;
mod before_step_one;
mod cancelled_queries;
mod closing_line;
mod commands;
mod credential_errors;
mod credential_shapes;
mod credential_sources;
mod docs_in_a_browser;
mod every_setting;
mod happy_path;
mod hostile_surroundings;
mod injected_environment;
mod json_log;
mod killed_runs;
mod lease;
mod ledger;
mod native;
mod network;
mod output;
mod packages;
mod pages;
mod pid_1;
mod pipeline_order;
mod progress;
mod publish_faults;
mod published_docs;
mod resuming;
mod session_choice;
mod session_faults;
mod session_lost;
mod session_own_words;
mod session_parse_cache;
mod session_parsing;
mod session_sameness;
mod session_seams;
mod session_secrets;
mod session_signals;
mod settings;
mod signals;
mod signals_while_fetching;
mod signals_while_publishing;
mod step_arguments;
mod the_tests_themselves;
mod warehouse_failures;
mod what_a_step_leaves;
mod what_a_step_reaches;
mod whose_bucket;
