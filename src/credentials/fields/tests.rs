//! Owns the tests of the fields: every spelling, and that no error repeats a value.
//!
//! Never needs AWS.

use proptest::prelude::*;

use super::*;

fn error(json: &str) -> String {
    from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_field_and_both_spellings() {
    let json = br#"{"host":"h","port":5439,"username":"u","password":"p","dbname":"d","schema":"s","engine":"redshift","extra":{"a":[1]}}"#;
    let connection = from_json(json).unwrap();
    assert_eq!(connection.host.as_deref(), Some("h"));
    assert_eq!(connection.port, Some(5439));
    assert_eq!(connection.user.as_deref(), Some("u"));
    assert_eq!(connection.password.unwrap().expose(), b"p");
    assert_eq!(connection.database.as_deref(), Some("d"));
    assert_eq!(connection.schema.as_deref(), Some("s"));

    let connection = from_json(br#"{"user":"u","database":"d","port":"5440"}"#).unwrap();
    assert_eq!(
        (
            connection.user.as_deref(),
            connection.database.as_deref(),
            connection.port
        ),
        (Some("u"), Some("d"), Some(5440))
    );
    let connection =
        from_json(br#"{"user":"second","username":"first","dbname":"","database":"d"}"#).unwrap();
    assert_eq!(
        (connection.user.as_deref(), connection.database.as_deref()),
        (Some("first"), Some("d"))
    );
}

#[test]
fn what_is_null_or_empty_is_missing() {
    let connection =
        from_json(br#"{"host":null,"port":"","password":"","username":null}"#).unwrap();
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
        "it is not a JSON object (line 1, column 10)"
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
        from_json(b"{\"host\":\"\xff\"}").unwrap_err().to_string(),
        "it is not a JSON object (line 1, column 10)"
    );
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
        let fetched = from_json(json.as_bytes()).unwrap().password;
        prop_assert_eq!(fetched.as_ref().map_or(&b""[..], Secret::expose), password.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(json in any::<Vec<u8>>()) {
        let _ = from_json(&json);
    }
}
