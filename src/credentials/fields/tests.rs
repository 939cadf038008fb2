//! Owns the tests of the fields: every spelling, and that no error repeats a value.
//!
//! Never needs AWS.

use proptest::prelude::*;

use super::*;

fn error(json: &str) -> String {
    from_secret(json.as_bytes(), None).unwrap_err().to_string()
}

#[test]
fn every_field_and_both_spellings() {
    let json = br#"{"host":"h","port":5439,"username":"u","password":"p","dbname":"d","schema":"s",
        "engine":"redshift","extra":{"a":[1]}}"#;
    let connection = from_secret(json, None).unwrap();
    assert_eq!(connection.host.as_deref(), Some("h"));
    assert_eq!(connection.port, Some(5439));
    assert_eq!(connection.user.as_deref(), Some("u"));
    assert_eq!(connection.password.unwrap().expose(), b"p");
    assert_eq!(connection.database.as_deref(), Some("d"));
    assert_eq!(connection.schema.as_deref(), Some("s"));

    let connection = from_secret(br#"{"user":"u","database":"d","port":"5440"}"#, None).unwrap();
    assert_eq!(
        (
            connection.user.as_deref(),
            connection.database.as_deref(),
            connection.port
        ),
        (Some("u"), Some("d"), Some(5440))
    );
    let connection = from_secret(
        br#"{"user":"second","username":"first","dbname":"","database":"d"}"#,
        None,
    )
    .unwrap();
    assert_eq!(
        (connection.user.as_deref(), connection.database.as_deref()),
        (Some("first"), Some("d"))
    );
}

#[test]
fn what_is_null_or_empty_is_missing() {
    let connection = from_secret(
        br#"{"host":null,"port":"","password":"","username":null}"#,
        None,
    )
    .unwrap();
    assert!(
        connection.host.is_none()
            && connection.port.is_none()
            && connection.password.is_none()
            && connection.user.is_none()
    );
}

#[test]
fn no_error_repeats_a_value() {
    assert_eq!(
        error("SENTINEL"),
        "it is not a JSON object (line 1, column 1)"
    );
    assert_eq!(
        error("\"SENTINEL\""),
        "it is not a JSON object (line 1, column 1)"
    );
    assert_eq!(
        error("{\n\"password\": SENTINEL}"),
        "it is not a JSON object (line 2, column 13)"
    );
    assert_eq!(
        error(r#"{"password":12345678}"#),
        r#"the field "password" must be a string, not a number"#
    );
    assert_eq!(
        error(r#"{"password":["SENTINEL"]}"#),
        r#"the field "password" must be a string, not a list"#
    );
    assert_eq!(
        error(r#"{"user":{"a":"SENTINEL"}}"#),
        r#"the field "user" must be a string, not an object"#
    );
    assert_eq!(
        error(r#"{"port":true}"#),
        r#"the field "port" must be a number or a string, not a boolean"#
    );
    for port in ["0", "65536", "-1", "5439.5", "\"SENTINEL\"", "1e3"] {
        assert_eq!(
            error(&format!(r#"{{"port":{port}}}"#)),
            r#"the field "port" is not a number from 1 to 65535"#
        );
    }
    assert_eq!(error("[1]"), "it is not a JSON object (line 1, column 0)");
    assert_eq!(
        from_secret(b"{\"host\":\"\xff\"}", None)
            .unwrap_err()
            .to_string(),
        "it is not a JSON object (line 1, column 10)"
    );
}

/// A secret as people have it, the key of an ARN, and the login: host:port user/password
/// database schema, `-` for what is missing, the last with a question mark where it may be either.
const LOGINS: [(&str, &str, &str); 32] = [
    (r#"{"USERNAME":"u","PASSWORD":"p"}"#, "", "-:- u/p - -"),
    (
        r#"{"Host":"h","Port":"5440","User":"u","Password":"p","DbName":"d","Schema":"s"}"#,
        "",
        "h:5440 u/p d s",
    ),
    (
        r#"{"HOSTNAME":"h","login":"u","pass":"p","db":"d","schema":"s"}"#,
        "",
        "h:- u/p d s",
    ),
    (
        r#"{"db_host":"h","db_port":1,"db_user":"u","db_password":"p","db_name":"d",
            "db_schema":"s"}"#,
        "",
        "h:1 u/p d s",
    ),
    (
        r#"{"DBT_REDSHIFT_HOST":"h","DBT_REDSHIFT_USER":"u","DBT_REDSHIFT_PASSWORD":"p",
            "DBT_REDSHIFT_DB":"d","DBT_REDSHIFT_SCHEMA":"s","DBT_REDSHIFT_PORT":"7"}"#,
        "",
        "h:7 u/p d s",
    ),
    (
        r#"{"redshift-user":"u","redshift-password":"p"}"#,
        "",
        "-:- u/p - -",
    ),
    // Airflow: what it calls the schema is the database.
    (
        r#"{"conn_type":"redshift","login":"u","password":"p","host":"h","port":5439,
            "schema":"d","extra":"{}"}"#,
        "",
        "h:5439 u/p d -",
    ),
    (
        r#"{"conn_type":"postgres","login":"u","password":"p","host":"h","schema":"d",
            "dbname":"e"}"#,
        "",
        "h:- u/p e d",
    ),
    (
        r#"{"login":"u","password":"p","host":"h","schema":"d"}"#,
        "",
        "h:- u/p - - d?",
    ),
    (
        r#"{"username":"u","password":"p","host":"h","schema":"s"}"#,
        "",
        "h:- u/p - s",
    ),
    // Connection URIs.
    (
        "redshift://u:p%40%2F@h:5440/d?schema=s",
        "",
        "h:5440 u/p@/ d s",
    ),
    ("postgres://u:p@h/d", "", "h:5439 u/p d -"),
    (
        "postgresql://u:p@[::1]:5432/d?currentSchema=s",
        "",
        "::1:5432 u/p d s",
    ),
    ("redshift+psycopg2://u:p@h:1/d\n", "", "h:1 u/p d -"),
    ("POSTGRESQL://u@h/d", "", "h:5439 u/- d -"),
    (
        "jdbc:redshift://h:5440/d?user=u&password=p",
        "",
        "h:5440 u/p d -",
    ),
    (
        r#"{"uri":"redshift://u:p@h:2/d","schema":"s"}"#,
        "",
        "h:2 u/p d s",
    ),
    (
        r#"{"url":"https://wiki.example","host":"h"}"#,
        "",
        "h:- -/- - -",
    ),
    (
        r#"{"jdbc_url":"jdbc:redshift://h:3/d","username":"u","password":"p"}"#,
        "",
        "h:3 u/p d -",
    ),
    // A host that carries more, and blanks.
    (
        r#"{"host":"h.redshift.amazonaws.com:5439/dev"}"#,
        "",
        "h.redshift.amazonaws.com:5439 -/- dev -",
    ),
    (
        r#"{"host":"h:5439/dev","port":"1","dbname":"e"}"#,
        "",
        "h:1 -/- e -",
    ),
    (r#"{"endpoint":"h:5439/dev"}"#, "", "h:5439 -/- dev -"),
    (r#"{"host":"https://h"}"#, "", "h:- -/- - -"),
    (r#"{"host":"::1"}"#, "", "::1:- -/- - -"),
    (
        r#"{"host":" h\n","port":" 5 \n","user":"u\r\n","password":" p\n","dbname":"\td"}"#,
        "",
        "h:5 u/ p\n d -",
    ),
    (r#"{"host":" ","port":" ","user":"\n"}"#, "", "-:- -/- - -"),
    // What ECS puts behind an ARN.
    (
        r#"{"host":"h","username":"u","password":"p","dbname":"d"}"#,
        "password",
        "h:- u/p d -",
    ),
    (
        r#"{"host":"h","pw":"p","password":"other"}"#,
        "pw",
        "h:- -/p - -",
    ),
    (
        r#"{"redshift":"{\"host\":\"h\",\"password\":\"p\"}"}"#,
        "redshift",
        "h:- -/p - -",
    ),
    // Other things under names that are also aliases.
    (
        r#"{"host":"h","endpoint":{"a":1},"server":[1],"uri":7,"pass":true}"#,
        "",
        "h:- -/- - -",
    ),
    (
        r#"{"username":"first","Username":"last"}"#,
        "",
        "-:- last/- - -",
    ),
    ("\u{feff}{\"user\":\"u\"}", "", "-:- u/- - -"),
];

#[test]
fn secrets_as_people_have_them() {
    for (text, key, expected) in LOGINS {
        let key = (!key.is_empty()).then_some(key);
        let login =
            from_secret(text.as_bytes(), key).unwrap_or_else(|error| panic!("{text}: {error}"));
        let show = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let password = login.password.as_ref();
        let mut shown = format!(
            "{}:{} {}/{} {} {}",
            show(login.host),
            show(login.port.map(|port| port.to_string())),
            show(login.user),
            show(password.map(|password| String::from_utf8_lossy(password.expose()).into_owned())),
            show(login.database),
            show(login.schema),
        );
        if let Some(either) = login.database_or_schema {
            shown = format!("{shown} {either}?");
        }
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_named_and_what_is_there_without_a_value() {
    let error = |text: &str, key| from_secret(text.as_bytes(), key).unwrap_err();
    let missing = error(r#"{"user":"SENTINEL","b":1}"#, Some("password"));
    assert_eq!(
        missing.to_string(),
        r#"it has no field "password", which the ARN asks for; it holds user, b"#
    );
    for text in [
        r#"{"host":"SENTINEL:x/d"}"#,
        "redshift://u:SENTINEL@h:x/d",
        r#"{"password":["SENTINEL"]}"#,
        "SENTINEL",
    ] {
        let error = error(text, None);
        assert!(
            !format!("{error} {error:?}").contains("SENTINEL"),
            "{error:?}"
        );
    }
    let login = from_secret(br#"{"foo":"SENTINEL","bar":1}"#, None).unwrap();
    assert_eq!(login.found, ["foo", "bar"]);
}

#[test]
fn parameters_by_name() {
    let pairs = [
        ("host", "h"),
        ("port", "5439"),
        ("password", " p\n"),
        ("username", "u"),
        ("note", "n"),
    ];
    let connection = from_pairs(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .unwrap();
    assert_eq!(
        (
            connection.host.as_deref(),
            connection.port,
            connection.user.as_deref()
        ),
        (Some("h"), Some(5439), Some("u"))
    );
    assert_eq!(connection.password.unwrap().expose(), b" p\n");
}

proptest! {
    #[test]
    fn any_password_arrives_byte_for_byte(password in any::<String>()) {
        let json = serde_json::json!({ "password": password }).to_string();
        let fetched = from_secret(json.as_bytes(), None).unwrap().password;
        prop_assert_eq!(fetched.as_ref().map_or(&b""[..], Secret::expose), password.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(json in any::<Vec<u8>>()) {
        let _ = from_secret(&json, None);
    }
}
