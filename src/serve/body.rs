//! Bodies of requests: read within their size and their time, counted among the bytes of all requests as they come, inflated
//! within the same size, and read to their end when they are refused, since a client that is still sending may not look at an answer.

use std::io::Read;
use std::time::Duration;

use axum::body::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::admission::slots::{Slots, TakenSlots};
use super::admission::{AdmissionRules, heavy};
use super::problem::{ApiProblem, ProblemCause};

/// Elements of a list that are read. An element takes up to forty times its bytes, and no request may have so many.
pub const ELEMENTS: usize = 1 << 17;
/// Bytes for which room is made at once; a client that says that it sends more may not do so.
const FIRST: usize = 64 << 10;
/// Compressed bytes above which a body is inflated on a thread that may block.
const INLINE: usize = 16 << 10;
/// Bodies that are inflated at the same time: nobody knows how large they become before that.
static TURNS: Semaphore = Semaphore::const_new(4);
/// Bytes of a refused body that are read.
const DRAINED: usize = 256 << 20;
/// Time for that.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// A client that sends nothing for so long waits for the answer.
const DRAIN_GAP: Duration = Duration::from_millis(500);

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Gzip,
    Deflate,
}

/// A body that was read.
#[derive(Debug, Default)]
pub struct CompleteBody {
    /// All of it, inflated.
    pub bytes: Bytes,
    /// Its places among the bytes of all requests.
    pub held: Option<TakenSlots>,
}

/// The whole body, inflated. What said that it was compressed is gone from the headers afterwards. `held` are the bytes of all
/// requests.
///
/// # Errors
/// Too large, too slow, cut off, or compressed in a way that is not read; no room for it.
pub async fn whole(
    rules: &AdmissionRules,
    held: &Slots,
    headers: &mut HeaderMap,
    body: &mut Incoming,
) -> Result<CompleteBody, ApiProblem> {
    if body.is_end_stream() {
        return Ok(CompleteBody::default());
    }
    let coding = coding(headers)?;
    if length(headers).is_some_and(|said| said > rules.body) {
        return Err(too_large(rules.body));
    }
    let Some(mut slot) = held.take_many(0) else { return Err(heavy(held)) };
    let room = length(headers).unwrap_or(FIRST).min(FIRST);
    let mut hold = |more| held.grow(&mut slot, more).then_some(()).ok_or_else(|| heavy(held));
    let collected = collect(body, room, rules.body, &mut hold);
    let bytes = timeout(rules.body_time, collected).await.unwrap_or_else(|_| Err(too_slow(rules.body_time)))?;
    let Some(coding) = coding else { return Ok(CompleteBody { bytes, held: Some(slot) }) };
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    let (came, most) = (bytes.len(), rules.body);
    // The semaphore is never closed.
    let turn = TURNS.acquire().await;
    let inflated = if came <= INLINE {
        inflate(coding, &bytes, most)?
    } else {
        let inflated = tokio::task::spawn_blocking(move || inflate(coding, &bytes, most)).await;
        inflated.unwrap_or_else(|_| Err(ApiProblem::of_status(StatusCode::INTERNAL_SERVER_ERROR)))?
    };
    let more = beyond(held, came, inflated.len())?;
    drop(turn);
    let held = match more {
        Some(more) => more.and(slot),
        None => slot,
    };
    Ok(CompleteBody { bytes: inflated, held: Some(held) })
}

/// Takes what a body became larger by, while it was inflated.
fn beyond(held: &Slots, came: usize, inflated: usize) -> Result<Option<TakenSlots>, ApiProblem> {
    let more = inflated.saturating_sub(came).min(held.most().saturating_sub(came));
    if more == 0 {
        return Ok(None);
    }
    held.take_many(more).map(Some).ok_or_else(|| heavy(held))
}

/// Reads what is left of a refused body. Without that, a client that sends over HTTP/2 is told that its stream was reset, and
/// one over HTTP/1 that its connection was: some (curl 7.88) then never show the answer. Whether the end was reached.
pub async fn drain(headers: &HeaderMap, body: &mut Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    // Reading would tell the client to go on and send it.
    let asks_first =
        headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if asks_first || length(headers).is_some_and(|said| said > DRAINED) {
        return false;
    }
    let (end, mut left) = (Instant::now() + DRAIN_TIME, DRAINED);
    loop {
        let Ok(frame) = timeout_at(end.min(Instant::now() + DRAIN_GAP), body.frame()).await else { return false };
        let Some(Ok(frame)) = frame else { return frame.is_none() };
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(less) => left = less,
            None => return false,
        }
    }
}

/// What the headers say of the body's size.
fn length(headers: &HeaderMap) -> Option<usize> {
    let said: u64 = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    Some(usize::try_from(said).unwrap_or(usize::MAX))
}

/// A body that did not come within its time.
pub fn too_slow(time: Duration) -> ApiProblem {
    let message = format!("the body was not complete within {} s", time.as_secs_f64());
    ApiProblem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message)
}

/// A body with more bytes than are taken.
pub fn too_large(most: usize) -> ApiProblem {
    let message = format!("the body has more than {most} bytes: send fewer texts per request");
    ApiProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
}

fn invalid(message: &'static str) -> ApiProblem {
    ApiProblem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
}

/// All bytes of a body, in one piece: kept as they came, each few of them would hold a buffer of the connection. `hold` counts
/// them as they come.
async fn collect<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    room: usize,
    most: usize,
    hold: &mut impl FnMut(usize) -> Result<(), ApiProblem>,
) -> Result<Bytes, ApiProblem> {
    let mut whole = Vec::with_capacity(room);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| invalid("the body ended early, or is not valid HTTP"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > most.saturating_sub(whole.len()) {
            return Err(too_large(most));
        }
        hold(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// How the headers say that the body is compressed; nothing when it is not.
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, ApiProblem> {
    let unread = || {
        let message = "unsupported content-encoding: use one of gzip, deflate and identity";
        ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_ENCODING", message).of(ProblemCause::Encoding)
    };
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let coding = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                b"" | b"identity" => continue,
                b"gzip" | b"x-gzip" => Coding::Gzip,
                b"deflate" => Coding::Deflate,
                _ => return Err(unread()),
            };
            if found.replace(coding).is_some() {
                return Err(unread());
            }
        }
    }
    Ok(found)
}

/// Inflates up to `most` bytes, and no byte further than it takes to know that there are more.
fn inflate(coding: Coding, bytes: &[u8], most: usize) -> Result<Bytes, ApiProblem> {
    let mut inflated = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = match coding {
        Coding::Gzip => MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut inflated),
        Coding::Deflate if is_zlib(bytes) => ZlibDecoder::new(bytes).take(limit).read_to_end(&mut inflated),
        // Some clients leave out the frame that the standard asks for.
        Coding::Deflate => DeflateDecoder::new(bytes).take(limit).read_to_end(&mut inflated),
    };
    match read {
        Ok(_) if inflated.len() > most => Err(too_large(most)),
        Ok(_) => Ok(inflated.into()),
        Err(_) => Err(invalid(
            "the body cannot be decompressed: it does not match its content-encoding, or is \
                               truncated",
        )),
    }
}

/// The first two bytes of the frame of RFC 1950.
fn is_zlib(bytes: &[u8]) -> bool {
    match bytes {
        [first, second, ..] => first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = br#"{"inputs": "hello hello hello hello"}"#;

    fn headers(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
        pairs.collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_read_from_the_header() {
        for (values, wanted) in [
            (&[][..], None),
            (&["identity"], None),
            (&["gzip"], Some(Coding::Gzip)),
            (&["X-GZip , identity"], Some(Coding::Gzip)),
            (&["deflate"], Some(Coding::Deflate)),
        ] {
            assert_eq!(coding(&headers(values)).unwrap(), wanted, "{values:?}");
        }
        for values in [&["br"][..], &["gzip, gzip"], &["gzip", "deflate"], &["zstd"]] {
            let problem = coding(&headers(values)).unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.cause), (415, ProblemCause::Encoding), "{values:?}");
        }
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(TEXT).unwrap();
        for (coding, bytes) in [
            (Coding::Gzip, gzip(TEXT)),
            (Coding::Gzip, [gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat()),
            (Coding::Deflate, zlib.finish().unwrap()),
            (Coding::Deflate, raw.finish().unwrap()),
        ] {
            assert_eq!(inflate(coding, &bytes, TEXT.len()).unwrap(), TEXT);
            assert_eq!(inflate(coding, &bytes, TEXT.len() - 1).unwrap_err().status, 413);
        }
    }

    #[test]
    fn what_a_body_inflates_to_counts_among_the_bytes_of_all() {
        let held = Slots::new(1000);
        let came = held.take_many(100).unwrap();
        let more = beyond(&held, 100, 700).unwrap();
        assert_eq!((held.taken(), beyond(&held, 10, 500).unwrap_err().status.as_u16()), (700, 429));
        assert!(beyond(&held, 100, 90).unwrap().is_none(), "what does not grow takes nothing");
        drop((more, came));
        let came = held.take_many(100).unwrap();
        assert!(
            beyond(&held, 100, 5000).unwrap().is_some(),
            "alone, a body larger than all is let in, as without gzip"
        );
        drop(came);
    }

    #[test]
    fn a_bomb_is_refused_and_what_is_broken_too() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100 << 10);
        assert_eq!(inflate(Coding::Gzip, &bomb, 1 << 20).unwrap_err().status, 413);
        for bytes in [&gzip(TEXT)[..20], b"not compressed", b"\x1f\x8b"] {
            assert_eq!(inflate(Coding::Gzip, bytes, 1 << 20).unwrap_err().status, 400, "{bytes:?}");
        }
    }

    /// A body of so many pieces, one byte each.
    fn pieces(count: usize) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin {
        let frames = (0..count).map(|_| Ok(hyper::body::Frame::data(Bytes::from_static(b"a"))));
        http_body_util::StreamBody::new(futures::stream::iter(frames))
    }

    #[tokio::test]
    async fn bytes_are_counted_as_they_come_and_no_further_than_there_is_room() {
        let held = Slots::new(100);
        let mut slots = Vec::new();
        for (most, wanted) in [(1000, Ok(60)), (1000, Err(429)), (59, Err(413))] {
            let mut slot = held.take_many(0).unwrap();
            let mut hold = |more| held.grow(&mut slot, more).then_some(()).ok_or_else(|| heavy(&held));
            let read = collect(&mut pieces(60), 8, most, &mut hold).await;
            assert_eq!(read.map(|bytes| bytes.len()).map_err(|problem| problem.status.as_u16()), wanted);
            // A refused body gives its places back.
            if wanted.is_ok() {
                assert_eq!(held.taken(), 60);
                slots.push(slot);
            } else {
                drop(slot);
                slots.clear();
            }
        }
        assert_eq!(held.taken(), 0);
    }
}
