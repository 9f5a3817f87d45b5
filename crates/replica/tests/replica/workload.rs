//! Random workloads, a database that shrinks, resets of the WAL, a writer at full speed, and a large database: through publisher,
//! bucket and follower, every published state is one that the primary was in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use akidb_edge_replica::publish::PublishEvent;
use akidb_edge_replica::{Position, RestorePoint, Txid, status};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::bench::{Bench, assert_same, pages, until};
use crate::continuous::Running;

/// A setting of the long suite, or its default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

const SQL: [&str; 12] = [
    "INSERT INTO t SELECT NULL, randomblob(abs(random()) % 9000) FROM (VALUES (1),(2),(3))",
    "INSERT INTO t VALUES (NULL, randomblob(abs(random()) % 120000))",
    "UPDATE t SET b = randomblob(abs(random()) % 2000) WHERE a % 3 = abs(random()) % 3",
    "DELETE FROM t WHERE a % 4 = abs(random()) % 4",
    "DELETE FROM t",
    "CREATE TABLE IF NOT EXISTS u(a, b)",
    "DROP TABLE IF EXISTS u",
    "VACUUM",
    "PRAGMA wal_checkpoint(PASSIVE)",
    "PRAGMA wal_checkpoint(RESTART)",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "BEGIN; INSERT INTO t VALUES (NULL, randomblob(50000)); ROLLBACK",
];

/// A checkpoint that would wait for a reader is left undone at once; everything else waits for its turn.
fn execute(open: &Connection, sql: &str) -> rusqlite::Result<()> {
    let wait = if sql.contains("wal_checkpoint") { Duration::from_millis(1) } else { Duration::from_secs(30) };
    open.busy_timeout(wait)?;
    open.execute_batch(sql)
}

#[derive(Clone, Debug)]
enum Act {
    Sql(usize),
    /// What was committed is published; the follower takes it.
    Flush,
    /// The publisher is killed and another one begins.
    Kill,
    /// The last connection of the application is closed, which removes the WAL, and another one opened.
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..SQL.len()).prop_map(Act::Sql),
        4 => Just(Act::Flush),
        1 => Just(Act::Kill),
        1 => Just(Act::Reopen),
    ]
}

/// Runs the acts. At the end, each state that was flushed is restored and compared with the primary as it was then.
async fn run(acts: Vec<Act>) {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let mut open = bench.primary();
    let start = || {
        let mut options = bench.options(vec![Arc::clone(&store)]);
        options.wal_limit = 128 << 10;
        Running::start(options)
    };
    let (mut running, mut follower) = (start(), bench.follower(&store, "replica.db"));
    let mut states: BTreeMap<Txid, Vec<Vec<u8>>> = BTreeMap::new();
    for act in acts.into_iter().chain([Act::Flush]) {
        match act {
            Act::Sql(at) => {
                let mut asked = SQL[at].split("; ");
                asked.try_for_each(|one| execute(&open, one)).unwrap();
            }
            Act::Flush => {
                let txid = running.flush().await;
                states.insert(txid, pages(&bench.at("primary.db")));
                follower.sync().await.unwrap();
                assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
            }
            Act::Kill => {
                running.kill().await;
                running = start();
            }
            Act::Reopen => {
                drop(open);
                open = bench.primary();
            }
        }
    }
    running.stop().await;
    for (number, (txid, wanted)) in states.into_iter().enumerate() {
        let restored = bench.restored(&store, RestorePoint::Txid(txid), &format!("restored-{number}.db")).await;
        assert!(pages(&restored) == wanted, "state {txid} is not what the primary was");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(setting("PROPTEST_CASES", 4)).unwrap_or(4), max_shrink_iters: 30, failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_replica_equals_its_primary_at_every_published_state(acts in prop::collection::vec(act(), 1..25)) {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(acts));
    }
}

/// From many pages to very few, and up again, beneath a reader that keeps its state meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_shrinks_is_followed() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    open.execute("INSERT INTO t VALUES (1, randomblob(3000000))", []).unwrap();
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let reader = Connection::open(bench.at("replica.db")).unwrap();
    let count = |open: &Connection| open.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(count(&reader) > 700);
    reader.execute_batch("BEGIN").unwrap();
    let length = "SELECT length(b) FROM t";
    assert_eq!(reader.query_row(length, [], |row| row.get::<_, i64>(0)).unwrap(), 3_000_000);
    open.execute_batch("DELETE FROM t; VACUUM").unwrap();
    running.flush().await;
    follower.sync().await.unwrap();
    assert_eq!(reader.query_row(length, [], |row| row.get::<_, i64>(0)).unwrap(), 3_000_000, "within a transaction");
    reader.execute_batch("COMMIT").unwrap();
    assert!(count(&reader) < 10);
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    open.execute("INSERT INTO t VALUES (2, randomblob(900000))", []).unwrap();
    let txid = running.flush().await;
    follower.sync().await.unwrap();
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    assert_same(&bench.restored(&store, RestorePoint::Txid(txid), "restored.db").await, &bench.at("primary.db"));
    let check: String = reader.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    running.stop().await;
}

/// Connections of the application that begin the WAL anew while it is read: by checkpoints, and by closing the last connection.
async fn wal_resets(time: Duration) {
    let bench = Bench::new();
    let store = bench.store("bucket");
    drop(bench.primary());
    let mut options = bench.options(vec![Arc::clone(&store)]);
    options.wal_limit = 64 << 10;
    options.sync_interval = Duration::from_millis(10);
    let running = Running::start(options);
    let done = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = ["RESTART", "TRUNCATE", "PASSIVE"]
        .into_iter()
        .map(|kind| {
            let (path, done) = (bench.at("primary.db"), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut round = 0_i64;
                while !done.load(Ordering::Relaxed) {
                    // A connection for each round: now and then it is the last one.
                    let open = Connection::open(&path).unwrap();
                    open.busy_timeout(Duration::from_secs(30)).unwrap();
                    open.execute("INSERT OR REPLACE INTO t VALUES (?1 % 50, randomblob(?1 % 4000))", [round]).unwrap();
                    execute(&open, &format!("PRAGMA wal_checkpoint({kind})")).unwrap();
                    round += 1;
                }
                round
            })
        })
        .collect();
    let begun = Instant::now();
    let mut follower = bench.follower(&store, "replica.db");
    while begun.elapsed() < time {
        let txid = running.flush().await;
        assert!(follower.sync().await.unwrap().position.covers(txid));
        let open = Connection::open(bench.at("replica.db")).unwrap();
        let check: String = open.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
    done.store(true, Ordering::Relaxed);
    let rounds: i64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(rounds > 20, "{rounds} writes");
    running.flush().await;
    follower.sync().await.unwrap();
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wal_is_reset_beneath_the_publisher() {
    wal_resets(Duration::from_secs(3)).await;
}

/// States that each reader has to see. How soon depends on the machine: publisher and follower have what the writer leaves them of it.
const STATES: u64 = 20;

/// A writer at full speed and a reader on each of two replicas, for this time at least and until each reader has seen many states: no
/// reader sees half a transaction, and each state passes the check.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "AKIDB_EDGE_REPLICA_SECONDS (60): make replica"]
async fn minutes_of_a_writer_at_full_speed() {
    let time = Duration::from_secs(setting("AKIDB_EDGE_REPLICA_SECONDS", 60));
    wal_resets(time / 4).await;
    let bench = Bench::new();
    let stores = [bench.store("bucket-0"), bench.store("bucket-1")];
    let open = bench.primary();
    open.execute_batch("INSERT INTO t VALUES (1, 0), (2, 0)").unwrap();
    let running = Running::start(bench.options(stores.to_vec()));
    running.flush().await;
    let done = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writer = {
        let (done, written) = (Arc::clone(&done), Arc::clone(&written));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                // Both rows change together, and others beside them.
                let put = "BEGIN; UPDATE t SET b = b + 1 WHERE a < 3; INSERT OR REPLACE INTO t SELECT 3 + b % 500, randomblob(2000) FROM t WHERE a = 1; COMMIT";
                open.execute_batch(put).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let mut replicas = Vec::new();
    for (at, store) in stores.iter().enumerate() {
        let mut follower = bench.follower(store, &format!("replica-{at}.db"));
        follower.sync().await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            follower.run(async { drop(stopped.await) }).await.unwrap();
            follower.metrics().read()
        });
        let seen = Arc::<AtomicU64>::default();
        let reader = reader(bench.at(&format!("replica-{at}.db")), Arc::clone(&done), Arc::clone(&seen));
        replicas.push((stop, task, reader, seen));
    }
    let begun = Instant::now();
    let enough = |seen: &Arc<AtomicU64>| seen.load(Ordering::Relaxed) >= STATES;
    while begun.elapsed() < time || !replicas.iter().all(|(.., seen)| enough(seen)) {
        assert!(begun.elapsed() < time * 4 + Duration::from_secs(240), "a reader sees nothing new");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let txid = running.flush().await;
    let flushed = Instant::now();
    for (at, (stop, task, reader, seen)) in replicas.into_iter().enumerate() {
        let replica = bench.at(&format!("replica-{at}.db"));
        until("the replica has it", || async {
            Position::of(&replica).unwrap().is_some_and(|position| position.covers(txid))
        })
        .await;
        let after = flushed.elapsed();
        let (looks, seen) = (reader.join().unwrap(), seen.load(Ordering::Relaxed));
        let written = written.load(Ordering::Relaxed);
        println!(
            "replica {at}: {looks} looks saw {seen} states of {written}; the last one {after:?} after it was published"
        );
        drop(stop);
        assert_eq!(task.await.unwrap().verify_failures, 0);
        assert_same(&replica, &bench.at("primary.db"));
        assert_same(&bench.restored(&stores[at], RestorePoint::Txid(txid), &format!("restored-{at}")).await, &replica);
    }
    running.stop().await;
}

/// Looks at a replica until it is told to stop: how often. It counts the states that it sees, and leaves the processor to others
/// between two looks.
fn reader(path: PathBuf, done: Arc<AtomicBool>, seen: Arc<AtomicU64>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let open = Connection::open(path).unwrap();
        let (mut looks, mut last) = (0, -1);
        while !done.load(Ordering::Relaxed) {
            let asked = "SELECT min(b), max(b) FROM t WHERE a < 3";
            let (low, high): (i64, i64) = open.query_row(asked, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!(low, high, "half a transaction");
            assert!(low >= last, "an older state after a newer one");
            seen.fetch_add(u64::from(low != last), Ordering::Relaxed);
            (last, looks) = (low, looks + 1);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        looks
    })
}

/// A large database (AKIDB_EDGE_REPLICA_MIB): published, changed, followed and restored; how long a writer is held up.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs three times AKIDB_EDGE_REPLICA_MIB (2048) of disk: make replica"]
async fn a_large_database() {
    let mib = setting("AKIDB_EDGE_REPLICA_MIB", 2048);
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    for _ in 0..mib {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(1044000))", []).unwrap();
    }
    let mut options = bench.options(vec![Arc::clone(&store)]);
    options.request_timeout = Duration::from_secs(120);
    // A second snapshot while it is written.
    options.snapshot_every = Duration::from_secs(20);
    let running = Running::start(options);
    let begun = Instant::now();
    let snapshots = |running: &Running| running.heard.count(|event| matches!(event, PublishEvent::Snapshot { .. }));
    let (mut longest, mut rounds) = (Duration::ZERO, 0);
    while snapshots(&running) < 2 && begun.elapsed() < Duration::from_secs(1200) {
        let commit = Instant::now();
        open.execute("INSERT OR REPLACE INTO t VALUES (1, randomblob(5000))", []).unwrap();
        longest = longest.max(commit.elapsed());
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let txid = tokio::time::timeout(Duration::from_secs(600), running.flush()).await.unwrap();
    println!(
        "{mib} MiB: {rounds} commits, the longest {longest:?}; locked {} s",
        running.metrics.read().longest_lock_seconds
    );
    assert_eq!(snapshots(&running), 2);
    let seen = status::status(&store, &bench.trust(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(seen.txid, txid);
    running.stop().await;
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    assert_same_large(&bench);
    assert!(longest < Duration::from_millis(500), "a writer waited for {longest:?}");
}

/// As `assert_same`, without both databases in memory.
fn assert_same_large(bench: &Bench) {
    let [one, two] = ["primary.db", "replica.db"].map(|name| Connection::open(bench.at(name)).unwrap());
    let asked = "SELECT count(*), sum(length(b)) FROM t";
    let facts =
        |open: &Connection| -> (i64, i64) { open.query_row(asked, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap() };
    assert_eq!(facts(&one), facts(&two));
    let page = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
    let count: i64 = one.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    for number in 2..=count {
        let [a, b]: [Vec<u8>; 2] = [&one, &two].map(|open| open.query_row(page, [number], |row| row.get(0)).unwrap());
        assert!(a == b, "page {number} differs");
    }
}
