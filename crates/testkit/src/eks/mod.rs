//! The endpoint of an EKS cluster: TLS under an authority of its own, a check of each request's token as EKS does it
//! (`authenticator`), and a real API server behind it, which gets the request in the name of the caller.

mod authenticator;
mod signature;
mod wire;

use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::control_plane::ControlPlane;
use crate::proxy::{runtime, wait};

pub use authenticator::Authenticator;
pub use wire::get;

type Body = BoxBody<Bytes, hyper::Error>;

/// One request, and what the check of its token came to: the ARN of the caller, or why it was refused.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// `GET`, `PATCH` and so on.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// The ARN of the caller.
    pub caller: Result<String, String>,
}

/// The endpoint; it ends with the test process.
pub struct EksEndpoint {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// PEM of the authority that signed its certificate.
    pub authority: String,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
}

struct Front {
    check: Authenticator,
    api: u16,
    /// With the administrator's certificate, who may act in the name of others.
    tls: TlsConnector,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
}

impl EksEndpoint {
    /// An endpoint that lets callers through to `api` that `check` knows.
    pub fn start(check: Authenticator, api: &ControlPlane) -> Self {
        let (acceptor, authority) = wire::server();
        let listener = wait(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<SeenRequest>>>::default();
        let front = Front { check, api: api.port(), tls: wire::administrator(api), seen: Arc::clone(&seen) };
        let front = Arc::new(front);
        runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, front) = (acceptor.clone(), Arc::clone(&front));
                tokio::spawn(async move {
                    // Who does not trust us hangs up.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let front = Arc::clone(&front);
                        async move { Ok::<_, Infallible>(front.answer(request).await) }
                    });
                    // A connection that breaks is the caller's business: it sees it, too.
                    drop(
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await,
                    );
                });
            }
        });
        Self { url, authority, seen }
    }

    /// The requests so far; the record begins anew.
    pub fn take(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut *self.seen.lock().expect("no test thread broke it"))
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
        let caller = self.check.caller(&token).await;
        let seen = SeenRequest {
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            caller: caller.clone(),
        };
        self.seen.lock().expect("no test thread broke it").push(seen);
        let Ok(caller) = caller else { return failure(StatusCode::UNAUTHORIZED, "Unauthorized") };
        match self.forward(request, &caller).await {
            Ok(answer) => answer.map(BodyExt::boxed),
            Err(bad) => failure(StatusCode::BAD_GATEWAY, &bad.to_string()),
        }
    }

    /// The same request to the API server, in the name of the caller.
    async fn forward(
        &self,
        mut request: Request<Incoming>,
        caller: &str,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        let host = format!("127.0.0.1:{}", self.api);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        *request.uri_mut() = path;
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        headers.remove(AUTHORIZATION);
        headers.insert(HOST, HeaderValue::from_str(&host)?);
        headers.insert("impersonate-user", HeaderValue::from_str(caller)?);
        headers.insert("impersonate-group", HeaderValue::from_static("system:masters"));
        let stream = self.tls.connect("127.0.0.1".try_into()?, TcpStream::connect(&host).await?).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

/// A failure as an API server says it.
fn failure(status: StatusCode, words: &str) -> Response<Body> {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": words,
        "reason": words, "code": status.as_u16(),
    });
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
