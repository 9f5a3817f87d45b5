//! What is in the archive, who may still read it, and two writers at once.

use std::sync::Arc;
use std::time::Duration;

use akidb_edge::ledger::{Ledger, LedgerError, S3Store, fold};
use akidb_edge::provider::aws::journal_store;
use serde_json::Value;

use super::ground::{Ground, HERE, SMALL, STACK, mine, record, run_of, runs};
use testkit::proxy::{CallSelector, ProxyAction, runtime, wait};

const SOON: Duration = Duration::from_secs(30);

fn keeping(ground: &Ground, span: Duration) -> Arc<S3Store> {
    let store = journal_store(&ground.account.s3(), &ground.bucket, "edge", STACK, HERE);
    Arc::new(store.rolling_at(SMALL).keeping(span))
}

async fn more_runs(store: Arc<S3Store>, count: u64) {
    let ledger = Ledger::write(store, STACK, mine()).await.expect("open");
    for _ in 0..count {
        record(&ledger, run_of(ledger.recorded().revision() + 1, 3)).await.expect("recorded");
    }
    ledger.close().await.expect("closed");
}

/// Objects of the archive by kind.
fn archived(ground: &Ground) -> (usize, usize) {
    let keys = wait(ground.keys());
    let count = |start: &str| keys.iter().filter(|key| key.starts_with(start)).count();
    (count("archive/segment-"), count("archive/checkpoint-"))
}

#[test]
fn what_is_not_needed_any_more_goes_after_its_time() {
    let ground = Ground::new();
    wait(more_runs(keeping(&ground, Duration::from_secs(3_600)), 40));
    let (segments, checkpoints) = archived(&ground);
    assert!(segments > 15 && checkpoints > 10, "{segments} segments, {checkpoints} checkpoints: nothing went before");
    wait(more_runs(keeping(&ground, Duration::ZERO), 4));
    let (segments, checkpoints) = archived(&ground);
    assert!(segments <= 10 && checkpoints <= 2, "{segments} segments, {checkpoints} checkpoints");
    let ledger = wait(ground.read()).expect("readable");
    let entries = wait(ledger.entries()).expect("readable");
    assert_eq!(entries.len(), 44 * 8);
    assert_eq!(fold(STACK, &entries).expect("it folds"), ledger.recorded());
}

#[test]
fn who_reads_slowly_finds_what_took_its_place() {
    let ground = Ground::new();
    wait(more_runs(keeping(&ground, Duration::ZERO), 6));
    ground.proxy.on(|call| call.path.contains("archive/checkpoint-"), CallSelector::Nth(1), ProxyAction::Pause);
    let store = ground.shared();
    let reader = runtime().spawn(async move { Ledger::read(store, STACK).await.map(|ledger| ledger.recorded()) });
    assert!(ground.proxy.paused_within(SOON), "it has read the head and asks for the checkpoint");
    wait(more_runs(keeping(&ground, Duration::ZERO), 6));
    ground.proxy.reset();
    let state = wait(reader).expect("no panic").expect("it reads again");
    assert_eq!(state.revision(), 12);
}

#[test]
fn of_two_that_move_entries_at_once_one_gives_up() {
    let ground = Ground::new();
    wait(runs(&ground, 1));
    // Its first entry and the rest are two writes; then it is about to put its checkpoint in force when the second takes over.
    let heads = |call: &testkit::proxy::ProxyCall| call.method == "PUT" && call.path.contains("head.jsonl");
    ground.proxy.on(heads, CallSelector::Nth(3), ProxyAction::Pause);
    let store = ground.shared();
    let first = runtime().spawn(async move {
        let ledger = Ledger::write(store, STACK, mine()).await.expect("open");
        let revision = ledger.recorded().revision() + 1;
        let written = record(&ledger, run_of(revision, 3)).await;
        let next = ledger.record(super::ground::began(revision + 1)).await;
        ledger.close().await.expect("closed");
        (written, next)
    });
    assert!(ground.proxy.paused_within(SOON), "it has written its entries and moves them");
    wait(ground.direct().break_lease()).expect("taken away");
    wait(more_runs(keeping(&ground, Duration::from_secs(60)), 3));
    let before = wait(wait(ground.read()).expect("readable").text()).expect("readable");
    ground.proxy.reset();
    let (written, next) = wait(first).expect("no panic");
    written.expect("its entries were written before it lost the lease");
    let lost = next.expect_err("somebody else writes now");
    assert!(matches!(lost, LedgerError::LeaseLost(_)), "{lost}");
    let ledger = wait(ground.read()).expect("readable");
    assert_eq!(wait(ledger.text()).expect("readable"), before, "the loser changed nothing");
    assert_eq!(wait(ledger.entries()).expect("readable").len(), 5 * 8);
    wait(runs(&ground, 2));
}

#[test]
fn moving_entries_is_no_reason_to_fail() {
    let ground = Ground::new();
    let refused = ProxyAction::Answer(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned());
    ground.proxy.on(|call| call.path.contains("/archive/"), CallSelector::Each, refused);
    wait(runs(&ground, 4));
    assert_eq!(archived(&ground), (0, 0));
    ground.proxy.reset();
    wait(runs(&ground, 1));
    assert!(archived(&ground).0 > 0, "the next run moved them");
    assert_eq!(wait(wait(ground.read()).expect("readable").entries()).expect("readable").len(), 5 * 8);
}

/// Rewrites the checkpoint, and the head so that it names the new one.
fn tamper(ground: &Ground, change: impl Fn(&mut Value)) {
    let head = String::from_utf8(wait(ground.object("head.jsonl"))).expect("text");
    let (first, rest) = head.split_once('\n').expect("a header");
    let mut header: Value = serde_json::from_str(first).expect("JSON");
    let key = header["checkpoint"]["key"].as_str().expect("a checkpoint").to_owned();
    let mut checkpoint: Value = serde_json::from_slice(&wait(ground.object(&key))).expect("JSON");
    change(&mut checkpoint);
    let text = serde_json::to_vec(&checkpoint).expect("JSON");
    header["checkpoint"]["sha256"] = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&text)).into();
    header.as_object_mut().expect("an object").remove("sum");
    let body = header.to_string();
    let sum = <sha2::Sha256 as sha2::Digest>::digest([&[0; 32][..], body.as_bytes()].concat());
    let header = format!("{},\"sum\":\"{}\"}}", &body[..body.len() - 1], hex::encode(&sum[..8]));
    wait(ground.put(&key, &text));
    wait(ground.put("head.jsonl", format!("{header}\n{rest}").as_bytes()));
}

#[test]
fn a_checkpoint_of_other_rules_is_folded_again() {
    let ground = Ground::new();
    wait(runs(&ground, 6));
    let state = wait(ground.read()).expect("readable").recorded();
    tamper(&ground, |checkpoint| {
        checkpoint["fold"] = 0.into();
        checkpoint["state"]["resources"] = serde_json::json!({});
    });
    assert_eq!(wait(ground.read()).expect("readable").recorded(), state, "from the entries, not from its state");
    tamper(&ground, |checkpoint| checkpoint["v"] = 99.into());
    let newer = wait(ground.read()).map(drop).expect_err("a newer format");
    assert!(matches!(newer, LedgerError::Newer { found: 99, .. }), "{newer}");
}

#[test]
fn damage_anywhere_is_found() {
    let ground = Ground::new();
    wait(runs(&ground, 6));
    let keys = wait(ground.keys());
    let damaged = keys.iter().filter(|key| key.starts_with("archive/") || *key == "head.jsonl");
    for key in damaged {
        let good = wait(ground.object(key));
        let text = String::from_utf8(good.clone()).expect("text");
        if !text.contains("models") {
            continue;
        }
        wait(ground.put(key, text.replacen("models", "modals", 1).as_bytes()));
        let old = key.contains("checkpoint-") && !is_named(&ground, key);
        let ledger = wait(async {
            let ledger = ground.read().await?;
            ledger.entries().await
        });
        assert!(old || matches!(ledger, Err(LedgerError::Corrupt { .. })), "{key}");
        wait(ground.put(key, &good));
    }
    wait(wait(ground.read()).expect("readable").entries()).expect("whole again");
}

fn is_named(ground: &Ground, key: &str) -> bool {
    String::from_utf8(wait(ground.object("head.jsonl"))).expect("text").contains(key)
}
