//! Owns the command line: which commands and flags there are, and what their help says.
//!
//! Holds raw values only. Never decides what a value means, what wins over what, or what is
//! missing: that is `config`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::setting::{self, Flags};

/// Fetch the Redshift login, run dbt, publish its artifacts.
#[derive(Debug, Parser)]
#[command(name = "dbt-entrypoint", version, about, long_about = None,
    args_conflicts_with_subcommands = true)]
#[command(max_term_width = 120, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline: credentials, steps, artifacts (the default)
    #[command(after_long_help = EXIT_CODES)]
    Run(Box<RunArgs>),
    /// Fetch and inject the credentials, then run one program
    #[command(after_long_help = EXIT_CODES)]
    Exec(ExecArgs),
    /// Run one dbt command: short for `exec -- dbt ARG…`
    #[command(disable_help_flag = true)]
    Dbt(DbtArgs),
    /// Print what would be injected and where it comes from, with masked values
    Env(CommonArgs),
    /// Show who holds the lease, or take it away
    #[command(subcommand)]
    Lease(LeaseCommand),
    /// Print a completion script
    Completions { shell: Shell },
    /// Print the manual page (roff)
    Man,
}

/// What can be done with the lease.
#[derive(Debug, Subcommand)]
pub(crate) enum LeaseCommand {
    /// Print who holds the lease
    Show(LeaseArgs),
    /// Take the lease away from the run that holds it, which then stops
    Break(LeaseArgs),
}

/// The settings of the run whose lease it is.
#[derive(Debug, Args)]
pub(crate) struct LeaseArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) flags: Flags<setting::Pipeline>,
}

/// What every command that fetches credentials takes. A flag wins over the variable in brackets.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    pub(crate) flags: Flags<setting::Common>,
    /// Variables for settings and dbt, one NAME=value per line; those already set win
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Settings file [default: dbt-entrypoint.yml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet",
        help = setting::LOG.help())]
    pub(crate) verbose: u8,
    /// Log only warnings, with -qq only errors
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}

/// What only the pipeline takes.
#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) flags: Flags<setting::Pipeline>,
    #[command(flatten)]
    pub(crate) nodes: NodeArgs,
    /// Extra arguments for the run or build step
    #[arg(last = true, value_name = "ARG")]
    pub(crate) extra: Vec<String>,
}

/// dbt's own flags, handed to the steps that take them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Node selection")]
pub(crate) struct NodeArgs {
    /// Nodes to include
    #[arg(short, long, value_name = "SELECTION", num_args = 1..)]
    pub(crate) select: Vec<String>,
    /// Nodes to leave out
    #[arg(long, value_name = "SELECTION", num_args = 1..)]
    pub(crate) exclude: Vec<String>,
    /// Name of a selector in selectors.yml
    #[arg(long, value_name = "NAME")]
    pub(crate) selector: Option<String>,
    /// Rebuild incremental models
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Variables for the project, as YAML
    #[arg(long, value_name = "YAML")]
    pub(crate) vars: Option<String>,
    /// Target in profiles.yml
    #[arg(short, long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// How many threads dbt uses
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct DbtArgs {
    /// The arguments of dbt
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARG"
    )]
    pub(crate) args: Vec<OsString>,
}

/// The table of the README, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0         everything ran and was published
  1, 2      a dbt step failed with this code; other codes of a step are passed through, too
  64        bad command line or settings
  65        the credentials do not exist, are incomplete or malformed
  69        AWS could not be reached, or kept throttling, while credentials were fetched
  70        a fault in the runner itself
  74        dbt succeeded, but docs are missing or unpublished; or the destination is unusable
  75        another run holds the lease, or this run lost it; try again later
  77        AWS denied access to the credentials
  124       the deadline or a step's timeout passed
  126, 127  the program cannot be run, was not found
  128+n     ended by signal n";
