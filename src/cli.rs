//! Owns the command line: which commands and flags there are, and what their help says.
//!
//! Holds raw values only. Never decides what a value means, what wins over what, or what is
//! missing: that is `config`.

#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, which shows backticks and brackets as they are"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

/// Fetch the Redshift login, run dbt, publish its artifacts.
#[derive(Debug, Parser)]
#[command(name = "dbt-entrypoint", version, about, long_about = None, args_conflicts_with_subcommands = true)]
#[command(max_term_width = 120, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline: credentials, steps, artifacts (what happens without a command, too)
    #[command(after_long_help = EXIT_CODES)]
    Run(Box<RunArgs>),
    /// Fetch and inject the credentials, then run one program
    #[command(after_long_help = EXIT_CODES)]
    Exec(ExecArgs),
    /// Run one dbt command: short for `exec -- dbt ARG…`
    #[command(disable_help_flag = true)]
    Dbt(DbtArgs),
    /// Print what would be injected and where each value comes from, the values masked
    Env(CommonArgs),
    /// Print a completion script
    Completions { shell: Shell },
    /// Print the manual page (roff)
    Man,
}

/// Settings of every command that fetches credentials. A flag wins over the variable in brackets.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct CommonArgs {
    /// Environment; those of `deployments` are written to, any other is a sandbox [env: ENV]
    /// [default: local]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Project name, part of the destination [env: PROJECT_NAME] [default: name in dbt_project.yml]
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// Directory of dbt_project.yml [env: DBT_PROJECT_DIR] [default: ./dbt, else .]
    #[arg(long, value_name = "DIR")]
    pub(crate) project_dir: Option<String>,
    /// Directory of profiles.yml [env: DBT_PROFILES_DIR] [default: the project's, else dbt's own]
    #[arg(long, value_name = "DIR")]
    pub(crate) profiles_dir: Option<String>,
    /// The dbt program [env: DBT_ENTRYPOINT_DBT] [default: dbt on PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) dbt: Option<String>,
    /// glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, env or none [env:
    /// DBT_ENTRYPOINT_CREDENTIALS]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) credentials: Option<String>,
    /// Schema that dbt writes to [env: DBT_REDSHIFT_SCHEMA] [default: the source's]
    #[arg(long, value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Variables for settings and for dbt, one NAME=value a line; what is already set wins
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Settings file [default: dbt-entrypoint.yml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// text or json [env: DBT_ENTRYPOINT_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Say more of what the runner does [env: DBT_ENTRYPOINT_LOG, a tracing filter]
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Say only what is wrong
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Longest time for the whole run, as 55m or 1h30m [env: DBT_ENTRYPOINT_DEADLINE] [default:
    /// none]
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<String>,
    /// Time from a signal to the end, the last 5 s of it for the upload [env:
    /// DBT_ENTRYPOINT_STOP_TIMEOUT] [default: 25s]
    #[arg(long, value_name = "TIME")]
    pub(crate) stop_timeout: Option<String>,
}

/// What only the pipeline has.
#[derive(Debug, Default, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) nodes: NodeArgs,
    /// Extra arguments for the run or build step
    #[arg(last = true, value_name = "ARG")]
    pub(crate) extra: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Pipeline")]
pub(crate) struct PipelineArgs {
    /// Steps in order [env: DBT_ENTRYPOINT_STEPS] [default: deps,debug,run,test,freshness,docs]
    #[arg(long, value_name = "LIST")]
    pub(crate) steps: Option<String>,
    /// on-success, always or never [env: DBT_ENTRYPOINT_PUBLISH] [default: on-success; never in a
    /// local run without a destination]
    #[arg(long, value_name = "WHEN")]
    pub(crate) publish: Option<String>,
    /// s3://bucket/prefix or file:///dir [env: DBT_ENTRYPOINT_DESTINATION] [default:
    /// s3://dbt-documentation-$ENV/$PROJECT_NAME]
    #[arg(long, value_name = "URL")]
    pub(crate) destination: Option<String>,
    /// Account id that must own the bucket [env: DBT_ENTRYPOINT_BUCKET_OWNER]
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) bucket_owner: Option<String>,
    /// AES256, aws:kms or aws:kms:KEY [env: DBT_ENTRYPOINT_SSE] [default: as the bucket has it]
    #[arg(long, value_name = "SSE")]
    pub(crate) sse: Option<String>,
    /// process, session or auto [env: DBT_ENTRYPOINT_ENGINE] [default: auto]
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// on, off or auto: keep dbt's parse below the destination [env: DBT_ENTRYPOINT_PARSE_CACHE]
    /// [default: auto: not in a local run]
    #[arg(long, value_name = "WHEN")]
    pub(crate) parse_cache: Option<String>,
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
    /// Name of a selector of selectors.yml
    #[arg(long, value_name = "NAME")]
    pub(crate) selector: Option<String>,
    /// Rebuild incremental models
    #[arg(long)]
    pub(crate) full_refresh: bool,
    /// Variables of the project, as YAML
    #[arg(long, value_name = "YAML")]
    pub(crate) vars: Option<String>,
    /// Target of profiles.yml
    #[arg(short, long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Number of dbt's threads
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
  1, 2      dbt said so; any other code of a step is passed through
  64        bad command line or settings
  65        the credentials do not exist, are incomplete or malformed
  69        AWS could not be reached, or kept throttling, while credentials were fetched
  70        a fault in the runner itself
  74        dbt succeeded, but publishing failed; or the destination is unusable
  77        AWS denied access to the credentials
  124       the deadline or a step's timeout passed
  126, 127  the program cannot be run, was not found
  128+n     ended by signal n";
