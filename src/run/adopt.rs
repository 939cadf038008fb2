//! Owns what the `--env-file` says to the AWS SDK: its region, profile, keys, endpoints and
//! proxies.
//!
//! The SDK reads the environment of its own process, and nothing may be set in that once threads
//! can run. So the program starts itself again with those variables added, as if the user had
//! exported them. Never takes part of a Redshift login there.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;

use crate::cli::CommonArgs;
use crate::config::{Config, variable};

/// Returns if there is nothing to add, or with the reason why the program could not restart.
pub(super) fn aws_variables(args: &CommonArgs, config: &Config) -> io::Result<()> {
    let added: Vec<(&OsString, &OsString)> = config
        .from_env_file
        .iter()
        .filter(|name| is_for_the_sdk(name))
        .filter_map(|name| Some((name, variable(&config.variables, name.to_str()?)?)))
        .collect();
    if added.is_empty() {
        return Ok(());
    }
    // The program would read it a second time, and a pipe such as `<(sops -d …)` is empty by then.
    if let Some(path) = [&args.env_file, &args.config]
        .into_iter()
        .flatten()
        .find(|path| !path.is_file())
    {
        return Err(io::Error::other(format!(
            "{} is not a regular file; export its AWS and proxy variables instead",
            path.display()
        )));
    }
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command
        .arg0(arguments.next().unwrap_or_else(|| "dbt-entrypoint".into()))
        .args(arguments)
        .envs(added);
    Err(command.exec())
}

fn is_for_the_sdk(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.starts_with("AWS_")
        || matches!(
            name.as_str(),
            "HTTP_PROXY"
                | "HTTPS_PROXY"
                | "ALL_PROXY"
                | "NO_PROXY"
                | "SSL_CERT_FILE"
                | "SSL_CERT_DIR"
        )
}
