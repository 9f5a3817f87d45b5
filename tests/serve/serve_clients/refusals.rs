//! Refusals: their statuses and kinds, and what a client is told to do.

use serde_json::json;

use super::{TEXTS, raw};
use testkit::cli::bare;
use testkit::serve::{Server, fixtures, onnxruntime, tiny};

#[test]
fn what_is_wrong_has_the_statuses_and_kinds_of_text_embeddings_inference() {
    let server = Server::start(tiny().args(["--max-texts", "3", "--max-body", "4KiB"]));
    let long = "car ".repeat(100);
    for (path, body, status, kind, code) in [
        ("/embed", json!({"inputs": []}).to_string(), 400, "Empty", "INVALID_REQUEST"),
        ("/embed", json!({"inputs": vec!["a"; 4]}).to_string(), 413, "Validation", "INVALID_REQUEST"),
        ("/embed", json!({"inputs": long, "truncate": false}).to_string(), 422, "Validation", "INPUT_TOO_LONG"),
        ("/embed_all", json!({"inputs": long, "truncate": false}).to_string(), 422, "Validation", "INPUT_TOO_LONG"),
        ("/embed_all", json!({"inputs": []}).to_string(), 400, "Empty", "INVALID_REQUEST"),
        ("/embed_all", json!({"inputs": vec!["a"; 4]}).to_string(), 413, "Validation", "INVALID_REQUEST"),
        ("/", json!({"inputs": long, "truncate": false}).to_string(), 422, "Validation", "INPUT_TOO_LONG"),
        ("/embed", json!({"inputs": 7}).to_string(), 422, "Validation", "INVALID_REQUEST"),
        ("/embed", json!({"inputs": "a", "dimensions": 9}).to_string(), 422, "Validation", "INVALID_REQUEST"),
        (
            "/embed",
            json!({"inputs": "a", "truncation_direction": "up"}).to_string(),
            422,
            "Validation",
            "INVALID_REQUEST",
        ),
        ("/embed", "{".to_owned(), 400, "Validation", "INVALID_REQUEST"),
        ("/embed", " ".repeat(5000), 413, "Validation", "BODY_TOO_LARGE"),
        (
            "/vertex",
            json!({"instances": vec![json!({"inputs": ["a", "b"]}); 2]}).to_string(),
            413,
            "Validation",
            "INVALID_REQUEST",
        ),
        (
            "/similarity",
            json!({"inputs": {"source_sentence": "a", "sentences": []}}).to_string(),
            400,
            "Empty",
            "INVALID_REQUEST",
        ),
        (
            "/similarity",
            json!({"inputs": {"source_sentence": "a", "sentences": vec!["b"; 3]}}).to_string(),
            413,
            "Validation",
            "INVALID_REQUEST",
        ),
        ("/predict", json!({"inputs": "a"}).to_string(), 424, "Backend", "NOT_SUPPORTED"),
        ("/rerank", json!({"query": "a", "texts": ["b"]}).to_string(), 424, "Backend", "NOT_SUPPORTED"),
        ("/embed_sparse", json!({"inputs": "a"}).to_string(), 424, "Backend", "NOT_SUPPORTED"),
    ] {
        let answer = raw(&server, path, body.as_bytes());
        let said = answer.json();
        assert_eq!(
            (answer.status, said["error_type"].as_str(), said["code"].as_str()),
            (status, Some(kind), Some(code)),
            "{path} {body}: {said}"
        );
        assert!(said["error"].is_string() && said["request_id"].as_str() == answer.header("x-request-id"), "{said}");
    }
    let own = server.post("/api/v1/embed", &json!({"inputs": long, "truncate": false}));
    assert_eq!((own.0, own.1.get("error_type")), (413, None));
    // What is counted is what was said.
    let metrics = server.get("/metrics").1;
    assert!(metrics.lines().any(|line| line.contains(r#""/embed""#) && line.contains(r#""422""#)), "{metrics}");
}

#[test]
fn token_ids_are_refused_with_a_hint_everywhere() {
    let server = Server::start(&mut tiny());
    for (path, key) in &TEXTS[..10] {
        for ids in [json!([1, 2, 3]), json!([[1, 2], [3]])] {
            let answer = raw(&server, path, json!({*key: ids}).to_string().as_bytes());
            assert!([400, 422].contains(&answer.status), "{path}: {}", answer.text());
            assert!(answer.text().contains("check_embedding_ctx_length"), "{path}: {}", answer.text());
        }
    }
}

#[test]
fn refusals_that_pass_say_when_to_ask_again() {
    let server = Server::start(tiny().args(["--rate-limit-per-address", "1", "--rate-limit-burst", "1"]));
    let post = |headers: &[(&str, &str)]| server.request("POST", "/embed", headers, br#"{"inputs": "a"}"#);
    while post(&[]).status != 429 {}
    assert!(post(&[]).header("retry-after").is_some());
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny-corrupt", "--models"]);
    let loading = Server::start_cold(command.arg(fixtures()).arg("--onnxruntime").arg(onnxruntime()));
    let ready = loading.request("GET", "/ready", &[], b"");
    assert_eq!((ready.status, ready.header("retry-after")), (503, Some("1")));
}
