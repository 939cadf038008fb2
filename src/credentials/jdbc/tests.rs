//! Owns the tests of the JDBC parser: tables of what people write, and properties.
//!
//! Never needs anything but text.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(url: &str, host: &str, port: u16, database: Option<&str>) -> Connection {
    let connection = parse(url).unwrap();
    assert_eq!(connection.host.as_deref(), Some(host), "{url}");
    assert_eq!(connection.port, Some(port), "{url}");
    assert_eq!(connection.database.as_deref(), database, "{url}");
    connection
}

#[test]
fn host_port_and_database() {
    check(
        "jdbc:redshift://c.abc.eu-west-1.redshift.amazonaws.com:5439/dev",
        "c.abc.eu-west-1.redshift.amazonaws.com",
        5439,
        Some("dev"),
    );
    check("JDBC:RedShift://h:1/d", "h", 1, Some("d"));
    check(
        "jdbc:redshift:iam://h.example:5440/d",
        "h.example",
        5440,
        Some("d"),
    );
    check(
        "jdbc:Redshift:IAM://h.example/d",
        "h.example",
        5439,
        Some("d"),
    );
    check("jdbc:postgresql://h:5432/d", "h", 5432, Some("d"));
    check("jdbc:redshift://h/d", "h", 5439, Some("d"));
    check("jdbc:redshift://h:/d", "h", 5439, Some("d"));
    check("jdbc:redshift://h", "h", 5439, None);
    check("jdbc:redshift://h:65535", "h", 65535, None);
    check("jdbc:redshift://h:5439/", "h", 5439, None);
    check("  jdbc:redshift://h:5439/d", "h", 5439, Some("d"));
    check("jdbc:redshift://h:5439/d \r\n", "h", 5439, Some("d"));
    check("jdbc:redshift://[::1]:5439/d", "::1", 5439, Some("d"));
    check(
        "jdbc:redshift://[2001:db8::5]/d",
        "2001:db8::5",
        5439,
        Some("d"),
    );
    check(
        "jdbc:redshift://10.0.0.1:5439/d",
        "10.0.0.1",
        5439,
        Some("d"),
    );
    check(
        "jdbc:redshift://my_host-1:5439/d%20%C3%BC%2Fx",
        "my_host-1",
        5439,
        Some("d ü/x"),
    );
}

#[test]
fn parameters_in_every_spelling() {
    for url in [
        "jdbc:redshift://h/d?user=u&password=p%26%3D%20x&currentSchema=s",
        "jdbc:redshift://h/d?ssl=true&USER=u&Password=p%26%3D%20x&CURRENTSCHEMA=s",
        "jdbc:redshift://h/d;UID=u;PWD=p%26%3D%20x;currentschema=s",
        "jdbc:redshift://h/d;UID=u?PWD=p%26%3D%20x&currentSchema=s",
        "jdbc:redshift://h/d?UID=u;PWD=p%26%3D%20x;currentSchema=s",
        "jdbc:redshift://h/d?username=u&ssl&=&&pwd=p%26%3D%20x;;currentSchema=s%2Cpublic",
        "jdbc:redshift://u:p%26%3D%20x@h/d?currentSchema=s",
        "jdbc:redshift://other:wrong@h/d?currentSchema=s&user=u&password=p%26%3D%20x",
    ] {
        let connection = check(url, "h", 5439, Some("d"));
        assert_eq!(connection.user.as_deref(), Some("u"), "{url}");
        assert_eq!(
            connection.password.as_ref().map(Secret::expose),
            Some(&b"p&= x"[..]),
            "{url}"
        );
        assert_eq!(connection.schema.as_deref(), Some("s"), "{url}");
    }
    let connection = check("jdbc:redshift://h;UID=u", "h", 5439, None);
    assert_eq!(connection.user.as_deref(), Some("u"));
    let connection = check("jdbc:redshift://h?password=a+b?c%zz%ff", "h", 5439, None);
    assert_eq!(connection.password.unwrap().expose(), b"a+b?c%zz\xff");
    let connection = check("jdbc:redshift://a%40b@h/d?password=", "h", 5439, Some("d"));
    assert_eq!(connection.user.as_deref(), Some("a@b"));
    assert!(connection.password.is_none());
}

#[test]
fn what_does_not_lead_to_a_warehouse_is_refused() {
    for (url, expected) in [
        ("", Error::NotJdbc),
        ("redshift://h:5439/d", Error::NotJdbc),
        ("jdbc:mysql://h:3306/d", Error::Protocol),
        ("jdbc:", Error::Protocol),
        ("jdbc:redshift:serverless://h/d", Error::Protocol),
        ("jdbc:redshift:h:5439/d", Error::NoHost),
        ("jdbc:postgresql:d", Error::NoHost),
        ("jdbc:redshift:///d", Error::NoHost),
        ("jdbc:redshift://:5439/d", Error::NoHost),
        ("jdbc:redshift://h1:5439,h2:5439/d", Error::SeveralHosts),
        ("jdbc:redshift://h:0/d", Error::Port),
        ("jdbc:redshift://h:65536/d", Error::Port),
        ("jdbc:redshift://h:-1/d", Error::Port),
        ("jdbc:redshift://h:+1/d", Error::Port),
        ("jdbc:redshift://h:port/d", Error::Port),
        ("jdbc:redshift://[::1]:x/d", Error::Port),
        ("jdbc:redshift://::1:5439/d", Error::Host),
        ("jdbc:redshift://[::1/d", Error::Host),
        ("jdbc:redshift://[::1]5439/d", Error::Host),
        ("jdbc:redshift://[not-an-address]:5439/d", Error::Host),
        ("jdbc:redshift://h h:5439/d", Error::Host),
        ("jdbc:redshift:iam://cluster-id:eu-west-1/d", Error::Cluster),
        (
            "jdbc:redshift:iam:///d?ClusterID=c&Region=eu-west-1",
            Error::Cluster,
        ),
        (
            "jdbc:redshift://h/%ff",
            Error::Encoding { part: "database" },
        ),
    ] {
        assert_eq!(parse(url).unwrap_err(), expected, "{url}");
    }
}

#[test]
fn an_endpoint_is_taken_apart() {
    for (text, host, port, database) in [
        (
            "h.redshift.amazonaws.com:5439/dev",
            "h.redshift.amazonaws.com",
            Some(5439),
            Some("dev"),
        ),
        ("h:5439", "h", Some(5439), None),
        ("h/dev", "h", None, Some("dev")),
        (" h:5439/dev\n", "h", Some(5439), Some("dev")),
        ("redshift://h:5439/dev", "h", Some(5439), Some("dev")),
        (
            "jdbc:redshift://h:5439/dev?ssl=true",
            "h",
            Some(5439),
            Some("dev"),
        ),
        ("h:5439/dev/", "h", Some(5439), Some("dev")),
        ("https://h/", "h", None, None),
        ("u:p@h:1/d", "h", Some(1), Some("d")),
        ("[::1]:5439/dev", "::1", Some(5439), Some("dev")),
        ("[::1]", "::1", None, None),
    ] {
        assert!(is_endpoint(text), "{text}");
        let expected = Endpoint {
            host: host.to_owned(),
            port,
            database: database.map(str::to_owned),
        };
        assert_eq!(take_apart(text).unwrap(), expected, "{text}");
    }
    for text in ["h", "h.example.com", "::1", "2001:db8::5", "10.0.0.1", ""] {
        assert!(!is_endpoint(text), "{text}");
    }
    for text in ["h:port/dev", ":5439/dev", "/dev", "h:0", "a:b:c"] {
        assert!(is_endpoint(text) && take_apart(text).is_err(), "{text}");
    }
}

#[test]
fn no_error_repeats_a_password() {
    for url in [
        "jdbc:mysql://u:SENTINEL@h/d",
        "jdbc:redshift://u:SEN/TINEL@h/d",
        "jdbc:redshift://u:SENTINEL@h:x/d",
        "jdbc:redshift://u:SENTINEL@h1,h2/d",
        "jdbc:redshift://u:SENTINEL@h/%ff",
        "jdbc:redshift://h:x/d?password=SENTINEL",
        "jdbc:redshift:iam://u:SENTINEL@c:eu-west-1/d",
        "SENTINEL",
    ] {
        let error = parse(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SEN"), "{error:?}");
    }
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9][a-z0-9.-]{0,40}",
        any::<[u8; 16]>().prop_map(|address| Ipv6Addr::from(address).to_string())
    ]
}

proptest! {
    #[test]
    fn any_input_is_read_or_refused(url in any::<String>(), tail in any::<String>()) {
        let _ = parse(&url);
        let _ = parse(&format!("jdbc:redshift://{tail}"));
        let _ = parse(&format!("jdbc:redshift:iam://h{tail}"));
    }

    #[test]
    fn a_rendered_url_parses_back_to_its_parts(
        host in host(),
        port in 1_u16..,
        database in any::<String>(),
        user in any::<String>(),
        password in any::<String>(),
        schema in "[a-z_]{0,20}",
        semicolons in any::<bool>(),
    ) {
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (first, next) = if semicolons { (';', ';') } else { ('?', '&') };
        let place = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let url = format!(
            "jdbc:redshift://{place}:{port}/{}{first}user={}{next}password={}{next}\
             currentSchema={schema}",
            escape(&database), escape(&user), escape(&password),
        );
        let connection = parse(&url).unwrap();
        prop_assert_eq!(connection.host, Some(host));
        prop_assert_eq!(connection.port, Some(port));
        prop_assert_eq!(connection.database.unwrap_or_default(), database);
        prop_assert_eq!(connection.user.unwrap_or_default(), user);
        prop_assert_eq!(connection.password.as_ref().map_or(&b""[..], Secret::expose),
            password.as_bytes());
        prop_assert_eq!(connection.schema.unwrap_or_default(), schema);
    }
}
