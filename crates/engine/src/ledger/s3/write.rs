//! Writing to a journal in a bucket. Every write replaces the head as it was last read (`WriteCondition-Match`): whoever lost the lease
//! is refused, because the next holder has written the head since.

use std::sync::Arc;

use uuid::Uuid;

use super::S3Store;
use super::checkpoint::{Checkpoint, FormerPages, Segment};
use super::head::Header;
use super::objects::{WriteCondition, WriteOutcome};
use super::view::{FormatGuard, JournalView, Layout};
use crate::ledger::entry::{Entry, FORMAT};
use crate::ledger::error::LedgerError;
use crate::ledger::lease::span;
use crate::ledger::text::JournalEnd;

/// So often a write is tried on what somebody else left meanwhile.
const TRIES: usize = 5;

/// What is to be added.
#[derive(Clone, Copy, Default)]
struct Added<'a> {
    entries: &'a [Entry],
    lines: &'a str,
}

impl S3Store {
    /// Adds entries, and moves a long head into the archive.
    pub(super) async fn add(&self, entries: &[Entry], holder: Uuid) -> Result<(), LedgerError> {
        let known = self.known_or_read().await?;
        let (lines, tail) = known.tail.lines(entries);
        let known = self.advance(&known, holder, Added { entries, lines: &lines }, tail).await?;
        self.is_at(&known);
        if known.text.len() >= self.roll_at {
            // The entries are there already. What fails here is tried again after the next write.
            if let Ok(rolled) = self.roll(&known, holder).await {
                self.is_at(&rolled);
            }
        }
        Ok(())
    }

    /// From now on only `holder` may write.
    pub(super) async fn fence(&self, holder: Uuid) -> Result<Arc<JournalView>, LedgerError> {
        let mut known = self.read().await?;
        for _ in 0..TRIES {
            match self.advance(&known, holder, Added::default(), known.tail).await {
                // Whoever has the lease wrote in between: that is part of the journal now.
                Err(LedgerError::LeaseLost(_)) => known = self.read().await?,
                fenced => {
                    let fenced = fenced?;
                    self.is_at(&fenced);
                    return Ok(fenced);
                }
            }
        }
        Err(LedgerError::LeaseLost("another process keeps writing to the journal".to_owned()))
    }

    async fn advance(
        &self,
        known: &Arc<JournalView>,
        holder: Uuid,
        added: Added<'_>,
        tail: JournalEnd,
    ) -> Result<Arc<JournalView>, LedgerError> {
        if !matches!(known.layout, Layout::Head(_)) {
            return self.begin(known, holder, added, tail).await;
        }
        if !added.entries.is_empty() {
            self.keep_older(known).await?;
        }
        let mut known = Arc::clone(known);
        // A head without entries of this version stays readable for the version that wrote it.
        let v = if added.entries.is_empty() { known.header.v } else { FORMAT };
        for _ in 0..TRIES {
            let Layout::Head(etag) = &known.layout else { break };
            let next = JournalView {
                header: Header { v, holder, ..known.header.clone() },
                text: format!("{}{}", known.text, added.lines),
                entries: known.entries.iter().chain(added.entries).cloned().collect(),
                tail,
                ..JournalView::clone(&known)
            };
            let body = next.header.with(&next.text);
            if let WriteOutcome::Done(etag) =
                self.bucket.put(&self.head_key(), body.as_bytes(), &WriteCondition::Same(etag.clone())).await?
            {
                return Ok(Arc::new(self.marked(JournalView { layout: Layout::Head(etag), ..next }).await));
            }
            // Our own write whose answer was lost looks the same as somebody else's: read it to tell.
            let Some(there) = self.bucket.get(&self.head_key()).await? else {
                return Err(LedgerError::LeaseLost("the head of the journal was taken away".to_owned()));
            };
            if there.bytes == body.as_bytes() {
                return Ok(Arc::new(JournalView { layout: Layout::Head(there.etag), ..next }));
            }
            let there = self.read_head(there).await?;
            // Or it is how we left it before, by a write whose answer never came.
            let same = there.tail.chain == known.tail.chain;
            let ours = there.header.holder == holder || there.header.holder == known.header.holder;
            if !(same && ours) {
                return Err(LedgerError::LeaseLost("another process wrote to the journal".to_owned()));
            }
            known = Arc::new(there);
        }
        Err(LedgerError::LeaseLost("another process writes to the journal".to_owned()))
    }

    /// Writes the first head. Pages of an older layout go into the archive; they stay where they are for a while.
    async fn begin(
        &self,
        known: &JournalView,
        holder: Uuid,
        added: Added<'_>,
        tail: JournalEnd,
    ) -> Result<Arc<JournalView>, LedgerError> {
        let base = if known.layout == Layout::Pages { Some(self.take_in(known).await?) } else { None };
        let mut header = Header::at(JournalEnd::default(), 0, holder);
        if let Some(base) = &base {
            let checkpoint = Some(self.keep_checkpoint(base).await?);
            header = Header { checkpoint, ..Header::at(known.tail, base.sequence, holder) };
        }
        // An older version that still holds the lease would write this page next: from here on it cannot.
        self.mark(base.as_ref(), false).await?;
        let body = header.with(added.lines);
        let etag = match self.bucket.put(&self.head_key(), body.as_bytes(), &WriteCondition::New).await? {
            WriteOutcome::Done(etag) => etag,
            WriteOutcome::Refused => {
                let there = self.bucket.get(&self.head_key()).await?.filter(|there| there.bytes == body.as_bytes());
                let lost = || LedgerError::LeaseLost("another process wrote to the journal".to_owned());
                there.ok_or_else(lost)?.etag
            }
        };
        let (layout, base, text) = (Layout::Head(etag), base.map(Arc::new), added.lines.to_owned());
        let next = JournalView { layout, header, base, text, entries: added.entries.to_vec(), tail };
        Ok(Arc::new(self.marked(next).await))
    }

    /// The pages of an older layout as a checkpoint; they are kept as the journal of that format, too.
    async fn take_in(&self, known: &JournalView) -> Result<Checkpoint, LedgerError> {
        self.keep_older(known).await?;
        let segments = self.keep(Segment::cut(&known.text, 1)).await?;
        let contradicts = |source| LedgerError::Contradicts { place: self.bucket.place(&self.key("")), source };
        let base = self.nothing().after(&known.entries, known.tail).map_err(contradicts)?;
        let pages = Some(FormerPages { last: base.sequence, since: jiff::Timestamp::now() });
        Ok(Checkpoint { segments, pages, ..base })
    }

    /// Keeps the journal of an older format, for the version that knows no newer one.
    pub(super) async fn keep_older(&self, known: &JournalView) -> Result<(), LedgerError> {
        let Some(format) = known.tail.older() else { return Ok(()) };
        let mut text = match &known.base {
            Some(base) => self.lines(&base.segments).await?,
            None => String::new(),
        };
        text.push_str(&known.text);
        let copy = self.key(&format!("{}/{:020}.jsonl", backup(format), 1));
        self.bucket.put(&copy, text.as_bytes(), &WriteCondition::Always).await.map(drop)
    }

    /// Says to older versions that they cannot read on.
    pub(super) async fn mark(&self, base: Option<&Checkpoint>, head: bool) -> Result<(), LedgerError> {
        let key = self.page_key(base.and_then(|base| base.pages.as_ref()).map_or(0, |pages| pages.last) + 1);
        // Plain data: it always has a JSON form.
        let text = serde_json::to_string(&FormatGuard::new(head)).unwrap_or_default() + "\n";
        let condition = if head { WriteCondition::Always } else { WriteCondition::New };
        if let WriteOutcome::Done(_) = self.bucket.put(&key, text.as_bytes(), &condition).await? {
            return Ok(());
        }
        match self.bucket.get(&key).await? {
            Some(there) if FormatGuard::of(&there.bytes).is_some() => Ok(()),
            _ => Err(LedgerError::LeaseLost("an older version wrote to the journal".to_owned())),
        }
    }

    /// Says once that a head is there. The head records with its next write that this was done.
    pub(super) async fn marked(&self, mut known: JournalView) -> JournalView {
        if !known.header.marked {
            known.header.marked = self.mark(known.base.as_deref(), true).await.is_ok();
        }
        known
    }

    /// Moves the entries of the head into the archive. Until the last write the head is as it was.
    pub(super) async fn roll(&self, known: &Arc<JournalView>, holder: Uuid) -> Result<Arc<JournalView>, LedgerError> {
        let before = jiff::Timestamp::now() - span(self.retention);
        let base = self.next_checkpoint(known).await?;
        let rolled = self.switch(known, base, holder).await?;
        self.sweep(&rolled, before).await;
        Ok(rolled)
    }

    /// Makes a checkpoint the journal.
    pub(super) async fn switch(
        &self,
        known: &Arc<JournalView>,
        base: Checkpoint,
        holder: Uuid,
    ) -> Result<Arc<JournalView>, LedgerError> {
        let checkpoint = Some(self.keep_checkpoint(&base).await?);
        let tail = JournalEnd { chain: base.chain, format: base.format, ..JournalEnd::default() };
        let header = Header { checkpoint, marked: known.header.marked, ..Header::at(tail, base.sequence, holder) };
        let condition = match &known.layout {
            Layout::Head(etag) => WriteCondition::Same(etag.clone()),
            _ => {
                self.mark(Some(&base), false).await?;
                WriteCondition::New
            }
        };
        let lost = || LedgerError::LeaseLost("another process wrote to the journal".to_owned());
        let body = header.with("");
        let etag = match self.bucket.put(&self.head_key(), body.as_bytes(), &condition).await? {
            WriteOutcome::Done(etag) => etag,
            WriteOutcome::Refused => {
                let there = self.bucket.get(&self.head_key()).await?.filter(|there| there.bytes == body.as_bytes());
                there.ok_or_else(lost)?.etag
            }
        };
        let (layout, base) = (Layout::Head(etag), Some(Arc::new(base)));
        let next = JournalView { layout, header, base, text: String::new(), entries: Vec::new(), tail };
        Ok(Arc::new(self.marked(next).await))
    }
}

/// Where the journal of an older format is kept.
pub(super) fn backup(format: u32) -> String {
    format!("journal.v{format}.bak")
}
