//! Owns the question of which Python interpreter, if any, runs the `dbt` in the settings.
//!
//! Never judges what the script does besides: that takes a Python, and so is the session's
//! business.

use std::path::{Path, PathBuf};

use crate::config::Variables;
use crate::process;

/// A `dbt` that is a script of Python's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    pub(crate) python: PathBuf,
    /// The interpreter's own, from the script's first line.
    pub(crate) options: Vec<String>,
    pub(crate) script: PathBuf,
}

/// Longer than any that an installer writes.
const LONGEST: u64 = 4096;
/// How a script says that the interpreter lies beside it, wherever that is.
const BESIDE: &str = "\"$(dirname -- \"$(realpath -- \"$0\")\")\"/";

impl Installation {
    /// `script`: the absolute path of dbt. The error is a reason, in words that follow "since".
    pub(crate) fn of(
        script: &Path,
        variables: &Variables,
        working_directory: &Path,
    ) -> Result<Self, String> {
        let is_small = script
            .metadata()
            .is_ok_and(|metadata| metadata.len() <= LONGEST);
        let text = is_small
            .then(|| std::fs::read_to_string(script).ok())
            .flatten();
        let command = text.as_deref().and_then(|text| interpreter(text, script));
        let Some((python, options)) = command.as_deref().and_then(<[_]>::split_first) else {
            return Err(format!(
                "{} is not the script that comes with dbt-core",
                script.display()
            ));
        };
        let python = process::find(Path::new(python), variables, working_directory)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            python,
            options: options.to_vec(),
            script: script.to_owned(),
        })
    }
}

impl Installation {
    /// The version of a package beside the interpreter, if it is there exactly once.
    pub(super) fn version_of(&self, package: &str) -> Option<String> {
        let library = self.python.parent()?.parent()?.join("lib");
        let packages = std::fs::read_dir(library)
            .ok()?
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("python"))
            .filter_map(|entry| std::fs::read_dir(entry.path().join("site-packages")).ok());
        let mut versions = packages.flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let version = name.strip_suffix(".dist-info")?.strip_prefix(package)?;
            version.strip_prefix('-').map(str::to_owned)
        });
        versions.next().filter(|_| versions.next().is_none())
    }
}

/// The command that the first lines of a script name, if it is a Python.
fn interpreter(text: &str, script: &Path) -> Option<Vec<String>> {
    let (first, rest) = text.strip_prefix("#!")?.split_once('\n')?;
    let mut words: Vec<String> = first.split_ascii_whitespace().map(str::to_owned).collect();
    match name(words.first()?).as_str() {
        "env" => drop(words.remove(0)),
        // Where the path is too long for a first line, has a blank in it, or is to move with the
        // script: a line for the shell, which is a text to Python.
        "sh" => {
            let (exec, rest) = rest.split_once('\n')?;
            rest.strip_prefix("' '''\n")?;
            words = vec![executed(exec, script)?];
        }
        _ => {}
    }
    name(words.first()?).starts_with("python").then_some(words)
}

fn name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The program of `'''exec' PROGRAM "$0" "$@"`.
fn executed(line: &str, script: &Path) -> Option<String> {
    let word = line
        .strip_prefix("'''exec' ")?
        .strip_suffix(" \"$0\" \"$@\"")?;
    let Some(beside) = word.strip_prefix(BESIDE) else {
        return unquoted(word);
    };
    let script = script.canonicalize().ok()?;
    let python = script.parent()?.join(unquoted(beside)?);
    python.to_str().map(str::to_owned)
}

/// The text of a word of the shell's, if it is quoted whole or not at all, and nothing in it is put
/// in its place by the shell.
fn unquoted(word: &str) -> Option<String> {
    let between = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    let plain = |text: &str, special: &[char]| (!text.contains(special)).then(|| text.to_owned());
    match (between('\''), between('"')) {
        (Some(text), _) => plain(text, &['\'']),
        (_, Some(text)) => plain(text, &['"', '$', '`', '\\']),
        _ => plain(
            word,
            &[
                '\'', '"', '$', '`', '\\', ' ', '\t', '*', '?', '[', '~', ';', '&', '|',
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_names_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("lib/python3.13/site-packages");
        for name in [
            "dbt_core-1.11.16.dist-info",
            "dbt_core_extra-2.dist-info",
            "dbt_redshift-1.11.2.dist-info",
            "twice-1.dist-info",
            "twice-2.dist-info",
        ] {
            std::fs::create_dir_all(packages.join(name)).unwrap();
        }
        let installation = Installation {
            python: folder.path().join("bin/python3"),
            options: Vec::new(),
            script: PathBuf::new(),
        };
        for (package, expected) in [
            ("dbt_core", Some("1.11.16")),
            ("dbt_redshift", Some("1.11.2")),
            ("dbt_duckdb", None),
            ("twice", None),
        ] {
            assert_eq!(
                installation.version_of(package).as_deref(),
                expected,
                "{package}"
            );
        }
    }

    fn of(first: &str) -> Result<Installation, String> {
        let directory = tempfile::tempdir().unwrap();
        for folder in ["", "a folder"] {
            let python = directory.path().join(folder).join("python3");
            std::fs::create_dir_all(python.parent().unwrap()).unwrap();
            std::fs::write(&python, "").unwrap();
            let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&python, all).unwrap();
        }
        let script = directory.path().join("dbt");
        std::fs::write(
            &script,
            first.replace("BIN", directory.path().to_str().unwrap()) + "import sys\n",
        )
        .unwrap();
        let linked = directory.path().join("elsewhere");
        std::fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(&script, linked.join("dbt")).unwrap();
        let variables = Variables::from([("PATH".into(), directory.path().into())]);
        let found = Installation::of(&linked.join("dbt"), &variables, Path::new("/"));
        found.inspect(|found| assert!(found.python.starts_with(directory.path()), "{found:?}"))
    }

    /// Scripts that old and new installers write; `tests/matrix/test_installers.py` makes them.
    #[test]
    fn the_first_lines_of_installers_name_the_interpreter() {
        for (first, python, options) in [
            ("#!BIN/python3\n", "python3", &[][..]),
            ("#! BIN/python3 \n", "python3", &[]),
            ("#!BIN/python3 -s\n", "python3", &["-s"]),
            ("#!/usr/bin/env python3\n", "python3", &[]),
            (
                "#!/bin/sh\n'''exec' BIN/python3 \"$0\" \"$@\"\n' '''\n",
                "python3",
                &[],
            ),
            (
                "#!/bin/sh\n'''exec' \"BIN/a folder/python3\" \"$0\" \"$@\"\n' '''\n",
                "a folder/python3",
                &[],
            ),
            (
                "#!/bin/sh\n'''exec' 'BIN/a folder/python3' \"$0\" \"$@\"\n' '''\n",
                "a folder/python3",
                &[],
            ),
            (
                "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \
                    \"$@\"\n' '''\n",
                "python3",
                &[],
            ),
        ] {
            let found = of(first).unwrap_or_else(|why| panic!("{first}: {why}"));
            assert!(found.python.ends_with(python), "{first}: {found:?}");
            assert_eq!(found.options, options, "{first}");
        }
    }

    #[test]
    fn anything_else_is_run_as_it_is() {
        for first in [
            "",
            "\u{7f}ELF",
            "#!/bin/bash\n",
            "#!/usr/bin/env -S python3 -I\n",
            "#!/usr/bin/env ruby\n",
            "#!BIN/python3.0.1\n",
            "#!BIN/ruby\n",
            "#!/bin/sh\nexec python3 \"$0\" \"$@\"\n",
            "#!/bin/sh\n'''exec' \"$HOME/python3\" \"$0\" \"$@\"\n' '''\n",
            "#!/bin/sh\n'''exec' \"BIN/python3\" -I \"$0\" \"$@\"\n' '''\n",
            "#!/bin/sh\n'''exec' BIN/python3 \"$0\" \"$@\"\nrm -r /\n' '''\n",
        ] {
            assert!(of(first).is_err(), "{first}");
        }
    }
}
