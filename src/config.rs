//! Owns the settings: what was given where, what wins, and whether it makes sense.
//!
//! Resolves once into typed, complete, valid values and reports all faults at once. Never starts
//! anything and never asks AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{CommonArgs, LeaseArgs, NodeArgs, RunArgs};
use crate::secret::Secret;
use crate::setting::{self, Typed};

mod access_point;
mod credential_source;
mod destination;
mod dotenv;
mod file;
mod layers;
mod lease;
mod origin;
mod paths;
mod project_file;
mod steps;
mod values;

pub(crate) use credential_source::CredentialSource;
pub(crate) use destination::{Encryption, Location};
pub(crate) use lease::Lease;
pub(crate) use origin::Origin;
pub(crate) use project_file::{ProjectFile, Unrendered, read_yaml};
pub(crate) use steps::{OnFailure, Step};
pub(crate) use values::{
    Engine, LogFormat, LogLevel, Metrics, ParseCache, Resume, STOP_TIMEOUT, is_run_id,
};

use layers::Layers;

const CACHE_KEY: &str = "DBT_ENTRYPOINT_CACHE_KEY";

/// The variables that the runner was started with.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{}", .faults.join("\n       "))]
pub(crate) struct Error {
    /// One sentence each: which setting, from where, what is wrong, what would be right.
    faults: Vec<String>,
}

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) env: String,
    pub(crate) deployments: Vec<String>,
    /// `None` where nobody knows it, which only `exec` and `env` can do without.
    pub(crate) project_name: Option<String>,
    /// Why nobody knows it.
    pub(crate) no_name_reason: Option<String>,
    /// Absolute.
    pub(crate) project_dir: PathBuf,
    /// Absolute. `None` where neither the project nor dbt's own default has one.
    pub(crate) profiles_dir: Option<PathBuf>,
    /// How to call dbt: a name to look up on `PATH`, or a path.
    pub(crate) dbt: PathBuf,
    pub(crate) credentials: CredentialSource,
    /// The schema from flag, variable or file, which wins over that of the credential source.
    pub(crate) schema: Option<(String, Origin)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) stop_timeout: Duration,
    pub(crate) log_format: LogFormat,
    /// `DBT_ENTRYPOINT_CACHE_KEY`, with which a saved parse is sealed. A secret, so neither a flag
    /// nor a file can set it, and no step gets it.
    pub(crate) cache_key: Option<Secret>,
    /// The inherited variables over those of the `--env-file`.
    pub(crate) variables: Variables,
    /// The names among them that only the `--env-file` sets.
    pub(crate) from_env_file: BTreeSet<OsString>,
    /// Where the settings that dbt gets as variables were given, by the name of the variable.
    pub(crate) origins: BTreeMap<&'static str, Origin>,
}

impl Config {
    /// Whether `ENV` names a deployment; anything else is a local run, in a sandbox.
    pub(crate) fn is_deployment(&self) -> bool {
        self.deployments.contains(&self.env)
    }
}

/// What the pipeline needs in addition.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) steps: Vec<Step>,
    pub(crate) publish: Publish,
    pub(crate) engine: Engine,
    pub(crate) parse_cache: ParseCache,
    pub(crate) page_url: Option<String>,
    pub(crate) metrics: Metrics,
    pub(crate) resume: Option<Resume>,
    /// How old a run may be that is resumed.
    pub(crate) resume_within: Duration,
    /// `None` where the run holds none.
    pub(crate) lease: Option<Lease>,
}

/// When the docs go out, and where to. Without a destination there is no ledger either.
#[derive(Debug)]
pub(crate) enum Publish {
    Never,
    To {
        even_after_failure: bool,
        location: Location,
    },
}

/// The `--env-file` and the settings file as they were read: once, since either may be a pipe that
/// can be read only once.
#[derive(Debug)]
pub(crate) struct Files {
    env_file: dotenv::EnvFile,
    settings: file::SettingsFile,
    faults: Vec<String>,
}

impl Files {
    /// The inherited variables over those of the `--env-file`.
    pub(crate) fn variables(&self, inherited: &Variables) -> Variables {
        self.env_file.below(inherited)
    }

    /// Faults are kept, to be reported together with all others.
    pub(crate) fn read(args: &CommonArgs) -> Self {
        let mut faults = Vec::new();
        let env_file = dotenv::EnvFile::read(args.env_file.as_deref(), &mut faults);
        let settings = file::SettingsFile::read(args.config.as_deref(), &mut faults);
        Self {
            env_file,
            settings,
            faults,
        }
    }
}

/// The settings that say how to log, as far as they can be read: faults in the other settings are
/// reported with them.
pub(crate) fn log_settings(
    args: &CommonArgs,
    files: &Files,
    inherited: &Variables,
) -> (LogFormat, LogLevel) {
    let mut faults = Vec::new();
    let layers = Layers::new(common_flags(args), files, inherited);
    (
        values::log_format(&layers, &mut faults),
        values::log_level(&layers, &mut faults),
    )
}

/// The file that gets the closing line, too, as far as the setting can be read: it also gets the
/// faults in other settings.
pub(crate) fn summary_file(
    args: &RunArgs,
    files: &Files,
    inherited: &Variables,
) -> Option<PathBuf> {
    let layers = Layers::new(run_flags(args), files, inherited);
    values::summary_file(&layers, &mut Vec::new())
}

/// Settings of `exec` and `env`. Relative paths count from `working_directory`.
pub(crate) fn resolve(
    args: &CommonArgs,
    files: &Files,
    inherited: &Variables,
    working_directory: &Path,
) -> Result<Config, Error> {
    let mut faults = files.faults.clone();
    let layers = Layers::new(common_flags(args), files, inherited);
    let config = common(&layers, working_directory, &mut faults);
    // The same file and environment may hold settings of the pipeline; a fault in those counts
    // here, too.
    values::engine(&layers, &mut faults);
    values::summary_file(&layers, &mut faults);
    values::parse_cache(&layers, false, &mut faults);
    values::page_url(&layers, &mut faults);
    values::metrics(&layers, &mut faults);
    steps::resolve(&layers, &NodeArgs::default(), &[], &mut faults);
    destination::check(&layers, &mut faults);
    lease::check(&layers, &mut faults);
    finish(config, faults)
}

/// Settings of the pipeline.
pub(crate) fn resolve_run(
    args: &RunArgs,
    files: &Files,
    inherited: &Variables,
    working_directory: &Path,
) -> Result<(Config, Pipeline), Error> {
    let layers = Layers::new(run_flags(args), files, inherited);
    let faults = files.faults.clone();
    resolve_pipeline(&layers, &args.nodes, &args.extra, working_directory, faults)
}

/// Settings of the run whose lease it is. Nobody logs in for a look at it.
pub(crate) fn resolve_lease(
    args: &LeaseArgs,
    files: &Files,
    inherited: &Variables,
    working_directory: &Path,
) -> Result<(Config, Pipeline), Error> {
    let mut flags = common_flags(&args.common);
    flags.extend(args.flags.typed().clone());
    flags.insert(setting::CREDENTIALS.key, "none".to_owned());
    let mut layers = Layers::new(flags.clone(), files, inherited);
    // Who asks for it means the one at the destination, whether runs from here would take it or
    // not.
    if layers.text(&setting::LEASE, &mut Vec::new()).is_none() {
        flags.insert(setting::LEASE.key, "on".to_owned());
        layers = Layers::new(flags, files, inherited);
    }
    let faults = files.faults.clone();
    resolve_pipeline(
        &layers,
        &NodeArgs::default(),
        &[],
        working_directory,
        faults,
    )
}

fn resolve_pipeline(
    layers: &Layers,
    nodes: &NodeArgs,
    extra: &[String],
    working_directory: &Path,
    mut faults: Vec<String>,
) -> Result<(Config, Pipeline), Error> {
    let config = common(layers, working_directory, &mut faults);
    let engine = values::engine(layers, &mut faults);
    values::summary_file(layers, &mut faults);
    let parse_cache = values::parse_cache(layers, config.is_deployment(), &mut faults);
    let page_url = values::page_url(layers, &mut faults);
    let metrics = values::metrics(layers, &mut faults);
    let (resume, resume_within) = values::resume(layers, &mut faults);
    let steps = steps::resolve(layers, nodes, extra, &mut faults);
    let publish = destination::resolve(layers, &config, &mut faults);
    let lease = lease::resolve(layers, &config, &publish, &mut faults);
    // The checks before step one report a missing project, unless faults in the settings end the
    // run earlier.
    let is_there = config.project_dir.join("dbt_project.yml").exists();
    if !layers.has_unread_file() && (is_there || !faults.is_empty()) {
        faults.extend(config.no_name_reason.clone());
    }
    finish(
        (
            config,
            Pipeline {
                steps,
                publish,
                engine,
                parse_cache,
                page_url,
                metrics,
                resume,
                resume_within,
                lease,
            },
        ),
        faults,
    )
}

fn finish<T>(value: T, faults: Vec<String>) -> Result<T, Error> {
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(Error { faults })
    }
}

fn common(layers: &Layers, working_directory: &Path, faults: &mut Vec<String>) -> Config {
    let env = values::env(layers, faults);
    let project_dir = paths::project_dir(layers, working_directory, faults);
    let mut variables = layers.variables();
    let cache_key = variables
        .remove(OsStr::new(CACHE_KEY))
        .filter(|key| !key.is_empty())
        .map(|key| Secret::new(key.into_vec()));
    let deployments = values::deployments(layers, faults);
    // dbt gets the environment as it was resolved.
    let mut known = variables.clone();
    known.insert("ENV".into(), env.clone().into());
    let (project_name, no_name_reason) =
        match values::project_name(layers, &project_dir, &known, faults) {
            Ok(name) => (Some(name), None),
            Err(why) => (None, Some(why)),
        };
    let profiles_dir = paths::profiles_dir(layers, &project_dir, working_directory, faults);
    let schema = layers.text(&setting::SCHEMA, faults);
    values::log_level(layers, faults);
    Config {
        dbt: paths::dbt(layers, working_directory, faults),
        credentials: credential_source::resolve(layers, schema.is_some(), faults),
        schema: schema.map(|given| (given.value, given.origin)),
        deadline: values::deadline(layers, faults),
        stop_timeout: values::stop_timeout(layers, faults),
        log_format: values::log_format(layers, faults),
        cache_key,
        from_env_file: layers.names_of_env_file(),
        origins: origins(layers),
        deployments,
        env,
        variables,
        project_name,
        no_name_reason,
        project_dir,
        profiles_dir,
    }
}

fn origins(layers: &Layers) -> BTreeMap<&'static str, Origin> {
    [
        (&setting::ENV, "default"),
        (&setting::PROJECT_NAME, "name in dbt_project.yml"),
        (&setting::DEPLOYMENTS, "default"),
        (&setting::PROJECT_DIR, "default"),
        (&setting::PROFILES_DIR, "default"),
    ]
    .map(|(setting, default)| (setting.variable, layers.origin(setting, default)))
    .into()
}

/// The flags of the pipeline as typed.
fn run_flags(args: &RunArgs) -> Typed {
    let mut flags = common_flags(&args.common);
    flags.extend(args.flags.typed().clone());
    flags
}

/// The flags of every command as typed.
fn common_flags(args: &CommonArgs) -> Typed {
    let mut typed = args.flags.typed().clone();
    let log = match (args.verbose, args.quiet) {
        (0, 0) => None,
        (0, 1) => Some("warn"),
        (0, _) => Some("error"),
        (1, _) => Some("info,dbt_entrypoint=debug"),
        (_, _) => Some("info,dbt_entrypoint=trace"),
    };
    typed.extend(log.map(|filter| (setting::LOG.key, filter.to_owned())));
    typed
}

/// An empty variable counts as unset.
pub(crate) fn variable<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsString> {
    variables
        .get(OsStr::new(name))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
