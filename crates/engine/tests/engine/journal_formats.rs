//! A journal of devices that a version of format 4 wrote: its objects name the machine of their cluster's server. Read by this
//! version, they name their cluster.

use std::fs;
use std::sync::Arc;

use akidb_edge_engine::ledger::{FORMAT, Fact, FileStore, Lease, Ledger, Store};
use akidb_edge_engine::resource::manifest::{ManifestSpec, Readiness};
use akidb_edge_engine::resource::{Address, Kind, RunStatus, StackState};
use serde::Deserialize;
use serde_json::Value;

const FIXTURE: &str = "../../tests/fixtures/state/v4/devices.jsonl";
/// The same run, as a version of format 5 writes it.
const FIXTURE_5: &str = "../../tests/fixtures/state/v5/devices.jsonl";

/// A directory with the journal of the fixture.
fn ground() -> (tempfile::TempDir, Arc<dyn Store>) {
    ground_of(FIXTURE)
}

fn ground_of(fixture: &str) -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().expect("a directory");
    let stack = folder.path().join("stack");
    fs::create_dir_all(&stack).expect("a directory");
    fs::copy(fixture, stack.join("journal.jsonl")).expect("the fixture");
    let store = Arc::new(FileStore::new(folder.path(), "stack", "here"));
    (folder, store)
}

/// The settings of every object of a cluster that a state holds, wherever it holds them.
fn objects(state: &StackState) -> Vec<Value> {
    let records = state.resources.values().filter(|record| record.kind == Kind::Manifest);
    let of_records = records.flat_map(|record| record.pending.iter().chain([&record.spec]));
    let pending_deletions = state.pending_deletions.iter().filter(|left| left.kind == Kind::Manifest);
    of_records.chain(pending_deletions.map(|left| &left.spec)).cloned().collect()
}

#[tokio::test]
async fn objects_of_format_4_name_their_cluster_and_machines_stay() {
    let (_folder, store) = ground();
    let state = Ledger::read(store, "stack").await.expect("readable").recorded();
    let all = objects(&state);
    // The deployment as it is and as an unanswered update wanted it, the job that was begun, the namespace that was set aside.
    assert_eq!(all.len(), 4, "{all:#?}");
    for spec in &all {
        assert!(spec.get("host").is_none(), "{spec}");
        let read = ManifestSpec::deserialize(spec).unwrap_or_else(|bad| panic!("{spec}: {bad}"));
        assert_eq!(read.cluster, "one");
    }
    let at = |text: &str| &state.resources[&text.parse::<Address>().expect("an address")];
    let deployment: ManifestSpec =
        Deserialize::deserialize(&at("jetson.manifest.deployment-akidb-rest").spec).expect("a manifest");
    assert_eq!(deployment.ready, Readiness::RolledOut);
    let environment = deployment.object.pointer("/spec/template/spec/containers/0/env/0/name");
    assert_eq!(environment.and_then(Value::as_str), Some("host"), "what is in an object stays");
    assert_eq!(at("jetson.node.one").spec["host"], "one", "a node is on a machine");
}

#[tokio::test]
async fn a_journal_of_format_5_says_the_same() {
    let (_former, of_4) = ground();
    let (_folder, of_5) = ground_of(FIXTURE_5);
    let former = Ledger::read(of_4, "stack").await.expect("readable").recorded();
    let state = Ledger::read(of_5, "stack").await.expect("readable").recorded();
    assert_eq!(objects(&state).len(), 4);
    assert_eq!((objects(&state), &state.resources), (objects(&former), &former.resources));
}

#[tokio::test]
async fn the_journal_goes_on_in_this_format_and_the_former_one_is_kept() {
    let (folder, store) = ground();
    let lease = Lease::new("me", "here", "jetson deploy");
    let ledger = Ledger::write(Arc::clone(&store), "stack", lease).await.expect("open");
    assert_eq!(ledger.older().map(|(format, _)| format), Some(4));
    let before = ledger.recorded();
    ledger.record(Fact::RunEnded { ending: RunStatus::Partial, changes: 3 }).await.expect("recorded");
    ledger.close().await.expect("closed");
    let kept = fs::read_to_string(folder.path().join("stack/journal.v4.bak")).expect("the former journal");
    let former = fs::read_to_string(FIXTURE).expect("the fixture");
    assert_eq!(kept, former);
    let text = fs::read_to_string(folder.path().join("stack/journal.jsonl")).expect("the journal");
    let added = text.strip_prefix(&former).expect("entries are only ever added");
    assert!(added.starts_with(&format!("{{\"v\":{FORMAT},")), "{added}");
    let after = Ledger::read(store, "stack").await.expect("readable").recorded();
    assert_eq!(after.resources, before.resources);
    assert_eq!(objects(&after), objects(&before));
}
