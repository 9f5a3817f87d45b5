//! The archive of a journal in a bucket: segments with the lines of earlier entries, and the checkpoint that says what they
//! come to. Each name contains the digest of the content, so that nothing is ever written over. What is not needed any more
//! is deleted only after a while: somebody may be reading it.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;

use super::S3Store;
use super::checkpoint::{Checkpoint, FormerPages, RetiredObject, Segment};
use super::head::ObjectPointer;
use super::objects::WriteCondition;
use super::view::JournalView;
use crate::ledger::checksum_chain::digest;
use crate::ledger::error::LedgerError;
use crate::ledger::fold::FOLD;
use crate::ledger::lease::span;
use crate::ledger::text::JournalReader;

/// Requests at the same time.
const AT_ONCE: usize = 16;

impl S3Store {
    /// Writes segments; all of them are in the bucket when this returns.
    pub(super) async fn keep(&self, segments: Vec<(Segment, String)>) -> Result<Vec<Segment>, LedgerError> {
        let mut writes = Vec::new();
        for (segment, lines) in segments {
            let write = async move {
                self.bucket.put(&self.key(&segment.object.key), lines.as_bytes(), &WriteCondition::Always).await?;
                Ok(segment)
            };
            writes.push(write.boxed());
        }
        at_once(writes).await.into_iter().collect()
    }

    /// Writes a checkpoint.
    pub(super) async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> Result<ObjectPointer, LedgerError> {
        let (pointer, text) = checkpoint.written();
        self.bucket.put(&self.key(&pointer.key), text.as_bytes(), &WriteCondition::Always).await?;
        Ok(pointer)
    }

    async fn object(&self, pointer: &ObjectPointer) -> Result<Vec<u8>, LedgerError> {
        let key = self.key(&pointer.key);
        let missing = || LedgerError::Missing { place: self.bucket.place(&key) };
        Ok(self.bucket.get(&key).await?.ok_or_else(missing)?.bytes)
    }

    /// Reads a checkpoint. One that was folded by other rules is folded again.
    pub(super) async fn checkpoint(&self, pointer: &ObjectPointer) -> Result<Checkpoint, LedgerError> {
        let place = self.bucket.place(&self.key(&pointer.key));
        let found = Checkpoint::read(&place, &self.object(pointer).await?, &pointer.sha256)?;
        if found.fold == FOLD {
            return Ok(found);
        }
        let (_, reader) = self.archived(&found).await?;
        let from =
            Checkpoint { segments: found.segments, retired: found.retired, pages: found.pages, ..self.nothing() };
        from.after(&reader.entries, reader.tail).map_err(|source| LedgerError::Contradicts { place, source })
    }

    /// The checkpoint before the first entry.
    pub(super) fn nothing(&self) -> Checkpoint {
        Checkpoint::empty(&self.stack)
    }

    /// The lines of some segments, as they were written.
    pub(super) async fn lines(&self, segments: &[Segment]) -> Result<String, LedgerError> {
        let reads = segments.iter().map(|segment| self.segment(segment).boxed()).collect();
        let all: Result<Vec<String>, LedgerError> = at_once(reads).await.into_iter().collect();
        Ok(all?.concat())
    }

    async fn segment(&self, segment: &Segment) -> Result<String, LedgerError> {
        let bytes = self.object(&segment.object).await?;
        let damage = || LedgerError::Corrupt {
            place: self.bucket.place(&self.key(&segment.object.key)),
            line: 1,
            problem: "its content is not what the checkpoint says".to_owned(),
        };
        if digest(&bytes) != segment.object.sha256 {
            return Err(damage());
        }
        String::from_utf8(bytes).map_err(|_| damage())
    }

    /// All archived lines and their entries, with the seal of each line checked from the first one on.
    pub(super) async fn archived(&self, base: &Checkpoint) -> Result<(String, JournalReader), LedgerError> {
        let text = self.lines(&base.segments).await?;
        let mut reader = JournalReader::default();
        let place = self.bucket.place(&self.key("archive/"));
        reader.page(&place, text.as_bytes())?;
        if reader.tail.chain != base.chain {
            let problem = "the checksums do not lead to those of the checkpoint".to_owned();
            return Err(LedgerError::Corrupt { place, line: reader.entries.len(), problem });
        }
        Ok((text, reader))
    }

    /// The next checkpoint: what is in the head goes into a segment. All segments are in the bucket when this returns.
    pub(super) async fn next_checkpoint(&self, known: &JournalView) -> Result<Checkpoint, LedgerError> {
        let before = known.base.as_deref().cloned().unwrap_or_else(|| self.nothing());
        let contradicts = |source| LedgerError::Contradicts { place: self.bucket.place(&self.key("")), source };
        let next = before.after(&known.entries, known.tail).map_err(contradicts)?;
        let (kept, merged) = before.segments.split_at(before.segments.len() - before.mergeable());
        let lines = self.lines(merged).await? + &known.text;
        let first = merged.first().map_or(before.sequence + 1, |segment| segment.first);
        let added = self.keep(Segment::cut(&lines, first)).await?;
        let now = Timestamp::now();
        let merged = merged.iter().map(|segment| &segment.object).chain(&known.header.checkpoint);
        let merged = merged.map(|object| RetiredObject { key: object.key.clone(), since: now });
        let since = now - span(self.retention);
        // What is left out here is named by no head any longer: the sweep finds it.
        let waiting = before.retired.iter().filter(|retired| retired.since >= since).cloned();
        let mut pages = before.pages.clone();
        if let Some(old) = pages.clone().filter(|pages| pages.since < since)
            && self.sweep_pages(&old, &before).await.is_ok()
        {
            pages = None;
        }
        let segments = kept.iter().cloned().chain(added).collect();
        Ok(Checkpoint { segments, retired: waiting.chain(merged).collect(), pages, ..next })
    }

    /// Deletes what was not needed any more for long enough, and what killed runs left behind. `known` is the head that was
    /// written last, after `before`: nothing that a later head names can be as old as that. What cannot be deleted is no
    /// reason to end a run.
    pub(super) async fn sweep(&self, known: &JournalView, before: Timestamp) {
        let Some(base) = &known.base else { return };
        let segments = base.segments.iter().map(|segment| &segment.object.key);
        let retired = base.retired.iter().map(|retired| &retired.key);
        let checkpoint = known.header.checkpoint.iter().map(|object| &object.key);
        let needed: BTreeSet<String> = segments.chain(retired).chain(checkpoint).map(|key| self.key(key)).collect();
        let Ok(all) = self.bucket.list(&self.key("archive/")).await else { return };
        let old = all.into_iter().filter(|object| object.modified.is_some_and(|at| at < before));
        self.delete_all(old.map(|object| object.key).filter(|key| !needed.contains(key)).collect()).await;
    }

    /// Deletes the pages of an older layout, once it is certain that their lines can be read from the archive.
    async fn sweep_pages(&self, pages: &FormerPages, base: &Checkpoint) -> Result<(), LedgerError> {
        self.archived(base).await?;
        let after = self.page_key(pages.last + 1);
        let all = self.bucket.list(&self.key("journal/")).await?;
        let old = all.into_iter().map(|object| object.key).filter(|key| *key < after).collect();
        match self.delete_all(old).await.into_iter().next() {
            Some(key) => Err(LedgerError::Missing { place: key }),
            None => Ok(()),
        }
    }

    /// Deletes objects; gives those that are still there.
    async fn delete_all(&self, keys: Vec<String>) -> BTreeSet<String> {
        let mut calls = Vec::new();
        for key in keys {
            let delete = async move {
                let answer = self.bucket.delete(&key).await;
                (key, answer.is_ok())
            };
            calls.push(delete.boxed());
        }
        at_once(calls).await.into_iter().filter(|(_, gone)| !gone).map(|(key, _)| key).collect()
    }
}

/// The answers of several calls, in their order.
pub(super) async fn at_once<T: Send>(calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(calls).buffered(AT_ONCE).collect().await
}
