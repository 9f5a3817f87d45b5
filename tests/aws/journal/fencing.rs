//! Whoever lost the lease writes no more, wherever it was when it lost it.

use std::sync::Arc;
use std::time::Duration;

use akidb_edge::ledger::{FileStore, Ledger, LedgerError, Store};

use super::ground::{Ground, HERE, STACK, began, expired, mine, record, run_of};
use testkit::proxy::{CallSelector, ProxyAction, ProxyCall, runtime, wait};

const SOON: Duration = Duration::from_secs(30);

fn lost(answer: Result<(), LedgerError>) {
    match answer {
        Err(LedgerError::LeaseLost(_)) => {}
        other => panic!("{other:?}"),
    }
}

/// The holder is alive when the lease is taken away: it is the one that is refused, not whoever comes next.
async fn unlocked_while_alive(store: impl Fn() -> Arc<dyn Store>) {
    let old = Ledger::write(store(), STACK, mine()).await.expect("open");
    record(&old, run_of(1, 2)).await.expect("recorded");
    store().break_lease().await.expect("taken away");
    // Before anybody else comes.
    lost(old.record(began(2)).await);
    let new = Ledger::write(store(), STACK, mine()).await.expect("free");
    record(&new, run_of(2, 2)).await.expect("recorded");
    old.close().await.expect("closed");
    record(&new, run_of(3, 2)).await.expect("the new run goes on");
    new.close().await.expect("closed");
    let whole = Ledger::read(store(), STACK).await.expect("readable");
    assert_eq!(whole.recorded().revision(), 3);
    assert_eq!(whole.entries().await.expect("readable").len(), 3 * 6);
}

#[test]
fn a_living_holder_in_a_bucket_is_closed_out_by_unlock() {
    let ground = Ground::new();
    wait(unlocked_while_alive(|| ground.direct()));
}

#[test]
fn a_living_holder_in_a_directory_is_closed_out_by_unlock() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(unlocked_while_alive(|| Arc::new(FileStore::new(directory.path(), STACK, HERE))));
}

#[test]
fn a_holder_that_has_written_nothing_yet_is_closed_out() {
    let ground = Ground::new();
    let old = wait(ground.write()).expect("open");
    wait(ground.direct().break_lease()).expect("taken away");
    lost(wait(old.record(began(1))));
    wait(super::ground::runs(&ground, 1));
}

/// A write that is on its way when the lease is lost arrives after the next holder has written.
#[test]
fn a_write_that_arrives_late_is_refused() {
    for first_write in [true, false] {
        let ground = Ground::new();
        if !first_write {
            wait(super::ground::runs(&ground, 1));
        }
        let heads = |call: &ProxyCall| call.method == "PUT" && call.path.contains("head.jsonl");
        ground.proxy.on(heads, CallSelector::Nth(1), ProxyAction::Pause);
        let store = ground.shared();
        let old = runtime().spawn(async move {
            let ledger = Ledger::write(store, STACK, mine()).await.expect("open");
            let revision = ledger.recorded().revision() + 1;
            let answer = ledger.record(began(revision)).await;
            ledger.close().await.expect("closed");
            answer
        });
        assert!(ground.proxy.paused_within(SOON), "its write is on its way");
        wait(ground.direct().break_lease()).expect("taken away");
        let new = wait(Ledger::write(ground.direct(), STACK, mine())).expect("free");
        wait(record(&new, run_of(new.recorded().revision() + 1, 1))).expect("recorded");
        ground.proxy.reset();
        lost(wait(old).expect("no panic"));
        wait(record(&new, run_of(new.recorded().revision() + 1, 1))).expect("the new run goes on");
        wait(new.close()).expect("closed");
    }
}

/// The lease ran out while its holder was stopped. The holder's write comes before the next one has opened the journal:
/// then it is part of the journal; or after that: then it is refused.
#[test]
fn a_lease_that_ran_out_closes_its_holder_out() {
    let ground = Ground::new();
    let store = ground.direct();
    wait(store.acquire(&expired())).expect("put there");
    wait(store.load()).expect("readable");
    let new = wait(Ledger::write(ground.direct(), STACK, mine())).expect("taken over");
    let entry = akidb_edge::ledger::Entry {
        v: akidb_edge::ledger::FORMAT,
        seq: 1,
        run: uuid::Uuid::now_v7(),
        at: jiff::Timestamp::now(),
        fact: began(1),
    };
    lost(wait(store.append(&[entry], &expired())));
    wait(record(&new, run_of(1, 1))).expect("recorded");
    wait(new.close()).expect("closed");
}

#[test]
fn a_lost_answer_is_no_lost_lease() {
    let ground = Ground::new();
    let heads = |call: &ProxyCall| call.method == "PUT" && call.path.contains("head.jsonl");
    ground.proxy.on(heads, CallSelector::Nth(2), ProxyAction::DropAfter);
    ground.proxy.on(
        |call| call.method == "PUT" && call.path.contains("lease.json"),
        CallSelector::Nth(1),
        ProxyAction::DropAfter,
    );
    wait(super::ground::runs(&ground, 4));
    assert_eq!(wait(wait(ground.read()).expect("readable").entries()).expect("readable").len(), 4 * 8);
}
