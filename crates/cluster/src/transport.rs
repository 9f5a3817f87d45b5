//! The byte stream under HTTP: TCP, TCP through an HTTP proxy, or a tunnel that another platform opens.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::{BoxError, Service};

use crate::provider::cluster::{ByteStream, ClusterAccess};

/// A TCP connection is given up after this time (kube's default of 30 s is long for a person who waits).
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A stream of whatever sort.
pub(crate) struct Stream(Box<dyn ByteStream>);

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// How a stream to the API server is opened.
#[derive(Clone)]
pub(crate) enum Transport {
    /// By TCP to the server's address.
    Tcp(HttpConnector),
    /// By TCP to an HTTP proxy, then CONNECT.
    Proxy(Box<Tunnel<HttpConnector>>),
    /// By what leads there; the first stream was opened to see whether there is one.
    Tunnel {
        /// The way.
        access: Arc<dyn ClusterAccess>,
        /// The stream that is open already.
        first: Arc<Mutex<Option<Box<dyn ByteStream>>>>,
    },
}

impl Transport {
    /// By TCP, through this proxy when there is one.
    ///
    /// # Errors
    /// The scheme of a proxy that is not an HTTP proxy.
    pub(crate) fn tcp(proxy: Option<&Uri>) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_WITHIN));
        let Some(proxy) = proxy else { return Ok(Self::Tcp(tcp)) };
        if proxy.scheme_str() != Some("http") {
            return Err(proxy.scheme_str().unwrap_or_default().to_owned());
        }
        let mut tunnel = Tunnel::new(proxy.clone(), tcp);
        let user = proxy.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        if let Some((user, _)) = user
            && let Ok(header) = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(decoded(user))))
        {
            tunnel = tunnel.with_auth(header);
        }
        Ok(Self::Proxy(Box::new(tunnel)))
    }

    /// By a tunnel, the first stream of which is open.
    pub(crate) fn tunnel(access: &Arc<dyn ClusterAccess>, first: Box<dyn ByteStream>) -> Self {
        Self::Tunnel { access: Arc::clone(access), first: Arc::new(Mutex::new(Some(first))) }
    }

    /// Whether bytes go through a tunnel.
    pub(crate) const fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel { .. })
    }
}

/// The bytes of a percent-encoded text.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

impl Service<Uri> for Transport {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<TokioIo<Stream>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_ready(cx).map_err(Into::into),
            Self::Proxy(tunnel) => tunnel.poll_ready(cx).map_err(Into::into),
            Self::Tunnel { .. } => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Self::Tcp(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(async move { Ok(stream(connecting.await?.into_inner())) })
            }
            Self::Proxy(tunnel) => {
                let connecting = tunnel.call(to);
                Box::pin(async move { Ok(stream(connecting.await?.into_inner())) })
            }
            Self::Tunnel { access, first } => {
                let (access, first) = (Arc::clone(access), Arc::clone(first));
                Box::pin(async move {
                    let open = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let open = match open {
                        Some(open) => open,
                        None => access.open().await.ok_or("the tunnel to the API server is closed")??,
                    };
                    Ok(TokioIo::new(Stream(open)))
                })
            }
        }
    }
}

fn stream(open: impl ByteStream + 'static) -> TokioIo<Stream> {
    TokioIo::new(Stream(Box::new(open)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_http_proxy_is_used() {
        let tcp = |proxy: &str| Transport::tcp(Some(&proxy.parse().expect("a URI"))).map(|_| ());
        assert_eq!(tcp("http://user:p%40ss@proxy:3128"), Ok(()));
        assert_eq!(tcp("socks5://proxy:1080"), Err("socks5".to_owned()));
        assert_eq!(decoded("a%40b%zz%"), b"a@b%zz%");
    }
}
