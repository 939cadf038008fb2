//! The processes of one run, found by a variable that each of them inherits.
//!
//! Owns the view of `/proc`. A process group would not do: steps and stray grandchildren have
//! groups and sessions of their own.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Holds the same value in every process of a run.
pub const MARKER: &str = "DBT_ENTRYPOINT_TEST_RUN";

fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

fn file(pid: i32, name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(format!("/proc/{pid}/{name}"))).unwrap_or_default()
}

/// Living processes of that run, zombies left out: those have no environment any more.
pub fn with_marker(marker: &str) -> Vec<i32> {
    let entry = format!("{MARKER}={marker}").into_bytes();
    let belongs = |pid: &i32| {
        file(*pid, "environ")
            .split(|byte| *byte == 0)
            .any(|line| line == entry)
    };
    all().into_iter().filter(belongs).collect()
}

pub fn kill_all(marker: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let left = with_marker(marker);
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn cmdline(pid: i32) -> Vec<u8> {
    file(pid, "cmdline")
}

pub fn environ(pid: i32) -> Vec<u8> {
    file(pid, "environ")
}

pub fn describe(pid: i32) -> String {
    format!(
        "{pid} {}",
        String::from_utf8_lossy(&cmdline(pid)).replace('\0', " ")
    )
}

/// A line of `/proc/<pid>/status`, such as `VmHWM`.
pub fn status(pid: i32, name: &str) -> String {
    let text = String::from_utf8_lossy(&file(pid, "status")).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} of process {pid}"))
        .trim()
        .to_owned()
}

/// The most memory the process ever had, in KiB.
pub fn peak_memory(pid: i32) -> u64 {
    status(pid, "VmHWM")
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// The parent's number.
pub fn parent(pid: i32) -> Option<i32> {
    let text = String::from_utf8_lossy(&file(pid, "stat")).into_owned();
    // The name before it may hold blanks and brackets.
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The process that imports dbt for a session of that runner: its one child that runs a program
/// handed over as text.
pub fn host(runner: i32, marker: &str) -> Option<i32> {
    let is_host = |pid: &i32| {
        parent(*pid) == Some(runner)
            && cmdline(*pid)
                .split(|byte| *byte == 0)
                .any(|word| word == b"-c")
    };
    with_marker(marker).into_iter().find(is_host)
}
