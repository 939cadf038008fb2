//! What is checked before the first step: every fault in one message, and a loud word where a run
//! may be a mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use crate::support::deployment::{Deployment, site};
use crate::support::fake::Fake;
use crate::support::project::{DUCKDB_PROFILE, REDSHIFT_PROFILE, Scene};

#[test]
fn a_dbt_that_is_not_there_is_127() {
    let scene = Scene::healthy();
    for dbt in ["/nowhere/bin/dbt", "no-such-dbt"] {
        let run = scene.runner().env("DBT_ENTRYPOINT_DBT", dbt).run();
        run.assert_code(127).assert_err_has(&[dbt]);
        assert_eq!(run.closing()["status"], "error");
    }
}

#[test]
fn a_dbt_that_cannot_be_run_is_126() {
    let scene = Scene::healthy();
    scene.project.write("bin/dbt", "#!/bin/sh\n");
    let run = scene
        .runner()
        .env("DBT_ENTRYPOINT_DBT", scene.project.path().join("bin/dbt"))
        .run();
    run.assert_code(126).assert_err_has(&["bin/dbt"]);
}

#[test]
fn dbt_is_looked_for_on_the_path() {
    let scene = Scene::healthy();
    let bin = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::symlink(crate::support::repo::fake_dbt(), bin.path().join("dbt")).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    scene
        .runner()
        .env_remove("DBT_ENTRYPOINT_DBT")
        .env("PATH", path)
        .run()
        .assert_code(0);
    assert_eq!(scene.fake.steps().len(), 6);
}

#[test]
fn a_folder_without_a_project_is_64() {
    let scene = Scene::healthy();
    fs::remove_file(scene.project.path().join("dbt_project.yml")).unwrap();
    let run = scene.runner().run();
    run.assert_code(64).assert_err_has(&["dbt_project.yml"]);
    assert!(scene.fake.steps().is_empty());
}

#[test]
fn variables_that_the_selected_target_needs_are_all_named() {
    let profile = REDSHIFT_PROFILE.to_owned()
        + "      keepalives_idle: \"{{ env_var('TEAM_KEEPALIVE') }}\"\n      query_group: \"{{ \
            env_var(\\\"TEAM_QUERY_GROUP\\\") }}\"\n"
        + "    live:\n      type: redshift\n      host: \"{{ env_var('ONLY_FOR_LIVE') }}\"\n"
        + "other:\n  target: x\n  outputs:\n    x:\n      type: redshift\n      host: \"{{ \
            env_var('OF_ANOTHER_PROFILE') }}\"\n";
    let scene = Scene::healthy();
    scene.project.write("profiles.yml", &profile);
    let run = scene.runner().run();
    run.assert_code(64)
        .assert_err_has(&["TEAM_KEEPALIVE", "TEAM_QUERY_GROUP"]);
    assert!(
        !run.err().contains("ONLY_FOR_LIVE") && !run.err().contains("OF_ANOTHER_PROFILE"),
        "{run}"
    );
    assert!(scene.fake.steps().is_empty());
    // The other target.
    let run = scene.runner().args(["--target", "live"]).run();
    run.assert_code(64).assert_err_has(&["ONLY_FOR_LIVE"]);
    assert!(!run.err().contains("TEAM_KEEPALIVE"), "{run}");
    // With a value all is well; an empty string is a value to dbt.
    scene
        .runner()
        .env("TEAM_KEEPALIVE", "1")
        .env("TEAM_QUERY_GROUP", "x")
        .run()
        .assert_code(0);
}

#[test]
fn a_default_is_enough() {
    let scene = Scene::healthy();
    let profile = REDSHIFT_PROFILE.to_owned()
        + "      query_group: \"{{ env_var('TEAM_QUERY_GROUP', 'none') }}\"\n";
    scene.project.write("profiles.yml", profile);
    scene.runner().run().assert_code(0);
}

#[test]
fn what_cannot_be_decided_is_a_warning() {
    let scene = Scene::healthy();
    let profile = REDSHIFT_PROFILE.replace(
        "target: dev",
        "target: \"{{ env_var('WHICH', 'd' ~ 'ev') }}\"",
    );
    scene.project.write("profiles.yml", &profile);
    let run = scene.runner().run();
    run.assert_code(0);
}

#[test]
fn all_faults_come_in_one_message() {
    let lab = Deployment::healthy();
    let profile =
        REDSHIFT_PROFILE.to_owned() + "      query_group: \"{{ env_var('TEAM_QUERY_GROUP') }}\"\n";
    lab.scene.project.write("profiles.yml", profile);
    let runner = lab.runner().env("DBT_ENTRYPOINT_DBT", "/nowhere/dbt");
    let run = runner
        .args(["--destination", "s3://no-such-bucket-of-these-tests/x"])
        .run();
    assert_ne!(run.code, Some(0));
    run.assert_err_has(&[
        "/nowhere/dbt",
        "TEAM_QUERY_GROUP",
        "no-such-bucket-of-these-tests",
    ]);
    assert!(lab.scene.fake.steps().is_empty());
}

#[test]
fn a_deployment_outside_ecs_is_announced() {
    let lab = Deployment::healthy();
    let run = lab
        .runner()
        .env_remove("ECS_CONTAINER_METADATA_URI_V4")
        .run();
    run.assert_code(0);
    let err = run.err().to_lowercase();
    assert!(
        err.contains("warn") && err.contains("deployment") && err.contains(&lab.env),
        "{run}"
    );
    let quiet = lab.run();
    quiet.assert_code(0);
    assert!(!quiet.err().to_lowercase().contains("warn"), "{quiet}");
}

#[test]
fn a_task_whose_environment_is_no_deployment_is_announced() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .env("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:9/v4/0")
        .env("ENV", "staging")
        .run();
    run.assert_code(0);
    let err = run.err().to_lowercase();
    assert!(
        err.contains("warn") && err.contains("staging") && err.contains("sandbox"),
        "{run}"
    );
}

#[test]
fn installed_packages_that_match_the_lock_need_no_deps() {
    let scene = Scene::healthy();
    // Files and hash as dbt itself wrote them.
    scene.project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny_utils\n",
    );
    let lock = "packages:\n  - local: local_packages/tiny_utils\n    name: tiny_utils\nsha1_hash: \
        76a62db8b018ada6a4bea6d724fe06f5708505aa\n";
    scene.project.write("package-lock.yml", lock);
    let package = "name: tiny_utils\nversion: '1.0.0'\n";
    scene
        .project
        .write("local_packages/tiny_utils/dbt_project.yml", package);
    scene.runner().run().assert_code(0);
    assert!(
        scene.fake.steps().contains(&"deps".to_owned()),
        "nothing is installed yet"
    );

    // dbt links a local package.
    fs::create_dir(scene.project.path().join("dbt_packages")).unwrap();
    let link = scene.project.path().join("dbt_packages/tiny_utils");
    std::os::unix::fs::symlink("../local_packages/tiny_utils", link).unwrap();
    let scene = Scene {
        fake: Fake::new(),
        ..scene
    };
    let run = scene.runner().run();
    run.assert_code(0);
    assert_eq!(run.step("deps")["status"], "success");
    assert!(!scene.fake.steps().contains(&"deps".to_owned()), "{run}");
    assert!(
        run.err().contains("package-lock.yml"),
        "the reason is in the log: {run}"
    );

    scene.project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny_utils\n  - local: local_packages/other\n",
    );
    scene.runner().run().assert_code(0);
    assert!(
        scene.fake.steps().contains(&"deps".to_owned()),
        "the lock is not that of packages.yml any more"
    );
}

#[test]
fn a_profile_on_another_database_needs_no_login() {
    let scene = Scene::healthy();
    scene.project.write("profiles.yml", DUCKDB_PROFILE);
    scene
        .bare_runner()
        .env("DBT_ENTRYPOINT_CREDENTIALS", "none")
        .run()
        .assert_code(0);
}

#[test]
fn a_project_that_cannot_be_written_to_runs_from_a_copy() {
    let lab = Deployment::healthy();
    lab.scene.project.write("target/old.json", "{}");
    lab.scene.project.write("logs/dbt.log", "old");
    lab.scene.project.write("models/orders.sql", "select 1");
    let temporary = tempfile::TempDir::new().unwrap();
    let wrapper = read_only(lab.scene.project.path());
    let run = lab
        .runner()
        .env("TMPDIR", temporary.path())
        .under(wrapper)
        .run();
    run.assert_code(0);
    assert_eq!(lab.docs(), site(), "target/ was not copied");
    let there = lab.scene.fake.variable("run", "DBT_PROJECT_DIR").unwrap();
    assert!(
        std::path::Path::new(&there).starts_with(temporary.path()),
        "{there}"
    );
    assert!(!lab.scene.project.path().join("target/index.html").exists());
    assert_eq!(
        fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "the copy is removed at the end"
    );
}

#[test]
fn the_copy_of_a_killed_run_is_removed_by_the_next_and_that_of_a_stopped_one_by_itself() {
    let fake = Fake::new()
        .on("run", "until-sigint", "1")
        .on("test", "until-sigint", "1");
    let scene = Scene::new(fake);
    let temporary = tempfile::TempDir::new().unwrap();
    let start = |step: &str| {
        let mut running = scene
            .runner()
            .env("TMPDIR", temporary.path())
            .args(["--steps", step])
            .under(read_only(scene.project.path()))
            .spawn();
        running.until("the step", |_| scene.fake.is_ready(step));
        running
    };
    let copies = || {
        let entries = fs::read_dir(temporary.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.collect::<Vec<_>>()
    };
    let killed = start("run");
    let first = copies();
    let rights = first[0].metadata().unwrap().permissions().mode();
    assert_eq!((first.len(), rights & 0o777), (1, 0o700), "{first:?}");
    killed.signal(Signal::SIGKILL);
    killed.wait();
    assert_eq!(copies(), first, "nobody was there to remove it");
    let stopped = start("test");
    let second = copies();
    assert!(second.len() == 1 && second != first, "{second:?}");
    stopped.signal(Signal::SIGTERM);
    let run = stopped.wait();
    run.assert_code(143)
        .assert_nothing_left()
        .assert_err_has(&["killed runs left behind: 1"]);
    assert!(copies().is_empty(), "{:?}", copies());
}

/// Root may write anywhere but on a read-only mount.
fn read_only(directory: &std::path::Path) -> [&str; 8] {
    let script =
        "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && cd \"$0\" && exec \"$@\"";
    let directory = directory.to_str().unwrap();
    let unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"];
    let [unshare, user, root, mount] = unshare;
    [
        unshare, user, root, mount, "/bin/sh", "-c", script, directory,
    ]
}

#[test]
fn a_read_only_project_that_dbt_writes_nothing_into_needs_no_copy() {
    for (steps, expected) in [("run,test", 0), ("deps,run", 0)] {
        let scene = Scene::healthy();
        let elsewhere = tempfile::TempDir::new().unwrap();
        let run = scene
            .runner()
            .env("TMPDIR", "/nonexistent")
            .env("DBT_TARGET_PATH", elsewhere.path().join("target"))
            .env("DBT_LOG_PATH", elsewhere.path().join("logs"))
            .args(["--steps", steps])
            .under(read_only(scene.project.path()))
            .run();
        run.assert_code(expected);
        assert_eq!(
            scene.fake.variable("run", "DBT_PROJECT_DIR").unwrap(),
            scene.project.path().to_str().unwrap()
        );
    }
}

/// Also where the steps say so themselves.
#[test]
fn a_read_only_project_whose_steps_write_elsewhere_needs_no_copy() {
    let scene = Scene::healthy();
    let elsewhere = tempfile::TempDir::new().unwrap();
    let place = elsewhere.path().display();
    scene.project.write(
        "dbt-entrypoint.yml",
        format!(
            "steps:\n  - {{name: run, command: [--log-path, {place}/logs, run, \
             --target-path={place}/target]}}\n"
        ),
    );
    let run = scene
        .runner()
        .env("TMPDIR", "/nonexistent")
        .under(read_only(scene.project.path()))
        .run();
    run.assert_code(0);
    assert!(elsewhere.path().join("target/manifest.json").exists());
}

#[test]
fn an_arbitrary_uid_runs_from_a_copy_too() {
    let scene = Scene::healthy();
    for (path, mode) in [(scene.project.path(), 0o755), (scene.fake.path(), 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let temporary = tempfile::TempDir::new().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let wrapper = [
        "/usr/bin/setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        "--",
    ];
    let run = scene
        .runner()
        .env("TMPDIR", temporary.path())
        .env("HOME", "/")
        .under(wrapper)
        .run();
    run.assert_code(0);
    assert!(!scene.project.path().join("target").exists());
    assert_eq!(scene.fake.steps().len(), 6);
}

#[test]
fn a_missing_project_and_a_missing_dbt_are_told_together() {
    let scene = Scene::healthy();
    fs::remove_file(scene.project.path().join("dbt_project.yml")).unwrap();
    let run = scene
        .runner()
        .env("DBT_ENTRYPOINT_DBT", "/nonexistent/dbt")
        .run();
    run.assert_code(127)
        .assert_err_has(&["/nonexistent/dbt was not found", "no dbt project in"]);
}
