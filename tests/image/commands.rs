//! The image's other uses: one dbt command, any program, a look at the version.

use crate::container::Container;
use crate::engine::{image, needs_engine};
use crate::support::project::{PASSWORD, with_login};

#[test]
fn exec_dbt_ls_prints_the_nodes_alone() {
    needs_engine!();
    let expected = ["shop.marts.fct_orders", "shop.staging.stg_orders"];
    for words in [
        &["exec", "--", "dbt", "ls"][..],
        &["dbt", "ls"],
        &["exec", "--", "dbt", "ls", "--quiet"],
    ] {
        let arguments = words.iter().copied().chain(["--resource-type", "model"]);
        let run = Container::new().with(with_login).args(arguments).run();
        run.assert_code(0).assert_lacks(PASSWORD.as_bytes());
        let out = run.out();
        assert!(
            expected
                .iter()
                .all(|node| out.lines().any(|line| line == *node)),
            "{run}"
        );
        assert!(!out.contains("exit_code"), "no closing line: {run}");
        // What is not quiet has dbt's own words beside the nodes.
        assert!(
            !words.contains(&"--quiet") || out.lines().all(|line| line.starts_with("shop.")),
            "{run}"
        );
    }
}

#[test]
fn exec_runs_any_program_with_its_code_and_its_input() {
    needs_engine!();
    let run = Container::new()
        .args([
            "exec",
            "--credentials",
            "none",
            "--",
            "/bin/sh",
            "-c",
            "echo out; echo err >&2; exit 7",
        ])
        .run();
    run.assert_code(7);
    assert_eq!(run.out(), "out\n");
    assert!(run.err().lines().any(|line| line == "err"), "{run}");
}

#[test]
fn a_program_that_is_not_there_is_127() {
    needs_engine!();
    Container::new()
        .args(["exec", "--credentials", "none", "--", "no-such-program"])
        .run()
        .assert_code(127);
}

#[test]
fn version_and_help_need_nothing() {
    needs_engine!();
    let version = Container::of(&image())
        .flags(["--network", "none"])
        .args(["--version"])
        .run();
    version.assert_code(0);
    assert_eq!(
        version.out(),
        format!("dbt-entrypoint {}\n", env!("CARGO_PKG_VERSION"))
    );
    Container::of(&image())
        .flags(["--network", "none"])
        .args(["--help"])
        .run()
        .assert_code(0);
}
