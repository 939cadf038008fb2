//! Owns the tests of where the steps run: in the project, or in a copy of one that cannot be
//! written to.
//!
//! Never takes a permission away to see what follows, since root has them all: the copy is tested
//! by itself.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::copied::{Copied, remove_forgotten};
use super::super::{Workspace, can_be_written, target_path};
use crate::config::{self, Config, Variables};

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    for name in [
        "models/a.sql",
        "models/deep/b.sql",
        "target/manifest.json",
        "logs/dbt.log",
        "models/target/c.sql",
        "models/logs/d.sql",
    ] {
        write(project.path(), name, name);
    }
    write(project.path(), "dbt_project.yml", "name: shop\n");
    write(project.path(), "profiles.yml", "");
    project
}

fn config(project: &Path) -> Config {
    let variables: Variables = [("DBT_ENTRYPOINT_CREDENTIALS".into(), "none".into())].into();
    {
        let args = crate::cli::CommonArgs::default();
        config::resolve(&args, &config::Files::read(&args), &variables, project)
    }
    .unwrap()
}

fn copy(project: &Path, target: &Path) -> io::Result<Copied> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let place = std::env::temp_dir();
    runtime.block_on(super::super::copy(project, target, &place))
}

/// The files below a directory, in order.
fn files(directory: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    files
        .map(|entry| {
            entry
                .path()
                .strip_prefix(directory)
                .unwrap()
                .display()
                .to_string()
        })
        .collect()
}

#[tokio::test]
async fn a_writable_project_is_taken_as_it_is() {
    let project = project();
    let mut config = config(project.path());
    let workspace = Workspace::prepare(&mut config, &Variables::new(), &[], true)
        .await
        .unwrap();
    assert_eq!(
        (workspace.directory.as_path(), config.project_dir.as_path()),
        (project.path(), project.path())
    );
    assert_eq!(workspace.target, project.path().join("target"));
    assert_eq!(config.profiles_dir.as_deref(), Some(project.path()));
}

#[test]
fn the_target_directory_comes_from_variables_then_the_project_then_the_default() {
    let project = project();
    for (yaml, variables, expected) in [
        ("name: shop", &[][..], Ok("target")),
        ("target-path: out", &[], Ok("out")),
        ("target-path: \"\"", &[], Ok("")),
        ("target-path:", &[], Ok("target")),
        ("target-path: a\ntarget-path: out", &[], Ok("out")),
        ("\u{feff}target-path: out", &[], Ok("out")),
        (
            "x: &x {target-path: out}\n<<: *x",
            &[("OUT", "x")],
            Ok("out"),
        ),
        (
            "target-path: out",
            &[("DBT_TARGET_PATH", "/tmp/t")],
            Ok("/tmp/t"),
        ),
        ("target-path: out", &[("DBT_TARGET_PATH", "")], Ok("out")),
        (
            "target-path: out",
            &[
                ("DBT_TARGET_PATH", "old"),
                ("DBT_ENGINE_TARGET_PATH", "new"),
            ],
            Ok("new"),
        ),
        (
            "target-path: \"{{ env_var('OUT', 'out') }}/t\"",
            &[],
            Ok("out/t"),
        ),
        (
            "target-path: \"{{ env_var('OUT', 'out') | trim }}/t\"",
            &[("OUT", " x ")],
            Ok("x/t"),
        ),
        (
            "target-path: \"{{ something.else }}\"",
            &[],
            Err(
                "~/dbt_project.yml:1: target-path cannot be determined without dbt ({{ \
                    something.else }}); set DBT_TARGET_PATH",
            ),
        ),
        (
            "name: x\ntarget-path: \"{{ env_var('OUT') }}\"",
            &[],
            Err(
                "~/dbt_project.yml:2: target-path needs the variable OUT, which is not set; set \
                    DBT_TARGET_PATH",
            ),
        ),
        (
            "target-path: [x]",
            &[],
            Err("~/dbt_project.yml:1: target-path is not a single value; set DBT_TARGET_PATH"),
        ),
        ("- x", &[], Err("~/dbt_project.yml: is not a mapping")),
    ] {
        write(project.path(), "dbt_project.yml", yaml);
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let found = target_path(project.path(), &variables.collect());
        let home = project.path().to_str().unwrap();
        assert_eq!(
            found.map_err(|why| why.replace(home, "~")),
            expected.map(PathBuf::from).map_err(str::to_owned),
            "{yaml}"
        );
    }
    write(project.path(), "dbt_project.yml", "not: [yaml");
    let why = target_path(project.path(), &Variables::new()).unwrap_err();
    assert!(
        why.contains("dbt_project.yml:1: is not valid YAML"),
        "{why}"
    );
}

#[test]
fn a_copy_has_everything_but_target_and_logs() {
    let project = project();
    let expected = [
        "dbt_project.yml",
        "models/a.sql",
        "models/deep/b.sql",
        "models/logs/d.sql",
        "models/target/c.sql",
        "profiles.yml",
    ];
    for target in ["target", "./target/"] {
        let copy = copy(project.path(), Path::new(target)).unwrap();
        assert_eq!(files(copy.path()), expected, "{target}");
        assert_eq!(
            std::fs::read_to_string(copy.path().join("models/deep/b.sql")).unwrap(),
            "models/deep/b.sql"
        );
    }
    let elsewhere = copy(project.path(), Path::new("/tmp/elsewhere")).unwrap();
    assert!(elsewhere.path().join("target/manifest.json").exists());
}

#[test]
fn what_was_read_only_can_be_written_to_in_the_copy() {
    let project = project();
    let file = project.path().join("models/a.sql");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::set_permissions(
        project.path().join("models"),
        std::fs::Permissions::from_mode(0o555),
    )
    .unwrap();
    let copy = copy(project.path(), Path::new("target")).unwrap();
    for name in ["models", "models/a.sql"] {
        let mode = copy
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_ne!(mode & 0o200, 0, "{name} has mode {mode:o}");
    }
    std::fs::set_permissions(
        project.path().join("models"),
        std::fs::Permissions::from_mode(0o755),
    )
    .unwrap();
}

#[test]
fn links_become_what_they_lead_to_and_those_to_nowhere_are_left_out() {
    let (project, package) = (project(), tempfile::tempdir().unwrap());
    write(package.path(), "macros/m.sql", "m");
    std::fs::create_dir(project.path().join("dbt_packages")).unwrap();
    symlink(package.path(), project.path().join("dbt_packages/local")).unwrap();
    symlink("a.sql", project.path().join("models/link.sql")).unwrap();
    symlink("nowhere", project.path().join("models/dangling.sql")).unwrap();
    symlink("..", project.path().join("models/circle")).unwrap();
    let copy = copy(project.path(), Path::new("target")).unwrap();
    let found = files(copy.path());
    assert!(
        found.contains(&"dbt_packages/local/macros/m.sql".to_owned()),
        "{found:?}"
    );
    assert_eq!(
        std::fs::read_to_string(copy.path().join("models/link.sql")).unwrap(),
        "models/a.sql"
    );
    assert!(
        !found
            .iter()
            .any(|name| name.contains("dangling") || name.contains("circle")),
        "{found:?}"
    );
}

#[test]
fn a_copy_is_gone_when_the_run_is_over() {
    let project = project();
    let place: PathBuf = copy(project.path(), Path::new("target"))
        .unwrap()
        .path()
        .to_owned();
    assert!(
        place
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap()
            .starts_with("dbt-entrypoint-copy-")
    );
    assert!(!place.exists());
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_can_look_into_a_copy() {
    let project = project();
    std::fs::set_permissions(project.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = copy(project.path(), Path::new("target")).unwrap();
    assert_eq!(mode(copy.path()), 0o700);
}

#[test]
fn a_copy_that_is_abandoned_while_it_is_made_is_gone() {
    let (project, place) = (project(), tempfile::tempdir().unwrap());
    for number in 0..2000 {
        write(project.path(), &format!("models/{number}/m.sql"), "");
    }
    // Abandoned after a different number of files each time.
    for begun in [0, 1, 50, 500] {
        let copy = Copied::begin(place.path()).unwrap();
        let (directory, filler) = (copy.path().to_owned(), copy.filler());
        let source = project.path().to_owned();
        let filling = std::thread::spawn(move || filler.fill(&source, &[]));
        let made = || std::fs::read_dir(directory.join("models")).map_or(0, Iterator::count);
        while made() < begun {
            std::thread::yield_now();
        }
        drop(copy);
        assert!(!directory.exists(), "after {begun}");
        assert!(filling.join().unwrap().is_err(), "after {begun}");
        assert!(!directory.exists(), "after {begun}");
    }
}

#[test]
fn what_killed_runs_left_behind_is_removed_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let make = |name: &str, mode: u32| {
        let path = place.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("dbt_project.yml"), "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let in_use = Copied::begin(place.path()).unwrap();
    let forgotten = [
        make("dbt-entrypoint-copy-aaaaaa", 0o700),
        make("dbt-entrypoint-copy-bbbbbb", 0o700),
    ];
    let kept = [
        make("dbt-entrypoint-notes", 0o700),
        make("dbt-entrypoint-copy-cccccc", 0o755),
        make("elsewhere", 0o700),
    ];
    symlink(&kept[2], place.path().join("dbt-entrypoint-copy-link")).unwrap();
    std::fs::write(place.path().join("dbt-entrypoint-copy-file"), "").unwrap();
    assert_eq!(remove_forgotten(place.path()), 2);
    assert!(!forgotten.iter().any(|path| path.exists()));
    let files_there = kept
        .iter()
        .all(|path| path.join("dbt_project.yml").exists());
    assert!(files_there && in_use.path().exists());
    assert_eq!(remove_forgotten(&place.path().join("nowhere")), 0);
}

#[test]
fn the_settings_point_at_the_copy() {
    let project = project();
    write(project.path(), "conf/profiles.yml", "");
    for (profiles, inside) in [
        (project.path().to_owned(), Some("")),
        (project.path().join("conf"), Some("conf")),
        ("/etc/dbt".into(), None),
    ] {
        let mut config = config(project.path());
        config.profiles_dir = Some(profiles.clone());
        let workspace = {
            let copy = copy(&config.project_dir, Path::new("target")).unwrap();
            Workspace::in_copy(&mut config, Path::new("target"), copy)
        };
        let copy = workspace.directory.clone();
        assert!(copy.is_absolute() && copy != project.path() && copy.join("models/a.sql").exists());
        assert_eq!(
            (&config.project_dir, &workspace.target),
            (&copy, &copy.join("target"))
        );
        let expected = inside.map_or(profiles, |inside| copy.join(inside));
        assert_eq!(
            config.profiles_dir.as_deref(),
            Some(expected.components().collect::<PathBuf>().as_path())
        );
    }
    let mut config = config(project.path());
    let workspace = {
        let copy = copy(&config.project_dir, Path::new("/var/target")).unwrap();
        Workspace::in_copy(&mut config, Path::new("/var/target"), copy)
    };
    assert_eq!(workspace.target, Path::new("/var/target"));
}

#[test]
fn directories_that_are_not_there_yet_do_not_make_a_project_read_only() {
    let project = project();
    assert!(can_be_written(&project.path().join("target")));
    assert!(can_be_written(&project.path().join("not/there")));
}
