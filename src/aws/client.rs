//! Owns the HTTP client under all AWS clients: proxies, trust store, and an error that says whom it
//! could not reach.
//!
//! Never builds a TLS store before the first `https` request, nor a second one for another service.
//! The SDK's default client builds one per service when the service's client is made, and one more
//! per call with other timeouts.

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// A client for all services. Without a bundle it trusts the system's certificates.
pub(super) fn new(bundle: Option<TrustStore>) -> Result<SharedHttpClient, HttpClientError> {
    // A context is a description; the certificates are loaded when a connector is made from it.
    let context = |store| TlsContext::builder().with_trust_store(store).build();
    let (tls, plain) = (
        context(bundle.unwrap_or_default())?,
        context(TrustStore::empty())?,
    );
    Ok(SharedHttpClient::new(Client(Arc::new(Pools {
        tls,
        plain,
        connectors: Mutex::default(),
    }))))
}

/// No answer came. The SDK's own error does not say from where.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {endpoint}")]
pub(super) struct NoAnswer {
    /// Scheme, host and port.
    pub(super) endpoint: String,
    #[source]
    pub(super) source: BoxError,
}

/// How a request travels, each with a connection pool of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Route {
    Tls,
    /// Plain HTTP needs no trust store, so none is built: loading the system's certificates takes
    /// longer than the call.
    Plain,
    /// Where a container and an instance get their credentials. No proxy can reach these addresses,
    /// yet `HTTP_PROXY` would send them there; the AWS CLI asks them directly too.
    LinkLocal,
}

impl Route {
    fn of(uri: &str) -> Self {
        let Some((_, rest)) = uri
            .split_once("://")
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http"))
        else {
            return Self::Tls;
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let link_local = match authority.strip_prefix('[') {
            Some(v6) => v6
                .split(']')
                .next()
                .and_then(|host| host.parse::<Ipv6Addr>().ok())
                .is_some_and(|host| {
                    // fd00:ec2::23 and fd00:ec2::254.
                    host.is_unicast_link_local() || host.segments()[..2] == [0xfd00, 0xec2]
                }),
            None => authority
                .split(':')
                .next()
                .and_then(|host| host.parse::<Ipv4Addr>().ok())
                .is_some_and(|host| host.is_link_local()),
        };
        if link_local {
            Self::LinkLocal
        } else {
            Self::Plain
        }
    }
}

type Timeouts = (Option<Duration>, Option<Duration>);

#[derive(Debug)]
struct Pools {
    tls: TlsContext,
    plain: TlsContext,
    connectors: Mutex<HashMap<(Route, Timeouts), SharedHttpConnector>>,
}

impl Pools {
    fn connector(&self, route: Route, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = (route, (settings.connect_timeout(), settings.read_timeout()));
        let mut connectors = self
            .connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connectors
            .entry(key)
            .or_insert_with(|| SharedHttpConnector::new(self.build(route, settings)))
            .clone()
    }

    fn build(&self, route: Route, settings: &HttpConnectorSettings) -> Connector {
        let context = if route == Route::Tls {
            &self.tls
        } else {
            &self.plain
        };
        let proxies = if route == Route::LinkLocal {
            ProxyConfig::disabled()
        } else {
            ProxyConfig::from_env()
        };
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .connector_settings(settings.clone())
            .proxy_config(proxies)
            .build()
    }
}

#[derive(Debug)]
struct Client(Arc<Pools>);

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Router {
            pools: Arc::clone(&self.0),
            settings: settings.clone(),
        })
    }
}

struct Router {
    pools: Arc<Pools>,
    settings: HttpConnectorSettings,
}

impl fmt::Debug for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Router")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for Router {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let endpoint = endpoint(request.uri());
        let answer = self
            .pools
            .connector(Route::of(request.uri()), &self.settings)
            .call(request);
        HttpConnectorFuture::new(
            async move { answer.await.map_err(|error| named(error, endpoint)) },
        )
    }
}

/// The same error, of the same kind since retries depend on it, with the endpoint's name on it.
fn named(error: ConnectorError, endpoint: String) -> ConnectorError {
    let rebuild: fn(BoxError) -> ConnectorError = if error.is_timeout() {
        ConnectorError::timeout
    } else if error.is_io() {
        ConnectorError::io
    } else if error.is_user() {
        ConnectorError::user
    } else {
        let kind = error.as_other();
        return ConnectorError::other(
            NoAnswer {
                endpoint,
                source: error.into_source(),
            }
            .into(),
            kind,
        );
    };
    rebuild(
        NoAnswer {
            endpoint,
            source: error.into_source(),
        }
        .into(),
    )
}

/// Scheme, host and port. Never the path or the query, where a pre-signed request has its
/// signature.
fn endpoint(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return "AWS".to_owned();
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        for (uri, route) in [
            ("https://glue.eu-west-1.amazonaws.com/", Route::Tls),
            ("https://169.254.170.2/", Route::Tls),
            ("http://127.0.0.1:5000/", Route::Plain),
            ("http://localhost?x", Route::Plain),
            ("http://[::1]:5000/", Route::Plain),
            ("http://169.254.170.2/v2/credentials/x", Route::LinkLocal),
            ("http://169.254.169.254:80", Route::LinkLocal),
            ("http://[fd00:ec2::23]/v1/credentials", Route::LinkLocal),
        ] {
            assert_eq!(Route::of(uri), route, "{uri}");
        }
    }

    #[test]
    fn an_endpoint_is_no_more_than_scheme_host_and_port() {
        assert_eq!(
            endpoint("http://127.0.0.1:5000/path?X-Amz-Signature=1"),
            "http://127.0.0.1:5000"
        );
        assert_eq!(
            endpoint("https://user:secret@proxy.example?x=1"),
            "https://proxy.example"
        );
    }

    #[test]
    fn the_kind_of_an_error_survives_its_naming() {
        assert!(named(ConnectorError::timeout("t".into()), String::new()).is_timeout());
        assert!(named(ConnectorError::io("i".into()), String::new()).is_io());
        assert!(named(ConnectorError::user("u".into()), String::new()).is_user());
        assert!(named(ConnectorError::other("o".into(), None), String::new()).is_other());
    }
}
