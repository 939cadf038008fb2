//! When a manifest is parsed again: whatever it depends on may change from step to step, and each
//! step sees what it would see by itself.

use serde_json::Value;

use crate::support::project::{DUCKDB_PROFILE, Project};
use crate::support::twins::{Twin, assert_same, both};

const PROFILE: &str = "shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: shop.duckdb, threads: 1}
    other: {type: duckdb, path: other.duckdb, threads: 1}
";

fn project(steps: &str) -> Project {
    let project = Project::new(PROFILE);
    project.write(
        "models/it.sql",
        "{{ config(alias='it_' ~ target.name ~ '_' ~ var('x', 1)) \
        }}\nselect {{ var('x', 1) }} as x\n",
    );
    project.write(
        "dbt-entrypoint.yml",
        format!("credentials: none\nsteps:\n{steps}"),
    );
    project
}

/// The relation that each step built, from the ledger of the run.
fn built(twin: &Twin) -> Vec<String> {
    let mut results = twin.ledger("run_results.json");
    results.sort();
    let name = |text: &String| {
        let value: Value = serde_json::from_str(text).unwrap();
        value["results"][0]["relation_name"]
            .as_str()
            .unwrap_or_default()
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned()
    };
    results.iter().map(|(_, text)| name(text)).collect()
}

#[test]
fn other_variables_and_another_target_are_parsed_again() {
    let steps = "  - run\n  \
                 - {name: vars, command: [run, --vars, 'x: 2']}\n  \
                 - {name: both, command: [run, '--vars={\"x\": 3}', -t, other]}\n  \
                 - {name: again, command: [run]}\n";
    let twins = both(|| project(steps), |runner| runner);
    twins[0].run.assert_code(0);
    assert_eq!(
        built(&twins[1]),
        ["it_dev_1", "it_dev_2", "it_other_3", "it_dev_1"],
        "{}",
        twins[1].run
    );
    assert_same(&twins);
}

#[test]
fn what_deps_installs_in_the_middle_is_parsed() {
    let steps =
        "  - {name: before, command: [run], on_failure: continue}\n  - deps\n  - run\n  - test\n";
    let make = || {
        let project = project(steps);
        project.write(
            "packages.yml",
            "packages:\n  - local: local_packages/tiny\n",
        );
        project.write(
            "local_packages/tiny/dbt_project.yml",
            "name: tiny\nversion: '1.0'\n",
        );
        project.write("local_packages/tiny/models/theirs.sql", "select 1 as id\n");
        project
    };
    let twins = both(make, |runner| runner);
    twins[0].run.assert_code(2);
    assert_eq!(
        twins[1].run.step("run")["nodes"]["success"],
        2,
        "{}",
        twins[1].run
    );
    assert_same(&twins);
}

#[test]
fn what_clean_removes_in_the_middle_is_made_again() {
    let steps = "  - run\n  - {name: clean, command: [clean]}\n  - test\n";
    let twins = both(|| project(steps), |runner| runner);
    twins[0].run.assert_code(0);
    assert!(
        twins[0]
            .project
            .path()
            .join("target/partial_parse.msgpack")
            .exists(),
        "{}",
        twins[0].run
    );
    assert_same(&twins);
}

#[test]
fn what_depends_on_a_secret_is_parsed_with_the_secret_itself() {
    let make = || {
        let project = project("  - run\n  - test\n");
        project.write(
            "models/it.sql",
            "{{ config(alias='it_' ~ (env_var('LINK') | length)) }}\nselect 1 as x\n",
        );
        project
    };
    // Without its secret it would have another length.
    let link = "https://user:git-token-0123456789@git.example.com/a";
    let twins = both(make, |runner| {
        runner
            .env("DBT_ENV_SECRET_GIT_TOKEN", "git-token-0123456789")
            .env("LINK", link)
    });
    twins[0].run.assert_code(0);
    assert_eq!(
        built(&twins[1])[0],
        format!("it_{}", link.len()),
        "{}",
        twins[1].run
    );
    assert_same(&twins);
}

/// The same with that variable, and it has its effect.
#[track_caller]
fn without(name: &str, has_effect: impl Fn(&Twin) -> bool) {
    let twins = both(
        || project("  - run\n  - test\n"),
        |runner| runner.env(name, "false"),
    );
    twins[0].run.assert_code(0);
    assert!(has_effect(&twins[0]), "{}", twins[0].run);
    assert_same(&twins);
}

#[test]
fn without_partial_parsing_each_step_parses_for_itself() {
    // Nobody looks for a saved parse then.
    without("DBT_PARTIAL_PARSE", |twin| {
        !twin.run.out().contains("Unable to do partial parsing")
    });
}

#[test]
fn without_artifacts_there_are_none() {
    without("DBT_WRITE_JSON", |twin| {
        !twin.project.path().join("target/manifest.json").exists()
    });
}

#[test]
fn options_before_the_command_are_dbts_too() {
    let steps = "  - {name: quiet, command: [--quiet, run]}\n  - {name: fresh, command: \
        [--no-partial-parse, run]}\n  - {name: run, command: [run]}\n";
    let twins = both(|| project(steps), |runner| runner);
    twins[0].run.assert_code(0);
    assert_same(&twins);
}

/// What dbt counts of one parsing is nothing to the next.
#[test]
fn a_warning_that_is_an_error_is_one_in_a_later_step_too() {
    let twins = both(
        || {
            let project = Project::new(DUCKDB_PROFILE);
            project.write("models/one.sql", "select 1 as id\n");
            project.write(
                "models/one.yml",
                "models:\n  - name: one\n    description: first\n    description: second\n",
            );
            project.write(
                "dbt-entrypoint.yml",
                "steps:\n  - {name: first, command: [run]}\n  - {name: second, command: [run, \
                    --warn-error, --vars, '{a: 1}']}\n",
            );
            project
        },
        |runner| runner.args(["--credentials", "none"]),
    );
    let ended = twins
        .each_ref()
        .map(|twin| (twin.run.code, twin.run.steps()));
    assert_eq!(ended[0], ended[1], "{}", twins[1].run);
    assert_eq!(ended[0].1[1].1, "failed", "{}", twins[0].run);
}

/// dbt's static parser has threads, which a fork does not have.
#[test]
fn a_step_that_parses_for_itself_after_the_host_has_parsed_comes_to_its_end() {
    let twins = both(
        || {
            let project = Project::new(DUCKDB_PROFILE);
            project.write("models/one.sql", "select 1 as id\n");
            project.write("models/two.sql", "select * from {{ ref('one') }}\n");
            project.write(
                "dbt-entrypoint.yml",
                "steps:\n  - {name: first, command: [run]}\n  - {name: second, command: \
                    [--log-level, info, run, --vars, '{a: 1}']}\n",
            );
            project
        },
        |runner| runner.args(["--credentials", "none"]),
    );
    for twin in &twins {
        twin.run.assert_code(0).assert_nothing_left();
    }
    assert_same(&twins);
}

/// The host lets dbt begin before the first step, and has parsed for the later ones, with another
/// environment than a step has.
#[test]
fn what_dbt_notes_of_the_environment_is_that_of_the_step() {
    let token = "git-token-0123456789";
    let twins = both(
        || project("  - debug\n  - run\n  - test\n"),
        |runner| {
            runner.env("DBT_ENV_SECRET_GIT_TOKEN", token).env(
                "DBT_ENV_CUSTOM_ENV_LINK",
                format!("https://user:{token}@git.example.com"),
            )
        },
    );
    // In the artifacts it is a leak, with either engine.
    twins[0].run.assert_code(74);
    assert!(
        twins[1]
            .project
            .read("target/run_results.json")
            .contains(token),
        "{}",
        twins[1].run
    );
    assert_same(&twins);
}

#[test]
fn a_log_is_where_the_step_wants_it_and_nowhere_else() {
    let twins = both(
        || project("  - {name: run, command: [run, --log-path, elsewhere]}\n"),
        |runner| runner,
    );
    twins[0].run.assert_code(0);
    for twin in &twins {
        let exists = |name: &str| twin.project.path().join(name).exists();
        assert_eq!(
            (
                exists("elsewhere/dbt.log"),
                exists("logs"),
                exists("dbt.log")
            ),
            (true, false, false),
            "{}",
            twin.run
        );
    }
    assert_same(&twins);
}

#[test]
fn a_plugin_says_in_each_step_what_it_says_when_it_is_imported() {
    let make = || {
        let project = project("  - debug\n  - run\n  - test\n");
        project.write(
            "python/dbt_noisy.py",
            "import warnings\nprint('a word of a \
                plugin')\nwarnings.warn('an old plugin', FutureWarning)\n",
        );
        project
    };
    let twins = both(make, |runner| runner.env("PYTHONPATH", "python"));
    twins[0].run.assert_code(0);
    assert!(
        twins[0].run.out().contains("a word of a plugin"),
        "{}",
        twins[0].run
    );
    assert_same(&twins);
}
