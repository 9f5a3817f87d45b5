//! A journal in a bucket: a head with the latest entries, an archive for the rest, and a lease. Every write is on a condition,
//! so that of two writers one is refused. `docs/journal.md` describes the objects.

mod archive;
mod checkpoint;
mod head;
mod lease;
mod objects;
mod probe;
mod view;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::entry::Entry;
use super::error::LedgerError;
use super::journal_copy::JournalCopy;
use super::lease::Lease;
use super::store::{LoadedJournal, Store};
use checkpoint::{Checkpoint, FormerPages, RetiredObject, Segment};
use lease::LeaseView;
pub use objects::{ObjectApi, ObjectListing, StoredObject, WriteCondition, WriteOutcome};
use view::{JournalView, Layout};

/// What nothing refers to any more is deleted after this time: whoever reads slowly must find it.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);
/// From this size on the entries of the head go into the archive.
const LONG: usize = 256 * 1024;

/// The bucket and prefix of one stack.
pub struct S3Store {
    bucket: Arc<dyn ObjectApi>,
    prefix: String,
    stack: String,
    host: String,
    /// Through what the store is reached: whether it supports conditional writes is known for each way.
    endpoint: String,
    roll_at: usize,
    retention: Duration,
    seat: tokio::sync::Mutex<LeaseView>,
    known: Mutex<Option<Arc<JournalView>>>,
}

impl S3Store {
    /// The journal of `stack` in `bucket` below `prefix`.
    pub fn new(bucket: Arc<dyn ObjectApi>, prefix: &str, stack: &str, host: &str) -> Self {
        let parts = [prefix.trim_matches('/'), stack];
        Self {
            bucket,
            prefix: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"),
            stack: stack.to_owned(),
            host: host.to_owned(),
            endpoint: "AWS".to_owned(),
            roll_at: LONG,
            retention: RETENTION,
            seat: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// The same, reached through an endpoint that is not AWS's own.
    #[must_use]
    pub fn through(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self }
    }

    /// The same, with another time until unneeded objects are deleted.
    #[must_use]
    pub fn keeping(self, retention: Duration) -> Self {
        Self { retention, ..self }
    }

    /// The same, with another size from which on entries go into the archive.
    #[must_use]
    pub fn rolling_at(self, bytes: usize) -> Self {
        Self { roll_at: bytes, ..self }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn head_key(&self) -> String {
        self.key("head.jsonl")
    }

    /// The page of an older layout that begins with this entry.
    fn page_key(&self, first: u64) -> String {
        self.key(&format!("journal/{first:020}.jsonl"))
    }

    /// A content that is kept apart from the journal.
    fn content_key(&self, sha256: &str) -> String {
        self.key(&format!("content/{sha256}"))
    }

    fn known(&self) -> Option<Arc<JournalView>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_at(&self, known: &Arc<JournalView>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(known));
    }

    async fn known_or_read(&self) -> Result<Arc<JournalView>, LedgerError> {
        match self.known() {
            Some(known) => Ok(known),
            None => self.read().await,
        }
    }
}

#[async_trait]
impl Store for S3Store {
    fn place(&self) -> String {
        self.bucket.place(&self.key(""))
    }

    async fn load(&self) -> Result<LoadedJournal, LedgerError> {
        Ok(self.read().await?.loaded())
    }

    async fn claim(&self, lease: &Lease) -> Result<LoadedJournal, LedgerError> {
        let known = self.read().await?;
        // A holder that gave the lease back writes no more. Any other may still be alive.
        let writes_no_more = match self.seat.lock().await.before {
            lease::PreviousHolder::Released => true,
            lease::PreviousHolder::Unknown => !matches!(known.layout, Layout::Head(_)),
            lease::PreviousHolder::Stale => false,
        };
        let known = if writes_no_more { known } else { self.fence(lease.token).await? };
        Ok(known.loaded())
    }

    async fn history(&self) -> Result<Vec<Entry>, LedgerError> {
        Ok(self.whole().await?.1)
    }

    async fn keep(&self, sha256: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        // The name says what the content is: one that is there already stays.
        self.bucket.put(&self.content_key(sha256), bytes, &WriteCondition::New).await.map(drop)
    }

    async fn kept(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.bucket.get(&self.content_key(sha256)).await?.map(|object| object.bytes))
    }

    async fn text(&self) -> Result<String, LedgerError> {
        Ok(self.whole().await?.0)
    }

    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        if entries.is_empty() { Ok(()) } else { self.add(entries, lease.token).await }
    }

    fn older(&self) -> Option<(u32, String)> {
        let format = self.known()?.tail.older()?;
        Some((format, self.bucket.place(&self.key(&format!("{}/", write::backup(format))))))
    }

    async fn keep_aside(&self) -> Result<String, LedgerError> {
        let now = Timestamp::now();
        let (name, bytes) = match self.text().await {
            Ok(text) => (format!("backups/journal-{now:.0}.jsonl"), text.into_bytes()),
            // What cannot be read as a journal is kept as it is: the head names the objects of the archive.
            Err(LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } | LedgerError::Missing { .. }) => {
                let head = self.bucket.get(&self.head_key()).await?.map(|head| head.bytes);
                (format!("backups/head-{now:.0}.jsonl"), head.unwrap_or_default())
            }
            Err(bad) => return Err(bad),
        };
        let key = self.key(&name);
        self.bucket.put(&key, &bytes, &WriteCondition::Always).await?;
        Ok(self.bucket.place(&key))
    }

    async fn replace(&self, whole: &JournalCopy, lease: &Lease) -> Result<(), LedgerError> {
        let known = match self.read().await {
            Ok(known) => known,
            Err(LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } | LedgerError::Missing { .. }) => {
                self.read_damaged().await?
            }
            Err(bad) => return Err(bad),
        };
        let now = Timestamp::now();
        let old = known.base.iter().flat_map(|base| &base.segments).map(|segment| &segment.object);
        let old =
            old.chain(&known.header.checkpoint).map(|object| RetiredObject { key: object.key.clone(), since: now });
        let old = known.base.iter().flat_map(|base| base.retired.iter().cloned()).chain(old).collect();
        let pages = match known.layout {
            Layout::Pages => Some(FormerPages { last: known.sequence(), since: now }),
            _ => known.base.as_ref().and_then(|base| base.pages.clone()),
        };
        self.keep_older(&known).await?;
        let segments = self.keep(Segment::cut(&whole.text, 1)).await?;
        let contradicts = |source| LedgerError::Contradicts { place: self.place(), source };
        let base = self.nothing().after(&whole.entries, whole.tail).map_err(contradicts)?;
        let base = Checkpoint { segments, retired: old, pages, ..base };
        let known = self.switch(&known, base, lease.token).await?;
        self.is_at(&known);
        Ok(())
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.held().await?.filter(|(held, _)| !held.released).map(|(held, _)| held.lease))
    }

    async fn probe(&self) -> Result<(), LedgerError> {
        self.ask_for_conditions().await
    }

    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.sit_down(lease).await
    }

    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.stay(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.stand_up(lease).await
    }

    async fn break_lease(&self) -> Result<(), LedgerError> {
        self.take_away().await
    }
}
