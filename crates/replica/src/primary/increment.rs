//! What was changed between two states, as a file that can be published.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempPath;

use crate::ltx::{Encoder, Header, LtxFault, Name, lock_page};
use crate::merkle::{Hash, Root, Tree, leaf};
use crate::proof::Claim;
use crate::txid::Txid;
use crate::wal::Wal;

/// A file of a chain that waits to be published. The file goes when nobody needs it any more.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The first state in it.
    pub min: Txid,
    /// The last state in it.
    pub max: Txid,
    /// Where it lies.
    pub path: TempPath,
    /// Its bytes.
    pub size: u64,
    /// Its hash.
    pub sha256: String,
    /// Pages of the database after it.
    pub pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// The root after it.
    pub root: Root,
    /// The root before it; `None` for a snapshot.
    pub before: Option<Root>,
    /// When it was captured: what was committed is at most one wake-up older.
    pub at: Timestamp,
    /// The same, by a clock that does not jump.
    pub captured: Instant,
    /// Bytes of the pages in it.
    pub page_bytes: u64,
}

impl Segment {
    /// What is claimed of it where it lies.
    pub fn claim(&self, level: u8, epoch: u64) -> Claim {
        Claim {
            name: Name::of(level, self.min, self.max),
            size: self.size,
            sha256: self.sha256.clone(),
            epoch,
            pages: self.pages,
            root: self.root,
            before: self.before,
            at: self.at,
        }
    }
}

/// Writes through, and hashes what it writes.
pub(crate) struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Hashing<W> {
    /// Writes to this.
    pub fn new(out: W) -> Self {
        Self { out, hash: Sha256::new() }
    }

    /// The hash of all that was written.
    pub fn finish(self) -> String {
        hex::encode(self.hash.finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A new file in the spool.
pub(crate) fn spool_file(spool: &Path) -> io::Result<(File, TempPath)> {
    Ok(tempfile::Builder::new().prefix("segment-").suffix(".ltx").tempfile_in(spool)?.into_parts())
}

/// What an increment is made from.
pub(crate) struct Changes<'a> {
    /// The log that has the pages.
    pub wal: &'a Wal,
    /// Each changed page, and its frame.
    pub frames: &'a BTreeMap<u32, u64>,
    /// Pages of the database after it.
    pub commit: u32,
    /// The states.
    pub txids: (Txid, Txid),
    /// When it was captured.
    pub at: Timestamp,
}

/// Writes an increment, and takes its pages into the tree.
pub(crate) fn write(changes: &Changes<'_>, tree: &mut Tree, spool: &Path) -> Result<Segment, LtxFault> {
    let before = tree.root()?;
    let page_size = changes.wal.generation().page_size;
    let (min, max) = changes.txids;
    let (commit, timestamp) = (changes.commit, changes.at.as_millisecond());
    let header = Header { no_checksum: true, page_size, commit, min, max, timestamp, before: 0 };
    let (file, path) = spool_file(spool)?;
    let mut encoder = Encoder::new(Hashing::new(io::BufWriter::new(file)), header)?;
    let mut leaves: Vec<(u32, Hash)> = Vec::with_capacity(changes.frames.len());
    let mut page = vec![0; page_size as usize];
    for (number, frame) in with_holes(changes, tree.pages(), page_size) {
        match frame {
            Some(frame) => changes.wal.page(frame, &mut page)?,
            None => page.fill(0),
        }
        encoder.page(number, &page)?;
        leaves.push((number, leaf(number, &page)));
    }
    let (out, size) = encoder.finish()?;
    tree.change(&leaves, commit)?;
    Ok(Segment {
        min,
        max,
        path,
        size,
        sha256: out.finish(),
        pages: commit,
        page_size,
        root: tree.root()?,
        before: Some(before),
        at: changes.at,
        captured: Instant::now(),
        page_bytes: leaves.len() as u64 * u64::from(page_size),
    })
}

/// All pages in order. Those behind the former end that have no frame were never written: they are zero.
fn with_holes(changes: &Changes<'_>, former: u32, page_size: u32) -> Vec<(u32, Option<u64>)> {
    let lock = lock_page(page_size);
    let within = changes.frames.range(1..=changes.commit).map(|(number, frame)| (*number, Some(*frame)));
    let mut pages: Vec<(u32, Option<u64>)> = within.collect();
    let grown = (former.saturating_add(1)..=changes.commit).filter(|number| *number != lock);
    pages.extend(grown.filter(|number| !changes.frames.contains_key(number)).map(|number| (number, None)));
    pages.sort_unstable();
    pages
}
