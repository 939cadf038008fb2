//! Owns the declaration of every setting, once: flag, variable, key of the settings file, help and
//! default. The command line, the known keys and the table in docs/settings.md come from here.
//!
//! Never reads a value: where values come from and what they mean is for `config`.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use clap::error::Error;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Without dashes; `None` for a setting without a flag of its own.
    pub(crate) flag: Option<&'static str>,
    /// The placeholder of the value in the help.
    value: &'static str,
    pub(crate) variable: &'static str,
    /// Key in dbt-entrypoint.yml.
    pub(crate) key: &'static str,
    help: &'static str,
    /// The default in words; empty where the help says it.
    default: &'static str,
}

impl Setting {
    /// The help text with the variable and the default.
    pub(crate) fn help(&self) -> String {
        let default = match self.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        format!("{} [env: {}]{default}", self.help, self.variable)
    }

    fn argument(&self, flag: &'static str) -> Arg {
        Arg::new(self.key)
            .long(flag)
            .value_name(self.value)
            .help(self.help())
    }
}

/// Declares settings, and collects them in [`COMMON`] or [`PIPELINE`] in this order.
macro_rules! settings {
    ($list:ident: $($name:ident = $flag:expr, $value:literal, $variable:literal, $key:literal,
        $help:literal, $default:literal;)*) => {
        $(pub(crate) static $name: Setting = Setting {
            flag: $flag,
            value: $value,
            variable: $variable,
            key: $key,
            help: $help,
            default: $default,
        };)*
        static $list: &[&Setting] = &[$(&$name),*];
    };
}

settings! { COMMON:
    ENV = Some("env"), "NAME", "ENV", "env",
        "Environment: one of `deployments`, or any other name for a sandbox", "local";
    DEPLOYMENTS = None, "", "DBT_ENTRYPOINT_DEPLOYMENTS", "deployments",
        "Environments that are deployments", "dev,live";
    PROJECT_NAME = Some("project-name"), "NAME", "PROJECT_NAME", "project_name",
        "Project name, part of the destination", "name in dbt_project.yml";
    PROJECT_DIR = Some("project-dir"), "DIR", "DBT_PROJECT_DIR", "project_dir",
        "Directory of dbt_project.yml", "./dbt, else .";
    PROFILES_DIR = Some("profiles-dir"), "DIR", "DBT_PROFILES_DIR", "profiles_dir",
        "Directory of profiles.yml", "the project's, else dbt's own";
    DBT = Some("dbt"), "PROGRAM", "DBT_ENTRYPOINT_DBT", "dbt",
        "The dbt program", "dbt on PATH";
    CREDENTIALS = Some("credentials"), "SOURCE", "DBT_ENTRYPOINT_CREDENTIALS", "credentials",
        "glue:NAME, secretsmanager:ID-or-ARN, ssm:/path/, env or none", "";
    SCHEMA = Some("schema"), "NAME", "DBT_REDSHIFT_SCHEMA", "schema",
        "Schema that dbt writes to", "the source's";
    LOG_FORMAT = Some("log-format"), "FORMAT", "DBT_ENTRYPOINT_LOG_FORMAT", "log_format",
        "text or json", "text";
    LOG = None, "", "DBT_ENTRYPOINT_LOG", "log",
        "Log more of what the runner does; the variable takes a tracing filter", "";
    DEADLINE = Some("deadline"), "TIME", "DBT_ENTRYPOINT_DEADLINE", "deadline",
        "Longest time for the whole run, such as 55m or 1h30m", "none";
    STOP_TIMEOUT = Some("stop-timeout"), "TIME", "DBT_ENTRYPOINT_STOP_TIMEOUT", "stop_timeout",
        "Longest time from a stop signal to the exit; the last 5 s are for the upload", "25s";
}

settings! { PIPELINE:
    STEPS = Some("steps"), "LIST", "DBT_ENTRYPOINT_STEPS", "steps",
        "Steps in order", "deps,debug,run,test,freshness,docs";
    PUBLISH = Some("publish"), "WHEN", "DBT_ENTRYPOINT_PUBLISH", "publish",
        "on-success, always or never",
        "on-success; never in a local run without a destination";
    DESTINATION = Some("destination"), "URL", "DBT_ENTRYPOINT_DESTINATION", "destination",
        "s3://bucket/prefix or file:///dir", "s3://dbt-documentation-$ENV/$PROJECT_NAME";
    BUCKET_OWNER = Some("bucket-owner"), "ACCOUNT", "DBT_ENTRYPOINT_BUCKET_OWNER", "bucket_owner",
        "ID of the account that must own the bucket", "";
    SSE = Some("sse"), "SSE", "DBT_ENTRYPOINT_SSE", "sse",
        "AES256, aws:kms or aws:kms:KEY", "as the bucket has it";
    ENGINE = Some("engine"), "ENGINE", "DBT_ENTRYPOINT_ENGINE", "engine",
        "process, session, native or auto", "auto";
    PARSE_CACHE = Some("parse-cache"), "WHEN", "DBT_ENTRYPOINT_PARSE_CACHE", "parse_cache",
        "Keep dbt's parse for the next run: on, off or auto", "auto, which is off in a local run";
    LEASE = Some("lease"), "WHERE", "DBT_ENTRYPOINT_LEASE", "lease",
        "One run at a time: on, off or s3://bucket/key",
        "on in a deployment environment with a destination on S3, else off";
    LEASE_WAIT = Some("lease-wait"), "TIME", "DBT_ENTRYPOINT_LEASE_WAIT", "lease_wait",
        "Longest time to wait for a run that holds the lease", "0s";
    LEASE_TTL = Some("lease-ttl"), "TIME", "DBT_ENTRYPOINT_LEASE_TTL", "lease_ttl",
        "Time after which a lease that is not renewed may be taken over", "90s";
    PAGE_URL = Some("page-url"), "URL", "DBT_ENTRYPOINT_PAGE_URL", "page_url",
        "Address under which the destination can be opened in a browser", "none";
    METRICS = Some("metrics"), "FORMAT", "DBT_ENTRYPOINT_METRICS", "metrics",
        "none, or emf: the closing line carries CloudWatch metrics", "none";
    RESUME = Some("resume"), "RUN", "DBT_ENTRYPOINT_RESUME", "resume",
        "Finish an earlier run: last, or the ID of a run", "none";
    RESUME_WITHIN = Some("resume-within"), "TIME", "DBT_ENTRYPOINT_RESUME_WITHIN", "resume_within",
        "How old a run may be that is resumed", "6h";
    SUMMARY_FILE = Some("summary-file"), "FILE", "DBT_ENTRYPOINT_SUMMARY_FILE", "summary_file",
        "File that also gets the closing line, such as /dev/termination-log", "none";
}

/// All settings, in the order of the help.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    COMMON.iter().chain(PIPELINE).copied()
}

/// A group of settings that commands take as flags.
pub(crate) trait Group {
    const SETTINGS: &'static [&'static Setting];
    const HEADING: &'static str;
}

/// What every command that fetches credentials takes.
#[derive(Debug, Default)]
pub(crate) struct Common;

/// What only the pipeline takes.
#[derive(Debug, Default)]
pub(crate) struct Pipeline;

impl Group for Common {
    const SETTINGS: &'static [&'static Setting] = COMMON;
    const HEADING: &'static str = "Settings";
}

impl Group for Pipeline {
    const SETTINGS: &'static [&'static Setting] = PIPELINE;
    const HEADING: &'static str = "Pipeline";
}

/// The flags of a group as typed.
#[derive(Debug, Default)]
pub(crate) struct Flags<G> {
    typed: Typed,
    group: PhantomData<G>,
}

/// Values by the key of their setting.
pub(crate) type Typed = BTreeMap<&'static str, String>;

impl<G> Flags<G> {
    pub(crate) fn typed(&self) -> &Typed {
        &self.typed
    }
}

impl<G: Group> Args for Flags<G> {
    fn augment_args(command: Command) -> Command {
        let flags = G::SETTINGS
            .iter()
            .filter_map(|setting| Some(setting.argument(setting.flag?)))
            .map(|argument| argument.help_heading(G::HEADING));
        command.args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: Group> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let typed = G::SETTINGS.iter().filter_map(|setting| {
            setting.flag?;
            let value = matches.get_one::<String>(setting.key)?;
            Some((setting.key, value.clone()))
        });
        Ok(Self {
            typed: typed.collect(),
            group: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
impl<G> Flags<G> {
    /// Flags for a test, as `("--env", "dev")`.
    pub(crate) fn of(typed: &[(&Setting, &str)]) -> Self {
        Self {
            typed: typed
                .iter()
                .map(|(setting, value)| (setting.key, (*value).to_owned()))
                .collect(),
            group: PhantomData,
        }
    }
}
