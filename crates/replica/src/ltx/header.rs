//! The header of a file.

use super::{LtxFault, invalid};
use crate::txid::Txid;

const MAGIC: &[u8; 4] = b"LTX1";
/// Nobody keeps the checksum of the database.
const NO_CHECKSUM: u32 = 1 << 1;

/// The header of a file. What Litestream notes of its WAL (offset, size, salts, node) is left out here, and passed over there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// Whether the file carries no checksums of the database. Those that are written here never do: a Merkle root takes their place.
    pub no_checksum: bool,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database after this file.
    pub commit: u32,
    /// The first state in it; 1 for a snapshot.
    pub min: Txid,
    /// The last state in it.
    pub max: Txid,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The checksum of the database before this file.
    pub before: u64,
}

/// The page that SQLite locks instead of using it. It is in no file.
pub(crate) fn lock_page(page_size: u32) -> u32 {
    0x4000_0000 / page_size + 1
}

pub(crate) fn is_page_size(size: u32) -> bool {
    (512..=65536).contains(&size) && size.is_power_of_two()
}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = 100;

    /// Whether the file has all pages.
    pub fn is_snapshot(&self) -> bool {
        self.min == Txid(1)
    }

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let flags = if self.no_checksum { NO_CHECKSUM } else { 0 };
        bytes[0..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&flags.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.page_size.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.commit.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.min.0.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.max.0.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.before.to_be_bytes());
        bytes
    }

    /// Reads a header.
    pub fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, LtxFault> {
        if &bytes[0..4] != MAGIC {
            return Err(invalid("it does not have the header of an LTX file"));
        }
        let flags = word(bytes, 4);
        if flags & !NO_CHECKSUM != 0 {
            return Err(invalid(format!("its flags 0x{flags:08x} are of a newer version of LTX than 3")));
        }
        // Reserved: a version that gives them a meaning is a newer one.
        if bytes[80..].iter().any(|byte| *byte != 0) {
            return Err(invalid("reserved bytes of its header are set: a newer version of LTX than 3"));
        }
        let header = Self {
            no_checksum: flags & NO_CHECKSUM != 0,
            page_size: word(bytes, 8),
            commit: word(bytes, 12),
            min: Txid(long(bytes, 16)),
            max: Txid(long(bytes, 24)),
            timestamp: i64::from_be_bytes(long(bytes, 32).to_be_bytes()),
            before: long(bytes, 40),
        };
        header.check().map(|()| header)
    }

    pub(super) fn check(&self) -> Result<(), LtxFault> {
        if !is_page_size(self.page_size) {
            return Err(invalid(format!("its pages have {} bytes", self.page_size)));
        }
        if self.commit == 0 {
            return Err(invalid("its database has no pages"));
        }
        if self.min.0 == 0 || self.max < self.min {
            return Err(invalid(format!("its transactions are {} to {}", self.min, self.max)));
        }
        let (snapshot, before) = (self.is_snapshot(), self.before != 0);
        match (snapshot, self.no_checksum, before) {
            (true, _, true) => Err(invalid("a snapshot names a state before it")),
            (false, true, true) => Err(invalid("it has no checksums, and names one")),
            (false, false, false) => Err(invalid("it does not name the checksum of the state before it")),
            _ => Ok(()),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) << 32 | u64::from(word(bytes, at + 4))
}
