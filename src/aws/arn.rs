//! Owns Amazon Resource Names as far as hints need them: building one, and finding parts of one in
//! what AWS says.
//!
//! Never checks that a name exists; what is not known becomes `*`, so that the hint still reads as
//! a policy resource.

use aws_config::SdkConfig;

/// The ARN of `resource` (such as `connection/redshift`) in the region of `config`. The account id
/// is the one that AWS mentions in its
/// `message`, since asking for it would take another call and another permission.
pub(crate) fn build(service: &str, config: &SdkConfig, message: &str, resource: &str) -> String {
    let region = config.region().map(AsRef::as_ref);
    let account = account_in(message).unwrap_or("*");
    format!(
        "arn:{}:{service}:{}:{account}:{resource}",
        partition(region),
        region.unwrap_or("*")
    )
}

/// The partition that a region lies in.
pub(crate) fn partition(region: Option<&str>) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let region = region.unwrap_or_default();
    PREFIXES
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix))
        .map_or("aws", |(_, partition)| partition)
}

/// The region of an ARN, if `name` is one.
pub(crate) fn region_of(name: &str) -> Option<&str> {
    let region = name.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then_some(region)
}

/// The account id in the first ARN of a message, such as `User:
/// arn:aws:sts::123456789012:assumed-role/dbt/task is not authorized …`.
pub(crate) fn account_in(message: &str) -> Option<&str> {
    arns_in(message)
        .filter_map(|arn| arn.split(':').nth(4))
        .find(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The first ARN of `service` in a message.
pub(crate) fn of_service_in<'a>(service: &str, message: &'a str) -> Option<&'a str> {
    arns_in(message).find(|arn| arn.split(':').nth(2) == Some(service))
}

fn arns_in(message: &str) -> impl Iterator<Item = &str> {
    message
        .split(|char: char| char.is_whitespace() || "\"'(),;".contains(char))
        .filter(|word| word.starts_with("arn:"))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;

    const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/dbt/task is not authorized \
        to perform: kms:Decrypt on resource: \
                          arn:aws:kms:eu-west-1:123456789012:key/abc because no identity-based \
                          policy allows it";

    fn config(region: Option<&'static str>) -> SdkConfig {
        let mut builder = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12());
        builder.set_region(region.map(Region::from_static));
        builder.build()
    }

    #[test]
    fn what_is_not_known_is_a_star() {
        let known = build(
            "glue",
            &config(Some("eu-west-1")),
            DENIED,
            "connection/redshift",
        );
        assert_eq!(
            known,
            "arn:aws:glue:eu-west-1:123456789012:connection/redshift"
        );
        assert_eq!(
            build("glue", &config(Some("cn-north-1")), "no", "catalog"),
            "arn:aws-cn:glue:cn-north-1:*:catalog"
        );
        assert_eq!(
            build("glue", &config(None), "", "catalog"),
            "arn:aws:glue:*:*:catalog"
        );
    }

    #[test]
    fn partitions() {
        for (region, expected) in [
            (Some("eu-west-1"), "aws"),
            (Some("us-gov-west-1"), "aws-us-gov"),
            (Some("cn-northwest-1"), "aws-cn"),
            (Some("us-isob-east-1"), "aws-iso-b"),
            (None, "aws"),
        ] {
            assert_eq!(partition(region), expected);
        }
    }

    #[test]
    fn parts_are_found_in_messages() {
        assert_eq!(account_in(DENIED), Some("123456789012"));
        assert_eq!(account_in("arn:aws:s3:::bucket is private"), None);
        assert_eq!(
            of_service_in("kms", DENIED),
            Some("arn:aws:kms:eu-west-1:123456789012:key/abc")
        );
        assert_eq!(of_service_in("glue", DENIED), None);
    }

    #[test]
    fn the_region_of_an_arn() {
        assert_eq!(
            region_of("arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-b"),
            Some("eu-central-1")
        );
        assert_eq!(region_of("arn:aws:s3:::bucket"), None);
        assert_eq!(region_of("prod/redshift"), None);
    }
}
