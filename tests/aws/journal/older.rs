//! Journals of older versions in a bucket: read as they are, taken over at the first write, and closed to those versions then.

use std::path::PathBuf;
use std::time::Duration;

use akidb_edge::ledger::{FORMAT, Ledger, LedgerError};
use akidb_edge::provider::aws::journal_store;
use akidb_edge::resource::Kind;
use serde_json::Value;

use super::ground::{Ground, HERE, SMALL, STACK, mine, record, run_of, runs};
use testkit::proxy::wait;

/// The last format that lies in a bucket as one object for each write.
const LAST_PAGES: u32 = 3;

/// A journal that a version of that format wrote.
fn fixture(format: u32) -> String {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/state/v{format}/every-fact.jsonl"));
    std::fs::read_to_string(path).expect("the fixture")
}

/// The same as three pages, as formats 1 to 3 have them in a bucket; gives their names.
fn pages(ground: &Ground, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cuts = [0, 5, 11, lines.len()];
    let pages = cuts.windows(2).map(|cut| {
        let name = format!("journal/{:020}.jsonl", cut[0] + 1);
        wait(ground.put(&name, lines[cut[0]..cut[1]].concat().as_bytes()));
        name
    });
    pages.collect()
}

/// A journal of format 3.
pub fn three_pages(ground: &Ground) {
    pages(ground, &fixture(3));
}

#[test]
fn pages_are_read_taken_in_and_kept_for_a_while() {
    for format in 1..=LAST_PAGES {
        let ground = Ground::new();
        let text = fixture(format);
        let names = pages(&ground, &text);
        let before = wait(ground.keys());
        let read = wait(ground.read()).expect("readable");
        wait(wait(ground.write()).expect("open").close()).expect("closed");
        let mut opened = wait(ground.keys());
        opened.remove("lease.json");
        assert_eq!(opened, before, "format {format}: opened and nothing to say");

        wait(runs(&ground, 1));
        let again = wait(ground.read()).expect("readable");
        let revision = read.recorded().revision();
        assert_eq!(wait(again.recorded_at(revision)).expect("it folds"), read.recorded(), "format {format}");
        assert_eq!(again.recorded().revision(), revision + 1);
        let lines = wait(again.text()).expect("readable");
        assert!(lines.starts_with(&text), "format {format}: entries are only ever added");
        let keys = wait(ground.keys());
        assert!(names.iter().all(|name| keys.contains(name)), "whoever is reading them finds them: {keys:#?}");
        let kept = wait(ground.object(&format!("journal.v{format}.bak/{:020}.jsonl", 1)));
        assert_eq!(String::from_utf8(kept).expect("text"), text, "the journal of format {format}, byte by byte");
    }
}

/// A head of format 4 with an archive, as a version of that format left it in a bucket; gives all of its lines.
fn head_of_4(ground: &Ground) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state/v4");
    for below in ["bucket", "bucket/archive", "bucket/journal"] {
        for file in std::fs::read_dir(folder.join(below)).expect("the fixture").flatten() {
            if file.path().is_file() {
                let name = file.file_name().into_string().expect("a name");
                let key = format!("{below}/{name}");
                let bytes = std::fs::read(file.path()).expect("the fixture");
                wait(ground.put(key.trim_start_matches("bucket/"), &bytes));
            }
        }
    }
    std::fs::read_to_string(folder.join("devices.jsonl")).expect("the fixture")
}

#[test]
fn a_head_of_format_4_is_read_and_kept_when_this_version_goes_on() {
    let ground = Ground::new();
    let text = head_of_4(&ground);
    let state = wait(ground.read()).expect("readable").recorded();
    let objects = state.resources.values().filter(|record| record.kind == Kind::Manifest);
    let clusters: Vec<&Value> = objects.map(|record| &record.spec["cluster"]).collect();
    assert_eq!(clusters, ["one"; 2], "from the entries, not from a checkpoint that was folded by other rules");

    // Who takes over from a version that died writes the head, and nothing that the other could not read.
    wait(wait(ground.write()).expect("open").close()).expect("closed");
    let head = String::from_utf8(wait(ground.object("head.jsonl"))).expect("text");
    assert!(head.starts_with("{\"v\":4,"), "{head}");
    assert!(!wait(ground.keys()).iter().any(|key| key.contains(".bak")));

    wait(runs(&ground, 1));
    let kept = wait(ground.object(&format!("journal.v4.bak/{:020}.jsonl", 1)));
    assert_eq!(String::from_utf8(kept).expect("text"), text, "archive and head, byte by byte");
    let head = String::from_utf8(wait(ground.object("head.jsonl"))).expect("text");
    assert!(head.starts_with(&format!("{{\"v\":{FORMAT},")), "an older version is told by the head: {head}");
    let again = wait(ground.read()).expect("readable");
    assert!(wait(again.text()).expect("readable").starts_with(&text), "entries are only ever added");
    assert_eq!(again.recorded().revision(), state.revision() + 1);
}

#[test]
fn an_older_version_is_told_to_update_and_cannot_write() {
    for text in [fixture(3), String::new()] {
        let ground = Ground::new();
        if !text.is_empty() {
            pages(&ground, &text);
        }
        wait(runs(&ground, 3));
        // It lists the pages and reads each line in turn: the first one that it does not know says its format.
        let all = wait(ground.keys()).into_iter().filter(|key| key.starts_with("journal/"));
        let lines: Vec<String> = all
            .flat_map(|key| {
                let page = String::from_utf8(wait(ground.object(&key))).expect("text");
                page.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let known = text.lines().count();
        assert_eq!(lines.len(), known + 1);
        let first: Value = serde_json::from_str(&lines[known]).expect("JSON");
        assert_eq!(first["v"], FORMAT, "that is refused before anything else is looked at");
        // It would write its next entry under this name, if there is none.
        let key = format!("edge/{STACK}/journal/{:020}.jsonl", known + 1);
        let put = ground.account.s3().put_object().bucket(&ground.bucket).key(key).if_none_match("*");
        assert!(wait(put.body(b"{}\n".to_vec().into()).send()).is_err(), "its write is refused");
    }
}

#[test]
fn pages_go_after_their_time_and_the_mark_stays() {
    let ground = Ground::new();
    let names = pages(&ground, &fixture(3));
    let keeping = |span| {
        wait(async {
            let store = journal_store(&ground.account.s3(), &ground.bucket, "edge", STACK, HERE).rolling_at(SMALL);
            let ledger = Ledger::write(std::sync::Arc::new(store.keeping(span)), STACK, mine()).await.expect("open");
            for _ in 0..2 {
                record(&ledger, run_of(ledger.recorded().revision() + 1, 4)).await.expect("recorded");
            }
            ledger.close().await.expect("closed");
        });
    };
    keeping(Duration::from_secs(3_600));
    let keys = wait(ground.keys());
    assert!(names.iter().all(|name| keys.contains(name)), "not before their time: {keys:#?}");
    let before = wait(wait(ground.read()).expect("readable").text()).expect("readable");
    keeping(Duration::ZERO);
    let keys = wait(ground.keys());
    let left: Vec<&String> = keys.iter().filter(|key| key.starts_with("journal/")).collect();
    let mark = format!("journal/{:020}.jsonl", fixture(3).lines().count() + 1);
    assert_eq!(left, [&mark]);
    let after = wait(wait(ground.read()).expect("readable").text()).expect("readable");
    assert!(after.starts_with(&before), "all entries are in the archive");
}

#[test]
fn a_head_that_was_deleted_is_missed() {
    let ground = Ground::new();
    wait(runs(&ground, 3));
    wait(ground.delete("head.jsonl"));
    let missing = wait(ground.read()).map(drop).expect_err("the journal is not empty");
    assert!(matches!(missing, LedgerError::Missing { .. }), "{missing}");
    let refused = ground.run(&format!("status --stack {STACK}")).exits(1);
    assert!(refused.stderr.contains("head.jsonl is missing"), "{}", refused.stderr);
    assert!(refused.stderr.contains("list-object-versions"), "{}", refused.stderr);
}
