//! The embedding server under load or damage, and the real model. One test runs at a time: they measure time or memory, or use
//! every core. Needs ONNX Runtime and the model (`exporter/build`), and the local AWS for buckets of models.
#![cfg(feature = "serve")]

mod embedding_golden;
mod fuzz;
mod serve_fuzz;
mod serve_gpu;
mod serve_load;
mod serve_malformed;
mod serve_sound;
mod serve_sync;

use std::path::Path;

use testkit::turns::{Turn, Turns, missing_in};

static TURNS: Turns = Turns::of(1);

/// Waits for the turn of a test.
fn turn() -> Turn {
    TURNS.take()
}

#[test]
fn each_test_takes_its_turn() {
    let missing = missing_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/load"));
    assert_eq!(missing, Vec::<String>::new(), "a test begins with: let _turn = crate::turn();");
}
