use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::known_server::certificate;
use super::*;
use crate::failure::FailureKind;
use crate::recording::Recording;
use crate::trust::TrustedRoots;

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    requests: AtomicU64,
    /// Requests that are there at once, and the most there were.
    now: AtomicU64,
    most: AtomicU64,
}

/// A server of HTTP/2. Its answers depend on the path: `/ok`, `/grpc/OK`, `/grpc/denied`, `/grpc/nothing`.
async fn served(tls: Option<TlsAcceptor>) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::<Seen>::default());
    let own = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            own.connections.fetch_add(1, Ordering::SeqCst);
            let (seen, tls) = (Arc::clone(&own), tls.clone());
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&seen)));
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                match tls {
                    None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            });
        }
    });
    (address, seen)
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Body>, Infallible> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    tokio::time::sleep(Duration::from_millis(5)).await;
    seen.now.fetch_sub(1, Ordering::SeqCst);
    let grpc = |trailers: Option<(&'static str, &'static str)>| {
        assert!(headers["content-type"] == "application/grpc" && headers["te"] == "trailers", "{headers:?}");
        assert_eq!(&body[..], b"\0\0\0\0\x03abc");
        let trailers = trailers.map(|(code, message)| {
            let mut map = HeaderMap::new();
            map.insert("grpc-status", code.parse().unwrap());
            map.insert("grpc-message", message.parse().unwrap());
            Ok(map)
        });
        Full::new(Bytes::from_static(b"\0\0\0\0\0")).with_trailers(async move { trailers }).boxed()
    };
    let body = match path.as_str() {
        "/grpc/OK" => grpc(Some(("0", ""))),
        "/grpc/denied" => grpc(Some(("7", "no key"))),
        "/grpc/nothing" => grpc(None),
        _ => Full::new(Bytes::from(vec![b'x'; 200_000])).boxed(),
    };
    Ok(Response::new(body))
}

fn target(address: SocketAddr, path: &str, protocol: Protocol) -> Target {
    let url = format!("http://{address}{path}");
    if protocol == Protocol::Grpc {
        Target::grpc(&url, b"abc".to_vec())
    } else {
        Target { protocol, ..Target::get(&url) }
    }
}

async fn measured(target: &Target, load: &Load, trust: &TrustedRoots) -> Recording {
    run(target, load, trust, &Control::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_share_connections() {
    let (address, seen) = served(None).await;
    let load = Load { streams: 5, ..Load::closed(2, Extent::Requests(100)) };
    let recording = measured(&target(address, "/ok", Protocol::Http2), &load, &TrustedRoots::none()).await;
    assert_eq!((recording.answers(), recording.failed(), recording.bytes), (100, 0, 20_000_000), "{recording:?}");
    assert_eq!(seen.connections.load(Ordering::SeqCst), 2);
    assert!(seen.most.load(Ordering::SeqCst) > 2, "several at once on one connection");
    assert_eq!(recording.on_new_connections().total.len(), 2);
    assert!(recording.answered().min().unwrap() >= Duration::from_millis(4));
    let open = Load { connections: 1, streams: 20, ..Load::open(200.0, Extent::Requests(60)) };
    assert_eq!(measured(&target(address, "/ok", Protocol::Http2), &open, &TrustedRoots::none()).await.answers(), 60);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 3);
    let each = Load { reuse: Reuse::PerRequest, ..Load::closed(2, Extent::Requests(10)) };
    assert_eq!(measured(&target(address, "/ok", Protocol::Http2), &each, &TrustedRoots::none()).await.answers(), 10);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_is_decided_by_its_status() {
    let (address, _) = served(None).await;
    let load = Load::closed(2, Extent::Requests(10));
    let ok = measured(&target(address, "/grpc/OK", Protocol::Grpc), &load, &TrustedRoots::none()).await;
    assert_eq!((ok.answers(), ok.failed()), (10, 0), "{ok:?}");
    for path in ["/grpc/denied", "/grpc/nothing"] {
        let failed = measured(&target(address, path, Protocol::Grpc), &load, &TrustedRoots::none()).await;
        assert_eq!(failed.failures.by_kind, [(FailureKind::Grpc, 10)].into(), "{path}");
    }
    let denied =
        once(&target(address, "/grpc/denied", Protocol::Grpc), Duration::from_secs(20), &TrustedRoots::none()).await;
    let denied = denied.unwrap();
    assert_eq!(denied.wrong.unwrap().to_string(), "a gRPC status that is not OK: grpc-status 7: no key");
    assert_eq!(&denied.trailers.unwrap()["grpc-status"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_agreed_on_by_tls() {
    let (pem, tls) = certificate(b"h2");
    let (address, _) = served(Some(tls)).await;
    let mut secure = Target { protocol: Protocol::Http2, ..Target::get("https://localhost/ok") };
    secure.connect_to = Some(address);
    let trust = TrustedRoots::pem(&pem).unwrap();
    let recording = measured(&secure, &Load::closed(1, Extent::Requests(5)), &trust).await;
    assert_eq!((recording.answers(), recording.on_new_connections().tls.len()), (5, 1), "{recording:?}");
    let (pem, old) = certificate(b"http/1.1");
    let (address, _) = served(Some(old)).await;
    secure.connect_to = Some(address);
    let refused = measured(&secure, &Load::closed(1, Extent::Requests(2)), &TrustedRoots::pem(&pem).unwrap()).await;
    assert_eq!(refused.failures.by_kind, [(FailureKind::Tls, 2)].into());
}
