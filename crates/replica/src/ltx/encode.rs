//! Writes a file.

use std::io::{Read as _, Seek as _, SeekFrom, Write};

use crc_fast::Digest;
use lz4_flex::block::{CompressTable, compress_into_with_table};
use tempfile::SpooledTempFile;

use super::{CHECKSUM_FLAG, FLAG_SIZED, Header, LtxFault, PAGE_HEADER, digest, invalid, lock_page, most};

/// An index that is larger lies in a file until it is written.
const INDEX_IN_MEMORY: usize = 4 << 20;

/// Writes a file, page by page in ascending order. Its memory does not grow with the number of pages.
pub(crate) struct Encoder<W: Write> {
    out: W,
    header: Header,
    crc: Digest,
    written: u64,
    last: u32,
    index: SpooledTempFile,
    index_size: u64,
    table: CompressTable,
    packed: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// Writes the header. The header has to say that no checksums are kept.
    pub fn new(out: W, header: Header) -> Result<Self, LtxFault> {
        header.check()?;
        if !header.no_checksum {
            return Err(invalid("checksums of the database are not written"));
        }
        let mut own = Self {
            out,
            header,
            crc: digest(),
            written: 0,
            last: 0,
            index: SpooledTempFile::new(INDEX_IN_MEMORY),
            index_size: 0,
            table: CompressTable::default(),
            packed: vec![0; most(header.page_size as usize)],
        };
        own.put(&header.to_bytes())?;
        Ok(own)
    }

    /// Writes a page.
    pub fn page(&mut self, number: u32, data: &[u8]) -> Result<(), LtxFault> {
        self.check(number, data)?;
        let begin = self.written;
        let length = compress_into_with_table(data, &mut self.packed, &mut self.table)
            .map_err(|bad| invalid(format!("page {number} cannot be compressed: {bad}")))?;
        let mut head = [0; PAGE_HEADER + 4];
        head[..4].copy_from_slice(&number.to_be_bytes());
        head[4..6].copy_from_slice(&FLAG_SIZED.to_be_bytes());
        // A page has at most 64 KiB.
        head[6..].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        self.put(&head)?;
        self.out.write_all(&self.packed[..length])?;
        self.crc.update(data);
        self.written += length as u64;
        self.last = number;
        let mut entry = Vec::with_capacity(30);
        for value in [u64::from(number), begin, self.written - begin] {
            varint(value, &mut entry);
        }
        self.index_size += entry.len() as u64;
        Ok(self.index.write_all(&entry)?)
    }

    fn check(&self, number: u32, data: &[u8]) -> Result<(), LtxFault> {
        let lock = lock_page(self.header.page_size);
        if data.len() != self.header.page_size as usize {
            return Err(invalid(format!("page {number} has {} bytes", data.len())));
        }
        if number == 0 || number == lock || number > self.header.commit || number <= self.last {
            return Err(invalid(format!("page {number} of {} cannot follow page {}", self.header.commit, self.last)));
        }
        let next = if self.last + 1 == lock { lock + 1 } else { self.last + 1 };
        if self.header.is_snapshot() && number != next {
            return Err(invalid(format!("page {next} is missing in a snapshot")));
        }
        Ok(())
    }

    /// Writes the index and the trailer. Returns what it wrote to, and the bytes of the file.
    pub fn finish(mut self) -> Result<(W, u64), LtxFault> {
        self.put(&[0; PAGE_HEADER])?;
        self.index.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = self.index.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            self.put(&chunk[..read])?;
        }
        self.put(&[0])?;
        self.put(&(self.index_size + 1).to_be_bytes())?;
        // No checksum of the database.
        self.put(&[0; 8])?;
        let checksum = self.crc.finalize() | CHECKSUM_FLAG;
        self.out.write_all(&checksum.to_be_bytes())?;
        self.out.flush()?;
        Ok((self.out, self.written + 8))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), LtxFault> {
        self.out.write_all(bytes)?;
        self.crc.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

pub(super) fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        // The low seven bits.
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}
