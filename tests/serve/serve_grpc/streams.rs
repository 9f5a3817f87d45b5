//! Streams: each message has its answer, and a stream has bounds and an end.

use std::collections::BTreeMap;

use akidb_edge::serve::grpc::proto::embed_stream_response::Result as Outcome;
use akidb_edge::serve::grpc::proto::{EmbedRequest, EmbedStreamRequest};
use futures::{StreamExt, stream};
use serde_json::json;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;

use super::{Client, channel, code, pair, rest, texts};
use testkit::cli::bare;
use testkit::serve::{Server, tiny};

#[tokio::test]
async fn a_stream_answers_every_message_and_outlives_bad_ones() {
    let (server, mut client) = pair().await;
    let words = ["car", "red", "the", "a"];
    let message = move |number: usize| {
        let request = match number % 10 {
            3 => Some(EmbedRequest { model: "nobody".to_owned(), ..texts(&["a"]) }),
            7 => None,
            _ => Some(texts(&[words[number % 4]])),
        };
        EmbedStreamRequest { id: number.to_string(), request }
    };
    let answers = client.embed_stream(stream::iter((0..500).map(message))).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;
    let answered: BTreeMap<usize, Outcome> =
        answers.into_iter().map(|answer| (answer.id.parse().unwrap(), answer.result.unwrap())).collect();
    assert_eq!(answered.len(), 500);
    let wanted = rest(&server, &json!({"inputs": words}));
    for (number, outcome) in answered {
        match (number % 10, outcome) {
            (3, Outcome::Error(why)) => assert_eq!((why.status, why.code.as_str()), (5, "MODEL_NOT_FOUND")),
            (7, Outcome::Error(why)) => assert_eq!((why.status, why.code.as_str()), (3, "INVALID_REQUEST")),
            (_, Outcome::Response(answer)) => {
                assert_eq!(answer.request_id, number.to_string());
                let close = |(one, other): (&f32, &f32)| (one - other).abs() < 1e-5;
                let vector = &answer.embeddings[0].values;
                assert!(vector.iter().zip(&wanted[number % 4]).all(close), "{number}: {vector:?}");
            }
            (_, other) => panic!("{number}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_open_at_the_end_is_finished_and_told() {
    let (mut server, mut client) = pair().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|one| (one, receiver)) });
    let mut answers = client.embed_stream(messages).await.unwrap().into_inner();
    let message = EmbedStreamRequest { id: "1".to_owned(), request: Some(texts(&["a"])) };
    sender.send(message).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().id, "1");
    server.signal("TERM");
    let fault = answers.message().await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unavailable, "SHUTTING_DOWN"), "{fault}");
    drop((sender, client, answers));
    assert_eq!(tokio::task::spawn_blocking(move || server.wait()).await.unwrap(), 0);
}

/// Messages that a test sends when it likes.
fn by_hand<T: Send + 'static>() -> (tokio::sync::mpsc::Sender<T>, impl futures::Stream<Item = T> + Send + 'static) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    (sender, stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|one| (one, receiver)) }))
}

fn numbered(number: usize) -> EmbedStreamRequest {
    EmbedStreamRequest { id: number.to_string(), request: Some(texts(&["a"])) }
}

/// A new key, and its line for the file of keys.
fn minted(name: &str) -> (String, String) {
    let done = bare().args(["serve", "--new-api-key", name]).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let (key, line) = said.trim().split_once('\n').unwrap();
    (key.to_owned(), line.to_owned())
}

#[tokio::test]
async fn each_message_of_a_stream_counts_for_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let ((key, line), (_, other)) = (minted("alice"), minted("bob"));
    std::fs::write(&file, format!("{line}:rate=2\n{other}\n")).unwrap();
    let path = file.clone();
    let server = tokio::task::spawn_blocking(move || Server::start(tiny().arg("--api-keys").arg(path))).await.unwrap();
    let mut client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    let without = client.embed(texts(&["a"])).await.unwrap_err();
    assert_eq!((without.code(), code(&without)), (Code::Unauthenticated, "UNAUTHORIZED"), "{without}");
    server.wait_for("\"grpc_status\":16");
    let (sender, messages) = by_hand();
    let mut request = Request::new(messages);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let began = std::time::Instant::now();
    let mut answers = client.embed_stream(request).await.unwrap().into_inner();
    let mut done = 0;
    for number in 0..300 {
        sender.send(numbered(number)).await.unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.id, number.to_string());
        match answer.result.unwrap() {
            Outcome::Response(_) => done += 1,
            Outcome::Error(why) => {
                assert_eq!((why.status, why.code.as_str()), (8, "RATE_LIMITED"));
                assert!(why.retry_after_ms.is_some_and(|pause| pause > 0), "{why:?}");
            }
        }
    }
    let most = 3.0 + 2.0 * began.elapsed().as_secs_f64();
    assert!(done >= 1 && f64::from(done) <= most, "{done} answered in {:?}", began.elapsed());
    server.wait_for("request refused: rate limit of this client exceeded");
    assert!(!server.said().contains(&key), "{}", server.said());
}

#[tokio::test]
async fn a_stream_goes_no_further_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let ((key, line), (_, other)) = (minted("alice"), minted("bob"));
    std::fs::write(&file, format!("{line}\n{other}\n")).unwrap();
    let path = file.clone();
    let server = tokio::task::spawn_blocking(move || Server::start(tiny().arg("--api-keys").arg(path))).await.unwrap();
    let mut client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    let (sender, messages) = by_hand();
    let mut request = Request::new(messages);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let mut answers = client.embed_stream(request).await.unwrap().into_inner();
    sender.send(numbered(1)).await.unwrap();
    assert!(matches!(answers.message().await.unwrap().unwrap().result, Some(Outcome::Response(_))));
    std::fs::write(&file, format!("{other}\n")).unwrap();
    server.signal("HUP");
    server.wait_for("API keys read again");
    sender.send(numbered(300)).await.unwrap();
    let fault = answers.message().await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unauthenticated, "UNAUTHORIZED"), "{fault}");
    server.wait_for("request refused: the key of this stream was revoked");
    assert!(!server.said().contains(&key), "{}", server.said());
}

#[tokio::test]
async fn streams_have_a_longest_life() {
    let started = || Server::start(tiny().args(["--max-stream-duration", "1s"]));
    let server = tokio::task::spawn_blocking(started).await.unwrap();
    let channel = channel(server.grpc.as_deref().unwrap()).await;
    let (sender, messages) = by_hand();
    let mut answers = Client::new(channel.clone()).embed_stream(messages).await.unwrap().into_inner();
    sender.send(numbered(1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().id, "1");
    let fault = answers.message().await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unavailable, "STREAM_ENDED"), "{fault}");
    let mut changes =
        HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let fault = changes.message().await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unavailable, "STREAM_ENDED"), "{fault}");
    let (_sender, messages) = by_hand();
    let mut reflection = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = reflection.server_reflection_info(messages).await.unwrap().into_inner();
    // That service does not say why.
    assert!(answers.message().await.is_ok_and(|answer| answer.is_none()));
}

#[tokio::test]
async fn streams_and_watches_are_counted() {
    let started = || Server::start(tiny().args(["--max-streams", "12"]));
    let server = tokio::task::spawn_blocking(started).await.unwrap();
    let address = server.grpc.as_deref().unwrap();
    let mut held = Vec::new();
    let mut refused = 0;
    for connection in 0..2 {
        let mut health = HealthClient::new(channel(address).await);
        for _ in 0..40 {
            match health.watch(HealthCheckRequest::default()).await {
                Ok(watch) => held.push((connection, watch.into_inner())),
                Err(fault) => {
                    assert_eq!((fault.code(), code(&fault)), (Code::ResourceExhausted, "OVERLOADED"), "{fault}");
                    refused += 1;
                }
            }
        }
    }
    // Eight of a connection, twelve in all.
    assert_eq!((held.len(), refused), (12, 68));
    assert_eq!(held.iter().filter(|(connection, _)| *connection == 0).count(), 8);
    let mut client = Client::new(channel(address).await);
    let mut streams = Vec::new();
    for number in 0..13 {
        let (sender, messages) = by_hand::<EmbedStreamRequest>();
        match client.embed_stream(messages).await {
            Ok(answers) => streams.push((sender, answers)),
            Err(fault) => {
                assert_eq!(
                    (number, fault.code(), code(&fault)),
                    (12, Code::ResourceExhausted, "OVERLOADED"),
                    "{fault}"
                );
            }
        }
    }
    assert_eq!(streams.len(), 12);
    client.embed(texts(&["a"])).await.unwrap();
    drop((held, streams));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut health = HealthClient::new(channel(address).await);
    while let Err(fault) = health.watch(HealthCheckRequest::default()).await {
        assert!(std::time::Instant::now() < end, "{fault}");
    }
}
