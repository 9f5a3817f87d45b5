//! The lease of a journal: one writer at a time, and who takes over.

use akidb_edge::ledger::{Lease, Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};

use super::{Ground, HERE, STACK, mine, succeeded};
use testkit::fake_world::began;

on_both!(one_writer, the_dead_and_the_expired_are_taken_over, who_lost_the_lease_writes_no_more);

async fn one_writer(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    match Ledger::write(ground.store(), STACK, Lease::new("other", "there", "destroy")).await {
        Err(LedgerError::Locked(held)) => {
            assert_eq!((held.user.as_str(), held.host.as_str(), held.command.as_str()), ("me", HERE, "deploy"));
            assert_eq!(held.pid, std::process::id());
        }
        other => panic!("{:?}", other.err()),
    }
    Ledger::read(ground.store(), STACK).await.expect("reading needs no lease");
    ledger.close().await.expect("closed");
    Ledger::write(ground.store(), STACK, Lease::new("other", "there", "destroy")).await.expect("free again");
}

async fn the_dead_and_the_expired_are_taken_over(ground: &Ground) {
    let now = Timestamp::now();
    let there = Lease::new("they", "there", "deploy");
    // No process has this number: it is above the largest that the kernel gives.
    let dead = Lease { pid: u32::MAX - 1, process_start: Some(1), ..mine() };
    let expired = Lease { expires: now - SignedDuration::from_secs(1), ..there.clone() };
    for stale in [dead, expired] {
        ground.store().break_lease().await.expect("broken");
        ground.store().acquire(&stale).await.expect("put there");
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{}: {bad}", stale.host));
        ledger.record(began(ledger.recorded().revision() + 1)).await.expect("recorded");
        ledger.close().await.expect("closed");
    }
    ground.store().acquire(&there).await.expect("put there");
    assert!(matches!(ground.open().await, Err(LedgerError::Locked(_))), "a living one is left alone");
}

async fn who_lost_the_lease_writes_no_more(ground: &Ground) {
    let old = ground.open().await.expect("open");
    old.record(began(1)).await.expect("recorded");
    ground.store().break_lease().await.expect("broken");
    let new = Ledger::write(ground.store(), STACK, Lease::new("other", "there", "deploy")).await.expect("taken");
    new.record(began(2)).await.expect("recorded");
    let lost = old.record(succeeded(1)).await.expect_err("the lease is somebody else's");
    assert!(matches!(lost, LedgerError::LeaseLost(_)), "{lost}");
    old.close().await.expect("closed");
    let held = ground.store().lease().await.expect("readable").expect("still held");
    assert_eq!(held.user, "other", "who lost it does not give it back");
    new.record(succeeded(2)).await.expect("the new holder goes on");
    let facts = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable").len();
    assert_eq!(facts, 3);
}

#[tokio::test]
async fn who_wrote_in_between_is_noticed() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let journal = directory.path().join(STACK).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    std::fs::write(&journal, format!("{text}{text}")).expect("written");
    let lost = ledger.record(succeeded(1)).await.expect_err("somebody else wrote");
    assert!(matches!(lost, LedgerError::LeaseLost(_)), "{lost}");
}
