//! Whatever a user can see of a run is the same with both engines: output line by line, artifacts
//! field by field, exit codes, logs.

use std::fs;

use crate::support::project::{PROJECT, Project, REDSHIFT_PROFILE};
use crate::support::standin::Standin;
use crate::support::twins::{Twin, assert_same, both, both_with, log_differences};

/// With one thread the order of the lines is dbt's own.
const DUCKDB: &str = "shop:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n      path: \
    shop.duckdb\n      threads: 1\n";

const SOURCES: &str = "sources:
  - name: raw
    schema: raw
    config:
      loaded_at_field: _loaded_at
      freshness: {error_after: {count: 24, period: hour}}
    tables:
      - name: orders
";

const SCHEMA: &str = "models:
  - name: orders
    description: All orders.
    deprecation_date: 2020-01-01
    owner_of_our_own: somebody
    columns:
      - name: id
        tests: [unique, not_null]
";

/// All that dbt has to complain about while it parses and while it runs, and still all is well.
fn grumbling(profile: &str) -> Project {
    let project = Project::new(profile);
    let more = "models:\n  shop:\n    nowhere:\n      +materialized: table\nseeds:\n  \
        +quote_columns: false\n";
    project.write("dbt_project.yml", PROJECT.to_owned() + more);
    project.write(
        "packages.yml",
        "packages:\n  - local: local_packages/tiny\n",
    );
    project.write(
        "local_packages/tiny/dbt_project.yml",
        "name: tiny\nversion: '1.0'\n",
    );
    project.write(
        "local_packages/tiny/macros/tiny.sql",
        "{% macro tiny(x) %}({{ x }} + 0){% endmacro %}\n",
    );
    project.write("models/sources.yml", SOURCES);
    project.write("models/schema.yml", SCHEMA);
    project.write(
        "models/orders.sql",
        "select {{ tiny.tiny('id') }} as id from {{ source('raw', 'orders') }}\n",
    );
    let noisy = "{% do exceptions.warn('a word of warning') %}{% do log('a word to the log', \
        info=true) %}{{ print('a printed word') }}\n\
                 select id from {{ ref('orders') }}\n";
    project.write("models/noisy.sql", noisy);
    project
}

/// DuckDB is a file in the project: a hook makes what would have been loaded.
fn on_duckdb() -> Project {
    let project = grumbling(DUCKDB);
    let hooks = "on-run-start:\n  - create schema if not exists raw\n  - create or replace table \
        raw.orders as select 1 as id, now() as _loaded_at\n";
    project.write("dbt_project.yml", project.read("dbt_project.yml") + hooks);
    project
}

/// dbt's own words show that the project really complains.
#[track_caller]
fn assert_grumbles(twin: &Twin) {
    let out = twin.run.out();
    for words in [
        "a word of warning",
        "a word to the log",
        "a printed word",
        "models.shop.nowhere",
        "deprecat",
    ] {
        assert!(
            out.contains(words),
            "dbt did not say {words:?}: {}",
            twin.run
        );
    }
}

/// Each step is an invocation of its own in dbt's log, which has the same lines, but for what the
/// README says.
#[track_caller]
fn assert_logged(twins: &[Twin; 2], steps: usize) {
    for twin in twins {
        let log = twin.project.read("logs/dbt.log");
        let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
        assert_eq!(
            (count("Running with dbt="), count("Command `")),
            (steps, steps),
            "{}\n{log}",
            twin.run
        );
    }
    let [process, session] = log_differences(twins);
    // What an adapter logs while it is imported, it logs where nobody listens yet.
    let unheard: Vec<_> = process
        .iter()
        .filter(|line| !line.contains("Redshift adapter: Setting redshift"))
        .collect();
    assert!(unheard.is_empty(), "dbt.log lacks {unheard:#?}");
    assert!(session.is_empty(), "dbt.log has besides {session:#?}");
}

#[test]
fn six_steps_on_duckdb_with_all_that_dbt_complains_about() {
    let twins = both(on_duckdb, |runner| runner.args(["--credentials", "none"]));
    twins[0].run.assert_code(0);
    assert_grumbles(&twins[0]);
    assert_same(&twins);
    assert_logged(&twins, 6);
}

#[test]
fn six_steps_on_redshift() {
    let make = || {
        let standin = Standin::database();
        standin.sql(
            "create schema raw authorization dbt_user; create table raw.orders as select n as id, \
                now() at time zone 'utc' as _loaded_at \
             from generate_series(1, 3) n; grant select on raw.orders to dbt_user",
        );
        (
            grumbling(&REDSHIFT_PROFILE.replace("threads: 2", "threads: 1")),
            standin,
        )
    };
    let twins = both_with(
        make,
        |runner, standin| standin.attach(runner),
        |standin| vec![standin.database.clone()],
    );
    twins[0].run.assert_code(0);
    assert_grumbles(&twins[0]);
    assert_same(&twins);
    assert_logged(&twins, 6);
}

/// A unit test puts its own functions in the place of macros; a model may do so, too, and see which
/// macros there are.
#[test]
fn macros_that_somebody_replaces() {
    let make = || {
        let project = Project::new(DUCKDB);
        project.write("macros/ours.sql", "{% macro ours() %}ours{% endmacro %}\n");
        project.write(
            "models/typed.sql",
            "select '{{ adapter.dispatch('type_string')() }}' as t\n",
        );
        project.write(
            "models/known.sql",
            "{{ print(context | list | sort | join(' ')) }}{{ print(dbt | list | sort | join(' ')) \
                }}select 1 as i\n",
        );
        let put = "{% do context['dbt'].update({'default__never_heard_of': ours}) %}select '{{ \
            adapter.dispatch('never_heard_of')() }}' as t\n";
        project.write("models/put.sql", put);
        let test = "unit_tests:\n  - name: replaced\n    model: typed\n    given: []\n    \
            overrides: {macros: {default__type_string: another}}\n    \
                    expect: {rows: [{t: another}]}\n";
        project.write("models/unit.yml", test);
        project
    };
    let twins = both(make, |runner| {
        runner.args(["--credentials", "none", "--steps", "run,test"])
    });
    twins[0].run.assert_code(0);
    assert!(
        twins[0].run.out().contains("PASS typed::replaced"),
        "{}",
        twins[0].run
    );
    assert_same(&twins);
}

/// A run that fails at one of these steps, in the same way with both engines.
#[track_caller]
fn fails(steps: &str, code: i32, words: &str, change: impl Fn(&Project) + Sync) {
    let make = || {
        let project = on_duckdb();
        for name in ["packages.yml", "models/noisy.sql", "models/schema.yml"] {
            fs::remove_file(project.path().join(name)).unwrap();
        }
        project.write(
            "models/orders.sql",
            "select id from {{ source('raw', 'orders') }}\n",
        );
        change(&project);
        project
    };
    let twins = both(make, |runner| {
        runner.args(["--credentials", "none", "--steps", steps])
    });
    twins[0].run.assert_code(code);
    let all = twins[0].run.out() + &twins[0].run.err();
    assert!(
        all.contains(words),
        "dbt failed, but not as it was meant to: {}",
        twins[0].run
    );
    assert_same(&twins);
}

#[test]
fn a_failing_test() {
    fails("run,test", 1, "not_null_orders_id", |project| {
        project.write("models/orders.sql", "select cast(null as int) as id\n");
        project.write(
            "models/schema.yml",
            "models:\n  - name: orders\n    columns:\n      - name: \
            id\n        data_tests: [not_null]\n",
        );
    });
}

#[test]
fn a_model_that_the_database_refuses() {
    fails("run", 1, "no_such_column", |project| {
        project.write(
            "models/orders.sql",
            "select no_such_column from raw.orders\n",
        );
    });
}

#[test]
fn a_project_that_cannot_be_parsed() {
    fails("run", 2, "nowhere", |project| {
        project.write("models/orders.sql", "select id from {{ ref('nowhere') }}\n");
    });
}

#[test]
fn a_model_that_cannot_be_compiled() {
    fails("run", 2, "Expected an expression", |project| {
        project.write("models/orders.sql", "select {% if %} id\n");
    });
}

#[test]
fn a_package_that_is_not_installed() {
    fails("run", 2, "dbt deps", |project| {
        project.write(
            "packages.yml",
            "packages:\n  - local: local_packages/tiny\n",
        );
    });
}

#[test]
fn a_debug_that_fails() {
    fails("debug,run", 1, "nowhere", |project| {
        project.write(
            "profiles.yml",
            DUCKDB.replace("shop.duckdb", "/nowhere/shop.duckdb"),
        );
    });
}

#[test]
fn warnings_that_are_errors() {
    let twins = both(on_duckdb, |runner| {
        runner
            .args(["--credentials", "none", "--steps", "deps,run"])
            .env("DBT_WARN_ERROR", "true")
    });
    assert!(
        twins[0].run.code == Some(1) || twins[0].run.code == Some(2),
        "{}",
        twins[0].run
    );
    assert_same(&twins);
}

#[test]
fn an_option_that_dbt_does_not_know() {
    let twins = both(on_duckdb, |runner| {
        runner.args([
            "--credentials",
            "none",
            "--steps",
            "run",
            "--",
            "--no-such-option",
        ])
    });
    twins[0].run.assert_code(2);
    assert_same(&twins);
}
