//! The entry point of a dbt container on AWS. The modules stand in the order in which the data
//! flows; each imports only those above it.

/// The duties of PID 1.
mod init;

/// The type that holds a secret.
mod secret;

/// What caused an error.
mod causes;

/// How a file is read that a step could have put there.
mod regular_file;

/// What can be set, and how.
mod setting;

/// The command line as it was typed.
mod cli;

/// YAML as dbt's parser takes it.
mod yaml;

/// The little Jinja that settings of dbt are made with.
mod jinja;

/// Settings: typed, complete, valid.
mod config;

/// How AWS is reached, and what a failed call means.
mod aws;

/// The login, from the source that the settings name.
mod credentials;

/// What the runner has to know of the dbt project.
mod project;

/// The environment of dbt, as a value.
mod environment;

/// Masks secrets in a stream of bytes.
mod redact;

/// Programs and process groups.
mod process;

/// Which dbt is installed.
mod dbt;

/// A dbt that is imported once.
mod session;

/// The steps, one process group after the other.
mod pipeline;

/// What is kept of a run, and where.
mod artifacts;

/// Who may write.
mod lease;

/// What a run set out to do, and what is left of it.
mod record;

/// What a run tells people and machines.
mod report;

/// What is remembered of earlier runs.
mod history;

/// The pages that tell people of runs.
mod page;

/// How the program ends.
mod exit_code;

/// The run itself, from start to end.
mod run;

fn main() -> std::process::ExitCode {
    process::seclusion::begin();
    if let Some(code) = init::split() {
        return code.into();
    }
    run::main().into()
}
