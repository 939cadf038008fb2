//! Owns the stories of `exec`, `dbt` and `env`: the same credentials and rules as a run, for one program or for none.
//!
//! Never publishes, and writes nothing to stdout beside the program.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::time::Instant;

use super::prepare::{self, Error, Prepared};
use super::{Surroundings, adopt, say_where};
use crate::cli::CommonArgs;
use crate::config::{self, Config};
use crate::exit_code::ExitCode;
use crate::pipeline::{self, Ended, Ending, Framing, Program, Shutdown, Stop, StopCause};

/// Runs one program and ends as it ends.
pub(super) async fn run(args: &CommonArgs, command: &[OsString], surroundings: &Surroundings, shutdown: &mut Shutdown) -> ExitCode {
    finish(surroundings, one(args, command, surroundings, shutdown).await)
}

/// Prints what would be injected.
pub(super) async fn list(args: &CommonArgs, surroundings: &Surroundings, shutdown: &mut Shutdown) -> ExitCode {
    let listed = ready(args, surroundings, shutdown).await.map(|ready| match ready {
        Ok((_, prepared)) => {
            surroundings.console.injected(prepared.environment.injected.iter().map(|variable| (variable.name, variable.origin.as_str())));
            ExitCode::Success
        }
        Err(stop) => stop.cause.into(),
    });
    finish(surroundings, listed)
}

fn finish(surroundings: &Surroundings, code: Result<ExitCode, Error>) -> ExitCode {
    code.unwrap_or_else(|error| {
        surroundings.console.error(&error, error.hint().as_deref());
        error.code()
    })
}

/// Fetches and composes; a signal ends that at once.
async fn ready(args: &CommonArgs, surroundings: &Surroundings, shutdown: &mut Shutdown) -> Result<Result<(Config, Prepared), Stop>, Error> {
    let start = Instant::now();
    let mut config = config::resolve(args, &surroundings.files, &surroundings.variables, &surroundings.home)?;
    adopt::aws_variables(args, &config).map_err(Error::Restart)?;
    say_where(&config);
    shutdown.set_deadline(start, config.deadline);
    let fetched = async {
        let aws = prepare::aws(&config, None).await?;
        let connection = prepare::login(&config, aws.as_ref()).await?;
        Ok::<_, Error>((aws, connection))
    };
    let (aws, connection) = tokio::select! {
        biased;
        stop = shutdown.stopped() => return Ok(Err(stop)),
        fetched = fetched => fetched?,
    };
    let prepared = prepare::child(&mut config, &connection, aws.as_ref(), &surroundings.console)?;
    Ok(Ok((config, prepared)))
}

async fn one(args: &CommonArgs, command: &[OsString], surroundings: &Surroundings, shutdown: &mut Shutdown) -> Result<ExitCode, Error> {
    let (config, prepared) = match ready(args, surroundings, shutdown).await? {
        Ok(ready) => ready,
        Err(stop) => return Ok(stop.cause.into()),
    };
    let (name, arguments) = command.split_first().map_or((Path::new("dbt"), &[][..]), |(name, arguments)| (Path::new(name), arguments));
    // `dbt` is the dbt of the settings.
    let name: PathBuf = if name == Path::new("dbt") { config.dbt.clone() } else { name.to_owned() };
    let variables = &prepared.environment.variables;
    let path = pipeline::find_program(&name, variables, &surroundings.home)?;
    let stdin = io::stdin();
    let program = Program {
        path,
        arguments: arguments.to_vec(),
        variables,
        directory: None,
        stdin: std::os::fd::AsFd::as_fd(&stdin).try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from),
    };
    let redactor = Arc::clone(&prepared.redactor);
    let ended = pipeline::run_program(program, &Framing::Program, &redactor, None, config.stop_timeout, shutdown).await?;
    Ok(code(ended))
}

fn code(ended: Ended) -> ExitCode {
    match (ended.stopped, ended.ending) {
        (Some(StopCause::Run(cause)), _) => {
            if ended.killed {
                tracing::warn!("the program was killed: SIGINT was not enough, and its queries may go on in the warehouse");
            }
            cause.into()
        }
        (Some(StopCause::StepTimeout), _) => ExitCode::TimedOut,
        (None, Ending::Code(code)) => ExitCode::Step(code),
        (None, Ending::Signal(number)) => ExitCode::Signal(number),
    }
}
