//! What only an NVIDIA GPU can show. Without one these tests are skipped by name; `make test` runs them, and the tests of the
//! vectors again on the GPU, where `nvidia-smi` answers and `ORT_DYLIB_PATH` names ONNX Runtime's GPU library.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::load::quantile;
use testkit::serve::{self, Server};

fn on(device: &str, more: &[&str]) -> Server {
    Server::start(serve::real().args(["--device", device, "--variant", "fp32"]).args(more))
}

fn runs_on(server: &Server) -> String {
    let (_, health) = server.get("/health");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_ne!(health["checks"]["gpu"]["status"], "failed", "{health}");
    health["runs"]["execution_provider"].as_str().unwrap().to_owned()
}

fn vectors(server: &Server) -> Vec<Vec<f64>> {
    let texts = ["a short text".to_owned(), String::new(), "words and more words make a longer text ".repeat(20)];
    let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": texts}));
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer["embeddings"].clone()).unwrap()
}

/// All vectors are one unit long.
#[track_caller]
fn alike(one: &[Vec<f64>], other: &[Vec<f64>], least: f64) {
    for (one, other) in one.iter().zip(other) {
        let cosine: f64 = one.iter().zip(other).map(|(a, b)| a * b).sum();
        assert!(cosine >= least, "{cosine}");
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU and ONNX Runtime's GPU library"]
fn cuda_runs_what_the_processor_runs() {
    let _turn = crate::turn();
    let (cuda, cpu) = (on("cuda", &[]), on("cpu", &[]));
    assert!(runs_on(&cuda).starts_with("cuda ("), "{}", runs_on(&cuda));
    alike(&vectors(&cuda), &vectors(&cpu), 0.9999);
    let (_, metrics) = cuda.get("/metrics");
    assert!(metrics.contains("akidb_gpu_memory_used_bytes"), "{metrics}");
}

#[test]
#[ignore = "needs an NVIDIA GPU, ONNX Runtime's GPU library and TensorRT"]
fn tensorrt_builds_before_it_is_ready_and_starts_from_its_engines_again() {
    let _turn = crate::turn();
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().to_str().unwrap();
    let mut took = Vec::new();
    for _ in 0..2 {
        let begin = Instant::now();
        let server = on("tensorrt", &["--engine-cache", folder]);
        took.push(begin.elapsed());
        assert!(runs_on(&server).starts_with("tensorrt ("), "{}", runs_on(&server));
        let begin = Instant::now();
        alike(&vectors(&server), &vectors(&on("cpu", &[])), 0.999);
        assert!(begin.elapsed() < Duration::from_secs(20), "a request waited for an engine");
    }
    println!("TensorRT: ready after {:.1} s, again after {:.1} s", took[0].as_secs_f64(), took[1].as_secs_f64());
    assert!(took[1] < took[0]);
}

#[test]
#[ignore = "needs an NVIDIA GPU and ONNX Runtime's GPU library"]
fn texts_a_second_by_the_size_of_a_request() {
    let _turn = crate::turn();
    let server = on("cuda", &["--max-texts", "256"]);
    let text = "the water was cold and the people made a long way down ".repeat(10);
    for rows in [1, 4, 16, 64, 256] {
        let body = json!({"inputs": vec![text.as_str(); rows], "encoding": "base64"});
        let before = spent(&server);
        let (begin, mut times) = (Instant::now(), Vec::new());
        while begin.elapsed() < Duration::from_secs(3) {
            let one = Instant::now();
            assert_eq!(server.post("/api/v1/embed", &body).0, 200);
            times.push(one.elapsed().as_secs_f64() * 1e3);
        }
        let (all, model) = (begin.elapsed().as_secs_f64(), spent(&server) - before);
        println!(
            "{}: batch {rows}: {:.0} texts/s, p95 {:.2} ms, outside of the model {:.0} %",
            runs_on(&server),
            (rows * times.len()) as f64 / all,
            quantile(&times, 0.95),
            (1.0 - model / all) * 100.0
        );
    }
}

/// Seconds in the model so far.
fn spent(server: &Server) -> f64 {
    let (_, metrics) = server.get("/metrics");
    let line = metrics.lines().find(|line| line.starts_with("akidb_inference_seconds_sum")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
