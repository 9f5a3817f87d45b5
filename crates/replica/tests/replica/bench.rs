//! What these tests share: a primary, buckets in folders, and what is compared.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use akidb_edge_replica::publish::{IgnoreEvents, Observer, PublishEvent};
use akidb_edge_replica::{
    FolderStore, FollowOptions, Follower, ObjectStore, PublishOptions, PublishTarget, Publisher, RestoreOptions,
    RestorePoint, SigningKey, Trust,
};
use rusqlite::Connection;

/// A folder with a primary, and what is published of it.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub key: Arc<SigningKey>,
}

/// Keeps all events.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<PublishEvent>>>);

impl Observer for Heard {
    fn event(&self, event: &PublishEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Heard {
    pub fn all(&self) -> Vec<PublishEvent> {
        self.0.lock().unwrap().clone()
    }

    pub fn count(&self, is: impl Fn(&PublishEvent) -> bool) -> usize {
        self.all().iter().filter(|event| is(event)).count()
    }
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = Arc::new(SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap());
        Self { folder, key }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A connection of the application that writes the primary.
    pub fn primary(&self) -> Connection {
        let open = Connection::open(self.at("primary.db")).unwrap();
        open.busy_timeout(Duration::from_secs(20)).unwrap();
        open.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b)")
            .unwrap();
        open
    }

    pub fn store(&self, name: &str) -> Arc<dyn ObjectStore> {
        Arc::new(FolderStore::at(&self.at(name)))
    }

    pub fn options(&self, stores: Vec<Arc<dyn ObjectStore>>) -> PublishOptions {
        let target =
            |(index, store): (usize, Arc<dyn ObjectStore>)| PublishTarget { name: format!("region-{index}"), store };
        let targets = stores.into_iter().enumerate().map(target).collect();
        let mut options = PublishOptions::new(&self.at("primary.db"), &self.at("scratch"), targets, "here");
        options.key = Some(Arc::clone(&self.key));
        options
    }

    pub fn publisher(&self, store: &Arc<dyn ObjectStore>) -> Publisher {
        Publisher::new(self.options(vec![Arc::clone(store)]), Arc::new(IgnoreEvents)).unwrap()
    }

    pub fn trust(&self) -> Trust {
        Trust::Keys(vec![self.key.public()])
    }

    pub fn follower(&self, store: &Arc<dyn ObjectStore>, replica: &str) -> Follower {
        let mut options = FollowOptions::new(Arc::clone(store), &self.at(replica), self.trust());
        options.poll = Duration::from_millis(20);
        Follower::new(options, Arc::new(IgnoreEvents))
    }

    /// Restores what is published, and returns its path.
    pub async fn restored(&self, store: &Arc<dyn ObjectStore>, at: RestorePoint, name: &str) -> PathBuf {
        let mut options = RestoreOptions::new(Arc::clone(store), self.trust(), self.at(name));
        options.at = at;
        let restored = akidb_edge_replica::restore::restore(&options).await.unwrap();
        assert!(restored.proven);
        self.at(name)
    }
}

/// The pages of a database, without what SQLite changes in the first one by itself.
pub fn pages(path: &Path) -> Vec<Vec<u8>> {
    let open = Connection::open(path).unwrap();
    let mut asked = open.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno").unwrap();
    let mut pages: Vec<Vec<u8>> = asked.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    if let Some(first) = pages.first_mut() {
        for range in [18..20, 24..28, 92..100] {
            first[range].fill(0);
        }
    }
    pages
}

/// Compares page by page.
pub fn assert_same(one: &Path, two: &Path) {
    let (one, two) = (pages(one), pages(two));
    assert_eq!(one.len(), two.len(), "pages");
    let differ: Vec<usize> = (0..one.len()).filter(|at| one[*at] != two[*at]).map(|at| at + 1).collect();
    assert!(differ.is_empty(), "pages {differ:?} differ");
}

/// Waits until it is so; never longer than a minute, on the busiest of machines.
pub async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
