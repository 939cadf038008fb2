//! A dbt that Python can import: the folders and the script that an installer makes, around a
//! package of the tests' own.
//!
//! Owns the choice of the engine for the whole suite (`DBT_ENTRYPOINT_TEST_ENGINE`, see `repo`): a
//! native fake cannot be imported, so under the session each fake comes in such a package, whose
//! command becomes the fake. Whatever a test does to it, it then does to a process that the session
//! has forked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::repo;

/// As pip writes it for dbt-core, below its first line.
pub const COMMAND: &str = "\
# -*- coding: utf-8 -*-
import re
import sys
from dbt.cli.main import cli
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(cli())
";

/// A version that no released dbt has, so that a log which names it can only mean this one.
pub const VERSION: &str = "1.11.53";

/// The module that holds dbt's command: it becomes another program, as `exec` does it.
pub fn becomes(program: &Path) -> String {
    let program = program.to_str().unwrap();
    format!(
        "import os, sys\n\n\ndef cli():\n    os.execv({program:?}, [{program:?}, *sys.argv[1:]])\n"
    )
}

/// Makes a virtual environment in that folder and gives back the path of its `dbt`. `modules`:
/// files of the package `dbt`, instead of or beside those that it has to have.
pub fn install(folder: &Path, modules: &[(&str, &str)]) -> PathBuf {
    let python = repo::system_program(&["/usr/bin/python3", "/usr/local/bin/python3"], "python3");
    let real = python.canonicalize().unwrap();
    let version = real.file_name().unwrap().to_str().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    write(
        "pyvenv.cfg",
        &format!(
            "home = {}\ninclude-system-site-packages = false\n",
            real.parent().unwrap().display()
        ),
    );
    let usual = [
        ("__init__.py", ""),
        ("cli/__init__.py", ""),
        ("version.py", &format!("__version__ = '{VERSION}'\n")),
    ];
    for (name, text) in usual.iter().chain(modules) {
        write(&format!("lib/{version}/site-packages/dbt/{name}"), text);
    }
    let python = folder.join("bin/python3");
    let script = write("bin/dbt", &format!("#!{}\n{COMMAND}", python.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(real, python).unwrap();
    script
}

/// The module that holds dbt's command: it stays what it is, calls another program, and ends with
/// its code.
pub fn calls(program: &Path) -> String {
    let program = program.to_str().unwrap();
    format!(
        "import subprocess, sys\n\n\ndef cli():\n    sys.exit(subprocess.run([{program:?}, \
            *sys.argv[1:]]).returncode)\n"
    )
}

/// A module that does this only where dbt is imported for a session, and before the rest of it.
pub fn in_the_host(text: &str, rest: &str) -> String {
    // The host is a program without a file.
    let indented: Vec<_> = text.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "import sys\n\nif sys.argv[0] == '-c':\n{}\n\n{rest}",
        indented.concat()
    )
}
