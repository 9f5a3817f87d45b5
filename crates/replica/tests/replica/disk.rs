//! A disk that is full, as a file system of a few hundred KiB in a namespace of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use akidb_edge_replica::publish::IgnoreEvents;
use akidb_edge_replica::{
    FollowFault, FollowOptions, Follower, ObjectStore, PublishOptions, PublishTarget, Publisher, Trust,
};
use rusqlite::Connection;

use crate::bench::{Bench, assert_same, pages};

const FOLDER: &str = "AKIDB_EDGE_REPLICA_DISK_FOLDER";
/// Room of the small disk.
const BYTES: usize = 600 << 10;

/// Runs a test of this file in a process that sees a small disk at `disk` in the folder. Without namespaces it is skipped.
fn on_a_small_disk(test: &str) {
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    if !namespace().arg("true").output().is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: no user namespaces here");
        return;
    }
    let bench = Bench::new();
    std::fs::create_dir(bench.at("disk")).unwrap();
    let script = format!("mount -t tmpfs -o size={BYTES} tmpfs \"$0\" && exec \"$@\"");
    let run = namespace()
        .args(["sh", "-c", &script])
        .arg(bench.at("disk"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, bench.folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("on a small disk"), "{said}");
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from)?;
    println!("on a small disk");
    Some(folder)
}

fn options(folder: &Path, scratch: &Path) -> (Arc<dyn ObjectStore>, PublishOptions) {
    let store: Arc<dyn ObjectStore> = Arc::new(akidb_edge_replica::FolderStore::at(&folder.join("bucket")));
    let target = PublishTarget { name: "region".to_owned(), store: Arc::clone(&store) };
    (store, PublishOptions::new(&folder.join("primary.db"), scratch, vec![target], "here"))
}

async fn publish(options: &PublishOptions) -> Result<(), String> {
    let done =
        Publisher::new(options.clone(), Arc::new(IgnoreEvents)).unwrap().once().await.map_err(|bad| bad.to_string())?;
    done[0].outcome.as_ref().map(drop).map_err(|bad| bad.to_string())
}

fn primary(folder: &Path) -> Connection {
    let open = Connection::open(folder.join("primary.db")).unwrap();
    open.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)").unwrap();
    open
}

#[test]
fn a_follower_on_a_full_disk_keeps_its_state_and_goes_on() {
    on_a_small_disk("disk::a_follower_within");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the test before starts"]
async fn a_follower_within() {
    let Some(folder) = folder() else { return };
    let open = primary(&folder);
    let (store, options) = options(&folder, &folder.join("scratch"));
    open.execute("INSERT INTO t VALUES (1, randomblob(20000))", []).unwrap();
    publish(&options).await.unwrap();
    let replica = folder.join("disk/replica.db");
    let mut follower = Follower::new(FollowOptions::new(store, &replica, Trust::Unsigned), Arc::new(IgnoreEvents));
    follower.sync().await.unwrap();
    let before = pages(&replica);
    open.execute("INSERT INTO t VALUES (2, randomblob(300000))", []).unwrap();
    publish(&options).await.unwrap();
    std::fs::write(folder.join("disk/filler"), vec![1; 300 << 10]).unwrap();
    let refused = follower.sync().await.unwrap_err();
    assert!(matches!(refused, FollowFault::Full { .. } | FollowFault::Local { .. }), "{refused:?}");
    assert!(before == pages(&replica), "the replica changed");
    std::fs::remove_file(folder.join("disk/filler")).unwrap();
    // 300 kB once in the log and once in the file are more than this disk has: the log is emptied in between.
    open.execute_batch("DELETE FROM t WHERE a = 2; VACUUM; INSERT INTO t VALUES (3, randomblob(60000))").unwrap();
    publish(&options).await.unwrap();
    assert!(follower.sync().await.unwrap().changed);
    assert_same(&replica, &folder.join("primary.db"));
}

#[test]
fn a_publisher_on_a_full_disk_says_so_and_goes_on() {
    on_a_small_disk("disk::a_publisher_within");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the test before starts"]
async fn a_publisher_within() {
    let Some(folder) = folder() else { return };
    let open = primary(&folder);
    let (store, options) = options(&folder, &folder.join("disk/scratch"));
    open.execute("INSERT INTO t VALUES (1, randomblob(20000))", []).unwrap();
    publish(&options).await.unwrap();
    open.execute("INSERT INTO t VALUES (2, randomblob(900000))", []).unwrap();
    let refused = publish(&options).await.unwrap_err();
    assert!(!refused.is_empty());
    // The primary is not held up, and what was published stays.
    open.execute("DELETE FROM t WHERE a = 2", []).unwrap();
    let mut follower =
        Follower::new(FollowOptions::new(store, &folder.join("replica.db"), Trust::Unsigned), Arc::new(IgnoreEvents));
    follower.sync().await.unwrap();
    open.execute_batch("VACUUM").unwrap();
    publish(&options).await.unwrap();
    follower.sync().await.unwrap();
    assert_same(&folder.join("replica.db"), &folder.join("primary.db"));
}
