//! Logins as people have them: secrets in every spelling, Airflow's connections, URIs, the ARNs of
//! ECS, endpoints as the console shows them, newer Glue Connections. Each report is one line.
//!
//! What is not taken says what was found, by names and never by values, and what to do.

use serde_json::{Value, json};

use crate::support::aws::{Aws, REGION};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::http::Message;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::unique;
use crate::support::result::Finished;

/// `exec -- env` with a login from that source, over these variables.
fn asked(source: &str, given: &[(&str, &str)], endpoint: &str) -> Finished {
    let scene = Scene::healthy();
    let runner =
        Aws::attach_at(scene.bare_runner(), endpoint).args(["exec", "--credentials", source]);
    given
        .iter()
        .fold(runner, |runner, (name, value)| runner.env(name, value))
        .args(["--", "env"])
        .run()
}

#[track_caller]
fn login(run: &Finished) -> String {
    run.assert_code(0);
    let out = run.out();
    let value = |name: &str| {
        let line = out
            .lines()
            .find_map(|line| line.strip_prefix(&format!("DBT_REDSHIFT_{name}=")));
        line.unwrap_or("-").to_owned()
    };
    format!(
        "{}:{} {} {} {}",
        value("HOST"),
        value("PORT"),
        value("USER"),
        value("DB"),
        value("SCHEMA")
    )
}

fn secret(text: &str) -> String {
    Aws::shared().secret(&unique("secret"), &text.replace("%PW%", PASSWORD_IN_JSON))
}

/// `PASSWORD` as JSON writes it, without the quotes around it.
const PASSWORD_IN_JSON: &str = "Sentinel-7f3a9c'\\\"$&";

type Given = &'static [(&'static str, &'static str)];

/// A secret in which `%PW%` stands for the password, what follows its ARN, variables, the login.
const TAKEN: [(&str, &str, Given, &str); 15] = [
    // Encoded twice, as by Terraform's jsonencode of what is JSON already.
    (
        r#""{\"user\":\"u\",\"password\":\"p-123456\",\"host\":\"h\",\"db\":\"d\"}""#,
        "",
        &[("DBT_REDSHIFT_SCHEMA", "s")],
        "h:5439 u d s",
    ),
    (
        r#""redshift://u:p-12345678@h:5440/d?schema=s""#,
        "",
        &[],
        "h:5440 u d s",
    ),
    // ECS hands on the object under a key as JSON.
    (
        r#"{"live":{"host":"h","user":"u","password":"%PW%","db":"d","schema":"s"}}"#,
        ":live::",
        &[],
        "h:5439 u d s",
    ),
    (
        r#"{"host":"h:5440/d/","user":"u","password":"%PW%","schema":"s"}"#,
        "",
        &[],
        "h:5440 u d s",
    ),
    (
        r#"{"HOST":"h","PORT":"5440","USERNAME":"u","PASSWORD":"%PW%","DBNAME":"d","SCHEMA":"s"}"#,
        "",
        &[],
        "h:5440 u d s",
    ),
    (
        r#"{"login":"u","password":"%PW%","host":"h","schema":"d"}"#,
        "",
        &[("DBT_REDSHIFT_SCHEMA", "s")],
        "h:5439 u d s",
    ),
    // The same where the database is known otherwise.
    (
        r#"{"login":"u","password":"%PW%","host":"h","schema":"s"}"#,
        "",
        &[("DBT_REDSHIFT_DB", "d")],
        "h:5439 u d s",
    ),
    (
        r#"{"conn_type":"redshift","login":"u","password":"%PW%","host":"h","schema":"d"}"#,
        "",
        &[("DBT_REDSHIFT_SCHEMA", "s")],
        "h:5439 u d s",
    ),
    (
        "redshift://u:p-12345678%40@h:5440/d?schema=s",
        "",
        &[],
        "h:5440 u d s",
    ),
    (
        r#"{"host":"h.redshift.amazonaws.com:5440/d","user":"u","password":"%PW%","schema":"s"}"#,
        "",
        &[],
        "h.redshift.amazonaws.com:5440 u d s",
    ),
    (
        r#"{"host":"h\n","user":" u ","password":"%PW%","db":"d\r\n","schema":"s\n"}"#,
        "",
        &[],
        "h:5439 u d s",
    ),
    (
        r#"{"host":"h","user":"u","password":"%PW%","db":"d","schema":"s"}"#,
        ":password::",
        &[],
        "h:5439 u d s",
    ),
    (
        r#"{"host":"h","user":"u","password":"%PW%","db":"d","schema":"s"}"#,
        "::AWSCURRENT:",
        &[],
        "h:5439 u d s",
    ),
    (
        r#"{"user":"u","password":"%PW%"}"#,
        "",
        &[
            ("DBT_REDSHIFT_HOST", "h.redshift.amazonaws.com:5440/d"),
            ("DBT_REDSHIFT_SCHEMA", "s"),
        ],
        "h.redshift.amazonaws.com:5440 u d s",
    ),
    // A service of Kubernetes with that name.
    (
        r#"{"host":"h","port":5440,"user":"u","password":"%PW%","db":"d","schema":"s"}"#,
        "",
        &[("DBT_REDSHIFT_PORT", "tcp://10.0.0.1:5439")],
        "h:5440 u d s",
    ),
];

#[test]
fn secrets_as_people_have_them() {
    for (text, suffix, given, expected) in TAKEN {
        let source = format!("secretsmanager:{}{suffix}", secret(text));
        let run = asked(&source, given, &Aws::shared().endpoint());
        assert_eq!(login(&run), expected, "{text} {suffix} {given:?}");
    }
}

/// A secret, what follows its ARN, variables, the code, and what the message says.
const REFUSED: [(&str, &str, Given, i32, &[&str]); 9] = [
    (
        r#"{"usr":"SENTINEL-1","passwort":"SENTINEL-2"}"#,
        "",
        &[],
        65,
        &["no host", "usr, passwort"],
    ),
    (
        r#"{"user":"u","password":"%PW%"}"#,
        ":passwort::",
        &[],
        65,
        &["\"passwort\"", "user, password"],
    ),
    (
        r#"{"host":"h","user":"u","db":"d","schema":"s",
            "password":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:SENTINEL"}"#,
        "",
        &[],
        65,
        &["the password from secretsmanager:", "reference", "hint: "],
    ),
    (
        r#"{"host":"h","user":"u","db":"d","schema":"s",
            "password":"{{resolve:secretsmanager:SENTINEL}}"}"#,
        "",
        &[],
        65,
        &["reference", "hint: "],
    ),
    (
        r#"{"host":"h","user":"u","password":"%PW%","db":"d","schema":"s"}"#,
        "",
        &[(
            "DBT_REDSHIFT_PASSWORD",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/SENTINEL",
        )],
        65,
        &["DBT_REDSHIFT_PASSWORD", "reference"],
    ),
    (
        r#"{"host":"SENTINEL:port/d","user":"u","password":"%PW%","schema":"s"}"#,
        "",
        &[],
        65,
        &["\"host\"", "port"],
    ),
    (
        "SENTINEL",
        "",
        &[],
        65,
        &["not a JSON object", "connection URI"],
    ),
    (
        "redshift://u:SENTINEL@h:port/d",
        "",
        &[],
        65,
        &["connection URI", "port"],
    ),
    (
        "{}",
        "",
        &[("DBT_REDSHIFT_HOST", "h:x/d")],
        64,
        &["DBT_REDSHIFT_HOST", "port"],
    ),
];

#[test]
fn what_is_not_taken_is_told_by_its_names() {
    for (text, suffix, given, code, parts) in REFUSED {
        let source = format!("secretsmanager:{}{suffix}", secret(text));
        let run = asked(&source, given, &Aws::shared().endpoint());
        assert_eq!(run.code, Some(code), "{text} {suffix} {given:?}: {run}");
        run.assert_err_has(parts)
            .assert_lacks(b"SENTINEL")
            .assert_lacks(PASSWORD.as_bytes());
    }
}

#[test]
fn what_is_set_is_looked_at_before_anything_is_fetched() {
    let proxy = FaultProxy::before(Aws::shared());
    for (name, value, code) in [
        ("DBT_REDSHIFT_PORT", "5439a", 64),
        ("DBT_REDSHIFT_PORT", "0", 64),
        ("DBT_REDSHIFT_HOST", "h:x", 64),
        ("DBT_REDSHIFT_PASSWORD", "{{resolve:ssm:x}}", 65),
    ] {
        let run = asked("secretsmanager:x", &[(name, value)], &proxy.endpoint());
        run.assert_code(code).assert_err_has(&[name]);
    }
    assert_eq!(proxy.count("GetSecretValue"), 0);
    let ignored = [("DBT_REDSHIFT_PORT", "tcp://10.0.0.1:5439")];
    let run = asked("secretsmanager:x", &ignored, &proxy.endpoint());
    run.assert_code(65)
        .assert_err_has(&["WARN", "DBT_REDSHIFT_PORT is ignored"]);
}

/// A Glue Connection as the API answers, since moto keeps fewer members.
fn glue(connection: &Value) -> FaultProxy {
    let answer = Message::new("HTTP/1.1 200 OK")
        .header("Content-Type", "application/x-amz-json-1.1")
        .body(json!({ "Connection": connection }).to_string());
    FaultProxy::before(Aws::shared()).on("GetConnection", Fault::Answer(answer))
}

#[test]
fn newer_glue_connections() {
    let arn = secret(r#"{"username":"u","password":"%PW%"}"#);
    let python = json!({"host": "h", "port": "5440", "database": "d", "username": "u",
        "password": PASSWORD});
    for (connection, expected) in [
        (
            json!({"ConnectionType": "REDSHIFT", "ConnectionProperties":
                {"HOST": "h", "PORT": "5440", "DATABASE": "d", "WORKGROUP_NAME": "w",
                    "SECRET_ID": arn}}),
            "h:5440 u d s",
        ),
        (
            json!({"ConnectionProperties": {"HOST": "h:5440/d", "CLUSTER_IDENTIFIER": "c"},
                "AuthenticationConfiguration":
                    {"AuthenticationType": "BASIC", "SecretArn": arn}}),
            "h:5440 u d s",
        ),
        (
            json!({"ConnectionProperties": {}, "PythonProperties": python}),
            "h:5440 u d s",
        ),
        (
            json!({"ConnectionProperties": {"PythonProperties": python.to_string()}}),
            "h:5440 u d s",
        ),
        (
            json!({"ConnectionProperties": {"JDBC_CONNECTION_URL": "jdbc:redshift://h:5440/d\n",
                                            "USERNAME": " u\n", "PASSWORD": PASSWORD}}),
            "h:5440 u d s",
        ),
    ] {
        let proxy = glue(&connection);
        let run = asked("glue:x", &[("DBT_REDSHIFT_SCHEMA", "s")], &proxy.endpoint());
        assert_eq!(login(&run), expected, "{connection}");
    }
}

#[test]
fn glue_connections_that_lack_something_say_what_to_do() {
    let iam = "jdbc:redshift:iam://h:5439/d";
    for (connection, parts) in [
        (
            json!({"ConnectionProperties": {"JDBC_CONNECTION_URL": iam, "USERNAME": "u"}}),
            &["no password", "--credentials none", "method: iam"][..],
        ),
        (
            json!({"ConnectionProperties": {"HOST": "h", "DATABASE": "d", "ROLE_ARN": "arn:x"},
                   "AuthenticationConfiguration": {"AuthenticationType": "IAM"}}),
            &[
                "no password",
                "--credentials none",
                "method: iam",
                "ROLE_ARN",
            ],
        ),
        (
            json!({"ConnectionProperties":
                {"JDBC_CONNECTION_URL": "jdbc:redshift:iam://c:eu-west-1/d"}}),
            &["--credentials none", "method: iam"],
        ),
        (
            json!({"ConnectionProperties": {"CLUSTER_IDENTIFIER": "c", "DATABASE": "d",
                "USERNAME": "u", "PASSWORD": PASSWORD}}),
            &["no host", "CLUSTER_IDENTIFIER", "describe-clusters"],
        ),
        (
            json!({"ConnectionProperties": {"WORKGROUP_NAME": "w", "DATABASE": "d"}}),
            &["no host", "WORKGROUP_NAME", "get-workgroup"],
        ),
    ] {
        let proxy = glue(&connection);
        let run = asked("glue:x", &[("DBT_REDSHIFT_SCHEMA", "s")], &proxy.endpoint());
        run.assert_code(65)
            .assert_err_has(parts)
            .assert_lacks(PASSWORD.as_bytes());
    }
}

#[test]
fn parameters_without_a_known_name_are_listed() {
    let path = format!("/{}/redshift", unique("dbt"));
    Aws::shared().parameter(&format!("{path}/benutzer"), "SENTINEL", "String");
    let run = asked(&format!("ssm:{path}"), &[], &Aws::shared().endpoint());
    run.assert_code(65)
        .assert_err_has(&["there are benutzer"])
        .assert_lacks(b"SENTINEL");
}

/// What AWS says of the policy that stands in the way, and what the hint makes of it.
#[test]
fn the_policy_that_stands_in_the_way_is_named() {
    for (why, hint, lacks) in [
        (
            "because no identity-based policy allows it",
            "hint: allow glue:GetConnection on ",
            "lift",
        ),
        (
            "with an explicit deny in a service control policy",
            "hint: remove the explicit deny of glue:GetConnection on ",
            "hint: allow",
        ),
        (
            "because no VPC endpoint policy allows the glue:GetConnection action",
            "in the policy of the VPC endpoint",
            "lift",
        ),
    ] {
        let arn = format!("arn:aws:glue:{REGION}:123456789012:connection/x");
        let text = format!(
            "User: arn:aws:sts::123456789012:assumed-role/dbt/1 is not authorized to perform: \
             glue:GetConnection on resource: {arn} {why}"
        );
        let proxy = FaultProxy::before(Aws::shared()).on(
            "GetConnection",
            Fault::json(400, "AccessDeniedException", &text),
        );
        let run = asked("glue:x", &[], &proxy.endpoint());
        run.assert_code(77).assert_err_has(&[hint, &arn]);
        assert!(!run.err().contains(lacks), "{run}");
    }
}
