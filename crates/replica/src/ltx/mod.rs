//! The format LTX, version 3, as Litestream 0.5 writes it: a header, pages (LZ4) in ascending order, an index of them, a trailer with
//! checksums. The version stands nowhere in a file: what does not fit this one is refused.

mod decode;
mod encode;
mod header;
mod merge;
mod name;

pub(crate) use decode::Decoder;
pub(crate) use encode::Encoder;
pub(crate) use header::{Header, is_page_size, lock_page};
pub(crate) use merge::merge;
pub(crate) use name::{Name, SNAPSHOT_LEVEL, prefix};

use crc_fast::{CrcAlgorithm, Digest};

/// Set in each checksum, so that none is zero.
const CHECKSUM_FLAG: u64 = 1 << 63;
/// Bytes of the header of a page.
const PAGE_HEADER: usize = 6;
/// Bytes of the trailer.
const TRAILER: usize = 16;
/// In the header of a page: a size follows, and the data is one LZ4 block. Older files have an LZ4 frame instead.
const FLAG_SIZED: u16 = 1;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LtxFault {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is not what it has to be.
    #[error("{0}")]
    Invalid(String),
}

fn invalid(what: impl Into<String>) -> LtxFault {
    LtxFault::Invalid(what.into())
}

/// CRC-64 by the polynomial of ISO 3309, as Go computes it.
fn digest() -> Digest {
    Digest::new(CrcAlgorithm::Crc64GoIso)
}

/// The checksum of a page, of which a database's is the exclusive or.
fn page_checksum(number: u32, data: &[u8]) -> u64 {
    let mut digest = digest();
    digest.update(&number.to_be_bytes());
    digest.update(data);
    digest.finalize() | CHECKSUM_FLAG
}

/// The most bytes that LZ4 makes of a page.
fn most(page_size: usize) -> usize {
    lz4_flex::block::get_maximum_output_size(page_size)
}

#[cfg(test)]
mod tests;
