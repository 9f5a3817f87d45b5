use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rusqlite::Connection;

use super::{Capture, Outlook, Segment};
use crate::image::Image;
use crate::publish::{PrimaryFault, Reason};
use crate::txid::Txid;

/// A primary, and a replica that its increments are played into.
struct Bench {
    folder: tempfile::TempDir,
    capture: Capture,
    replica: Image,
    chains: usize,
}

fn database(folder: &Path) -> PathBuf {
    folder.join("db")
}

fn writer(folder: &Path) -> Connection {
    let open = Connection::open(database(folder)).unwrap();
    open.busy_timeout(Duration::from_secs(20)).unwrap();
    open.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL").unwrap();
    open
}

impl Bench {
    fn new(folder: tempfile::TempDir) -> Self {
        for name in ["spool", "tree", "scratch"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let capture = Capture::open(&database(folder.path()), &folder.path().join("spool")).unwrap();
        let replica = Image::create(&folder.path().join("replica-0")).unwrap();
        let mut own = Self { folder, capture, replica, chains: 0 };
        own.begin();
        own
    }

    fn begin(&mut self) {
        let task = self.capture.begin_chain().unwrap();
        let at = |name| self.folder.path().join(name);
        let snapshot = task.run(&at("scratch"), &at("tree"), &at("spool")).unwrap();
        self.capture.adopt(snapshot.tree);
        self.chains += 1;
        self.replica = Image::create(&at(&format!("replica-{}", self.chains))).unwrap();
        self.play(&[snapshot.segment]);
    }

    fn play(&mut self, segments: &[Segment]) {
        for segment in segments {
            self.replica.apply(File::open(&segment.path).unwrap()).unwrap();
            assert_eq!(self.replica.root().unwrap(), segment.root, "state {}", segment.max);
        }
    }

    /// Takes in what a look brought, and begins anew when it has to.
    fn take(&mut self, look: impl FnOnce(&mut Capture, &mut Vec<Segment>) -> Result<Outlook, PrimaryFault>) -> Outlook {
        let mut found = Vec::new();
        let outlook = look(&mut self.capture, &mut found).unwrap();
        self.play(&found);
        if matches!(outlook, Outlook::Broken(_)) {
            self.begin();
        }
        outlook
    }

    fn look(&mut self) -> Outlook {
        self.take(|capture, found| capture.look(found))
    }

    /// Nobody writes: the replica has every page of the primary.
    fn assert_equal(&self) {
        let open = Connection::open(database(self.folder.path())).unwrap();
        let mut asked = open.prepare("SELECT pgno, data FROM sqlite_dbpage ORDER BY pgno").unwrap();
        let mut pages = asked.query([]).unwrap();
        let mut replica = self.replica.pages_in_order().unwrap();
        while let Some(row) = pages.next().unwrap() {
            let (number, page): (u32, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (there, copy) = replica.next().expect("the replica is shorter").unwrap();
            assert!(there == number && page == copy, "page {number}");
        }
        assert!(replica.next().is_none(), "the replica is longer");
    }
}

fn bench(sql: &str) -> (Bench, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let open = writer(folder.path());
    open.execute_batch(sql).unwrap();
    (Bench::new(folder), open)
}

#[test]
fn only_what_changed_is_in_an_increment() {
    let (mut bench, open) = bench(
        "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, randomblob(50) FROM n",
    );
    open.execute("UPDATE t SET b = 'x' WHERE rowid = 7", []).unwrap();
    let mut found = Vec::new();
    assert_eq!(bench.capture.look(&mut found).unwrap(), Outlook::Settled);
    assert_eq!((found.len(), found[0].min, found[0].max), (1, Txid(2), Txid(2)));
    assert_eq!(found[0].page_bytes, 4096);
    bench.play(&found);
    bench.assert_equal();
    assert_eq!(bench.look(), Outlook::Settled);
    assert_eq!(bench.capture.txid(), Txid(2), "nothing changed, and nothing was made of it");
}

#[test]
fn a_log_that_is_emptied_by_us_loses_nothing() {
    let (mut bench, open) = bench("CREATE TABLE t(a)");
    for round in 0..30 {
        for _ in 0..5 {
            open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
        }
        bench.take(|capture, found| capture.empty_log(round % 2 == 0, found));
        open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
        if round % 3 != 0 {
            bench.look();
        }
        if round % 5 == 0 {
            bench.assert_equal_after_look();
        }
    }
    bench.assert_equal_after_look();
    assert_eq!(bench.chains, 1, "no snapshot was needed");
    let wal = std::fs::metadata(bench.folder.path().join("db-wal")).unwrap().len();
    assert!(wal < 300_000, "the log has {wal} bytes");
}

impl Bench {
    fn assert_equal_after_look(&mut self) {
        while matches!(self.look(), Outlook::Broken(_)) {}
        self.assert_equal();
    }
}

#[test]
fn checkpoints_of_others_are_noticed_or_harmless() {
    let (mut bench, open) = bench("CREATE TABLE t(a)");
    for mode in ["PASSIVE", "FULL", "RESTART", "TRUNCATE", "TRUNCATE"] {
        open.busy_timeout(Duration::from_millis(50)).unwrap();
        for _ in 0..3 {
            open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
            let _ = open.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
            open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
        }
        bench.assert_equal_after_look();
        // Also right after the log was made free to begin anew.
        bench.take(|capture, found| capture.empty_log(true, found));
        let _ = open.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
        open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
        let _ = open.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
        open.execute("INSERT INTO t VALUES (randomblob(5000))", []).unwrap();
        bench.assert_equal_after_look();
    }
}

#[test]
fn a_primary_that_is_another_file_is_noticed() {
    let (mut bench, open) = bench("CREATE TABLE t(a)");
    let folder = bench.folder.path().to_owned();
    drop(open);
    let other = folder.join("other");
    Connection::open(&other).unwrap().execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE u(b)").unwrap();
    std::fs::rename(other, database(&folder)).unwrap();
    let mut found = Vec::new();
    assert_eq!(bench.capture.look(&mut found).unwrap(), Outlook::Broken(Reason::Replaced));
    assert!(found.is_empty());
}

#[test]
fn a_vacuum_and_a_shrinking_database_are_followed() {
    let (mut bench, open) = bench("PRAGMA auto_vacuum=FULL; CREATE TABLE t(a); CREATE TABLE u(a)");
    for _ in 0..200 {
        open.execute("INSERT INTO t VALUES (randomblob(9000))", []).unwrap();
    }
    bench.assert_equal_after_look();
    open.execute_batch("DELETE FROM t WHERE rowid % 2").unwrap();
    bench.assert_equal_after_look();
    open.execute_batch("VACUUM; DELETE FROM t; INSERT INTO u VALUES (randomblob(50000)); VACUUM").unwrap();
    bench.assert_equal_after_look();
}

#[test]
fn a_database_without_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(database(folder.path())).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    let refused = Capture::open(&database(folder.path()), folder.path());
    assert!(matches!(refused, Err(PrimaryFault::NoWal { mode, .. }) if mode == "delete"));
}

#[test]
fn a_damaged_database_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let open = writer(folder.path());
    open.execute_batch("CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a)); PRAGMA foreign_keys=OFF; INSERT INTO c VALUES (7)").unwrap();
    let task = super::SnapshotTask::begin(&database(folder.path())).unwrap().numbered(Txid(1), jiff::Timestamp::now());
    let refused = task.run(folder.path(), &folder.path().join("tree"), folder.path());
    assert!(matches!(refused, Err(PrimaryFault::Damaged { check: "foreign_key_check", .. })), "{refused:?}");
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .filter(|one| one.file_name().to_string_lossy().contains("segment"))
            .count(),
        0
    );
}

/// A writer at full speed makes checkpoints itself, others read, and the log is emptied beneath it: nothing is ever missed.
#[test]
fn nothing_is_lost_beneath_a_writer_at_full_speed() {
    let (mut bench, open) = bench("PRAGMA wal_autocheckpoint=7; CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    drop(open);
    let folder = bench.folder.path().to_owned();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for seed in 0..2_i64 {
            let (folder, done) = (&folder, &done);
            threads.spawn(move || {
                let open = writer(folder);
                open.execute_batch("PRAGMA wal_autocheckpoint=7").unwrap();
                let mut round = seed;
                while !done.load(Ordering::Relaxed) {
                    round += 2;
                    let put = "INSERT OR REPLACE INTO t VALUES (?1 % 97, randomblob(?1 % 3000))";
                    open.execute(put, [round]).unwrap();
                }
            });
        }
        let begun = Instant::now();
        let mut rounds = 0;
        while begun.elapsed() < Duration::from_secs(4) || rounds < 30 {
            rounds += 1;
            match rounds % 4 {
                0 => bench.take(|capture, found| capture.empty_log(true, found)),
                1 => bench.take(|capture, found| capture.empty_log(false, found)),
                _ => bench.look(),
            };
        }
        done.store(true, Ordering::Relaxed);
    });
    bench.assert_equal_after_look();
    assert_eq!(bench.chains, 1, "no snapshot was needed");
    assert!(bench.capture.txid() > Txid(5), "{}", bench.capture.txid());
}

/// A snapshot beside the chain is the very state that it says.
#[test]
fn a_snapshot_beside_a_chain_has_its_root() {
    let (mut bench, open) = bench("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    drop(open);
    let folder = bench.folder.path().to_owned();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let open = writer(&folder);
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                open.execute("INSERT OR REPLACE INTO t VALUES (?1 % 97, randomblob(?1 % 3000))", [round]).unwrap();
            }
        });
        for _ in 0..10 {
            let mut found = Vec::new();
            let task = bench.capture.snapshot_beside(&mut found).unwrap();
            let root = bench.capture.root().unwrap().unwrap();
            bench.play(&found);
            let at = |name| folder.join(name);
            let snapshot = task.run(&at("scratch"), &at("beside"), &at("spool")).unwrap();
            assert_eq!((snapshot.segment.root, snapshot.segment.max), (root, bench.capture.txid()));
            bench.look();
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// More of them in the long suite: `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(8)
}

#[derive(Clone, Debug)]
enum Act {
    Sql(&'static str),
    Look,
    Empty(bool),
    Read(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let sql = prop::sample::select(vec![
        "INSERT INTO t SELECT NULL, randomblob(abs(random()) % 9000) FROM (VALUES (1),(2),(3))",
        "INSERT INTO t VALUES (NULL, randomblob(abs(random()) % 120000))",
        "UPDATE t SET b = randomblob(abs(random()) % 2000) WHERE a % 3 = abs(random()) % 3",
        "DELETE FROM t WHERE a % 4 = abs(random()) % 4",
        "DELETE FROM t",
        "CREATE TABLE IF NOT EXISTS u(a, b); CREATE INDEX IF NOT EXISTS i ON u(b); INSERT INTO u SELECT * FROM t",
        "DROP TABLE IF EXISTS u",
        "VACUUM",
        "PRAGMA incremental_vacuum(5)",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(RESTART)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "BEGIN; INSERT INTO t VALUES (NULL, randomblob(50000)); ROLLBACK",
    ]);
    prop_oneof![
        6 => sql.prop_map(Act::Sql),
        4 => Just(Act::Look),
        2 => any::<bool>().prop_map(Act::Empty),
        1 => any::<bool>().prop_map(Act::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whatever is done to a primary: each state that comes of a look is one that the primary was in, and the last one is the present.
    #[test]
    fn a_replica_equals_its_primary_at_every_state(
        vacuum in prop::sample::select(vec!["NONE", "FULL", "INCREMENTAL"]),
        page_size in prop::sample::select(vec![512, 4096, 65536]),
        checkpoint in prop::sample::select(vec![0, 1, 20, 1000]),
        acts in prop::collection::vec(act(), 1..40),
    ) {
        let begin = format!("PRAGMA page_size={page_size}; PRAGMA auto_vacuum={vacuum}; VACUUM; CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
        let folder = tempfile::tempdir().unwrap();
        Connection::open(database(folder.path())).unwrap().execute_batch(&begin).unwrap();
        let open = writer(folder.path());
        open.execute_batch(&format!("PRAGMA wal_autocheckpoint={checkpoint}")).unwrap();
        open.busy_timeout(Duration::from_millis(1)).unwrap();
        let reader = writer(folder.path());
        let mut bench = Bench::new(folder);
        for act in acts {
            match act {
                Act::Sql(sql) => for one in sql.split("; ") {
                    let ran = open.prepare(one).and_then(|mut asked| {
                        let mut rows = asked.query([])?;
                        while rows.next()?.is_some() {}
                        Ok(())
                    });
                    // A checkpoint or a vacuum may have to wait for a reader.
                    let busy = ran.as_ref().is_err_and(super::is_busy);
                    prop_assert!(ran.is_ok() || busy, "{one}: {ran:?}");
                },
                Act::Look => bench.assert_equal_after_look(),
                Act::Empty(firmly) => drop(bench.take(|capture, found| capture.empty_log(firmly, found))),
                Act::Read(true) if reader.is_autocommit() => {
                    reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
                }
                Act::Read(_) => drop(reader.execute_batch("ROLLBACK")),
            }
        }
        bench.assert_equal_after_look();
    }
}
