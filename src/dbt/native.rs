//! Owns how dbt 2 is recognised: by what the program is, and by the version that it tells.
//!
//! Never knows what it does.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::is_known_version;
use crate::config::Variables;
use crate::process::{Awaited, isolate};

/// dbt 2 takes 10 ms; a script around dbt 1 has to import all of it, perhaps from a cold disk.
const PATIENCE: Duration = Duration::from_secs(20);
/// More is no version.
const LONGEST: u64 = 16 * 1024;

/// What native programs begin with: ELF, Mach-O in both orders and sizes, Mach-O for several
/// processors.
const MAGIC: [[u8; 4]; 6] = [
    *b"\x7fELF",
    [0xfe, 0xed, 0xfa, 0xce],
    [0xfe, 0xed, 0xfa, 0xcf],
    [0xce, 0xfa, 0xed, 0xfe],
    [0xcf, 0xfa, 0xed, 0xfe],
    [0xca, 0xfe, 0xba, 0xbe],
];

/// Whether the file, or what a link leads to, is a native program.
pub(super) fn is_binary(program: &Path) -> bool {
    let mut magic = [0; 4];
    std::fs::File::open(program)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok()
        && MAGIC.contains(&magic)
}

/// By its own name or by that of what a link leads to.
pub(super) fn is_called_dbt(program: &Path) -> bool {
    let is_dbt = |path: &Path| path.file_name() == Some(OsStr::new("dbt"));
    is_dbt(program) || program.canonicalize().is_ok_and(|real| is_dbt(&real))
}

/// The version that a program tells, if it tells one. May be dropped: the program is then ended.
pub(crate) async fn ask_version(
    program: &Path,
    variables: &Variables,
    directory: &Path,
) -> Option<String> {
    let mut command = std::process::Command::new(program);
    command
        .arg("--version")
        .env_clear()
        .envs(variables)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    isolate(&mut command);
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let number = child.id().and_then(|id| i32::try_from(id).ok())?;
    let _awaited = Awaited::new(Pid::from_raw(number));
    let mut said = String::new();
    let mut stdout = child.stdout.take()?.take(LONGEST);
    let told = async {
        stdout.read_to_string(&mut said).await?;
        child.wait().await
    };
    timeout(PATIENCE, told).await.ok()?.ok()?;
    version_in(&said)
}

/// The version behind dbt's name, whatever the product calls itself (`dbt-core 2.0.0-alpha.4`), or
/// behind `installed:`, as 1.x says it; else the first one that dbt could have; else the first one
/// of anything.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            && word.contains('.')
            && word
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || ".-+".contains(letter))
    };
    let mut before = "";
    let mut best: Option<(u8, &str)> = None;
    for word in text.split_whitespace() {
        let number = word.strip_prefix('v').unwrap_or(word);
        if is_version(number) {
            let is_named = before.starts_with("dbt") || before == "installed:";
            let rank = match (is_named, is_known_version(number)) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            };
            if best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, number));
            }
        }
        before = word;
    }
    best.map(|(_, version)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_whatever_the_product_calls_itself() {
        for (text, expected) in [
            ("dbt-core 2.0.0-alpha.4\n", Some("2.0.0-alpha.4")),
            ("dbt-fusion 2.0.0-preview.196", Some("2.0.0-preview.196")),
            ("dbt 2.0.9 (abc)", Some("2.0.9")),
            ("2.1.0", Some("2.1.0")),
            (
                "Core:\n  - installed: 1.11.16\n  - latest:    1.12.0",
                Some("1.11.16"),
            ),
            ("Loaded python 3.11.7 environment\ndbt 2.0.9", Some("2.0.9")),
            ("Loaded module 1.2.3\ndbt 2.0.9", Some("2.0.9")),
            (
                "entering 2.4\nCore:\n  - installed: 1.11.16",
                Some("1.11.16"),
            ),
            ("dbt v2.0.9", Some("2.0.9")),
            ("tool 7.1", Some("7.1")),
            ("dbt 2", None),
            ("usage: dbt [3.x]", None),
            ("", None),
        ] {
            assert_eq!(version_in(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_program_is_what_it_begins_with_and_not_what_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        for (content, expected) in [
            (b"\x7fELF\x02\x01".as_slice(), true),
            (b"\xcf\xfa\xed\xfe\x07", true),
            (b"\xca\xfe\xba\xbe\x00", true),
            (b"#!/bin/sh\n", false),
            (b"\x7fEL", false),
            (b"", false),
        ] {
            let path = directory.path().join("dbt");
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_binary(&path), expected, "{content:?}");
        }
        assert!(!is_binary(directory.path()));
        assert!(!is_binary(&directory.path().join("nothing")));
    }

    #[test]
    fn a_link_has_the_name_of_what_it_leads_to_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("dbt"), "").unwrap();
        std::fs::write(at("other"), "").unwrap();
        std::os::unix::fs::symlink(at("dbt"), at("fusion")).unwrap();
        std::fs::create_dir(at("bin")).unwrap();
        std::os::unix::fs::symlink(at("other"), at("bin/dbt")).unwrap();
        for (name, expected) in [
            ("dbt", true),
            ("other", false),
            ("fusion", true),
            ("bin/dbt", true),
        ] {
            assert_eq!(is_called_dbt(&at(name)), expected, "{name}");
        }
    }
}
