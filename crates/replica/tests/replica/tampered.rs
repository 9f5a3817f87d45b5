//! Objects that somebody changed: cut off, with flipped bits, or replaced by older ones. None of them reaches a replica.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use akidb_edge_replica::{
    FollowFault, ObjectStore, RestoreOptions, RestorePoint, Txid, VerifyOptions, VerifyOutcome, restore, verify,
};

use crate::bench::{Bench, assert_same, pages};
use crate::continuous::Running;

/// The files of a bucket.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// What is done to an object.
type Change = (&'static str, fn(&mut Vec<u8>));

const CHANGES: &[Change] = &[
    ("the first bit", |bytes| bytes[0] ^= 1),
    ("a bit in the middle", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    }),
    ("the last bit", |bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    }),
    ("half of it", |bytes| bytes.truncate(bytes.len() / 2)),
    ("all but one byte", |bytes| bytes.truncate(bytes.len() - 1)),
    ("nothing", Vec::clear),
    ("one byte more", |bytes| bytes.push(0)),
];

/// A chain with a snapshot and increments.
async fn chain(bench: &Bench, store: &Arc<dyn ObjectStore>) -> Txid {
    let open = bench.primary();
    let running = Running::start(bench.options(vec![Arc::clone(store)]));
    let mut txid = Txid(0);
    for _ in 0..4 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(9000))", []).unwrap();
        txid = running.flush().await;
    }
    running.stop().await;
    txid
}

/// Every file of a bucket, each changed in each way: a replica, a restored file and a verdict of good are the true state or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_object_is_refused() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    chain(&bench, &store).await;
    let (mut refusals, mut bad) = (0, 0);
    for (number, file) in files(&bench.at("bucket")).into_iter().enumerate() {
        let whole = std::fs::read(&file).unwrap();
        for (way, (name, change)) in CHANGES.iter().enumerate().filter(|_| !whole.is_empty()) {
            let mut bytes = whole.clone();
            change(&mut bytes);
            std::fs::write(&file, &bytes).unwrap();
            let what = format!("{}: {name}", file.display());
            let replica = format!("replica-{number}-{way}.db");
            match bench.follower(&store, &replica).sync().await {
                // An object that the newest state does not need.
                Ok(_) => assert_same(&bench.at(&replica), &bench.at("primary.db")),
                Err(refused) => {
                    refusals += 1;
                    assert!(!bench.at(&replica).exists(), "{what}: a replica was made although {refused}");
                    assert!(!refused.to_string().is_empty(), "{what}");
                }
            }
            if way % 2 == 1 {
                let output = bench.at(&format!("restored-{number}-{way}.db"));
                let options = RestoreOptions::new(Arc::clone(&store), bench.trust(), output.clone());
                if restore::restore(&options).await.is_ok() {
                    assert_same(&output, &bench.at("primary.db"));
                } else {
                    assert!(!output.exists(), "{what}");
                }
                let options = VerifyOptions::new(Arc::clone(&store), bench.trust(), bench.folder.path());
                bad += usize::from(matches!(verify::verify(&options).await.verdict, VerifyOutcome::Bad(_)));
            }
        }
        std::fs::write(&file, &whole).unwrap();
    }
    // `latest`, the snapshot and two increments at least; of each, three ways are verified, too.
    assert!(refusals >= 4 * CHANGES.len() && bad >= 6, "{refusals} refusals, {bad} verdicts");
    assert!(bench.follower(&store, "whole.db").sync().await.unwrap().changed);
    assert_same(&bench.at("whole.db"), &bench.at("primary.db"));
}

/// An earlier state of the bucket, put back as a whole, is genuine in each part: a replica that is newer does not go back.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_bucket_is_not_followed_backwards() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    open.execute("INSERT INTO t VALUES (NULL, 'first')", []).unwrap();
    bench.publisher(&store).once().await.unwrap();
    let old = bench.at("bucket/latest");
    let before = std::fs::read(&old).unwrap();
    open.execute("INSERT INTO t VALUES (NULL, 'second')", []).unwrap();
    bench.publisher(&store).once().await.unwrap();
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let seen = pages(&bench.at("replica.db"));
    std::fs::write(&old, &before).unwrap();
    // Of a follower that runs, and of one that was started again.
    for round in 0..2 {
        let looked = follower.sync().await;
        assert!(
            matches!(looked, Err(FollowFault::Refused { .. })) || looked.as_ref().is_ok_and(|done| !done.changed),
            "{looked:?}"
        );
        assert!(seen == pages(&bench.at("replica.db")), "round {round}: the replica went back");
        follower = bench.follower(&store, "replica.db");
    }
}

/// A genuine object under the name of another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_under_another_name_is_refused() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    chain(&bench, &store).await;
    let objects: Vec<PathBuf> = files(&bench.at("bucket/ltx/0"));
    assert!(objects.len() >= 2, "{objects:?}");
    let last = objects.last().unwrap();
    let whole = std::fs::read(last).unwrap();
    std::fs::copy(&objects[0], last).unwrap();
    let refused = bench.follower(&store, "replica.db").sync().await.unwrap_err();
    assert!(matches!(refused, FollowFault::Refused { .. }), "{refused}");
    assert!(!bench.at("replica.db").exists());
    std::fs::write(last, whole).unwrap();
    bench.follower(&store, "replica.db").sync().await.unwrap();
}

/// An increment that is damaged holds a follower up until a later snapshot leads past it: it is refused once, not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_snapshot_leads_past_a_damaged_object() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    for _ in 0..3 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(9000))", []).unwrap();
        running.flush().await;
    }
    running.stop().await;
    let last = files(&bench.at("bucket/ltx/0")).pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, &bytes).unwrap();
    let before = pages(&bench.at("replica.db"));
    let refused = follower.sync().await.unwrap_err();
    assert!(matches!(refused, FollowFault::Refused { .. }), "{refused}");
    assert!(before == pages(&bench.at("replica.db")), "a part of it was applied");
    // The next publisher begins with a snapshot.
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    open.execute("INSERT INTO t VALUES (NULL, 'behind it')", []).unwrap();
    running.flush().await;
    running.stop().await;
    assert!(follower.sync().await.unwrap().changed);
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    assert_eq!(follower.metrics().read().verify_failures, 2);
}

/// An object that was removed: nothing is restored over the gap, and a follower passes it by the next snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_with_a_gap_is_not_restored() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let newest = chain(&bench, &store).await;
    let objects = files(&bench.at("bucket/ltx/0"));
    assert!(objects.len() > 2, "{objects:?}");
    std::fs::remove_file(&objects[objects.len() - 2]).unwrap();
    for at in [RestorePoint::Latest, RestorePoint::Txid(newest)] {
        let mut options = RestoreOptions::new(Arc::clone(&store), bench.trust(), bench.at("restored.db"));
        options.at = at;
        let restored = restore::restore(&options).await;
        assert!(restored.is_err() && !bench.at("restored.db").exists(), "{restored:?}");
    }
    let options = VerifyOptions::new(Arc::clone(&store), bench.trust(), bench.folder.path());
    assert!(matches!(verify::verify(&options).await.verdict, VerifyOutcome::Bad(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_passes_a_gap_by_the_next_snapshot() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let before = pages(&bench.at("replica.db"));
    for _ in 0..3 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(9000))", []).unwrap();
        running.flush().await;
    }
    running.stop().await;
    let objects = files(&bench.at("bucket/ltx/0"));
    std::fs::remove_file(&objects[0]).unwrap();
    // It says so, instead of being as new as the bucket.
    let refused = follower.sync().await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(before == pages(&bench.at("replica.db")));
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    open.execute("INSERT INTO t VALUES (NULL, 'behind it')", []).unwrap();
    running.flush().await;
    running.stop().await;
    assert!(follower.sync().await.unwrap().changed);
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
}
