//! Which pages a log has changed between two places of it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt;

use super::{FRAME_HEADER, HEADER, Wal, checksum, word};

/// Bytes that are read at once.
const CHUNK: usize = 512 << 10;

/// A place between two transactions of one filling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// Frames before it.
    pub frames: u64,
    /// The checksum that the next frame goes on with.
    pub checksum: (u32, u32),
}

/// What was committed between two places.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The second place.
    pub end: Place,
    /// Transactions.
    pub transactions: u64,
    /// Pages of the database after the last one.
    pub commit: u32,
    /// The last frame of each page that was changed; not of all when there were too many.
    pub pages: BTreeMap<u32, u64>,
    /// Whether there were.
    pub too_many: bool,
}

impl Wal {
    /// Reads the frames from a place up to the given one, which has to end a transaction, keeping no more than that many pages in
    /// mind. `None` when they are not all there, or are of another filling.
    ///
    /// Which frames are committed is told by SQLite, not by the file: a transaction is in the file before others may see it, and one
    /// whose last write fails never becomes visible.
    pub fn scan(&self, from: Place, to: u64, most_pages: usize) -> io::Result<Option<Tail>> {
        let frame = FRAME_HEADER + self.generation.page_size as usize;
        let mut tail = Tail { end: from, transactions: 0, commit: 0, pages: BTreeMap::new(), too_many: false };
        let mut chunk = vec![0; (CHUNK / frame).max(1) * frame];
        let mut complete = false;
        while tail.end.frames < to {
            let left = usize::try_from(to - tail.end.frames).unwrap_or(usize::MAX).saturating_mul(frame);
            let length = chunk.len().min(left);
            let at = HEADER as u64 + tail.end.frames * frame as u64;
            match self.file.read_exact_at(&mut chunk[..length], at) {
                Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
            for bytes in chunk[..length].chunks_exact(frame) {
                let Some(commit) = self.step(bytes, &mut tail, most_pages) else { return Ok(None) };
                complete = commit;
            }
        }
        Ok((complete || to <= from.frames).then_some(tail))
    }

    /// Takes one frame in, and says whether it ends a transaction; `None` when it is none of this filling.
    fn step(&self, bytes: &[u8], tail: &mut Tail, most_pages: usize) -> Option<bool> {
        let order = self.generation.big_endian;
        let (page, commit) = (word(bytes, 0, true), word(bytes, 4, true));
        if page == 0 || (word(bytes, 8, true), word(bytes, 12, true)) != self.generation.salts {
            return None;
        }
        let sum = checksum(&bytes[FRAME_HEADER..], checksum(&bytes[..8], tail.end.checksum, order), order);
        if sum != (word(bytes, 16, true), word(bytes, 20, true)) {
            return None;
        }
        tail.end = Place { frames: tail.end.frames + 1, checksum: sum };
        if tail.pages.len() < most_pages || tail.pages.contains_key(&page) {
            tail.pages.insert(page, tail.end.frames);
        } else {
            tail.too_many = true;
        }
        if commit > 0 {
            tail.transactions += 1;
            tail.commit = commit;
        }
        Some(commit > 0)
    }

    /// Whether something of this filling stands behind that many frames: a transaction that goes on, was given up, or is not visible
    /// yet.
    pub fn goes_on(&self, frames: u64) -> io::Result<bool> {
        let frame = FRAME_HEADER as u64 + u64::from(self.generation.page_size);
        let mut head = [0; FRAME_HEADER];
        match self.file.read_exact_at(&mut head, HEADER as u64 + frames * frame) {
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            other => other.map(|()| (word(&head, 8, true), word(&head, 12, true)) == self.generation.salts),
        }
    }
}
