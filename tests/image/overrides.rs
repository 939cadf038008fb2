//! `docker run -e`: each variable that would be injected wins over what was fetched, and only that
//! one.

use std::collections::BTreeMap;

use serde_json::json;

use crate::container::{Container, writable};
use crate::engine::needs_engine;
use crate::support::aws::Aws;
use crate::support::project::{PASSWORD, Project, REDSHIFT_PROFILE};
use crate::support::repo::unique;
use crate::support::result::Finished;

/// In hexadecimal, which no redaction touches.
const PRINT: &str = "import os, json; print(json.dumps({name: os.environb[name.encode()].hex() for \
    name in os.environ}))";

const FETCHED: [(&str, &str); 12] = [
    ("DBT_REDSHIFT_HOST", "warehouse.example.com"),
    ("DBT_REDSHIFT_PORT", "5440"),
    ("DBT_REDSHIFT_USER", "fetched_user"),
    ("DBT_REDSHIFT_PASSWORD", PASSWORD),
    ("DBT_REDSHIFT_SCHEMA", "fetched_schema"),
    ("DBT_REDSHIFT_DB", "fetched_db"),
    ("DBT_ENV_SECRET_REDSHIFT_PASSWORD", PASSWORD),
    ("ENV", "local"),
    ("PROJECT_NAME", "shop"),
    ("DBT_ENTRYPOINT_DEPLOYMENTS", "dev,live"),
    ("DBT_PROJECT_DIR", "/app/dbt"),
    ("DBT_PROFILES_DIR", "/app/dbt"),
];

/// What a program in the container finds in its environment.
fn environment(source: &str, overrides: &[(&str, &str)]) -> (BTreeMap<String, String>, Finished) {
    environment_in(Container::new(), source, overrides)
}

fn environment_in(
    container: Container,
    source: &str,
    overrides: &[(&str, &str)],
) -> (BTreeMap<String, String>, Finished) {
    let container = container
        .env("DBT_ENTRYPOINT_CREDENTIALS", source)
        .with(|runner| Aws::shared().attach(runner));
    let container = overrides
        .iter()
        .fold(container, |container, (name, value)| {
            container.env(name, value)
        });
    let run = container
        .args(["exec", "--", "/usr/bin/python3", "-I", "-c", PRINT])
        .run();
    run.assert_code(0);
    let hex: BTreeMap<String, String> =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
    let decode = |hex: &str| {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).unwrap()
    };
    (
        hex.iter()
            .map(|(name, value)| (name.clone(), decode(value)))
            .collect(),
        run,
    )
}

#[test]
fn every_injected_variable_can_be_overridden_by_itself() {
    needs_engine!();
    let name = unique("connection");
    let url = "jdbc:redshift://warehouse.example.com:5440/fetched_db?currentSchema=fetched_schema";
    let properties =
        json!({"JDBC_CONNECTION_URL": url, "USERNAME": "fetched_user", "PASSWORD": PASSWORD});
    Aws::shared().connection(&name, &properties, &json!({}));
    let source = format!("glue:{name}");

    let (fetched, _) = environment(&source, &[]);
    for (name, value) in FETCHED {
        assert_eq!(
            fetched.get(name).map(String::as_str),
            Some(value),
            "{name} without an override"
        );
    }
    for (name, value) in [
        ("DBT_REDSHIFT_HOST", "other.example.com"),
        ("DBT_REDSHIFT_PORT", "6000"),
        ("DBT_REDSHIFT_USER", "other_user"),
        ("DBT_REDSHIFT_PASSWORD", "Other $ecret 'of' \"mine\" \\ ü"),
        ("DBT_REDSHIFT_SCHEMA", "other_schema"),
        ("DBT_REDSHIFT_DB", "other_db"),
        ("ENV", "alice"),
        ("PROJECT_NAME", "other_project"),
        ("DBT_ENTRYPOINT_DEPLOYMENTS", "prod"),
        ("DBT_PROFILES_DIR", "/home/dbt"),
    ] {
        let (found, run) = environment(&source, &[(name, value)]);
        for (other, expected) in FETCHED {
            // Two names of one value.
            let follows =
                name == "DBT_REDSHIFT_PASSWORD" && other == "DBT_ENV_SECRET_REDSHIFT_PASSWORD";
            let expected = if other == name || follows {
                value
            } else {
                expected
            };
            assert_eq!(
                found.get(other).map(String::as_str),
                Some(expected),
                "{other} with an override of {name}: {run}"
            );
        }
        if name.starts_with("DBT_REDSHIFT_") {
            run.assert_err_has(&[name]);
        }
        run.assert_lacks(value_if_secret(name, value).as_bytes());
    }

    // The other name of the password has no value of its own.
    let (found, _) = environment(
        &source,
        &[("DBT_ENV_SECRET_REDSHIFT_PASSWORD", "another-password")],
    );
    assert_eq!(found["DBT_ENV_SECRET_REDSHIFT_PASSWORD"], PASSWORD);

    // A project elsewhere, which brings its own profiles.
    let project = Project::new(REDSHIFT_PROFILE);
    let container = Container::new().mount(writable(project.path()), "/other/shop");
    let (found, run) = environment_in(container, &source, &[("DBT_PROJECT_DIR", "/other/shop")]);
    for (name, expected) in FETCHED {
        let expected = if name.ends_with("_DIR") {
            "/other/shop"
        } else {
            expected
        };
        assert_eq!(
            found.get(name).map(String::as_str),
            Some(expected),
            "{name} with another project: {run}"
        );
    }
}

/// The password is secret wherever it comes from; the other values may be seen.
fn value_if_secret<'a>(name: &str, value: &'a str) -> &'a str {
    if name == "DBT_REDSHIFT_PASSWORD" {
        value
    } else {
        PASSWORD
    }
}
