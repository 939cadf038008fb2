//! Installed packages: when `deps` has nothing to fetch, and what is left when it fails. With the
//! real dbt 1 and real git repositories on this disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::fake::Fake;
use crate::support::project::{DUCKDB_PROFILE, Project, Scene};
use crate::support::result::Finished;
use crate::support::runner::Runner;

/// A project with two packages: a part of a repository, and a whole one.
struct Lab {
    project: Project,
    /// Where the repositories lie.
    remote: TempDir,
}

impl Lab {
    fn new() -> Self {
        let remote = TempDir::new().unwrap();
        let make = |name: &str, package: &str| {
            let repository = remote.path().join(name);
            let folder = repository.join(package);
            fs::create_dir_all(folder.join("macros")).unwrap();
            let project = format!("name: {name}\nversion: '1.0.0'\n");
            fs::write(folder.join("dbt_project.yml"), project).unwrap();
            let text = "{% macro a() %}a{% endmacro %}\n";
            fs::write(folder.join(format!("macros/{name}.sql")), text).unwrap();
            for arguments in [
                "init --quiet --initial-branch main",
                "add .",
                "-c user.name=x -c user.email=x@example.com commit --quiet -m one",
                "tag v1",
            ] {
                git(&repository, arguments);
            }
        };
        make("part", "sub");
        make("whole", "");
        let lab = Self {
            project: Project::new(DUCKDB_PROFILE),
            remote,
        };
        lab.declare("v1");
        lab
    }

    fn declare(&self, revision: &str) {
        let remote = self.remote.path().display();
        let declared = format!(
            "packages:\n  - git: \"file://{remote}/part\"\n    revision: {revision}\n    \
             subdirectory: sub\n  - git: \"file://{remote}/whole\"\n    revision: {revision}\n"
        );
        self.project.write("packages.yml", declared);
    }

    fn cut_off(&self) {
        for name in ["part", "whole"] {
            let repository = self.remote.path().join(name);
            fs::rename(&repository, repository.with_extension("gone")).unwrap();
        }
    }

    fn installed(&self) -> PathBuf {
        self.project.path().join("dbt_packages")
    }

    fn deps(&self) -> Finished {
        Runner::new(self.project.path())
            .env("DBT_ENTRYPOINT_DBT", crate::support::repo::venv("dbt"))
            .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
            .args(["--credentials", "none", "--steps", "deps"])
            .run()
    }
}

fn git(directory: &Path, arguments: &str) {
    let status = Command::new("git")
        .args(arguments.split(' '))
        .current_dir(directory)
        .status();
    assert!(status.unwrap().success(), "git {arguments}");
}

/// Each path with its content, or where it leads.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = WalkDir::new(directory).into_iter().map(Result::unwrap);
    let read = |path: &Path| match fs::read_link(path) {
        Ok(link) => link.into_os_string().into_encoded_bytes(),
        Err(_) if path.is_dir() => b"a directory".to_vec(),
        Err(_) => fs::read(path).unwrap(),
    };
    entries
        .map(|entry| (entry.path().to_owned(), read(entry.path())))
        .collect()
}

fn assert_nothing_to_do(run: &Finished) {
    run.assert_code(0).assert_err_has(&[
        "step deps: nothing to do, the packages of package-lock.yml (2) are installed",
    ]);
    assert_eq!(run.step("deps")["status"], "success");
}

#[test]
fn what_deps_installed_is_not_fetched_again_even_without_its_git_folder() {
    let lab = Lab::new();
    lab.deps().assert_code(0);
    fs::remove_dir_all(lab.installed().join("whole/.git")).unwrap();
    lab.cut_off();
    let mut before = content(lab.project.path());
    assert_nothing_to_do(&lab.deps());
    let mut after = content(lab.project.path());
    // But for the page of the run.
    let page = lab.project.path().join("target/run.html");
    before.remove(&page);
    after.retain(|path, _| before.contains_key(path));
    assert_eq!(after, before, "nothing is written");
}

#[test]
fn packages_that_dbt_installed_by_itself_are_recognised() {
    let lab = Lab::new();
    let dbt = crate::support::repo::venv("dbt");
    let status = Command::new(dbt)
        .args(["--quiet", "deps"])
        .current_dir(lab.project.path())
        .status();
    assert!(status.unwrap().success());
    lab.cut_off();
    assert_nothing_to_do(&lab.deps());
}

#[test]
fn deps_that_fails_leaves_the_packages_as_they_were() {
    let lab = Lab::new();
    lab.deps().assert_code(0);
    lab.cut_off();
    // The lock as it is, but a package with a change of somebody's own: dbt empties the folder
    // before it fetches.
    let changed = lab.installed().join("part/macros/part.sql");
    fs::write(&changed, "{% macro a() %}b{% endmacro %}\n").unwrap();
    let before = content(&lab.installed());
    lab.deps().assert_code(2);
    assert!(before == content(&lab.installed()));
    // Without the stamp, and with a newer lock.
    fs::remove_file(lab.installed().join(".dbt-entrypoint.json")).unwrap();
    let lock = fs::File::options()
        .append(true)
        .open(lab.project.path().join("package-lock.yml"));
    let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
    lock.unwrap().set_modified(later).unwrap();
    let before = content(&lab.installed());
    lab.deps().assert_code(2);
    assert!(before == content(&lab.installed()));
    // A changed declaration.
    lab.declare("v2");
    lab.deps().assert_code(2);
    assert!(before == content(&lab.installed()));
    assert!(
        !lab.project
            .path()
            .join(".dbt_packages.before-deps")
            .exists(),
        "nothing of the copy stays"
    );
}

#[test]
fn a_removed_package_is_fetched_again() {
    let lab = Lab::new();
    lab.deps().assert_code(0);
    fs::remove_dir_all(lab.installed().join("part")).unwrap();
    lab.deps().assert_code(0);
    assert!(lab.installed().join("part/macros/part.sql").is_file());
}

/// A runner that gets a signal while its `deps` has removed the packages. With them: where they
/// were, and what they were.
fn signalled_during_deps(signal: Signal) -> (Scene, Finished, PathBuf, BTreeMap<PathBuf, Vec<u8>>) {
    let scene = Scene::new(Fake::new().on("deps", "until-sigint", "2"));
    scene
        .project
        .write("packages.yml", "packages:\n  - git: x\n");
    scene
        .project
        .write("dbt_packages/one/dbt_project.yml", "name: one\n");
    let place = scene.project.path().join("dbt_packages");
    let before = content(&place);
    let mut running = scene.runner().args(["--steps", "deps"]).spawn();
    running.until("deps is running", |_| scene.fake.is_ready("deps"));
    fs::remove_dir_all(&place).unwrap();
    running.signal(signal);
    let run = running.wait();
    (scene, run, place, before)
}

/// A dbt that was told to stop or that ran out of time leaves half of the packages.
#[test]
fn packages_survive_a_deps_that_is_stopped() {
    let (_scene, run, place, before) = signalled_during_deps(Signal::SIGTERM);
    assert_eq!(run.closing()["status"], "cancelled", "{run}");
    assert_eq!(content(&place), before);
}

#[test]
fn packages_survive_a_runner_that_is_killed_during_deps() {
    let (scene, _killed, place, before) = signalled_during_deps(Signal::SIGKILL);
    let run = scene.runner().args(["--steps", "debug"]).run();
    run.assert_code(0).assert_err_has(&["killed during deps"]);
    assert_eq!(content(&place), before);
}
