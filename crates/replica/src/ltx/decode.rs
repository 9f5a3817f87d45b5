//! Decodes a file and verifies everything in it.

use std::io::{BufReader, ErrorKind, Read};

use crc_fast::Digest;
use lz4_flex::block::decompress_into;
use lz4_flex::frame::FrameDecoder;

use super::{
    CHECKSUM_FLAG, FLAG_SIZED, Header, LtxFault, PAGE_HEADER, TRAILER, digest, invalid, lock_page, most, page_checksum,
};

/// What ends an LZ4 frame: the mark, and the checksum of its content.
const FRAME_END: u64 = 8;

/// Reads a file page by page. Nothing that came out of it holds before [`Decoder::finish`] has said so.
pub(crate) struct Decoder<R: Read> {
    input: BufReader<R>,
    header: Header,
    crc: Digest,
    last: u32,
    pages: u32,
    /// The page numbers, in order: the index has to name the same.
    numbers: Digest,
    database: u64,
    packed: Vec<u8>,
    ended: bool,
}

impl<R: Read> Decoder<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, LtxFault> {
        let mut input = BufReader::with_capacity(64 << 10, input);
        let mut bytes = [0; Header::SIZE];
        input.read_exact(&mut bytes).map_err(short)?;
        let header = Header::parse(&bytes)?;
        let mut crc = digest();
        crc.update(&bytes);
        let packed = Vec::with_capacity(most(header.page_size as usize));
        let numbers = digest();
        Ok(Self { input, header, crc, last: 0, pages: 0, numbers, database: CHECKSUM_FLAG, packed, ended: false })
    }

    /// What the header says.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Reads the next page into `data`, which has the size of one. Its number; `None` after the last one.
    pub fn page(&mut self, data: &mut [u8]) -> Result<Option<u32>, LtxFault> {
        if self.ended {
            return Ok(None);
        }
        let mut head = [0; PAGE_HEADER];
        self.read(&mut head)?;
        if head == [0; PAGE_HEADER] {
            self.ended = true;
            return Ok(None);
        }
        let number = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let flags = u16::from_be_bytes([head[4], head[5]]);
        self.check(number)?;
        match flags {
            FLAG_SIZED => self.block(number, data)?,
            0 => self.frame(number, data)?,
            _ => return Err(invalid(format!("the flags of page {number} are of a newer version of LTX than 3"))),
        }
        self.crc.update(data);
        self.numbers.update(&number.to_be_bytes());
        self.pages += 1;
        self.last = number;
        if self.header.is_snapshot() && !self.header.no_checksum {
            self.database = (self.database ^ page_checksum(number, data)) | CHECKSUM_FLAG;
        }
        Ok(Some(number))
    }

    fn check(&self, number: u32) -> Result<(), LtxFault> {
        let (last, commit, lock) = (self.last, self.header.commit, lock_page(self.header.page_size));
        if number <= last || number > commit || number == lock {
            return Err(invalid(format!("page {number} of {commit} comes after page {last}")));
        }
        let next = if last + 1 == lock { lock + 1 } else { last + 1 };
        if self.header.is_snapshot() && number != next {
            return Err(invalid(format!("page {next} is missing in a snapshot")));
        }
        Ok(())
    }

    fn block(&mut self, number: u32, data: &mut [u8]) -> Result<(), LtxFault> {
        let mut size = [0; 4];
        self.read(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        if size > most(data.len()) {
            return Err(invalid(format!("page {number} says that it has {size} bytes")));
        }
        self.packed.resize(size, 0);
        self.input.read_exact(&mut self.packed).map_err(short)?;
        let length = decompress_into(&self.packed, data)
            .map_err(|bad| invalid(format!("page {number} cannot be decompressed: {bad}")))?;
        whole(number, length, data.len())
    }

    /// The older form: a frame without its size in front.
    fn frame(&mut self, number: u32, data: &mut [u8]) -> Result<(), LtxFault> {
        let mut frame = FrameDecoder::new((&mut self.input).take(u64::MAX));
        frame.read_exact(data).map_err(|bad| invalid(format!("page {number} cannot be decompressed: {bad}")))?;
        // The decoder would look for another frame behind this one, which is the next page.
        frame.get_mut().set_limit(FRAME_END);
        match frame.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(invalid(format!("page {number} is longer than a page"))),
            Err(bad) => Err(invalid(format!("page {number} cannot be decompressed: {bad}"))),
        }
    }

    /// Reads what is behind the pages, and says whether all of it was right.
    pub fn finish(mut self) -> Result<Header, LtxFault> {
        if !self.ended {
            return Err(invalid("not all pages were read"));
        }
        let lock = lock_page(self.header.page_size);
        let expected = self.header.commit - u32::from(self.header.commit >= lock);
        if self.header.is_snapshot() && self.pages != expected {
            return Err(invalid(format!("a snapshot of {} pages ends after page {}", self.header.commit, self.last)));
        }
        self.index()?;
        let mut trailer = [0; TRAILER];
        self.input.read_exact(&mut trailer).map_err(short)?;
        self.crc.update(&trailer[..8]);
        let (database, file) = trailer.split_at(8);
        if file != (self.crc.finalize() | CHECKSUM_FLAG).to_be_bytes() {
            return Err(invalid("its checksum does not fit its content"));
        }
        self.database(database)?;
        match self.input.read(&mut [0])? {
            0 => Ok(self.header),
            _ => Err(invalid("there is data after its end")),
        }
    }

    fn database(&self, said: &[u8]) -> Result<(), LtxFault> {
        if self.header.no_checksum {
            let unsaid = invalid("it keeps no checksums of the database, and has one");
            return if said == [0; 8] { Ok(()) } else { Err(unsaid) };
        }
        if self.header.is_snapshot() && said != self.database.to_be_bytes() {
            return Err(invalid("the checksum of the database does not fit its pages"));
        }
        Ok(())
    }

    fn index(&mut self) -> Result<(), LtxFault> {
        let mut consumed = 0;
        let mut numbers = digest();
        let mut free = Header::SIZE as u64;
        loop {
            let number = self.varint(&mut consumed)?;
            let Ok(number) = u32::try_from(number) else { return Err(invalid("its index names a page too high")) };
            if number == 0 {
                break;
            }
            let (offset, size) = (self.varint(&mut consumed)?, self.varint(&mut consumed)?);
            if offset < free || size <= PAGE_HEADER as u64 || offset.checked_add(size).is_none() {
                return Err(invalid(format!("its index has a wrong place for page {number}")));
            }
            free = offset + size;
            numbers.update(&number.to_be_bytes());
        }
        if numbers.finalize() != self.numbers.finalize() {
            return Err(invalid("its index names other pages than it has"));
        }
        let mut size = [0; 8];
        self.read(&mut size)?;
        if u64::from_be_bytes(size) != consumed {
            return Err(invalid("the size of its index is wrong"));
        }
        Ok(())
    }

    fn varint(&mut self, consumed: &mut u64) -> Result<u64, LtxFault> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.read(&mut byte)?;
            *consumed += 1;
            let bits = u64::from(byte[0] & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(invalid("a number in its index is too large"))
    }

    fn read(&mut self, to: &mut [u8]) -> Result<(), LtxFault> {
        self.input.read_exact(to).map_err(short)?;
        self.crc.update(to);
        Ok(())
    }
}

fn whole(number: u32, length: usize, page: usize) -> Result<(), LtxFault> {
    if length == page { Ok(()) } else { Err(invalid(format!("page {number} has {length} bytes"))) }
}

fn short(bad: std::io::Error) -> LtxFault {
    match bad.kind() {
        ErrorKind::UnexpectedEof => invalid("it ends too early"),
        _ => LtxFault::Io(bad),
    }
}

/// So that both sides of a number stand in one place for the tests.
#[cfg(test)]
pub(super) fn as_varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::encode::varint(value, &mut bytes);
    bytes
}
