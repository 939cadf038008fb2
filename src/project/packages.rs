//! Owns the question whether `dbt deps` has anything to do: whether the installed packages are
//! those of package-lock.yml.
//!
//! `dbt deps` deletes what is installed and fetches it again, whatever is there, which a container
//! without a network cannot do. Never says yes without proof: a wrong "installed" would run models
//! on old macros, a wrong "not sure" only costs a fetch.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::{ProjectFile, Variables};
use crate::regular_file;
use crate::yaml::Node;

mod declared;
mod kept;
mod stamp;
mod tree;

pub(crate) use kept::Kept;

use stamp::Stamp;

const LOCK: &str = "package-lock.yml";

/// What dbt writes into package-lock.yml.
#[derive(Debug, Deserialize)]
struct Lock {
    sha1_hash: Option<String>,
    packages: Vec<Locked>,
}

/// A package of the lock. Which of the fields are there depends on its kind.
#[derive(Debug, Deserialize)]
struct Locked {
    /// Of its project, and so of its folder.
    name: String,
    local: Option<String>,
    git: Option<String>,
    revision: Option<String>,
    subdirectory: Option<String>,
    tarball: Option<String>,
    package: Option<String>,
    version: Option<String>,
}

impl Lock {
    fn read(project_dir: &Path) -> Option<Self> {
        let text = regular_file::read_text(&project_dir.join(LOCK)).ok()?;
        let lock: Self = serde_yaml::from_str(&text).ok()?;
        // A name that leads elsewhere is none.
        let is_folder = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('/');
        let all = lock.packages.iter().all(|entry| is_folder(&entry.name));
        all.then_some(lock)
    }
}

/// Whether the project has no packages: then `dbt deps` makes an empty directory for them.
pub(crate) fn has_none(project_dir: &Path) -> bool {
    let names = ["packages.yml", "dependencies.yml", LOCK, "dbt_packages"];
    !names.iter().any(|name| project_dir.join(name).exists())
}

/// The packages that are folders themselves, below the project or as absolute paths. One whose path
/// holds Jinja is not known.
pub(crate) fn local(project_dir: &Path) -> Vec<PathBuf> {
    let declared = declared::packages(project_dir);
    let entries = declared.as_ref().and_then(Node::items).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| entry.get("local")?.as_str().map(PathBuf::from))
        .collect()
}

/// Where packages are installed. `None` where only dbt can tell.
pub(crate) fn install_path(project_dir: &Path, variables: &Variables) -> Option<PathBuf> {
    let file = ProjectFile::read(project_dir).ok()?;
    let path = file.rendered("packages-install-path", variables).ok()?;
    Some(project_dir.join(path.as_deref().unwrap_or("dbt_packages")))
}

/// Puts back the packages that a run has kept which was killed during `deps`.
pub(crate) fn restore_leftover(project_dir: &Path, variables: &Variables) {
    if let Some(place) = install_path(project_dir, variables) {
        kept::restore_leftover(&place);
    }
}

/// Why `deps` need not run, if it need not. `variables`: those of dbt, without secrets.
pub(crate) fn installed(project_dir: &Path, variables: &Variables) -> Option<String> {
    let lock = Lock::read(project_dir)?;
    let directory = install_path(project_dir, variables)?;
    let stamp = Stamp::read(&directory);
    let belongs_to_declaration = || {
        let declared = declared::packages(project_dir)?;
        let declared = declared.items()?;
        let hashes = [
            declared::hash_of_dbt_1(declared),
            declared::hash_of_dbt_2(declared),
        ];
        Some(lock.sha1_hash.is_some() && hashes.contains(&lock.sha1_hash))
    };
    if !belongs_to_declaration().unwrap_or(false)
        && !stamp
            .as_ref()
            .is_some_and(|stamp| stamp.is_of_declaration(project_dir, variables))
    {
        return None;
    }
    let stamp_of_lock = stamp.as_ref().filter(|stamp| stamp.is_of_lock(project_dir));
    let all_by_deps = stamp.is_none() && is_installed_after_lock(&lock, project_dir, &directory);
    let all = lock.packages.iter().all(|entry| {
        let place = directory.join(&entry.name);
        entry
            .is_installed(project_dir, &place)
            .unwrap_or(all_by_deps)
            || stamp_of_lock.is_some_and(|stamp| stamp.is_as_installed(&entry.name, &place))
    });
    all.then(|| {
        format!(
            "the packages of package-lock.yml ({}) are installed",
            lock.packages.len()
        )
    })
}

/// Leaves the proof of what a successful `deps` has installed. `variables`: those of dbt, without
/// secrets. Without a proof the next run fetches again, so that a fault is only logged.
pub(crate) fn stamp(project_dir: &Path, variables: &Variables) {
    let Some(lock) = Lock::read(project_dir) else {
        return;
    };
    let Some(directory) = install_path(project_dir, variables).filter(|path| path.is_dir()) else {
        return;
    };
    let names = lock.packages.iter().map(|entry| entry.name.as_str());
    let made = Stamp::make(project_dir, &directory, variables, names);
    if let Err(error) = made.and_then(|stamp| stamp.write(&directory)) {
        tracing::debug!("the installed packages have no stamp: {error}");
    }
}

impl Locked {
    /// Whether it is what lies in its place. `None`: what lies there does not say.
    fn is_installed(&self, project_dir: &Path, place: &Path) -> Option<bool> {
        if let Some(local) = &self.local {
            let source = project_dir.join(local);
            let is_link_to_it =
                place.is_symlink() && real(place).is_some_and(|path| Some(path) == real(&source));
            // Where dbt could not link, it copied, and the copy may be old.
            let is_copy = || {
                let [copy, source] = [place, &source].map(|path| tree::hash(path).ok());
                !place.is_symlink() && copy.is_some() && copy == source
            };
            return Some(is_link_to_it || is_copy());
        }
        if self.git.is_some() {
            if !place.is_dir() {
                return Some(false);
            }
            let head = head(&place.join(".git")).filter(|_| self.subdirectory.is_none())?;
            return Some(Some(head) == self.revision);
        }
        if self.tarball.is_some() {
            return (!place.is_dir()).then_some(false);
        }
        let version = || {
            ProjectFile::read(place)
                .ok()?
                .text("version")
                .map(str::to_owned)
        };
        Some(self.package.is_some() && self.version.is_some() && version() == self.version)
    }
}

/// Whether the folder has all packages of the lock and nothing else, and was last changed after
/// the lock was written. dbt by itself leaves this and no stamp. A lock that somebody changes,
/// fetches or checks out later is newer.
fn is_installed_after_lock(lock: &Lock, project_dir: &Path, directory: &Path) -> bool {
    let changed = |path: &Path| std::fs::metadata(path)?.modified();
    let times = (changed(&project_dir.join(LOCK)), changed(directory));
    let (Ok(locked), Ok(installed)) = times else {
        return false;
    };
    let names: BTreeSet<OsString> = lock
        .packages
        .iter()
        .map(|entry| (&entry.name).into())
        .collect();
    let is_complete = |name: &OsString| {
        let project = ProjectFile::read(&directory.join(name));
        project.is_ok_and(|project| project.text("name").map(Into::into).as_ref() == Some(name))
    };
    let Ok(folders) = std::fs::read_dir(directory) else {
        return false;
    };
    let folders: BTreeSet<OsString> = folders
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    installed >= locked && folders == names && names.iter().all(is_complete)
}

fn real(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// The commit that a repository has checked out.
fn head(git_dir: &Path) -> Option<String> {
    let head = regular_file::read_text(&git_dir.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    if let Ok(commit) = regular_file::read_text(&git_dir.join(name)) {
        return Some(commit.trim().to_owned());
    }
    let packed = regular_file::read_text(&git_dir.join("packed-refs")).ok()?;
    packed
        .lines()
        .find_map(|line| line.strip_suffix(name)?.strip_suffix(' '))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests;
