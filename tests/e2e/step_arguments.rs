//! Which options reach which step: a selection narrows what runs, and never the published site.

use crate::support::fake::Fake;
use crate::support::project::Scene;

const EVERY_SHORT_NAME: &str = "deps,debug,seed,snapshot,compile,run,test,build,freshness,docs";

fn has(arguments: &[String], pair: &[&str]) -> bool {
    arguments.windows(pair.len()).any(|window| window == pair)
}

#[test]
fn short_names_stand_for_dbt_commands() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["--steps", EVERY_SHORT_NAME])
        .run()
        .assert_code(0);
    let expected = [
        "deps", "debug", "seed", "snapshot", "compile", "run", "test", "build", "source", "docs",
    ];
    assert_eq!(scene.fake.steps(), expected);
    assert!(has(
        &scene.fake.arguments("source"),
        &["source", "freshness"]
    ));
    assert!(has(&scene.fake.arguments("docs"), &["docs", "generate"]));
}

#[test]
fn the_selection_goes_to_steps_that_run_nodes_and_to_no_other() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .args([
            "--steps",
            EVERY_SHORT_NAME,
            "--select",
            "orders+",
            "--exclude",
            "tag:slow",
        ])
        .run();
    run.assert_code(0);
    for step in ["run", "test", "build", "seed", "snapshot", "compile"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            has(&arguments, &["--select", "orders+"]),
            "{step}: {arguments:?}"
        );
        assert!(
            has(&arguments, &["--exclude", "tag:slow"]),
            "{step}: {arguments:?}"
        );
    }
    for step in ["deps", "debug", "source", "docs"] {
        let arguments = scene.fake.arguments(step).join(" ");
        assert!(
            !arguments.contains("orders") && !arguments.contains("slow"),
            "{step}: {arguments}"
        );
    }
}

#[test]
fn selector_and_threads_go_where_they_are_taken() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args([
            "--steps",
            EVERY_SHORT_NAME,
            "--selector",
            "nightly",
            "--threads",
            "7",
        ])
        .run()
        .assert_code(0);
    for step in ["run", "test", "build"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            has(&arguments, &["--selector", "nightly"]),
            "{step}: {arguments:?}"
        );
        assert!(
            has(&arguments, &["--threads", "7"]),
            "{step}: {arguments:?}"
        );
    }
    // `dbt deps --threads 7` exits 2.
    let deps = scene.fake.arguments("deps");
    assert!(
        !deps.iter().any(|argument| argument.contains("threads")),
        "{deps:?}"
    );
    for step in ["source", "docs"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            !arguments
                .iter()
                .any(|argument| argument.contains("nightly")),
            "{step}: {arguments:?}"
        );
    }
}

#[test]
fn full_refresh_goes_only_to_steps_that_take_it() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["--steps", EVERY_SHORT_NAME, "--full-refresh"])
        .run()
        .assert_code(0);
    for step in ["run", "build", "seed"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            arguments
                .iter()
                .any(|argument| argument == "--full-refresh"),
            "{step}: {arguments:?}"
        );
    }
    for step in ["deps", "debug", "test", "snapshot", "source", "docs"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            !arguments
                .iter()
                .any(|argument| argument == "--full-refresh"),
            "{step}: {arguments:?}"
        );
    }
}

#[test]
fn target_and_vars_go_to_every_step_that_takes_them() {
    let scene = Scene::healthy();
    let run = scene
        .runner()
        .args([
            "--steps",
            EVERY_SHORT_NAME,
            "--target",
            "dev",
            "--vars",
            "{day: 2026-01-01}",
        ])
        .run();
    run.assert_code(0);
    for step in [
        "debug", "seed", "snapshot", "compile", "run", "test", "build", "source", "docs",
    ] {
        let arguments = scene.fake.arguments(step);
        assert!(
            has(&arguments, &["--target", "dev"]),
            "{step}: {arguments:?}"
        );
        assert!(
            has(&arguments, &["--vars", "{day: 2026-01-01}"]),
            "{step}: {arguments:?}"
        );
    }
}

#[test]
fn what_follows_two_dashes_goes_to_the_run_step_alone() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["run", "--", "--fail-fast", "--threads=3"])
        .run()
        .assert_code(0);
    let arguments = scene.fake.arguments("run");
    assert!(
        has(&arguments, &["--fail-fast", "--threads=3"]),
        "{arguments:?}"
    );
    for step in ["deps", "debug", "test", "source", "docs"] {
        let arguments = scene.fake.arguments(step);
        assert!(
            !arguments.iter().any(|argument| argument == "--fail-fast"),
            "{step}: {arguments:?}"
        );
    }
}

#[test]
fn what_follows_two_dashes_goes_to_the_build_step() {
    let scene = Scene::healthy();
    scene
        .runner()
        .args(["run", "--steps", "build,docs", "--", "--fail-fast"])
        .run()
        .assert_code(0);
    assert!(
        scene
            .fake
            .arguments("build")
            .iter()
            .any(|argument| argument == "--fail-fast")
    );
    assert!(
        !scene
            .fake
            .arguments("docs")
            .iter()
            .any(|argument| argument == "--fail-fast")
    );
}

#[test]
fn an_argument_with_blanks_quotes_and_dollars_stays_one_argument() {
    let scene = Scene::healthy();
    let odd = r#"a b "c" $HOME `id` ; rm 'x' \ *"#;
    scene
        .runner()
        .args(["--steps", "run", "--select", odd])
        .run()
        .assert_code(0);
    assert!(
        has(&scene.fake.arguments("run"), &["--select", odd]),
        "nothing goes through a shell"
    );
}

#[test]
fn the_spelled_out_command_is_taken_word_by_word() {
    let scene = Scene::new(Fake::new());
    let yaml = "steps:\n  - name: nightly\n    command: [run-operation, grant_all, --args, '{a: \
        \"b c\"}']\n";
    scene.project.write("dbt-entrypoint.yml", yaml);
    scene.runner().run().assert_code(0);
    assert!(has(
        &scene.fake.arguments("run-operation"),
        &["run-operation", "grant_all", "--args", "{a: \"b c\"}"]
    ));
}
