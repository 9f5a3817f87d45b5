//! Reads the write-ahead log of SQLite, as <https://sqlite.org/fileformat2.html#the_write_ahead_log> describes it.
//!
//! Only the file itself is opened. It carries no locks of SQLite, so that closing it takes none away from a connection of this process;
//! the database and its `-shm` do, and are never opened here.

mod scan;

pub(crate) use scan::{Place, Tail};

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of the header.
const HEADER: usize = 32;
/// Bytes before the page of a frame.
const FRAME_HEADER: usize = 24;
/// The magic numbers; the last bit says in which order checksums read their words.
const MAGIC: u32 = 0x377f_0682;
/// The only version there is.
const VERSION: u32 = 3_007_000;

/// One filling of the log: from when it began anew until it does so again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Generation {
    /// Bytes of a page.
    pub page_size: u32,
    /// Both change when the log begins anew; the first goes up by one.
    pub salts: (u32, u32),
    checksum: (u32, u32),
    big_endian: bool,
}

impl Generation {
    /// Whether the log began anew exactly once since `former`.
    pub fn follows(&self, former: &Self) -> bool {
        self.salts.0 == former.salts.0.wrapping_add(1) && self.page_size == former.page_size
    }

    /// Where the first frame begins.
    pub fn start(&self) -> Place {
        Place { frames: 0, checksum: self.checksum }
    }
}

/// An open log.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    generation: Generation,
}

impl Wal {
    /// The log of this database.
    pub fn beside(database: &Path) -> PathBuf {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        path.into()
    }

    /// Opens a log; `None` when it is not there, is empty, or its header is just being written.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut header = [0; HEADER];
        match file.read_exact_at(&mut header, 0) {
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        Ok(parse(&header)?.map(|generation| Self { file, generation }))
    }

    /// Which filling this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether it has not begun anew since it was opened.
    pub fn is_current(&self) -> io::Result<bool> {
        let mut header = [0; HEADER];
        match self.file.read_exact_at(&mut header, 0) {
            Err(short) if short.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            other => {
                other?;
                Ok(parse(&header)? == Some(self.generation))
            }
        }
    }

    /// Reads the page of a frame (the first is 1).
    pub fn page(&self, frame: u64, page: &mut [u8]) -> io::Result<()> {
        let size = FRAME_HEADER as u64 + u64::from(self.generation.page_size);
        self.file.read_exact_at(page, HEADER as u64 + (frame - 1) * size + FRAME_HEADER as u64)
    }
}

fn parse(header: &[u8; HEADER]) -> io::Result<Option<Generation>> {
    let magic = word(header, 0, true);
    let page_size = word(header, 8, true);
    let big_endian = magic & 1 == 1;
    let sum = checksum(&header[..24], (0, 0), big_endian);
    if magic & !1 != MAGIC || sum != (word(header, 24, true), word(header, 28, true)) {
        return Ok(None);
    }
    if word(header, 4, true) != VERSION || !crate::ltx::is_page_size(page_size) {
        let what = format!("a WAL of version {} with pages of {page_size} bytes is not known", word(header, 4, true));
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    let salts = (word(header, 16, true), word(header, 20, true));
    Ok(Some(Generation { page_size, salts, checksum: sum, big_endian }))
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// The checksum of SQLite's log, over a multiple of eight bytes.
fn checksum(bytes: &[u8], from: (u32, u32), big_endian: bool) -> (u32, u32) {
    let (mut one, mut two) = from;
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(pair, 0, big_endian)).wrapping_add(two);
        two = two.wrapping_add(word(pair, 4, big_endian)).wrapping_add(one);
    }
    (one, two)
}

#[cfg(test)]
mod tests;
