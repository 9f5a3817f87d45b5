//! Bodies of gRPC calls against a server that runs: damaged messages, and damaged frames around them. Each call ends with a status, and
//! none is the server's own fault.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use akidb_edge::serve::grpc::proto::{EmbedRequest, EmbedStreamRequest};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

use super::bodies::Seen;
use super::dice::Dice;
use super::proto;

/// The kind of these cases, beside those of files.
pub const KIND: usize = 40;
/// Calls at the same time.
const AT_ONCE: u64 = 8;
/// A call may take so long.
const HANGS: Duration = Duration::from_secs(60);

const EMBED: &str = "/akidb.embedding.v1.EmbeddingService/Embed";
const STREAM: &str = "/akidb.embedding.v1.EmbeddingService/EmbedStream";
const PATHS: [&str; 12] = [
    EMBED,
    EMBED,
    EMBED,
    EMBED,
    STREAM,
    STREAM,
    STREAM,
    "/akidb.embedding.v1.EmbeddingService/Health",
    "/akidb.embedding.v1.EmbeddingService/ListModels",
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/akidb.embedding.v1.Nothing/At-All",
];
const HEADERS: [(&str, &str); 9] = [
    ("grpc-timeout", "1n"),
    ("grpc-timeout", "99999999H"),
    ("grpc-timeout", "-1S"),
    ("grpc-encoding", "gzip"),
    ("grpc-encoding", "nothing"),
    ("grpc-accept-encoding", "gzip,,;"),
    ("x-request-id", "\"\t"),
    ("traceparent", "00-0-0-0"),
    ("grpc-status-details-bin", "!!"),
];

/// What messages are made of.
struct Messages {
    single: Vec<Vec<u8>>,
    piece: Vec<Vec<u8>>,
}

impl Messages {
    fn new() -> Self {
        let texts = |texts: &[&str]| EmbedRequest {
            inputs: texts.iter().map(|text| (*text).to_owned()).collect(),
            ..EmbedRequest::default()
        };
        let requests = [
            texts(&["hello world", "errors", "", "Grüße 🙂"]),
            EmbedRequest { normalize: Some(false), encoding: 2, dimensions: Some(4), ..texts(&["a"]) },
            EmbedRequest {
                model: "tiny".to_owned(),
                version: "latest".to_owned(),
                request_id: "r".to_owned(),
                truncate: Some(false),
                truncation_direction: 2,
                ..texts(&["word ".repeat(60).as_str()])
            },
            EmbedRequest { prompt_name: Some("query".to_owned()), ..texts(&["a", "b"]) },
        ];
        let piece = |(at, request): (usize, &EmbedRequest)| {
            EmbedStreamRequest { id: at.to_string(), request: Some(request.clone()) }.encode_to_vec()
        };
        Self {
            single: requests.iter().map(Message::encode_to_vec).collect(),
            piece: requests.iter().enumerate().map(piece).collect(),
        }
    }

    /// Messages in frames: a byte that says whether it is compressed, four with its length, the message.
    fn frames(&self, stream: bool, dice: &mut Dice) -> Vec<u8> {
        let count = if stream { dice.below(4) } else { 1 };
        let mut frames = Vec::new();
        for _ in 0..count {
            let all = if stream { &self.piece } else { &self.single };
            let whole = dice.one::<Vec<u8>>(all);
            let message = if dice.once_in(6) { whole.clone() } else { proto::call(whole, stream, dice) };
            frames.push(u8::from(dice.once_in(30)));
            let length = if dice.once_in(20) { dice.roll() as u32 } else { message.len() as u32 };
            frames.extend_from_slice(&length.to_be_bytes());
            frames.extend_from_slice(&message);
        }
        if dice.once_in(8) {
            dice.damage(&mut frames);
        }
        frames
    }

    fn request(&self, dice: &mut Dice) -> Request<Body> {
        let path = *dice.one(&PATHS);
        let frames = self.frames(path == STREAM, dice);
        let mut request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        for _ in 0..dice.below(3) / 2 {
            let (name, value) = *dice.one(&HEADERS);
            request = request.header(name, value);
        }
        request.body(Body::new(Full::new(Bytes::from(frames)))).expect("headers that can be sent")
    }
}

async fn channel(address: &str) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("the server listens")
}

/// The status of a call, and our code for it; or why there is none.
async fn status(channel: &mut Channel, request: Request<Body>) -> Result<String, String> {
    let ready = ServiceExt::<Request<Body>>::ready(channel).await.map_err(|why| format!("not ready: {why:?}"))?;
    let response = match ready.call(request).await {
        Ok(response) => response,
        // The client keeps to the `grpc-timeout` that it sends, too.
        Err(why) if why.source().is_some_and(|why| why.is::<tonic::TimeoutExpired>()) => {
            return Ok("the client's deadline".to_owned());
        }
        Err(why) => return Err(format!("no answer: {why:?}")),
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|why| format!("a part of an answer: {why:?}"))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let word = |name: &str| {
        let of =
            |headers: &HeaderMap| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        of(&trailers).or_else(|| of(&head.headers))
    };
    match word("grpc-status") {
        Some(status) => Ok(format!("{status} {}", word("akidb-code").unwrap_or_default())),
        None if head.status.as_u16() >= 400 => Ok(format!("HTTP {}", head.status.as_u16())),
        None => Err(format!("an answer {} without a status", head.status)),
    }
}

/// One call. A stream that the server resets has no status: then it is sent again, over a connection of its own.
async fn call(address: &str, own: &mut Channel, messages: &Messages, seed: u64, number: u64) -> String {
    let mut why = String::new();
    for _ in 0..2 {
        let request = messages.request(&mut Dice::of(seed, KIND, number));
        match tokio::time::timeout(HANGS, status(own, request)).await {
            Ok(Ok(status)) => {
                assert!(!status.ends_with(" INTERNAL"), "seed {seed}, case {number}: {status}");
                return status;
            }
            Ok(Err(bad)) => why = bad,
            Err(_) => panic!("seed {seed}, case {number}: no end after {HANGS:?}"),
        }
        *own = channel(address).await;
    }
    panic!("seed {seed}, case {number}: {why}")
}

/// Makes so many calls, or those of so many seconds; how many ended in which way.
pub fn send(address: &str, seed: u64, cases: u64, until: Option<Instant>) -> Seen {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let next = Arc::new(AtomicU64::new(0));
    let one = move |address: String, next: Arc<AtomicU64>| async move {
        let (messages, mut own, mut seen) = (Messages::new(), channel(&address).await, Seen::new());
        while until.is_none_or(|until| Instant::now() < until) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cases {
                break;
            }
            *seen.entry(call(&address, &mut own, &messages, seed, number).await).or_default() += 1;
        }
        seen
    };
    runtime.block_on(async {
        let tasks: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(one(address.to_owned(), next.clone()))).collect();
        let mut all = Seen::new();
        for task in tasks {
            for (what, count) in task.await.expect("no call fails") {
                *all.entry(what).or_default() += count;
            }
        }
        all
    })
}
