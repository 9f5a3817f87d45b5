//! Snapshots that are asked for.

use std::sync::Arc;
use std::time::Duration;

use akidb_edge_replica::control::{Pause, pause, resume};
use akidb_edge_replica::publish::{IgnoreEvents, PrimaryFault, PublishEvent};
use akidb_edge_replica::{
    PublishFault, Publisher, RestoreFault, RestoreOptions, RestorePoint, Retention, Txid, restore, status,
};

use crate::bench::{Bench, Heard, assert_same};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_restored_as_it_was() {
    let bench = Bench::new();
    let open = bench.primary();
    open.execute_batch("INSERT INTO t VALUES (1, randomblob(100000))").unwrap();
    let store = bench.store("bucket");
    let done = bench.publisher(&store).once().await.unwrap();
    let done = done[0].outcome.as_ref().unwrap();
    assert_eq!((done.txid, done.changed), (Txid(1), true));
    assert_same(&bench.restored(&store, RestorePoint::Latest, "restored.db").await, &bench.at("primary.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unchanged_is_not_written_again_and_history_is_kept() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    for round in 1..=4_u64 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
        let done = bench.publisher(&store).once().await.unwrap();
        assert_eq!(done[0].outcome.as_ref().unwrap().txid, Txid(round));
        std::fs::copy(
            bench.restored(&store, RestorePoint::Latest, &format!("now-{round}")).await,
            bench.at(&format!("then-{round}")),
        )
        .unwrap();
        let again = bench.publisher(&store).once().await.unwrap();
        let again = again[0].outcome.as_ref().unwrap();
        assert_eq!((again.txid, again.changed, again.bytes), (Txid(round), false, 0));
    }
    for round in 1..=4 {
        let restored = bench.restored(&store, RestorePoint::Txid(Txid(round)), &format!("later-{round}")).await;
        assert!(std::fs::read(restored).unwrap() == std::fs::read(bench.at(&format!("then-{round}"))).unwrap());
    }
    let history = store.list("history/", None).await.unwrap().objects;
    assert_eq!(history.len(), 4);
    let seen = status::status(&store, &bench.trust(), Duration::from_secs(5)).await.unwrap();
    assert_eq!((seen.txid, seen.snapshots.len(), seen.chain_length), (Txid(4), 4, 1));
    assert_eq!(seen.signed_by, Some(bench.key.public().id()));
    assert!(seen.lease.unwrap().released);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_is_not_there_is_an_error() {
    let bench = Bench::new();
    let _open = bench.primary();
    let store = bench.store("bucket");
    let asked = |at| {
        let mut options = RestoreOptions::new(Arc::clone(&store), bench.trust(), bench.at("restored.db"));
        options.at = at;
        async move { restore::restore(&options).await }
    };
    assert!(matches!(asked(RestorePoint::Latest).await, Err(RestoreFault::Empty { .. })));
    let before = jiff::Timestamp::now();
    bench.publisher(&store).once().await.unwrap();
    let after = jiff::Timestamp::now();
    assert!(matches!(asked(RestorePoint::Txid(Txid(2))).await, Err(RestoreFault::Future { newest: Txid(1), .. })));
    let hour = jiff::SignedDuration::from_hours(1);
    assert!(matches!(asked(RestorePoint::Time(after + hour)).await, Err(RestoreFault::Future { .. })));
    assert!(matches!(asked(RestorePoint::Time(before - hour)).await, Err(RestoreFault::Gone { .. })));
    assert!(!bench.at("restored.db").exists());
    assert_eq!(asked(RestorePoint::Time(jiff::Timestamp::now())).await.unwrap().plan.txid, Txid(1));
    assert!(matches!(asked(RestorePoint::Latest).await, Err(RestoreFault::Exists(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_primary_is_not_published() {
    let bench = Bench::new();
    let open = bench.primary();
    open.execute_batch("CREATE TABLE c(a REFERENCES t(a)); PRAGMA foreign_keys=OFF; INSERT INTO c VALUES (77)")
        .unwrap();
    let store = bench.store("bucket");
    let mut publisher = bench.publisher(&store);
    let refused = publisher.once().await;
    assert!(matches!(refused, Err(PublishFault::Primary(PrimaryFault::Damaged { .. }))), "{refused:?}");
    assert_eq!(publisher.metrics().read().verify_failures, 1);
    assert!(store.list("", None).await.unwrap().objects.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_regions_are_written_and_one_that_is_down_holds_up_none() {
    let bench = Bench::new();
    let _open = bench.primary();
    // A file lies where the folder of the second bucket would have to be.
    std::fs::write(bench.at("bucket-1"), "").unwrap();
    let stores = vec![bench.store("bucket-0"), bench.store("bucket-1"), bench.store("bucket-2")];
    let mut publisher = Publisher::new(bench.options(stores.clone()), Arc::new(IgnoreEvents)).unwrap();
    let done = publisher.once().await.unwrap();
    let well: Vec<bool> = done.iter().map(|one| one.outcome.is_ok()).collect();
    assert_eq!(well, [true, false, true]);
    for (store, name) in [(&stores[0], "a"), (&stores[2], "b")] {
        assert_same(&bench.restored(store, RestorePoint::Latest, name).await, &bench.at("primary.db"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_old_and_too_many_snapshots_go_with_their_history() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let heard = Heard::default();
    for _ in 0..5 {
        open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
        let mut options = bench.options(vec![Arc::clone(&store)]);
        options.retention = Retention { age: Duration::from_secs(3600), at_least: 1, at_most: 2 };
        Publisher::new(options, Arc::new(heard.clone())).unwrap().once().await.unwrap();
    }
    assert_eq!(store.list("ltx/9/", None).await.unwrap().objects.len(), 2);
    assert_eq!(store.list("history/", None).await.unwrap().objects.len(), 2);
    assert_eq!(heard.count(|event| matches!(event, PublishEvent::Removed { objects: 2, .. })), 3);
    assert_same(&bench.restored(&store, RestorePoint::Latest, "restored.db").await, &bench.at("primary.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_it_and_a_resume_lets_it_go_on() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    bench.publisher(&store).once().await.unwrap();
    open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
    let limit = Duration::from_secs(5);
    let by = Pause { by: "ann".to_owned(), at: jiff::Timestamp::now(), reason: "drill".to_owned() };
    pause(&store, &by, limit).await.unwrap();
    let done = bench.publisher(&store).once().await.unwrap();
    assert!(matches!(&done[0].outcome, Err(PublishFault::Paused { pause, .. }) if *pause == by));
    resume(&store, limit).await.unwrap();
    let done = bench.publisher(&store).once().await.unwrap();
    assert_eq!(done[0].outcome.as_ref().unwrap().txid, Txid(2));
}

/// It cannot be seen from outside which of them the scratch folder belongs to.
#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_do_not_share_a_scratch_folder() {
    let bench = Bench::new();
    let _open = bench.primary();
    let store = bench.store("bucket");
    let (mut one, mut two) = (bench.publisher(&store), bench.publisher(&store));
    let (one, two) = tokio::join!(one.once(), two.once());
    let (well, bad) = if one.is_ok() { (one, two) } else { (two, one) };
    assert!(well.unwrap()[0].outcome.is_ok());
    // Or one was done before the other began.
    assert!(matches!(bad, Err(PublishFault::Local { .. }) | Ok(_)), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_log_is_published_beneath_a_writer() {
    let bench = Bench::new();
    let open = bench.primary();
    open.execute_batch("PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF").unwrap();
    let path = bench.at("primary.db");
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let open = rusqlite::Connection::open(path).unwrap();
        open.busy_timeout(Duration::from_secs(20)).unwrap();
        open.execute_batch("PRAGMA synchronous=OFF").unwrap();
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            // Both rows change together.
            open.execute_batch("BEGIN; INSERT OR REPLACE INTO t VALUES (1, randomblob(3000)); INSERT OR REPLACE INTO t SELECT 2, b FROM t WHERE a = 1; COMMIT")
                .unwrap();
        }
    });
    let store = bench.store("bucket");
    for round in 0..3 {
        bench.publisher(&store).once().await.unwrap()[0].outcome.as_ref().unwrap();
        let restored = bench.restored(&store, RestorePoint::Latest, &format!("restored-{round}")).await;
        let open = rusqlite::Connection::open(restored).unwrap();
        let torn = "SELECT count(DISTINCT b) FROM t";
        assert!(open.query_row(torn, [], |row| row.get::<_, i64>(0)).unwrap() <= 1);
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
}
