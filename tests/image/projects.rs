//! A team's own project: mounted at run time, and in an image of its own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use tempfile::TempDir;

use crate::container::{Container, readable, writable};
use crate::engine::{Made, docker, image, needs_engine};
use crate::support::project::{Project, REDSHIFT_PROFILE, with_login};
use crate::support::repo;
use crate::support::standin::Standin;

fn project() -> Project {
    let project = Project::new(REDSHIFT_PROFILE);
    project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny\n",
    );
    project.write(
        "local_packages/tiny/dbt_project.yml",
        "name: tiny\nversion: '1.0'\n",
    );
    project.write(
        "local_packages/tiny/macros/one.sql",
        "{% macro one() %}1{% endmacro %}\n",
    );
    project.write("models/only.sql", "select {{ tiny.one() }} as id\n");
    readable(project.path());
    project
}

fn container(standin: &Standin, steps: &str) -> Container {
    Container::new()
        .with(|runner| standin.attach(runner))
        .args(["run", "--steps", steps])
}

#[test]
fn a_mounted_project_takes_the_place_of_the_samples() {
    needs_engine!();
    let (standin, project) = (Standin::database(), project());
    let run = container(&standin, "deps,run")
        .mount_read_only(project.path(), "/app/dbt")
        .run();
    run.assert_code(0)
        .assert_err_has(&["/app/dbt cannot be written to"]);
    assert_eq!(run.step("run")["nodes"]["success"], 1, "{run}");
    assert!(
        !project.path().join("target").exists(),
        "a mount that is read-only stays as it is"
    );
}

#[test]
fn a_mounted_project_of_another_user_is_left_alone() {
    needs_engine!();
    let (standin, project) = (Standin::database(), project());
    let run = container(&standin, "deps")
        .mount(project.path(), "/app/dbt")
        .run();
    run.assert_code(0)
        .assert_err_has(&["/app/dbt cannot be written to"]);
    assert!(!project.path().join("dbt_packages").exists());
}

#[test]
fn a_mounted_project_that_is_writable_keeps_what_dbt_writes() {
    needs_engine!();
    let (standin, project) = (Standin::database(), project());
    writable(project.path());
    container(&standin, "deps,run")
        .mount(project.path(), "/app/dbt")
        .run()
        .assert_code(0);
    for name in [
        "target/manifest.json",
        "logs/dbt.log",
        "dbt_packages/tiny",
        "package-lock.yml",
    ] {
        assert!(
            project.path().join(name).symlink_metadata().is_ok(),
            "{name} is missing"
        );
    }
    // Now the packages are installed.
    let again = container(&standin, "deps")
        .mount(project.path(), "/app/dbt")
        .run();
    again.assert_code(0).assert_err_has(&["nothing to do"]);
}

#[test]
fn a_mounted_project_is_written_to_as_its_owner() {
    needs_engine!();
    let (standin, project) = (Standin::database(), project());
    // Root would write to any folder, so it hands the project to somebody.
    let me = fs::metadata(project.path()).unwrap().uid();
    let owner = if me == 0 { 4711 } else { me };
    for entry in walkdir::WalkDir::new(project.path())
        .into_iter()
        .filter_map(Result::ok)
    {
        chown(entry.path(), Some(owner), None).unwrap();
    }
    let owner = owner.to_string();
    container(&standin, "deps,run")
        .flags(["--user", &owner])
        .mount(project.path(), "/app/dbt")
        .run()
        .assert_code(0);
    assert_eq!(
        fs::metadata(project.path().join("target/manifest.json"))
            .unwrap()
            .uid()
            .to_string(),
        owner
    );
}

/// A team's folder, with the project in `dbt/`.
fn team(project: &Project) -> TempDir {
    let context = TempDir::new().unwrap();
    for entry in walkdir::WalkDir::new(project.path())
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
    {
        let to = context
            .path()
            .join("dbt")
            .join(entry.path().strip_prefix(project.path()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(entry.path(), to).unwrap();
    }
    context
}

#[test]
fn a_dockerfile_of_three_lines_makes_an_image_of_a_teams_project() {
    needs_engine!();
    let (standin, project) = (Standin::database(), project());
    let context = team(&project);
    let lines = format!(
        "FROM {}\nCOPY --chown=65532:65532 dbt /app/dbt\nRUN dbt deps --project-dir /app/dbt\n",
        image()
    );
    assert_eq!(lines.lines().count(), 3);
    fs::write(context.path().join("Dockerfile"), lines).unwrap();
    let made = Made::image(context.path());

    let run = |flags: &[&str], steps: &str| {
        let container = Container::of(&made.name)
            .flags(["--network", "host"])
            .flags(flags.iter().copied());
        container
            .with(|runner| standin.attach(runner))
            .args(["run", "--steps", steps])
            .run()
    };
    let plain = run(&[], "deps,run");
    plain
        .assert_code(0)
        .assert_err_has(&["step deps: nothing to do"]);
    assert_eq!(plain.step("run")["nodes"]["success"], 1, "{plain}");
    assert_eq!(plain.closing()["project"], "shop");
    run(&["--read-only", "--user", "4711"], "deps,debug").assert_code(0);

    // Nothing of the sample is left among the team's files.
    let nodes = Container::of(&made.name)
        .with(with_login)
        .args(["dbt", "--quiet", "ls"])
        .run();
    assert_eq!(nodes.out(), "shop.only\n", "{nodes}");
    let user = docker(&[
        "image",
        "inspect",
        "--format",
        "{{.Config.User}} {{json .Config.Entrypoint}}",
        &made.name,
    ]);
    assert_eq!(user, "65532:65532 [\"/usr/local/bin/dbt-entrypoint\"]");
}

/// With a login for private packages, and without; of what lies about on a laptop it has nothing.
#[test]
fn the_template_makes_an_image_of_a_teams_project() {
    needs_engine!();
    let project = project();
    for left in [
        ".env",
        "shop.duckdb",
        "target/manifest.json",
        "logs/dbt.log",
    ] {
        project.write(left, "left behind");
    }
    let context = team(&project);
    let template = repo::root().join("deploy/consumer");
    let dockerfile = fs::read_to_string(template.join("Dockerfile")).unwrap();
    assert!(dockerfile.contains("\nARG BASE="), "{dockerfile}");
    for file in ["Dockerfile", ".dockerignore"] {
        fs::copy(template.join(file), context.path().join(file)).unwrap();
    }
    let login = context.path().join("login");
    fs::write(&login, "https://me:token@localhost\n").unwrap();
    let base = format!("BASE={}", image());
    let secret = format!("id=git-credentials,src={}", login.display());
    for flags in [&["--secret", &secret][..], &[]] {
        let flags = [&["--build-arg", &base], flags].concat();
        let made = Made::image_with(context.path(), &flags);
        let files = Container::of(&made.name)
            .flags(["--network", "none", "--entrypoint", "/bin/sh"])
            .args([
                "-c",
                "cd /app/dbt && ls -A && cat dbt_packages/tiny/dbt_project.yml",
            ])
            .run();
        files.assert_code(0);
        assert_eq!(
            files.out(),
            "dbt_packages\ndbt_project.yml\nlocal_packages\nmodels\npackage-lock.yml\n\
             packages.yml\nprofiles.yml\nname: tiny\nversion: '1.0'\n",
            "{files}"
        );
    }
}
