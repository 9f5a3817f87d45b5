//! A server whose delays and failures are known, and which keeps its own log. For tests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalOptions;
use tokio_rustls::TlsAcceptor;

use crate::clock::Alarm;
use crate::latencies::Latencies;

/// What a request gets.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// 200 after a delay, with these further header lines.
    After(Duration, &'static str),
    /// 500 at once.
    Wrong,
    /// The connection is closed without an answer.
    Closed,
    /// Nothing ever.
    Silence,
    /// 200 at once, and the connection is closed without a word of it.
    Last,
}

/// What the server saw.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// From the arrival of a request to its answer.
    pub answered: Mutex<Latencies>,
    pub requests: AtomicU64,
    pub wrong: AtomicU64,
    pub closed: AtomicU64,
    pub silent: AtomicU64,
    pub connections: AtomicU64,
}

impl Log {
    pub fn count(of: &AtomicU64) -> u64 {
        of.load(Ordering::SeqCst)
    }

    pub fn answered(&self) -> Latencies {
        self.answered.lock().unwrap().clone()
    }
}

/// What the n-th request gets which came so long after the start.
pub(super) type Script = Arc<dyn Fn(u64, Duration) -> Reply + Send + Sync>;

pub(super) struct KnownServer {
    pub address: SocketAddr,
    pub log: Arc<Log>,
}

impl KnownServer {
    /// On a thread of its own until the test process ends.
    pub fn start(script: impl Fn(u64, Duration) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_tls(script, None)
    }

    pub fn with_tls(script: impl Fn(u64, Duration) -> Reply + Send + Sync + 'static, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, log, script) =
            (listener.local_addr().unwrap(), Arc::<Log>::default(), Arc::new(script) as Script);
        let own = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
            runtime.block_on(accept(listener, script, own, tls));
        });
        Self { address, log }
    }

    pub fn url(&self) -> String {
        format!("http://{}/embed", self.address)
    }
}

/// A certificate for `localhost`: as PEM for those who trust it, and what serves it.
pub(super) fn certificate(protocol: &[u8]) -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: std::net::TcpListener, script: Script, log: Arc<Log>, tls: Option<TlsAcceptor>) {
    let (listener, start) = (TcpListener::from_std(listener).unwrap(), Instant::now());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        log.connections.fetch_add(1, Ordering::SeqCst);
        let (script, log, tls) = (Arc::clone(&script), Arc::clone(&log), tls.clone());
        tokio::task::spawn_local(async move {
            match tls {
                None => serve::<TcpStream>(stream, script, log, start).await,
                Some(tls) => {
                    if let Ok(secure) = tls.accept(stream).await {
                        serve(secure, script, log, start).await;
                    }
                }
            }
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, script: Script, log: Arc<Log>, start: Instant) {
    let (mut alarm, mut buffer) = (Alarm::new().unwrap(), Vec::new());
    loop {
        let Some(length) = request(&mut stream, &mut buffer).await else { return };
        let arrived = Instant::now();
        buffer.drain(..length);
        let number = log.requests.fetch_add(1, Ordering::SeqCst);
        let answer = |status: &str, more: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n{more}\r\nok")
        };
        match script(number, arrived - start) {
            Reply::After(delay, more) => {
                alarm.until(arrived + delay).await.unwrap();
                log.answered.lock().unwrap().record(arrived.elapsed());
                if stream.write_all(answer("200 OK", more).as_bytes()).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Reply::Wrong => {
                log.wrong.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer("500 Internal Server Error", "").as_bytes()).await.unwrap();
            }
            Reply::Closed => {
                log.closed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            Reply::Silence => {
                log.silent.fetch_add(1, Ordering::SeqCst);
                // Until the client gives up.
                let _ = stream.read(&mut [0]).await;
                return;
            }
            Reply::Last => {
                log.answered.lock().unwrap().record(arrived.elapsed());
                stream.write_all(answer("200 OK", "").as_bytes()).await.unwrap();
                return;
            }
        }
    }
}

/// The length of the request at the beginning of the buffer, body included.
async fn request<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let body = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            let length = end + 4 + body.unwrap_or(0);
            if buffer.len() >= length {
                return Some(length);
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&more[..count]),
        }
    }
}
