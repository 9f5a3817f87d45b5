//! A process that dies at any request leaves a journal that can be read and written: nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use akidb_edge::ledger::{Fact, Ledger};

use super::ground::{Ground, STACK, mine, mortal, record, run_of, runs};
use testkit::proxy::{CallSelector, ProxyAction, runtime, wait};

/// More than enough for a call to come.
const SOON: Duration = Duration::from_secs(30);

/// The facts that are in the journal.
fn facts(ground: &Ground, how: &str) -> Vec<Fact> {
    let ledger = wait(ground.read()).unwrap_or_else(|bad| panic!("{how}: {bad}"));
    let entries = wait(ledger.entries()).unwrap_or_else(|bad| panic!("{how}: {bad}"));
    entries.into_iter().map(|entry| entry.fact).collect()
}

/// Writes one run more and dies at the n-th request: how many entries were acknowledged, and whether it died.
fn dies_at(ground: &Ground, number: usize, act: &ProxyAction) -> (usize, bool) {
    ground.proxy.reset();
    ground.proxy.on(|_| true, CallSelector::Nth(number), act.clone());
    let (store, acknowledged) = (ground.shared(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&acknowledged);
    let work = runtime().spawn(async move {
        let ledger = Ledger::write(store, STACK, mortal()).await.expect("open");
        let revision = ledger.recorded().revision() + 1;
        let all = run_of(revision, 3).into_iter().map(async |fact| {
            ledger.record(fact).await.expect("recorded");
            count.fetch_add(1, Ordering::SeqCst);
        });
        futures::future::join_all(all).await;
        ledger.close().await.expect("closed");
    });
    let (ended, end) = std::sync::mpsc::channel();
    let abort = work.abort_handle();
    runtime().spawn(async move {
        // Whoever waited may be gone.
        let _ = ended.send(work.await.is_ok());
    });
    loop {
        if ground.proxy.held_within(Duration::from_millis(20)) {
            abort.abort();
            assert!(!end.recv_timeout(SOON).expect("it ends"), "it was killed");
            ground.proxy.reset();
            return (acknowledged.load(Ordering::SeqCst), true);
        }
        if let Ok(ended) = end.try_recv() {
            assert!(ended, "it came to its end");
            ground.proxy.reset();
            return (acknowledged.load(Ordering::SeqCst), false);
        }
    }
}

/// Kills a writer at each request in turn. `prepare` makes the journal that it goes on from.
fn killed_everywhere(prepare: impl Fn(&Ground)) -> usize {
    let mut points = 0;
    for act in [ProxyAction::HoldBefore, ProxyAction::HoldAfter] {
        for number in 1.. {
            let ground = Ground::new();
            prepare(&ground);
            let before = facts(&ground, "before");
            let (acknowledged, killed) = dies_at(&ground, number, &act);
            let how = format!("{act:?} at request {number}");
            let after = facts(&ground, &how);
            let revision = before.iter().filter(|fact| matches!(fact, Fact::RunBegan { .. })).count() as u64 + 1;
            let whole: Vec<Fact> = before.iter().cloned().chain(run_of(revision, 3)).collect();
            assert!(whole.starts_with(&after), "{how}: entries in their order");
            let lost = (before.len() + acknowledged).saturating_sub(after.len());
            assert_eq!(lost, 0, "{how}: {} of {} facts", after.len(), whole.len());
            // The next run takes the lease over and goes on.
            let ledger =
                wait(Ledger::write(ground.shared(), STACK, mine())).unwrap_or_else(|bad| panic!("{how}: {bad}"));
            let next = ledger.recorded().revision() + 1;
            wait(record(&ledger, run_of(next, 3))).unwrap_or_else(|bad| panic!("{how}: {bad}"));
            wait(ledger.close()).expect("closed");
            assert_eq!(facts(&ground, &how), [after, run_of(next, 3)].concat(), "{how}");
            if !killed {
                points += number - 1;
                break;
            }
        }
    }
    points
}

#[test]
fn a_writer_that_moves_entries_into_the_archive_may_die_at_any_request() {
    // The next run is the one that makes the head long.
    let points = killed_everywhere(|ground| wait(runs(ground, 1)));
    assert!(points >= 14, "{points} points: the run did move its entries");
}

#[test]
fn a_writer_that_merges_segments_may_die_at_any_request() {
    let points = killed_everywhere(|ground| wait(runs(ground, 15)));
    assert!(points >= 25, "{points} points: the run did merge");
}

#[test]
fn a_writer_that_takes_in_the_pages_of_an_older_version_may_die_at_any_request() {
    let points = killed_everywhere(super::older::three_pages);
    assert!(points >= 20, "{points} points");
}

#[test]
fn the_first_writer_may_die_at_any_request() {
    killed_everywhere(|_| {});
}
