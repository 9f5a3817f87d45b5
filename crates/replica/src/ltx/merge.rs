//! Merges consecutive files into one.

use std::io::{Read, Write};

use super::{Decoder, Encoder, Header, LtxFault, invalid};

struct Input<R: Read> {
    decoder: Decoder<R>,
    page: Vec<u8>,
    number: Option<u32>,
}

impl<R: Read> Input<R> {
    fn advance(&mut self) -> Result<(), LtxFault> {
        self.number = self.decoder.page(&mut self.page)?;
        Ok(())
    }
}

/// Merges files, oldest first, into one with the newest form of each page. Returns what it wrote to, its header and its bytes.
pub(crate) fn merge<R: Read, W: Write>(inputs: Vec<R>, out: W) -> Result<(W, Header, u64), LtxFault> {
    let mut open = Vec::with_capacity(inputs.len());
    for input in inputs {
        let decoder = Decoder::new(input)?;
        let page = vec![0; decoder.header().page_size as usize];
        open.push(Input { decoder, page, number: None });
    }
    let header = merged(&open)?;
    let mut encoder = Encoder::new(out, header)?;
    for input in &mut open {
        input.advance()?;
    }
    while let Some(lowest) = open.iter().filter_map(|input| input.number).min() {
        let newest = open.iter().rposition(|input| input.number == Some(lowest));
        if let Some(newest) = newest.filter(|_| lowest <= header.commit) {
            encoder.page(lowest, &open[newest].page)?;
        }
        for input in open.iter_mut().filter(|input| input.number == Some(lowest)) {
            input.advance()?;
        }
    }
    for input in open {
        input.decoder.finish()?;
    }
    let (out, size) = encoder.finish()?;
    Ok((out, header, size))
}

fn merged<R: Read>(inputs: &[Input<R>]) -> Result<Header, LtxFault> {
    let headers: Vec<Header> = inputs.iter().map(|input| input.decoder.header()).collect();
    let (Some(first), Some(last)) = (headers.first(), headers.last()) else { return Err(invalid("nothing to merge")) };
    for pair in headers.windows(2) {
        let (one, two) = (&pair[0], &pair[1]);
        if one.page_size != two.page_size || two.min > one.max.next() || two.max <= one.max {
            return Err(invalid(format!("{}-{} does not follow {}-{}", two.min, two.max, one.min, one.max)));
        }
    }
    Ok(Header { no_checksum: true, min: first.min, before: 0, ..*last })
}
