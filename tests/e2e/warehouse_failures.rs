//! What goes wrong in a warehouse, with the real adapter: each fault ends the run at its step, with
//! dbt's code and dbt's words.

use std::net::TcpListener;

use crate::support::project::{Project, REDSHIFT_PROFILE, with_real_dbt};
use crate::support::repo;
use crate::support::result::Finished;
use crate::support::runner::Runner;
use crate::support::standin::Standin;

/// A small project: one source, two models, one test on each.
fn project() -> Project {
    let project = Project::new(REDSHIFT_PROFILE);
    let sources = "sources:\n  - name: raw\n    schema: raw\n    config:\n      loaded_at_field: \
        _loaded_at\n      \
                   freshness: {error_after: {count: 24, period: hour}}\n    tables:\n      - name: \
                   orders\n";
    project.write("models/sources.yml", sources);
    project.write(
        "models/orders.sql",
        "select id from {{ source('raw', 'orders') }}\n",
    );
    project.write(
        "models/big_orders.sql",
        "select id from {{ ref('orders') }} where id > 1\n",
    );
    let tests = "models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests: \
        [unique, not_null]\n";
    project.write("models/schema.yml", tests);
    project
}

fn database(age: &str) -> Standin {
    let standin = Standin::database();
    let sql = format!(
        "create schema raw authorization dbt_user; create table raw.orders as select n as id, \
            (now() at time zone 'utc') - interval '{age}' as _loaded_at from generate_series(1, 3) \
            n; grant select on raw.orders to dbt_user"
    );
    standin.sql(&sql);
    standin
}

fn runner(standin: &Standin, project: &Project, steps: &str) -> Runner {
    standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .args(["--steps", steps])
}

#[track_caller]
fn failed_at(run: &Finished, step: &str, code: i32) {
    run.assert_code(code);
    assert_eq!(run.closing()["status"], "failed", "{run}");
    assert_eq!(run.step(step)["status"], "failed", "{run}");
    assert_eq!(run.step(step)["exit_code"], code);
}

#[test]
fn a_wrong_password_fails_debug_with_1_and_shows_in_no_log() {
    let (standin, project) = (database("1 hour"), project());
    let run = runner(&standin, &project, "debug,run")
        .env("DBT_REDSHIFT_PASSWORD", "wrong-password-0123")
        .run();
    failed_at(&run, "debug", 1);
    assert_eq!(run.step("run")["status"], "skipped");
    run.assert_lacks(b"wrong-password-0123")
        .assert_lacks(standin.password().as_bytes());
    crate::support::sentinel::assert_folder_lacks(
        &project.path().join("logs"),
        b"wrong-password-0123",
    );
}

#[test]
fn an_unreachable_host_fails_debug_with_1() {
    let (standin, project) = (database("1 hour"), project());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let run = runner(&standin, &project, "debug,run")
        .env("DBT_REDSHIFT_PORT", port.to_string())
        .run();
    failed_at(&run, "debug", 1);
}

#[test]
fn a_failing_model_fails_run_with_1_and_is_named_with_its_message() {
    let (standin, project) = (database("1 hour"), project());
    project.write(
        "models/orders.sql",
        "select id, no_such_column from {{ source('raw', 'orders') }}\n",
    );
    let run = runner(&standin, &project, "run,test").run();
    failed_at(&run, "run", 1);
    let nodes = &run.step("run")["nodes"];
    assert_eq!(
        (nodes["error"].as_u64(), nodes["skipped"].as_u64()),
        (Some(1), Some(1)),
        "{run}"
    );
    let closing = run.closing();
    assert_eq!(closing["failed"][0]["node"], "model.shop.orders");
    assert!(
        closing["failed"][0]["message"]
            .as_str()
            .unwrap()
            .contains("no_such_column"),
        "{run}"
    );
    assert_eq!(run.step("test")["status"], "skipped");
}

#[test]
fn a_failing_test_fails_test_with_1_and_a_stale_source_fails_freshness_with_1() {
    let (standin, project) = (database("3 days"), project());
    standin.sql("insert into raw.orders select * from raw.orders");
    let yaml = "steps:\n  - run\n  - {name: test, command: [test], on_failure: continue}\n  - \
        freshness\n  - docs\n";
    project.write("dbt-entrypoint.yml", yaml);
    let run = standin
        .attach(with_real_dbt(Runner::new(project.path())))
        .run();
    failed_at(&run, "test", 1);
    assert_eq!(run.step("test")["nodes"]["error"], 1);
    assert_eq!(run.step("test")["nodes"]["success"], 1);
    if repo::engine() == "native" {
        // The dbt 2 of the tests checks no source, and calls that a success.
        run.assert_err_has(&["no sources.json"]);
        assert_eq!(run.step("freshness")["status"], "warned");
        return;
    }
    assert_eq!(run.step("freshness")["status"], "failed");
    assert_eq!(run.step("freshness")["nodes"]["error"], 1);
    assert_eq!(run.step("docs")["status"], "skipped");
    let closing = run.closing();
    let nodes: Vec<_> = closing["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["node"].as_str().unwrap())
        .collect();
    assert!(
        nodes
            .iter()
            .any(|node| node.starts_with("test.shop.unique_orders_id")),
        "{nodes:?}"
    );
    assert!(nodes.contains(&"source.shop.raw.orders"), "{nodes:?}");
}

#[test]
fn a_project_that_dbt_cannot_parse_is_2_and_1_with_dbt_2() {
    let (standin, project) = (database("1 hour"), project());
    project.write("models/orders.sql", "select id from {{ ref('nowhere') }}\n");
    let run = runner(&standin, &project, "run,test").run();
    if repo::engine() == "native" {
        failed_at(&run, "run", 1);
        let error = run.closing()["error"].to_string();
        assert!(error.contains("Ref 'nowhere' not found"), "{error}");
        return;
    }
    failed_at(&run, "run", 2);
    assert_eq!(
        run.step("run")["nodes"],
        serde_json::Value::Null,
        "no results were written: {run}"
    );
}

#[test]
fn a_password_full_of_odd_characters_logs_in() {
    let (standin, project) = (database("1 hour"), project());
    // What a shell, a URL, Jinja and YAML would each read in a way of their own.
    let mut odd = r#"p'w"$HOME`id`\\ {% raw %}{{ x }} #: & é日本"#.to_owned();
    if repo::engine() == "native" {
        // dbt 2 renders the value of a variable once more, and writes a blank as a plus.
        odd = odd.replace("{% raw %}{{ x }}", "%{x}").replace(' ', "");
    }
    let role = standin.database.clone();
    standin.sql(&format!(
        "create role {role} login password $pw${odd}$pw$; grant all on schema raw to {role}; grant \
            create on database {role} to {role}"
    ));
    let run = runner(&standin, &project, "debug")
        .env("DBT_REDSHIFT_USER", role)
        .env("DBT_REDSHIFT_PASSWORD", &odd)
        .run();
    run.assert_code(0).assert_lacks(odd.as_bytes());
}
