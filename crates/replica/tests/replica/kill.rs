//! SIGKILL of a publisher and of a follower before and after each of their calls: what is published stays restorable, a replica is a
//! state that was published, and the next process goes on.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use akidb_edge_replica::publish::IgnoreEvents;
use akidb_edge_replica::{
    FollowOptions, Follower, ObjectStore, PublishOptions, PublishTarget, Publisher, RestoreFault, RestoreOptions,
    Trust, restore,
};
use rusqlite::Connection;

use crate::bench::{Bench, assert_same};
use crate::faulty::{STOPPED, StoppingStore};

const FOLDER: &str = "AKIDB_EDGE_REPLICA_KILL_FOLDER";
const ROLE: &str = "AKIDB_EDGE_REPLICA_KILL_ROLE";
const STEP: &str = "AKIDB_EDGE_REPLICA_KILL_STEP";

/// Most half steps of one process; more would be one that never ends.
const MOST: u64 = 200;

/// The process that is killed. Without its settings it is nobody's.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the tests of this file start and kill"]
async fn a_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let step: u64 = std::env::var(STEP).unwrap().parse().unwrap();
    let inner: Arc<dyn ObjectStore> = Arc::new(akidb_edge_replica::FolderStore::at(&folder.join("bucket")));
    let store: Arc<dyn ObjectStore> = Arc::new(StoppingStore::new(inner, step));
    match std::env::var(ROLE).unwrap().as_str() {
        "publish" => {
            let mut publisher = Publisher::new(options(&folder, store), Arc::new(IgnoreEvents)).unwrap();
            publisher.once().await.unwrap()[0].outcome.as_ref().unwrap();
        }
        "continuous" => {
            let mut publisher = Publisher::new(options(&folder, store), Arc::new(IgnoreEvents)).unwrap();
            let flusher = publisher.flusher();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let task = tokio::spawn(async move { publisher.continuous(async { drop(stopped.await) }).await });
            let open = Connection::open(folder.join("primary.db")).unwrap();
            for _ in 0..3 {
                flusher.flush(std::time::Duration::from_secs(60)).await.unwrap();
                open.execute("INSERT INTO t VALUES (NULL, randomblob(9000))", []).unwrap();
            }
            flusher.flush(std::time::Duration::from_secs(60)).await.unwrap();
            drop(stop);
            task.await.unwrap().unwrap();
        }
        role => {
            assert_eq!(role, "follow");
            let options = FollowOptions::new(store, &folder.join("replica.db"), Trust::Unsigned);
            Follower::new(options, Arc::new(IgnoreEvents)).sync().await.unwrap();
        }
    }
}

fn options(folder: &Path, store: Arc<dyn ObjectStore>) -> PublishOptions {
    let target = PublishTarget { name: "region".to_owned(), store };
    PublishOptions::new(&folder.join("primary.db"), &folder.join("scratch"), vec![target], "here")
}

/// Starts a process, and kills it at a half step. Whether it came so far.
fn killed(folder: &Path, role: &str, step: u64) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::a_process_that_is_killed", "--ignored", "--nocapture"])
        .envs([(FOLDER, folder.as_os_str()), (ROLE, role.as_ref()), (STEP, step.to_string().as_ref())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reached = lines.map_while(Result::ok).any(|line| line.contains(STOPPED));
    if reached {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(status.success(), !reached, "{role} at step {step}: {status}");
    reached
}

/// The newest state that is published; none: nothing is.
async fn newest(bench: &Bench, store: &Arc<dyn ObjectStore>, name: &str) -> Option<std::path::PathBuf> {
    let options = RestoreOptions::new(Arc::clone(store), Trust::Unsigned, bench.at(name));
    match restore::restore(&options).await {
        Ok(_) => Some(bench.at(name)),
        Err(RestoreFault::Empty { .. }) => None,
        Err(bad) => panic!("{name}: {bad}"),
    }
}

/// The rows of a database that passes SQLite's check.
fn rows(path: &Path) -> i64 {
    let open = Connection::open(path).unwrap();
    let said: String = open.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    open.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

async fn publish(bench: &Bench, store: &Arc<dyn ObjectStore>) {
    let mut publisher =
        Publisher::new(options(bench.folder.path(), Arc::clone(store)), Arc::new(IgnoreEvents)).unwrap();
    publisher.once().await.unwrap()[0].outcome.as_ref().unwrap();
}

async fn publishers_are_killed(role: &str, every: u64) {
    let mut steps = 0;
    for step in (1..MOST).step_by(usize::try_from(every).unwrap()) {
        let bench = Bench::new();
        let store = bench.store("bucket");
        let open = bench.primary();
        open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
        // The first state is whole before the process begins that is killed.
        publish(&bench, &store).await;
        open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
        let reached = killed(bench.folder.path(), role, step);
        let restored = newest(&bench, &store, "after.db").await.expect("the first state stays");
        let there = rows(&restored);
        assert!((1..=rows(&bench.at("primary.db"))).contains(&there), "step {step}: {there} rows");
        publish(&bench, &store).await;
        let restored = newest(&bench, &store, "next.db").await.expect("a state");
        assert_same(&restored, &bench.at("primary.db"));
        if !reached {
            break;
        }
        steps += 1;
    }
    assert!(steps > 4 && steps < MOST / every - 1, "{steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_of_snapshots_is_killed_at_each_step() {
    publishers_are_killed("publish", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute: make replica"]
async fn a_continuous_publisher_is_killed_at_each_step() {
    publishers_are_killed("continuous", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_is_killed_at_each_step() {
    let mut steps = 0;
    for step in 1..MOST {
        let bench = Bench::new();
        let store = bench.store("bucket");
        let open = bench.primary();
        open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
        publish(&bench, &store).await;
        let follow = || FollowOptions::new(Arc::clone(&store), &bench.at("replica.db"), Trust::Unsigned);
        // Every second one is killed while the replica is made, the others while it is changed.
        let exists = step % 2 == 0;
        if exists {
            Follower::new(follow(), Arc::new(IgnoreEvents)).sync().await.unwrap();
            open.execute("INSERT INTO t VALUES (NULL, randomblob(20000))", []).unwrap();
            publish(&bench, &store).await;
        }
        let reached = killed(bench.folder.path(), "follow", step.div_ceil(2));
        // Readers see a whole state, the former one or the new one; or there is no file yet.
        if exists || bench.at("replica.db").exists() {
            let there = rows(&bench.at("replica.db"));
            assert!((1..=rows(&bench.at("primary.db"))).contains(&there), "step {step}: {there} rows");
        }
        Follower::new(follow(), Arc::new(IgnoreEvents)).sync().await.unwrap();
        assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
        if !reached && exists {
            break;
        }
        steps += u64::from(reached);
    }
    assert!(steps > 3 && steps < MOST - 1, "{steps} steps");
}

/// A process that follows without being stopped.
fn following(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::a_process_that_is_killed", "--ignored", "--nocapture"])
        .envs([(FOLDER, folder.as_os_str()), (ROLE, "follow".as_ref()), (STEP, MOST.to_string().as_ref())])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not between calls, but in the middle of whatever it does: within a transaction of SQLite, too. The database keeps its size, and the
/// times of the kills follow from how long a process takes on this machine: with a fixed time and a database that grows, a slow machine
/// would kill each of them before it changes anything.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute: make replica"]
async fn a_follower_is_killed_at_any_time() {
    const ROUNDS: u32 = 60;
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    open.execute("INSERT INTO t VALUES (0, randomblob(1500000))", []).unwrap();
    let options = || FollowOptions::new(Arc::clone(&store), &bench.at("replica.db"), Trust::Unsigned);
    let mut took = std::time::Duration::ZERO;
    let (mut before, mut after) = (0, 0);
    for round in 0..ROUNDS {
        // Each state has one row more; the large one changes as a whole.
        open.execute("UPDATE t SET b = randomblob(1500000) WHERE a = 0", []).unwrap();
        open.execute("INSERT INTO t VALUES (NULL, 1)", []).unwrap();
        publish(&bench, &store).await;
        let wanted = rows(&bench.at("primary.db"));
        let begun = std::time::Instant::now();
        let mut child = following(bench.folder.path());
        if round % 10 == 0 {
            // One in ten ends by itself: it says how long the others have.
            assert!(child.wait().unwrap().success());
            took = begun.elapsed();
            assert_eq!(rows(&bench.at("replica.db")), wanted);
            continue;
        }
        // The time of the kill is what varies, from the start to a little behind the end; nothing is waited for.
        tokio::time::sleep(took * (round % 10 * 6 + round / 10) / 46).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let there = rows(&bench.at("replica.db"));
        assert!((1..=wanted).contains(&there), "round {round}: {there} rows");
        *if there == wanted { &mut after } else { &mut before } += 1;
    }
    println!("{before} kills came before the commit, {after} after it; a whole process takes {took:?}");
    assert!(before > 0 && after > 0, "every kill came {}", if after > 0 { "too late" } else { "too early" });
    Follower::new(options(), Arc::new(IgnoreEvents)).sync().await.unwrap();
    assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
}
