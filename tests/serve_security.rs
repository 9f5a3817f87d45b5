//! Keys, certificates, origins: who gets in, and what nobody gets to see.
#![cfg(feature = "serve")]

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use support::cli::{bare, finish};
use support::serve::{Answer, Server, tiny};

/// A new key, and its line.
fn new_key(name: &str) -> (String, String) {
    let said = finish(bare().args(["serve", "--new-api-key", name])).exits(0).stdout;
    let (key, line) = said.trim().split_once('\n').unwrap();
    (key.to_owned(), line.to_owned())
}

fn models(server: &Server, key: &str) -> Answer {
    server.request("GET", "/models", &[("authorization", &format!("Bearer {key}"))], b"")
}

/// Asks until the answer has this status.
#[track_caller]
fn until(server: &Server, key: &str, status: u16) {
    let end = Instant::now() + Duration::from_secs(20);
    while models(server, key).status != status {
        assert!(Instant::now() < end, "never {status}\n{}", server.said());
    }
}

#[test]
fn keys_open_and_change_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let ((old, line), (new, next)) = (new_key("alice"), new_key("alice"));
    std::fs::write(&file, &line).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(&file));
    assert!(server.said().contains("everybody on this machine may read"), "{}", server.said());
    assert_eq!((server.get("/health").0, server.get("/ready").0, server.get("/metrics").0), (200, 200, 200));
    let without = server.request("POST", "/api/v1/embed", &[], br#"{"inputs": "a"}"#);
    assert_eq!((without.status, without.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(without.json()["code"], "UNAUTHORIZED");
    assert_eq!(without.json()["request_id"].as_str(), without.header("x-request-id"));
    assert_eq!((models(&server, &old).status, models(&server, &new).status), (200, 401));
    // A broken file keeps the old keys and is told.
    std::fs::write(&file, "alice:sha256:beef").unwrap();
    server.signal("HUP");
    server.wait_for("API keys kept as they were");
    assert_eq!(models(&server, &old).status, 200);
    // The file is looked at without a signal, too.
    std::fs::write(&file, format!("{next}\n")).unwrap();
    until(&server, &new, 200);
    assert_eq!(models(&server, &old).status, 401);
    // Nobody sees a key.
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    let check = finish(tiny().arg("--api-keys").arg(&file).arg("--check")).exits(0).all();
    for seen in [
        String::from_utf8_lossy(&arguments).into_owned(),
        check,
        server.said(),
        server.get("/health").1,
        server.get("/metrics").1,
    ] {
        assert!(!seen.contains(&old) && !seen.contains(&new), "{seen}");
    }
}

#[test]
fn every_error_has_the_envelope_and_the_id() {
    let server = Server::start(tiny().args(["--max-body", "1KiB"]));
    let big = vec![b' '; 5000];
    for (method, path, body, status, code) in [
        ("GET", "/nothing", b"".as_slice(), 404, "NOT_FOUND"),
        ("DELETE", "/api/v1/embed", b"", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/v1/embed", b"{", 400, "INVALID_REQUEST"),
        ("POST", "/api/v1/embed", &big, 413, "BODY_TOO_LARGE"),
        ("POST", "/api/v1/embed", br#"{"inputs": "a", "model": "none"}"#, 404, "MODEL_NOT_FOUND"),
    ] {
        let answer = server.request(method, path, &[("x-request-id", "mine-1.2_3")], body);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{path}: {}", answer.text());
        assert_eq!(answer.json()["request_id"], "mine-1.2_3", "{path}");
        assert_eq!(answer.header("x-request-id"), Some("mine-1.2_3"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert!(answer.json()["error"].as_str().is_some_and(|words| words.len() > 10), "{path}");
    }
    let insane = server.request("GET", "/nothing", &[("x-request-id", "a\tb")], b"");
    assert!(
        !insane.text().contains("a\\tb") && insane.header("x-request-id").is_some_and(|id| id.len() == 17),
        "{insane:?}"
    );
}

#[test]
fn other_origins_are_let_in_by_name_only() {
    let page = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let closed = Server::start(&mut tiny());
    assert_eq!(closed.request("GET", "/models", &page, b"").header("access-control-allow-origin"), None);
    assert_eq!(closed.request("OPTIONS", "/api/v1/embed", &page, b"").status, 405);
    let open = Server::start(tiny().args(["--cors-origin", "https://app.example"]));
    let may = open.request("OPTIONS", "/api/v1/embed", &page, b"");
    assert_eq!((may.status, may.header("access-control-allow-origin")), (204, Some("https://app.example")));
    let answer = open.request("GET", "/models", &page, b"");
    assert_eq!(
        (answer.header("access-control-allow-origin"), answer.header("vary")),
        (Some("https://app.example"), Some("origin"))
    );
    let other = open.request("GET", "/models", &[("origin", "https://evil.example")], b"");
    assert_eq!(other.header("access-control-allow-origin"), None);
}

/// An authority, and certificates of it.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Certificate and key in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A client that trusts this authority, with a certificate or without.
    fn client(&self, own: Option<&(String, String)>, protocols: &[&[u8]]) -> Arc<rustls::ClientConfig> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

/// Status line of a GET over TLS and the certificate of the server, or why there is none.
fn get(server: &Server, config: &Arc<rustls::ClientConfig>, path: &str) -> std::io::Result<(String, Vec<u8>)> {
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(config.clone(), name).unwrap();
    let mut socket = std::net::TcpStream::connect(server.address())?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let status = String::from_utf8_lossy(&all).lines().next().unwrap_or_default().to_owned();
    let certificate = session.peer_certificates().map(|all| all[0].to_vec()).unwrap_or_default();
    Ok((status, certificate))
}

fn write_pair(folder: &Path, (certificate, key): &(String, String)) {
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
}

#[test]
fn tls_with_certificates_that_change() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    write_pair(folder.path(), &authority.issue("localhost"));
    let file = |name: &str| folder.path().join(name).display().to_string();
    let server = Server::start_cold(tiny().args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")]));
    assert!(server.url.starts_with("https://"));
    let client = authority.client(None, &[b"http/1.1"]);
    let (status, first) = get(&server, &client, "/health").unwrap();
    assert_eq!(status, "HTTP/1.1 200 OK");
    // Broken files keep the old certificate.
    std::fs::write(file("cert.pem"), "nonsense").unwrap();
    server.signal("HUP");
    server.wait_for("TLS certificates kept as they were");
    assert_eq!(get(&server, &client, "/health").unwrap().1, first);
    write_pair(folder.path(), &authority.issue("localhost"));
    let end = Instant::now() + Duration::from_secs(20);
    while get(&server, &client, "/health").unwrap().1 == first {
        assert!(Instant::now() < end, "{}", server.said());
    }
    // Both protocols are offered.
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(authority.client(None, &[b"h2", b"http/1.1"]), name).unwrap();
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket).unwrap();
    }
    assert_eq!(session.alpn_protocol(), Some(b"h2".as_slice()));
}

#[test]
fn mutual_tls_wants_a_certificate_of_its_authority() {
    let (folder, authority, foreign) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    write_pair(folder.path(), &authority.issue("localhost"));
    std::fs::write(folder.path().join("ca.pem"), authority.certificate.pem()).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut command = tiny();
    command.args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem"), "--tls-client-ca", &file("ca.pem")]);
    let server = Server::start_cold(&mut command);
    let known = authority.client(Some(&authority.issue("client")), &[]);
    assert_eq!(get(&server, &known, "/models").unwrap().0, "HTTP/1.1 200 OK");
    assert!(get(&server, &authority.client(None, &[]), "/models").is_err());
    assert!(get(&server, &authority.client(Some(&foreign.issue("client")), &[]), "/models").is_err());
}

#[test]
fn http2_is_spoken_in_clear_text_by_prior_knowledge() {
    let server = Server::start(&mut tiny());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let body = json!({"inputs": ["a"]}).to_string();
        let request =
            client.post(format!("{}/api/v1/embed", server.url)).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
        // Whoever speaks gRPC is refused in its words: a status among the headers.
        let call = client.post(format!("{}/nothing", server.url)).header("content-type", "application/grpc");
        assert!(call.send().await.is_ok());
    });
}
