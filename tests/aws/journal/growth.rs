//! Opening a journal costs the same after ten thousand entries as after ten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use akidb_edge::ledger::{Ledger, fold};
use akidb_edge::provider::aws::journal_store;

use super::ground::{Ground, HERE, STACK, mine, record, run_of};
use testkit::proxy::{CallSelector, ProxyAction, wait};

/// Entries are 20 a run.
const RUNS: u64 = 520;

/// A journal of more than ten thousand entries, written in runs as they come.
fn grown(ground: &Ground) {
    wait(async {
        for block in 0..RUNS / 20 {
            let store = Arc::new(journal_store(&ground.account.s3(), &ground.bucket, "edge", STACK, HERE));
            let ledger = Ledger::write(store, STACK, mine()).await.expect("open");
            for revision in block * 20 + 1..=block * 20 + 20 {
                record(&ledger, run_of(revision, 9)).await.expect("recorded");
            }
            ledger.close().await.expect("closed");
        }
    });
}

#[test]
fn ten_thousand_entries_open_with_at_most_five_requests() {
    let ground = Ground::new();
    grown(&ground);
    let store = || Arc::new(journal_store(&ground.client(), &ground.bucket, "edge", STACK, HERE));

    ground.proxy.take_calls();
    let ledger = wait(Ledger::read(store(), STACK)).expect("readable");
    let calls = ground.proxy.take_calls();
    assert!(calls.len() <= 2, "to read: {calls:?}");
    let state = ledger.recorded();
    assert_eq!((state.sequence, state.revision()), (RUNS * 20, RUNS));

    let status = ground.run(&format!("status --stack {STACK}")).exits(0);
    assert!(status.stdout.contains(&format!("revision {RUNS}")), "{}", status.stdout);
    let calls = ground.proxy.take_calls();
    assert!(calls.len() <= 5, "status: {calls:?}");

    let writer = wait(Ledger::write(store(), STACK, mine())).expect("open");
    let calls = ground.proxy.take_calls();
    assert!(calls.len() <= 5, "to write, the first time through this endpoint or not: {calls:?}");
    wait(writer.close()).expect("closed");

    // All entries are still there, each with its seal, and come to the same state.
    let entries = wait(ledger.entries()).expect("readable");
    assert_eq!(entries.len() as u64, RUNS * 20);
    assert_eq!(fold(STACK, &entries).expect("it folds"), state);
    let calls = ground.proxy.take_calls();
    assert!(calls.len() <= 25, "the whole history: {} calls", calls.len());
    let keys = wait(ground.keys());
    let needed = keys.iter().filter(|key| key.starts_with("archive/segment-")).count();
    assert!(needed <= 60, "{keys:#?}");

    // An earlier revision is what it was.
    let earlier = wait(ledger.recorded_at(7)).expect("readable");
    assert_eq!(earlier.resources[&super::ground::address(4)].id.as_deref(), Some("b4-of-7"));
    assert_eq!(earlier.revision(), 7);
    assert_eq!(ledger.usual_ms().into_values().next(), Some(44), "the median of the last runs");

    // Fifty milliseconds a call, as between continents.
    ground.proxy.on(|_| true, CallSelector::Each, ProxyAction::Delay(Duration::from_millis(50)));
    let begun = Instant::now();
    ground.run(&format!("status --stack {STACK}")).exits(0);
    eprintln!("status at 50 ms a call: {:?}", begun.elapsed());
}

#[test]
fn a_short_run_leaves_no_object_behind() {
    let ground = Ground::new();
    let mut before = None;
    for revision in 1..=5 {
        wait(async {
            let store = Arc::new(journal_store(&ground.account.s3(), &ground.bucket, "edge", STACK, HERE));
            let ledger = Ledger::write(store, STACK, mine()).await.expect("open");
            for fact in run_of(revision, 3) {
                ledger.record(fact).await.expect("recorded");
            }
            ledger.close().await.expect("closed");
        });
        let keys = wait(ground.keys());
        assert_eq!(*before.get_or_insert_with(|| keys.clone()), keys, "the same objects after each run");
    }
    assert_eq!(before.expect("runs").len(), 3, "the lease, the head, and the mark for older versions");
}

/// Opening a journal in a directory: figures for the documents, not a limit.
#[test]
#[ignore = "a measurement: cargo test --release --test aws journal -- --ignored --nocapture"]
fn a_file_of_many_entries_opens_quickly() {
    for runs in [500, 5_000] {
        let ground = tempfile::tempdir().expect("a directory");
        let store = || Arc::new(akidb_edge::ledger::FileStore::new(ground.path(), STACK, HERE));
        wait(async {
            let ledger = Ledger::write(store(), STACK, mine()).await.expect("open");
            for revision in 1..=runs {
                record(&ledger, run_of(revision, 9)).await.expect("recorded");
            }
            ledger.close().await.expect("closed");
        });
        let begun = Instant::now();
        let ledger = wait(Ledger::read(store(), STACK)).expect("readable");
        eprintln!("{} entries in a file: {:?}", ledger.recorded().sequence, begun.elapsed());
    }
}
