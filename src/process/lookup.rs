//! Owns the look-up of a program's path by its name, as `execvp` does it.
//!
//! Never starts it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::Error;
use crate::config::{Variables, variable};

/// Where to look when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The absolute path of an executable file: a name is looked up on the child's `PATH`, a path
/// counts from `working_directory`.
pub(crate) fn find(
    program: &Path,
    variables: &Variables,
    working_directory: &Path,
) -> Result<PathBuf, Error> {
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        let path = working_directory.join(program);
        return check(&path)
            .map(|()| path.clone())
            .map_err(|source| error(path, source));
    }
    let places =
        variable(variables, "PATH").map_or(OsStr::new(DEFAULT_PATH), |path| path.as_os_str());
    let mut first: Option<Error> = None;
    for directory in std::env::split_paths(places) {
        let path = working_directory.join(directory).join(program);
        match check(&path) {
            Ok(()) => return Ok(path),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => first = first.or(Some(error(path, source))),
        }
    }
    let not_found = || Error::NotFound {
        program: program.to_owned(),
        source: io::Error::other("it is in no directory of PATH"),
    };
    Err(first.unwrap_or_else(not_found))
}

fn check(path: &Path) -> io::Result<()> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    access(path, AccessFlags::X_OK)
        .map_err(|_| io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable"))
}

fn error(program: PathBuf, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::NotFound { program, source }
        }
        _ => Error::CannotRun { program, source },
    }
}
