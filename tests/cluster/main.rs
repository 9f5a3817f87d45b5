//! Devices with a real Kubernetes API: needs root and the control plane (`tests/lab/kubernetes/build`, which needs Go once);
//! skipped with a message otherwise. Three tests run at a time: each starts a control plane and up to five devices.

mod adopted;
mod api;
mod eks;
mod jetson_cluster;
mod jetson_verbs;
#[cfg(feature = "serve")]
mod metadata;
mod one_graph;
mod rbac;
mod recreated;
mod tunnel;

use std::path::Path;

use testkit::turns::{Turn, Turns, missing_in};

static TURNS: Turns = Turns::of(3);

/// Waits for the turn of a test.
fn turn() -> Turn {
    TURNS.take()
}

#[test]
fn each_test_takes_its_turn() {
    let missing = missing_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster"));
    assert_eq!(missing, Vec::<String>::new(), "a test begins with: let _turn = crate::turn();");
}
