//! Owns what is said of a malformed command line, with what little can be known of the settings.
//!
//! Never runs anything.

use std::io;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::closing;
use crate::cli::{Cli, RunArgs};
use crate::config::{self, Files, LogFormat, Variables};
use crate::exit_code::ExitCode;
use crate::report::{self, Console};

/// Commands of dbt that are no commands of this program, and the step that each is.
const OF_DBT: [(&str, Option<&str>); 19] = [
    ("build", Some("build")),
    ("clean", None),
    ("clone", None),
    ("compile", Some("compile")),
    ("debug", Some("debug")),
    ("deps", Some("deps")),
    ("docs", Some("docs")),
    ("freshness", Some("freshness")),
    ("init", None),
    ("list", None),
    ("ls", None),
    ("parse", None),
    ("retry", None),
    ("run-operation", None),
    ("seed", Some("seed")),
    ("show", None),
    ("snapshot", Some("snapshot")),
    ("source", Some("freshness")),
    ("test", Some("test")),
];

/// What to write instead, where a word was given that no option takes: a command of dbt, as its own
/// image has it, or a program.
fn hint(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument || word.starts_with('-') {
        return None;
    }
    let Some((word, step)) = OF_DBT.iter().find(|(name, _)| name == word) else {
        return Some(
            "to run a program with the login: dbt-entrypoint exec -- sh -c '…'; one dbt command: \
             dbt-entrypoint dbt build; a pipeline of the steps you name: \
             dbt-entrypoint --steps build"
                .to_owned(),
        );
    };
    // The two that are groups of commands.
    let word = match *word {
        "docs" => "docs generate",
        "source" => "source freshness",
        word => word,
    };
    let pipeline = step.map_or_else(
        || format!("as a step of the pipeline, command: [{word}, …] in dbt-entrypoint.yml"),
        |step| {
            format!(
                "dbt-entrypoint --steps {step} (a pipeline, with what it publishes and reports)"
            )
        },
    );
    Some(format!(
        "write dbt-entrypoint dbt {word} (one command of dbt); or dbt-entrypoint exec -- dbt \
         {word} (any program, as in exec -- sh -c '…'); or {pipeline}"
    ))
}

/// A malformed command line; also `--help` and `--version`, which clap reports in the same way.
pub(super) fn report(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        report::print(&error.render().to_string());
        return ExitCode::Success.number();
    }
    let text = error.render().to_string();
    let said = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(str::trim);
    let what = said
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim_start_matches("error: ")
        .to_owned();
    let hint = hint(error);
    if wants_json_log() {
        let hint = hint.as_deref().unwrap_or("see --help");
        Console::new(LogFormat::Json).error(&io::Error::other(what.clone()), Some(hint));
    } else if let Some(hint) = hint {
        Console::new(LogFormat::Text).error(&io::Error::other(what.clone()), Some(&hint));
    } else {
        // Not `Error::exit`: it exits with 2, which is dbt's code for an error of its own.
        let _ = error.print();
    }
    let other = std::env::args_os().nth(1).is_some_and(|first| {
        Cli::command()
            .find_subcommand(first)
            .is_some_and(|found| found.get_name() != "run")
    });
    if !other {
        let file = raw_setting(
            "--summary-file",
            |value| Some(value.into()),
            config::summary_file,
        );
        closing::print_rejection(ExitCode::Usage, &what, file.as_deref());
    }
    ExitCode::Usage.number()
}

/// A setting, as far as a malformed command line allows: from its flag, else by `otherwise` from
/// the other places.
fn raw_setting<T>(
    flag: &str,
    parse: impl Fn(&str) -> T,
    otherwise: impl FnOnce(&RunArgs, &Files, &Variables) -> T,
) -> T {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .take_while(|argument| argument != "--")
        .collect();
    let with_value = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix(flag)?.strip_prefix('='));
    let before_value = arguments.windows(2).find(|pair| pair[0] == flag);
    let given = with_value.or(before_value.map(|pair| pair[1].as_str()));
    let from_elsewhere = || {
        let args = RunArgs::default();
        otherwise(
            &args,
            &Files::read(&args.common),
            &std::env::vars_os().collect(),
        )
    };
    given.map_or_else(from_elsewhere, parse)
}

fn wants_json_log() -> bool {
    raw_setting(
        "--log-format",
        |value| value == "json",
        |args, files, variables| {
            config::log_settings(&args.common, files, variables).0 == LogFormat::Json
        },
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_word_that_no_option_takes_is_told_in_three_ways() {
        for (arguments, ways) in [
            (
                &["build"][..],
                [
                    "dbt-entrypoint dbt build",
                    "dbt-entrypoint exec -- dbt build",
                    "dbt-entrypoint --steps build",
                ],
            ),
            (
                &["run", "seed", "--full-refresh"],
                [
                    "dbt-entrypoint dbt seed",
                    "dbt-entrypoint exec -- dbt seed",
                    "dbt-entrypoint --steps seed",
                ],
            ),
            (
                &["source", "freshness"],
                [
                    "dbt-entrypoint dbt source freshness",
                    "exec -- dbt source freshness",
                    "--steps freshness",
                ],
            ),
            (
                &["run-operation", "grant"],
                [
                    "dbt-entrypoint dbt run-operation",
                    "dbt-entrypoint exec -- dbt run-operation",
                    "command: [run-operation, …] in dbt-entrypoint.yml",
                ],
            ),
            (
                &["sh", "-c", "dbt run"],
                ["exec -- sh -c", "dbt-entrypoint dbt", "--steps"],
            ),
            (
                &["--env", "dev", "bash"],
                ["exec -- sh -c", "dbt-entrypoint dbt", "--steps"],
            ),
            (
                &["/usr/bin/dbt", "run"],
                ["exec -- sh -c", "dbt-entrypoint dbt", "--steps"],
            ),
        ] {
            let line = std::iter::once(&"dbt-entrypoint").chain(arguments);
            let error = Cli::try_parse_from(line).unwrap_err();
            let hint = hint(&error).unwrap_or_default();
            for way in ways {
                assert!(hint.contains(way), "{arguments:?}: {hint}");
            }
        }
    }

    #[test]
    fn other_faults_are_told_as_before() {
        for arguments in [
            &["--no-such"][..],
            &["--steps"],
            &["completions", "no-such-shell"],
            &["--verbose", "--quiet"],
        ] {
            let line = std::iter::once(&"dbt-entrypoint").chain(arguments);
            assert_eq!(hint(&Cli::try_parse_from(line).unwrap_err()), None);
        }
    }

    /// Or the hint would say the opposite.
    #[test]
    fn no_command_of_this_program_is_among_those_of_dbt() {
        for (name, _) in OF_DBT {
            assert!(Cli::command().find_subcommand(name).is_none(), "{name}");
        }
    }
}
