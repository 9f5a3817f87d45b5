use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::provider::cluster::Credentials;

/// A way that counts how often it is asked.
struct Counted {
    asked: AtomicUsize,
    answer: Result<(), Fault>,
}

#[async_trait]
impl ClusterAccess for Counted {
    async fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answer.clone().map(|()| None)
    }
}

fn one(answer: Result<(), Fault>) -> (Arc<Counted>, Arc<Clusters>) {
    let way = Arc::new(Counted { asked: AtomicUsize::new(0), answer });
    let access: Arc<dyn ClusterAccess> = Arc::clone(&way) as Arc<dyn ClusterAccess>;
    (way, Clusters::new(BTreeMap::from([("a".to_owned(), access)])))
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_away_is_asked_once() {
    let away = Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", "a cannot be reached");
    let (way, clusters) = one(Err(away.clone()));
    for _ in 0..3 {
        assert_eq!(clusters.connection("a").await.map(drop), Err(away.clone()));
        tokio::time::advance(MOMENT * 2).await;
    }
    assert_eq!(way.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_there_yet_is_looked_for_again() {
    let (way, clusters) = one(Ok(()));
    let all = futures::future::join_all((0..20).map(|_| clusters.connection("a"))).await;
    assert!(all.iter().all(|answer| matches!(answer, Ok(None))));
    assert_eq!(way.asked.load(Ordering::Relaxed), 1, "who asks at the same time gets the same answer");
    tokio::time::advance(MOMENT).await;
    assert!(matches!(clusters.connection("a").await, Ok(None)));
    assert_eq!(way.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_cluster_without_a_way_is_named() {
    let (_, clusters) = one(Ok(()));
    let unknown = clusters.connection("b").await.map(drop).expect_err("no way");
    assert_eq!(unknown.code.line(), "UnknownCluster");
    assert_eq!(clusters.names(), ["a"]);
}
