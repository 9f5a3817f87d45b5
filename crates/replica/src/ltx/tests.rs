use std::io::Write as _;

use proptest::prelude::*;

use super::decode::as_varint;
use super::{Decoder, Encoder, Header, LtxFault, Name, lock_page, merge};
use crate::store::Layout;
use crate::txid::Txid;

fn header(min: u64, max: u64, commit: u32) -> Header {
    let (min, max) = (Txid(min), Txid(max));
    Header { no_checksum: true, page_size: 512, commit, min, max, timestamp: 1_700_000_000_000, before: 0 }
}

fn written(header: Header, pages: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), header).unwrap();
    for (number, data) in pages {
        encoder.page(*number, data).unwrap();
    }
    let (bytes, size) = encoder.finish().unwrap();
    assert_eq!(bytes.len() as u64, size);
    bytes
}

type Pages = Vec<(u32, Vec<u8>)>;

fn read(bytes: &[u8]) -> Result<(Header, Pages), LtxFault> {
    let mut decoder = Decoder::new(bytes)?;
    let mut data = vec![0; decoder.header().page_size as usize];
    let mut pages = Vec::new();
    while let Some(number) = decoder.page(&mut data)? {
        pages.push((number, data.clone()));
    }
    Ok((decoder.finish()?, pages))
}

fn page(seed: u8) -> Vec<u8> {
    (0..512_u32).map(|at| (at.wrapping_mul(u32::from(seed)) >> 3).to_le_bytes()[0]).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let pages = vec![(1, page(1)), (2, page(0)), (3, page(77))];
    assert_eq!(read(&written(header(1, 4, 3), &pages)).unwrap(), (header(1, 4, 3), pages));
    let some = vec![(3, page(9)), (700, page(8))];
    assert_eq!(read(&written(header(5, 5, 900), &some)).unwrap(), (header(5, 5, 900), some));
    assert_eq!(read(&written(header(5, 5, 900), &[])).unwrap(), (header(5, 5, 900), vec![]));
}

/// Before version 0.5.1 of superfly/ltx, a page was an LZ4 frame. Whole files by its own programs: `tests/judges.rs`.
#[test]
fn pages_in_the_older_form_are_read() {
    let mut frame = lz4_flex::frame::FrameEncoder::with_frame_info(
        lz4_flex::frame::FrameInfo::new().content_checksum(true),
        Vec::new(),
    );
    frame.write_all(&page(5)).unwrap();
    let frame = frame.finish().unwrap();
    let mut crc = super::digest();
    let mut bytes = header(2, 2, 9).to_bytes().to_vec();
    for number in [4_u32, 6] {
        let head = [&number.to_be_bytes()[..], &[0, 0]].concat();
        bytes.extend(&head);
        bytes.extend(&frame);
    }
    crc.update(&header(2, 2, 9).to_bytes());
    for number in [4_u32, 6] {
        crc.update(&[&number.to_be_bytes()[..], &[0, 0]].concat());
        crc.update(&page(5));
    }
    let size = frame.len() as u64 + 6;
    let index: Vec<u8> = [4, 100, size, 6, 100 + size, size, 0].iter().flat_map(|value| as_varint(*value)).collect();
    let rest = [&[0; 6][..], &index, &(index.len() as u64).to_be_bytes(), &[0; 8]].concat();
    crc.update(&rest);
    bytes.extend(&rest);
    bytes.extend((crc.finalize() | super::CHECKSUM_FLAG).to_be_bytes());
    assert_eq!(read(&bytes).unwrap().1, vec![(4, page(5)), (6, page(5))]);
}

#[test]
fn a_snapshot_has_every_page_but_the_one_that_is_locked() {
    let mut encoder = Encoder::new(Vec::new(), header(1, 1, 3)).unwrap();
    encoder.page(1, &page(1)).unwrap();
    assert!(encoder.page(3, &page(1)).is_err());
    let short = {
        let mut encoder = Encoder::new(Vec::new(), header(1, 1, 3)).unwrap();
        encoder.page(1, &page(1)).unwrap();
        encoder.finish().unwrap().0
    };
    assert!(read(&short).unwrap_err().to_string().contains("ends after page 1"));
    assert_eq!((lock_page(512), lock_page(4096), lock_page(65536)), (2_097_153, 262_145, 16_385));
    let mut encoder = Encoder::new(Vec::new(), header(2, 2, 3_000_000)).unwrap();
    assert!(encoder.page(lock_page(512), &page(1)).is_err());
}

#[test]
fn newer_versions_are_refused() {
    let good = written(header(2, 2, 9), &[(4, page(4))]);
    for (at, what) in [(7, 4), (3, b'2'), (99, 1), (80, 1)] {
        let mut newer = good.clone();
        newer[at] = what;
        assert!(read(&newer).is_err(), "byte {at}");
    }
}

#[test]
fn the_newest_form_of_a_page_is_kept() {
    let snapshot = written(header(1, 3, 3), &[(1, page(1)), (2, page(2)), (3, page(3))]);
    let grown = written(header(4, 4, 4), &[(2, page(12)), (4, page(14))]);
    let shrunk = written(header(5, 5, 2), &[(1, page(21))]);
    let (bytes, merged, _) = merge(vec![&snapshot[..], &grown, &shrunk], Vec::new()).unwrap();
    assert_eq!((merged.min, merged.max, merged.commit), (Txid(1), Txid(5), 2));
    assert_eq!(read(&bytes).unwrap().1, vec![(1, page(21)), (2, page(12))]);
    assert!(merge(vec![&snapshot[..], &shrunk], Vec::new()).is_err(), "4 is missing");
    assert!(merge(vec![&grown[..], &snapshot], Vec::new()).is_err(), "the wrong order");
}

#[test]
fn keys_are_those_of_litestream() {
    let name = Name::of(9, Txid(1), Txid(31));
    assert_eq!(name.key(Layout::Folder), "ltx/9/0000000000000001-000000000000001f.ltx");
    assert_eq!(name.key(Layout::Bucket), "0009/0000000000000001-000000000000001f.ltx");
    for layout in [Layout::Folder, Layout::Bucket] {
        assert_eq!(Name::parse(layout, 9, &name.key(layout)), Some(name));
        assert_eq!(Name::parse(layout, 8, &name.key(layout)), None);
    }
    for bad in
        ["ltx/0/1-2.ltx", "ltx/0/0000000000000002-0000000000000001.ltx", "ltx/0/000000000000000A-000000000000000B.ltx"]
    {
        assert_eq!(Name::parse(Layout::Folder, 0, bad), None, "{bad}");
    }
}

/// Numbers are refused where they are read, before the checksum at the end is known: none of them reaches a buffer or a file.
#[test]
fn numbers_of_a_crafted_file_are_not_trusted() {
    let whole = written(header(5, 5, 9), &[(3, page(9)), (7, page(8))]);
    let put = |at: usize, value: u32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    };
    // The number of the first page, and the bytes that it says to have, come behind the header of 100 bytes.
    for (crafted, said) in [
        (put(100, 0xffff_fff0), "page 4294967280 of 9"),
        (put(100, 10), "page 10 of 9"),
        (put(106, u32::MAX), "says that it has 4294967295 bytes"),
        (put(8, 0), "its pages have 0 bytes"),
        (put(8, 1 << 20), "its pages have 1048576 bytes"),
        (put(8, 513), "its pages have 513 bytes"),
        (put(12, 0), "no pages"),
    ] {
        let refused = read(&crafted).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}, and not {said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is cut off or changed: it is refused, or says the same (LZ4 has several ways to say it), and nothing panics.
    #[test]
    fn a_damaged_file_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<bool>(), seed in 1..255_u8) {
        let mut bytes = written(header(7, 9, 40), &[(1, page(seed)), (17, page(3)), (40, page(0))]);
        let (whole, at) = (read(&bytes).unwrap(), at.index(bytes.len()));
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        prop_assert!(read(&bytes).map_or(true, |found| !cut && found == whole));
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&bytes).is_err());
        let mut framed = header(2, 2, 9).to_bytes().to_vec();
        framed.extend(&bytes);
        prop_assert!(read(&framed).is_err());
    }
}
