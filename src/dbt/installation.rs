//! Owns the question which Python interpreter belongs to the `dbt` that the settings name, if any.
//!
//! Only the script that installers write for dbt-core's command counts: one that does more, or
//! something else, is run as it is.

use std::path::{Path, PathBuf};

use crate::config::Variables;
use crate::process;

/// A `dbt` that is nothing but a way into Python's dbt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    pub(crate) python: PathBuf,
    /// The interpreter's own, from the script's first line.
    pub(crate) options: Vec<String>,
    pub(crate) script: PathBuf,
}

/// Longer than any that an installer writes.
const LONGEST: u64 = 4096;
/// What the lines of such a script begin with.
const LINES: [&str; 10] = [
    "#",
    "import re",
    "import sys",
    "from dbt.cli.main import cli",
    "if __name__ ==",
    "if sys.argv[0].endswith(",
    "elif sys.argv[0].endswith(",
    "sys.argv[0] = re.sub(",
    "sys.argv[0] = sys.argv[0][:",
    "sys.exit(cli())",
];

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
        let other = || {
            format!(
                "{} is not the script that comes with dbt-core",
                script.display()
            )
        };
        let (command, rest) = text.as_deref().and_then(interpreter).ok_or_else(other)?;
        let mut lines = rest.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_known = lines
            .clone()
            .all(|line| LINES.iter().any(|known| line.starts_with(known)));
        if !is_known
            || !lines.any(|line| line == "sys.exit(cli())")
            || !rest.contains("from dbt.cli.main import cli")
        {
            return Err(other());
        }
        let (python, options) = command.split_first().ok_or_else(other)?;
        let python = process::find(Path::new(python), variables, working_directory)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            python,
            options: options.to_vec(),
            script: script.to_owned(),
        })
    }
}

/// The command of a script's first line, and the rest of the script.
fn interpreter(text: &str) -> Option<(Vec<String>, &str)> {
    let (first, rest) = text.strip_prefix("#!")?.split_once('\n')?;
    let words: Vec<String> = first.split_ascii_whitespace().map(str::to_owned).collect();
    let name = |word: &String| {
        Path::new(word)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let is_python = |word: &String| name(word).starts_with("python");
    match words.first().map(name)?.as_str() {
        "env" if words.get(1).is_some_and(is_python) => Some((words[1..].to_vec(), rest)),
        // Where the path is too long for a first line, or has a blank in it.
        "sh" => {
            let (exec, rest) = rest.split_once('\n')?;
            let path = exec
                .strip_prefix("'''exec' ")?
                .strip_suffix(" \"$0\" \"$@\"")?
                .trim_matches(['"', '\''])
                .to_owned();
            let rest = rest.strip_prefix("' '''\n")?;
            is_python(&path).then(|| (vec![path], rest))
        }
        _ if words.first().is_some_and(is_python) => Some((words, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom dbt.cli.main import cli\nif __name__ == '__main__':\n    \
                        sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(cli())\n";
    const OF_UV: &str = "# -*- coding: utf-8 -*-\nimport sys\nfrom dbt.cli.main import cli\nif __name__ == \"__main__\":\n    if \
                         sys.argv[0].endswith(\"-script.pyw\"):\n        sys.argv[0] = sys.argv[0][:-11]\n    elif \
                         sys.argv[0].endswith(\".exe\"):\n        sys.argv[0] = sys.argv[0][:-4]\n    sys.exit(cli())\n";

    fn of(first: &str, body: &str) -> Result<Installation, String> {
        let directory = tempfile::tempdir().unwrap();
        let python = directory.path().join("a python3");
        std::fs::write(&python, "").unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&python, all).unwrap();
        std::fs::rename(&python, directory.path().join("python3")).unwrap();
        let script = directory.path().join("dbt");
        std::fs::write(
            &script,
            first.replace("BIN", directory.path().to_str().unwrap()) + body,
        )
        .unwrap();
        let variables = Variables::from([("PATH".into(), directory.path().into())]);
        let found = Installation::of(&script, &variables, Path::new("/"));
        found.inspect(|found| assert_eq!(found.python, directory.path().join("python3")))
    }

    #[test]
    fn the_scripts_of_installers_are_recognised() {
        for first in [
            "#!BIN/python3\n",
            "#! BIN/python3 \n",
            "#!/usr/bin/env python3\n",
            "#!/bin/sh\n'''exec' BIN/python3 \"$0\" \"$@\"\n' '''\n",
            "#!/bin/sh\n'''exec' \"BIN/python3\" \"$0\" \"$@\"\n' '''\n",
        ] {
            for body in [BODY, OF_UV] {
                assert_eq!(of(first, body).unwrap().options, [""; 0], "{first}");
            }
        }
        assert_eq!(of("#!BIN/python3 -s\n", BODY).unwrap().options, ["-s"]);
    }

    #[test]
    fn anything_else_is_run_as_it_is() {
        for (first, body) in [
            ("", BODY),
            ("\u{7f}ELF", ""),
            ("#!/bin/bash\n", "exec dbt-1.9 \"$@\"\n"),
            (
                "#!BIN/python3\n",
                "import os\nos.environ['DBT_TARGET'] = 'live'\nfrom dbt.cli.main import cli\nsys.exit(cli())\n",
            ),
            ("#!BIN/python3\n", "from dbt.cli.main import cli\n"),
            ("#!BIN/python3\n", "import sys\nsys.exit(cli())\n"),
            ("#!/usr/bin/env -S python3 -I\n", BODY),
            ("#!BIN/python3.0.1\n", BODY),
            ("#!BIN/ruby\n", BODY),
        ] {
            assert!(of(first, body).is_err(), "{first}{body}");
        }
    }
}
