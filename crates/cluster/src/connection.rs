//! One connection to one API server: HTTP/2 where the server offers it, so that any number of requests share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{Body, Client, ConfigExt};
use kube::core::Status;
use serde_json::Value;
use tokio::sync::Semaphore;
use tower::{BoxError, ServiceBuilder};

use super::autoscaler::Autoscalers;
use super::bearer::BearerToken;
use super::call::ApiCall;
use super::discovery::Discovery;
use super::requests;
use super::status::{self, SERVICE};
use super::transport::Transport;
use super::unreachable;
use crate::provider::SendPermission;
use crate::resource::{Fault, FaultClass};

/// Requests in flight: more at once make an API server slower, not faster (measured: 4 to 8).
const AT_ONCE: usize = 8;
/// An answer is waited for so long; the API server itself gives up after 60 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(65);
/// A connection that answers no ping for this time has ended.
const PING: Duration = Duration::from_secs(15);
/// Bytes of an answer that is not a success: a `Status`.
const REFUSAL: usize = 1 << 20;

/// An API server and the way to it.
pub(crate) struct ApiConnection {
    client: Client,
    server: String,
    tunneled: bool,
    bearer: Option<BearerToken>,
    permission: Arc<OnceLock<SendPermission>>,
    line: Semaphore,
    /// The server has accepted the caller.
    accepted: AtomicBool,
    /// It does so no more: the credentials are read anew.
    stale: AtomicBool,
    /// The kinds that it serves.
    pub(crate) discovery: Discovery,
    /// The autoscalers that it has.
    pub(crate) autoscalers: Autoscalers,
}

/// Why a request was not done: by what the server said, or because it said nothing.
#[derive(Debug)]
pub(crate) enum RequestFailure {
    /// The server's status.
    Status(Box<Status>),
    /// The answer has more bytes than this, and was not read to its end.
    TooLong(usize),
    /// No answer, or not sent.
    Fault(Fault),
}

impl RequestFailure {
    /// As a fault; `about` says what was asked for.
    pub(crate) fn fault(self, operation: &str, about: &str) -> Fault {
        match self {
            Self::Status(said) => status::fault(operation, about, &said),
            Self::TooLong(most) => {
                let words = format!("{about}: the API server's answer is longer than {} MiB", most >> 20);
                Fault::new(FaultClass::Refused, SERVICE, operation, "AnswerTooLong", words).next(
                    "this is not an API server's answer: check the server's address, and what is between it and this \
                     machine",
                )
            }
            Self::Fault(fault) => fault,
        }
    }

    /// Whether the thing is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Status(said) if said.code == 404)
    }

    /// Whether the caller may not do this.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Status(said) if said.code == 403)
    }
}

impl ApiConnection {
    /// Connects, and looks whether the server answers: later requests then find the connection open.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the caller.
    pub(crate) async fn open(
        config: Config,
        transport: Transport,
        bearer: Option<BearerToken>,
        permission: &Arc<OnceLock<SendPermission>>,
    ) -> Result<Self, Fault> {
        let (server, tunneled) = (config.cluster_url.to_string(), transport.is_tunnel());
        // A login of a kubeconfig may run a program and wait for it.
        let runtime = tokio::runtime::Handle::current();
        let built = tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            client(&config, transport)
        });
        let client = built
            .await
            .map_err(|bad| Fault::unexpected(SERVICE, "connect", bad.to_string()))?
            .map_err(|bad| setup(&server, &bad))?;
        let connection = Self {
            client,
            server,
            tunneled,
            bearer,
            permission: Arc::clone(permission),
            line: Semaphore::new(AT_ONCE),
            accepted: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            discovery: Discovery::default(),
            autoscalers: Autoscalers::default(),
        };
        connection.version().await?;
        connection.accepted.store(true, Ordering::Relaxed);
        Ok(connection)
    }

    /// Whether the server stopped accepting the caller.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// The server's version, such as `v1.36.3+k3s1`.
    pub(crate) async fn version(&self) -> Result<String, Fault> {
        let call = ApiCall::get("version", "/version");
        let said = self.ask(&call).await.map_err(|refused| refused.fault("version", &self.server))?;
        Ok(said.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Sends a request; its answer is JSON.
    pub(crate) async fn ask(&self, call: &ApiCall) -> Result<Value, RequestFailure> {
        Ok(self.ask_counted(call).await?.0)
    }

    /// The same, with the bytes that the answer has.
    pub(crate) async fn ask_counted(&self, call: &ApiCall) -> Result<(Value, usize), RequestFailure> {
        let text = self.text(call).await?;
        let answer = serde_json::from_slice(&text).map_err(|bad| {
            RequestFailure::Fault(Fault::unexpected(SERVICE, call.operation, format!("the answer is not JSON: {bad}")))
        })?;
        Ok((answer, text.len()))
    }

    /// Sends a request; its answer as it came.
    pub(crate) async fn text(&self, call: &ApiCall) -> Result<Vec<u8>, RequestFailure> {
        if call.mutates() {
            self.permitted().map_err(RequestFailure::Fault)?;
        }
        let Ok(_turn) = self.line.acquire().await else {
            return Err(RequestFailure::Fault(Fault::unexpected(SERVICE, call.operation, "the connection is closed")));
        };
        let begun = Instant::now();
        let answer = match tokio::time::timeout(ANSWER_WITHIN, self.answer(call)).await {
            Ok(answer) => answer.map_err(|refused| self.outdated(call, refused)),
            Err(_) => {
                let words = format!("{}: no answer after {} s", self.server, ANSWER_WITHIN.as_secs());
                Err(RequestFailure::Fault(unreachable::no_answer(call.operation, words)))
            }
        };
        requests::tell(call, &answer, begun.elapsed());
        answer
    }

    /// A caller who was accepted before has other credentials by now (the server was installed anew): they are read again.
    fn outdated(&self, call: &ApiCall, refused: RequestFailure) -> RequestFailure {
        let fault = match &refused {
            RequestFailure::Status(said) if said.code == 401 => status::fault(call.operation, &self.server, said),
            RequestFailure::Fault(fault)
                if ["TlsRefused", "CertificateNotTrusted"].iter().any(|code| fault.code == *code) =>
            {
                fault.clone()
            }
            _ => return refused,
        };
        if !self.accepted.load(Ordering::Relaxed) || self.stale.swap(true, Ordering::Relaxed) {
            return refused;
        }
        RequestFailure::Fault(Fault { class: FaultClass::Retry, ..fault })
    }

    fn permitted(&self) -> Result<(), Fault> {
        let Some(Err(why)) = self.permission.get().map(|permission| permission()) else { return Ok(()) };
        Err(Fault::new(FaultClass::Refused, "akidb-edge", "send", "LeaseLost", why)
            .next("akidb-edge status --stack STACK shows what was done"))
    }

    async fn answer(&self, call: &ApiCall) -> Result<Vec<u8>, RequestFailure> {
        let mut request = call.request().map_err(RequestFailure::Fault)?;
        if let Some(bearer) = &self.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer.header().await.map_err(RequestFailure::Fault)?);
        }
        let lost = |error: &kube::Error| {
            RequestFailure::Fault(unreachable::fault(call.operation, &self.server, self.tunneled, error))
        };
        let answer = self.client.send(request).await.map_err(|error| lost(&error))?;
        let code = answer.status();
        let most = if code.is_success() { call.most } else { REFUSAL };
        let body = Limited::new(answer.into_body(), most).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                RequestFailure::TooLong(most)
            } else {
                lost(&kube::Error::Service(error))
            }
        })?;
        let body = body.to_bytes().to_vec();
        if code.is_success() {
            return Ok(body);
        }
        let plain = || {
            let text = String::from_utf8_lossy(&body);
            Status::failure(&text.chars().take(300).collect::<String>(), "")
        };
        let mut said = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| plain());
        said.code = code.as_u16();
        Err(RequestFailure::Status(said.boxed()))
    }
}

/// The stack of kube's layers over one HTTP/2 connection; HTTP/1.1 where the server offers nothing else.
fn client(config: &Config, transport: Transport) -> Result<Client, kube::Error> {
    // kube takes the process's provider; it stays whichever was there first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut https = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    if let Some(name) = config.tls_server_name.clone() {
        let name = name.try_into().map_err(kube::client::RustlsTlsError::InvalidServerName);
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name.map_err(kube::Error::RustlsTls)?));
    }
    // A tunnel is a process of its own: HTTP/2 alone keeps it at one, also when it has ended and many ask again at once.
    let only_http2 = transport.is_tunnel();
    let https = if only_http2 { https.enable_http2() } else { https.enable_all_versions() };
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(only_http2)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .build(https.wrap_connector(transport));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// The fault of settings with which no client can be made.
fn setup(server: &str, error: &kube::Error) -> Fault {
    match error {
        kube::Error::Auth(_) => unreachable::fault("connect", server, false, error),
        _ => Fault::new(
            FaultClass::Refused,
            SERVICE,
            "connect",
            "BadConfiguration",
            format!("{server}: {}", unreachable::chain(error)),
        )
        .next(
            "correct certificates and keys of the kubeconfig: kubectl get namespaces with the same context must work",
        ),
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
