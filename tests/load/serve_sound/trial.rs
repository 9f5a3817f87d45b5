//! Graphs that have no end or need all memory: met in a process of its own, and stopped in the server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use akidb_edge::inference::engine::{Engine, EngineSettings};
use akidb_edge::inference::folder::{FolderFault, ModelFolder, ModelOptions};
use akidb_edge::inference::observer::NoObserver;
use akidb_edge::inference::onnx::{self, OnnxRuntime, SessionOptions, TrialLoad, TrialProcess, provider::Device};
use akidb_edge::inference::queue::QueueBounds;
use serde_json::json;

use crate::serve_sound::memory;
use testkit::serve::{Server, fixtures, onnxruntime, tiny};

/// Bytes of the weights of the tiny models.
const WEIGHTS: u64 = 20 << 10;

fn trial(program: &Path, time: Duration, fixture: &str) -> Result<(), FolderFault> {
    let load = TrialLoad::new(&fixtures().join(fixture), &ModelOptions::default(), &onnxruntime(), WEIGHTS);
    TrialProcess::of(program.to_owned(), time).load(&load)
}

fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_akidb-edge").into()
}

#[test]
fn a_trial_says_what_loading_says() {
    let _turn = crate::turn();
    let minute = Duration::from_secs(60);
    trial(&binary(), minute, "tiny").unwrap();
    let damaged = trial(&binary(), minute, "tiny-corrupt").unwrap_err();
    assert!(matches!(&damaged, FolderFault::Bad { file, .. } if file.ends_with("model.onnx")), "{damaged}");
    let gone = trial(&binary(), minute, "no-such-folder").unwrap_err();
    assert!(matches!(gone, FolderFault::Missing { .. }), "{gone}");
}

#[test]
fn a_trial_that_takes_too_long_or_ends_by_a_signal_is_an_error() {
    let _turn = crate::turn();
    let late = trial(&binary(), Duration::from_millis(1500), "tiny-endless").unwrap_err();
    assert!(late.to_string().contains("takes more than 1.5s"), "{late}");
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("crashes");
    std::fs::write(&program, "#!/bin/sh\nkill -SEGV $$\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let crashed = trial(&program, Duration::from_secs(60), "tiny").unwrap_err();
    assert!(crashed.to_string().contains("signal: 11"), "{crashed}");
}

#[test]
fn a_run_without_end_is_stopped() {
    let _turn = crate::turn();
    let runtime = OnnxRuntime::load(Some(&onnxruntime())).unwrap();
    let folder = ModelFolder::open(&fixtures().join("tiny-endless"), &ModelOptions::default()).unwrap();
    let run_time = Duration::from_millis(300);
    let start = SessionOptions { device: Device::Cpu, fallback: false, workers: 1, threads: 1, cache: None, run_time };
    let sessions = onnx::open(&runtime, &folder, &start).unwrap();
    let bounds = QueueBounds { wait: Duration::from_secs(1), tokens: 1000 };
    let settings = EngineSettings { bounds, batch_tokens: Some(512), candidates: &[64] };
    let began = Instant::now();
    let stopped = Engine::start("endless", folder, String::new(), sessions, &settings, Arc::new(NoObserver));
    let why = stopped.err().unwrap().to_string();
    assert!(why.contains("took more than 300ms and was stopped"), "{why}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_model_that_needs_all_memory_takes_none_of_the_server() {
    let _turn = crate::turn();
    let server = Server::start(&mut tiny());
    let (status, said) = server.post("/api/v1/embed", &json!({"inputs": ["hello"], "model": "tiny-greedy"}));
    assert_eq!((status, &said["code"]), (503, &json!("MODEL_FAILED")), "{said}");
    assert_eq!(server.post("/api/v1/embed", &json!({"inputs": ["hello"]})).0, 200, "{}", server.said());
    assert!(memory(&server, "VmHWM:") < 1 << 20, "its 4 GiB and more are those of another process");
}
