//! The same texts over REST, gRPC and a gRPC stream, in turn, from the same program.
//!
//! `cargo run --release --example grpc_load -- http://127.0.0.1:8080 http://127.0.0.1:9090 [CONNECTIONS] [SECONDS] [WORDS]`
//!
//! REST answers are read but not parsed, gRPC answers are decoded: what is left of a difference speaks for gRPC.

use std::error::Error;
use std::time::{Duration, Instant};

use akidb_edge::serve::grpc::proto::embed_stream_response::Result as Outcome;
use akidb_edge::serve::grpc::proto::embedding_service_client::EmbeddingServiceClient;
use akidb_edge::serve::grpc::proto::{EmbedRequest, EmbedStreamRequest};
use futures::StreamExt;
use tonic::transport::Channel;

type Fault = Box<dyn Error + Send + Sync>;
type Times = Result<Vec<Duration>, Fault>;

/// Messages under way on one stream: its requests a second do not compare with those of a connection that has one.
const AHEAD: usize = 4;

fn request(words: usize) -> EmbedRequest {
    EmbedRequest { inputs: vec!["car ".repeat(words)], ..EmbedRequest::default() }
}

async fn rest(url: String, words: usize, end: Instant) -> Times {
    let client = reqwest::Client::builder().http1_only().build()?;
    let body = serde_json::json!({"inputs": request(words).inputs}).to_string();
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        let post = client.post(format!("{url}/api/v1/embed")).header("content-type", "application/json");
        post.body(body.clone()).send().await?.error_for_status()?.bytes().await?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

async fn grpc(url: String, words: usize, end: Instant) -> Times {
    let mut client = EmbeddingServiceClient::new(Channel::from_shared(url)?.connect().await?);
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        client.embed(request(words)).await?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

async fn stream(url: String, words: usize, end: Instant) -> Times {
    let mut client = EmbeddingServiceClient::new(Channel::from_shared(url)?.connect().await?);
    let (sender, receiver) = tokio::sync::mpsc::channel(AHEAD);
    let messages =
        futures::stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|one| (one, receiver)) });
    let mut sent = Vec::new();
    for _ in 0..AHEAD {
        sender.send(message(&mut sent, words)).await?;
    }
    let mut answers = client.embed_stream(messages).await?.into_inner();
    let mut times = Vec::new();
    while Instant::now() < end {
        let answer = answers.next().await.ok_or("the stream ended")??;
        if !matches!(answer.result, Some(Outcome::Response(_))) {
            return Err(format!("{:?}", answer.result).into());
        }
        times.push(sent[answer.id.parse::<usize>()?].elapsed());
        sender.send(message(&mut sent, words)).await?;
    }
    Ok(times)
}

/// The next message; its id is the place of the time at which it was sent.
fn message(sent: &mut Vec<Instant>, words: usize) -> EmbedStreamRequest {
    let id = sent.len().to_string();
    sent.push(Instant::now());
    EmbedStreamRequest { id, request: Some(request(words)) }
}

async fn round<F>(name: &str, connections: usize, seconds: u64, one: impl Fn(Instant) -> F) -> Result<(), Fault>
where
    F: Future<Output = Times> + Send + 'static,
{
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(one(end))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{name:7} {connections:3} connections: {:8.0} requests/s, p50 {:7.3} ms, p95 {:7.3} ms",
        times.len() as f64 / took,
        at(50),
        at(95)
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    // The HTTP client asks for one even where it speaks no TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [http, calls, rest_of @ ..] = given.as_slice() else {
        return Err("two addresses are needed: REST and gRPC".into());
    };
    let number = |place: usize, usual: usize| rest_of.get(place).map_or(Ok(usual), |text| text.parse::<usize>());
    let (connections, seconds, words) = (number(0, 8)?, number(1, 3)? as u64, number(2, 8)?);
    for _ in 0..2 {
        round("REST", connections, seconds, |end| rest(http.clone(), words, end)).await?;
        round("gRPC", connections, seconds, |end| grpc(calls.clone(), words, end)).await?;
        round("stream", connections, seconds, |end| stream(calls.clone(), words, end)).await?;
    }
    Ok(())
}
