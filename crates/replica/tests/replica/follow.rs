//! A replica, and its readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use akidb_edge_replica::control::{Pause, pause, resume};
use akidb_edge_replica::{FollowFault, Position, Txid};
use rusqlite::Connection;

use crate::bench::{Bench, assert_same, until};
use crate::continuous::Running;

fn rows(open: &Connection) -> i64 {
    open.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_reader_sees_new_data_with_its_next_transaction() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    bench.publisher(&store).once().await.unwrap();
    let mut follower = bench.follower(&store, "replica.db");
    assert!(follower.sync().await.unwrap().changed);
    let reader = Connection::open(bench.at("replica.db")).unwrap();
    assert_eq!(rows(&reader), 0);
    for round in 1..=5 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
        // The schema, too.
        open.execute_batch(&format!("CREATE TABLE u{round}(a); INSERT INTO u{round} VALUES (1)")).unwrap();
        bench.publisher(&store).once().await.unwrap();
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(rows(&reader), round - 1);
        assert!(follower.sync().await.unwrap().changed);
        assert_eq!(rows(&reader), round - 1, "within a transaction everything stays");
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(rows(&reader), round);
        reader.query_row(&format!("SELECT a FROM u{round}"), [], |_| Ok(())).unwrap();
        assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    }
    assert!(!follower.sync().await.unwrap().changed);
    let position = Position::of(&bench.at("replica.db")).unwrap().unwrap();
    assert!(position.covers(Txid(6)) && !position.covers(Txid(7)));
    assert!(position.require(Duration::from_secs(60), jiff::Timestamp::now()).is_ok());
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    assert_eq!(position.require(Duration::from_secs(60), later).unwrap_err().txid, Txid(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_follows_each_change_and_no_reader_sees_half_of_one() {
    let bench = Bench::new();
    let open = bench.primary();
    open.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO t SELECT i, 0 FROM n",
    )
    .unwrap();
    let store = bench.store("bucket");
    let mut options = bench.options(vec![Arc::clone(&store)]);
    options.wal_limit = 256 << 10;
    let running = Running::start(options);
    running.flush().await;
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (path, stop) = (bench.at("replica.db"), Arc::clone(&done));
    let reader = std::thread::spawn(move || {
        let open = Connection::open(path).unwrap();
        let (mut looks, mut seen) = (0, std::collections::BTreeSet::new());
        while !stop.load(Ordering::Relaxed) {
            let (low, high, sum): (i64, i64, i64) = open
                .query_row("SELECT min(b), max(b), sum(b) FROM t WHERE a <= 300", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .unwrap();
            assert_eq!((low, sum), (high, low * 300), "half a transaction");
            looks += 1;
            seen.insert(low);
        }
        (looks, seen.len())
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let following = tokio::spawn(async move {
        follower.run(async { drop(stopped.await) }).await.unwrap();
        follower
    });
    for round in 1..=40 {
        // All rows change together, and the database grows and shrinks.
        open.execute_batch(&format!("BEGIN; UPDATE t SET b = {round} WHERE a <= 300; INSERT INTO t VALUES ({}, randomblob({})); DELETE FROM t WHERE a > 300 AND a % 3 = {round} % 3; COMMIT", 300 + round, round * 1000)).unwrap();
        if round % 10 == 0 {
            open.execute_batch("VACUUM").unwrap();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let txid = running.flush().await;
    until("the replica has it", || async {
        Position::of(&bench.at("replica.db")).unwrap().is_some_and(|position| position.covers(txid))
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let (looks, seen) = reader.join().unwrap();
    assert!(looks > 40 && seen > 3, "{looks} looks saw {seen} states");
    drop(stop);
    let follower = following.await.unwrap();
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    assert_eq!(follower.metrics().read().verify_failures, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_killed_goes_on() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    for _ in 0..4 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
        running.flush().await;
        let mut follower = bench.follower(&store, "replica.db");
        follower.sync().await.unwrap();
        drop(follower);
        assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_somebody_wrote_to_is_put_right() {
    let bench = Bench::new();
    let open = bench.primary();
    open.execute("INSERT INTO t VALUES (NULL, randomblob(90000))", []).unwrap();
    let store = bench.store("bucket");
    bench.publisher(&store).once().await.unwrap();
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let vandal = Connection::open(bench.at("replica.db")).unwrap();
    vandal.execute_batch("INSERT INTO t VALUES (NULL, 'mine')").unwrap();
    assert!(follower.sync().await.unwrap().changed);
    assert_eq!(rows(&vandal), 1);
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    // Also one that is only seen when the follower starts again.
    drop(follower);
    vandal.execute_batch("DELETE FROM t").unwrap();
    let mut follower = bench.follower(&store, "replica.db");
    assert!(follower.sync().await.unwrap().changed);
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_the_replica_as_it_is() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    bench.publisher(&store).once().await.unwrap();
    let mut follower = bench.follower(&store, "replica.db");
    follower.sync().await.unwrap();
    let limit = Duration::from_secs(5);
    let by = Pause { by: "ann".to_owned(), at: jiff::Timestamp::now(), reason: "drill".to_owned() };
    pause(&store, &by, limit).await.unwrap();
    assert!(matches!(follower.sync().await, Err(FollowFault::Paused(pause)) if pause == by));
    resume(&store, limit).await.unwrap();
    open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
    bench.publisher(&store).once().await.unwrap();
    assert!(follower.sync().await.unwrap().changed);
}

/// The database that a reader in another process opens.
const READER: &str = "AKIDB_EDGE_REPLICA_READER";

/// A reader in a process of its own, as `sqlite3 replica.db` is one.
#[test]
#[ignore = "a process that the test below starts"]
fn a_reader_within() {
    let Some(database) = std::env::var_os(READER) else { return };
    println!("rows: {}.", rows(&Connection::open(database).unwrap()));
}

fn rows_in_another_process(database: &std::path::Path) -> i64 {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "follow::a_reader_within", "--ignored", "--nocapture"])
        .env(READER, database)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let count = said.split_once("rows: ").and_then(|(_, rest)| rest.split_once('.'));
    count.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&run.stderr))).0.parse().unwrap()
}

/// A reader that ends makes a checkpoint and removes the log when it is the last one: the follower's locks say that it is not. Locks
/// within one process would not show that.
#[tokio::test(flavor = "multi_thread")]
async fn readers_in_other_processes_come_and_go() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let replica = bench.at("replica.db");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    // One that makes the replica, and one that finds it.
    for turn in 0..2 {
        let mut follower = bench.follower(&store, "replica.db");
        follower.sync().await.unwrap();
        for round in 1..=4 {
            open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
            running.flush().await;
            assert!(follower.sync().await.unwrap().changed);
            assert_eq!(rows_in_another_process(&replica), turn * 4 + round);
            assert!(bench.at("replica.db-wal").exists(), "the reader removed the log beneath the follower");
        }
        assert_same(&replica, &bench.at("primary.db"));
    }
    running.stop().await;
}

/// Somebody removes the replica, with or without its log, or puts an empty file there, while it is followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_removed_is_made_again() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let replica = bench.at("replica.db");
    let mut follower = bench.follower(&store, "replica.db");
    for (round, gone) in [vec![""], vec!["", "-wal", "-shm"], vec!["", "-shm"]].into_iter().enumerate() {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(50000))", []).unwrap();
        bench.publisher(&store).once().await.unwrap();
        follower.sync().await.unwrap();
        // Something that only the log has.
        open.execute("UPDATE t SET b = randomblob(40000)", []).unwrap();
        bench.publisher(&store).once().await.unwrap();
        follower.sync().await.unwrap();
        for end in gone {
            std::fs::remove_file(bench.at(&format!("replica.db{end}"))).unwrap();
        }
        // Nothing is new in the bucket: the replica alone has changed.
        assert!(follower.sync().await.unwrap().changed, "round {round}");
        assert_same(&replica, &bench.at("primary.db"));
    }
    let other = Connection::open(bench.at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE mine(a); INSERT INTO mine VALUES (randomblob(90000))").unwrap();
    drop(other);
    std::fs::rename(bench.at("other.db"), &replica).unwrap();
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(bench.at(&format!("replica.db{end}"))).unwrap();
    }
    assert!(follower.sync().await.unwrap().changed);
    assert_same(&replica, &bench.at("primary.db"));
}

/// The smallest and the largest pages that SQLite has.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_every_size_are_followed() {
    for size in [512, 1024, 8192, 65_536] {
        let bench = Bench::new();
        let before = Connection::open(bench.at("primary.db")).unwrap();
        before
            .execute_batch(&format!("PRAGMA page_size={size}; PRAGMA journal_mode=WAL; CREATE TABLE first(a)"))
            .unwrap();
        drop(before);
        let open = bench.primary();
        let store = bench.store("bucket");
        let running = Running::start(bench.options(vec![Arc::clone(&store)]));
        let mut follower = bench.follower(&store, "replica.db");
        for round in 0..4 {
            open.execute("INSERT INTO t VALUES (NULL, randomblob(?1))", [round * 90_000]).unwrap();
            open.execute("DELETE FROM t WHERE a % 3 = 2", []).unwrap();
            running.flush().await;
            follower.sync().await.unwrap();
            assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
        }
        let page: i64 = Connection::open(bench.at("replica.db"))
            .unwrap()
            .query_row("PRAGMA page_size", [], |row| row.get(0))
            .unwrap();
        assert_eq!(page, size);
        running.stop().await;
    }
}

/// Tables and indexes that come, change and go, over one page of schema and over many: SQLite checks each state by its own schema, in a
/// follower that has just begun, which checks every page, and in one that goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_changes_is_checked_as_it_is() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    let mut follower = bench.follower(&store, "replica-0.db");
    let many = |text: &dyn Fn(u32) -> String| (0..60).map(text).collect::<String>();
    let steps = [
        "CREATE TABLE u(a, b); INSERT INTO u VALUES (1, randomblob(9000))".to_owned(),
        "CREATE INDEX i ON u(a); CREATE TABLE v AS SELECT * FROM u".to_owned(),
        "ALTER TABLE u ADD COLUMN c; DROP TABLE v".to_owned(),
        many(&|at| {
            format!(
                "CREATE TABLE many{at}(a, b, c, d, e, f, g, h, i, j); INSERT INTO many{at}(a) VALUES (randomblob(50));"
            )
        }),
        "CREATE TABLE after_many(a); INSERT INTO after_many VALUES (1)".to_owned(),
        many(&|at| if at % 3 == 0 { format!("DROP TABLE many{at};") } else { String::new() }),
        "VACUUM".to_owned(),
        many(&|at| if at % 3 != 0 { format!("DROP TABLE many{at};") } else { String::new() }),
        "DROP TABLE u".to_owned(),
    ];
    for sql in steps {
        open.execute_batch(&sql).unwrap();
        running.flush().await;
        for follower in [&mut follower, &mut bench.follower(&store, "replica-1.db")] {
            follower.sync().await.unwrap_or_else(|bad| panic!("{}: {bad}", &sql[..30.min(sql.len())]));
        }
        for replica in ["replica-0.db", "replica-1.db"] {
            assert_same(&bench.at(replica), &bench.at("primary.db"));
        }
    }
    assert_eq!(follower.metrics().read().verify_failures, 0);
    running.stop().await;
}
