//! Owns the course of `exec`, `dbt` and `env`: the same credentials and rules as a run, for one
//! program or for none.
//!
//! Never publishes, and writes nothing to stdout beside the program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tokio::time::Instant;

use super::prepare::{self, Composed, Error};
use super::{Surroundings, log_where_it_writes};
use crate::causes;
use crate::cli::CommonArgs;
use crate::config::{self, Config};
use crate::credentials::Connection;
use crate::environment;
use crate::exit_code::ExitCode;
use crate::pipeline::{self, Ended, Framing, Program, Shutdown, Stop, StopCause};
use crate::process::{self, Ending};
use crate::project::Workspace;

/// Runs one program, and exits with its exit code.
pub(super) async fn run(
    args: &CommonArgs,
    command: &[OsString],
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    finish(
        surroundings,
        run_program(args, command, surroundings, shutdown).await,
    )
}

/// Prints what would be injected.
pub(super) async fn print_injected(
    args: &CommonArgs,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> ExitCode {
    let prepared = prepare(args, None, surroundings, shutdown).await;
    let listed = prepared.map(|prepared| match prepared {
        Prepared::Ready(ready) => {
            let injected = &ready.composed.environment.injected;
            let names = injected
                .iter()
                .map(|variable| (variable.name, variable.origin.as_str()));
            surroundings.console.injected(names);
            ExitCode::Success
        }
        Prepared::Stopped(stop) => stop.cause.into(),
    });
    finish(surroundings, listed)
}

fn finish(surroundings: &Surroundings, code: Result<ExitCode, Error>) -> ExitCode {
    code.unwrap_or_else(|error| {
        surroundings.console.error(&error, error.hint().as_deref());
        error.code()
    })
}

/// The result of the preparation that `exec` and `env` share.
enum Prepared {
    Ready(Box<Ready>),
    Stopped(Stop),
}

/// What a program needs.
struct Ready {
    config: Config,
    composed: Composed,
    /// The copy of a project that cannot be written to; `None` for `env`, which writes nothing.
    _workspace: Option<Workspace>,
}

/// Fetches the login and composes the environment; a signal ends that at once.
async fn prepare(
    args: &CommonArgs,
    command: Option<&[OsString]>,
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> Result<Prepared, Error> {
    let start = Instant::now();
    let mut config = config::resolve(
        args,
        &surroundings.files,
        &surroundings.variables,
        &surroundings.working_directory,
    )?;
    log_where_it_writes(&config);
    shutdown.set_deadline(start, config.deadline);
    let fetched = async {
        let aws = prepare::load_aws(&config, None).await?;
        let connection = prepare::fetch_login(&config, aws.as_ref()).await?;
        let workspace = match command {
            Some(command) => workspace(&mut config, &connection, command).await?,
            None => None,
        };
        Ok::<_, Error>((aws, connection, workspace))
    };
    let (aws, connection, workspace) = tokio::select! {
        biased;
        stop = shutdown.stopped() => return Ok(Prepared::Stopped(stop)),
        fetched = fetched => fetched?,
    };
    let composed =
        prepare::compose_environment(&config, &connection, aws.as_ref(), &surroundings.console)?;
    Ok(Prepared::Ready(Box::new(Ready {
        config,
        composed,
        _workspace: workspace,
    })))
}

/// The program may not be dbt and may never write into the project, so it starts even if the
/// project cannot be copied.
async fn workspace(
    config: &mut Config,
    connection: &Connection,
    command: &[OsString],
) -> Result<Option<Workspace>, Error> {
    let is_dbt = command
        .first()
        .is_some_and(|name| Path::new(name).file_name() == Some(OsStr::new("dbt")));
    let changes = |word: &OsString| word == "deps" || word == "clean" || word == "init";
    let changes_project = !is_dbt || command.iter().any(changes);
    let variables = environment::compose(config, connection, false)?.variables;
    Ok(Workspace::prepare(config, &variables, &[], changes_project)
        .await
        .inspect_err(|error| tracing::warn!("{}", causes::in_one_line(error)))
        .ok())
}

async fn run_program(
    args: &CommonArgs,
    command: &[OsString],
    surroundings: &Surroundings,
    shutdown: &mut Shutdown,
) -> Result<ExitCode, Error> {
    let ready = match prepare(args, Some(command), surroundings, shutdown).await? {
        Prepared::Ready(ready) => ready,
        Prepared::Stopped(stop) => return Ok(stop.cause.into()),
    };
    let (name, arguments) = command
        .split_first()
        .map_or((Path::new("dbt"), &[][..]), |(name, arguments)| {
            (Path::new(name), arguments)
        });
    // `dbt` is the dbt of the settings.
    let name = if name == Path::new("dbt") {
        &ready.config.dbt
    } else {
        name
    };
    let variables = &ready.composed.environment.variables;
    let path = process::find(name, variables, &surroundings.working_directory)?;
    let stdin = io::stdin();
    let program = Program {
        path,
        arguments: arguments.to_vec(),
        variables,
        directory: None,
        stdin: stdin
            .as_fd()
            .try_clone_to_owned()
            .map_or_else(|_| Stdio::null(), Stdio::from),
    };
    let redactor = Arc::clone(&ready.composed.redactor);
    let ended = pipeline::run_program(
        program,
        &Framing::Program,
        &redactor,
        None,
        ready.config.stop_timeout,
        shutdown,
    )
    .await?;
    Ok(code(ended))
}

fn code(ended: Ended) -> ExitCode {
    match (ended.stopped, ended.ending) {
        (Some(StopCause::Run(cause)), _) => {
            if ended.killed {
                tracing::warn!(
                    "the program was killed: SIGINT was not enough, and its queries may go on in \
                     the warehouse"
                );
            }
            cause.into()
        }
        (Some(StopCause::StepTimeout), _) => ExitCode::TimedOut,
        (None, Ending::Code(code)) => ExitCode::Step(code),
        (None, Ending::Signal(number)) => ExitCode::Signal(number),
    }
}
