//! A server that asks for keys: where clients put theirs, and what those hear that have none and are still sending.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::JSON;
use testkit::cli::{bare, finish};
use testkit::serve::{Server, tiny};

/// A server that asks for keys.
fn guarded(more: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let said = finish(bare().args(["serve", "--new-api-key", "alice"])).exits(0).stdout;
    std::fs::write(folder.path().join("keys"), said.trim().split_once('\n').unwrap().1).unwrap();
    let server = Server::start_cold(tiny().arg("--api-keys").arg(folder.path().join("keys")).args(more));
    (server, folder)
}

#[test]
fn a_key_may_come_in_the_headers_of_other_clients() {
    let folder = tempfile::tempdir().unwrap();
    let said = finish(bare().args(["serve", "--new-api-key", "alice"])).exits(0).stdout;
    let (key, line) = said.trim().split_once('\n').unwrap();
    std::fs::write(folder.path().join("keys"), line).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(folder.path().join("keys")));
    let path = "/openai/deployments/tiny/embeddings?api-version=2024-10-21";
    for (name, value, status) in [
        ("api-key", key, 200),
        ("x-api-key", key, 200),
        ("authorization", &format!("Bearer {key}"), 200),
        ("authorization", key, 401),
        ("api-key", "akidb_x", 401),
    ] {
        let answer = server.request("POST", path, &[JSON, (name, value)], br#"{"input": "a", "model": "ignored"}"#);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let cached = server.request("GET", "/api/v1/embed?input=a", &[("api-key", key)], b"");
    assert_eq!((cached.status, cached.header("cache-control")), (200, Some("private, max-age=300")));
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A field that is in no table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Sends a POST of so many bytes over HTTP/2, and says of each frame of its stream its kind and its flags. The body begins
/// before an answer is read, and goes on as the server lets it.
fn post_http2(server: &Server, size: usize) -> Vec<(u8, u8, Vec<u8>)> {
    const PART: usize = 16 << 10;
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/embed"),
        field(":authority", "a"),
        field("content-type", "application/json"),
    ];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).unwrap();
    stream.write_all(&frame(1, 4, 1, &head.concat())).unwrap();
    let (mut left, mut window, mut whole) = (size, [65_535_usize; 2], Vec::new());
    loop {
        while left > 0 && window.iter().all(|window| *window >= PART.min(left)) {
            let part = PART.min(left);
            left -= part;
            window = window.map(|window| window - part);
            stream.write_all(&frame(0, u8::from(left == 0), 1, &vec![b' '; part])).unwrap();
        }
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut body).unwrap();
        let (kind, flags, on) = (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        match (kind, on) {
            (8, on) => window[on as usize] += number(&body),
            (4, _) if flags & 1 == 0 => {
                // The window that every stream begins with.
                for setting in body.chunks(6).filter(|setting| setting[..2] == [0, 4]) {
                    window[1] = window[1] + number(&setting[2..]) - 65_535;
                }
                stream.write_all(&frame(4, 1, 0, &[])).unwrap();
            }
            (_, 1) => {
                whole.push((kind, flags, body));
                // An end, or a reset.
                if (kind <= 1 && flags & 1 == 1) || kind == 3 {
                    break;
                }
            }
            (7, _) => panic!("the connection is given up"),
            _ => {}
        }
    }
    // A reset may follow the end.
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut body).unwrap();
        if head[8] == 1 {
            whole.push((head[3], head[4], body));
        }
    }
    whole
}

#[test]
fn a_refused_body_over_http_2_ends_with_an_answer_and_no_reset() {
    let (server, _keys) = guarded(&[]);
    for size in [1, 100_000, 20 << 20] {
        let frames = post_http2(&server, size);
        assert!(frames.iter().all(|(kind, ..)| *kind != 3), "reset after {size} bytes: {frames:?}");
        assert_eq!(frames[0].0, 1, "headers come first");
        let body: Vec<u8> = frames.iter().filter(|(kind, ..)| *kind == 0).flat_map(|(.., body)| body.clone()).collect();
        assert!(String::from_utf8_lossy(&body).contains("UNAUTHORIZED"), "{frames:?}");
    }
    let server = Server::start(tiny().args(["--max-body", "64KiB"]));
    let frames = post_http2(&server, 4 << 20);
    assert!(frames.iter().all(|(kind, ..)| *kind != 3), "{frames:?}");
    assert!(frames.iter().any(|(.., body)| String::from_utf8_lossy(body).contains("BODY_TOO_LARGE")), "{frames:?}");
}

/// What comes until the other end closes; a reset loses it.
fn until_the_end(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_refused_body_over_http_1_is_read_and_one_that_waits_is_not_asked_for() {
    let (server, _keys) = guarded(&[]);
    let head =
        |more: &str| format!("POST /embed HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{more}\r\n\r\n");
    // The client sends all of it before it reads.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("connection: close\r\ncontent-length: 20000000").as_bytes()).unwrap();
    stream.write_all(&vec![b' '; 20_000_000]).unwrap();
    let said = until_the_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    // A client that asks first hears no from the server's first word on; what it sends all the same resets nothing.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("expect: 100-continue\r\ncontent-length: 3000000").as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 401");
    let _ = stream.write_all(&vec![b' '; 3_000_000]);
    assert!(until_the_end(&mut stream).contains("UNAUTHORIZED"));
    // A client whose body does not come is not waited for very long.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("content-length: 100").as_bytes()).unwrap();
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 401");
}

/// The curl of this machine, over TLS, as people use it.
#[test]
fn curl_shows_why_it_was_refused() {
    if Command::new("curl").arg("--version").output().is_err() {
        return eprintln!("no curl here");
    }
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(file("body.json"), json!({"inputs": vec!["x".repeat(1000); 3000]}).to_string()).unwrap();
    let (server, _keys) = guarded(&["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")]);
    for version in ["--http1.1", "--http2"] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-k", "--max-time", "30", version, "-H", "content-type: application/json", "-d"]);
        let done = curl.arg(format!("@{}", file("body.json"))).arg(format!("{}/embed", server.url)).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && out.contains("UNAUTHORIZED"), "{version}: {out}{err}");
    }
}
