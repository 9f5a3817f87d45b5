//! The way to a service, decided for each request: with TLS or without, through a proxy or not. What a run does not need is not
//! made: reading the system's certificates costs tens of milliseconds. Every answer has a bound (`answer_limit`).

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http::Uri;

use super::response_limit::{Download, limited};
use crate::resource::Fault;
use akidb_edge_network::{Bundle, Proxies, Proxy, system};

/// An HTTP client that goes where proxies and certificate authorities say.
#[derive(Clone, Debug)]
pub struct HttpTransport(Arc<Ways>);

struct Ways {
    proxies: Proxies,
    bundle: Option<Bundle>,
    trust: OnceLock<Result<tls::TlsContext, Fault>>,
    clients: Mutex<BTreeMap<ConnectionRoute, SharedHttpClient>>,
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways").field("proxies", &self.proxies).field("bundle", &self.bundle).finish_non_exhaustive()
    }
}

/// What one connection needs.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
struct ConnectionRoute {
    tls: bool,
    proxy: Option<String>,
}

impl HttpTransport {
    /// A client; nothing is opened.
    pub fn new(proxies: Proxies, bundle: Option<Bundle>) -> Self {
        Self(Arc::new(Ways { proxies, bundle, trust: OnceLock::new(), clients: Mutex::default() }))
    }

    /// The same without proxies: what answers on this machine is asked directly.
    pub fn direct(&self) -> Self {
        Self::new(Proxies::default(), self.0.bundle.clone())
    }

    /// As the SDK takes it.
    pub fn shared(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    fn trust(&self) -> Result<tls::TlsContext, Fault> {
        self.0.trust.get_or_init(|| trust(self.0.bundle.as_ref())).clone()
    }

    fn client(&self, way: &ConnectionRoute) -> Result<SharedHttpClient, Fault> {
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(way) {
            return Ok(client.clone());
        }
        let trust = if way.tls { Some(self.trust()?) } else { None };
        let proxy = match &way.proxy {
            Some(url) => {
                ProxyConfig::all(url.as_str()).map_err(|bad| Fault::unexpected("proxy", "read", bad.to_string()))?
            }
            None => ProxyConfig::disabled(),
        };
        let client = client(trust, proxy);
        clients.insert(way.clone(), client.clone());
        Ok(client)
    }
}

fn client(trust: Option<tls::TlsContext>, proxy: ProxyConfig) -> SharedHttpClient {
    // The SDK keeps one connector, and with it one pool of connections, for each set of time limits.
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        match &trust {
            Some(trust) => builder
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .tls_context(trust.clone())
                .build(),
            None => builder.build_http(),
        }
    })
}

/// A bundle that was named is all that is trusted, as in the AWS CLI.
fn trust(bundle: Option<&Bundle>) -> Result<tls::TlsContext, Fault> {
    let pem = match bundle {
        Some(bundle) => bundle.pem.to_vec(),
        None => system()?,
    };
    let store = tls::TrustStore::empty().with_pem_certificate(pem);
    let context = tls::TlsContext::builder().with_trust_store(store).build();
    context.map_err(|bad| Fault::unexpected("certificates", "read", bad.to_string()))
}

impl HttpClient for HttpTransport {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Line {
            wire: self.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct Line {
    wire: HttpTransport,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri: Uri = match request.uri().parse() {
            Ok(uri) => uri,
            Err(bad) => return HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(bad)))),
        };
        let scheme = uri.scheme_str().unwrap_or("https");
        let endpoint = endpoint(scheme, &uri);
        let proxy = self.wire.0.proxies.for_address(scheme, uri.host().unwrap_or_default(), uri.port_u16()).cloned();
        let url = proxy.as_ref().map(|proxy| proxy.with_password().to_owned());
        let tls = scheme == "https" || url.as_ref().is_some_and(|url| url.starts_with("https://"));
        let client = match self.wire.client(&ConnectionRoute { tls, proxy: url }) {
            Ok(client) => client,
            // Nothing was sent, and trying again cannot help.
            Err(fault) => return HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(fault)))),
        };
        let download = request.extension::<Download>().copied();
        let answer = client.http_connector(&self.settings, &self.components).call(request);
        HttpConnectorFuture::new(async move {
            match (answer.await, proxy) {
                (Ok(answer), _) => Ok(limited(answer, download)),
                (Err(bad), None) => Err(wrapped(bad, |source| Box::new(EndpointFailure { endpoint, source }))),
                (Err(bad), Some(proxy)) => Err(wrapped(bad, |source| Box::new(ProxyError { proxy, source }))),
            }
        })
    }
}

/// What failed on the way through a proxy.
#[derive(Debug)]
pub struct ProxyError {
    /// The proxy.
    pub proxy: Proxy,
    source: ConnectorError,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {} ({})", self.proxy.url, self.proxy.variable)
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// What failed on the direct way to an endpoint.
#[derive(Debug)]
pub struct EndpointFailure {
    /// The endpoint: scheme, host and port.
    pub endpoint: String,
    source: ConnectorError,
}

impl fmt::Display for EndpointFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
}

impl Error for EndpointFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Scheme, host and port of an address, without a path: it may hold what nobody else should see.
fn endpoint(scheme: &str, uri: &Uri) -> String {
    let port = uri.port_u16().map_or_else(String::new, |port| format!(":{port}"));
    format!("{scheme}://{}{port}", uri.host().unwrap_or_default())
}

/// The same kind of error, with more in its chain.
fn wrapped(bad: ConnectorError, with: impl FnOnce(ConnectorError) -> Box<dyn Error + Send + Sync>) -> ConnectorError {
    let (timeout, user, io, other) = (bad.is_timeout(), bad.is_user(), bad.is_io(), bad.as_other());
    let source = with(bad);
    match (timeout, user, io) {
        (true, ..) => ConnectorError::timeout(source),
        (_, true, _) => ConnectorError::user(source),
        (.., true) => ConnectorError::io(source),
        _ => ConnectorError::other(source, other),
    }
}
