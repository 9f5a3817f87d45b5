//! Keys, certificates, origins: who gets in, and what nobody gets to see.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::cli::{bare, finish};
use testkit::serve::{HttpAnswer, Server, tiny};

/// A new key, and its line.
fn new_key(name: &str) -> (String, String) {
    let said = finish(bare().args(["serve", "--new-api-key", name])).exits(0).stdout;
    let (key, line) = said.trim().split_once('\n').unwrap();
    (key.to_owned(), line.to_owned())
}

fn models(server: &Server, key: &str) -> HttpAnswer {
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
    assert!(server.said().contains("all users of this machine can read"), "{}", server.said());
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
    // A file that is gone keeps them, and that is told; one that stays empty takes them all back.
    std::fs::remove_file(&file).unwrap();
    server.wait_for("No such file");
    assert_eq!(models(&server, &new).status, 200);
    std::fs::write(&file, "# nobody\n").unwrap();
    until(&server, &new, 401);
    server.wait_for("requests that need one are rejected");
    assert_eq!((server.get("/health").0, server.get("/ready").0), (200, 200));
    std::fs::write(&file, format!("{next}\n")).unwrap();
    until(&server, &new, 200);
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
fn what_the_gate_refuses_has_a_line_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let (key, line) = new_key("alice");
    std::fs::write(&file, format!("{line}:tenant=acme:rate=1\n")).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(&file));
    let ask = |id: &str, shown: &str| {
        let headers = [("x-request-id", id), ("authorization", shown), ("x-tenant", "made-up")];
        server.request("GET", "/models", &headers, b"").status
    };
    let (wrong, right) = ("Bearer akidb_not-a-key", format!("Bearer {key}"));
    assert_eq!(ask("unknown-1", wrong), 401);
    assert!((0..50).any(|_| ask("fast-1", &right) == 429), "one request a second");
    server.wait_for("\"unknown-1\"");
    server.wait_for("\"fast-1\"");
    let of = |id: &str| -> serde_json::Value {
        let said = server.said();
        let mut lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find(|line| line["request_id"] == id).unwrap_or_default()
    };
    let (unknown, fast) = (of("unknown-1"), of("fast-1"));
    assert_eq!((unknown["status"].as_u64(), unknown["code"].as_str()), (Some(401), Some("UNAUTHORIZED")), "{unknown}");
    assert!(unknown["level"] == "info" && unknown["tenant"].is_null(), "{unknown}");
    assert!(unknown["message"].as_str().unwrap().starts_with("request refused: unknown API key"), "{unknown}");
    assert_eq!((fast["status"].as_u64(), fast["code"].as_str()), (Some(429), Some("RATE_LIMITED")), "{fast}");
    assert_eq!(fast["tenant"], "acme", "{fast}");
    // Whoever tries keys fills no disk.
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(ask("many", wrong), 401);
    }
    let most = 10 * (began.elapsed().as_secs() as usize + 2);
    let said = server.said();
    let written = said.matches("\"many\"").count();
    assert!(written > 0 && written <= most, "{written} of at most {most}");
    for secret in [key.as_str(), "akidb_not-a-key", "made-up"] {
        assert!(!said.contains(secret), "{said}");
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
fn what_a_client_made_up_comes_back_short_and_visible() {
    let server = Server::start(&mut tiny());
    let long = "y".repeat(1 << 20);
    let odd = "a\u{202e}b\u{200b}";
    for (path, body) in [
        ("/api/v1/embed", json!({"inputs": "a", long.as_str(): 1})),
        ("/api/v1/embed", json!({"inputs": "a", odd: 1})),
        ("/api/v1/embed", json!({"inputs": "a", "model": long})),
        ("/api/v1/embed", json!({"inputs": "a", "model": odd})),
        ("/api/v1/embed", json!({"inputs": "a", "version": long})),
        ("/api/v1/embed", json!({"inputs": "a", "prompt_name": long})),
        ("/api/v1/embed", json!({"inputs": "a", "normalize": long})),
        ("/api/v1/embed", json!({"inputs": "a", "truncation_direction": long})),
        ("/v1/embeddings", json!({"input": "a", "model": long})),
        ("/tokenize", json!({"inputs": "a", "prompt_name": long})),
    ] {
        let answer = server.request("POST", path, &[], body.to_string().as_bytes());
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        let said = answer.text();
        assert!(said.len() < 1000, "{path}: {} bytes", said.len());
        assert!(!said.contains(['\u{202e}', '\u{200b}']), "{path}: {said}");
    }
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

/// The lines of a private key in PEM: each of them gives a part of it away.
fn lines_of(key: &str) -> Vec<&str> {
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----") && !line.is_empty()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.len() > 20), "{} lines", lines.len());
    lines
}

/// All files below a folder, as one text.
fn everything(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() {
            everything(&path)
        } else {
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
        }
    };
    entries.map(of).collect()
}

#[test]
fn a_tls_key_is_nowhere_but_in_its_file() {
    let (folder, scratch, authority) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Authority::new());
    let pair = authority.issue("localhost");
    write_pair(folder.path(), &pair);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (file("cert.pem"), file("key.pem"));
    let flags = ["--tls-cert", &certificate, "--tls-key", &key, "--log-level", "debug"];
    let server = Server::start_cold(tiny().args(flags).env("TMPDIR", scratch.path()));
    let client = authority.client(None, &[b"http/1.1"]);
    let mut seen: Vec<String> = ["/health", "/metrics", "/models"].map(|path| whole(&server, &client, path)).into();
    seen.push(finish(tiny().args(flags).arg("--check")).exits(0).all());
    // A file with the key in a form that is none is told, and not repeated.
    std::fs::write(&key, pair.1.replace("PRIVATE KEY", "NOTHING")).unwrap();
    server.signal("HUP");
    server.wait_for("TLS certificates kept as they were");
    seen.push(finish(tiny().args(flags).arg("--check")).all());
    for what in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{what}", server.pid())).unwrap();
        seen.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    seen.extend([server.said(), everything(scratch.path())]);
    for text in &seen {
        for line in lines_of(&pair.1) {
            assert!(!text.contains(line), "a line of the key is in\n{text}");
        }
    }
    // Its memory holds the key: it leaves no core dump.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
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

/// Asks over a connection that stays; the head of the answer.
fn one(stream: &mut (impl Read + Write)) -> std::io::Result<String> {
    write!(stream, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    stream.read_exact(&mut vec![0; length.expect("a length")])?;
    Ok(head)
}

#[test]
fn a_connection_ends_when_the_authority_of_its_certificate_is_taken_away() {
    let (folder, authority, next) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    write_pair(folder.path(), &authority.issue("localhost"));
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("ca.pem"), authority.certificate.pem()).unwrap();
    let mut command = tiny();
    command.args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem"), "--tls-client-ca", &file("ca.pem")]);
    let server = Server::start_cold(&mut command);
    let known = authority.client(Some(&authority.issue("client")), &[b"http/1.1"]);
    let mut session = rustls::ClientConnection::new(known.clone(), "localhost".try_into().unwrap()).unwrap();
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    assert!(one(&mut stream).unwrap().starts_with("http/1.1 200"));
    // One more authority takes nothing away.
    let both = format!("{}{}", authority.certificate.pem(), next.certificate.pem());
    std::fs::write(file("ca.pem"), both).unwrap();
    server.signal("HUP");
    server.wait_for("TLS certificates read again");
    assert!(one(&mut stream).unwrap().starts_with("http/1.1 200"));
    std::fs::write(file("ca.pem"), next.certificate.pem()).unwrap();
    server.signal("HUP");
    // Long before it has been idle for as long as it may.
    let end = stream.read(&mut [0; 64]);
    let closed = |why: &std::io::Error| why.kind() != std::io::ErrorKind::WouldBlock;
    assert!(end.as_ref().map_or_else(closed, |count| *count == 0), "{end:?}\n{}", server.said());
    assert!(get(&server, &known, "/models").is_err());
    let other = authority.client(Some(&next.issue("client")), &[b"http/1.1"]);
    assert_eq!(get(&server, &other, "/models").unwrap().0, "HTTP/1.1 200 OK");
}

/// Everything that comes back for a request in these words, until the server closes.
fn said(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_request_names_its_server_once() {
    let server = Server::start(&mut tiny());
    // A refusal is told, and nobody's cursor moves.
    let odd = said(server.address(), "GET /models HTTP/1.1\r\nhost: a\u{202e}b\r\nconnection: close\r\n\r\n");
    assert!(odd.starts_with("HTTP/1.1 400"), "{odd}");
    server.wait_for("request refused: the header host has to name a host");
    assert!(server.said().contains("a\\u") && !server.said().contains('\u{202e}'), "{}", server.said());
    for address in [server.address(), server.grpc.as_deref().unwrap()] {
        for path in ["/health", "/models", "/nothing", "/grpc.health.v1.Health/Check"] {
            let ask = |hosts: &str| said(address, &format!("GET {path} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n"));
            for bad in
                ["", "host: a\r\nhost: a\r\n", "host: a\r\nHost: b\r\n", "host: a b\r\n", "host: a@b\r\n", "host:\r\n"]
            {
                let answer = ask(bad);
                assert!(
                    answer.starts_with("HTTP/1.1 400") && answer.contains("INVALID_REQUEST"),
                    "{path} {bad:?}: {answer}"
                );
            }
            assert!(!ask("host: a\r\n").starts_with("HTTP/1.1 400"), "{path}");
        }
    }
    let old = said(server.address(), "GET /health HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200"), "HTTP/1.0 had no such header: {old}");
}

/// A connection of HTTP/2, frame by frame: what no client library would send.
struct Frames(std::net::TcpStream);

impl Frames {
    /// `window` are the bytes of an answer that this client takes.
    fn open(address: &str, window: u32) -> Self {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Self(stream);
        frames.send(4, 0, 0, &[&[0, 4], window.to_be_bytes().as_slice()].concat());
        frames
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[head.as_slice(), payload].concat()).unwrap();
    }

    /// A GET of a path, with an authority and with a header `host`.
    fn get(&mut self, stream: u32, path: &str, authority: &str, hosts: &[&str]) {
        // Method GET and scheme http are in the table of the standard; the others are literals with a name from there.
        let mut block = vec![0x82, 0x86];
        literal(&mut block, &[0x04], path);
        if !authority.is_empty() {
            literal(&mut block, &[0x01], authority);
        }
        for host in hosts {
            literal(&mut block, &[0x0f, 38 - 15], host);
        }
        self.send(1, 0x5, stream, &block);
    }

    /// Begins a call of gRPC, whose messages come in frames of their own.
    fn call(&mut self, stream: u32, path: &str) {
        let mut block = vec![0x83, 0x86];
        literal(&mut block, &[0x04], path);
        literal(&mut block, &[0x01], "a");
        literal(&mut block, &[0x0f, 31 - 15], "application/grpc");
        self.send(1, 0x4, stream, &block);
    }

    /// Sends so many frames of a body; fewer when the server ends the connection.
    fn flood(&mut self, stream: u32, payload: &[u8], count: usize) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[1..], &[0, 0], &stream.to_be_bytes(), payload].concat();
        let _ = self.0.write_all(&frame.repeat(count));
    }

    /// Reads until the server ends the connection; how, when it says so.
    fn end(&mut self) -> Option<u32> {
        let mut said = None;
        let mut head = [0; 9];
        while let Some(payload) = self.whole(&mut head) {
            // The last stream, and why.
            if head[3] == 7 {
                said = payload[4..8].try_into().ok().map(u32::from_be_bytes);
            }
        }
        said
    }

    /// What the next frame carries, unless the connection is over.
    fn whole(&mut self, head: &mut [u8; 9]) -> Option<Vec<u8>> {
        let over = |read: std::io::Result<()>| match read {
            Ok(()) => Some(()),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("it stays: {why}"),
            Err(_) => None,
        };
        over(self.0.read_exact(head))?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        over(self.0.read_exact(&mut payload))?;
        Some(payload)
    }

    /// The next answer's stream, and the first byte of its headers: 0x88 for status 200, 0x8c for 400.
    fn answer(&mut self) -> (u32, u8) {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).unwrap();
            match head[3] {
                1 => return (u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload[0]),
                // Settings are to be acknowledged.
                4 if head[4] == 0 => self.send(4, 1, 0, &[]),
                _ => {}
            }
        }
    }
}

/// A header whose name has a number, with its value as it is.
fn literal(block: &mut Vec<u8>, name: &[u8], value: &str) {
    block.extend_from_slice(name);
    match value.len().checked_sub(127) {
        None => block.push(u8::try_from(value.len()).unwrap()),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
    }
    block.extend_from_slice(value.as_bytes());
}

#[test]
fn a_header_of_http2_names_no_other_server() {
    let server = Server::start(&mut tiny());
    let status = |authority: &str, hosts: &[&str]| {
        let mut frames = Frames::open(server.address(), 65_535);
        frames.get(1, "/health", authority, hosts);
        frames.answer()
    };
    assert_eq!(status("a", &[]), (1, 0x88));
    assert_eq!(status("a", &["a"]), (1, 0x88));
    assert_eq!(status("", &["a"]), (1, 0x88));
    for (authority, hosts) in [("a", &["b"][..]), ("a", &["a", "a"]), ("", &["a", "b"]), ("", &[]), ("u@a", &[])] {
        assert_eq!(status(authority, hosts), (1, 0x8c), "{authority:?} {hosts:?}");
    }
}

#[test]
fn frames_that_nobody_reads_have_a_bound() {
    const CALL: &str = "/akidb.embedding.v1.EmbeddingService/EmbedStream";
    let server = Server::start(&mut tiny());
    let calls = server.grpc.as_deref().unwrap();
    // This client takes no byte of an answer, so that the server reads no message: its frames stay where they are.
    let open = || {
        let mut frames = Frames::open(calls, 0);
        frames.call(1, CALL);
        assert_eq!(frames.answer(), (1, 0x88));
        frames
    };
    for (payload, count) in [(&b"a"[..], 5000), (b"", 500)] {
        let mut frames = open();
        frames.flood(1, payload, count);
        let said = frames.end();
        // Be calm; where the end overtakes the words, it has none.
        assert!(said.is_none_or(|code| code == 11), "{count} frames of {payload:?}: {said:?}");
    }
    // Less than that waits, within what is counted for a stream.
    let before = server.peak();
    let mut held: Vec<Frames> = (0..32).map(|_| open()).collect();
    for frames in &mut held {
        frames.flood(1, b"a", 900);
        // Its answer says that all before it has been read from the connection.
        frames.send(6, 0, 0, b"are here");
        let mut head = [0; 9];
        while head[3] != 6 {
            frames.whole(&mut head).expect("it stays");
        }
    }
    let after = server.peak();
    assert!(after < before + 32 * (448 + 48) + (8 << 10), "{before} -> {after} kB");
    assert_eq!(server.get("/health").0, 200);
}

#[test]
fn answers_that_nobody_reads_have_a_budget() {
    let server = Server::start(tiny().args(["--max-in-flight-bytes", "2MiB", "--max-body", "1MiB"]));
    // 1500 vectors of eight numbers are about 140 KiB of text.
    let path = format!("/api/v1/embed?{}", vec!["input=a"; 1500].join("&"));
    // One byte is taken, so that the server begins to send.
    let mut frames = Frames::open(server.address(), 1);
    let mut statuses = Vec::new();
    for number in 0..40 {
        frames.get(number * 2 + 1, &path, "a", &[]);
        statuses.push(frames.answer().1);
    }
    let served = statuses.iter().filter(|status| **status == 0x88).count();
    assert!((5..30).contains(&served), "{served} of 40 answers are held");
    // They are not those of requests: others are answered, as far as there is room for their answers.
    assert_eq!(server.get("/health").0, 200);
    drop(frames);
    let end = Instant::now() + Duration::from_secs(20);
    while server.get(&path).0 != 200 {
        assert!(Instant::now() < end, "the places do not come back");
    }
}

#[test]
fn refusals_that_nobody_reads_have_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, new_key("alice").1).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(&file));
    let mut frames = Frames::open(server.address(), 0);
    for number in 0..200 {
        frames.get(number * 2 + 1, "/models", "a", &[]);
    }
    // Those that have a place are answered, the others are reset.
    let (mut told, mut reset) = (0, 0);
    while told + reset < 200 {
        let mut head = [0; 9];
        frames.0.read_exact(&mut head).unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        frames.0.read_exact(&mut payload).unwrap();
        match head[3] {
            1 => told += 1,
            3 => reset += 1,
            _ => {}
        }
    }
    assert!((1..=128).contains(&told), "{told} told, {reset} reset");
    assert_eq!(server.get("/health").0, 200);
}

#[test]
fn a_tenant_is_what_a_key_says_and_not_what_its_holder_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let ((plain, line), (tenant, other)) = (new_key("alice"), new_key("bob"));
    std::fs::write(&file, format!("{line}\n{other}:tenant=blue\n")).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(&file));
    for key in [&plain, &tenant] {
        let bearer = format!("Bearer {key}");
        let answer = server.request("GET", "/models", &[("authorization", &bearer), ("x-tenant", "acme")], b"");
        assert_eq!(answer.status, 200);
    }
    let metrics = server.get("/metrics").1;
    assert!(metrics.contains(r#"tenant="blue""#) && !metrics.contains("acme"), "{metrics}");
}

#[test]
fn a_tenant_is_what_a_certificate_says_and_not_what_its_holder_says() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    write_pair(folder.path(), &authority.issue("localhost"));
    std::fs::write(folder.path().join("ca.pem"), authority.certificate.pem()).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut command = tiny();
    command.args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem"), "--tls-client-ca", &file("ca.pem")]);
    let server = Server::start_cold(&mut command);
    let known = authority.client(Some(&authority.issue("edge-1.example")), &[b"http/1.1"]);
    // The path ends the line, and a header follows.
    let answer = whole(&server, &known, "/models HTTP/1.1\r\nx-tenant: acme\r\nx-rest: a");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let metrics = whole(&server, &known, "/metrics");
    assert!(metrics.contains(r#"tenant="edge-1.example""#) && !metrics.contains("acme"), "{metrics}");
}

#[test]
fn what_was_answered_to_somebody_who_is_known_is_private() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    write_pair(folder.path(), &authority.issue("localhost"));
    std::fs::write(folder.path().join("ca.pem"), authority.certificate.pem()).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut command = tiny();
    command.args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem"), "--tls-client-ca", &file("ca.pem")]);
    let server = Server::start_cold(&mut command);
    let known = authority.client(Some(&authority.issue("client")), &[b"http/1.1"]);
    let paths = [
        "/api/v1/embed?input=a",
        "/api/v1/models/offline",
        "/api/v1/models/offline/tiny",
        "/models",
        "/openapi.json",
        "/nothing",
    ];
    for path in paths {
        let answer = whole(&server, &known, path);
        let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
        let line = head.lines().find(|line| line.starts_with("cache-control:")).unwrap_or("nothing");
        assert!(line.contains("private") && !line.contains("public"), "{path}: {line}");
    }
    // Without certificates and keys nobody is known.
    let server = Server::start(&mut tiny());
    let answer = server.request("GET", "/api/v1/embed?input=a", &[], b"");
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
}

/// All of the answer to a GET over TLS.
fn whole(server: &Server, config: &Arc<rustls::ClientConfig>, path: &str) -> String {
    let mut session = rustls::ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let all = String::from_utf8_lossy(&all).into_owned();
        // The model may be loading still.
        if !all.starts_with("HTTP/1.1 503") {
            return all;
        }
        assert!(Instant::now() < end, "{all}");
        session = rustls::ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
    }
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
