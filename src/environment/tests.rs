//! Owns the tests of what a child's environment holds, what won over what, and what counts as
//! secret.
//!
//! Never starts a child.

use std::path::PathBuf;

use super::*;
use crate::cli::CommonArgs;
use crate::config;
use crate::setting::{self, Flags};

/// The parts of a login in the order of their variables below.
const NAMES: [&str; 5] = [
    "DBT_REDSHIFT_HOST",
    "DBT_REDSHIFT_USER",
    "DBT_REDSHIFT_PASSWORD",
    "DBT_REDSHIFT_DB",
    "DBT_REDSHIFT_SCHEMA",
];

fn fetched() -> Connection {
    Connection {
        host: Some("fetched-host".into()),
        port: Some(5440),
        user: Some("fetched-user".into()),
        password: Some(Secret::new("fetched-password")),
        database: Some("fetched-db".into()),
        schema: Some("fetched_schema".into()),
        ..Connection::default()
    }
}

/// The settings of a command in `/srv` with these variables.
fn settings(credentials: &str, variables: &[(&str, &[u8])]) -> Config {
    let mut all: Variables = [
        ("DBT_ENTRYPOINT_CREDENTIALS".into(), credentials.into()),
        ("PROJECT_NAME".into(), "shop".into()),
    ]
    .into();
    all.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).into(), OsString::from_vec(value.to_vec()))),
    );
    config::resolve(
        &CommonArgs::default(),
        &config::Files::read(&CommonArgs::default()),
        &all,
        std::path::Path::new("/srv"),
    )
    .unwrap()
}

fn compose_with(variables: &[(&str, &[u8])], connection: &Connection) -> Environment {
    compose(&settings("glue:redshift", variables), connection, true).unwrap()
}

fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a [u8]> {
    environment
        .variables
        .get(OsStr::new(name))
        .map(|value| value.as_bytes())
}

#[track_caller]
fn origin<'a>(environment: &'a Environment, name: &str) -> &'a str {
    let found: Vec<&Injected> = environment
        .injected
        .iter()
        .filter(|injected| injected.name == name)
        .collect();
    assert_eq!(found.len(), 1, "{name} in {:?}", environment.injected);
    &found[0].origin
}

#[test]
fn the_settings_say_where_they_were_given() {
    let environment = compose_with(&[("ENV", b"dev")], &fetched());
    for (name, expected) in [
        ("ENV", "variable ENV"),
        ("PROJECT_NAME", "variable PROJECT_NAME"),
        ("DBT_ENTRYPOINT_DEPLOYMENTS", "default"),
    ] {
        assert_eq!(origin(&environment, name), expected);
    }
}

/// Variables that are set, and host, port, database and schema that dbt gets.
#[test]
fn what_is_set_in_other_shapes_is_put_right() {
    for (given, expected) in [
        (
            &[("DBT_REDSHIFT_HOST", &b"h:5/d"[..])][..],
            ["h", "5", "d", "fetched_schema"],
        ),
        (
            &[("DBT_REDSHIFT_HOST", b"h:5")],
            ["h", "5", "fetched-db", "fetched_schema"],
        ),
        (
            &[("DBT_REDSHIFT_HOST", b"h/d")],
            ["h", "5440", "d", "fetched_schema"],
        ),
        (
            &[
                ("DBT_REDSHIFT_HOST", b"h:5/d"),
                ("DBT_REDSHIFT_PORT", b"6"),
                ("DBT_REDSHIFT_DB", b"e"),
            ],
            ["h", "6", "e", "fetched_schema"],
        ),
        (
            &[("DBT_REDSHIFT_HOST", b"::1")],
            ["::1", "5440", "fetched-db", "fetched_schema"],
        ),
        (
            &[("DBT_REDSHIFT_PORT", b"tcp://10.0.0.1:5439")],
            ["fetched-host", "5440", "fetched-db", "fetched_schema"],
        ),
        (
            &[
                ("DBT_REDSHIFT_PORT", b"udp://10.0.0.1:1"),
                ("DBT_REDSHIFT_HOST", b"h:5"),
            ],
            ["h", "5", "fetched-db", "fetched_schema"],
        ),
    ] {
        let environment = compose_with(given, &fetched());
        let names = ["HOST", "PORT", "DB", "SCHEMA"].map(|name| format!("DBT_REDSHIFT_{name}"));
        for (name, expected) in names.iter().zip(expected) {
            assert_eq!(
                value(&environment, name),
                Some(expected.as_bytes()),
                "{given:?} {name}"
            );
            origin(&environment, name);
        }
    }
}

/// What Airflow calls a schema is the database, unless that is known.
#[test]
fn a_schema_of_airflow_is_the_database_or_the_schema() {
    let connection = |database: Option<&str>, schema: Option<&str>| Connection {
        database: database.map(str::to_owned),
        schema: schema.map(str::to_owned),
        database_or_schema: Some("either".into()),
        ..fetched()
    };
    for (given, connection, expected) in [
        (
            &[("DBT_REDSHIFT_SCHEMA", &b"s"[..])][..],
            connection(None, None),
            ("either", "s"),
        ),
        (
            &[("DBT_REDSHIFT_DB", b"d")],
            connection(None, None),
            ("d", "either"),
        ),
        (&[], connection(Some("d"), None), ("d", "either")),
        (&[], connection(None, Some("s")), ("either", "s")),
    ] {
        let environment = compose_with(given, &connection);
        let found = |name| value(&environment, name).map(String::from_utf8_lossy);
        assert_eq!(
            found("DBT_REDSHIFT_DB").as_deref(),
            Some(expected.0),
            "{given:?}"
        );
        assert_eq!(
            found("DBT_REDSHIFT_SCHEMA").as_deref(),
            Some(expected.1),
            "{given:?}"
        );
    }
}

#[test]
fn a_reference_or_a_malformed_value_is_refused_by_name() {
    for (name, given, expected) in [
        (
            "DBT_REDSHIFT_PASSWORD",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/x",
            "reference",
        ),
        ("DBT_REDSHIFT_USER", "{{resolve:ssm:x}}", "reference"),
        ("DBT_REDSHIFT_PORT", "5439/dev", "not a port"),
        ("DBT_REDSHIFT_PORT", "", ""),
        ("DBT_REDSHIFT_HOST", "h:port", "cannot read"),
    ] {
        let config = settings("glue:redshift", &[(name, given.as_bytes())]);
        match validate(&config) {
            Ok(_) => assert!(expected.is_empty(), "{name} {given}"),
            Err(error) => {
                let message = error.to_string();
                assert!(
                    message.contains(expected) && message.contains(name),
                    "{message}"
                );
            }
        }
        let untouched = settings("none", &[(name, given.as_bytes())]);
        assert!(validate(&untouched).is_ok());
    }
}

#[test]
fn what_was_fetched_is_injected() {
    let environment = compose_with(&[("PATH", b"/bin")], &fetched());
    for (name, expected) in [
        ("DBT_REDSHIFT_HOST", "fetched-host"),
        ("DBT_REDSHIFT_PORT", "5440"),
        ("DBT_REDSHIFT_USER", "fetched-user"),
        ("DBT_REDSHIFT_PASSWORD", "fetched-password"),
        ("DBT_REDSHIFT_DB", "fetched-db"),
        ("DBT_REDSHIFT_SCHEMA", "fetched_schema"),
    ] {
        assert_eq!(
            value(&environment, name),
            Some(expected.as_bytes()),
            "{name}"
        );
        assert_eq!(origin(&environment, name), "glue:redshift");
    }
    assert_eq!(
        value(&environment, "DBT_ENV_SECRET_REDSHIFT_PASSWORD"),
        Some(&b"fetched-password"[..])
    );
    assert_eq!(
        origin(&environment, "DBT_ENV_SECRET_REDSHIFT_PASSWORD"),
        "the same as DBT_REDSHIFT_PASSWORD"
    );
    assert_eq!(value(&environment, "PATH"), Some(&b"/bin"[..]));
    assert_eq!(environment.overridden, Vec::<&str>::new());
}

#[test]
fn what_is_set_wins_and_is_named() {
    for name in NAMES.into_iter().chain(["DBT_REDSHIFT_PORT"]) {
        let own: &[u8] = if name == "DBT_REDSHIFT_PORT" {
            b"1234"
        } else {
            b"own value"
        };
        let environment = compose_with(&[(name, own)], &fetched());
        assert_eq!(value(&environment, name), Some(own), "{name}");
        assert_eq!(environment.overridden, [name]);
        let expected = if name == "DBT_REDSHIFT_SCHEMA" {
            "variable DBT_REDSHIFT_SCHEMA"
        } else {
            "environment"
        };
        assert_eq!(origin(&environment, name), expected);
        // What is empty does not win, and what was not fetched is not won over.
        let environment = compose_with(&[(name, b"")], &fetched());
        assert!(
            value(&environment, name)
                .unwrap()
                .starts_with(if name == "DBT_REDSHIFT_PORT" {
                    b"5440"
                } else {
                    b"fetched"
                }),
            "{name}"
        );
        assert_eq!(environment.overridden, Vec::<&str>::new());
    }
    let all: Vec<(&str, &[u8])> = NAMES.iter().map(|name| (*name, &b"own"[..])).collect();
    assert_eq!(
        compose_with(&all, &Connection::default()).overridden,
        Vec::<&str>::new()
    );
    assert_eq!(compose_with(&all, &fetched()).overridden, NAMES);
    let environment = compose_with(&[("DBT_REDSHIFT_PASSWORD", b"own-password")], &fetched());
    assert_eq!(
        value(&environment, "DBT_ENV_SECRET_REDSHIFT_PASSWORD"),
        Some(&b"own-password"[..])
    );
}

#[test]
fn an_env_file_wins_over_what_was_fetched_and_is_named() {
    let mut config = settings("glue:redshift", &[("DBT_REDSHIFT_USER", b"ada")]);
    config.from_env_file.insert("DBT_REDSHIFT_USER".into());
    let environment = compose(&config, &fetched(), true).unwrap();
    assert_eq!(
        (
            value(&environment, "DBT_REDSHIFT_USER"),
            origin(&environment, "DBT_REDSHIFT_USER")
        ),
        (Some(&b"ada"[..]), "--env-file")
    );
}

#[test]
fn the_port_has_a_default_except_for_another_database() {
    let login = Connection {
        port: None,
        ..fetched()
    };
    let environment = compose_with(&[], &login);
    assert_eq!(
        (
            value(&environment, "DBT_REDSHIFT_PORT"),
            origin(&environment, "DBT_REDSHIFT_PORT")
        ),
        (Some(&b"5439"[..]), "default")
    );
    let environment = compose(&settings("none", &[]), &Connection::default(), true).unwrap();
    assert_eq!(value(&environment, "DBT_REDSHIFT_PORT"), None);
    for port in [&b"0"[..], b"65536", b"-1", b"54a", b"5439 ", b"\xff"] {
        let refused = compose(
            &settings("glue:redshift", &[("DBT_REDSHIFT_PORT", port)]),
            &fetched(),
            true,
        );
        assert_eq!(
            refused.unwrap_err().to_string(),
            "DBT_REDSHIFT_PORT is not a port number; expected 1 to 65535"
        );
        // Whatever a project on another database means by it.
        compose(
            &settings("none", &[("DBT_REDSHIFT_PORT", port)]),
            &Connection::default(),
            true,
        )
        .unwrap();
    }
}

#[test]
fn every_missing_field_is_named_in_one_error_and_no_value() {
    let refused = |variables: &[(&str, &[u8])], connection: &Connection| {
        let error = compose(&settings("glue:redshift", variables), connection, true).unwrap_err();
        (error.to_string(), error.hint().unwrap())
    };
    let (error, hint) = refused(&[], &Connection::default());
    assert_eq!(
        error,
        "the login from glue:redshift is incomplete: no host, no user, no password, no database, \
            no schema"
    );
    assert_eq!(
        hint,
        format!(
            "add what is missing to the source, or set {}",
            NAMES.join(", ")
        )
    );
    let empty = Connection {
        user: Some(String::new()),
        password: Some(Secret::new("")),
        schema: Some(String::new()),
        ..fetched()
    };
    let (error, hint) = refused(&[("DBT_REDSHIFT_HOST", b"SENTINEL")], &empty);
    assert_eq!(
        error,
        "the login from glue:redshift is incomplete: no user, no password, no schema"
    );
    assert!(!hint.contains("SENTINEL"));
    // The variables may supply what the source lacks.
    let rest: Vec<(&str, &[u8])> = NAMES[1..].iter().map(|name| (*name, &b"own"[..])).collect();
    compose(
        &settings("glue:redshift", &rest),
        &Connection {
            host: fetched().host,
            ..Connection::default()
        },
        true,
    )
    .unwrap();
}

#[test]
fn with_no_credentials_nothing_is_demanded_and_what_is_there_is_handed_on() {
    let environment = compose(
        &settings("none", &[("DBT_REDSHIFT_USER", b"ada")]),
        &Connection::default(),
        true,
    )
    .unwrap();
    assert_eq!(value(&environment, "DBT_REDSHIFT_USER"), Some(&b"ada"[..]));
    for name in [
        "DBT_REDSHIFT_HOST",
        "DBT_REDSHIFT_PASSWORD",
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD",
        "DBT_REDSHIFT_SCHEMA",
    ] {
        assert_eq!(value(&environment, name), None, "{name}");
    }
}

#[test]
fn any_bytes_arrive_as_they_are() {
    let odd: Vec<u8> = (1..=255).collect();
    let connection = Connection {
        password: Some(Secret::new(odd.clone())),
        user: Some("ü $(id) '\"\\ \n".into()),
        ..fetched()
    };
    let environment = compose_with(
        &[("OTHER", b"\xff\xfe x \n"), ("DBT_REDSHIFT_HOST", b"h\xff")],
        &connection,
    );
    assert_eq!(value(&environment, "DBT_REDSHIFT_PASSWORD"), Some(&odd[..]));
    assert_eq!(
        value(&environment, "DBT_ENV_SECRET_REDSHIFT_PASSWORD"),
        Some(&odd[..])
    );
    assert_eq!(
        value(&environment, "DBT_REDSHIFT_USER"),
        Some("ü $(id) '\"\\ \n".as_bytes())
    );
    assert_eq!(
        value(&environment, "DBT_REDSHIFT_HOST"),
        Some(&b"h\xff"[..])
    );
    assert_eq!(value(&environment, "OTHER"), Some(&b"\xff\xfe x \n"[..]));
}

#[test]
fn the_resolved_settings_go_to_dbt_with_absolute_directories() {
    let variables: &[(&str, &[u8])] = &[
        ("ENV", b""),
        ("DBT_PROJECT_DIR", b"./jobs/dbt/"),
        ("DBT_PROFILES_DIR", b"profiles"),
        ("DBT_ENTRYPOINT_DEPLOYMENTS", b"dev, live ,stage"),
    ];
    let environment = compose_with(variables, &fetched());
    for (name, expected) in [
        ("ENV", "local"),
        ("PROJECT_NAME", "shop"),
        ("DBT_PROJECT_DIR", "/srv/jobs/dbt"),
        ("DBT_PROFILES_DIR", "/srv/profiles"),
        ("DBT_ENTRYPOINT_DEPLOYMENTS", "dev,live,stage"),
    ] {
        assert_eq!(
            value(&environment, name),
            Some(expected.as_bytes()),
            "{name}"
        );
    }
    let mut config = settings("none", &[]);
    (config.profiles_dir, config.project_name) = (None, None);
    config.project_dir = PathBuf::from(OsString::from_vec(b"/odd/\xff".to_vec()));
    let environment = compose(&config, &Connection::default(), true).unwrap();
    assert_eq!(value(&environment, "DBT_PROFILES_DIR"), None);
    assert_eq!(
        value(&environment, "DBT_PROJECT_DIR"),
        Some(&b"/odd/\xff"[..])
    );
}

#[test]
fn a_schema_by_flag_wins_over_the_variable_and_what_was_fetched() {
    let args = CommonArgs {
        flags: Flags::of(&[
            (&setting::SCHEMA, "flag"),
            (&setting::CREDENTIALS, "glue:x"),
        ]),
        ..CommonArgs::default()
    };
    let variables: Variables = [("DBT_REDSHIFT_SCHEMA".into(), "variable".into())].into();
    let config = config::resolve(
        &args,
        &config::Files::read(&args),
        &variables,
        std::path::Path::new("/srv"),
    )
    .unwrap();
    let environment = compose(&config, &fetched(), true).unwrap();
    assert_eq!(
        value(&environment, "DBT_REDSHIFT_SCHEMA"),
        Some(&b"flag"[..])
    );
    assert_eq!(
        (
            origin(&environment, "DBT_REDSHIFT_SCHEMA"),
            &environment.overridden[..]
        ),
        ("--schema", &["DBT_REDSHIFT_SCHEMA"][..])
    );
}

#[test]
fn dbt_is_told_about_colours_and_log_format_unless_the_user_said_so() {
    let colours = |coloured, variables: &[(&str, &[u8])]| {
        let environment = compose(
            &settings("none", variables),
            &Connection::default(),
            coloured,
        )
        .unwrap();
        value(&environment, "DBT_USE_COLORS").map(<[u8]>::to_vec)
    };
    assert_eq!(colours(true, &[]), None);
    assert_eq!(colours(false, &[]).as_deref(), Some(&b"false"[..]));
    assert_eq!(
        colours(false, &[("DBT_USE_COLORS", b"true")]).as_deref(),
        Some(&b"true"[..])
    );
    assert_eq!(colours(false, &[("DBT_ENGINE_USE_COLORS", b"true")]), None);
    let json: &[(&str, &[u8])] = &[
        ("DBT_ENTRYPOINT_LOG_FORMAT", b"json"),
        ("DBT_LOG_FORMAT", b"text"),
        ("DBT_ENGINE_LOG_FORMAT", b"text"),
    ];
    let environment = compose(&settings("none", json), &Connection::default(), true).unwrap();
    assert_eq!(value(&environment, "DBT_LOG_FORMAT"), Some(&b"json"[..]));
    assert_eq!(value(&environment, "DBT_ENGINE_LOG_FORMAT"), None);
    assert_eq!(
        value(&compose_with(&[], &fetched()), "DBT_LOG_FORMAT"),
        None
    );
}

#[test]
fn the_secrets_are_the_password_what_dbt_scrubs_and_the_keys_of_aws() {
    let variables: &[(&str, &[u8])] = &[
        ("DBT_ENV_SECRET_GIT_TOKEN", b"token"),
        ("DBT_ENV_SECRET_EMPTY", b""),
        ("DBT_ENV_PLAIN", b"plain"),
        ("AWS_ACCESS_KEY_ID", b"AKIA"),
        ("AWS_SECRET_ACCESS_KEY", b"key"),
        ("AWS_SESSION_TOKEN", b"session\xff"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", b"Basic YWRh"),
    ];
    let environment = compose_with(variables, &fetched());
    let found: Vec<(&str, &[u8])> = environment
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.expose()))
        .collect();
    let expected: [(&str, &[u8]); 6] = [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", b"Basic YWRh"),
        ("AWS_SECRET_ACCESS_KEY", b"key"),
        ("AWS_SESSION_TOKEN", b"session\xff"),
        ("DBT_ENV_SECRET_GIT_TOKEN", b"token"),
        ("DBT_ENV_SECRET_REDSHIFT_PASSWORD", b"fetched-password"),
        ("DBT_REDSHIFT_PASSWORD", b"fetched-password"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_fetched_password_that_lost_to_a_variable_is_still_a_secret() {
    let environment = compose_with(&[("DBT_REDSHIFT_PASSWORD", b"set-password")], &fetched());
    let values: Vec<&[u8]> = environment
        .secrets
        .iter()
        .map(|(_, secret)| secret.expose())
        .collect();
    let expected: [&[u8]; 3] = [b"set-password", b"set-password", b"fetched-password"];
    assert_eq!(values, expected);
}
