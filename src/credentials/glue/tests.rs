//! Owns the tests of the Glue Connection's shapes, on property maps and on faults made by hand.
//!
//! Never calls AWS.

use aws_config::{BehaviorVersion, Region};

use super::*;

fn planned(properties: &[(&str, &str)], secret_arn: Option<&str>) -> Result<Plan, Error> {
    plan(
        &properties_of(properties),
        secret_arn.map(str::to_owned),
        "the Glue Connection \"redshift\"",
    )
}

fn properties_of(properties: &[(&str, &str)]) -> Properties {
    let mut all = Properties::default();
    all.add(
        properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    all
}

fn password(connection: &Connection) -> Option<&[u8]> {
    connection.password.as_ref().map(Secret::expose)
}

fn of_secret() -> Connection {
    Connection {
        host: Some("secret-host".into()),
        port: Some(1111),
        user: Some("secret-user".into()),
        password: Some(Secret::new("secret-password")),
        database: Some("secret-db".into()),
        schema: Some("secret-schema".into()),
        ..Connection::default()
    }
}

const URL: (&str, &str) = ("JDBC_CONNECTION_URL", "jdbc:redshift://h:5440/d");

#[test]
fn user_name_and_password_come_first() {
    let everything = [
        URL,
        ("USERNAME", "u"),
        ("PASSWORD", " p$'\"\n"),
        ("SECRET_ID", "s"),
        ("ENCRYPTED_PASSWORD", "e"),
    ];
    let plan = planned(&everything, Some("arn")).unwrap();
    assert_eq!(plan.login, Login::Given);
    let connection = plan.complete(Connection::default());
    assert_eq!(password(&connection), Some(&b" p$'\"\n"[..]));
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.user.as_deref()
        ),
        (Some("h"), Some(5440), Some("u"))
    );
    assert_eq!(connection.database.as_deref(), Some("d"));
}

#[test]
fn then_the_secret_id_then_the_encrypted_password_then_the_secret_of_the_authentication() {
    let login = |properties: &[(&str, &str)], arn| planned(properties, arn).unwrap().login;
    let (secret, encrypted) = (("SECRET_ID", "s"), ("ENCRYPTED_PASSWORD", "e"));
    assert_eq!(
        login(&[URL, secret, encrypted], Some("arn")),
        Login::Secret("s".into())
    );
    assert_eq!(
        login(&[URL, ("USERNAME", "u"), encrypted], Some("arn")),
        Login::Encrypted("e".into())
    );
    assert_eq!(login(&[URL], Some("arn")), Login::Secret("arn".into()));
    assert_eq!(
        login(
            &[
                URL,
                ("USERNAME", "u"),
                ("PASSWORD", ""),
                ("SECRET_ID", ""),
                encrypted
            ],
            None
        ),
        Login::Encrypted("e".into())
    );
    assert_eq!(login(&[URL, ("PASSWORD", "p")], None), Login::Given);
    assert_eq!(login(&[URL], None), Login::Given);
}

#[test]
fn a_secret_fills_what_the_connection_lacks() {
    let connection = planned(&[URL, ("SECRET_ID", "s")], None)
        .unwrap()
        .complete(of_secret());
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.database.as_deref()
        ),
        (Some("h"), Some(5440), Some("d"))
    );
    assert_eq!(
        (connection.user.as_deref(), connection.schema.as_deref()),
        (Some("secret-user"), Some("secret-schema"))
    );
    assert_eq!(password(&connection), Some(&b"secret-password"[..]));

    let connection = planned(&[("USERNAME", "u"), ("SECRET_ID", "s")], None)
        .unwrap()
        .complete(of_secret());
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.user.as_deref()
        ),
        (Some("secret-host"), Some(1111), Some("u"))
    );

    // A password without a user name does not go with the user name of a secret.
    let connection = planned(&[URL, ("PASSWORD", "p"), ("SECRET_ID", "s")], None)
        .unwrap()
        .complete(of_secret());
    assert_eq!(password(&connection), Some(&b"secret-password"[..]));
}

#[test]
fn host_port_and_database_may_be_properties() {
    let place = [("HOST", "h"), ("PORT", "5441"), ("DATABASE", "d")];
    let connection = planned(&place, None)
        .unwrap()
        .complete(Connection::default());
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.database.as_deref()
        ),
        (Some("h"), Some(5441), Some("d"))
    );
    assert_eq!(
        planned(&[("HOST", "h")], None)
            .unwrap()
            .complete(Connection::default())
            .port,
        Some(5439)
    );
    assert_eq!(
        planned(&[("HOST", "h"), ("SECRET_ID", "s")], None)
            .unwrap()
            .complete(of_secret())
            .port,
        Some(1111)
    );
    assert_eq!(
        planned(&[], None)
            .unwrap()
            .complete(Connection::default())
            .port,
        None
    );

    let both = [
        ("JDBC_CONNECTION_URL", "jdbc:redshift://url"),
        ("HOST", "h"),
        ("PORT", "5441"),
        ("DATABASE", "d"),
    ];
    let connection = planned(&both, None)
        .unwrap()
        .complete(Connection::default());
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.database.as_deref()
        ),
        (Some("url"), Some(5439), Some("d"))
    );
}

#[test]
fn the_login_of_the_url_is_the_last_resort_and_so_is_its_schema() {
    let url = (
        "JDBC_CONNECTION_URL",
        "jdbc:redshift://h/d?user=url-user&password=url-password&currentSchema=url-schema",
    );
    let connection = planned(&[url], None)
        .unwrap()
        .complete(Connection::default());
    assert_eq!(
        (connection.user.as_deref(), connection.schema.as_deref()),
        (Some("url-user"), Some("url-schema"))
    );
    assert_eq!(password(&connection), Some(&b"url-password"[..]));

    let connection = planned(&[url, ("SECRET_ID", "s")], None)
        .unwrap()
        .complete(of_secret());
    assert_eq!(
        (connection.user.as_deref(), connection.schema.as_deref()),
        (Some("secret-user"), Some("secret-schema"))
    );
    assert_eq!(password(&connection), Some(&b"secret-password"[..]));
}

#[test]
fn malformed_properties_are_errors_without_values() {
    let error = planned(&[("HOST", "h"), ("PORT", "SENTINEL")], None).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        error.to_string(),
        "cannot use the Glue Connection \"redshift\""
    );
    assert_eq!(source, "the field \"PORT\" is not a number from 1 to 65535");
    let error = planned(&[("JDBC_CONNECTION_URL", "SENTINEL")], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use the JDBC_CONNECTION_URL of the Glue Connection \"redshift\""
    );
    assert_eq!(error.kind(), FaultKind::Invalid);
}

#[test]
fn a_denied_call_hints_at_the_permission() {
    let config = SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .behavior_version(BehaviorVersion::v2026_01_12())
        .build();
    let denied = |message: &str| Fault {
        kind: FaultKind::Denied,
        code: Some("AccessDeniedException".into()),
        status: Some(400),
        message: message.to_owned(),
        hint: None,
    };
    let user = "User: arn:aws:sts::123456789012:assumed-role/dbt/task is not authorized to perform";
    let error = failed(
        "redshift",
        "it",
        denied(&format!("{user}: glue:GetConnection")),
        &config,
    );
    assert_eq!(
        error.hint().unwrap(),
        "allow glue:GetConnection on arn:aws:glue:eu-west-1:123456789012:connection/redshift \
         and on arn:aws:glue:eu-west-1:123456789012:catalog"
    );
    let key = "arn:aws:kms:eu-west-1:123456789012:key/abc";
    let error = failed(
        "redshift",
        "it",
        denied(&format!("{user}: kms:Decrypt on resource: {key}")),
        &config,
    );
    assert_eq!(error.hint().unwrap(), format!("allow kms:Decrypt on {key}"));
    assert_eq!(error.kind(), FaultKind::Denied);
}

/// Properties, and the login: host:port user/password database schema, or where the rest is.
const NEWER: [(&[(&str, &str)], &str); 9] = [
    (
        &[
            ("HOST", "h"),
            ("PORT", "5440"),
            ("DATABASE", "d"),
            ("USERNAME", "u"),
            ("PASSWORD", "p"),
        ],
        "h:5440 u d",
    ),
    (
        &[("HOST", "h:5440/d"), ("USERNAME", "u"), ("PASSWORD", "p")],
        "h:5440 u d",
    ),
    (
        &[
            ("host", " h\n"),
            ("database_name", "d "),
            ("USERNAME", "u\n"),
            ("PASSWORD", "p"),
        ],
        "h:5439 u d",
    ),
    (
        &[
            ("JDBC_CONNECTION_URL", "jdbc:redshift://h:1/d\n"),
            ("USERNAME", "u"),
            ("PASSWORD", "p"),
        ],
        "h:1 u d",
    ),
    (
        &[
            ("CLUSTER_IDENTIFIER", "c"),
            ("DATABASE", "d"),
            ("USERNAME", "u"),
            ("PASSWORD", "p"),
        ],
        "-:- u d",
    ),
    (
        &[(
            "PythonProperties",
            r#"{"host":"h","port":5440,"database":"d","username":"u","password":"p"}"#,
        )],
        "h:5440 u d",
    ),
    (
        &[
            ("HOST", "h"),
            (
                "SparkProperties",
                r#"{"HOST":"other","url":"jdbc:redshift://x:1/d","USERNAME":"u","PASSWORD":"p"}"#,
            ),
        ],
        "h:1 u d",
    ),
    (
        &[("HOST", "h"), ("DATABASE", "d"), ("secretArn", "arn:x")],
        "h:5439 - d Secret(\"arn:x\")",
    ),
    (
        &[
            ("WORKGROUP_NAME", "w"),
            ("DATABASE", "d"),
            ("SECRET_ID", " s "),
        ],
        "-:- - d Secret(\"s\")",
    ),
];

#[test]
fn connections_as_newer_tools_make_them() {
    for (properties, expected) in NEWER {
        let plan = planned(properties, None).unwrap();
        let login = match &plan.login {
            Login::Given => String::new(),
            other => format!(" {other:?}"),
        };
        let connection = plan.complete(Connection::default());
        assert_eq!(connection.found[0], properties[0].0);
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let shown = format!(
            "{}:{} {} {}{login}",
            show(connection.host),
            show(connection.port.map(|port| port.to_string())),
            show(connection.user),
            show(connection.database),
        );
        assert_eq!(shown, expected, "{properties:?}");
    }
}

#[test]
fn a_url_for_iam_says_that_no_password_is_needed() {
    let plan = planned(&[("JDBC_CONNECTION_URL", "jdbc:redshift:iam://h/d")], None).unwrap();
    assert!(plan.complete(Connection::default()).is_for_iam);
    assert!(!planned(&[URL], None).unwrap().own.is_for_iam);
}
