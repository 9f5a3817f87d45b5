//! What is in the bucket, as it was last read or written.

use std::sync::Arc;

use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::S3Store;
use super::archive::at_once;
use super::checkpoint::Checkpoint;
use super::head::{Head, Header};
use super::objects::StoredObject;
use crate::ledger::entry::{Entry, FORMAT};
use crate::ledger::error::LedgerError;
use crate::ledger::store::LoadedJournal;
use crate::ledger::text::{JournalEnd, JournalReader, whole_lines};

/// So often a journal is read again when a part of it is gone: the head has moved on meanwhile.
const READS: usize = 4;

/// How the journal is in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// There is none yet.
    Nothing,
    /// One object for each write, as formats 1 to 3 have it.
    Pages,
    /// A head, with this ETag.
    Head(String),
}

/// The journal as it was last read or written.
#[derive(Clone)]
pub(super) struct JournalView {
    pub(super) layout: Layout,
    pub(super) header: Header,
    /// What the entries before the head come to; none: there are none.
    pub(super) base: Option<Arc<Checkpoint>>,
    /// The lines in the head.
    pub(super) text: String,
    /// Their entries.
    pub(super) entries: Vec<Entry>,
    /// Where it ends.
    pub(super) tail: JournalEnd,
}

impl JournalView {
    /// What a ledger is opened with.
    pub(super) fn loaded(&self) -> LoadedJournal {
        LoadedJournal {
            base: self.base.as_ref().map(|base| base.state.clone()),
            usual: self.base.as_ref().map(|base| base.usual.clone()).unwrap_or_default(),
            entries: self.entries.clone(),
        }
    }

    /// Number of the last entry.
    pub(super) fn sequence(&self) -> u64 {
        self.entries.last().map_or(self.header.sequence, |entry| entry.seq)
    }

    /// The same journal, read from its head.
    fn of(head: Head, base: Option<Arc<Checkpoint>>, etag: String) -> Self {
        let Head { header, reader, text } = head;
        let JournalReader { entries, tail } = reader;
        Self { layout: Layout::Head(etag), header, base, text, entries, tail }
    }
}

/// The page that an older version would write next is taken by this one: it refuses to read a newer format, and its write
/// is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FormatGuard {
    v: u32,
    /// For people who look into the bucket.
    see: String,
    /// Whether a head is there: from then on a missing one is an error.
    pub(super) head: bool,
}

impl FormatGuard {
    pub(super) fn new(head: bool) -> Self {
        Self { v: FORMAT, see: "head.jsonl: written by a newer version: update akidb-edge".to_owned(), head }
    }

    /// The mark that a page is; none when it has entries.
    pub(super) fn of(page: &[u8]) -> Option<Self> {
        serde_json::from_slice(page).ok()
    }
}

impl S3Store {
    /// Reads the journal, without earlier entries where a checkpoint says what they come to.
    pub(super) async fn read(&self) -> Result<Arc<JournalView>, LedgerError> {
        let mut tries = 1;
        let known = loop {
            match self.read_once().await {
                // What a head named was replaced and deleted before it was read.
                Err(LedgerError::Missing { .. }) if tries < READS => tries += 1,
                known => break Arc::new(known?),
            }
        };
        self.is_at(&known);
        Ok(known)
    }

    async fn read_once(&self) -> Result<JournalView, LedgerError> {
        match self.bucket.get(&self.head_key()).await? {
            Some(object) => self.read_head(object).await,
            None => self.read_pages().await,
        }
    }

    /// Reads a head with its checkpoint.
    pub(super) async fn read_head(&self, object: StoredObject) -> Result<JournalView, LedgerError> {
        let place = self.bucket.place(&self.head_key());
        let head = Head::read(&place, &object.bytes)?;
        let base = match &head.header.checkpoint {
            Some(pointer) => Some(Arc::new(self.checkpoint(pointer).await?)),
            None => None,
        };
        let (sequence, chain) = base.as_ref().map(|base| (base.sequence, base.chain)).unwrap_or_default();
        if (sequence, chain) != (head.header.sequence, head.header.chain) {
            let problem = "it does not follow its checkpoint".to_owned();
            return Err(LedgerError::Corrupt { place, line: 1, problem });
        }
        Ok(JournalView::of(head, base, object.etag))
    }

    /// Reads the pages of formats 1 to 3.
    async fn read_pages(&self) -> Result<JournalView, LedgerError> {
        let mut reads = Vec::new();
        for object in self.bucket.list(&self.key("journal/")).await? {
            reads.push(self.page(object.key).boxed());
        }
        let pages: Result<Vec<(String, Vec<u8>)>, LedgerError> = at_once(reads).await.into_iter().collect();
        let mut pages = pages?;
        if let Some(mark) = pages.iter().find_map(|(_, bytes)| FormatGuard::of(bytes)) {
            // A head may have been written since we asked for it.
            if let Some(object) = self.bucket.get(&self.head_key()).await? {
                return self.read_head(object).await;
            }
            if mark.head {
                return Err(LedgerError::Missing { place: self.bucket.place(&self.head_key()) });
            }
            pages.retain(|(_, bytes)| FormatGuard::of(bytes).is_none());
        }
        let (mut reader, mut text) = (JournalReader::default(), String::new());
        for (key, bytes) in &pages {
            let place = self.bucket.place(key);
            // An object is written as a whole or not at all: one that ends within a line was cut by somebody.
            if !reader.page(&place, bytes)?.is_empty() {
                let line = bytes.split(|byte| *byte == b'\n').count();
                let problem = "it ends in the middle of a line".to_owned();
                return Err(LedgerError::Corrupt { place, line, problem });
            }
            text.push_str(&whole_lines(bytes));
        }
        let layout = if pages.is_empty() { Layout::Nothing } else { Layout::Pages };
        let JournalReader { entries, tail } = reader;
        let tail = JournalEnd { open: false, ..tail };
        Ok(JournalView { layout, header: Header::default(), base: None, text, entries, tail })
    }

    async fn page(&self, key: String) -> Result<(String, Vec<u8>), LedgerError> {
        let bytes = self.bucket.get(&key).await?.map(|object| object.bytes).unwrap_or_default();
        Ok((key, bytes))
    }

    /// What can be known of a journal that is damaged, to put another in its place.
    pub(super) async fn read_damaged(&self) -> Result<Arc<JournalView>, LedgerError> {
        let mut known = JournalView {
            layout: Layout::Nothing,
            header: Header::default(),
            base: None,
            text: String::new(),
            entries: Vec::new(),
            tail: JournalEnd::default(),
        };
        if let Some(object) = self.bucket.get(&self.head_key()).await? {
            known.header = Head::read("", &object.bytes).map(|head| head.header).unwrap_or_default();
            known.layout = Layout::Head(object.etag);
            return Ok(Arc::new(known));
        }
        for object in self.bucket.list(&self.key("journal/")).await?.into_iter().rev() {
            let bytes = self.bucket.get(&object.key).await?.map(|object| object.bytes).unwrap_or_default();
            if FormatGuard::of(&bytes).is_some() {
                continue;
            }
            let name = object.key.rsplit('/').next().and_then(|name| name.split('.').next());
            let first: u64 = name.and_then(|name| name.parse().ok()).unwrap_or(1);
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            known.header.sequence = (first + lines).saturating_sub(1);
            known.layout = Layout::Pages;
            break;
        }
        Ok(Arc::new(known))
    }

    /// All lines and their entries.
    pub(super) async fn whole(&self) -> Result<(String, Vec<Entry>), LedgerError> {
        let mut tries = 1;
        loop {
            let known = if tries == 1 { self.known_or_read().await? } else { self.read().await? };
            let Some(base) = &known.base else { return Ok((known.text.clone(), known.entries.clone())) };
            match self.archived(base).await {
                Err(LedgerError::Missing { .. }) if tries < READS => tries += 1,
                archived => {
                    let (mut text, mut reader) = archived?;
                    text.push_str(&known.text);
                    reader.entries.extend(known.entries.iter().cloned());
                    return Ok((text, reader.entries));
                }
            }
        }
    }
}
