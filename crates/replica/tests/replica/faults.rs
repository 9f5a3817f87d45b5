//! Stores that throttle, are slow, hang, are full or lose answers: lag grows and is told, nothing is lost, and it catches up.

use std::sync::Arc;
use std::time::Duration;

use akidb_edge_replica::follow::{FollowEvent, FollowObserver};
use akidb_edge_replica::publish::{IgnoreEvents, PublishEvent};
use akidb_edge_replica::{FollowFault, FollowOptions, Follower, ObjectStore, PublishOptions, RestorePoint};
use rusqlite::Connection;

use crate::bench::{Bench, assert_same, until};
use crate::continuous::Running;
use crate::faulty::{FaultyStore, Trouble};

/// Two regions, of which the first has a trouble.
fn two(bench: &Bench) -> (FaultyStore, [Arc<dyn ObjectStore>; 2], PublishOptions) {
    let stores = [bench.store("bucket-0"), bench.store("bucket-1")];
    let faulty = FaultyStore::new(Arc::clone(&stores[0]));
    let mut options = bench.options(vec![Arc::new(faulty.clone()), Arc::clone(&stores[1])]);
    options.request_timeout = Duration::from_millis(300);
    options.stall_after = Duration::from_millis(500);
    (faulty, stores, options)
}

fn insert(open: &Connection) {
    open.execute("INSERT INTO t VALUES (NULL, randomblob(5000))", []).unwrap();
}

/// A region whose store does not work: it is told, the other one is not held up, and all of it arrives afterwards.
async fn outage(trouble: Trouble) {
    let bench = Bench::new();
    let open = bench.primary();
    let (faulty, stores, options) = two(&bench);
    let running = Running::start(options);
    insert(&open);
    running.flush().await;
    faulty.set(trouble);
    for _ in 0..3 {
        let before = running.metrics.read().targets["region-1"].txid;
        insert(&open);
        until("the other region has it", || async { running.metrics.read().targets["region-1"].txid > before }).await;
    }
    let stalled = |event: &PublishEvent| matches!(event, PublishEvent::Stalled { target, .. } if target == "region-0");
    until("the stall is told", || async { running.heard.count(stalled) > 0 }).await;
    let metrics = running.metrics.read();
    assert!(metrics.targets["region-0"].stalled && metrics.targets["region-0"].lag_seconds > 0.0, "{trouble:?}");
    assert!(!metrics.targets["region-1"].stalled, "{trouble:?}");
    faulty.set(Trouble::None);
    let txid = running.flush().await;
    let caught_up =
        |event: &PublishEvent| matches!(event, PublishEvent::CaughtUp { target, .. } if target == "region-0");
    until("the end of the stall is told", || async { running.heard.count(caught_up) > 0 }).await;
    until("the region has it", || async { running.metrics.read().targets["region-0"].txid >= txid }).await;
    for (at, store) in stores.iter().enumerate() {
        let restored = bench.restored(store, RestorePoint::Txid(txid), &format!("restored-{at}")).await;
        assert_same(&restored, &bench.at("primary.db"));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_throttles_is_told_and_catches_up() {
    outage(Trouble::Throttled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_told_and_catches_up() {
    outage(Trouble::Down).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_full_is_told_and_catches_up() {
    outage(Trouble::Full).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_told_and_catches_up() {
    outage(Trouble::Hanging).await;
}

/// With the default limit, the alarm comes within 3 s, and not much later.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an otherwise idle machine: make replica"]
async fn the_alarm_comes_after_three_seconds() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = FaultyStore::new(bench.store("bucket"));
    let running = Running::start(bench.options(vec![Arc::new(store.clone())]));
    insert(&open);
    running.flush().await;
    store.set(Trouble::Hanging);
    let begun = std::time::Instant::now();
    insert(&open);
    let stalled = |event: &PublishEvent| matches!(event, PublishEvent::Stalled { .. });
    until("the stall is told", || async { running.heard.count(stalled) > 0 }).await;
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(2500) && took < Duration::from_millis(3500), "{took:?}");
    store.set(Trouble::None);
    running.flush().await;
    running.stop().await;
}

/// Slow, unreliable, and answers that are lost: late, but right.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_slow_or_loses_answers_gets_everything() {
    for trouble in [Trouble::Slow(Duration::from_millis(60)), Trouble::Flaky, Trouble::AnswerLost] {
        let bench = Bench::new();
        let open = bench.primary();
        let (faulty, stores, mut options) = two(&bench);
        options.request_timeout = Duration::from_secs(5);
        let running = Running::start(options);
        running.flush().await;
        faulty.set(trouble);
        for _ in 0..4 {
            insert(&open);
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        if trouble == Trouble::AnswerLost {
            // No answer of a write comes until here; the publisher then looks what became of it.
            faulty.set(Trouble::None);
        }
        // It waits for no region whose last call has failed: that one is behind for a moment, and catches up by itself.
        let txid = running.flush().await;
        // A store that fails every second call could fail the same call of each try.
        faulty.set(Trouble::None);
        until("the region has it", || async { running.metrics.read().targets["region-0"].txid >= txid }).await;
        for (at, store) in stores.iter().enumerate() {
            let restored = bench.restored(store, RestorePoint::Txid(txid), &format!("restored-{at}")).await;
            assert_same(&restored, &bench.at("primary.db"));
        }
        running.stop().await;
    }
}

/// A follower whose store does not work keeps the state that it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_keeps_its_state_until_the_store_works_again() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let faulty = FaultyStore::new(Arc::clone(&store));
    insert(&open);
    bench.publisher(&store).once().await.unwrap();
    let mut options = FollowOptions::new(Arc::new(faulty.clone()), &bench.at("replica.db"), bench.trust());
    options.request_timeout = Duration::from_millis(300);
    let mut follower = Follower::new(options, Arc::new(IgnoreEvents));
    follower.sync().await.unwrap();
    for trouble in [Trouble::Throttled, Trouble::Down, Trouble::Hanging, Trouble::CutShort] {
        let before = crate::bench::pages(&bench.at("replica.db"));
        insert(&open);
        bench.publisher(&store).once().await.unwrap();
        faulty.set(trouble);
        let refused = follower.sync().await.unwrap_err();
        assert!(matches!(refused, FollowFault::Store(_) | FollowFault::Refused { .. }), "{trouble:?}: {refused}");
        assert!(before == crate::bench::pages(&bench.at("replica.db")), "{trouble:?} changed the replica");
        faulty.set(Trouble::None);
        assert!(follower.sync().await.unwrap().changed);
        assert_same(&bench.at("replica.db"), &bench.at("primary.db"));
    }
}

/// Keeps what a follower says.
#[derive(Clone, Default)]
struct Told(Arc<std::sync::Mutex<Vec<FollowEvent>>>);

impl FollowObserver for Told {
    fn event(&self, event: &FollowEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Told {
    fn has(&self, is: impl Fn(&FollowEvent) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(is)
    }
}

/// A store that gives no answer: the follower says that its replica is too old while it still waits for that answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_a_store_that_hangs_says_so_in_time() {
    let bench = Bench::new();
    let open = bench.primary();
    let store = bench.store("bucket");
    let faulty = FaultyStore::new(Arc::clone(&store));
    let running = Running::start(bench.options(vec![Arc::clone(&store)]));
    running.flush().await;
    let mut options = FollowOptions::new(Arc::new(faulty.clone()), &bench.at("replica.db"), bench.trust());
    options.poll = Duration::from_millis(20);
    options.max_staleness = Some(Duration::from_secs(1));
    // Longer than this test may take.
    options.request_timeout = Duration::from_secs(40);
    let told = Told::default();
    let mut follower = Follower::new(options, Arc::new(told.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let metrics = follower.metrics();
    let following = tokio::spawn(async move { follower.run(async { drop(stopped.await) }).await });
    until("the replica is there", || async { metrics.read().last_success.is_some() }).await;
    faulty.set(Trouble::Hanging);
    let begun = std::time::Instant::now();
    until("the stall is told", || async { told.has(|event| matches!(event, FollowEvent::Stalled { .. })) }).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "only after the call had ended: {:?}", begun.elapsed());
    assert!(metrics.read().stalled && metrics.read().stalls == 1);
    insert(&open);
    running.flush().await;
    // What hangs is not freed by a store that works again: it ends with its time limit, as a lost connection does.
    drop(stop);
    following.await.unwrap().unwrap();
    running.stop().await;
}
