//! Owns which requests go through a proxy: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`
//! as the AWS CLI takes them.
//!
//! Never sends a request to this machine or to a link-local address through a proxy: no proxy can
//! reach what answers there.

use std::net::IpAddr;

use aws_smithy_http_client::proxy::ProxyConfig;
use ipnet::IpNet;
use url::{Host, Url};

use super::variables::SdkVariables;

/// Where a container finds its credentials by IPv6: `fd00:ec2::23`, `fd00:ec2::254`.
const METADATA: [u16; 2] = [0xfd00, 0xec2];

#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    /// The entries of `NO_PROXY`, in lower case.
    direct: Vec<String>,
}

impl Proxies {
    /// The variables in lower case come first, as they do for Python. What is not the address of a
    /// proxy is a fault that names the variable, and not the value: that may hold a password.
    pub(super) fn read(variables: &SdkVariables) -> (Self, Vec<String>) {
        let find = |name: &str| {
            let names = [name.to_ascii_lowercase(), name.to_owned()];
            names.into_iter().find_map(|name| {
                let value = variables.get(&name)?.trim();
                (!value.is_empty()).then(|| (name, value.to_owned()))
            })
        };
        let mut faults = Vec::new();
        let mut proxy = |name| {
            // The AWS CLI does not look at ALL_PROXY, which often names a SOCKS proxy.
            let all = || find("ALL_PROXY").filter(|(_, url)| !url.starts_with("socks"));
            let (name, url) = find(name).or_else(all)?;
            let url = normalize(&url);
            let has_host = Url::parse(&url).is_ok_and(|url| url.has_host());
            if !has_host || ProxyConfig::all(url.as_str()).is_err() {
                let fault = format!("variable {name}: is not the address of an HTTP proxy");
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
            Some(url)
        };
        let (http, https) = (proxy("HTTP_PROXY"), proxy("HTTPS_PROXY"));
        let direct = find("NO_PROXY")
            .iter()
            .flat_map(|(_, list)| list.split(','))
            .map(|entry| entry.trim().to_ascii_lowercase())
            .filter(|entry| !entry.is_empty())
            .collect();
        let proxies = Self {
            http,
            https,
            direct,
        };
        (proxies, faults)
    }

    /// The proxy for requests of this scheme that are not direct.
    pub(super) fn of(&self, is_tls: bool) -> ProxyConfig {
        let url = if is_tls { &self.https } else { &self.http };
        url.as_deref()
            .and_then(|url| ProxyConfig::all(url).ok())
            .unwrap_or_else(ProxyConfig::disabled)
    }

    /// Whether this address is asked without a proxy.
    pub(super) fn is_direct(&self, uri: &str) -> bool {
        let Ok(url) = Url::parse(uri) else {
            return false;
        };
        let (name, address) = match url.host() {
            Some(Host::Domain(name)) => (name.to_ascii_lowercase(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::from(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::from(address))),
            None => return false,
        };
        is_near(&name, address)
            || self
                .direct
                .iter()
                .any(|entry| matches(entry, &name, address, url.port_or_known_default()))
    }
}

/// `*`, a network, or a name with or without a port. A name stands for what ends in it, too.
fn matches(entry: &str, name: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some(address), Ok(network)) = (address, entry.parse::<IpNet>()) {
        return network.contains(&address);
    }
    let (wanted, wanted_port) = match entry.rsplit_once(':') {
        // Several colons without brackets are an IPv6 address.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse::<u16>().ok())
        }
        _ => (entry, None),
    };
    let wanted = wanted.trim_start_matches('[').trim_end_matches(']');
    let wanted = wanted.trim_start_matches("*.").trim_start_matches('.');
    let is_name = name == wanted
        || (address.is_none() && !wanted.is_empty() && name.ends_with(&format!(".{wanted}")));
    is_name && (wanted_port.is_none() || wanted_port == port)
}

fn is_near(name: &str, address: Option<IpAddr>) -> bool {
    match address {
        None => name == "localhost" || name.ends_with(".localhost"),
        Some(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Some(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.segments()[..2] == METADATA
        }
    }
}

/// As a URL: without a scheme it is one of HTTP, and what a password holds is escaped.
fn normalize(url: &str) -> String {
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{}", url.trim_start_matches('/'))
    };
    Url::parse(&url).map_or(url, String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(given: &[(&str, &str)]) -> (Proxies, Vec<String>) {
        let variables = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Proxies::read(&variables)
    }

    /// `NO_PROXY`, an address, and whether it is asked directly. What
    /// `botocore.utils.should_bypass_proxies` sends past the proxy goes past it here too, but for
    /// an address by its tail (`0.0.1`). It sends more through the proxy: networks, `*.name`, IPv6
    /// addresses, a scheme's own port, and this machine.
    const BYPASSED: [(&str, &str, bool); 30] = [
        ("", "https://glue.eu-west-1.amazonaws.com/", false),
        ("*", "https://glue.eu-west-1.amazonaws.com/", true),
        (" * ", "http://10.0.0.1/", true),
        ("other,*", "http://10.0.0.1/", true),
        (
            "amazonaws.com",
            "https://glue.eu-west-1.amazonaws.com/",
            true,
        ),
        (
            ".amazonaws.com",
            "https://glue.eu-west-1.amazonaws.com/",
            true,
        ),
        (
            "*.amazonaws.com",
            "https://glue.eu-west-1.amazonaws.com/",
            true,
        ),
        (
            "AmazonAWS.com",
            "https://glue.eu-west-1.amazonaws.com/",
            true,
        ),
        ("aws.com", "https://glue.eu-west-1.amazonaws.com/", false),
        ("a, .amazonaws.com ,b", "https://s3.amazonaws.com/", true),
        ("aws.test", "https://aws.test:8443/", true),
        ("aws.test:8443", "https://aws.test:8443/", true),
        ("aws.test:8444", "https://aws.test:8443/", false),
        ("aws.test:443", "https://aws.test/", true),
        ("test:8443", "https://aws.test:8443/", true),
        ("10.0.0.1", "http://10.0.0.1:5000/", true),
        ("10.0.0.1:5000", "http://10.0.0.1:5000/", true),
        ("10.0.0.1:5001", "http://10.0.0.1:5000/", false),
        ("0.0.1", "http://10.0.0.1:5000/", false),
        ("10.0.0.0/8", "http://10.1.2.3/", true),
        ("10.0.0.0/8", "http://11.1.2.3/", false),
        ("fd00::/8", "http://[fd12::1]/", true),
        ("[fd12::1]:80", "http://[fd12::1]/", true),
        ("fd12::1", "http://[fd12::1]:81/", true),
        ("", "http://127.0.0.1:5000/x", true),
        ("", "http://localhost:5000/", true),
        ("", "https://[::1]/", true),
        ("", "http://169.254.170.2/v2/credentials/x", true),
        ("", "http://169.254.169.254:80", true),
        ("", "http://[fd00:ec2::23]/v1/credentials", true),
    ];

    #[test]
    fn no_proxy_means_what_it_means_to_the_aws_cli() {
        for (list, uri, direct) in BYPASSED {
            let (proxies, _) = proxies(&[("NO_PROXY", list)]);
            assert_eq!(proxies.is_direct(uri), direct, "{list:?} {uri}");
        }
    }

    #[test]
    fn the_scheme_of_a_request_decides_which_proxy_it_goes_through() {
        for (given, http, https) in [
            (&[][..], None, None),
            (&[("HTTP_PROXY", "http://a:1")], Some("http://a:1/"), None),
            (&[("HTTPS_PROXY", "a:1")], None, Some("http://a:1/")),
            (&[("HTTPS_PROXY", "//a:1")], None, Some("http://a:1/")),
            (
                &[("HTTP_PROXY", "http://u:p@ss@a:1")],
                Some("http://u:p%40ss@a:1/"),
                None,
            ),
            (&[("ALL_PROXY", "socks5h://a:1")], None, None),
            (
                &[("ALL_PROXY", "https://u:p%40@a")],
                Some("https://u:p%40@a/"),
                Some("https://u:p%40@a/"),
            ),
            (
                &[
                    ("HTTPS_PROXY", "http://upper"),
                    ("https_proxy", "http://lower"),
                ],
                None,
                Some("http://lower/"),
            ),
        ] {
            let (proxies, _) = proxies(given);
            assert_eq!(
                (proxies.http.as_deref(), proxies.https.as_deref()),
                (http, https),
                "{given:?}"
            );
        }
    }

    #[test]
    fn what_is_no_proxy_is_named_without_its_value() {
        for value in [
            "http://user:SENTINEL@",
            "http://user:SENTINEL@:x",
            "socks9://SENTINEL",
            "a SENTINEL",
        ] {
            let (_, faults) = proxies(&[("HTTPS_PROXY", value)]);
            assert_eq!(
                faults,
                ["variable HTTPS_PROXY: is not the address of an HTTP proxy"]
            );
        }
    }
}
