//! [3] The journal and its lease. The journal is the source of truth; the state is a fold over it.
//!
//! An entry is written and on disk before the call that it announces, and another after the answer: whatever kills the
//! process, the next run knows what was begun and never answered.

mod authentic;
mod checksum_chain;
mod entry;
mod error;
mod fence;
mod file_store;
mod fold;
mod history;
mod journal_copy;
mod lease;
mod purpose;
mod s3;
mod separation;
mod store;
mod stored_texts;
mod sweep;
mod text;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

pub use entry::{Entry, FORMAT, Fact, ResourceSnapshot};
pub use error::{BucketRefusal, LedgerError};
pub use fence::Fence;
use fence::beat;
pub use file_store::FileStore;
pub use fold::{JournalContradiction, apply, fold, fold_from, fold_until};
pub use history::TypicalDurations;
pub use journal_copy::{JournalCopy, JournalRelation};
pub use lease::{Holder, Lease, TIME_TO_LIVE};
pub use purpose::purpose_of;
pub use s3::{ObjectApi, ObjectListing, RETENTION, S3Store, StoredObject, WriteCondition, WriteOutcome};
use separation::contents;
pub use store::{LoadedJournal, Store};

use crate::resource::{Address, Kind, StackState};

/// Who holds a lost lease now is worth this long a look.
const LOOKING: Duration = Duration::from_secs(5);
/// A content that no entry names stays for so long at least: whoever keeps it may be about to write what names it.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// The journal of one stack: open for reading, or for writing under a lease.
pub struct Ledger {
    stack: String,
    store: Arc<dyn Store>,
    inner: Mutex<Inner>,
    /// Held while entries go to disk: who comes later finds its own already written.
    writing: tokio::sync::Mutex<()>,
    run: Uuid,
    lease: Option<Lease>,
    heartbeat: Option<tokio::task::JoinHandle<()>>,
    fence: Arc<Fence>,
    /// An entry could not be written: a later one would leave a gap.
    broken: AtomicBool,
    /// The entries before those that were read when it was opened, once somebody asked for them.
    archived: tokio::sync::OnceCell<Vec<Entry>>,
    /// What was kept apart by this process already.
    kept: Mutex<BTreeSet<String>>,
    /// What the entries name that were there when it was opened.
    named: BTreeSet<String>,
    /// When that was.
    opened: SystemTime,
    /// An entry was written.
    grown: AtomicBool,
    /// An entry was asked for: from here on a verb is brought to its end, not given up.
    begun: Arc<AtomicBool>,
}

struct Inner {
    /// What the entries before `entries` come to.
    base: StackState,
    usual: TypicalDurations,
    state: StackState,
    entries: Vec<Entry>,
    pending: Vec<Entry>,
    written: u64,
}

impl Ledger {
    /// Opens for reading: no lease, nothing is written.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn read(store: Arc<dyn Store>, stack: &str) -> Result<Self, LedgerError> {
        Self::open(store, stack, None).await
    }

    /// Opens for writing: takes the lease and keeps it with a heartbeat until [`close`](Self::close).
    ///
    /// # Errors
    /// When somebody else holds the lease, or the journal cannot be read.
    pub async fn write(store: Arc<dyn Store>, stack: &str, lease: Lease) -> Result<Self, LedgerError> {
        let (asked, time_to_live) = (Instant::now(), lease.time_to_live());
        store.acquire(&lease).await?;
        let mut ledger = match Self::open(Arc::clone(&store), stack, Some(lease.clone())).await {
            Ok(ledger) => ledger,
            Err(bad) => {
                // What was wrong first is what counts; a lease that cannot be given back ends by itself.
                let _ = store.release(&lease).await;
                return Err(bad);
            }
        };
        ledger.fence = Arc::new(Fence::of(asked, &lease, time_to_live));
        ledger.heartbeat = Some(tokio::spawn(beat(store, lease, time_to_live, Arc::clone(&ledger.fence))));
        Ok(ledger)
    }

    async fn open(store: Arc<dyn Store>, stack: &str, lease: Option<Lease>) -> Result<Self, LedgerError> {
        let opened = SystemTime::now();
        let loaded = match &lease {
            Some(lease) => store.claim(lease).await?,
            None => store.load().await?,
        };
        let LoadedJournal { mut base, mut usual, mut entries } = loaded;
        let named = stored_texts::all_named(base.as_mut(), &mut entries);
        let contents = contents(&*store, &named).await?;
        stored_texts::open_all(base.as_mut(), &mut entries, &contents);
        let base = base.unwrap_or_else(|| StackState::empty(stack));
        let state = fold_from(base.clone(), &entries)
            .map_err(|source| LedgerError::Contradicts { place: store.place(), source })?;
        entries.iter().for_each(|entry| usual.note(entry));
        let written = state.sequence;
        let inner = Inner { base, usual, state, entries, pending: Vec::new(), written };
        Ok(Self {
            stack: stack.to_owned(),
            store,
            inner: Mutex::new(inner),
            writing: tokio::sync::Mutex::default(),
            run: Uuid::now_v7(),
            lease,
            heartbeat: None,
            fence: Arc::new(Fence::open()),
            broken: AtomicBool::default(),
            archived: tokio::sync::OnceCell::new(),
            kept: Mutex::default(),
            named,
            opened,
            grown: AtomicBool::default(),
            begun: Arc::default(),
        })
    }

    /// The same in the run of another journal: what a run over both writes has one `run`, and a rollback of both finds it again.
    #[must_use]
    pub fn in_run_of(mut self, other: &Self) -> Self {
        self.run = other.run;
        self
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name of its stack.
    pub fn stack(&self) -> &str {
        &self.stack
    }

    /// Where it lies.
    pub fn place(&self) -> String {
        self.store.place()
    }

    /// The older format that the first entry of this run leaves behind, and where the journal of that format is kept.
    pub fn older(&self) -> Option<(u32, String)> {
        self.store.older()
    }

    /// The state as of now, copied: a run over many resources asks for what it wants to know, with [`Self::ask`].
    pub fn recorded(&self) -> StackState {
        self.inner().state.clone()
    }

    /// Something about the state as of now. `question` must not use the journal.
    pub fn ask<T>(&self, question: impl FnOnce(&StackState) -> T) -> T {
        question(&self.inner().state)
    }

    /// The state at the end of an earlier revision.
    ///
    /// # Errors
    /// When the journal contradicts itself, or its earlier entries cannot be read.
    pub async fn recorded_at(&self, revision: u64) -> Result<StackState, LedgerError> {
        let (base, entries) = self.back_to(revision).await?;
        fold_until(base, &entries, revision)
            .map_err(|source| LedgerError::Contradicts { place: self.store.place(), source })
    }

    /// What has moved since the end of a revision: the address that it has now, and the one that it had then.
    ///
    /// # Errors
    /// When earlier entries cannot be read.
    pub async fn moved_since(&self, revision: u64) -> Result<BTreeMap<Address, Address>, LedgerError> {
        Ok(history::moved_since(&self.back_to(revision).await?.1, revision))
    }

    /// A state at or before the end of a revision, and all entries after it. Only an early revision needs more than what was
    /// read when the journal was opened.
    async fn back_to(&self, revision: u64) -> Result<(StackState, Vec<Entry>), LedgerError> {
        let stack = {
            let inner = self.inner();
            if inner.base.revision() <= revision {
                return Ok((inner.base.clone(), inner.entries.clone()));
            }
            inner.base.stack.clone()
        };
        Ok((StackState::empty(&stack), self.entries().await?))
    }

    /// All entries, oldest first.
    ///
    /// # Errors
    /// When earlier entries cannot be read.
    pub async fn entries(&self) -> Result<Vec<Entry>, LedgerError> {
        let (before, later) = {
            let inner = self.inner();
            (inner.base.sequence, inner.entries.clone())
        };
        if before == 0 {
            return Ok(later);
        }
        // What was archived does not change any longer.
        let read = async || {
            let mut archived = self.store.history().await?;
            archived.retain(|entry| entry.seq <= before);
            let contents = contents(&*self.store, &stored_texts::all_named(None, &mut archived)).await?;
            stored_texts::open_all(None, &mut archived, &contents);
            Ok::<_, LedgerError>(archived)
        };
        let archived = self.archived.get_or_try_init(read).await?;
        Ok(archived.iter().cloned().chain(later).collect())
    }

    /// How long each kind took lately: the median in milliseconds.
    pub fn usual_ms(&self) -> BTreeMap<Kind, u64> {
        self.inner().usual.medians()
    }

    /// Writes a fact. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the lease was lost or the store refused: nothing more may be begun then.
    pub async fn record(&self, fact: Fact) -> Result<(), LedgerError> {
        let Some(lease) = &self.lease else {
            return Err(LedgerError::LeaseLost("the journal was opened for reading".to_owned()));
        };
        self.begun.store(true, Ordering::Release);
        let seq = self.take(fact)?;
        // Facts of steps that run side by side share one write: the first to come here writes for all who wait.
        let _turn = self.writing.lock().await;
        let batch: Vec<Entry> = {
            let mut inner = self.inner();
            if inner.written >= seq {
                return Ok(());
            }
            std::mem::take(&mut inner.pending)
        };
        self.fence.check().map_err(LedgerError::LeaseLost)?;
        if self.broken.load(Ordering::Acquire) {
            return Err(LedgerError::Broken(self.store.place()));
        }
        if let Err(bad) = self.append(&batch, lease).await {
            self.broken.store(true, Ordering::Release);
            if let LedgerError::LeaseLost(why) = &bad {
                self.fence.close(why);
            }
            return Err(bad);
        }
        self.inner().written = batch.last().map_or(seq, |last| last.seq);
        self.grown.store(true, Ordering::Release);
        Ok(())
    }

    /// Becomes true with the first entry that this process asks for.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// All lines as they were written.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn text(&self) -> Result<String, LedgerError> {
        self.store.text().await
    }

    /// Keeps the present journal beside it; gives the place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn keep_aside(&self) -> Result<String, LedgerError> {
        self.store.keep_aside().await
    }

    /// Puts another journal in the place of this one. What this ledger records is not true any more then: close it.
    ///
    /// # Errors
    /// When the lease was lost or the store refused.
    pub async fn replace(&self, whole: &JournalCopy) -> Result<(), LedgerError> {
        let Some(lease) = &self.lease else {
            return Err(LedgerError::LeaseLost("the journal was opened for reading".to_owned()));
        };
        self.fence.check().map_err(LedgerError::LeaseLost)?;
        self.store.replace(whole, lease).await
    }

    /// Asked before every call: whether the lease is still ours.
    pub fn fence(&self) -> Arc<Fence> {
        Arc::clone(&self.fence)
    }

    /// The loss of the lease with whoever holds it now; none while it is ours.
    pub async fn loss(&self) -> Option<LedgerError> {
        let why = self.fence.check().err()?;
        let looked = tokio::time::timeout(LOOKING, self.store.lease()).await;
        let held = looked.ok().and_then(Result::ok).flatten().filter(|held| !held.is_cut_off());
        let other = held.filter(|held| self.lease.as_ref().is_none_or(|ours| ours.token != held.token));
        Some(LedgerError::LeaseLost(match other {
            Some(held) => format!(
                "{why}; {}@{} (process {}, `{}`) holds it since {:.0}",
                held.user, held.host, held.pid, held.command, held.since
            ),
            None => why,
        }))
    }

    fn take(&self, fact: Fact) -> Result<u64, LedgerError> {
        let mut inner = self.inner();
        let seq = inner.state.sequence + 1;
        let entry = Entry { v: FORMAT, seq, run: self.run, at: Timestamp::now(), fact };
        fold::apply(&mut inner.state, &entry)
            .map_err(|source| LedgerError::Contradicts { place: self.store.place(), source })?;
        inner.usual.note(&entry);
        inner.entries.push(entry.clone());
        inner.pending.push(entry);
        Ok(seq)
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the store refused; the lease then ends by itself.
    pub async fn close(mut self) -> Result<(), LedgerError> {
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.abort();
        }
        // What was lost is not ours to give back, and a store that does not answer must not hold up the end of the run.
        let Some(lease) = self.lease.take().filter(|_| self.fence.check().is_ok()) else { return Ok(()) };
        self.sweep(&lease).await;
        tokio::time::timeout(LOOKING, self.store.release(&lease)).await.unwrap_or(Ok(()))
    }

    /// Removes contents that nothing needs any longer. A saved plan is stale once the journal has grown: only what was kept since
    /// then may be of one that is not.
    async fn sweep(&self, lease: &Lease) {
        if !self.grown.load(Ordering::Acquire) || self.broken.load(Ordering::Acquire) {
            return;
        }
        let Some(before) = SystemTime::now().checked_sub(FRESH).map(|yesterday| yesterday.min(self.opened)) else {
            return;
        };
        let mut named = self.named.clone();
        named.extend(self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        // A sweep that fails does not fail the run: a later run sweeps again.
        let _ = tokio::time::timeout(LOOKING, self.store.sweep(&named, before, lease)).await;
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Nobody writes any longer: a lease that lived on would lock everybody out.
        if let Some(heartbeat) = self.heartbeat.take() {
            heartbeat.abort();
        }
    }
}
