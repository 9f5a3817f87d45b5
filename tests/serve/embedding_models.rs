//! Models of every architecture and layout, as sentence-transformers and the exporters of ONNX graphs write them, through HTTP:
//! the vectors are those that sentence-transformers gives (`tests/fixtures/embedding/arch-*`, made by `exporter/architectures.py`).

use std::path::{Path, PathBuf};

use akidb_edge::inference::folder::{Arithmetic, Variant};
use serde_json::{Value, json};
use testkit::serve::{self, Server, fixtures};

/// Folders of models.
fn folders() -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("arch-"));
    all.sort();
    all
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

fn read(file: &Path) -> Option<Value> {
    std::fs::read(file).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// Whether the last module makes vectors one unit long: a request says so by itself here.
fn normalizes(folder: &Path) -> bool {
    let modules = read(&folder.join("modules.json")).unwrap_or_default();
    let last = modules.as_array().and_then(|modules| modules.last()).cloned().unwrap_or_default();
    last["type"].as_str().unwrap_or_default().ends_with("Normalize")
}

fn server(more: &[&str]) -> Server {
    let mut command = serve::tiny();
    // Without a cache, so that a vector that is asked for again is made again.
    command.args(["--max-loaded-models", "100", "--pooling", "mean", "--vector-cache", "0"]).args(more);
    Server::start(&mut command)
}

fn vectors(answer: &Value) -> Vec<Vec<f32>> {
    serde_json::from_value(answer["embeddings"].clone()).unwrap()
}

fn farthest(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return f32::INFINITY;
    }
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What a case of `expected.json` asks for, as a request; nothing for what requests cannot say.
fn request(folder: &Path, options: &Value) -> Option<Value> {
    let mut body = json!({"model": name(folder), "normalize": normalizes(folder)});
    for (key, value) in options.as_object()? {
        match key.as_str() {
            "prompt_name" => body["prompt_name"] = value.clone(),
            "truncate_dim" => body["dimensions"] = value.clone(),
            "normalize_embeddings" => body["normalize"] = value.clone(),
            "prompt" => return None,
            other => panic!("an option {other} in {}", folder.display()),
        }
    }
    Some(body)
}

/// Whether the reference cuts vectors that are one unit long already, and leaves them shorter: here they are one unit long again.
fn shorter(folder: &Path, vector: &[f32]) -> bool {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    normalizes(folder) && (length - 1.0).abs() > 1e-3
}

fn compare(folder: &Path, texts: &Value, answer: &Value, wrong: &mut Vec<String>) {
    for (given, vector) in texts.as_array().unwrap().iter().zip(vectors(answer)) {
        let mut wanted: Vec<f32> = serde_json::from_value(given["vector"].clone()).unwrap();
        if shorter(folder, &wanted) {
            let length = wanted.iter().map(|value| value * value).sum::<f32>().sqrt();
            wanted.iter_mut().for_each(|value| *value /= length);
        }
        let far = farthest(&vector, &wanted);
        // 16-bit weights were rounded by another program.
        let bound = if name(folder).contains("fp16") { 3e-3 } else { 3e-5 };
        if far.is_nan() || far > bound {
            wrong.push(format!("{}: {:?} is {far} away", name(folder), given["text"]));
        }
    }
}

/// Whether this processor's 8-bit sums saturate where those of the machine that made the fixtures do not: then the version says so,
/// and a text's vector beside others is compared with its vector alone.
fn saturates(folder: &Path) -> bool {
    name(folder) == "arch-qint8" && Arithmetic::of_processor(Variant::Int8) != Arithmetic::Exact
}

/// Each text's vector when nothing else is asked for.
fn alone(server: &Server, body: &Value, texts: &[&Value]) -> Value {
    let one = |text: &&Value| {
        let mut body = body.clone();
        body["inputs"] = json!([text]);
        let (status, answer) = server.post("/api/v1/embed", &body);
        assert_eq!(status, 200, "{answer}");
        json!({"text": text, "vector": answer["embeddings"][0]})
    };
    texts.iter().map(one).collect()
}

#[test]
fn vectors_are_those_of_sentence_transformers() {
    let server = server(&[]);
    let (mut wrong, mut models, mut compared) = (Vec::new(), 0, 0);
    for folder in folders() {
        let Some(expected) = read(&folder.join("expected.json")) else { continue };
        if name(&folder) == "arch-static" {
            continue;
        }
        models += 1;
        let none = json!({"options": {}, "texts": expected["texts"]});
        let cases = std::iter::once(&none).chain(expected["variants"].as_array().into_iter().flatten());
        for case in cases {
            let Some(body) = request(&folder, &case["options"]) else { continue };
            let texts: Vec<&Value> = case["texts"].as_array().unwrap().iter().map(|text| &text["text"]).collect();
            let mut body = body.clone();
            body["inputs"] = json!(texts);
            let (status, answer) = server.post("/api/v1/embed", &body);
            if status != 200 {
                wrong.push(format!("{}: {status} {answer}", name(&folder)));
                continue;
            }
            let expected = if saturates(&folder) { alone(&server, &body, &texts) } else { case["texts"].clone() };
            compare(&folder, &expected, &answer, &mut wrong);
            compared += texts.len();
        }
    }
    assert!(models >= 35 && compared > 500, "{models} models, {compared} vectors");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let server = server(&[]);
    for (folder, names) in [
        ("arch-bow", "BoW"),
        ("arch-cnn", "CNN"),
        ("arch-lstm", "LSTM"),
        ("arch-layers", "WeightedLayerPooling"),
        ("arch-router", "Router"),
        ("arch-routes", "Router"),
        ("arch-static", "StaticEmbedding"),
        ("arch-word-embeddings", "WordEmbeddings"),
        ("arch-dense-pickle", "model.safetensors"),
    ] {
        let (status, answer) = server.post("/api/v1/embed", &json!({"model": folder, "inputs": "hello"}));
        assert_eq!((status, answer["code"].as_str()), (503, Some("MODEL_FAILED")), "{folder}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(names), "{folder}: {answer}");
    }
}

#[test]
fn the_same_options_give_the_same_vectors_through_every_interface() {
    let server = server(&[]);
    let ask = |path: &str, body: &Value| {
        let (status, answer) = server.post(path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    };
    let own = json!({"model": "arch-prompts", "inputs": "hello world", "prompt_name": "query", "dimensions": 4});
    let openai = json!({"model": "arch-prompts", "input": "hello world", "prompt_name": "query", "dimensions": 4});
    let own = vectors(&ask("/api/v1/embed", &own)).remove(0);
    let openai: Vec<f32> =
        serde_json::from_value(ask("/v1/embeddings", &openai)["data"][0]["embedding"].clone()).unwrap();
    assert_eq!(own, openai);
    let other = json!({"model": "arch-prompts", "inputs": "hello world", "dimensions": 4});
    assert_ne!(vectors(&ask("/api/v1/embed", &other))[0], own, "the default prompt is another");
    let (status, answer) =
        server.post("/api/v1/embed", &json!({"model": "arch-prompts", "inputs": "a", "prompt_name": "none"}));
    assert_eq!(status, 400, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("query"), "{answer}");
}

#[test]
fn a_pooling_that_no_file_says_has_to_be_said() {
    let mut command = serve::tiny();
    let server = Server::start(command.args(["--max-loaded-models", "3"]));
    let (status, answer) = server.post("/api/v1/embed", &json!({"model": "arch-bare", "inputs": "hello"}));
    assert_eq!(status, 503, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("--pooling"), "{answer}");
    let folder = fixtures().join("arch-qint8");
    let mut command = serve::bare();
    command.arg("--model-path").arg(folder).args(["--graph", "onnx/model_qint8_avx512_vnni.onnx"]);
    let server = Server::start(&mut command);
    let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": "hello"}));
    assert_eq!((status, &answer["model"]), (200, &json!("arch-qint8")), "{answer}");
}
