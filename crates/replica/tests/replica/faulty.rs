//! A store that does what stores do on bad days, and one that stops a process at a chosen call.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akidb_edge_replica::store::{Etag, Layout, ListPage, Object, ObjectBody, ObjectMetadata, Precondition, ReadAnswer};
use akidb_edge_replica::{ObjectStore, StoreFault};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncReadExt;

/// What a store does instead of its work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It works.
    None,
    /// `503 Slow Down`.
    Throttled,
    /// No connection.
    Down,
    /// No room.
    Full,
    /// Each answer comes after this time.
    Slow(Duration),
    /// No answer ever.
    Hanging,
    /// Every second call fails.
    Flaky,
    /// Writes are done, and their answers are lost.
    AnswerLost,
    /// Bodies end in the middle without a fault.
    CutShort,
}

/// A store with a trouble that a test changes meanwhile.
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    trouble: Arc<Mutex<Trouble>>,
    calls: Arc<AtomicU64>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, trouble: Arc::new(Mutex::new(Trouble::None)), calls: Arc::default() }
    }

    pub fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn trouble(&self) -> Trouble {
        *self.trouble.lock().unwrap()
    }

    /// What happens before a call.
    async fn before(&self, key: &str) -> Result<(), StoreFault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (store, key) = (self.name(), key.to_owned());
        let detail = "the test says so".to_owned();
        match self.trouble() {
            Trouble::Throttled => Err(StoreFault::Throttled { store, detail }),
            Trouble::Down => Err(StoreFault::Unreachable { store, detail }),
            Trouble::Full => Err(StoreFault::Full { store, key, detail }),
            Trouble::Flaky if call.is_multiple_of(2) => Err(StoreFault::Unreachable { store, detail }),
            Trouble::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Trouble::Hanging => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn layout(&self) -> Layout {
        self.inner.layout()
    }

    async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault> {
        self.before(key).await?;
        let answer = self.inner.get(key, known).await?;
        match answer {
            ReadAnswer::Object(object) if self.trouble() == Trouble::CutShort => {
                let Object { etag, size, metadata, body } = object;
                Ok(ReadAnswer::Object(Object { etag, size, metadata, body: Box::pin(body.take(size / 2)) }))
            }
            answer => Ok(answer),
        }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault> {
        self.before(key).await?;
        let bytes = self.inner.get_range(key, range).await?;
        Ok(if self.trouble() == Trouble::CutShort { bytes.slice(..bytes.len() / 2) } else { bytes })
    }

    async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        self.before(key).await?;
        let done = self.inner.put(key, body, metadata, on).await?;
        if self.trouble() == Trouble::AnswerLost {
            return Err(StoreFault::Unreachable { store: self.name(), detail: "the answer was lost".to_owned() });
        }
        Ok(done)
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault> {
        self.before(prefix).await?;
        self.inner.list(prefix, after).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFault> {
        self.before(key).await?;
        self.inner.delete(key).await
    }
}

/// Stops for ever at a call, and says so on standard output: whoever started the process kills it then.
#[derive(Clone, Debug)]
pub struct StoppingStore {
    inner: Arc<dyn ObjectStore>,
    /// Half steps that are left: before a call, and after it.
    left: Arc<AtomicU64>,
}

/// What it says.
pub const STOPPED: &str = "stopped at a step";

impl StoppingStore {
    /// Stops at this half step; the first is 1.
    pub fn new(inner: Arc<dyn ObjectStore>, at: u64) -> Self {
        Self { inner, left: Arc::new(AtomicU64::new(at)) }
    }

    async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            println!("{STOPPED}");
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl ObjectStore for StoppingStore {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn layout(&self) -> Layout {
        self.inner.layout()
    }

    async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault> {
        self.step().await;
        let answer = self.inner.get(key, known).await;
        self.step().await;
        answer
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault> {
        self.step().await;
        let answer = self.inner.get_range(key, range).await;
        self.step().await;
        answer
    }

    async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        self.step().await;
        let answer = self.inner.put(key, body, metadata, on).await;
        self.step().await;
        answer
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault> {
        self.step().await;
        let answer = self.inner.list(prefix, after).await;
        self.step().await;
        answer
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFault> {
        self.step().await;
        let answer = self.inner.delete(key).await;
        self.step().await;
        answer
    }
}
