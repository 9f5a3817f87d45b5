//! Journals of earlier formats: read as they were, and kept when this version goes on with them.

use std::collections::BTreeMap;

use akidb_edge::ledger::{FORMAT, Fact, Ledger, LedgerError, fold};

use super::facts::facts_of;
use super::{Ground, STACK, succeeded, treaty};
use testkit::fake_world::began;

on_both!(a_journal_of_each_format_is_read, an_older_journal_goes_on_in_this_format_and_is_kept);

async fn a_journal_of_each_format_is_read(ground: &Ground) {
    for format in 1..=FORMAT {
        ground.put(&treaty(format, "every-fact")).await;
        let entries = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable");
        let facts: Vec<Fact> = entries.iter().map(|entry| entry.fact.clone()).collect();
        assert_eq!(facts, facts_of(format), "format {format}");
        let state = fold(STACK, &entries).expect("it folds");
        let snapshot = serde_json::to_string_pretty(&state).expect("plain data");
        let name = if format < 3 { "journal_v1_folds_to" } else { "journal_v3_folds_to" };
        insta::assert_snapshot!(name, snapshot);
    }
}

/// What lies in the store besides lease and guard, as (name, content).
async fn everything_in(ground: &Ground) -> BTreeMap<String, String> {
    match ground {
        Ground::Directory(directory) => {
            let folder = std::fs::read_dir(directory.path().join(STACK)).into_iter().flatten();
            let files = folder.map(|entry| entry.expect("an entry").path());
            let named = files.map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).expect("text"))
            });
            named.filter(|(name, _)| !name.starts_with("lease")).collect()
        }
        Ground::Bucket(client, name) => {
            let listed = client.list_objects_v2().bucket(name).prefix(format!("edge/{STACK}/journal"));
            let mut all = BTreeMap::new();
            for item in listed.send().await.expect("listed").contents() {
                let key = item.key().expect("a key");
                let object = client.get_object().bucket(name).key(key).send().await.expect("there");
                let bytes = object.body.collect().await.expect("read").into_bytes();
                let short = key.trim_start_matches(&format!("edge/{STACK}/")).to_owned();
                all.insert(short, String::from_utf8(bytes.to_vec()).expect("text"));
            }
            all
        }
    }
}

async fn an_older_journal_goes_on_in_this_format_and_is_kept(ground: &Ground) {
    let old = treaty(1, "every-fact");
    ground.put(&old).await;
    let before = everything_in(ground).await;
    let reader = Ledger::read(ground.store(), STACK).await.expect("readable");
    let state = reader.recorded();
    let ledger = ground.open().await.expect("open");
    assert_eq!(ledger.older().map(|(format, _)| format), Some(1), "who opens it for writing is told");
    ledger.close().await.expect("closed");
    assert_eq!(everything_in(ground).await, before, "opened and nothing to say: nothing is written");

    let ledger = ground.open().await.expect("open");
    ledger.record(began(state.revision() + 1)).await.expect("recorded");
    ledger.record(succeeded(7)).await.expect("recorded");
    assert_eq!(ledger.older(), None, "it has this format now");
    let there = everything_in(ground).await;
    let kept: Vec<&String> = there.iter().filter(|(name, _)| name.contains("v1.bak")).map(|(_, text)| text).collect();
    assert_eq!(kept, [&old], "the journal of format 1, byte by byte");
    let all = ground.store().text().await.expect("readable");
    let new = all.strip_prefix(&old).expect("entries are only ever added");
    assert!(
        new.lines().count() == 2 && new.lines().all(|line| line.starts_with(&format!("{{\"v\":{FORMAT},"))),
        "{new}"
    );
    let (expected, entries) = (ledger.recorded(), ledger.entries().await.expect("readable"));
    ledger.close().await.expect("closed");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!((again.recorded(), again.entries().await.expect("readable")), (expected, entries));
    // From the first line of format 2 on, the lines of format 1 are sealed, too.
    if let Ground::Directory(_) = ground {
        ground.put(&all.replacen("deploy cdn", "deploy cdm", 1)).await;
        let line = old.lines().count() + 1;
        match ground.open().await.map(drop) {
            Err(LedgerError::Corrupt { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{other:?}"),
        }
    }
}

/// Journals that the first version wrote against a local AWS: the same state, whatever reads them.
#[tokio::test]
async fn real_journals_of_format_1_fold_to_the_state_that_they_had() {
    for name in ["deployed-cut-over-rolled-back", "killed", "destroyed"] {
        let ground = Ground::directory();
        ground.put(&treaty(1, name)).await;
        let state = Ledger::read(ground.store(), STACK).await.expect("readable").recorded();
        let resources = state.resources.iter().map(|(address, record)| {
            let id = record.id.as_ref().map_or("-", |_| "known");
            format!("{address} {:?} generation {} {id}\n", record.standing, record.generation)
        });
        let runs = state.runs.iter().map(|run| format!("{} {:?} {}\n", run.command, run.ending, run.changes));
        let whole = serde_json::to_vec(&state).expect("plain data");
        let summary = format!(
            "{}{}requested {:?}, fallback {:?}, {} leftovers\nsha256 of the whole state {}\n",
            runs.collect::<String>(),
            resources.collect::<String>(),
            state.requested,
            state.fallback,
            state.pending_deletions.len(),
            hex::encode(<sha2::Sha256 as sha2::Digest>::digest(whole)),
        );
        insta::assert_snapshot!(format!("real_v1_{name}"), summary);
        // The same entries, written by this version, fold to the same.
        let ledger = ground.open().await.expect("open");
        ledger.record(began(state.revision() + 1)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let again = Ledger::read(ground.store(), STACK).await.expect("readable");
        assert_eq!(again.recorded_at(state.revision()).await.expect("it folds"), state, "{name}");
    }
}
