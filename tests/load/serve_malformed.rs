//! Requests that make no sense, over raw sockets, with a fixed seed: no 5xx, no panic, no growth, and the server answers at the end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::serve::{Server, tiny};

/// All together.
const REQUESTS: u64 = 4000;
const THREADS: u64 = 4;
/// What may stay in memory after all of them: caches of the allocator, of each thread.
const GROWTH_KB: u64 = 96 << 10;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| (self.roll() >> 24) as u8).collect()
    }
}

const POSTS: [&str; 9] = [
    "/api/v1/embed",
    "/v1/embeddings",
    "/embed",
    "/",
    "/embeddings",
    "/tokenize",
    "/invocations",
    "/similarity",
    "/decode",
];

fn head(method: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}").into_bytes()
}

/// A POST whose framing is right.
fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head("POST", path, &format!("{headers}content-length: {}\r\n\r\n", body.len()));
    bytes.extend_from_slice(body);
    bytes
}

fn sensible(dice: &mut Dice) -> (&'static str, String) {
    let path = dice.one(&POSTS);
    let key = if path.ends_with("/embeddings") { "input" } else { "inputs" };
    (path, json!({key: ["hello world", "errors", ""]}).to_string())
}

/// The bytes of a request, and whether it is whole, so that an answer comes without an end of the connection.
fn request(kind: usize, dice: &mut Dice) -> (Vec<u8>, bool) {
    match kind {
        0 => half(dice),
        1 => (large_head(dice), true),
        2 => (bad_text(dice), true),
        3 => (deep(dice), true),
        4 => (wrong_length(dice), false),
        5 => (wrong_chunks(dice), false),
        6 => (followed_by_garbage(dice), false),
        7 => (mutated(dice), true),
        8 => (dice.bytes(2000), false),
        9 => (address(dice), true),
        10 => (wrong_values(dice), true),
        11 => (strange_headers(dice), false),
        _ => (http2(dice), false),
    }
}

fn half(dice: &mut Dice) -> (Vec<u8>, bool) {
    let (path, body) = sensible(dice);
    let whole = post(path, "content-type: application/json\r\n", body.as_bytes());
    (whole[..dice.below(whole.len())].to_vec(), false)
}

fn large_head(dice: &mut Dice) -> Vec<u8> {
    let size = 1000 + dice.below(300_000);
    let many = dice.below(2) == 0;
    let headers = if many { "a: b\r\n".repeat(size / 6) } else { format!("a: {}\r\n", "x".repeat(size)) };
    post("/embed", &headers, br#"{"inputs": "a"}"#)
}

fn bad_text(dice: &mut Dice) -> Vec<u8> {
    let inside: &[&[u8]] = &[
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\0",
        b"\x01\n",
        b"\\ud800",
        b"\\udc00\\ud800",
        b"\\u12",
        b"\\x",
        b"\xf8\x88\x80\x80\x80",
    ];
    let (path, body) = sensible(dice);
    let body = body.replace("errors", "@");
    let (before, after) = body.split_once('@').unwrap();
    post(path, "", &[before.as_bytes(), dice.one(inside), after.as_bytes()].concat())
}

fn deep(dice: &mut Dice) -> Vec<u8> {
    let depth = 100 + dice.below(60_000);
    let (open, close) = if dice.below(2) == 0 { ("[", "]") } else { (r#"{"a":"#, "}") };
    let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let path = dice.one(&POSTS);
    let key = dice.one(&["input", "inputs", "model", "other"]);
    let body = if dice.below(3) == 0 { nested } else { format!(r#"{{"{key}": {nested}}}"#) };
    post(path, "", body.as_bytes())
}

fn wrong_length(dice: &mut Dice) -> Vec<u8> {
    let (path, body) = sensible(dice);
    let lengths = [
        "content-length: 3",
        "content-length: -1",
        "content-length: 99999999999999999999999",
        "content-length: 0x10",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 10000000",
        "content-length:",
        "content-length: 9223372036854775807",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: identity",
    ];
    let mut bytes = head("POST", path, &format!("{}\r\n\r\n", dice.one(&lengths)));
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn wrong_chunks(dice: &mut Dice) -> Vec<u8> {
    let (path, body) = sensible(dice);
    let size = body.len();
    let chunks = [
        format!("{size:x}\r\n{body}\r\n"),
        format!("zz\r\n{body}\r\n0\r\n\r\n"),
        format!("ffffffffffffffff\r\n{body}"),
        format!("fffffffffffffffffff\r\n{body}"),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", size - 2),
        format!("-5\r\n{body}\r\n0\r\n\r\n"),
        format!("{size:x}{}\r\n{body}\r\n0\r\n\r\n", ";x=y".repeat(5000)),
        format!("{size:x}\r\n{body}\r\n0\r\n{}\r\n", "t: x\r\n".repeat(5000)),
    ];
    let mut bytes = head("POST", path, "transfer-encoding: chunked\r\n\r\n");
    bytes.extend_from_slice(chunks[dice.below(chunks.len())].as_bytes());
    bytes
}

fn followed_by_garbage(dice: &mut Dice) -> Vec<u8> {
    let (path, body) = sensible(dice);
    let mut bytes =
        format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes();
    bytes.extend_from_slice(&dice.bytes(500));
    bytes
}

fn mutated(dice: &mut Dice) -> Vec<u8> {
    let (path, body) = sensible(dice);
    let mut body = body.into_bytes();
    for _ in 0..=dice.below(4) {
        let at = dice.below(body.len());
        body[at] = (dice.roll() >> 16) as u8;
    }
    post(path, "", &body)
}

fn address(dice: &mut Dice) -> Vec<u8> {
    let long = format!("/api/v1/embed?input={}", "a".repeat(dice.below(60_000)));
    let paths = [
        "/api/v1/embed?input=%FF",
        "/api/v1/embed?input=%00",
        "/api/v1/embed?%",
        "/api/v1/embed?input=a&&&=&=b",
        "//",
        "/%ff",
        "*",
        "http://a/embed",
        "/api/v1/models/offline/%ff",
        "/api/v1/models/offline/..%2f..%2fetc%2fpasswd",
        "/api/v1/models/offline/tiny?file=../../x",
        "/api/v1/models/offline/tiny?file=%00",
        "/embed/../metrics",
        "/\u{7f}",
        &long,
    ];
    let methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "\u{1}"];
    head(dice.one(&methods), dice.one(&paths), "content-length: 0\r\n\r\n")
}

fn wrong_values(dice: &mut Dice) -> Vec<u8> {
    let values = [
        json!(null),
        json!(true),
        json!(1.5),
        json!(-1),
        json!([]),
        json!({}),
        json!([[]]),
        json!([1]),
        json!([null]),
        json!("x"),
        json!(["a", 1]),
        json!(u64::MAX),
        json!("\u{0}"),
        json!("x".repeat(100_000)),
        json!(vec!["a"; 2000]),
    ];
    let keys = [
        "ids",
        "parameters",
        "text",
        "truncation_direction",
        "add_special_tokens",
        "skip_special_tokens",
        "input",
        "inputs",
        "texts",
        "model",
        "version",
        "normalize",
        "truncate",
        "encoding",
        "encoding_format",
        "dimensions",
        "prompt_name",
        "x",
    ];
    let mut body = serde_json::Map::new();
    for _ in 0..=dice.below(4) {
        body.insert(dice.one(&keys).to_owned(), values[dice.below(values.len())].clone());
    }
    let number = dice.one(&["1e999", "-0", "1e-999", "123456789012345678901234567890", "01", "1.", "NaN"]);
    let body = Value::Object(body).to_string().replacen("1.5", number, 1);
    post(dice.one(&POSTS), "", body.as_bytes())
}

fn strange_headers(dice: &mut Dice) -> Vec<u8> {
    let headers = [
        "x-request-timeout-ms: 99999999999999999999",
        "x-request-timeout-ms: 18446744073709551615",
        "x-request-timeout-ms: -1",
        "x-request-timeout-ms: \u{e9}",
        "x-request-timeout-ms:",
        "content-type: \u{e9}\u{e9}",
        "content-type: ;;;",
        "expect: 100-continue",
        "expect: 200-maybe",
        "upgrade: h2c\r\nconnection: upgrade",
        "authorization: Bearer",
        "x-request-id: \u{e9}\t",
        "accept-encoding: bogus;q=9",
        "traceparent: 00-0-0-0",
        "x-tenant-id: \u{e9}",
        "content-encoding: gzip",
        "content-encoding: deflate",
        "content-encoding: br",
        "content-encoding: gzip, deflate",
        " folded: x",
        "no colon",
        "a\u{0}b: c",
        "range: bytes=9-1",
        "if-none-match: \u{e9}",
    ];
    let (path, body) = sensible(dice);
    post(path, &format!("{}\r\n", dice.one(&headers)), body.as_bytes())
}

fn http2(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    if dice.below(2) == 0 {
        bytes.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    }
    bytes.extend_from_slice(&dice.bytes(400));
    bytes
}

/// Sends bytes in one or two parts and reads whatever comes.
fn exchange(server: &Server, bytes: &[u8], whole: bool, dice: &mut Dice) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let cut = dice.below(bytes.len() + 1);
    // A server that has seen enough may close before all is sent.
    let sent = stream.write_all(&bytes[..cut]).and_then(|()| stream.write_all(&bytes[cut..]));
    if !whole || sent.is_err() {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Status of each answer on a connection, and the envelope of errors in JSON.
fn check(answer: &[u8], about: &str) -> Option<u16> {
    if !answer.starts_with(b"HTTP/1.") {
        return None;
    }
    let text = String::from_utf8_lossy(answer);
    let status: u16 = text[9..12].parse().unwrap();
    for line in text.lines().filter(|line| line.starts_with("HTTP/1.1 ")) {
        assert!(!line.starts_with("HTTP/1.1 5"), "{about}: {text}");
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    if status >= 400
        && head.to_lowercase().contains("application/json")
        && body.starts_with('{')
        && !body.contains("HTTP/1.1")
    {
        let body: Value = serde_json::from_str(body).unwrap_or_else(|bad| panic!("{bad}: {body}"));
        assert!(
            (body["error"].is_string() || body["error"]["message"].is_string())
                && body["code"].is_string()
                && body["request_id"].is_string(),
            "{about}: {body}"
        );
        // A client's developer knows JSON, and not the language that the server is written in.
        let said = body["error"].as_str().or(body["error"]["message"].as_str()).unwrap_or_default();
        for foreign in ["invalid type", "invalid value", ", expected ", "struct ", "usize", "u32", " at line "] {
            assert!(!said.contains(foreign), "{about}: {said}");
        }
    }
    Some(status)
}

fn resident_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn volley(server: &Server, seed: u64, count: u64) -> std::collections::BTreeMap<u16, u64> {
    let mut dice = Dice(seed);
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..count {
        let kind = (number % 13) as usize;
        let (bytes, whole) = request(kind, &mut dice);
        let answer = exchange(server, &bytes, whole, &mut dice);
        let about = format!("seed {seed}, request {number}, kind {kind}");
        *seen.entry(check(&answer, &about).unwrap_or(0)).or_default() += 1;
    }
    seen
}

#[test]
fn nothing_a_client_sends_breaks_the_server() {
    let _turn = crate::turn();
    let server = Server::start(&mut tiny());
    // Heads that never end stay open beside all others.
    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(b"POST /embed HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n").unwrap();
            stream
        })
        .collect();
    volley(&server, 0x5eed, 130);
    let before = resident_kb(&server);
    let mut seen = std::collections::BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS)
            .map(|seed| {
                (
                    seed,
                    scope.spawn({
                        let server = &server;
                        move || volley(server, seed * 7919, REQUESTS / THREADS)
                    }),
                )
            })
            .collect();
        for (_, thread) in threads {
            for (status, count) in thread.join().unwrap() {
                *seen.entry(status).or_insert(0_u64) += count;
            }
        }
    });
    println!("answers by status, 0 for none: {seen:?}");
    assert!(
        seen.get(&200).is_some_and(|count| *count > 50) && seen.get(&400).is_some_and(|count| *count > 500),
        "{seen:?}"
    );
    let after = resident_kb(&server);
    println!("memory: {before} KB before, {after} KB after");
    assert!(after < before + GROWTH_KB, "{before} KB before, {after} KB after");
    drop(slow);
    let (status, answer) = server.post("/embed", &json!({"inputs": "hello world"}));
    assert_eq!(status, 200, "{answer}");
    assert!(!server.said().contains("panicked"), "{}", server.said());
}
