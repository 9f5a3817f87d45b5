//! gRPC as clients see it: the vectors of REST, streams, deadlines, overload, health, reflection, the end.
#![cfg(feature = "serve")]

mod support;

use std::collections::BTreeMap;

use akidb_edge::serve::grpc::proto;
use futures::{StreamExt, stream};
use prost::Message;
use proto::embed_stream_response::Result as Outcome;
use proto::embedding_service_client::EmbeddingServiceClient;
use proto::{EmbedRequest, EmbedStreamRequest, Encoding, HealthRequest, ListModelsRequest};
use serde_json::{Value, json};
use support::serve::{Server, fixtures, onnxruntime, tiny};
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_types::StatusExt;

type Client = EmbeddingServiceClient<Channel>;

async fn channel(address: &str) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A server with the tiny model, and a client of it.
async fn pair() -> (Server, Client) {
    let server = tokio::task::spawn_blocking(|| Server::start(&mut tiny())).await.unwrap();
    let client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    (server, client)
}

fn texts(texts: &[&str]) -> EmbedRequest {
    EmbedRequest { inputs: texts.iter().map(|text| (*text).to_owned()).collect(), ..EmbedRequest::default() }
}

fn code(status: &Status) -> &str {
    status.metadata().get("akidb-code").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

fn rest(server: &Server, body: &Value) -> Vec<Vec<f32>> {
    let (status, answer) = server.post("/api/v1/embed", body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer["embeddings"].clone()).unwrap()
}

#[tokio::test]
async fn both_transports_give_the_same_bits() {
    let (server, mut client) = pair().await;
    let inputs = ["the red car", "a", "", "naïve 日本 🚗"];
    for normalise in [None, Some(true), Some(false)] {
        let body = json!({"inputs": inputs, "normalize": normalise});
        let wanted = rest(&server, &body);
        let request = EmbedRequest { normalize: normalise, request_id: "r7".to_owned(), ..texts(&inputs) };
        let answer = client.embed(request.clone()).await.unwrap().into_inner();
        let values: Vec<_> = answer.embeddings.iter().map(|vector| vector.values.clone()).collect();
        assert_eq!(values, wanted);
        assert_eq!((answer.model.as_str(), answer.request_id.as_str()), ("tiny", "r7"));
        assert!(answer.usage.unwrap().total_tokens > 8 && answer.usage.unwrap().duration_us > 0);

        let request = EmbedRequest { encoding: Encoding::Bytes.into(), ..request };
        let answer = client.embed(request).await.unwrap().into_inner();
        let floats = |packed: &[u8]| -> Vec<f32> {
            packed.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
        };
        let packed: Vec<_> = answer.embeddings.iter().map(|vector| floats(&vector.packed)).collect();
        assert_eq!(packed, wanted);
        assert!(answer.embeddings.iter().all(|vector| vector.values.is_empty()));
    }
    let length = |vector: &[f32]| vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let plain = client.embed(texts(&["the red car"])).await.unwrap().into_inner();
    assert!((length(&plain.embeddings[0].values) - 1.0).abs() < 1e-5, "one unit long when nothing is said");
    let longer = EmbedRequest { normalize: Some(false), ..texts(&["the red car"]) };
    let longer = client.embed(longer).await.unwrap().into_inner();
    assert!((length(&longer.embeddings[0].values) - 1.0).abs() > 1e-3, "and as the model gives it when that is said");
}

#[tokio::test]
async fn what_is_wrong_has_a_status_and_a_stable_code() {
    let (server, mut client) = pair().await;
    let long = "car ".repeat(200);
    let cases = [
        (EmbedRequest { model: "nobody".to_owned(), ..texts(&["a"]) }, Code::NotFound, "MODEL_NOT_FOUND"),
        (EmbedRequest { version: "0000".to_owned(), ..texts(&["a"]) }, Code::NotFound, "MODEL_NOT_FOUND"),
        (EmbedRequest { truncation_direction: 9, ..texts(&["a"]) }, Code::InvalidArgument, "INVALID_REQUEST"),
        (texts(&[]), Code::InvalidArgument, "INVALID_REQUEST"),
        (
            EmbedRequest { prompt_name: Some("nobody".to_owned()), ..texts(&["a"]) },
            Code::InvalidArgument,
            "INVALID_REQUEST",
        ),
        (EmbedRequest { encoding: 9, ..texts(&["a"]) }, Code::InvalidArgument, "INVALID_REQUEST"),
        (EmbedRequest { dimensions: Some(0), ..texts(&["a"]) }, Code::InvalidArgument, "INVALID_REQUEST"),
        (EmbedRequest { dimensions: Some(u32::MAX), ..texts(&["a"]) }, Code::InvalidArgument, "INVALID_REQUEST"),
        (EmbedRequest { truncate: Some(false), ..texts(&[&long]) }, Code::InvalidArgument, "INPUT_TOO_LONG"),
        (texts(&vec!["a"; 2049]), Code::InvalidArgument, "INVALID_REQUEST"),
    ];
    for (request, status, name) in cases {
        let mut request = Request::new(request);
        request.metadata_mut().insert("x-request-id", "r8".parse().unwrap());
        let fault = client.embed(request).await.unwrap_err();
        assert_eq!((fault.code(), code(&fault)), (status, name), "{fault}");
        let details = fault.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, name);
        assert_eq!(details.request_info().unwrap().request_id, "r8");
    }
    let kept = client.embed(EmbedRequest { dimensions: Some(3), ..texts(&[&long]) }).await.unwrap().into_inner();
    assert_eq!(kept.embeddings[0].values.len(), 3);
    let large = texts(&[&"a".repeat(9 << 20)]);
    let fault = client.embed(large).await.unwrap_err();
    assert_eq!(fault.code(), Code::OutOfRange, "{fault}");
    assert!(fault.message().contains("message length too large"), "{fault}");
    assert_eq!(server.get("/ready").0, 200);
}

/// A call whose deadline the client does not watch over, so that the server's word is heard: the headers of its answer.
async fn patient(server: &Server, timeout: &str) -> BTreeMap<String, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let message = texts(&["a"]).encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&message);
    let address = server.grpc.as_deref().unwrap();
    let post = client.post(format!("http://{address}/akidb.embedding.v1.EmbeddingService/Embed"));
    let post = post.header("content-type", "application/grpc").header("te", "trailers").header("grpc-timeout", timeout);
    let answer = post.body(body).send().await.unwrap();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[tokio::test]
async fn a_deadline_that_nothing_can_meet_is_an_answer() {
    let (server, _client) = pair().await;
    let status = |headers: &BTreeMap<String, String>| headers.get("grpc-status").cloned().unwrap_or_default();
    for (timeout, number, code) in [("1n", "4", "DEADLINE_EXCEEDED"), ("soon", "3", "INVALID_REQUEST")] {
        let headers = patient(&server, timeout).await;
        assert_eq!(status(&headers), number, "{headers:?}");
        assert_eq!(headers["akidb-code"], code);
    }
    // What went well has its status after the body.
    let headers = patient(&server, "20S").await;
    assert_eq!(status(&headers), "", "{headers:?}");
}

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

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_an_answer_that_says_when_to_ask_again() {
    let mut command = tiny();
    command.args([
        // The texts are all the same: each is to be run.
        "--vector-cache",
        "0",
        "--queue-wait",
        "1ms",
        "--queue-tokens",
        "1",
        "--workers",
        "1",
        "--alone-threads",
        "1",
        "--batch-tokens",
        "32",
    ]);
    let server = tokio::task::block_in_place(|| Server::start(&mut command));
    let client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    client.clone().embed(texts(&["a"])).await.unwrap();
    let many = stream::iter(0..400).map(|_| {
        let mut client = client.clone();
        async move { client.embed(texts(&["the red car"; 64])).await }
    });
    let answers: Vec<_> = many.buffer_unordered(100).collect().await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!(!done.is_empty() && !refused.is_empty(), "{} done, {} refused", done.len(), refused.len());
    for fault in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!((fault.code(), code(&fault)), (Code::ResourceExhausted, "OVERLOADED"), "{fault}");
        assert!(fault.get_details_retry_info().unwrap().retry_delay.is_some());
        let pause = fault.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
        assert!(pause.parse::<u64>().unwrap() < 60_000, "{pause}");
    }
    client.clone().embed(texts(&["a"])).await.unwrap();
}

#[tokio::test]
async fn models_and_health_are_told() {
    let (_server, mut client) = pair().await;
    let health = client.health(HealthRequest {}).await.unwrap().into_inner();
    assert_eq!(health.status(), proto::health_response::Status::Healthy);
    assert!(health.checks["model_cache"].starts_with("ok: "), "{:?}", health.checks);
    assert_eq!(health.version, env!("CARGO_PKG_VERSION"));
    let fault = client.embed(EmbedRequest { model: "tiny-corrupt".to_owned(), ..texts(&["a"]) }).await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unavailable, "MODEL_FAILED"), "{fault}");
    let models = client.list_models(ListModelsRequest {}).await.unwrap().into_inner().models;
    let of = |name: &str| models.iter().find(|model| model.id == name).unwrap();
    let tiny = of("tiny");
    assert_eq!((tiny.status.as_str(), tiny.dimension, tiny.max_tokens, tiny.default), ("loaded", 8, 32, true));
    assert!(tiny.version.len() >= 12 && tiny.runs_on.starts_with("cpu") && tiny.tokens_per_second.unwrap() > 0.0);
    assert_eq!((tiny.latency_p95_ms, tiny.throughput_qps), (None, None), "nobody has asked it yet");
    client.embed(texts(&["a"])).await.unwrap();
    let again = client.list_models(ListModelsRequest {}).await.unwrap().into_inner().models;
    let asked = again.iter().find(|model| model.id == "tiny").unwrap();
    assert!(asked.latency_p95_ms.unwrap() >= 1 && asked.throughput_qps.unwrap() >= 1, "{asked:?}");
    assert!((500..100_000).contains(&asked.params.unwrap()), "{asked:?}");
    assert_eq!(of("tiny-cls").params, None);
    let corrupt = of("tiny-corrupt");
    assert!(corrupt.status == "failed" && !corrupt.failure.is_empty() && corrupt.tokens_per_second.is_none());
    assert_eq!(of("tiny-cls").status, "available");
}

#[tokio::test]
async fn the_standard_health_service_tells_watchers_of_the_end() {
    let (mut server, client) = pair().await;
    drop(client);
    let mut health = HealthClient::new(channel(server.grpc.as_deref().unwrap()).await);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "akidb.embedding.v1.EmbeddingService"] {
        let answer = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(health.check(of("nobody")).await.unwrap_err().code(), Code::NotFound);
    let mut unknown = health.watch(of("nobody")).await.unwrap().into_inner();
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    let mut changes = health.watch(of("")).await.unwrap().into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    server.signal("TERM");
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(changes.message().await.unwrap().is_none() && unknown.message().await.unwrap().is_none());
    assert_eq!(tokio::task::spawn_blocking(move || server.wait()).await.unwrap(), 0);
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

#[tokio::test]
async fn each_message_of_a_stream_counts_for_the_rate_and_needs_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let minted = |name: &str| {
        let done = support::cli::bare().args(["serve", "--new-api-key", name]).output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let (key, line) = said.trim().split_once('\n').unwrap();
        (key.to_owned(), line.to_owned())
    };
    let ((key, line), (_, other)) = (minted("alice"), minted("bob"));
    std::fs::write(&file, format!("{line}:rate=2\n{other}\n")).unwrap();
    let path = file.clone();
    let server = tokio::task::spawn_blocking(move || Server::start(tiny().arg("--api-keys").arg(path))).await.unwrap();
    let mut client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
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
    // Without the key the stream goes no further.
    std::fs::write(&file, format!("{other}\n")).unwrap();
    server.signal("HUP");
    server.wait_for("API keys read again");
    sender.send(numbered(300)).await.unwrap();
    let fault = answers.message().await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unauthenticated, "UNAUTHORIZED"), "{fault}");
}

#[tokio::test]
async fn streams_have_a_longest_life() {
    let started = || Server::start(tiny().args(["--stream-time", "1s"]));
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

#[tokio::test]
async fn reflection_speaks_both_versions() {
    let (server, _client) = pair().await;
    let channel = channel(server.grpc.as_deref().unwrap()).await;
    macro_rules! ask {
        ($version:ident) => {{
            use $version::server_reflection_request::MessageRequest as Ask;
            use $version::server_reflection_response::MessageResponse as Answer;
            let mut client = $version::server_reflection_client::ServerReflectionClient::new(channel.clone());
            let symbol = "akidb.embedding.v1.EmbedRequest".to_owned();
            let asks = [Ask::ListServices(String::new()), Ask::FileContainingSymbol(symbol)];
            let asks =
                asks.map(|ask| $version::ServerReflectionRequest { host: String::new(), message_request: Some(ask) });
            let answers = client.server_reflection_info(stream::iter(asks)).await.unwrap().into_inner();
            let mut names = Vec::new();
            let mut files = Vec::new();
            for answer in answers.map(|answer| answer.unwrap().message_response.unwrap()).collect::<Vec<_>>().await {
                match answer {
                    Answer::ListServicesResponse(list) => names.extend(list.service.into_iter().map(|one| one.name)),
                    Answer::FileDescriptorResponse(found) => files.extend(found.file_descriptor_proto),
                    other => panic!("{other:?}"),
                }
            }
            assert!(names.iter().any(|name| name == "akidb.embedding.v1.EmbeddingService"), "{names:?}");
            assert!(names.iter().any(|name| name == "grpc.health.v1.Health"), "{names:?}");
            assert_eq!(files.len(), 1);
            assert!(String::from_utf8_lossy(&files[0]).contains("Texts, and what is wanted of their vectors"));
        }};
    }
    ask!(v1);
    ask!(v1alpha);
}

#[tokio::test]
async fn compressed_requests_are_read_and_a_bomb_is_not() {
    let (_server, client) = pair().await;
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    client.embed(texts(&["the red car"])).await.unwrap();
    let fault = client.embed(texts(&[&"a".repeat(16 << 20)])).await.unwrap_err();
    assert!(fault.message().contains("size limit"), "{fault}");
}

#[tokio::test]
async fn rest_and_grpc_answer_side_by_side() {
    let (server, client) = pair().await;
    let wanted = rest(&server, &json!({"inputs": ["the red car"]}));
    let calls = stream::iter(0..200).map(move |_| {
        let mut client = client.clone();
        async move { client.embed(texts(&["the red car"])).await.unwrap().into_inner().embeddings[0].values.clone() }
    });
    let calls = tokio::spawn(calls.buffer_unordered(8).collect::<Vec<_>>());
    let posts = tokio::task::spawn_blocking(move || {
        let vectors: Vec<_> = (0..50).map(|_| rest(&server, &json!({"inputs": ["the red car"]}))).collect();
        (server, vectors)
    });
    let close = |vector: &[f32]| vector.iter().zip(&wanted[0]).all(|(one, other)| (one - other).abs() < 1e-5);
    let (_server, posted) = posts.await.unwrap();
    assert!(posted.iter().all(|vectors| close(&vectors[0])));
    let vectors = calls.await.unwrap();
    assert!(vectors.len() == 200 && vectors.iter().all(|vector| close(vector)));
}

#[tokio::test]
async fn aliases_are_names_of_models() {
    let alias = "sentence-transformers/tiny";
    let mut command = tiny();
    command.args(["--model-alias", &format!("{alias}=tiny")]);
    let server = tokio::task::spawn_blocking(move || Server::start(&mut command)).await.unwrap();
    let mut client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    let answer = client.embed(EmbedRequest { model: alias.to_owned(), ..texts(&["a"]) }).await.unwrap().into_inner();
    assert_eq!(answer.model, "tiny");
    let models = client.list_models(ListModelsRequest {}).await.unwrap().into_inner().models;
    assert_eq!(models.iter().find(|model| model.id == "tiny").unwrap().aliases, [alias]);
}

#[test]
fn the_interface_is_printed() {
    let done = support::cli::bare().args(["serve", "--print-proto"]).output().unwrap();
    assert!(done.status.success());
    assert_eq!(String::from_utf8(done.stdout).unwrap().trim_end(), proto::TEXT.trim_end());
}

#[test]
fn it_can_be_switched_off() {
    let mut command = support::cli::bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(fixtures());
    let server = Server::start(command.arg("--onnxruntime").arg(onnxruntime()));
    assert_eq!(server.grpc, None);
    assert_eq!(server.get("/ready").0, 200);
}
