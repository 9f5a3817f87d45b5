//! Calls of a store: each with a time limit, counted, and repeated where the caller has nothing better to do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::store::{
    Etag, Layout, ListPage, Object, ObjectBody, ObjectMetadata, ObjectStore, Precondition, ReadAnswer, StoreFault,
};

/// Tries of a call that may pass.
const TRIES: u32 = 4;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(100);
/// An upload may take this long for each MiB besides.
const FOR_EACH_MIB: Duration = Duration::from_secs(1);

/// How often each kind of call was made.
#[derive(Debug, Default)]
struct Counts {
    puts: AtomicU64,
    gets: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    faults: AtomicU64,
}

/// A store, and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    store: Arc<dyn ObjectStore>,
    limit: Duration,
    counts: Arc<Counts>,
}

impl Calls {
    /// A store whose calls may take that long.
    pub fn new(store: Arc<dyn ObjectStore>, limit: Duration) -> Self {
        Self { store, limit, counts: Arc::default() }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.store.name()
    }

    /// Its layout.
    pub fn layout(&self) -> Layout {
        self.store.layout()
    }

    /// The time limit of a call.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// How often it was called, and how often in vain.
    pub fn totals(&self) -> (BTreeMap<&'static str, u64>, u64) {
        let Counts { puts, gets, lists, deletes, faults } = &*self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let kinds = [("PUT", puts), ("GET", gets), ("LIST", lists), ("DELETE", deletes)];
        (kinds.into_iter().map(|(kind, count)| (kind, read(count))).collect(), read(faults))
    }

    async fn within<T>(
        &self,
        count: &AtomicU64,
        limit: Duration,
        call: impl Future<Output = Result<T, StoreFault>> + Send,
    ) -> Result<T, StoreFault> {
        count.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(limit, call).await.unwrap_or_else(|_| Err(self.silent(limit)));
        if answer.as_ref().is_err_and(|bad| !bad.is_absent() && !bad.is_taken()) {
            self.counts.faults.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn silent(&self, limit: Duration) -> StoreFault {
        let detail = format!("no answer within {} s", limit.as_secs_f64());
        StoreFault::Unreachable { store: self.name(), detail }
    }

    /// Opens an object, unless it is still the known one. One try.
    pub async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault> {
        self.within(&self.counts.gets, self.limit, self.store.get(key, known)).await
    }

    /// Reads a short object. One try.
    pub async fn read(&self, key: &str, known: Option<&Etag>, most: u64) -> Result<Option<(Etag, Bytes)>, StoreFault> {
        match self.get(key, known).await? {
            ReadAnswer::Unchanged => Ok(None),
            ReadAnswer::Object(object) => {
                let etag = object.etag.clone();
                Ok(Some((etag, self.content(object, most).await?)))
            }
        }
    }

    /// The content of a short object.
    pub async fn content(&self, object: Object, most: u64) -> Result<Bytes, StoreFault> {
        match timeout(self.limit, object.bytes(most)).await {
            Err(_) => Err(self.silent(self.limit)),
            Ok(read) => read.map_err(|bad| self.broken(&bad)),
        }
    }

    /// What a body that broke off is.
    pub fn broken(&self, bad: &std::io::Error) -> StoreFault {
        StoreFault::Unreachable { store: self.name(), detail: bad.to_string() }
    }

    /// Reads a part of an object. Some tries.
    pub async fn range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault> {
        let one = || self.within(&self.counts.gets, self.limit, self.store.get_range(key, range.clone()));
        repeated(one).await
    }

    /// Writes an object. One try: whoever writes on a condition has to look what became of it.
    pub async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        beside: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        let size = match body {
            ObjectBody::Bytes(bytes) => bytes.len() as u64,
            ObjectBody::File(path) => std::fs::metadata(path).map_or(0, |facts| facts.len()),
        };
        let limit = self.limit + FOR_EACH_MIB * u32::try_from(size >> 20).unwrap_or(u32::MAX);
        self.within(&self.counts.puts, limit, self.store.put(key, body, beside, on)).await
    }

    /// All objects whose keys begin like that. Some tries for each page.
    pub async fn list(&self, prefix: &str) -> Result<ListPage, StoreFault> {
        let mut found = ListPage::default();
        loop {
            let after = found.next.take();
            let one = || self.within(&self.counts.lists, self.limit, self.store.list(prefix, after.as_deref()));
            let page = repeated(one).await?;
            found.objects.extend(page.objects);
            match page.next {
                None => return Ok(found),
                next => found.next = next,
            }
        }
    }

    /// Removes an object. Some tries.
    pub async fn delete(&self, key: &str) -> Result<(), StoreFault> {
        let one = || self.within(&self.counts.deletes, self.limit, self.store.delete(key));
        repeated(one).await
    }
}

/// Tries again what may pass.
pub(crate) async fn repeated<T, F: Future<Output = Result<T, StoreFault>> + Send>(
    mut call: impl FnMut() -> F + Send,
) -> Result<T, StoreFault> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match call().await {
            Err(bad) if bad.passes() => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 2;
    }
    call().await
}
