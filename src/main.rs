//! The entry point of a dbt container on AWS. The modules stand in the order in which the data
//! flows; each imports only those above it.

/// Being PID 1.
mod init;

/// The type that holds a secret.
mod secret;

/// What can be set, and how.
mod setting;

/// The command line as it was typed.
mod cli;

/// Settings: typed, complete, valid.
mod config;

/// How AWS is reached, and what a failed call means.
mod aws;

/// The login, from the source that the settings name.
mod credentials;

/// What has to be known of the dbt project.
mod project;

/// The environment of dbt, as a value.
mod environment;

/// Secrets out of bytes.
mod redact;

/// Programs and process groups.
mod process;

/// Which dbt it is.
mod dbt;

/// A dbt that is imported once.
mod session;

/// The steps, one process group after the other.
mod pipeline;

/// What is kept of a run, and where.
mod artifacts;

/// What is said of a run.
mod report;

/// How the program ends.
mod exit_code;

/// The story.
mod run;

fn main() -> std::process::ExitCode {
    process::seclusion::begin();
    if let Some(code) = init::split() {
        return code.into();
    }
    run::main().into()
}
