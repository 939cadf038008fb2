//! Owns what the SDK is told of the environment: the variables of the run, as the AWS CLI takes
//! them.
//!
//! Never changes what dbt gets, and never adds a part of a Redshift login. What the SDK would choke
//! on is a fault here that names the variable.

use std::collections::HashMap;
use std::ffi::OsStr;

use crate::config::Variables;

/// UTF-8, without what is empty; one region and one profile.
pub(super) type SdkVariables = HashMap<String, String>;

/// Under this name the SDK looks for the region and the profile.
pub(super) const REGION: &str = "AWS_REGION";
pub(super) const PROFILE: &str = "AWS_PROFILE";

const TOKEN: &str = "AWS_SESSION_TOKEN";

/// The SDK would pass over a value that it does not know.
const CHECKSUMS: &str = "AWS_REQUEST_CHECKSUM_CALCULATION";

/// What the SDK makes headers, file names and addresses of. No line end belongs into any of these,
/// and one that came along from a file makes it fail in words that name no variable, or panic.
const SINGLE_LINES: [&str; 17] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Makes the environment of this process what the SDK is to see: it reads nothing else. What the
/// SDK starts (`credential_process`) inherits it; dbt has an environment of its own.
///
/// # Safety
/// No other thread may run yet: it could read the environment meanwhile.
#[expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the SDK takes its variables from nowhere else; nothing reads them yet"
)]
pub(crate) unsafe fn adopt(variables: &Variables) {
    let (read, _) = read(variables);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_str().is_none_or(|name| !read.contains_key(name))) {
        if is_for_the_sdk(&name) {
            // SAFETY: no other thread runs, as the caller vouches.
            unsafe { std::env::remove_var(name) };
        }
    }
    for (name, value) in read
        .iter()
        .filter(|(name, _)| is_for_the_sdk(OsStr::new(name)))
    {
        // SAFETY: the same; no value that is UTF-8 and comes from an environment or from a line of
        // a file holds a NUL byte, and `read` has none.
        unsafe { std::env::set_var(name, value) };
    }
}

fn is_for_the_sdk(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.starts_with("AWS_")
        || matches!(
            name.as_str(),
            "HTTP_PROXY"
                | "HTTPS_PROXY"
                | "ALL_PROXY"
                | "NO_PROXY"
                | "SSL_CERT_FILE"
                | "SSL_CERT_DIR"
        )
}

/// What the SDK may see, and every fault at once.
pub(super) fn read(variables: &Variables) -> (SdkVariables, Vec<String>) {
    let mut faults = Vec::new();
    let mut read = SdkVariables::new();
    for (name, value) in variables {
        let Some(name) = name.to_str() else { continue };
        let of_aws = name.starts_with("AWS_");
        match value.to_str() {
            Some(value) if of_aws && value.trim().is_empty() => {}
            Some(value)
                if is_single_line(name) && value.contains(|c: char| c.is_ascii_control()) =>
            {
                faults.push(format!(
                    "variable {name}: holds a control character, such as a line end"
                ));
            }
            // A line of a file may hold a NUL byte, which no environment can.
            Some(value) if !value.is_empty() && !value.contains('\0') => {
                read.insert(name.to_owned(), value.to_owned());
            }
            None if is_single_line(name) => faults.push(format!("variable {name}: is not UTF-8")),
            _ => {}
        }
    }
    // In this order the AWS CLI looks at them.
    pick(&mut read, PROFILE, &["AWS_DEFAULT_PROFILE", "AWS_PROFILE"]);
    pick(&mut read, TOKEN, &["AWS_SECURITY_TOKEN", TOKEN]);
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(region) = read.get(name)
            && !is_region(region)
        {
            faults.push(format!("variable {name}: {}", not_a_region(region)));
        }
    }
    pick(&mut read, REGION, &["AWS_REGION", "AWS_DEFAULT_REGION"]);
    if let Some(value) = read.get(CHECKSUMS)
        && !["when_supported", "when_required"].contains(&value.to_ascii_lowercase().as_str())
    {
        faults.push(format!(
            "variable {CHECKSUMS}: is \"{value}\", expected when_supported or when_required"
        ));
    }
    (read, faults)
}

/// Leaves the first of these that is set, under one name.
fn pick(read: &mut SdkVariables, name: &str, candidates: &[&str]) {
    let values: Vec<String> = candidates
        .iter()
        .filter_map(|candidate| read.remove(*candidate))
        .collect();
    if let Some(value) = values.into_iter().next() {
        read.insert(name.to_owned(), value);
    }
}

fn is_single_line(name: &str) -> bool {
    SINGLE_LINES.contains(&name) || name.starts_with("AWS_ENDPOINT_URL")
}

/// A region becomes a part of host names.
pub(super) fn is_region(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn not_a_region(text: &str) -> String {
    format!("\"{text}\" is not the name of a region, such as eu-west-1")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given = &'static [(&'static str, &'static str)];

    /// Variables, then the region and the profile as botocore 1.44 and the AWS CLI have them. Empty
    /// counts as unset.
    const PICKED: [(Given, Option<&str>, Option<&str>); 12] = [
        (&[], None, None),
        (&[("AWS_REGION", "eu-west-1")], Some("eu-west-1"), None),
        (
            &[("AWS_DEFAULT_REGION", "eu-west-1")],
            Some("eu-west-1"),
            None,
        ),
        (
            &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-1")],
            Some("eu-west-1"),
            None,
        ),
        (
            &[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "eu-west-1")],
            Some("eu-west-1"),
            None,
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                ("AWS_DEFAULT_REGION", "eu-west-1"),
            ],
            Some("us-east-1"),
            None,
        ),
        (
            &[("AWS_REGION", "us-gov-west-1"), ("AWS_DEFAULT_REGION", " ")],
            Some("us-gov-west-1"),
            None,
        ),
        (&[("AWS_PROFILE", "dev")], None, Some("dev")),
        (&[("AWS_DEFAULT_PROFILE", "dev")], None, Some("dev")),
        (
            &[("AWS_PROFILE", "other"), ("AWS_DEFAULT_PROFILE", "dev")],
            None,
            Some("dev"),
        ),
        (
            &[("AWS_PROFILE", "other"), ("AWS_DEFAULT_PROFILE", "")],
            None,
            Some("other"),
        ),
        (
            &[("AWS_PROFILE", ""), ("AWS_DEFAULT_PROFILE", "")],
            None,
            None,
        ),
    ];

    fn variables(given: &[(&str, &str)]) -> Variables {
        given
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn one_region_and_one_profile_are_left() {
        for (given, region, profile) in PICKED {
            let (read, _) = read(&variables(given));
            let found = |name| read.get(name).map(String::as_str);
            assert_eq!(
                (found(REGION), found(PROFILE)),
                (region, profile),
                "{given:?}"
            );
            assert!(!read.keys().any(|name| name.starts_with("AWS_DEFAULT_")));
        }
    }

    #[test]
    fn the_old_name_of_the_session_token_comes_first() {
        for (given, token) in [
            (&[("AWS_SECURITY_TOKEN", "old")][..], "old"),
            (
                &[("AWS_SECURITY_TOKEN", "old"), ("AWS_SESSION_TOKEN", "new")],
                "old",
            ),
            (
                &[("AWS_SECURITY_TOKEN", ""), ("AWS_SESSION_TOKEN", "new")],
                "new",
            ),
        ] {
            let (read, _) = read(&variables(given));
            let expected = (TOKEN.to_owned(), token.to_owned());
            assert_eq!(
                read.into_iter().collect::<Vec<_>>(),
                [expected],
                "{given:?}"
            );
        }
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let given = [
            ("AWS_ENDPOINT_URL_GLUE", ""),
            ("AWS_CONFIG_FILE", "  "),
            ("AWS_ACCESS_KEY_ID", ""),
            ("HTTPS_PROXY", ""),
            ("HOME", "/home/a"),
        ];
        let (read, _) = read(&variables(&given));
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("HOME".to_owned(), "/home/a".to_owned())]
        );
    }

    #[test]
    fn what_the_sdk_would_choke_on_is_named() {
        for (name, value, what) in [
            ("AWS_REGION", "eu west", "is not the name of a region"),
            ("AWS_REGION", "\"eu-west-1\"", "is not the name of a region"),
            ("AWS_REGION", "eu-west-1 ", "is not the name of a region"),
            (
                "AWS_DEFAULT_REGION",
                "'eu-west-1'",
                "is not the name of a region",
            ),
            ("AWS_REGION", "eu_west_1", "is not the name of a region"),
            ("AWS_REGION", "-eu", "is not the name of a region"),
            ("AWS_REGION", "123", "is not the name of a region"),
            ("AWS_REGION", "eu-west-1\r", "holds a control character"),
            (
                "AWS_REQUEST_CHECKSUM_CALCULATION",
                "never",
                "expected when_supported or",
            ),
            ("AWS_SESSION_TOKEN", "token\n", "holds a control character"),
            (
                "AWS_ENDPOINT_URL_S3",
                "http://h\r",
                "holds a control character",
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "t\n",
                "holds a control character",
            ),
        ] {
            let (_, faults) = read(&variables(&[(name, value)]));
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(&format!("variable {name}: ")));
            assert!(faults[0].contains(what), "{faults:?}");
        }
    }

    #[test]
    fn only_what_the_sdk_makes_use_of_is_looked_at() {
        let given = [("AWS_SSH_KEY", "several\nlines"), ("OTHER", "a\nb")];
        let (read, faults) = read(&variables(&given));
        assert_eq!((read.len(), faults.len()), (2, 0));
    }
}
