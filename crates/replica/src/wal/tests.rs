use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::{Tail, Wal};

const MANY: usize = 1 << 20;

fn primary() -> (tempfile::TempDir, PathBuf, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let open = Connection::open(&path).unwrap();
    open.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a)").unwrap();
    (folder, path, open)
}

fn wal(path: &Path) -> Wal {
    Wal::open(&Wal::beside(path)).unwrap().unwrap()
}

fn visible(open: &Connection) -> u64 {
    let (frames, _) = open.wal_checkpoint_v2(Some("main"), CheckpointMode::NOOP).unwrap();
    u64::try_from(frames).unwrap()
}

fn all(path: &Path, open: &Connection) -> Tail {
    wal(path).scan(wal(path).generation().start(), visible(open), MANY).unwrap().unwrap()
}

#[test]
fn every_committed_page_is_found_as_sqlite_reads_it() {
    let (_folder, path, open) = primary();
    for round in 0..40 {
        open.execute("INSERT INTO t VALUES (zeroblob(?1))", [round * 97]).unwrap();
    }
    let tail = all(&path, &open);
    let count: u32 = open.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    assert_eq!((tail.commit, tail.transactions), (count, 41));
    // All pages but the first were written in this filling, and that one, too.
    assert_eq!(tail.pages.keys().copied().collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
    for (page, frame) in &tail.pages {
        let mut bytes = vec![0; wal(&path).generation().page_size as usize];
        wal(&path).page(*frame, &mut bytes).unwrap();
        let read: Vec<u8> =
            open.query_row("SELECT data FROM sqlite_dbpage WHERE pgno=?1", [page], |row| row.get(0)).unwrap();
        assert!(bytes == read, "page {page}");
    }
    assert!(!wal(&path).goes_on(tail.end.frames).unwrap());
    assert!(wal(&path).scan(tail.end, tail.end.frames + 1, MANY).unwrap().is_none());
}

#[test]
fn what_is_not_committed_is_not_there() {
    let (_folder, path, mut open) = primary();
    let before = all(&path, &open).end;
    let other = Connection::open(&path).unwrap();
    other.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
    open.execute_batch("PRAGMA cache_size=5").unwrap();
    let change = open.transaction().unwrap();
    for _ in 0..50 {
        change.execute("INSERT INTO t VALUES (randomblob(3000))", []).unwrap();
    }
    assert_eq!(visible(&other), before.frames);
    assert!(wal(&path).goes_on(before.frames).unwrap(), "pages were spilled");
    // Not even when the file is read further than SQLite says: nothing ends a transaction there.
    assert!(wal(&path).scan(before, before.frames + 3, MANY).unwrap().is_none());
    change.rollback().unwrap();
    open.execute("INSERT INTO t VALUES (1)", []).unwrap();
    let tail = wal(&path).scan(before, visible(&other), MANY).unwrap().unwrap();
    assert_eq!(tail.transactions, 1);
}

#[test]
fn a_log_that_began_anew_is_told_apart() {
    let (_folder, path, open) = primary();
    let (former, place) = (wal(&path), all(&path, &open).end);
    open.execute_batch("PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (1)").unwrap();
    let now = wal(&path);
    assert!(now.generation().follows(&former.generation()));
    assert_eq!(all(&path, &open).transactions, 1);
    assert!(
        now.scan(place, place.frames + 1, MANY).unwrap().is_none(),
        "frames of the former filling are none of this"
    );
    open.execute_batch("PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (1)").unwrap();
    open.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (1)").unwrap();
    assert!(!wal(&path).generation().follows(&former.generation()));
}

#[test]
fn a_damaged_frame_is_no_frame() {
    let (_folder, path, open) = primary();
    open.execute_batch("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").unwrap();
    let frames = all(&path, &open).end.frames;
    let file = OpenOptions::new().write(true).open(Wal::beside(&path)).unwrap();
    let last = super::HEADER as u64 + (frames - 1) * (24 + u64::from(wal(&path).generation().page_size));
    file.write_all_at(&[0xff], last + 24 + 100).unwrap();
    let start = wal(&path).generation().start();
    assert!(wal(&path).scan(start, frames, MANY).unwrap().is_none());
    assert!(wal(&path).scan(start, frames - 1, MANY).unwrap().is_some());
}

#[test]
fn a_transaction_with_very_many_pages_is_not_kept_in_mind() {
    let (_folder, path, open) = primary();
    open.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap();
    let tail = wal(&path).scan(wal(&path).generation().start(), visible(&open), 10).unwrap().unwrap();
    assert!(tail.too_many && tail.pages.len() == 10 && tail.transactions == 2);
}

#[test]
fn no_log_and_an_empty_one_are_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db-wal");
    assert!(Wal::open(&path).unwrap().is_none());
    std::fs::write(&path, [0; 31]).unwrap();
    assert!(Wal::open(&path).unwrap().is_none());
    std::fs::write(&path, [0; 4096]).unwrap();
    assert!(Wal::open(&path).unwrap().is_none());
}
