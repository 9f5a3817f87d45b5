//! Why JSON could not be read, where the reader's own words help nobody: halves of surrogate pairs, and bytes that are not UTF-8.

use std::fmt;

/// A reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionFault {
    /// Half of a surrogate pair: this one, or one in bytes.
    Half(Option<u16>),
    /// A byte that no text in UTF-8 has there.
    NotUtf8(u8),
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Half(half) => {
                f.write_str("the text contains half of a surrogate pair")?;
                if let Some(half) = half {
                    write!(f, " (\\u{half:04x})")?;
                }
                f.write_str(
                    ", which is not a character: splitting an emoji leaves one; split between characters, or remove \
                     it",
                )
            }
            Self::NotUtf8(byte) => {
                write!(f, "the text is not UTF-8 (it contains the byte 0x{byte:02x}): encode it as UTF-8")
            }
        }
    }
}

/// The reason for which a reader stopped at a line and a column, both from 1; nothing when it is none of these.
pub fn why(body: &[u8], line: usize, column: usize) -> Option<ConnectionFault> {
    let stopped = stopped(body, line, column);
    // Behind a half a reader looks at one more escape before it gives up.
    let half = halves(&body[..stopped]).last().filter(|(at, _)| stopped <= at + 12);
    half.map(|(_, half)| ConnectionFault::Half(Some(half))).or_else(|| bytes(body, stopped))
}

/// The bytes in front of the place where a reader stopped, with the byte that it stopped at.
pub fn stopped(body: &[u8], line: usize, column: usize) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + column).min(body.len())
}

/// What is not UTF-8 in the string in which a reader stopped, or behind it.
fn bytes(body: &[u8], stopped: usize) -> Option<ConnectionFault> {
    let quote = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'"');
    let inside = body[..stopped].strip_suffix(b"\"").unwrap_or(&body[..stopped]);
    let begins = &body[quote(inside).map_or(0, |quote| quote + 1)..];
    let string = begins.split(|byte| *byte == b'"').next().unwrap_or_default();
    let at = std::str::from_utf8(string).err()?.valid_up_to();
    let half = matches!(string[at..], [0xed, 0xa0..=0xbf, ..]);
    Some(if half { ConnectionFault::Half(None) } else { ConnectionFault::NotUtf8(string[at]) })
}

/// Escapes that are half of a pair without the other half beside it, and their places.
fn halves(body: &[u8]) -> impl Iterator<Item = (usize, u16)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < body.len() {
            let here = at;
            at += if body[at] == b'\\' { 2 } else { 1 };
            match escape(&body[here..]) {
                Some(0xd800..=0xdbff) if matches!(escape(&body[here + 6..]), Some(0xdc00..=0xdfff)) => at = here + 12,
                Some(half @ 0xd800..=0xdfff) => return Some((here, half)),
                _ => {}
            }
        }
        None
    })
}

/// The unit that `\uXXXX` at the beginning stands for.
fn escape(bytes: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(bytes.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    if digits.starts_with('+') { None } else { u16::from_str_radix(digits, 16).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_found() {
        for (body, wanted) in [
            (r"\ud83d\ude80", None),
            (r"\ud83d", Some((0, 0xd83d))),
            (r"ab\uDE80", Some((2, 0xde80))),
            (r"\\ud83d", None),
            (r"\\\ud83d ", Some((2, 0xd83d))),
            (r"\ud83d\ud83d\ude80", Some((0, 0xd83d))),
            (r"\u00e9\u12", None),
            (r"\", None),
        ] {
            assert_eq!(halves(body.as_bytes()).next(), wanted, "{body}");
        }
    }
}
