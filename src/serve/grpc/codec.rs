//! Messages as Protocol Buffers, whose texts are counted before there is room for them: an empty one is two bytes of a message and
//! twelve times that in memory.

use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::fault;
use super::proto::{
    EmbedRequest, EmbedResponse, EmbedStreamRequest, EmbedStreamResponse, HealthRequest, HealthResponse,
    ListModelsRequest, ListModelsResponse,
};
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::body::ELEMENTS;

/// A message of which it is known where its texts are.
pub trait CountedMessage: Message + Default + Send + 'static {
    /// The numbers of the fields that lead to the texts of a request; none where there are no such.
    const TEXTS: &'static [u64] = &[];
}

impl CountedMessage for EmbedRequest {
    const TEXTS: &'static [u64] = &[2];
}

impl CountedMessage for EmbedStreamRequest {
    const TEXTS: &'static [u64] = &[2, 2];
}

impl CountedMessage for HealthRequest {}
impl CountedMessage for ListModelsRequest {}

// These are read by clients.
impl CountedMessage for EmbedResponse {}
impl CountedMessage for EmbedStreamResponse {}
impl CountedMessage for HealthResponse {}
impl CountedMessage for ListModelsResponse {}

/// Writes messages of one kind and reads those of another. The generated code names it, see `build.rs`.
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: CountedMessage,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CountingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        CountingDecoder(ProstDecoder::default())
    }
}

/// Reads messages that have no more texts than a list of JSON.
pub struct CountingDecoder<U>(ProstDecoder<U>);

impl<U: CountedMessage> Decoder for CountingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The bytes of a message lie together.
        if texts(from.chunk(), U::TEXTS) > ELEMENTS {
            let message = format!("a message has more than {ELEMENTS} texts: send several requests");
            return Err(fault::status(EmbedFault::new(ErrorCode::InvalidRequest, message), ""));
        }
        self.0.decode(from)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// The texts of a message to which these fields lead, as far as it can be read.
fn texts(mut bytes: &[u8], fields: &[u64]) -> usize {
    let Some((wanted, inner)) = fields.split_first() else {
        return 0;
    };
    let mut count = 0;
    while let Some((field, value)) = next(&mut bytes) {
        match value.filter(|_| field == *wanted) {
            Some(value) if !inner.is_empty() => count += texts(value, inner),
            Some(_) => count += 1,
            None => {}
        }
    }
    count
}

/// The number of the next field, and its bytes when it has a length. What is in a group counts as if there were no group: nobody
/// sends one, and whatever reads the message has to read no less than what is counted here.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = number(bytes)?;
    let mut has_length = false;
    let length = match key & 7 {
        0 => number(bytes).map(|_| 0)?,
        1 => 8,
        2 => {
            has_length = true;
            number(bytes)?
        }
        3 | 4 => 0,
        5 => 4,
        _ => return None,
    };
    let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some((key >> 3, has_length.then_some(value)))
}

/// A number that says itself where it ends.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (place * 7);
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(texts: usize) -> EmbedRequest {
        let inputs = vec![String::new(); texts];
        EmbedRequest { model: "tiny".to_owned(), inputs, dimensions: Some(300), ..EmbedRequest::default() }
    }

    #[test]
    fn the_texts_of_a_message_are_counted_wherever_they_are() {
        let request = asking(5);
        assert_eq!(texts(&request.encode_to_vec(), EmbedRequest::TEXTS), 5);
        let message = EmbedStreamRequest { id: "1".to_owned(), request: Some(request) };
        let bytes = message.encode_to_vec();
        assert_eq!(texts(&bytes, EmbedStreamRequest::TEXTS), 5);
        assert_eq!(texts(&bytes, EmbedStreamResponse::TEXTS), 0);
        // A part that comes again is added to the one before.
        let again = bytes.repeat(3);
        assert_eq!(texts(&again, EmbedStreamRequest::TEXTS), 15);
        assert_eq!(EmbedStreamRequest::decode(again.as_slice()).unwrap().request.unwrap().inputs.len(), 15);
    }

    #[test]
    fn fields_that_nobody_knows_hide_no_text() {
        let parts: [&[u8]; 6] = [
            &[0x12, 0x00],
            &[0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x79, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x7d, 0, 0, 0, 0],
            // A group with a number in it.
            &[0x7b, 0x78, 0x00, 0x7c],
            &[0x12, 0x01, b'a'],
        ];
        let bytes = parts.concat();
        assert_eq!(EmbedRequest::decode(bytes.as_slice()).unwrap().inputs, ["", "a"]);
        assert_eq!(texts(&bytes, EmbedRequest::TEXTS), 2);
        for end in 0..bytes.len() {
            let there = texts(&bytes[..end], EmbedRequest::TEXTS);
            assert_eq!(there, usize::from(end >= 2), "{end}");
        }
        let mut endless: &[u8] = &[0xff; 11];
        assert_eq!(number(&mut endless), None);
    }
}
