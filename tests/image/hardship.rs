//! What a host can do to a container: no memory, no disk, no network, nothing to write to, a user
//! nobody knows.

use serde_json::json;

use crate::container::Container;
use crate::engine::{docker, image, needs_engine};
use crate::support::aws::Aws;
use crate::support::project::{PASSWORD, with_login};
use crate::support::repo::unique;
use crate::support::standin::Standin;

#[test]
fn a_dbt_without_memory_is_reported_as_killed() {
    needs_engine!();
    // Enough for the runner, and far too little for dbt.
    let container =
        Container::new()
            .with(with_login)
            .flags(["--memory", "64m", "--memory-swap", "64m"]);
    let (run, container) = container.start().wait();
    run.assert_code(137)
        .assert_err_has(&["killed", "probably out of memory"]);
    assert_eq!(run.step("debug")["status"], "killed");
    assert_eq!(run.step("run")["status"], "skipped");
    assert_eq!(
        docker(&[
            "inspect",
            "--format",
            "{{.State.OOMKilled}}",
            &container.name
        ]),
        "true"
    );
}

#[test]
fn a_disk_that_is_full_before_step_one_is_named() {
    needs_engine!();
    let container =
        Container::new()
            .with(with_login)
            .flags(["--read-only", "--tmpfs", "/tmp:size=64k"]);
    let run = container.run();
    run.assert_code(70)
        .assert_err_has(&["No space left on device", "/app/dbt", "hint: "]);
    assert_eq!(run.closing()["status"], "error");
}

#[test]
fn a_disk_that_fills_while_dbt_runs_ends_the_run_with_dbts_code() {
    needs_engine!();
    let standin = Standin::database();
    // The project fits, what dbt makes of it does not.
    let container = Container::new()
        .with(|runner| standin.attach(runner))
        .env("DBT_REDSHIFT_SSLMODE", "disable");
    let run = container
        .flags(["--read-only", "--tmpfs", "/tmp:size=512k"])
        .run();
    assert!(matches!(run.code, Some(1 | 2)), "{run}");
    assert_eq!(run.closing()["status"], "failed");
    assert!(
        format!("{}{}", run.out(), run.err()).contains("No space left on device"),
        "{run}"
    );
}

#[test]
fn without_a_network_the_unreachable_service_is_named() {
    needs_engine!();
    let cut_off = || Container::of(&image()).flags(["--network", "none"]);
    let aws = |container: Container| {
        let endpoint = "http://aws.example.com";
        container
            .with(|runner| Aws::attach_at(runner, endpoint))
            .env("AWS_MAX_ATTEMPTS", "1")
            .args(["run", "--credentials", "glue:x"])
    };
    let run = aws(cut_off()).run();
    run.assert_code(69).assert_err_has(&["aws.example.com"]);
    assert_eq!(run.closing()["status"], "error");
    // With the login at hand, dbt is what cannot connect.
    let run = cut_off().with(with_login).run();
    run.assert_code(1);
    let steps = run.steps().into_iter().take(2).collect::<Vec<_>>();
    assert_eq!(
        steps,
        [("deps", "success"), ("debug", "failed")]
            .map(|(name, status)| (name.to_owned(), status.to_owned())),
        "{run}"
    );
    run.assert_lacks(PASSWORD.as_bytes());
}

/// Runs dbt for real, so that whatever it writes has to have a place.
#[track_caller]
fn assert_dbt_runs_with(flags: &[&str]) {
    needs_engine!();
    let standin = Standin::database();
    let container = Container::new()
        .with(|runner| standin.attach(runner))
        .env("DBT_REDSHIFT_SSLMODE", "disable");
    let run = container
        .flags(flags.iter().copied())
        .args(["run", "--steps", "deps,debug,compile"])
        .run();
    run.assert_code(0).assert_nothing_left();
    assert!(
        run.steps().iter().all(|(_, status)| status == "success"),
        "{run}"
    );
}

#[test]
fn dbt_runs_as_the_images_user_by_number() {
    assert_dbt_runs_with(&["--user", "65532"]);
}

#[test]
fn dbt_runs_as_the_images_user_with_a_read_only_root_and_a_tmpfs() {
    assert_dbt_runs_with(&["--user", "65532", "--read-only", "--tmpfs", "/tmp"]);
}

#[test]
fn dbt_runs_as_a_user_nobody_knows() {
    assert_dbt_runs_with(&["--user", "1234567"]);
}

#[test]
fn dbt_runs_as_a_user_nobody_knows_with_as_few_rights_as_there_are() {
    let rights = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    assert_dbt_runs_with(
        &[
            &[
                "--user",
                "1234567:1234567",
                "--read-only",
                "--tmpfs",
                "/tmp",
            ][..],
            &rights,
        ]
        .concat(),
    );
}

#[test]
fn dbt_runs_with_a_read_only_root_in_the_volume_that_the_image_declares() {
    assert_dbt_runs_with(&["--read-only", "--init"]);
}

#[test]
fn dbt_runs_as_root() {
    assert_dbt_runs_with(&["--user", "0"]);
}

#[test]
fn a_root_without_any_writable_place_is_named() {
    needs_engine!();
    // A tmpfs of no use takes the place of the volume.
    let container = Container::new()
        .with(with_login)
        .flags(["--read-only", "--tmpfs", "/tmp:ro"]);
    let run = container.run();
    run.assert_code(70)
        .assert_err_has(&["/app/dbt", "hint: ", "/tmp"]);
}

#[test]
fn a_login_that_is_not_there_is_65_in_the_container_too() {
    needs_engine!();
    let name = unique("nobody");
    let container = Container::new()
        .with(|runner| Aws::shared().attach(runner))
        .args(["run", "--credentials"]);
    let run = container.args([format!("glue:{name}").as_str()]).run();
    run.assert_code(65).assert_err_has(&[&name]);
    assert_eq!(
        run.closing()["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["status"] != json!("skipped"))
            .count(),
        0
    );
}
