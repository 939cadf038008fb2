//! Owns what `/proc` tells of other processes: who is whose child, who is in a group.
//!
//! Never sends a signal and never waits. Without a `/proc` there is nobody.

use std::path::Path;

use nix::unistd::Pid;

/// One process as its `stat` has it.
struct Process {
    id: Pid,
    parent: Pid,
    group: Pid,
    is_zombie: bool,
}

/// The children of this process, zombies among them.
pub(super) fn children() -> Vec<Pid> {
    children_of_threads().unwrap_or_else(|| {
        let here = Pid::this();
        let all = all().unwrap_or_default();
        let children = all.into_iter().filter(|process| process.parent == here);
        children.map(|process| process.id).collect()
    })
}

/// In one look, where the kernel was built with it: a search of all processes is too slow to catch
/// one that forks and ends.
fn children_of_threads() -> Option<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let Ok(thread) = thread else { continue };
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(list.split_ascii_whitespace().filter_map(number)),
            // A thread that has ended meanwhile has no children.
            Err(_) if !thread.path().exists() => {}
            Err(_) => return None,
        }
    }
    Some(children)
}

/// Whether anybody in a group still runs; `None` where there is no `/proc` to tell. Zombies do not
/// count: whoever should reap them may never do so, and they run nothing.
pub(super) fn is_group_alive(group: Pid) -> Option<bool> {
    let mut all = all()?.into_iter();
    Some(all.any(|process| process.group == group && !process.is_zombie))
}

fn all() -> Option<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let found: Vec<_> = entries.filter_map(|entry| read(&entry.path())).collect();
    // This process at least is there.
    (!found.is_empty()).then_some(found)
}

fn read(directory: &Path) -> Option<Process> {
    let id = number(directory.file_name()?.to_str()?)?;
    let line = std::fs::read_to_string(directory.join("stat")).ok()?;
    // `pid (name) state parent group …`; a name may hold anything, a parenthesis too.
    let mut fields = line.rsplit_once(')')?.1.split_ascii_whitespace();
    Some(Process {
        is_zombie: matches!(fields.next()?, "Z" | "X"),
        parent: number(fields.next()?)?,
        group: number(fields.next()?)?,
        id,
    })
}

fn number(text: &str) -> Option<Pid> {
    text.parse().ok().map(Pid::from_raw)
}
