//! `/health`, `/ready` and `/models` of the binary: each check tells what is so.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use testkit::cli;
use testkit::serve::{Server, copy, fixtures, onnxruntime};

fn health(server: &Server) -> Value {
    let answer = server.request("GET", "/health", &[], b"");
    assert_eq!(answer.status, 200, "it lives");
    answer.json()
}

/// Looks until it is so.
#[track_caller]
fn until(server: &Server, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = server.request("GET", path, &[], b"").json();
        if so(&said) {
            return said;
        }
        assert!(Instant::now() < end, "{said:#}\n{}", server.said());
    }
}

/// A store with a copy of a fixture under another name.
fn store(models: &[(&str, &str)]) -> tempfile::TempDir {
    let store = tempfile::tempdir().unwrap();
    for (name, fixture) in models {
        copy(&fixtures().join(fixture), &store.path().join(name));
    }
    store
}

fn of(store: &Path) -> std::process::Command {
    let mut command = cli::bare();
    command.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--grpc",
        "off",
        "--model",
        "tiny",
        "--health-interval",
        "100ms",
        "--models",
    ]);
    command.arg(store).arg("--onnxruntime").arg(onnxruntime());
    command
}

#[test]
fn what_runs_is_said_and_what_is_not_given_is_not_configured() {
    let store = store(&[("tiny", "tiny"), ("other", "tiny-cls")]);
    let server = Server::start(of(store.path()).args(["--region", "eu-1", "--cluster", "edge-7"]));
    let said = until(&server, "/health", |said| said["checks"]["gpu"]["status"] == "not_configured");
    assert_eq!(
        (&said["status"], &said["region"], &said["cluster"]),
        (&json!("healthy"), &json!("eu-1"), &json!("edge-7"))
    );
    assert!(said["timestamp"].as_i64().unwrap() > 1_700_000_000);
    let model = &said["checks"]["model_cache"];
    assert_eq!(model["status"], "ok");
    assert!(
        model["detail"].as_str().unwrap().contains("cosine of 1.0000") && model["latency_ms"].as_f64().unwrap() > 0.0,
        "{model}"
    );
    for check in ["database", "s3", "gpu", "cross_region_connectivity"] {
        assert_eq!(said["checks"][check]["status"], "not_configured", "{check}");
    }
    let runs = &said["runs"];
    assert_eq!(
        (&runs["model"], &runs["variant"], &runs["execution_provider"]),
        (&json!("tiny"), &json!("fp32"), &json!("cpu"))
    );
    assert!(runs["workers"].as_u64().unwrap() >= 1 && !runs["onnxruntime"].as_str().unwrap().is_empty());
    // The age of a check is that of its last run, which is repeated.
    let age = |said: &Value, check: &str| said["checks"][check]["age_seconds"].as_f64().unwrap();
    until(&server, "/health", |said| age(said, "model_cache") + 0.05 < age(said, "database"));

    let models = server.request("GET", "/models", &[], b"").json()["models"].clone();
    let (other, tiny) = (&models[0], &models[1]);
    assert_eq!(
        (&other["status"], &other["memory_mb"], &other["pinned"]),
        (&json!("available"), &Value::Null, &json!(false))
    );
    assert_eq!((&tiny["status"], &tiny["dimension"], &tiny["pooling"]), (&json!("loaded"), &json!(8), &json!("mean")));
    assert_eq!((&tiny["latency_p95_ms"], &tiny["throughput_qps"]), (&Value::Null, &Value::Null), "nobody asked yet");
    assert_eq!(server.post("/api/v1/embed", &json!({"inputs": ["a text"]})).0, 200);
    let models = server.request("GET", "/models", &[], b"").json()["models"].clone();
    assert!(models[1]["latency_p95_ms"].as_f64().unwrap() > 0.0 && models[1]["throughput_qps"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_model_that_cannot_be_loaded_is_not_ready_and_the_process_lives() {
    let store = store(&[("tiny", "tiny-corrupt")]);
    let server = Server::start_cold(&mut of(store.path()));
    let said = until(&server, "/ready", |said| said["status"] == "failed");
    assert!(said["reason"].as_str().unwrap().contains("model.onnx"), "{said}");
    assert_eq!(server.get("/ready").0, 503);
    // A new process could not load it either: a liveness probe, which asks /health, is to leave this one alone.
    let said = health(&server);
    assert_eq!((&said["status"], &said["not_ok"]), (&json!("unhealthy"), &json!(["model_cache"])));
    assert_eq!(said["reason"], Value::Null);
}

#[test]
fn on_request_health_is_an_error_and_says_why() {
    let store = store(&[("tiny", "tiny-corrupt")]);
    let server = Server::start_cold(of(store.path()).arg("--health-strict"));
    until(&server, "/ready", |said| said["status"] == "failed");
    let answer = server.request("GET", "/health", &[], b"");
    let said = answer.json();
    assert_eq!((answer.status, &said["not_ok"]), (503, &json!(["model_cache"])));
    assert!(said["reason"].as_str().is_some_and(|why| why.contains("model_cache")), "{said}");
    assert!(said["checks"]["model_cache"]["detail"].as_str().is_some_and(|why| why.contains("model.onnx")), "{said}");

    let store = self::store(&[("tiny", "tiny")]);
    let server = Server::start(of(store.path()).arg("--health-strict"));
    until(&server, "/health", |said| said["not_ok"] == json!([]));
    assert_eq!(server.get("/health").0, 200);
}

#[test]
fn a_model_that_is_still_to_come_is_loading_and_not_dead() {
    let (store, source) = (store(&[]), tempfile::tempdir().unwrap());
    let server = Server::start_cold(of(store.path()).arg("--sync").arg(format!("file:{}", source.path().display())));
    until(&server, "/ready", |said| said["reason"].as_str().is_some_and(|why| why.contains("sync")));
    let ready = server.request("GET", "/ready", &[], b"");
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("loading")));
    let said = health(&server);
    assert_eq!((&said["status"], &said["checks"]["model_cache"]["status"]), (&json!("degraded"), &json!("loading")));
}

#[test]
fn a_canary_of_the_folder_is_compared_at_load() {
    let store = store(&[("tiny", "tiny")]);
    let file = store.path().join("tiny/canary.json");
    let vector = {
        let server = Server::start(&mut of(store.path()));
        let body = json!({"inputs": ["the bird"], "normalize": false});
        server.post("/api/v1/embed", &body).1["embeddings"][0].clone()
    };
    std::fs::write(&file, json!({"text": "the bird", "vector": vector, "min_cosine": 0.9999}).to_string()).unwrap();
    drop(Server::start(&mut of(store.path())));
    let mut other: Vec<f64> = serde_json::from_value(vector).unwrap();
    other.reverse();
    std::fs::write(&file, json!({"text": "the bird", "vector": other}).to_string()).unwrap();
    let server = Server::start_cold(&mut of(store.path()));
    let said = until(&server, "/ready", |said| said["status"] == "failed");
    assert!(said["reason"].as_str().unwrap().contains("cosine"), "{said}");
}

const TABLE: &str =
    "CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER);";

fn replica(folder: &Path, rows: &str) {
    let new = folder.join("new.db");
    Connection::open(&new).unwrap().execute_batch(&format!("{TABLE} {rows}")).unwrap();
    std::fs::rename(new, folder.join("replica.db")).unwrap();
}

#[test]
fn the_replica_says_which_models_are_served_also_when_another_one_takes_its_place() {
    let store = store(&[("tiny", "tiny"), ("unnamed", "tiny"), ("later", "tiny-cls")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("replica.db");
    replica(folder.path(), "INSERT INTO models VALUES ('tiny', 'one', NULL, 8, 1), ('cls', 'two', 'later', 8, 1)");
    let server = Server::start(of(store.path()).arg("--metadata").arg(&file));
    let names = |said: &Value| -> Vec<String> {
        said["models"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };
    let said = until(&server, "/models", |_| true);
    assert_eq!(
        (names(&said), &said["models"][0]["version_name"]),
        (vec!["cls".to_owned(), "tiny".to_owned()], &json!("two"))
    );
    let database = until(&server, "/health", |said| said["checks"]["database"]["status"] == "ok");
    assert!(database["checks"]["database"]["detail"].as_str().unwrap().contains("names 2"));
    replica(
        folder.path(),
        "INSERT INTO models VALUES ('tiny', 'one', NULL, 8, 1), ('later', 'three', NULL, 8, 1), ('cls', NULL, 'later', 8, 0)",
    );
    until(&server, "/models", |said| names(said) == ["later", "tiny"]);
    assert_eq!(server.post("/api/v1/embed", &json!({"inputs": ["a"], "model": "cls"})).0, 404);
    std::fs::write(&file, vec![7_u8; 9000]).unwrap();
    let said = until(&server, "/health", |said| said["checks"]["database"]["status"] == "failed");
    assert_eq!((&said["status"], server.get("/ready").0), (&json!("degraded"), 200));
}

#[test]
fn servers_of_other_regions_are_asked() {
    let store = store(&[("tiny", "tiny")]);
    let mut there = Server::start(&mut of(store.path()));
    let peer = format!("far={}", there.url);
    let server = Server::start(of(store.path()).args(["--peer", &peer]));
    let check = |server: &Server, status: &str| {
        let said = until(server, "/health", |said| said["checks"]["cross_region_connectivity"]["status"] == status);
        said["checks"]["cross_region_connectivity"]["detail"].as_str().unwrap().to_owned()
    };
    assert!(check(&server, "ok").contains("far answers"));
    there.signal("TERM");
    there.wait();
    assert!(check(&server, "failed").contains("far cannot be reached"));
    assert_eq!(server.get("/ready").0, 200);
}
