//! Owns the way from the command line to one of the runs: `full`, `exec` or `env`. Read this file
//! and `run/full.rs` and you know the program.
//!
//! Reads the inherited environment, once. Never does any of the work itself.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command, CommonArgs, LeaseCommand, RunArgs};
use crate::config::{self, Config, Files, Variables, variable};
use crate::exit_code::ExitCode;
use crate::pipeline::Shutdown;
use crate::report::{self, Console};

mod closing;
mod exec;
mod full;
mod last_time;
mod lease;
mod pages;
mod parse;
mod preflight;
mod prepare;
mod publishing;
mod recording;
mod resume;
mod usage;

/// The orchestrator that the deployments run in.
const ECS: &str = "ECS";
/// Longer than any run.
const FOR_GOOD: Duration = Duration::from_hours(366 * 24);

/// What the program inherits when it starts, apart from its arguments.
#[derive(Debug)]
struct Surroundings {
    variables: Variables,
    files: Files,
    /// The working directory.
    working_directory: PathBuf,
    console: Console,
    /// Where the closing line of a run goes besides stdout.
    summary_file: Option<PathBuf>,
}

/// Does what the command line asks for. Returns the exit code.
pub(crate) fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    let command = cli.command.unwrap_or(Command::Run(Box::new(cli.run)));
    let code = match &command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "dbt-entrypoint", &mut script);
            report::print(&String::from_utf8_lossy(&script));
            ExitCode::Success
        }
        Command::Man => print_manual(),
        Command::Run(args) => {
            on_runtime(&args.common, Some(args), async |surroundings, shutdown| {
                full::run(args, surroundings, shutdown).await
            })
        }
        Command::Exec(args) => on_runtime(&args.common, None, async |surroundings, shutdown| {
            exec::run(&args.common, &args.program, surroundings, shutdown).await
        }),
        Command::Dbt(args) => {
            let program: Vec<OsString> = std::iter::once("dbt".into())
                .chain(args.args.iter().cloned())
                .collect();
            on_runtime(
                &CommonArgs::default(),
                None,
                async |surroundings, shutdown| {
                    exec::run(&CommonArgs::default(), &program, surroundings, shutdown).await
                },
            )
        }
        Command::Lease(command) => {
            let (LeaseCommand::Show(args) | LeaseCommand::Break(args)) = command;
            on_runtime(&args.common, None, async |surroundings, shutdown| {
                lease::command(command, surroundings, shutdown).await
            })
        }
        Command::Env(args) => on_runtime(args, None, async |surroundings, shutdown| {
            exec::print_injected(args, surroundings, shutdown).await
        }),
    };
    code.number()
}

/// Reads the surroundings, starts the log and the runtime, and listens for signals before anything
/// else happens. `run`: the arguments of a command that ends with the closing line.
fn on_runtime(
    args: &CommonArgs,
    run: Option<&RunArgs>,
    story: impl AsyncFnOnce(&Surroundings, &mut Shutdown) -> ExitCode,
) -> ExitCode {
    let variables: Variables = std::env::vars_os().collect();
    let files = Files::read(args);
    show_variables_to_the_sdk(&files.variables(&variables));
    let (format, level) = config::log_settings(args, &files, &variables);
    let coloured = io::stderr().is_terminal() && variable(&variables, "NO_COLOR").is_none();
    let console = Console::start(format, &level.0, coloured);
    let summary_file = run.and_then(|args| config::summary_file(args, &files, &variables));
    let reject = |what: &str| {
        if run.is_some() {
            closing::print_rejection(ExitCode::Internal, what, summary_file.as_deref());
        }
    };
    let failed = |what: &str, error: &io::Error| {
        let what = format!("{what}: {error}");
        console.error(&io::Error::other(what.clone()), None);
        reject(&what);
        ExitCode::Internal
    };
    let working_directory = match std::env::current_dir() {
        Ok(working_directory) => working_directory,
        Err(error) => return failed("cannot find the working directory", &error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(FOR_GOOD)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start the runtime", &error),
    };
    silence_panics(&console);
    let story = async {
        match Shutdown::install() {
            Ok(mut shutdown) => {
                let surroundings = Surroundings {
                    variables,
                    files,
                    working_directory,
                    console: console.clone(),
                    summary_file: summary_file.clone(),
                };
                story(&surroundings, &mut shutdown).await
            }
            Err(error) => failed("cannot install signal handlers", &error),
        }
    };
    let whole_story = || {
        // Later there may be no thread to be had, if something has taken all process slots. The
        // runtime panics then unless it has one for blocking work.
        drop(runtime.spawn_blocking(|| {}));
        runtime.block_on(story)
    };
    let code = catch_panic(whole_story, reject);
    // Nothing unfinished (a name look-up, a file of an aborted upload) may delay the exit.
    runtime.shutdown_background();
    code
}

/// A panic is a fault of ours or of a library. The run still ends as promised: with its exit code,
/// its closing line and no backtrace.
fn catch_panic(story: impl FnOnce() -> ExitCode, reject: impl FnOnce(&str)) -> ExitCode {
    panic::catch_unwind(AssertUnwindSafe(story)).unwrap_or_else(|_| {
        reject("a fault in the runner itself");
        ExitCode::Internal
    })
}

/// Before the runtime, since no thread may run meanwhile.
#[expect(unsafe_code, reason = "the environment of a process has no lock")]
fn show_variables_to_the_sdk(variables: &Variables) {
    // SAFETY: the worker that `init` leaves has one thread until the runtime starts.
    unsafe { crate::aws::adopt(variables) };
}

/// One line for a fault in the runner, in the format of the log. The panic's own message would name
/// types and end in a backtrace.
fn silence_panics(console: &Console) {
    let console = console.clone();
    panic::set_hook(Box::new(move |fault| {
        let place = fault
            .location()
            .map(|place| format!(" ({}:{})", within_its_crate(place.file()), place.line()))
            .unwrap_or_default();
        console.error(
            &io::Error::other(format!("a fault in the runner itself{place}")),
            Some("report it with this line and the settings"),
        );
    }));
}

/// A source file without the folders of the machine that built the program: from `src/` on, as the
/// compiler names the files of this package, and with the folder above it, which names the crate,
/// for a dependency.
fn within_its_crate(file: &str) -> &str {
    let after_slash = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    match file.rfind("/src/") {
        Some(src) => &file[after_slash(&file[..src])..],
        None if file.starts_with("src/") => file,
        None => &file[after_slash(file)..],
    }
}

fn print_manual() -> ExitCode {
    let mut pages = Vec::new();
    match clap_mangen::Man::new(Cli::command()).render(&mut pages) {
        Ok(()) => {
            report::print(&String::from_utf8_lossy(&pages));
            ExitCode::Success
        }
        Err(_) => ExitCode::Internal,
    }
}

/// What has started this run, if it is no person.
fn orchestrator(variables: &Variables) -> Option<&'static str> {
    let is_set = |name| variable(variables, name).is_some();
    if is_set("ECS_CONTAINER_METADATA_URI_V4")
        || is_set("ECS_CONTAINER_METADATA_URI")
        || variable(variables, "AWS_EXECUTION_ENV")
            .is_some_and(|name| name.to_string_lossy().starts_with("AWS_ECS"))
    {
        return Some(ECS);
    }
    is_set("KUBERNETES_SERVICE_HOST").then_some("Kubernetes")
}

/// Makes sure that nobody writes to a deployment, or misses it, without noticing. The cluster of
/// Kubernetes may be one on a laptop, so a deployment is told there, too.
fn log_where_it_writes(config: &Config) {
    let deployments = config.deployments.join(", ");
    let env = &config.env;
    match (config.is_deployment(), orchestrator(&config.variables)) {
        (true, Some(ECS)) => tracing::info!("writing to the deployment {env:?}"),
        (true, _) => tracing::warn!(
            "THIS RUN WRITES TO THE DEPLOYMENT {env:?}, from outside ECS; set ENV to any other \
             name for a sandbox"
        ),
        (false, Some(place)) => tracing::warn!(
            "THIS RUN GOES TO THE SANDBOX, though it runs in {place}: ENV is {env:?}, which is not \
             a deployment ({deployments}); set ENV"
        ),
        (false, None) => tracing::info!("local run ({env:?}): writing to the sandbox"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_the_code_of_a_fault_in_the_runner() {
        let mut said = String::new();
        let code = catch_panic(
            || panic!("as a library may"),
            |what| what.clone_into(&mut said),
        );
        assert_eq!(code, ExitCode::Internal);
        assert_eq!(said, "a fault in the runner itself");
    }

    #[test]
    fn the_place_of_a_panic_tells_nothing_of_the_machine_that_built_the_program() {
        let registry = "/home/ann/.cargo/registry/src/index-1949cf8c6b5b557f";
        for (file, expected) in [
            ("src/run.rs".to_owned(), "src/run.rs"),
            ("src/run/full.rs".to_owned(), "src/run/full.rs"),
            (
                format!("{registry}/tokio-1.48.0/src/runtime/task.rs"),
                "tokio-1.48.0/src/runtime/task.rs",
            ),
            (
                "crates/index-1949cf8c6b5b557f/h2-0.4.12/src/lib.rs".to_owned(),
                "h2-0.4.12/src/lib.rs",
            ),
            (
                "/rustc/5980761/library/core/src/option.rs".to_owned(),
                "core/src/option.rs",
            ),
            (
                "/home/me/git/entry/target/out/tables.rs".to_owned(),
                "tables.rs",
            ),
        ] {
            assert_eq!(within_its_crate(&file), expected, "{file}");
        }
    }
}
