//! Owns the HTTP client under all AWS clients: proxies, trust store, and an error that says whom it
//! could not reach.
//!
//! Never builds a TLS store before the first `https` request, nor a second one for another service.
//! The SDK's default client builds one per service when the service's client is made, and one more
//! per call with other timeouts.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::byte_stream::ByteStream;

/// The most that a plain address may answer.
const MOST: usize = 64 * 1024;

use super::proxies::Proxies;

/// A client for all services. Without a bundle it trusts the system's certificates.
pub(super) fn new(bundle: Option<TrustStore>, proxies: Proxies) -> Result<Client, HttpClientError> {
    // A context is a description; the certificates are loaded when a connector is made from it.
    let context = |store| TlsContext::builder().with_trust_store(store).build();
    let (tls, plain) = (
        context(bundle.unwrap_or_default())?,
        context(TrustStore::empty())?,
    );
    Ok(Client(Arc::new(Pools {
        tls,
        plain,
        proxies,
        connectors: Mutex::default(),
    })))
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

/// How a request travels, each with a connection pool of its own. Plain HTTP needs no trust store,
/// so none is built: loading the system's certificates takes longer than the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Route {
    is_tls: bool,
    is_direct: bool,
}

impl Route {
    fn of(uri: &str, proxies: &Proxies) -> Self {
        let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
        Self {
            is_tls: !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")),
            is_direct: proxies.is_direct(uri),
        }
    }
}

type Timeouts = (Option<Duration>, Option<Duration>);

#[derive(Debug)]
struct Pools {
    tls: TlsContext,
    plain: TlsContext,
    proxies: Proxies,
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
        let context = if route.is_tls { &self.tls } else { &self.plain };
        let proxy = if route.is_direct {
            ProxyConfig::disabled()
        } else {
            self.proxies.of(route.is_tls)
        };
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .connector_settings(settings.clone())
            .proxy_config(proxy)
            .build()
    }
}

/// Cheap to clone: all clones have the same connections.
#[derive(Debug, Clone)]
pub(super) struct Client(Arc<Pools>);

impl Client {
    /// What an address answers, without a signature, in bounded memory.
    pub(super) async fn get(&self, uri: &str, limit: Duration) -> Result<Vec<u8>, BoxError> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(limit)
            .read_timeout(limit)
            .build();
        let mut request = HttpRequest::empty();
        request.set_uri(uri)?;
        let router = Router {
            pools: Arc::clone(&self.0),
            settings,
        };
        let answer = router.call(request).await?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()).into());
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut content = Vec::new();
        while let Some(part) = body.try_next().await? {
            if content.len() + part.len() > MOST {
                return Err(format!("more than {MOST} bytes").into());
            }
            content.extend_from_slice(&part);
        }
        Ok(content)
    }
}

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
            .connector(
                Route::of(request.uri(), &self.pools.proxies),
                &self.settings,
            )
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
        for (uri, is_tls, is_direct) in [
            ("https://glue.eu-west-1.amazonaws.com/", true, false),
            ("https://169.254.170.2/", true, true),
            ("http://proxied.example?x", false, false),
            ("HTTP://127.0.0.1:5000/", false, true),
        ] {
            let route = Route::of(uri, &Proxies::default());
            assert_eq!(
                (route.is_tls, route.is_direct),
                (is_tls, is_direct),
                "{uri}"
            );
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
