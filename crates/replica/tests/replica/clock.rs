//! Clocks that jump, by libfaketime (`tests/lab/install`): order comes from transaction ids, never from a clock.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use akidb_edge_replica::publish::IgnoreEvents;
use akidb_edge_replica::{
    FollowOptions, Follower, ObjectStore, PublishOptions, PublishTarget, Publisher, RestoreOptions, RestorePoint,
    Trust, restore,
};

use crate::bench::{Bench, assert_same};

const FOLDER: &str = "AKIDB_EDGE_REPLICA_CLOCK_FOLDER";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that the test below starts with another clock"]
async fn a_process_with_another_clock() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    println!("at {}", jiff::Timestamp::now());
    let store: Arc<dyn ObjectStore> = Arc::new(akidb_edge_replica::FolderStore::at(&folder.join("bucket")));
    let target = PublishTarget { name: "region".to_owned(), store };
    let options = PublishOptions::new(&folder.join("primary.db"), &folder.join("scratch"), vec![target], "here");
    let mut publisher = Publisher::new(options, Arc::new(IgnoreEvents)).unwrap();
    publisher.once().await.unwrap()[0].outcome.as_ref().unwrap();
}

fn publish_at(folder: &Path, offset: &str) {
    let run = Command::new("faketime")
        .args(["-f", offset])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "clock::a_process_with_another_clock", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .output()
        .unwrap_or_else(|bad| panic!("faketime: {bad}; tests/lab/install brings it"));
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("at 20"), "{said}");
}

/// A day ahead, a day behind, and right again: each publication is followed, in its order.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs faketime: make replica"]
async fn a_clock_that_jumps_loses_nothing() {
    let bench = Bench::new();
    let store = bench.store("bucket");
    let open = bench.primary();
    let follow = || FollowOptions::new(Arc::clone(&store), &bench.at("replica.db"), Trust::Unsigned);
    let mut follower = Follower::new(follow(), Arc::new(IgnoreEvents));
    for (round, offset) in ["+0", "+1d", "-1d", "+0", "-400d", "+3d"].into_iter().enumerate() {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
        publish_at(bench.folder.path(), offset);
        assert!(follower.sync().await.unwrap().changed, "round {round} at {offset}");
        assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
        let options = RestoreOptions::new(Arc::clone(&store), Trust::Unsigned, bench.at(&format!("restored-{round}")));
        restore::restore(&options).await.unwrap();
        assert_same(&options.output, &bench.at("primary.db"));
    }
    // A point in time gives a state or an error, never the newest state instead of an older one.
    let mut options = RestoreOptions::new(Arc::clone(&store), Trust::Unsigned, bench.at("then"));
    options.at = RestorePoint::Time(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 900));
    restore::restore(&options).await.unwrap_err();
}
