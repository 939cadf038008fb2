//! Owns the address of a log stream in CloudWatch's console.
//!
//! Pure. Never asks whether the stream is there.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// Where the log of a container can be read, by the metadata that ECS gives it.
pub(crate) fn log_address(metadata: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Container {
        #[serde(rename = "LogOptions")]
        options: Options,
    }
    #[derive(Deserialize)]
    struct Options {
        #[serde(rename = "awslogs-group")]
        group: String,
        #[serde(rename = "awslogs-region")]
        region: String,
        #[serde(rename = "awslogs-stream")]
        stream: String,
    }
    let container: Container = serde_json::from_slice(metadata).ok()?;
    let Options {
        group,
        region,
        stream,
    } = container.options;
    let is_region = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    if region.is_empty() || !region.bytes().all(is_region) {
        return None;
    }
    let domain = match region.split('-').next() {
        Some("cn") => "console.amazonaws.cn".to_owned(),
        Some("us") if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com".to_owned(),
        _ => format!("{region}.console.aws.amazon.com"),
    };
    Some(format!(
        "https://{domain}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}\
         /log-events/{}",
        encoded(&group),
        encoded(&stream)
    ))
}

/// As the console writes it: escaped twice, with `$` for the outer `%`.
fn encoded(name: &str) -> String {
    let once = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    once.replace('%', "$25")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &str) -> Option<String> {
        log_address(format!("{{\"LogDriver\": \"awslogs\", \"LogOptions\": {options}}}").as_bytes())
    }

    #[test]
    fn the_stream_is_named_as_the_console_names_it() {
        let address = of(
            r#"{"awslogs-group": "/ecs/shop-live", "awslogs-region": "eu-west-1",
            "awslogs-stream": "dbt/dbt/0123ab"}"#,
        );
        let expected = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1\
            #logsV2:log-groups/log-group/$252Fecs$252Fshop$252Dlive/log-events/\
            dbt$252Fdbt$252F0123ab";
        assert_eq!(address.as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_stream_has_no_address() {
        for options in [
            "{}",
            "null",
            r#"{"awslogs-group": "g", "awslogs-region": "evil.example/", "awslogs-stream": "s"}"#,
            r#"{"awslogs-group": "g", "awslogs-region": "", "awslogs-stream": "s"}"#,
            r#"{"awslogs-group": "g", "awslogs-region": "eu-west-1"}"#,
        ] {
            assert_eq!(of(options), None, "{options}");
        }
        let china = of(r#"{"awslogs-group": "g", "awslogs-region": "cn-north-1",
            "awslogs-stream": "s"}"#);
        assert!(china.unwrap().starts_with("https://console.amazonaws.cn/"));
    }
}
