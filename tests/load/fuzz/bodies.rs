//! Bodies of requests against a server that runs: whatever they are, each gets an answer, and none is the server's own fault.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::dice::Dice;
use super::json;
use testkit::serve::Server;

/// The kind of these cases, beside those of files.
pub const KIND: usize = 41;
/// Requests that are sent before the first answer is read.
const AHEAD: usize = 16;
/// A request of more bytes goes alone.
const LARGE: usize = 4 << 10;

/// Answers by status and code.
pub type Seen = BTreeMap<String, u64>;

const PATHS: [&str; 18] = [
    "/api/v1/embed",
    "/v1/embeddings",
    "/embeddings",
    "/api/v1/embeddings",
    "/openai/deployments/tiny/embeddings",
    "/",
    "/embed",
    "/similarity",
    "/tokenize",
    "/decode",
    "/embed_all",
    "/embed_sparse",
    "/predict",
    "/rerank",
    "/invocations",
    "/vertex",
    "/api/v1/nothing",
    "/openai/deployments/%ff%00/embeddings",
];

const HEADERS: [&str; 22] = [
    "content-type: application/json",
    "content-type: text/plain; charset=utf-16",
    "content-type: application/grpc",
    "content-type: application/json; charset=",
    "content-type: multipart/form-data; boundary=x",
    "x-request-timeout-ms: 99999999999999999999",
    "x-request-timeout-ms: 18446744073709551615",
    "x-request-timeout-ms: -1",
    "x-request-timeout-ms: 1",
    "x-request-timeout-ms: 0",
    "accept: text/event-stream, */*;q=0.0",
    "accept-encoding: bogus;q=9, gzip;q=NaN",
    "traceparent: 00-0-0-0",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-tenant-id: a b c",
    "x-request-id: \t\"",
    "authorization: Bearer",
    "authorization: Basic Og==",
    "if-none-match: W/\"x\", *",
    "range: bytes=9-1,-5",
    "content-encoding: identity",
    "te: trailers",
];

/// What bodies are made of.
pub struct Bodies {
    whole: Vec<Value>,
    pool: Vec<Value>,
    bombs: Vec<Vec<u8>>,
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

impl Bodies {
    pub fn new() -> Self {
        let texts = json!(["hello world", "errors", "", "Grüße 🙂"]);
        let whole = vec![
            json!({"inputs": texts, "normalize": true, "truncate": false, "dimensions": 4, "model": "tiny"}),
            json!({"input": texts, "model": "tiny", "encoding_format": "float", "user": "u"}),
            json!({"input": "hello", "model": "tiny", "encoding_format": "base64", "dimensions": 8}),
            json!({"inputs": "hello", "truncate": true, "truncation_direction": "Left", "prompt_name": "query"}),
            json!({"inputs": texts, "add_special_tokens": false, "prompt_name": null}),
            json!({"ids": [[1, 2, 3], [4]], "skip_special_tokens": true}),
            json!({"ids": [1, 2, 3]}),
            json!({"inputs": {"source_sentence": "hello", "sentences": ["world", "error"]}, "parameters": {"truncate": true}}),
            json!({"instances": [{"inputs": "hello"}, {"inputs": "world"}], "parameters": {"normalize": false}}),
            json!({"query": "hello", "texts": ["a", "b"], "raw_scores": true}),
            json!({"text": "hello", "version": "latest", "encoding": "base64"}),
            json!({"texts": ["a", "b"], "model": "tiny:latest"}),
        ];
        let pool = vec![
            texts,
            json!("Left"),
            json!("base64"),
            json!("float"),
            json!("tiny"),
            json!("../tiny"),
            json!("x".repeat(3000)),
            json!("word ".repeat(600)),
            json!(vec!["a"; 40]),
            json!([1, 2, 3]),
            json!([[1, 2], [3]]),
            json!([["a", "b"], "c"]),
            json!({"inputs": "a"}),
        ];
        let body = json!({"inputs": "a ".repeat(100)}).to_string();
        let zeros = vec![b' '; 8 << 20];
        let bombs = vec![zipped(&zeros), zipped(&zipped(&zeros)), zipped(body.as_bytes()), zipped(b"{")];
        Self { whole, pool, bombs }
    }

    fn body(&self, dice: &mut Dice) -> (Vec<u8>, &'static str) {
        // Each costs the server some tenths of a second.
        if dice.once_in(4000) {
            return (self.bombs[0].clone(), "content-encoding: gzip\r\n");
        }
        match dice.below(24) {
            0 => {
                let mut bytes = self.bombs[1 + dice.below(3)].clone();
                if dice.once_in(2) {
                    dice.damage(&mut bytes);
                }
                (bytes, *dice.one(&["content-encoding: gzip\r\n", "content-encoding: deflate\r\n", ""]))
            }
            1 => ((0..dice.below(300)).map(|_| dice.roll() as u8).collect(), ""),
            2 => {
                let depth = 1 + dice.below(3000);
                let (open, close) = *dice.one(&[("[", "]"), (r#"{"inputs":"#, "}"), (r#"["a",{"input":"#, "}]")]);
                (format!("{}1{}", open.repeat(depth), close.repeat(depth)).into_bytes(), "")
            }
            3 => {
                let depth = 1 + dice.below(20_000);
                (format!(r#"{{"inputs": {}"#, "[".repeat(depth)).into_bytes(), "")
            }
            4 => {
                let mut bytes = dice.one(&self.whole).to_string().into_bytes();
                bytes.truncate(dice.below(bytes.len()));
                (bytes, "")
            }
            5 => (dice.one(&self.whole).to_string().into_bytes(), ""),
            6 => {
                let digits = "9".repeat(1 + dice.below(2000));
                let key = dice.one(&["dimensions", "ids", "input", "truncate", "model"]);
                (format!(r#"{{"inputs": "a", "input": "a", "{key}": -{digits}.{digits}e{digits}}}"#).into_bytes(), "")
            }
            _ => {
                let mut whole = dice.one(&self.whole).clone();
                for _ in 0..dice.below(4) {
                    json::mutate(&mut whole, &self.pool, dice);
                }
                (json::text(&whole, dice), "")
            }
        }
    }

    /// The bytes of one request. Its framing is right: the next one can follow.
    fn request(&self, dice: &mut Dice) -> Vec<u8> {
        let (body, encoding) = self.body(dice);
        let mut head = if dice.once_in(40) {
            let query: String =
                (0..dice.below(60)).map(|_| *dice.one(&['a', '%', '0', 'f', '=', '&', '+', ';', '?', '/'])).collect();
            format!("GET /api/v1/embed?input={query} HTTP/1.1\r\nhost: a\r\n")
        } else {
            format!("POST {} HTTP/1.1\r\nhost: a\r\n", dice.one(&PATHS))
        };
        for _ in 0..dice.below(3) {
            let other: &&str = dice.one(&HEADERS[..]);
            head.push_str(other);
            head.push_str("\r\n");
        }
        head.push_str(encoding);
        if dice.once_in(12) {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            let mut bytes = head.into_bytes();
            for part in body.chunks(1 + dice.below(4000)) {
                bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            return bytes;
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        [head.into_bytes(), body].concat()
    }
}

/// A connection that is used again and again.
struct Line<'a> {
    server: &'a Server,
    stream: TcpStream,
    read: Vec<u8>,
    /// Whether no answer has come over it yet.
    fresh: bool,
}

/// An answer: its status, its body, and whether the connection ends.
struct Answer {
    status: u16,
    json: bool,
    body: Vec<u8>,
    ends: bool,
}

impl<'a> Line<'a> {
    fn new(server: &'a Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
        stream.set_write_timeout(Some(Duration::from_secs(60))).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self { server, stream, read: Vec::new(), fresh: true }
    }

    /// More bytes; false when there are no more.
    fn more(&mut self) -> bool {
        let mut part = [0; 1 << 16];
        match self.stream.read(&mut part) {
            Ok(count) => {
                self.read.extend_from_slice(&part[..count]);
                count > 0
            }
            Err(why) if matches!(why.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("no answer in a minute; so far {:?}", String::from_utf8_lossy(&self.read))
            }
            Err(_) => false,
        }
    }

    fn line(&mut self, from: usize, end: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.read[from..].windows(end.len()).position(|window| window == end) {
                return Some(from + at);
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The next answer; nothing when the connection ended before it.
    fn answer(&mut self) -> Option<Answer> {
        let end = self.line(0, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = value("content-length:").map(|length| length.parse::<usize>().expect("a number"));
        let (ends, json) = (value("connection:") == Some("close"), value("content-type:") == Some("application/json"));
        let mut at = end + 4;
        let mut body = Vec::new();
        if let Some(length) = length {
            while self.read.len() < at + length {
                if !self.more() {
                    return None;
                }
            }
            body.extend_from_slice(&self.read[at..at + length]);
            at += length;
        } else if value("transfer-encoding:") == Some("chunked") {
            loop {
                let end = self.line(at, b"\r\n")?;
                let size = usize::from_str_radix(&String::from_utf8_lossy(&self.read[at..end]), 16).expect("a size");
                while self.read.len() < end + 2 + size + 2 {
                    if !self.more() {
                        return None;
                    }
                }
                body.extend_from_slice(&self.read[end + 2..end + 2 + size]);
                at = end + 2 + size + 2;
                if size == 0 {
                    break;
                }
            }
        }
        self.read.drain(..at);
        Some(Answer { status, json, body, ends })
    }

    /// Sends requests, and reads an answer for each; how many got one.
    fn exchange(&mut self, requests: &[Vec<u8>], seen: &mut Seen, about: &dyn Fn(usize) -> String) -> usize {
        // A server that has seen enough of one may close before all is sent; its answer is there.
        let _ = self.stream.write_all(&requests.concat());
        for (at, request) in requests.iter().enumerate() {
            let Some(answer) = self.answer() else {
                // A server may end a connection behind an answer, and what was sent ahead is lost then: sent again, alone and
                // over a connection of its own, it gets an answer.
                let alone = self.fresh && requests.len() == 1;
                assert!(!alone, "{}: no answer to {:?}", about(at), String::from_utf8_lossy(request));
                *self = Self::new(self.server);
                return if at == 0 { self.exchange(&requests[..1], seen, about) } else { at };
            };
            self.fresh = false;
            check(&answer, request, seen, &|| about(at));
            if answer.ends {
                *self = Self::new(self.server);
                return at + 1;
            }
        }
        requests.len()
    }
}

fn check(answer: &Answer, request: &[u8], seen: &mut Seen, about: &dyn Fn() -> String) {
    let shown = || {
        let request = String::from_utf8_lossy(&request[..request.len().min(4000)]).into_owned();
        format!("{}: {} {}\nfor {request:?}", about(), answer.status, String::from_utf8_lossy(&answer.body))
    };
    let body = serde_json::from_slice::<Value>(&answer.body);
    assert!(!answer.json || body.is_ok(), "a body that is not JSON: {}", shown());
    let body = body.unwrap_or_default();
    let code = body["code"].as_str().unwrap_or_default();
    if answer.status >= 400 {
        let said = body["error"].is_string() || body["error"]["message"].is_string();
        assert!(said && !code.is_empty() && body["request_id"].is_string(), "no words for it: {}", shown());
    }
    // What is busy or late says so; a fault of the server is one.
    assert!(code != "INTERNAL" && answer.status != 500, "{}", shown());
    *seen.entry(format!("{} {code}", answer.status)).or_default() += 1;
}

/// Sends the cases from one number to another over one connection.
pub fn volley(server: &Server, bodies: &Bodies, seed: u64, from: u64, to: u64) -> Seen {
    let mut line = Line::new(server);
    let mut seen = Seen::new();
    let (mut next, mut waiting): (u64, Vec<(u64, Vec<u8>)>) = (from, Vec::new());
    while next < to || !waiting.is_empty() {
        while waiting.len() < AHEAD && next < to {
            waiting.push((next, bodies.request(&mut Dice::of(seed, KIND, next))));
            next += 1;
        }
        let small = waiting.iter().take_while(|(_, request)| request.len() < LARGE).count().max(1);
        let requests: Vec<Vec<u8>> = waiting[..small].iter().map(|(_, request)| request.clone()).collect();
        let about = |at: usize| format!("seed {seed}, case {}", waiting[at].0);
        let done = line.exchange(&requests, &mut seen, &about);
        waiting.drain(..done);
    }
    seen
}
