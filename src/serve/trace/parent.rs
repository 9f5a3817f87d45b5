//! `traceparent` of W3C: in and out.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const SAMPLED: u8 = 1;

/// Where a span is in its trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpanParent {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl SpanParent {
    /// What the client says; nothing when it is empty, or nonsense.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(TRACEPARENT)?.as_bytes())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let dashes = |at: usize| text.get(at) == Some(&b'-');
        let version = hex(text.get(..2)?)?;
        // A later version may have more behind a further dash; this one has not, and ff is none.
        let ends = text.len() == 55 || (version > 0 && dashes(55));
        if version == 0xff || !ends || !(dashes(2) && dashes(35) && dashes(52)) {
            return None;
        }
        let (trace, span) = (hex(&text[3..35])?, u64::try_from(hex(&text[36..52])?).ok()?);
        let flags = u8::try_from(hex(&text[53..55])?).ok()?;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & SAMPLED != 0 })
    }

    /// As the header says it.
    pub fn header(&self) -> Option<HeaderValue> {
        let text = format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled));
        HeaderValue::try_from(text).ok()
    }
}

/// Lower-case hexadecimal, at most 32 digits.
fn hex(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |sum: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_what_is_written() {
        let place = SpanParent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(place.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((place.span, place.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(place.header().unwrap(), GOOD);
        assert!(!SpanParent::parse(GOOD.replace("-01", "-00").as_bytes()).unwrap().sampled);
        assert!(SpanParent::parse(format!("cc{}-more", &GOOD[2..]).as_bytes()).is_some());
    }

    #[test]
    fn nonsense_is_no_parent() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert_eq!(SpanParent::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
