//! No wrong vector and no dead process: damaged weights, texts without tokens, bursts of large texts, and what is kept.

mod trial;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::cli;
use testkit::serve::{Server, copy, fixtures, onnxruntime, pause, tiny};

/// A store whose model `tiny` is a copy of a fixture.
fn store(fixture: &str) -> tempfile::TempDir {
    let store = tempfile::tempdir().unwrap();
    copy(&fixtures().join(fixture), &store.path().join("tiny"));
    store
}

/// A command `serve` for such a store.
fn of(store: &Path) -> std::process::Command {
    let mut command = cli::bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(store);
    command.arg("--onnxruntime").arg(onnxruntime());
    command
}

/// Puts these numbers into the row of a word: its embedding is as large as the model's vectors, eight numbers.
fn damage(model: &Path, word: &str, number: f32) {
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(model.join("tokenizer.json")).unwrap()).unwrap();
    let id = tokenizer["model"]["vocab"][word].as_u64().unwrap() as usize;
    let mut graph = std::fs::read(model.join("model.onnx")).unwrap();
    // The name of the tensor, field 9 with its length in two bytes, the numbers.
    let head = b"words.weight\x4a";
    let place = graph.windows(head.len()).position(|window| window == head).unwrap() + head.len() + 2 + id * 32;
    for at in 0..8 {
        graph[place + at * 4..place + at * 4 + 4].copy_from_slice(&number.to_le_bytes());
    }
    std::fs::write(model.join("model.onnx"), graph).unwrap();
}

#[track_caller]
fn until(what: &str, time: Duration, so: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while !so() {
        assert!(Instant::now() < end, "{what}");
        pause();
    }
}

fn ask(server: &Server, texts: &[&str]) -> (u16, Value) {
    server.post("/api/v1/embed", &json!({"inputs": texts}))
}

#[test]
fn a_word_without_numbers_fails_its_own_requests() {
    let _turn = crate::turn();
    for number in [f32::NAN, f32::INFINITY] {
        let store = store("tiny");
        damage(&store.path().join("tiny"), "garden", number);
        let server = Server::start(of(store.path()).args(["--health-interval", "500ms"]));
        let (status, answer) = ask(&server, &["hello world", "a garden"]);
        assert_eq!((status, answer["code"].as_str()), (500, Some("NOT_FINITE")), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("text 1"), "{answer}");
        let (status, answer) = ask(&server, &["hello world", "a city"]);
        assert_eq!(status, 200, "{answer}");
        assert!(!answer["embeddings"].to_string().contains("null"), "{answer}");
        let openai = server.post("/v1/embeddings", &json!({"input": "garden", "encoding_format": "base64"}));
        assert_eq!(openai.0, 500, "{}", openai.1);
        // Not kept either, and again and again: not ready until a probe has passed.
        for _ in 0..3 {
            assert_eq!(ask(&server, &["garden"]).0, 500);
        }
        until("it is ready though nothing works", Duration::from_secs(20), || {
            server.get("/ready").0 == 503 || {
                ask(&server, &["garden"]);
                false
            }
        });
        until("a probe makes it ready again", Duration::from_secs(20), || server.get("/ready").0 == 200);
        let metrics = server.get("/metrics").1;
        let line = metrics.lines().find(|line| line.starts_with("akidb_non_finite_vectors_total{model=\"tiny\"}"));
        assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{line:?}");
    }
}

#[test]
fn a_text_of_no_tokens_is_named_whatever_the_pooling() {
    let _turn = crate::turn();
    for fixture in ["tiny", "tiny-cls", "tiny-last-token"] {
        let store = store(fixture);
        let file = store.path().join("tiny/tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        tokenizer["post_processor"] = Value::Null;
        std::fs::write(&file, tokenizer.to_string()).unwrap();
        let server = Server::start(&mut of(store.path()));
        for empty in ["", " ", "\u{200b}"] {
            let (status, answer) = ask(&server, &["hello", empty]);
            if status == 200 {
                // Some signs are tokens of their own.
                assert!(!answer["embeddings"].to_string().contains("null"), "{answer}");
                continue;
            }
            assert_eq!((status, answer["code"].as_str()), (400, Some("INVALID_REQUEST")), "{fixture} {answer}");
            assert!(answer["error"].as_str().unwrap().contains("text 1"), "{answer}");
        }
        assert_eq!(ask(&server, &[""]).0, 400);
        assert_eq!(ask(&server, &["hello"]).0, 200, "it lives\n{}", server.said());
    }
}

/// Resident kilobytes, now or at most so far.
fn memory(server: &Server, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_burst_of_large_texts_is_bounded_and_its_memory_comes_back() {
    let _turn = crate::turn();
    let server = Server::start(tiny().args(["--max-in-flight-bytes", "40MiB"]));
    // What is made once: threads, tables.
    assert_eq!(ask(&server, &["hello world ".repeat(10_000).as_str(); 4]).0, 200);
    let before = memory(&server, "VmRSS:");
    let texts: Vec<String> = (0..7).map(|number| format!("{number} {}", "a garden city ".repeat(74_000))).collect();
    let body = json!({"inputs": texts}).to_string();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let kind = [("content-type", "application/json")];
                    server.request("POST", "/api/v1/embed", &kind, body.as_bytes())
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(200) + count(429), 16, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(count(200) > 0);
    for refused in answers.iter().filter(|answer| answer.status == 429) {
        assert!(refused.header("retry-after").is_some(), "{}", refused.text());
    }
    let most = memory(&server, "VmHWM:");
    // A server with the tiny model is small: what the allocator and the threads of such a burst keep for the next one is more than a
    // fifth of it. bench/serve/overload looks at the real model.
    let back = before + before / 5 + 24 * 1024;
    until("memory comes back", Duration::from_secs(60), || memory(&server, "VmRSS:") <= back);
    println!(
        "{} served, {} refused; {before} kB, at most {most}, then {}",
        count(200),
        count(429),
        memory(&server, "VmRSS:")
    );
    assert!(most < before + (240 << 10), "{before} -> {most} kB");
}

#[test]
fn vectors_are_kept_and_counted() {
    let _turn = crate::turn();
    let value = |metrics: &str, name: &str| -> u64 {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    let server = Server::start(&mut tiny());
    let first = ask(&server, &["hello world", "a city"]).1;
    let again = ask(&server, &["a city", "hello world"]).1;
    assert_eq!(first["usage"]["total_tokens"], again["usage"]["total_tokens"]);
    assert_eq!(first["embeddings"][0], again["embeddings"][1]);
    let raw = server.post("/api/v1/embed", &json!({"inputs": ["a city"], "normalize": false, "dimensions": 3})).1;
    assert_eq!(raw["embeddings"][0].as_array().unwrap().len(), 3);
    let metrics = server.get("/metrics").1;
    assert_eq!(
        (value(&metrics, "akidb_vector_cache_hits_total"), value(&metrics, "akidb_vector_cache_misses_total")),
        (3, 2)
    );
    assert!(value(&metrics, "akidb_vector_cache_bytes") > 64);
    let server = Server::start(tiny().args(["--vector-cache", "0"]));
    assert_eq!(ask(&server, &["hello world"]).1["embeddings"][0], first["embeddings"][0]);
    assert!(!server.get("/metrics").1.contains("akidb_vector_cache"));
}

#[test]
fn weights_that_are_cut_off_or_written_to_change_nothing_for_a_loaded_model() {
    let _turn = crate::turn();
    for (fixture, data) in [("arch-external-data", "model.onnx_data"), ("arch-external-torch", "onnx/model.onnx.data")]
    {
        let store = store(fixture);
        let data = store.path().join("tiny").join(data);
        let server = Server::start(of(store.path()).args(["--vector-cache", "0"]));
        let ask = |text: &str| {
            let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": text}));
            assert_eq!(status, 200, "{fixture}: {answer}");
            answer["embeddings"].clone()
        };
        let before = ask("hello world");
        let length = std::fs::metadata(&data).unwrap().len() as usize;
        std::fs::write(&data, vec![7; length]).unwrap();
        assert_eq!(ask("hello world"), before, "{fixture}: written to in place");
        std::fs::OpenOptions::new().write(true).open(&data).unwrap().set_len(0).unwrap();
        for number in 0..50 {
            ask(&format!("the cache of an edge server {number}"));
        }
        assert_eq!(ask("hello world"), before, "{fixture}: cut off");
    }
}

#[test]
fn files_that_are_not_plain_are_refused_and_hold_nobody() {
    let _turn = crate::turn();
    for file in ["config.json", "modules.json", "model.onnx", "tokenizer.json"] {
        let store = store("tiny");
        let path = store.path().join("tiny").join(file);
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let server = Server::start_cold(&mut of(store.path()));
        let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": "hello"}));
        assert!((500..600).contains(&status), "{file}: {status} {answer}");
        assert_eq!(server.get("/health").0, 200, "{file}");
    }
}
