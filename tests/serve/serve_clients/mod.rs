//! What the clients of other servers send: text-embeddings-inference's, OpenAI's, and those that compress, retry, or look at an
//! answer only once they have sent everything.

mod addresses;
mod compression;
mod keys;
mod models;
mod refusals;
mod texts;
mod token_vectors;

use std::process::Command;

use serde_json::{Value, json};
use testkit::serve::{HttpAnswer, Server, fixtures};

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

fn raw(server: &Server, path: &str, body: &[u8]) -> HttpAnswer {
    server.request("POST", path, &[JSON], body)
}

/// The vectors of the tokens of each text.
fn of_tokens(server: &Server, body: &Value) -> Vec<Vec<Vec<f32>>> {
    let (status, answer) = server.post("/embed_all", body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer).unwrap()
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
