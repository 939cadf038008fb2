//! Owns the endpoints of one's own: `AWS_ENDPOINT_URL`, that of one service, and those of a
//! profile.
//!
//! Never lets an address through that the SDK could not use: it would panic, or fail in words that
//! name no setting.

use aws_config::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use url::Url;

use super::variables::SdkVariables;

const VARIABLE: &str = "AWS_ENDPOINT_URL";

/// All that this program, or the SDK on the way to credentials, asks.
const SERVICES: [&str; 8] = [
    "Glue",
    "Secrets Manager",
    "SSM",
    "KMS",
    "S3",
    "STS",
    "SSO",
    "SSO OIDC",
];

/// What is blank in a profile counts as unset, as what is empty does for the AWS CLI.
pub(super) fn without_blank(config: SdkConfig) -> SdkConfig {
    let endpoint = config.endpoint_url().filter(|url| !url.trim().is_empty());
    let endpoint = endpoint.map(str::to_owned);
    let mut builder = config.to_builder();
    builder.set_endpoint_url(endpoint);
    builder.service_config(WithoutBlank(config)).build()
}

/// The settings of single services of this configuration.
#[derive(Debug)]
struct WithoutBlank(SdkConfig);

impl LoadServiceConfig for WithoutBlank {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let value = self.0.service_config()?.load_config(key)?;
        (!value.trim().is_empty()).then_some(value)
    }
}

/// Each fault names the variable, or that it was the profile.
pub(super) fn check(config: &SdkConfig, variables: &SdkVariables) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    for service in SERVICES {
        let Some(url) = of_service(config, service) else {
            continue;
        };
        if is_usable(&url) {
            continue;
        }
        let own = format!("{VARIABLE}_{}", service.to_uppercase().replace(' ', "_"));
        let origin = [own.as_str(), VARIABLE]
            .into_iter()
            .find(|name| variables.contains_key(*name))
            .map_or("endpoint_url of the AWS profile".to_owned(), |name| {
                format!("variable {name}")
            });
        let fault = format!("{origin}: is not a URL like http://host:port");
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// Whether this service is asked somewhere else than at AWS's own address.
pub(crate) fn is_set(config: &SdkConfig, service: &str) -> bool {
    of_service(config, service).is_some() || config.endpoint_url().is_some()
}

/// In the order of the AWS CLI: the variable of the service, the one of all services, the profile.
fn of_service(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env(VARIABLE)
        .profile("endpoint_url")
        .build()
        .ok()?;
    config.service_config()?.load_config(key)
}

fn is_usable(url: &str) -> bool {
    let rest = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https"))
        .map(|(_, rest)| rest);
    // `Url` repairs what the SDK does not: blanks, a third slash.
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_alphanumeric() || first == '['))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && Url::parse(url).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_is_usable() {
        for (url, usable) in [
            ("http://localhost:4566", true),
            ("https://s3.internal.example/", true),
            ("HTTP://10.0.0.1:9000", true),
            ("http://[::1]:9000/path", true),
            ("http://host-a_b.c", true),
            ("", false),
            ("localhost:4566", false),
            ("//localhost:4566", false),
            ("http://", false),
            ("http:///path", false),
            ("http://:9000", false),
            ("http://host:port", false),
            ("http://host:99999", false),
            ("http://ho st", false),
            ("http://host ", false),
            ("\"http://host\"", false),
            ("ftp://host", false),
            ("http://höst", false),
        ] {
            assert_eq!(is_usable(url), usable, "{url}");
        }
    }
}
