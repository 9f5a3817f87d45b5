//! What stock Litestream and its format's own program say of the chains, and what this crate says of Litestream's. Both are pinned, and
//! built by `crates/replica/tests/judges/build`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use akidb_edge_replica::publish::IgnoreEvents;
use akidb_edge_replica::{
    FollowOptions, Follower, ObjectStore, RestoreOptions, RestorePoint, Trust, Txid, VerifyOptions, VerifyOutcome,
    restore, status, verify,
};
use rusqlite::Connection;

use crate::bench::{Bench, assert_same, until};
use crate::continuous::Running;

fn judge(name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folder = std::env::var_os("AKIDB_EDGE_REPLICA_JUDGES").map(PathBuf::from);
    let path = folder.unwrap_or_else(|| home.join(".cache/akidb-edge/replica-judges/bin")).join(name);
    assert!(path.exists(), "{} is not there: crates/replica/tests/judges/build makes it", path.display());
    path
}

fn ran(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {said}");
    said
}

/// Restores by Litestream, with its own check of the result.
fn litestream(bucket: &Path, txid: Option<Txid>, output: &Path) {
    let mut command = Command::new(judge("litestream"));
    command.args(["restore", "-integrity-check", "full", "-o"]).arg(output);
    if let Some(txid) = txid {
        command.args(["-txid", &txid.to_string()]);
    }
    ran(command.arg(format!("file://{}", bucket.display())));
}

/// Every object by the format's own program.
async fn ltx_verify(store: &Arc<dyn ObjectStore>, bucket: &Path) -> usize {
    let objects = store.list("ltx/", None).await.unwrap().objects;
    let mut command = Command::new(judge("ltx"));
    command.arg("verify").args(objects.iter().map(|one| bucket.join(&one.key)));
    ran(&mut command);
    objects.len()
}

fn work(open: &Connection, round: i64) {
    let some = [
        "INSERT INTO t VALUES (NULL, randomblob(30000))",
        "UPDATE t SET b = randomblob(500) WHERE a % 3 = 1",
        "CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t",
        "DELETE FROM t WHERE a % 2",
        "DROP TABLE IF EXISTS u",
        "VACUUM",
        "INSERT INTO t SELECT NULL, zeroblob(9000) FROM (VALUES (1), (2), (3), (4))",
    ];
    open.execute_batch(some[usize::try_from(round).unwrap() % some.len()]).unwrap();
}

/// P0: every state of every chain, restored by stock Litestream, byte by byte what this crate restores.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs stock litestream and ltx: make replica"]
async fn litestream_restores_every_state_of_a_chain() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let bucket = bench.at("bucket");
    let mut states = Vec::new();
    for turn in 0..4 {
        let mut options = bench.options(vec![Arc::clone(&store)]);
        options.holder = format!("holder-{}", turn / 2);
        options.take_over = true;
        options.wal_limit = 64 << 10;
        let running = Running::start(options);
        for round in 0..9 {
            work(&open, turn * 9 + round);
            states.push(running.flush().await);
        }
        // In order once, killed once: the next one takes over with a claim.
        if turn % 2 == 0 { drop(running.stop().await) } else { running.kill().await }
    }
    assert!(ltx_verify(&store, &bucket).await > 30);
    states.dedup();
    for (index, txid) in states.iter().enumerate() {
        let ours = bench.restored(&store, RestorePoint::Txid(*txid), &format!("ours-{index}")).await;
        let theirs = bench.at(&format!("theirs-{index}"));
        litestream(&bucket, Some(*txid), &theirs);
        assert!(std::fs::read(ours).unwrap() == std::fs::read(&theirs).unwrap(), "state {txid}");
    }
    litestream(&bucket, None, &bench.at("newest"));
    assert_same(&bench.at("newest"), &bench.at("primary.db"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs stock litestream and ltx: make replica"]
async fn litestream_restores_snapshots_that_were_asked_for() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    for round in 0..7 {
        work(&open, round);
        let done = bench.publisher(&store).once().await.unwrap();
        let txid = done[0].outcome.as_ref().unwrap().txid;
        litestream(&bench.at("bucket"), Some(txid), &bench.at(&format!("theirs-{round}")));
        assert_same(&bench.at(&format!("theirs-{round}")), &bench.at("primary.db"));
    }
    ltx_verify(&store, &bench.at("bucket")).await;
}

/// A bucket that Litestream writes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs stock litestream and ltx: make replica"]
async fn a_bucket_of_litestream_is_verified_followed_and_restored() {
    let bench = Bench::new();
    let open = bench.primary();
    let (primary, bucket) = (bench.at("primary.db"), bench.at("bucket"));
    let mut replicate = Command::new(judge("litestream"));
    replicate.arg("replicate").arg(&primary).arg(format!("file://{}", bucket.display()));
    let mut litestream = replicate.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let store = bench.store("bucket");
    let mut options = FollowOptions::new(Arc::clone(&store), &bench.at("replica.db"), Trust::Unsigned);
    options.poll = Duration::from_millis(50);
    let mut follower = Follower::new(options, Arc::new(IgnoreEvents));
    let reader = std::sync::OnceLock::new();
    for round in 0..10 {
        work(&open, round);
        open.execute("INSERT OR REPLACE INTO t VALUES (999, ?1)", [round]).unwrap();
        until("the replica follows", || async {
            let _ = follower_sync(&bench, &store).await;
            if !bench.at("replica.db").exists() {
                return false;
            }
            let open = reader.get_or_init(|| std::sync::Mutex::new(Connection::open(bench.at("replica.db")).unwrap()));
            let seen: Result<i64, _> =
                open.lock().unwrap().query_row("SELECT b FROM t WHERE a = 999", [], |row| row.get(0));
            seen == Ok(round)
        })
        .await;
    }
    litestream.kill().unwrap();
    litestream.wait().unwrap();
    follower.sync().await.unwrap();
    assert_same(&bench.at("replica.db"), &primary);
    let report = verify::verify(&VerifyOptions::new(Arc::clone(&store), Trust::Unsigned, bench.folder.path())).await;
    assert_eq!((&report.verdict, report.proven), (&VerifyOutcome::Good, false), "{report:?}");
    let options = RestoreOptions::new(Arc::clone(&store), Trust::Unsigned, bench.at("restored.db"));
    let restored = restore::restore(&options).await.unwrap();
    assert!(!restored.proven);
    assert_same(&bench.at("restored.db"), &primary);
    let seen = status::status(&store, &Trust::Unsigned, Duration::from_secs(5)).await.unwrap();
    assert!(seen.lease.is_none() && seen.txid == restored.plan.txid);
    // Whoever asks for signatures believes nothing of it.
    let signed = verify::verify(&VerifyOptions::new(store, bench.trust(), bench.folder.path())).await;
    assert!(matches!(signed.verdict, VerifyOutcome::Bad(_)), "{signed:?}");
}

async fn follower_sync(bench: &Bench, store: &Arc<dyn ObjectStore>) -> bool {
    let options = FollowOptions::new(Arc::clone(store), &bench.at("replica.db"), Trust::Unsigned);
    Follower::new(options, Arc::new(IgnoreEvents)).sync().await.is_ok()
}
