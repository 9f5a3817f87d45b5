//! Models: how they are listed, the names that they are known by, what is counted of them.

use serde_json::{Value, json};

use super::store;
use testkit::cli::bare;
use testkit::serve::{Server, onnxruntime, tiny};

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
