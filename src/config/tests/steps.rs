//! Owns the tests of the steps: their short names, steps that are spelled out, and which flags of
//! dbt each one gets.
//!
//! Never runs a step.

use super::*;

/// The arguments of each step, as one text.
fn commands(scene: &Scene) -> Vec<String> {
    scene
        .run()
        .1
        .steps
        .iter()
        .map(|step| step.command.join(" "))
        .collect()
}

#[test]
fn the_six_steps_of_a_run_in_their_order() {
    assert_eq!(
        commands(&Scene::new()),
        [
            "deps",
            "debug",
            "run",
            "test",
            "source freshness",
            "docs generate"
        ]
    );
    let every = "compile,snapshot,seed,build,docs,freshness,test,run,debug,deps";
    let expected = [
        "compile",
        "snapshot",
        "seed",
        "build",
        "docs generate",
        "source freshness",
        "test",
        "run",
        "debug",
        "deps",
    ];
    assert_eq!(commands(&Scene::new().flags(&["--steps", every])), expected);
    let steps = Scene::new().run().1.steps;
    assert!(
        steps
            .iter()
            .all(|step| step.on_failure == OnFailure::Stop && step.timeout.is_none())
    );
    assert_eq!(steps[4].name, "freshness");
    assert_eq!(steps[4].subcommand(), "source");
}

/// What each step gets of every flag at once.
#[test]
fn each_step_gets_the_flags_that_it_takes() {
    let flags = [
        "--steps",
        "deps,debug,run,test,freshness,docs,build,seed,snapshot,compile",
        "--select",
        "a",
        "b",
        "--exclude",
        "c",
        "--threads",
        "4",
        "--full-refresh",
        "--vars",
        "{x: 1}",
        "--target",
        "live",
    ];
    let common = "--vars {x: 1} --target live";
    let nodes = format!("--select a --select b --exclude c --threads 4 {common}");
    assert_eq!(
        commands(&Scene::new().flags(&flags)),
        [
            format!("deps {common}"),
            format!("debug {common}"),
            format!("run {nodes} --full-refresh"),
            format!("test {nodes}"),
            format!("source freshness {common}"),
            format!("docs generate {common}"),
            format!("build {nodes} --full-refresh"),
            format!("seed {nodes} --full-refresh"),
            format!("snapshot {nodes}"),
            format!("compile {nodes} --full-refresh"),
        ]
    );
    let scene = Scene::new().flags(&[
        "--selector",
        "nightly",
        "--steps",
        "run,docs,freshness,deps",
    ]);
    assert_eq!(
        commands(&scene),
        [
            "run --selector nightly",
            "docs generate",
            "source freshness",
            "deps"
        ]
    );
}

/// dbt takes some options before its subcommand. What is known of a step hangs on the latter.
#[test]
fn the_subcommand_comes_first_wherever_it_stands() {
    for (command, expected) in [
        (
            "[--no-partial-parse, run]",
            "run --no-partial-parse --target live",
        ),
        ("[-q, -x, run, -f]", "run -q -x -f --target live"),
        (
            "[--quiet, docs, generate]",
            "docs generate --quiet --target live",
        ),
        (
            "[--log-level, debug, source, freshness, -o, x]",
            "source freshness --log-level debug -o x --target live",
        ),
        ("[--target, dev, run]", "run --target dev"),
        ("[-t, dev, build]", "build -t dev"),
        ("[--log-path=x, deps]", "deps --log-path=x --target live"),
        (
            "[--packages-install-path, x, docs, generate]",
            "docs generate --packages-install-path x --target live",
        ),
        (
            "[--invocation-id, \"5\", compile]",
            "compile --invocation-id 5 --target live",
        ),
        ("[--target, run, test]", "test --target run"),
        ("[--quiet, of-tomorrow]", "--quiet of-tomorrow"),
        ("[--version]", "--version"),
        ("[--quiet, docs]", "docs --quiet --target live"),
        (
            "[docs, --quiet, generate, --no-compile]",
            "docs generate --quiet --no-compile --target live",
        ),
        (
            "[source, --log-level, debug, freshness]",
            "source freshness --log-level debug --target live",
        ),
        (
            "[--target-path, out2, run, -s, orders]",
            "run --target-path out2 -s orders --target live",
        ),
    ] {
        let file = format!("steps:\n  - {{name: a, command: {command}}}\n");
        let scene = Scene::new().settings(&file).flags(&["--target", "live"]);
        assert_eq!(commands(&scene), [expected], "{command}");
    }
}

#[test]
fn an_option_is_found_as_dbt_finds_it() {
    for (command, expected) in [
        ("run", None),
        ("run --target prod", Some("prod")),
        ("run --target=prod", Some("prod")),
        ("run -t prod", Some("prod")),
        ("run -tprod", Some("prod")),
        ("run -t dev --target prod", Some("prod")),
        ("run --target prod -t dev", Some("dev")),
        ("run --target=", Some("")),
        ("run --target-path prod", None),
        ("run --threads 4", None),
        ("run --target", None),
        ("run -- --target prod", None),
        ("--target prod run", Some("prod")),
    ] {
        let step = Step {
            command: command.split(' ').map(str::to_owned).collect(),
            ..Scene::new().run().1.steps[0].clone()
        };
        assert_eq!(step.option(&["--target", "-t"]), expected, "{command}");
    }
}

#[test]
fn extra_arguments_go_to_run_and_build_alone() {
    let scene = Scene::new().flags(&[
        "--steps",
        "deps,run,test,build",
        "--threads",
        "2",
        "--",
        "--empty",
        "--fail-fast",
    ]);
    let expected = [
        "deps",
        "run --threads 2 --empty --fail-fast",
        "test --threads 2",
        "build --threads 2 --empty --fail-fast",
    ];
    assert_eq!(commands(&scene), expected);
    let faults = Scene::new()
        .flags(&["--steps", "deps,test", "--", "--empty"])
        .faults();
    assert_eq!(
        faults,
        ["arguments after -- (--empty): there is no run or build step that could take them"]
    );
}

#[test]
fn a_step_can_be_spelled_out() {
    let settings = r#"
steps:
  - deps
  - {name: nightly, command: [test, --select, "tag:nightly", --threads, 2], on_failure: continue,
      timeout: 20m}
  - name: load
    command:
      - run-operation
      - load
    on_failure: warn
  - {name: freshness, on_failure: stop}
  - name: docs
    timeout: 1h
"#;
    let (_, plan) = Scene::new().settings(settings).run();
    let step = |name: &str, command: &[&str], on_failure, minutes: Option<u64>| Step {
        name: name.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        on_failure,
        timeout: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    let expected = [
        step("deps", &["deps"], OnFailure::Stop, None),
        step(
            "nightly",
            &["test", "--select", "tag:nightly", "--threads", "2"],
            OnFailure::Continue,
            Some(20),
        ),
        step("load", &["run-operation", "load"], OnFailure::Warn, None),
        step("freshness", &["source", "freshness"], OnFailure::Stop, None),
        step("docs", &["docs", "generate"], OnFailure::Stop, Some(60)),
    ];
    assert_eq!(plan.steps, expected);
}

#[test]
fn what_a_step_spells_out_itself_is_not_widened() {
    let of = |command: &str| {
        let scene = Scene::new().settings(&format!("steps: [{{name: x, command: {command}}}]\n"));
        commands(&scene.flags(&[
            "-s",
            "a",
            "--exclude",
            "b",
            "--threads",
            "4",
            "--target",
            "t",
            "--vars",
            "v",
            "--full-refresh",
        ]))
        .remove(0)
    };
    assert_eq!(
        of("[test, --select, z]"),
        "test --select z --threads 4 --vars v --target t"
    );
    assert_eq!(
        of("[run, --exclude=z, -t, u]"),
        "run --exclude=z -t u --threads 4 --vars v --full-refresh"
    );
    assert_eq!(
        of("[run, -s, z, --threads=1, -f]"),
        "run -s z --threads=1 -f --vars v --target t"
    );
    assert_eq!(
        of("[run, --selector, z, --vars, w]"),
        "run --selector z --vars w --threads 4 --target t --full-refresh"
    );
    // Of a command that is not known, it is not known which flags it takes.
    assert_eq!(of("[some-plugin, grant]"), "some-plugin grant");
    assert_eq!(
        of("[run-operation, grant]"),
        "run-operation grant --vars v --target t"
    );
    assert_eq!(
        of("[docs, generate, --no-compile]"),
        "docs generate --no-compile --vars v --target t"
    );
}

/// Each fault in the third of three steps, after two that have the same keys.
#[test]
fn a_fault_of_a_step_is_named_with_the_line_of_its_key() {
    let block = "env: dev # name: x\nsteps:\n  - name: a\n    command: [run]\n    timeout: 5m\n    \
        on_failure: warn\n\n  # name: b\n  - name: b\n";
    let block = format!("{block}    command: [run]\n  - name: c\n    command: [run]\n");
    for (more, line, key, what) in [
        ("    timeout: soon\n", 13, "timeout", "is not a duration"),
        (
            "    # on_failure: stop\n    on_failure: shrug\n",
            14,
            "on_failure",
            "\"shrug\" is not stop, continue or warn",
        ),
        (
            "    retries: 3\n",
            13,
            "retries",
            "unknown key of a step; known are name, command, on_failure, timeout",
        ),
        ("  - rnu\n", 13, "steps", "unknown step \"rnu\""),
        ("  - [run]\n", 13, "steps", "a step is a name or a mapping"),
        (
            "  - name: Nightly run\n    command: [run]\n",
            13,
            "name",
            "a step's name is 1 to 40 letters",
        ),
        (
            "  -\n    name: d\n    command: dbt run\n",
            15,
            "command",
            "must be the list of dbt's arguments",
        ),
        (
            "  - name: d\n    command: [dbt, run]\n",
            14,
            "command",
            "without dbt itself",
        ),
        (
            "  - name: d\n    command: []\n",
            14,
            "command",
            "must be the list",
        ),
        ("  - name: d\n", 13, "command", "must be the list"),
        (
            "  - command: [run]\n",
            13,
            "name",
            "a step's name is 1 to 40 letters",
        ),
    ] {
        let faults = Scene::new()
            .settings(&format!("{block}{more}publish: never\n"))
            .faults();
        let place = format!("~/settings.yml:{line}: {key}: ");
        assert!(
            faults.len() == 1 && faults[0].starts_with(&place) && faults[0].contains(what),
            "{more}: {faults:?}, not {place}"
        );
    }
}

#[test]
fn lists_in_brackets_have_lines_too() {
    for (settings, line, key) in [
        ("steps: [run, rnu]\n", 1, "steps"),
        ("steps:\n- run\n- rnu\n", 3, "steps"),
        ("steps: [\n  run,\n  rnu,\n]\n", 3, "steps"),
        (
            "steps: [\n  {name: a, command: [run], timeout: 5m},\n  {name: b, command: [run], \
                timeout: x},\n]\n",
            3,
            "timeout",
        ),
        (
            "steps:\n  [{name: a, command: [run]}, {name: b, command: [run], timeout: x}]\n",
            2,
            "timeout",
        ),
        ("steps: []\n", 1, "steps"),
    ] {
        let faults = Scene::new().settings(settings).faults();
        assert!(
            faults.len() == 1 && faults[0].starts_with(&format!("~/settings.yml:{line}: {key}: ")),
            "{settings}: {faults:?}"
        );
    }
}

#[test]
fn there_can_be_99_steps_and_no_more() {
    let list = |count: usize| vec!["run"; count].join(",");
    assert_eq!(
        Scene::new()
            .flags(&["--steps", &list(99)])
            .run()
            .1
            .steps
            .len(),
        99
    );
    assert!(
        Scene::new().flags(&["--steps", &list(100)]).faults()[0]
            .contains("100 steps, but a run may have at most 99")
    );
}
