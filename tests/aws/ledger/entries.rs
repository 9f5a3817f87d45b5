//! Entries of a journal: they come back as they were written, and only their user reads them.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use akidb_edge::ledger::{Fact, FileStore, Ledger, LedgerError, ResourceSnapshot};
use akidb_edge::resource::{Action, Address, Attributes, Kind, sha256_hex};
use serde_json::json;

use super::{Ground, HERE, STACK, mine, subject, succeeded};
use testkit::fake_world::began;

on_both!(comes_back, contents_lie_apart, many_at_once);

async fn comes_back(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    for number in 0..3 {
        let intended = Fact::Intended { action: Action::Create, subject: subject(number), id: None };
        ledger.record(intended).await.expect("recorded");
        ledger.record(succeeded(number)).await.expect("recorded");
    }
    let (state, entries) = (ledger.recorded(), ledger.entries().await.expect("readable"));
    ledger.close().await.expect("closed");
    assert!(ground.store().lease().await.expect("readable").is_none(), "the lease was given back");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.entries().await.expect("readable"), entries);
    assert_eq!(again.recorded(), state);
    let refused = again.record(began(2)).await.expect_err("opened for reading");
    assert!(matches!(refused, LedgerError::LeaseLost(_)), "{refused}");
}

async fn many_at_once(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let all = (0..100).map(|number| ledger.record(succeeded(number)));
    for answer in futures::future::join_all(all).await {
        answer.expect("recorded");
    }
    let entries = ledger.entries().await.expect("readable");
    ledger.close().await.expect("closed");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.entries().await.expect("readable"), entries, "all there, in order");
    assert_eq!(again.recorded().resources.len(), 100);
}

/// A file on a device with a password in it.
fn with_content(text: &str) -> ResourceSnapshot {
    let address = Address::new("jetson", Kind::File, "a-etc-x");
    let spec = json!({"host": "a", "path": "/etc/x", "content": {"text": text}, "mode": "0600"});
    ResourceSnapshot { address, kind: Kind::File, spec, needs: BTreeMap::new(), ..subject(0) }
}

async fn contents_lie_apart(ground: &Ground) {
    const TEXT: &str = "PASSWORD=journal-canary-51c2\n";
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let (subject, id) = (with_content(TEXT), "a:/etc/x".to_owned());
    let intended = Fact::Intended { action: Action::Create, subject: subject.clone(), id: None };
    ledger.record(intended).await.expect("recorded");
    let succeeded = Fact::Succeeded { action: Action::Create, subject, attributes: Attributes::new(), id, took_ms: 1 };
    ledger.record(succeeded).await.expect("recorded");
    let (state, entries) = (ledger.recorded(), ledger.entries().await.expect("readable"));
    // What a saved plan holds is kept in the same way.
    let mut saved = json!({"after": {"content": {"text": "saved-canary-51c2"}}});
    let whole = saved.clone();
    ledger.keep_apart(&mut saved).await.expect("kept");
    assert!(!saved.to_string().contains("canary"), "{saved}");
    ledger.bring_back(&mut saved).await.expect("brought back");
    assert_eq!(saved, whole);
    ledger.close().await.expect("closed");
    let text = ground.store().text().await.expect("readable");
    assert!(!text.contains("canary"), "{text}");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.recorded(), state, "a rollback finds the content");
    assert_eq!(again.entries().await.expect("readable"), entries);

    ground.lose_contents().await;
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    let spec = &again.recorded().resources[&Address::new("jetson", Kind::File, "a-etc-x")].spec;
    assert_eq!(spec["content"], json!({"sha256": sha256_hex(TEXT.as_bytes())}), "its hash is still known");
}

#[tokio::test]
async fn contents_that_no_line_names_go_after_a_run_that_wrote() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { return };
    let folder = directory.path().join(STACK).join("content");
    let age = |name: &str| {
        let file = std::fs::File::open(folder.join(name)).expect("it is there");
        file.set_modified(SystemTime::now() - Duration::from_secs(3 * 86_400)).expect("its time");
    };
    let (named, saved) = ("text of a file", "text of a saved plan");
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let intended = Fact::Intended { action: Action::Create, subject: with_content(named), id: None };
    ledger.record(intended).await.expect("recorded");
    ledger.keep_apart(&mut json!({"after": {"content": {"text": saved}}})).await.expect("kept");
    let code = ledger.code_of(b"a saved plan").await.expect("a key");
    ledger.close().await.expect("closed");
    let there = |text: &str| folder.join(sha256_hex(text.as_bytes())).is_file();
    assert!(there(named) && there(saved), "the saved plan is not stale yet");
    age(&sha256_hex(named.as_bytes()));
    age(&sha256_hex(saved.as_bytes()));
    age("key-of-saved-plans");
    // A run that writes nothing leaves saved plans as good as they were.
    ground.open().await.expect("open").close().await.expect("closed");
    assert!(there(saved));
    let ledger = ground.open().await.expect("open");
    ledger.record(began(2)).await.expect("recorded");
    let fresh = "text of a plan that was saved a moment ago";
    let other = Ledger::read(ground.store(), STACK).await.expect("readable");
    other.keep_apart(&mut json!({"after": {"content": {"text": fresh}}})).await.expect("kept");
    ledger.close().await.expect("closed");
    assert!(there(named) && !there(saved) && there(fresh));
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    let entries = again.entries().await.expect("readable");
    let has_text =
        |fact: &Fact| matches!(fact, Fact::Intended { subject, .. } if subject.spec["content"]["text"] == named);
    assert!(entries.iter().any(|entry| has_text(&entry.fact)), "{entries:?}");
    assert!(again.is_code_of(b"a saved plan", &code).await.expect("readable"), "the key of saved plans stays");
}

#[tokio::test]
async fn a_journal_is_for_its_user_alone() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { return };
    let root = directory.path().join("state");
    let store = || Arc::new(FileStore::new(&root, STACK, HERE));
    let stack = root.join(STACK);
    // An earlier version left it open to all.
    std::fs::create_dir_all(stack.join("artefacts")).expect("folders");
    for name in ["journal.jsonl", "journal.v3.bak"] {
        std::fs::write(stack.join(name), "").expect("a file");
        std::fs::set_permissions(stack.join(name), Permissions::from_mode(0o644)).expect("its mode");
    }
    std::fs::set_permissions(&stack, Permissions::from_mode(0o755)).expect("its mode");
    let ledger = Ledger::write(store(), STACK, mine()).await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let intended = Fact::Intended { action: Action::Create, subject: with_content("text of a file"), id: None };
    ledger.record(intended).await.expect("recorded");
    all_private(&stack);
    ledger.close().await.expect("closed");
    let fresh = directory.path().join("fresh");
    let ledger = Ledger::write(Arc::new(FileStore::new(&fresh, STACK, HERE)), STACK, mine()).await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    all_private(&fresh);
    ledger.close().await.expect("closed");
}

/// Files are 0600, folders 0700.
fn all_private(path: &std::path::Path) {
    let facts = std::fs::metadata(path).expect("it is there");
    let wanted = if facts.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(facts.permissions().mode() & 0o777, wanted, "{}", path.display());
    if facts.is_dir() {
        std::fs::read_dir(path).expect("a folder").for_each(|entry| all_private(&entry.expect("an entry").path()));
    }
}
