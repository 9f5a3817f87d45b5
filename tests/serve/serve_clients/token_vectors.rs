//! `/embed_all`: the vectors of the tokens of a text.

use serde_json::{Value, json};

use super::of_tokens;
use testkit::cli::bare;
use testkit::serve::{Server, fixtures, onnxruntime, tiny};

/// What a model with mean pooling makes of the vectors of a text's tokens.
fn mean(tokens: &[Vec<f32>]) -> Vec<f32> {
    let sum = |at: usize| tokens.iter().map(|token| f64::from(token[at])).sum::<f64>();
    let sums: Vec<f64> = (0..tokens[0].len()).map(sum).collect();
    let length = sums.iter().map(|value| value * value).sum::<f64>().sqrt();
    sums.iter().map(|value| (value / length) as f32).collect()
}

#[track_caller]
fn close(one: &[f32], other: &[f32], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    let far = one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    assert!(far < 1e-5, "{what} is off by {far}");
}

#[test]
fn embed_all_gives_the_vectors_that_a_text_s_vector_is_made_of() {
    let server = Server::start(&mut tiny());
    let expected = std::fs::read(fixtures().join("tiny/expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let expected = expected["texts"].as_array().unwrap();
    let texts: Vec<&str> = expected.iter().map(|one| one["text"].as_str().unwrap()).collect();
    let embed = || serde_json::from_value::<Vec<Vec<f32>>>(server.post("/embed", &json!({"inputs": texts})).1).unwrap();
    let (before, all, after) = (embed(), of_tokens(&server, &json!({"inputs": texts})), embed());
    assert_eq!((before.len(), all.len()), (texts.len(), texts.len()));
    assert_eq!(before, after, "the cache holds none of tokens");
    for ((one, tokens), vector) in expected.iter().zip(&all).zip(&before) {
        let text = one["text"].as_str().unwrap();
        assert_eq!(tokens.len(), one["ids"].as_array().unwrap().len(), "{text:?}");
        let wanted: Vec<f32> = serde_json::from_value(one["vector"].clone()).unwrap();
        close(&mean(tokens), &wanted, text);
        close(&mean(tokens), vector, text);
    }
    let at = texts.iter().position(|text| *text == "hello world").unwrap();
    for (alone, among) in of_tokens(&server, &json!({"inputs": "hello world"}))[0].iter().zip(&all[at]) {
        close(alone, among, "a text alone");
    }
    let ends = format!("hello {}world", "car ".repeat(60));
    let cut = |side: &str| of_tokens(&server, &json!({"inputs": ends, "truncation_direction": side})).remove(0);
    let (right, left) = (cut("right"), cut("left"));
    assert_eq!((right.len(), left.len()), (32, 32));
    assert_ne!(right, left);
    let metrics = server.get("/metrics").1;
    assert!(metrics.lines().any(|line| line.contains(r#""/embed_all""#)), "{metrics}");
}

#[test]
fn token_vectors_have_the_width_of_the_graph_and_only_some_graphs_give_them() {
    let with = |model: &str| {
        let mut command = bare();
        command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", model, "--models"]);
        Server::start(command.arg(fixtures()).arg("--onnxruntime").arg(onnxruntime()))
    };
    let server = with("arch-residual");
    let vector = server.post("/embed", &json!({"inputs": "hello world"})).1[0].as_array().unwrap().len();
    let tokens = of_tokens(&server, &json!({"inputs": "hello world"}));
    assert!(
        tokens[0].iter().all(|token| token.len() == 16) && vector != 16,
        "{vector} numbers behind the dense layers"
    );
    let server = with("arch-sentence-only");
    for _ in 0..4 {
        let (status, answer) = server.post("/embed_all", &json!({"inputs": ["hello", "world"]}));
        let said = (answer["error_type"].as_str(), answer["code"].as_str());
        assert_eq!((status, said), (424, (Some("Backend"), Some("NOT_SUPPORTED"))), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("token vectors"), "{answer}");
    }
    assert_eq!(server.post("/embed", &json!({"inputs": "hello"})).0, 200);
    assert_eq!(server.get("/ready").0, 200, "nothing is wrong with the model");
}

#[test]
fn token_vectors_are_bounded_by_their_bytes() {
    // 32 tokens of 8 numbers are 1 KiB, and half of the setting is for one answer.
    let server = Server::start(tiny().args(["--max-in-flight-bytes", "16KiB", "--max-body", "8KiB"]));
    let long = "car ".repeat(60);
    let ask = |texts: usize| server.post("/embed_all", &json!({"inputs": vec![&*long; texts]}));
    for _ in 0..20 {
        assert_eq!(ask(8).0, 200, "what was sent does not count any more");
    }
    let (status, answer) = ask(9);
    assert_eq!((status, answer["code"].as_str()), (422, Some("INPUT_TOO_LONG")), "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("9216 bytes") && error.contains("8192") && error.contains("--max-in-flight-bytes"),
        "{error}"
    );
    assert_eq!(server.post("/embed", &json!({"inputs": vec![&*long; 9]})).0, 200);
}
