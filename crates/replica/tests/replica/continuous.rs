//! Each change, as soon as it is committed.

use std::sync::Arc;
use std::time::Duration;

use akidb_edge_replica::publish::{Flusher, PrimaryFault, PublishEvent, Reason};
use akidb_edge_replica::{PublishFault, PublishOptions, Publisher, RestorePoint, Txid, status};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bench::{Bench, Heard, assert_same, until};

/// A publisher that runs.
pub struct Running {
    pub heard: Heard,
    pub flusher: Flusher,
    pub metrics: akidb_edge_replica::metrics::Board<akidb_edge_replica::metrics::PublishMetrics>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), PublishFault>>,
}

impl Running {
    pub fn start(options: PublishOptions) -> Self {
        let heard = Heard::default();
        let mut publisher = Publisher::new(options, Arc::new(heard.clone())).unwrap();
        let (flusher, metrics) = (publisher.flusher(), publisher.metrics());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move { publisher.continuous(async { drop(stopped.await) }).await });
        Self { heard, flusher, metrics, stop: Some(stop), task }
    }

    /// Everything that was committed is published.
    pub async fn flush(&self) -> Txid {
        self.flusher.flush(Duration::from_secs(60)).await.unwrap()
    }

    pub async fn stop(mut self) -> Heard {
        drop(self.stop.take());
        self.task.await.unwrap().unwrap();
        self.heard
    }

    pub async fn ended(self) -> PublishFault {
        self.task.await.unwrap().unwrap_err()
    }

    /// As a SIGKILL would: nothing is given back.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

fn snapshots(heard: &Heard) -> Vec<Reason> {
    let reason = |event: &PublishEvent| match event {
        PublishEvent::Snapshot { reason, .. } => Some(*reason),
        _ => None,
    };
    heard.all().iter().filter_map(reason).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_published_and_restored() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    for round in 0..5 {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
        let txid = running.flush().await;
        let restored = bench.restored(&store, RestorePoint::Txid(txid), &format!("restored-{round}")).await;
        assert_same(&restored, &bench.at("primary.db"));
    }
    let heard = running.stop().await;
    assert_eq!(snapshots(&heard), [Reason::Start]);
    let seen = status::status(&store, &bench.trust(), Duration::from_secs(5)).await.unwrap();
    assert!(seen.continuous && seen.lease.unwrap().released);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_changes_there_is_no_request() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
    running.flush().await;
    let requests = || async { running.metrics.read().targets["region-0"].requests.clone() };
    // The head follows within half a second.
    let mut before = requests().await;
    until("the head was moved", || async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = requests().await;
        now == std::mem::replace(&mut *std::sync::Mutex::new(before.clone()).lock().unwrap(), now.clone())
    })
    .await;
    before = requests().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(requests().await, before);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_another_file_begins_a_new_chain() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    open.execute("INSERT INTO t VALUES (NULL, randomblob(90000))", []).unwrap();
    running.flush().await;
    drop(open);
    let other = rusqlite::Connection::open(bench.at("other.db")).unwrap();
    other.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE u(a); INSERT INTO u VALUES (randomblob(3000))").unwrap();
    drop(other);
    // As SQLite asks for: the log of the former one goes with it.
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(bench.at(&format!("primary.db{end}"))).unwrap();
    }
    std::fs::rename(bench.at("other.db"), bench.at("primary.db")).unwrap();
    let txid = running.flush().await;
    let open = rusqlite::Connection::open(bench.at("primary.db")).unwrap();
    open.execute("INSERT INTO u VALUES (1)", []).unwrap();
    assert!(running.flush().await > txid);
    let restored = bench.restored(&store, RestorePoint::Latest, "restored.db").await;
    assert_same(&restored, &bench.at("primary.db"));
    assert_eq!(snapshots(&running.stop().await), [Reason::Start, Reason::Replaced]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_primaries_the_one_that_lost_its_turn_says_who_has_it() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let mut options = bench.options(vec![Arc::clone(&store)]);
    let one = Running::start(options.clone());
    open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
    one.flush().await;
    (options.holder, options.scratch) = ("elsewhere".to_owned(), bench.at("scratch-2"));
    let held = Running::start(options.clone()).ended().await;
    assert!(matches!(&held, PublishFault::Held { holder, .. } if holder == "here"), "{held}");
    options.take_over = true;
    let two = Running::start(options);
    two.flush().await;
    open.execute("INSERT INTO t VALUES (NULL, 2)", []).unwrap();
    let fenced = one.ended().await;
    assert!(matches!(&fenced, PublishFault::Fenced { holder, .. } if holder == "elsewhere"), "{fenced}");
    let txid = two.flush().await;
    assert_same(&bench.restored(&store, RestorePoint::Txid(txid), "restored.db").await, &bench.at("primary.db"));
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_goes_on_behind_what_it_published() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let mut last = Txid(0);
    for round in 0..4 {
        let running = Running::start(bench.options(vec![Arc::clone(&store)]));
        open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
        let txid = running.flush().await;
        assert!(txid > last);
        last = txid;
        // Nobody sees this one.
        open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
        running.kill().await;
        open.execute_batch("INSERT INTO t VALUES (NULL, 3); PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        bench.restored(&store, RestorePoint::Txid(txid), &format!("restored-{round}")).await;
    }
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    assert_same(&bench.restored(&store, RestorePoint::Latest, "restored.db").await, &bench.at("primary.db"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_beneath_a_writer() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let mut options = bench.options(vec![Arc::clone(&store)]);
    options.wal_limit = 128 << 10;
    let running = Running::start(options);
    running.flush().await;
    for round in 0..400 {
        open.execute("INSERT OR REPLACE INTO t VALUES (?1 % 20, randomblob(3000))", [round]).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.flush().await;
    let log = std::fs::metadata(bench.at("primary.db-wal")).unwrap().len();
    assert!(log < 2 << 20, "{log} bytes, of 400 times at least 8 KiB that were written");
    assert!(running.metrics.read().longest_lock_seconds < 1.0);
    assert_same(&bench.restored(&store, RestorePoint::Latest, "restored.db").await, &bench.at("primary.db"));
    assert_eq!(snapshots(&running.stop().await), [Reason::Start]);
}

/// Somebody turns the log off while it is published: that is said, and does not look like a database in which nothing changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_leaves_wal_mode_is_an_error() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
    running.flush().await;
    // The publisher's own connections keep the log: SQLite refuses it while they are open.
    open.busy_timeout(Duration::from_millis(50)).unwrap();
    let mode: Result<String, _> = open.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get(0));
    assert!(mode.as_ref().map_or(true, |mode| mode == "wal"), "{mode:?}");
    running.stop().await;
    let mode: String = open.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    let ended = Running::start(bench.options(vec![Arc::clone(&store)])).ended().await;
    assert!(matches!(&ended, PublishFault::Primary(PrimaryFault::NoWal { mode, .. }) if mode == "delete"), "{ended}");
}
