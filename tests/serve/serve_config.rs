//! Settings of `serve`: where they come from, and everything that is wrong with them at once.

use std::path::Path;
use std::process::Command;

use testkit::cli::{bare, finish};
use testkit::serve::{Server, fixtures, onnxruntime, tiny};

fn check(more: &[&str]) -> Command {
    let mut command = bare();
    command.args(["serve", "--check", "--model", "tiny", "--models"]).arg(fixtures());
    command.arg("--onnxruntime").arg(onnxruntime()).args(more);
    command
}

fn file(folder: &Path, text: &str) -> String {
    let file = folder.join("serve.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_check_shows_each_value_and_who_said_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), "max-texts = 7\nrate-limit = 3\nidle-timeout = \"5s\"\n");
    let mut command = check(&["--json", "--config", &file, "--rate-limit", "9"]);
    let said = finish(command.env("AKIDB_MAX_TEXTS", "8").env("AKIDB_HOST", "127.0.0.2")).exits(0).json();
    assert_eq!(said["schema"], "akidb-edge/serve-check/v1");
    let of = |name: &str| {
        (said["settings"][name]["value"].as_str().unwrap(), said["settings"][name]["from"].as_str().unwrap())
    };
    assert_eq!(of("rate-limit"), ("9", "flag --rate-limit"));
    assert_eq!(of("max-texts"), ("8", "environment AKIDB_MAX_TEXTS"));
    assert_eq!(of("host"), ("127.0.0.2", "environment AKIDB_HOST"));
    assert_eq!(of("idle-timeout"), ("5s", format!("file {file}").as_str()));
    assert_eq!(of("max-body"), ("8MiB", "default"));
    let text = finish(&mut check(&[])).exits(0);
    assert!(text.stdout.contains("max-body") && text.stderr.is_empty(), "{}", text.all());
}

#[test]
fn every_problem_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), "max-txts = 7\nrate-limit = \"often\"\n");
    let output =
        finish(check(&["--config", &file, "--max-body", "0"]).env("AKIDB_EMBEDDING_PROVIDER", "candle")).exits(3);
    for words in [
        "4 things to correct",
        "did you mean max-texts?",
        "\"often\" is not a whole number",
        "is not a size",
        "the only one is onnx",
    ] {
        assert!(output.stderr.contains(words), "{words}\n{}", output.stderr);
    }
    let json = finish(check(&["--json", "--max-body", "0"]).env("AKIDB_DEVICE", "x")).exits(3).json();
    assert_eq!(json["problems"].as_array().unwrap().len(), 1, "{json}");
    // Serving refuses the same, before anything is opened.
    finish(tiny().args(["--max-body", "0"])).exits(3);
}

#[test]
fn what_settings_name_is_looked_at() {
    let mut command = bare();
    command.args(["serve", "--check", "--models", "/nonexistent", "--onnxruntime", "/nonexistent/libonnxruntime.so"]);
    command.args([
        "--api-keys",
        "/nonexistent/keys",
        "--tls-cert",
        "/nonexistent/c.pem",
        "--tls-key",
        "/nonexistent/k.pem",
    ]);
    let output = finish(&mut command).exits(3);
    for words in [
        "tried /nonexistent/libonnxruntime.so",
        "pip install onnxruntime",
        "akidb-edge models pull all-MiniLM-L6-v2",
        "/nonexistent/keys: No such file",
        "/nonexistent/c.pem: no certificate",
    ] {
        assert!(output.stderr.contains(words), "{words}\n{}", output.stderr);
    }
    let wrong = finish(check(&[]).env("AKIDB_MODEL_DIMENSION", "4096")).exits(3);
    assert!(wrong.stderr.contains("not 4096"), "{}", wrong.stderr);
}

#[test]
fn one_model_is_named_by_its_path() {
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--onnxruntime"]).arg(onnxruntime());
    command.env("AKIDB_MODEL_PATH", fixtures().join("tiny")).env("AKIDB_MODEL_NAME", "Qwen/Qwen2.5-4B");
    let server = Server::start(command.env("AKIDB_TOKENIZER_PATH", fixtures().join("tiny/tokenizer.json")));
    let (status, answer) = server.post("/api/v1/embed", &serde_json::json!({"inputs": "a"}));
    assert_eq!((status, answer["model"].as_str()), (200, Some("Qwen/Qwen2.5-4B")), "{answer}");
}

#[test]
fn a_public_address_without_keys_is_refused() {
    let refused = finish(check(&[]).env("AKIDB_HOST", "0.0.0.0")).exits(3);
    for words in ["0.0.0.0:8080 can be reached from other machines", "--api-keys", "--allow-public-without-keys"] {
        assert!(refused.stderr.contains(words), "{words}\n{}", refused.stderr);
    }
    finish(&mut check(&["--http", "0.0.0.0:0", "--allow-public-without-keys"])).exits(0);
}

#[test]
fn passwords_in_addresses_are_not_shown() {
    let output = finish(&mut check(&["--cors-origin", "https://user:hunter2@a.example"]));
    assert!(!output.all().contains("hunter2") && output.stdout.contains("https://***@a.example"), "{}", output.all());
    let refused = finish(&mut check(&["--offline-cdn", "https://user:hunter2@cdn.example?x"])).exits(3);
    assert!(!refused.all().contains("hunter2"), "{}", refused.all());
    assert!(refused.stderr.contains("\"https://***@cdn.example?x\" is not an address"), "{}", refused.stderr);
}
