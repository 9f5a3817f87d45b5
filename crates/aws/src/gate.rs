//! The last check before a request is sent: no request passes once the run has lost its lease.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::provider::SendPermission;

/// Asked before every request; open until it is told whom to ask.
#[derive(Clone, Default)]
pub struct SendGate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    permission: OnceLock<SendPermission>,
}

impl SendGate {
    /// From now on, this is asked. The first one stays.
    pub fn ask(&self, permission: SendPermission) {
        // A run has one lease: there is never a second one to ask.
        drop(self.0.permission.set(permission));
    }

    /// The same client behind this gate.
    pub fn before(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(GatedClient { gate: self.clone(), inner: client })
    }
}

impl fmt::Debug for SendGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

#[derive(Debug)]
struct GatedClient<T> {
    gate: SendGate,
    inner: T,
}

impl HttpClient for GatedClient<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(GatedClient { gate: self.gate.clone(), inner })
    }
}

impl HttpConnector for GatedClient<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.gate.0.permission.get().map_or(Ok(()), |permission| permission()) {
            Ok(()) => self.inner.call(request),
            // "refused": nothing was sent, and trying again cannot help.
            Err(why) => HttpConnectorFuture::ready(Err(ConnectorError::user(format!("refused: {why}").into()))),
        }
    }
}
