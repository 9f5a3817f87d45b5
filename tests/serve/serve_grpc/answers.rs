//! Answers to single calls: the vectors of REST, faults, deadlines, overload.

use std::collections::BTreeMap;

use akidb_edge::serve::grpc::proto::{EmbedRequest, EmbedStreamRequest, Encoding, ListModelsRequest};
use futures::{StreamExt, stream};
use prost::Message;
use serde_json::json;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::{Client, channel, code, pair, rest, texts};
use testkit::serve::{Server, tiny};

#[tokio::test]
async fn both_transports_give_the_same_bits() {
    let (server, mut client) = pair().await;
    let inputs = ["the red car", "a", "", "naïve 日本 🚗"];
    for normalize in [None, Some(true), Some(false)] {
        let body = json!({"inputs": inputs, "normalize": normalize});
        let wanted = rest(&server, &body);
        let request = EmbedRequest { normalize, request_id: "r7".to_owned(), ..texts(&inputs) };
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
    assert_eq!((fault.code(), code(&fault)), (Code::OutOfRange, "BODY_TOO_LARGE"), "{fault}");
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

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_an_answer_that_says_when_to_ask_again() {
    let mut command = tiny();
    command.args([
        // The texts are all the same: each is to be run.
        "--vector-cache",
        "0",
        "--max-queue-wait",
        "1ms",
        "--max-queue-tokens",
        "1",
        "--workers",
        "1",
        "--single-request-threads",
        "1",
        "--max-batch-tokens",
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
async fn compressed_requests_are_read_and_a_bomb_is_not() {
    let (_server, client) = pair().await;
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    client.embed(texts(&["the red car"])).await.unwrap();
    let fault = client.embed(texts(&[&"a".repeat(16 << 20)])).await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::ResourceExhausted, "BODY_TOO_LARGE"), "{fault}");
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

#[tokio::test]
async fn a_message_of_empty_texts_takes_no_more_than_its_bytes() {
    let (server, mut client) = pair().await;
    client.embed(texts(&["a"])).await.unwrap();
    let before = server.peak();
    // Two bytes each on the way; each would be 24 in a list.
    let many = EmbedRequest { inputs: vec![String::new(); 4_000_000], ..EmbedRequest::default() };
    let message = EmbedStreamRequest { id: "1".to_owned(), request: Some(many.clone()) };
    let alone = client.embed(many).await.unwrap_err();
    let mut answers = client.embed_stream(stream::iter([message])).await.unwrap().into_inner();
    for fault in [alone, answers.message().await.unwrap_err()] {
        assert_eq!((fault.code(), code(&fault)), (Code::InvalidArgument, "INVALID_REQUEST"), "{fault}");
        assert_eq!(fault.message(), "a message has more than 131072 texts: send several requests");
    }
    let after = server.peak();
    assert!(after < before + (64 << 10), "{before} -> {after} kB");
}
