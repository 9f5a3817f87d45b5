//! What the clients of other servers send: text-embeddings-inference's, OpenAI's, and those that compress, retry, or look at an
//! answer only once they have sent everything.
#![cfg(feature = "serve")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use support::cli::{bare, finish};
use support::serve::{Answer, Server, fixtures, onnxruntime, tiny};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Every address that takes texts, and what it calls them.
const TEXTS: [(&str, &str); 11] = [
    ("/api/v1/embed", "inputs"),
    ("/v1/embeddings", "input"),
    ("/embeddings", "input"),
    ("/api/v1/embeddings", "input"),
    ("/openai/v1/embeddings", "input"),
    ("/openai/deployments/tiny/embeddings?api-version=2024-10-21", "input"),
    ("/", "inputs"),
    ("/embed", "inputs"),
    ("/invocations", "inputs"),
    ("/tokenize", "inputs"),
    ("/vertex", "instances"),
];

fn raw(server: &Server, path: &str, body: &[u8]) -> Answer {
    server.request("POST", path, &[JSON], body)
}

#[test]
fn every_address_of_text_embeddings_inference_answers_as_there() {
    let server = Server::start(&mut tiny());
    let ask = |path: &str, body: Value| {
        let (status, answer) = server.post(path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    };
    let texts = json!(["hello world", "errors"]);
    let vectors = ask("/embed", json!({"inputs": texts}));
    for path in ["/", "/invocations", "/embed/", "//embed"] {
        assert_eq!(ask(path, json!({"inputs": texts, "parameters": {}})), vectors, "{path}");
    }
    let instances = json!([{"inputs": "hello world"}, {"inputs": ["errors"], "truncate": true}]);
    let predictions = ask("/vertex", json!({"instances": instances}));
    assert_eq!(predictions["predictions"], json!([[vectors[0]], [vectors[1]]]));
    assert_eq!(ask("/vertex", json!({"instances": []})), json!({"predictions": []}), "as there");
    let pair = json!({"source_sentence": "hello world", "sentences": ["hello world", "errors"]});
    let close: Vec<f64> = serde_json::from_value(ask("/similarity", json!({"inputs": pair}))).unwrap();
    let dot = |one: &Value, other: &Value| {
        let numbers = |vector: &Value| serde_json::from_value::<Vec<f64>>(vector.clone()).unwrap();
        numbers(one).iter().zip(numbers(other)).map(|(one, other)| one * other).sum::<f64>()
    };
    assert!((close[0] - 1.0).abs() < 1e-5 && (close[1] - dot(&vectors[0], &vectors[1])).abs() < 1e-5, "{close:?}");
    // A client that is given an address and nothing else asks there for either.
    let same: Vec<f64> = serde_json::from_value(ask("/", json!({"inputs": pair, "parameters": null}))).unwrap();
    assert_eq!(same, close);
    let short = ask("/embed", json!({"inputs": "errors", "dimensions": 3, "normalize": null}));
    assert_eq!(short[0].as_array().unwrap().len(), 3);
}

#[test]
fn tokens_have_their_places_and_ids_their_text() {
    let server = Server::start(&mut tiny());
    let (status, tokens) = server.post("/tokenize", &json!({"inputs": "hello wörld"}));
    assert_eq!(status, 200, "{tokens}");
    let tokens = tokens[0].as_array().unwrap();
    assert_eq!(tokens[0], json!({"id": 2, "text": "[CLS]", "special": true, "start": null, "stop": null}));
    assert_eq!((&tokens[1]["text"], &tokens[1]["start"], &tokens[1]["stop"]), (&json!("hello"), &json!(0), &json!(5)));
    assert_eq!((&tokens[2]["text"], &tokens[2]["start"]), (&json!("wörld"), &json!(6)));
    let ids: Vec<u64> = tokens.iter().map(|token| token["id"].as_u64().unwrap()).collect();
    let plain = server.post("/tokenize", &json!({"inputs": ["hello", "a"], "add_special_tokens": false})).1;
    assert_eq!((plain.as_array().unwrap().len(), &plain[0][0]["special"]), (2, &json!(false)));
    assert_eq!(server.post("/decode", &json!({"ids": ids})).1, json!(["hello world"]));
    let both = server.post("/decode", &json!({"ids": [ids, [ids[1]]], "skip_special_tokens": false})).1;
    assert_eq!(both, json!(["[CLS] hello world [SEP]", "hello"]));
    // The model reads 32 tokens; a text may have 250 characters for each.
    assert_eq!(server.post("/tokenize", &json!({"inputs": "ü".repeat(8000)})).0, 200);
    for (path, body, status, kind) in [
        ("/tokenize", json!({"inputs": "a".repeat(8001)}), 422, "Validation"),
        ("/tokenize", json!({"inputs": []}), 400, "Empty"),
        ("/decode", json!({"ids": []}), 400, "Empty"),
        ("/decode", json!({"ids": [[1], []]}), 400, "Empty"),
        ("/decode", json!({"ids": [[1], 2]}), 422, "Validation"),
        ("/decode", json!({"ids": "hello"}), 422, "Validation"),
        ("/decode", json!({"ids": vec![vec![1]; 2049]}), 413, "Validation"),
    ] {
        let (got, answer) = server.post(path, &body);
        assert_eq!((got, answer["error_type"].as_str()), (status, Some(kind)), "{path}: {answer}");
    }
}

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
fn a_text_that_is_too_long_is_cut_unless_truncate_is_false() {
    let server = Server::start(&mut tiny());
    let long = "car ".repeat(100);
    let pair = json!({"source_sentence": long, "sentences": ["a"]});
    let bodies = [
        ("/", json!({"inputs": long})),
        ("/embed", json!({"inputs": long})),
        ("/embed_all", json!({"inputs": long})),
        ("/invocations", json!({"inputs": long})),
        ("/similarity", json!({"inputs": pair, "parameters": {}})),
        ("/", json!({"inputs": pair, "parameters": {}})),
    ];
    for (path, mut body) in bodies {
        let parameters = if body["parameters"].is_object() { "/parameters" } else { "" };
        let cut = server.post(path, &body);
        assert_eq!(cut.0, 200, "{path}: {}", cut.1);
        for truncate in [json!(null), json!(true), json!(false)] {
            body.pointer_mut(parameters).unwrap()["truncate"] = truncate.clone();
            let (status, answer) = server.post(path, &body);
            if truncate == false {
                assert_eq!((status, answer["code"].as_str()), (422, Some("INPUT_TOO_LONG")), "{path}: {answer}");
            } else {
                assert_eq!((status, &answer), (200, &cut.1), "{path} {truncate}");
            }
        }
    }
    let vertex =
        |truncate: Value| server.post("/vertex", &json!({"instances": [{"inputs": long, "truncate": truncate}]}));
    assert_eq!((vertex(Value::Null).0, vertex(json!(false)).0), (200, 422));
}

/// The vectors of the tokens of each text.
fn of_tokens(server: &Server, body: &Value) -> Vec<Vec<Vec<f32>>> {
    let (status, answer) = server.post("/embed_all", body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer).unwrap()
}

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
    let server = Server::start(tiny().args(["--max-bytes-under-way", "16KiB", "--max-body", "8KiB"]));
    let long = "car ".repeat(60);
    let ask = |texts: usize| server.post("/embed_all", &json!({"inputs": vec![&*long; texts]}));
    for _ in 0..20 {
        assert_eq!(ask(8).0, 200, "what was sent does not count any more");
    }
    let (status, answer) = ask(9);
    assert_eq!((status, answer["code"].as_str()), (422, Some("INPUT_TOO_LONG")), "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("9216 bytes") && error.contains("8192") && error.contains("--max-bytes-under-way"),
        "{error}"
    );
    assert_eq!(server.post("/embed", &json!({"inputs": vec![&*long; 9]})).0, 200);
}

#[test]
fn the_server_says_what_it_serves_as_others_do() {
    let server = Server::start(tiny().args(["--model-alias", "text-embedding-3-small=tiny"]));
    let (status, info) = server.get("/info");
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!((status, &info["model_type"]), (200, &json!({"embedding": {"pooling": "mean"}})), "{info}");
    assert_eq!((&info["max_client_batch_size"], &info["max_input_length"]), (&json!(2048), &json!(32)));
    assert_eq!(info["auto_truncate"], json!(true));
    for field in [
        "model_id",
        "model_sha",
        "model_dtype",
        "served_model_name",
        "max_concurrent_requests",
        "max_batch_tokens",
        "tokenization_workers",
        "version",
    ] {
        assert!(info.get(field).is_some(), "{field}: {info}");
    }
    for path in ["/ping", "/", "/ping/"] {
        assert_eq!(server.get(path).0, 200, "{path}");
    }
    for path in ["/v1/models", "/openai/v1/models", "/models"] {
        let list: Value = serde_json::from_str(&server.get(path).1).unwrap();
        assert_eq!(list["object"], "list");
        let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert!(ids.contains(&"tiny") && ids.contains(&"text-embedding-3-small"), "{ids:?}");
    }
    let one: Value = serde_json::from_str(&server.get("/v1/models/tiny").1).unwrap();
    assert_eq!((&one["id"], &one["object"]), (&json!("tiny"), &json!("model")));
    assert!(one["created"].is_i64() && one["owned_by"].is_string(), "{one}");
    let below: Value = serde_json::from_str(&server.get("/openai/v1/models/tiny").1).unwrap();
    assert_eq!(below, one);
    for path in ["/v1/models/a/b", "/openai/v1/models/a/b"] {
        let (status, missing) = server.get(path);
        let missing: Value = serde_json::from_str(&missing).unwrap();
        assert_eq!((status, missing["error"]["code"].as_str()), (404, Some("MODEL_NOT_FOUND")), "{missing}");
    }
}

/// A store with copies of the tiny model under these names, each with a manifest that names a repository.
fn store(models: &[(&str, &str)]) -> tempfile::TempDir {
    let store = tempfile::tempdir().unwrap();
    for (name, repo) in models {
        let copied = Command::new("cp").arg("-r").arg(fixtures().join("tiny")).arg(store.path().join(name)).status();
        assert!(copied.unwrap().success());
        let source = json!({"kind": "hub", "repo": repo, "revision": "main", "commit": "c0ffee"});
        let manifest =
            json!({"format": 1, "name": name, "source": source, "files": {}, "made": "2026-01-01T00:00:00Z"});
        std::fs::write(store.path().join(name).join("akidb-model.json"), manifest.to_string()).unwrap();
    }
    store
}

#[test]
fn models_are_known_by_their_repository_and_by_names_of_a_setting() {
    let store = store(&[("tiny", "owner/tiny-v1"), ("second", "owner/tiny-v1"), ("text-embedding-3-small", "o/other")]);
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(store.path());
    command.args([
        "--model-alias",
        "gpt=second",
        "--model-alias",
        "text-embedding-3-small=tiny",
        "--model-alias",
        "gone=nobody",
    ]);
    let server = Server::start(command.arg("--onnxruntime").arg(onnxruntime()));
    for (name, model) in [
        ("owner/tiny-v1", "tiny"),
        ("gpt", "second"),
        ("o/other", "text-embedding-3-small"),
        ("text-embedding-3-small", "text-embedding-3-small"),
        ("", "tiny"),
        // A space behind the name, as settings of clients have it.
        ("gpt ", "second"),
    ] {
        let (status, answer) = server.post("/v1/embeddings", &json!({"input": "a", "model": name}));
        assert_eq!((status, answer["model"].as_str()), (200, Some(model)), "{name}: {answer}");
        let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": "a", "model": name}));
        assert_eq!((status, answer["model"].as_str()), (200, Some(model)), "{name}: {answer}");
    }
    let get = server.get("/api/v1/embed?input=a&model=owner%2Ftiny-v1");
    assert_eq!(get.0, 200, "{}", get.1);
    for unknown in ["owner/other", "gone", "tiny-v1"] {
        assert_eq!(server.post("/v1/embeddings", &json!({"input": "a", "model": unknown})).0, 404, "{unknown}");
    }
    let models: Value = serde_json::from_str(&server.get("/models").1).unwrap();
    let of =
        |name: &str| models["models"].as_array().unwrap().iter().find(|model| model["id"] == name).unwrap().clone();
    assert_eq!(of("tiny")["aliases"], json!(["owner/tiny-v1"]));
    assert_eq!(of("second")["aliases"], json!(["gpt"]));
    let one: Value = serde_json::from_str(&server.get("/v1/models/owner/tiny-v1").1).unwrap();
    assert_eq!(
        (&one["id"], &one["root"], &one["owned_by"]),
        (&json!("owner/tiny-v1"), &json!("tiny"), &json!("owner"))
    );
    let info: Value = serde_json::from_str(&server.get("/info").1).unwrap();
    assert_eq!((&info["model_id"], &info["model_sha"]), (&json!("owner/tiny-v1"), &json!("c0ffee")));
    // A client's made-up names get no series of their own, aliases none beside their model's.
    let metrics = server.get("/metrics").1;
    assert!(!metrics.contains("owner/") && !metrics.contains("gpt"), "{metrics}");
}

#[test]
fn as_many_texts_as_openai_takes_are_taken_everywhere() {
    let server = Server::start(&mut tiny());
    let texts = vec!["a"; 2048];
    for (path, key) in &TEXTS[..9] {
        let (status, answer) = server.post(path, &json!({*key: texts}));
        assert_eq!(status, 200, "{path}: {answer}");
        let (status, answer) = server.post(path, &json!({*key: vec!["a"; 2049]}));
        assert!([400, 413].contains(&status), "{path}: {status} {answer}");
    }
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
fn null_is_the_same_as_nothing() {
    let server = Server::start(&mut tiny());
    for (path, key, fields) in [
        (
            "/api/v1/embed",
            "inputs",
            &[
                "texts",
                "input",
                "text",
                "model",
                "version",
                "normalize",
                "truncate",
                "truncation_direction",
                "prompt_name",
                "encoding",
                "dimensions",
            ][..],
        ),
        (
            "/v1/embeddings",
            "input",
            &[
                "model",
                "user",
                "encoding_format",
                "dimensions",
                "normalize",
                "truncate",
                "truncation_direction",
                "prompt_name",
            ],
        ),
        (
            "/embed",
            "inputs",
            &["normalize", "truncate", "truncation_direction", "prompt_name", "dimensions", "parameters"],
        ),
        ("/embed_all", "inputs", &["truncate", "truncation_direction", "prompt_name", "normalize"]),
        ("/", "inputs", &["normalize", "truncate", "truncation_direction", "prompt_name", "dimensions", "parameters"]),
        ("/tokenize", "inputs", &["add_special_tokens", "prompt_name"]),
        ("/decode", "ids", &["skip_special_tokens"]),
    ] {
        let mut body = json!({key: if key == "ids" { json!([2]) } else { json!("hello") }});
        let plain = server.post(path, &body);
        for field in fields {
            body[*field] = Value::Null;
        }
        let nulls = server.post(path, &body);
        assert_eq!((nulls.0, plain.0), (200, 200), "{path}: {}", nulls.1);
    }
    let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": null, "text": "a"}));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn texts_have_several_names_and_one_at_a_time() {
    let server = Server::start(&mut tiny());
    let wanted = server.post("/api/v1/embed", &json!({"inputs": "hello"})).1["embeddings"].clone();
    for body in
        [json!({"text": "hello"}), json!({"texts": ["hello"]}), json!({"input": "hello"}), json!({"text": ["hello"]})]
    {
        let (status, answer) = server.post("/api/v1/embed", &body);
        assert_eq!((status, &answer["embeddings"]), (200, &wanted), "{body}");
    }
    for body in
        [json!({"text": "a", "texts": ["b"]}), json!({"inputs": "a", "text": "a"}), json!({"inputs": null}), json!({})]
    {
        assert_eq!(server.post("/api/v1/embed", &body).0, 400, "{body}");
    }
}

#[test]
fn openai_s_address_cuts_only_what_may_be_cut() {
    let server = Server::start(&mut tiny());
    let long = "car ".repeat(100);
    for path in ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"] {
        assert_eq!(server.post(path, &json!({"input": long})).0, 200);
        let (status, answer) = server.post(path, &json!({"input": ["a", long], "truncate": false}));
        assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("INPUT_TOO_LONG")), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("text 1"), "{answer}");
    }
}

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

#[test]
fn a_mark_of_utf_8_is_taken_and_half_a_character_is_named() {
    let server = Server::start(&mut tiny());
    for (path, key) in &TEXTS[..9] {
        let marked = format!("\u{feff}{{\"{key}\": \"hello\"}}");
        assert_eq!(raw(&server, path, marked.as_bytes()).status, 200, "{path}");
        for half in [r"cut \ud83d", r"\ude80 cut", r"\ud83d\n", r"\ud83d\ud83d\ude80"] {
            let mut texts = vec![r#""fine \ud83d\ude80""#.to_owned(); 200];
            texts[137] = format!("\"{half}\"");
            let body = format!("{{\n\"{key}\": [{}]}}", texts.join(",\n"));
            let answer = raw(&server, path, body.as_bytes());
            let said = answer.text();
            assert_eq!(answer.status, 400, "{path} {half}: {said}");
            assert!(
                said.contains(&format!("{key}[137]")) && said.contains("half of a surrogate pair"),
                "{path} {half}: {said}"
            );
        }
    }
}

#[test]
fn refusals_that_pass_say_when_to_ask_again() {
    let server = Server::start(tiny().args(["--rate-by-address", "1", "--burst", "1"]));
    let post = |headers: &[(&str, &str)]| server.request("POST", "/embed", headers, br#"{"inputs": "a"}"#);
    while post(&[]).status != 429 {}
    assert!(post(&[]).header("retry-after").is_some());
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny-corrupt", "--models"]);
    let loading = Server::start_cold(command.arg(fixtures()).arg("--onnxruntime").arg(onnxruntime()));
    let ready = loading.request("GET", "/ready", &[], b"");
    assert_eq!((ready.status, ready.header("retry-after")), (503, Some("1")));
}

#[test]
fn parameters_are_counted_and_the_pace_is_told() {
    let server = Server::start(&mut tiny());
    assert_eq!(server.post("/embed", &json!({"inputs": "a"})).0, 200);
    let models: Value = serde_json::from_str(&server.get("/models").1).unwrap();
    let tiny = models["models"].as_array().unwrap().iter().find(|model| model["id"] == "tiny").unwrap();
    let params = tiny["params"].as_u64().unwrap();
    assert!((500..100_000).contains(&params), "{tiny}");
    assert!(tiny["latency_p95_ms"].as_f64().unwrap() > 0.0, "{tiny}");
    assert_eq!(
        models["models"].as_array().unwrap().iter().find(|model| model["id"] == "tiny-cls").unwrap()["params"],
        Value::Null
    );
}

/// A server that asks for keys.
fn guarded(more: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let said = finish(bare().args(["serve", "--new-api-key", "alice"])).exits(0).stdout;
    std::fs::write(folder.path().join("keys"), said.trim().split_once('\n').unwrap().1).unwrap();
    let server = Server::start_cold(tiny().arg("--api-keys").arg(folder.path().join("keys")).args(more));
    (server, folder)
}

#[test]
fn a_key_may_come_in_the_headers_of_other_clients() {
    let folder = tempfile::tempdir().unwrap();
    let said = finish(bare().args(["serve", "--new-api-key", "alice"])).exits(0).stdout;
    let (key, line) = said.trim().split_once('\n').unwrap();
    std::fs::write(folder.path().join("keys"), line).unwrap();
    let server = Server::start(tiny().arg("--api-keys").arg(folder.path().join("keys")));
    let path = "/openai/deployments/tiny/embeddings?api-version=2024-10-21";
    for (name, value, status) in [
        ("api-key", key, 200),
        ("x-api-key", key, 200),
        ("authorization", &format!("Bearer {key}"), 200),
        ("authorization", key, 401),
        ("api-key", "akidb_x", 401),
    ] {
        let answer = server.request("POST", path, &[JSON, (name, value)], br#"{"input": "a", "model": "ignored"}"#);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let cached = server.request("GET", "/api/v1/embed?input=a", &[("api-key", key)], b"");
    assert_eq!((cached.status, cached.header("cache-control")), (200, Some("private, max-age=3600")));
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A field that is in no table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Sends a POST of so many bytes over HTTP/2, and says of each frame of its stream its kind and its flags. The body begins
/// before an answer is read, and goes on as the server lets it.
fn post_http2(server: &Server, size: usize) -> Vec<(u8, u8, Vec<u8>)> {
    const PART: usize = 16 << 10;
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/embed"),
        field(":authority", "a"),
        field("content-type", "application/json"),
    ];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).unwrap();
    stream.write_all(&frame(1, 4, 1, &head.concat())).unwrap();
    let (mut left, mut window, mut whole) = (size, [65_535_usize; 2], Vec::new());
    loop {
        while left > 0 && window.iter().all(|window| *window >= PART.min(left)) {
            let part = PART.min(left);
            left -= part;
            window = window.map(|window| window - part);
            stream.write_all(&frame(0, u8::from(left == 0), 1, &vec![b' '; part])).unwrap();
        }
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut body).unwrap();
        let (kind, flags, on) = (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        match (kind, on) {
            (8, on) => window[on as usize] += number(&body),
            (4, _) if flags & 1 == 0 => {
                // The window that every stream begins with.
                for setting in body.chunks(6).filter(|setting| setting[..2] == [0, 4]) {
                    window[1] = window[1] + number(&setting[2..]) - 65_535;
                }
                stream.write_all(&frame(4, 1, 0, &[])).unwrap();
            }
            (_, 1) => {
                whole.push((kind, flags, body));
                // An end, or a reset.
                if (kind <= 1 && flags & 1 == 1) || kind == 3 {
                    break;
                }
            }
            (7, _) => panic!("the connection is given up"),
            _ => {}
        }
    }
    // A reset may follow the end.
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut body).unwrap();
        if head[8] == 1 {
            whole.push((head[3], head[4], body));
        }
    }
    whole
}

#[test]
fn a_refused_body_over_http_2_ends_with_an_answer_and_no_reset() {
    let (server, _keys) = guarded(&[]);
    for size in [1, 100_000, 20 << 20] {
        let frames = post_http2(&server, size);
        assert!(frames.iter().all(|(kind, ..)| *kind != 3), "reset after {size} bytes: {frames:?}");
        assert_eq!(frames[0].0, 1, "headers come first");
        let body: Vec<u8> = frames.iter().filter(|(kind, ..)| *kind == 0).flat_map(|(.., body)| body.clone()).collect();
        assert!(String::from_utf8_lossy(&body).contains("UNAUTHORIZED"), "{frames:?}");
    }
    let server = Server::start(tiny().args(["--max-body", "64KiB"]));
    let frames = post_http2(&server, 4 << 20);
    assert!(frames.iter().all(|(kind, ..)| *kind != 3), "{frames:?}");
    assert!(frames.iter().any(|(.., body)| String::from_utf8_lossy(body).contains("BODY_TOO_LARGE")), "{frames:?}");
}

/// What comes until the other end closes; a reset loses it.
fn until_the_end(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_refused_body_over_http_1_is_read_and_one_that_waits_is_not_asked_for() {
    let (server, _keys) = guarded(&[]);
    let head =
        |more: &str| format!("POST /embed HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{more}\r\n\r\n");
    // The client sends all of it before it reads.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("connection: close\r\ncontent-length: 20000000").as_bytes()).unwrap();
    stream.write_all(&vec![b' '; 20_000_000]).unwrap();
    let said = until_the_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    // A client that asks first hears no from the server's first word on; what it sends all the same resets nothing.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("expect: 100-continue\r\ncontent-length: 3000000").as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 401");
    let _ = stream.write_all(&vec![b' '; 3_000_000]);
    assert!(until_the_end(&mut stream).contains("UNAUTHORIZED"));
    // A client whose body does not come is not waited for very long.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head("content-length: 100").as_bytes()).unwrap();
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 401");
}

/// The curl of this machine, over TLS, as people use it.
#[test]
fn curl_shows_why_it_was_refused() {
    if Command::new("curl").arg("--version").output().is_err() {
        return eprintln!("no curl here");
    }
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(file("body.json"), json!({"inputs": vec!["x".repeat(1000); 3000]}).to_string()).unwrap();
    let (server, _keys) = guarded(&["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")]);
    for version in ["--http1.1", "--http2"] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-k", "--max-time", "30", version, "-H", "content-type: application/json", "-d"]);
        let done = curl.arg(format!("@{}", file("body.json"))).arg(format!("{}/embed", server.url)).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && out.contains("UNAUTHORIZED"), "{version}: {out}{err}");
    }
}

#[test]
fn prompts_and_the_side_that_is_cut_mean_the_same_everywhere() {
    let store = store(&[("tiny", "owner/tiny")]);
    let prompts = json!({"prompts": {"query": "hello "}});
    std::fs::write(store.path().join("tiny/config_sentence_transformers.json"), prompts.to_string()).unwrap();
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(store.path());
    let server = Server::start(command.arg("--onnxruntime").arg(onnxruntime()));
    let ask = |path: &str, body: &Value| {
        let (status, answer) = server.post(path, body);
        assert_eq!(status, 200, "{path} {body}: {answer}");
        let vector = [&answer["embeddings"][0], &answer["data"][0]["embedding"], &answer[0]];
        vector.into_iter().find(|vector| vector.is_array()).unwrap().clone()
    };
    let last = format!("{}world world", "car ".repeat(60));
    for (path, key) in &TEXTS[..10] {
        let with = ask(path, &json!({*key: "world", "prompt_name": "query"}));
        assert_eq!(with, ask(path, &json!({*key: "hello world"})), "{path}");
        let (status, answer) = server.post(path, &json!({*key: "a", "prompt_name": "nobody"}));
        assert!([400, 422].contains(&status) && answer.to_string().contains("nobody"), "{path}: {status} {answer}");
        if *path != "/tokenize" {
            let of = |side: Value| ask(path, &json!({*key: last, "truncate": true, "truncation_direction": side}));
            assert_eq!((of(json!("Right")), of(json!("LEFT"))), (of(Value::Null), of(json!("left"))), "{path}");
            assert_ne!(of(json!("right")), of(json!("left")), "{path}");
        }
    }
    let tokens = |body: Value| of_tokens(&server, &body).remove(0);
    let with = tokens(json!({"inputs": "world", "prompt_name": "query"}));
    assert_eq!(with, tokens(json!({"inputs": "hello world"})), "a prompt's tokens have vectors, too");
    let get = |query: &str| {
        let answer = server.request("GET", &format!("/api/v1/embed?{query}"), &[], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.json()["embeddings"].clone(), answer.header("etag").unwrap().to_owned())
    };
    let (with, without) = (get("input=world&prompt_name=query"), get("input=world"));
    assert_eq!(with.0, get("input=hello+world").0);
    assert_ne!(with.1, without.1);
    assert_eq!(server.get("/api/v1/embed?input=a&prompt_name=nobody").0, 400);
    assert_eq!(server.get("/api/v1/embed?input=a&truncation_direction=up").0, 400);
}
