//! Bodies that are compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use super::JSON;
use testkit::serve::{Server, tiny};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bodies_may_be_compressed_and_bombs_are_refused() {
    let server = Server::start(tiny().args(["--max-body", "1MiB"]));
    let many = json!({"inputs": vec!["hello world"; 1500]}).to_string();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(many.as_bytes()).unwrap();
    for (coding, body) in [
        ("gzip", gzip(many.as_bytes())),
        ("x-gzip", gzip(many.as_bytes())),
        ("deflate", zlib.finish().unwrap()),
        ("identity", many.clone().into_bytes()),
    ] {
        for path in ["/api/v1/embed", "/embed"] {
            let answer = server.request("POST", path, &[JSON, ("content-encoding", coding)], &body);
            assert_eq!(answer.status, 200, "{coding}: {}", answer.text());
        }
    }
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
        peak.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident();
    let bomb = gzip(&vec![b' '; 512 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let answer = server.request("POST", "/api/v1/embed", &[JSON, ("content-encoding", "gzip")], &bomb);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("BODY_TOO_LARGE")));
    let after = resident();
    assert!(after < before + (32 << 10), "{before} -> {after} kB");
    for (coding, body, status) in [
        ("gzip", &b"{\"inputs\": \"a\"}"[..], 400),
        ("gzip", &gzip(b"{\"inputs\": \"a\"}")[..20], 400),
        ("br", b"x", 415),
        ("gzip, gzip", b"x", 415),
    ] {
        let answer = server.request("POST", "/api/v1/embed", &[JSON, ("content-encoding", coding)], body);
        assert_eq!(answer.status, status, "{coding}: {}", answer.text());
        let reads = answer.header("accept-encoding");
        assert_eq!(reads, (status == 415).then_some("gzip, deflate"), "{coding}");
        assert!(status != 415 || answer.text().contains("gzip, deflate and identity"), "{}", answer.text());
    }
}
