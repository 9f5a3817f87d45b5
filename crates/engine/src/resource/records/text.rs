//! Texts of TXT and its kin: quoted strings of at most 255 bytes, with escapes.

use super::canonical::octal;

/// Most bytes of one quoted string (RFC 1035, "character-string").
pub const STRING: usize = 255;

/// The strings of a value that is nothing but quoted strings with blanks between them; none for anything else.
pub fn strings(value: &str) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    let mut rest = value.trim().as_bytes();
    while !rest.is_empty() {
        let (string, after) = string(rest.strip_prefix(b"\"")?)?;
        strings.push(string);
        rest = after.trim_ascii_start();
    }
    (!strings.is_empty()).then_some(strings)
}

/// One string up to its closing quotation mark, and what comes after.
fn string(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((string, after)),
            [b'\\', escaped @ ..] => {
                let (byte, length) = match octal(rest.get(..4)) {
                    Some(byte) => (byte, 4),
                    None => (*escaped.first()?, 2),
                };
                string.push(byte);
                rest = &rest[length..];
            }
            [byte, after @ ..] => {
                string.push(*byte);
                rest = after;
            }
            [] => return None,
        }
    }
}

/// Bytes as quoted strings: divided, escaped and in quotation marks, as Route 53 takes them (R53 "TXT record type":
/// `\"` and `\NNN` for what is not printable ASCII).
pub fn quoted(bytes: &[u8]) -> String {
    let one = |chunk: &[u8]| format!("\"{}\"", chunk.iter().map(|byte| escaped(*byte)).collect::<String>());
    if bytes.is_empty() {
        return one(&[]);
    }
    bytes.chunks(STRING).map(one).collect::<Vec<_>>().join(" ")
}

fn escaped(byte: u8) -> String {
    match byte {
        b'"' => "\\\"".to_owned(),
        b'\\' | ..b' ' | 127.. => format!("\\{byte:03o}"),
        _ => char::from(byte).to_string(),
    }
}

/// A value as it is sent: one that begins with a quotation mark as it is, any other text quoted by the tool.
pub fn sent(value: &str) -> String {
    let value = value.trim();
    if value.starts_with('"') { value.to_owned() } else { quoted(value.as_bytes()) }
}

/// What a value says, whatever its strings and escapes: those who read it join the strings.
pub fn meaning(value: &str) -> String {
    strings(value).map_or_else(|| value.to_owned(), |strings| quoted(&strings.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_quoted_escaped_and_divided() {
        assert_eq!(sent("v=spf1 include:example.net ~all"), "\"v=spf1 include:example.net ~all\"");
        assert_eq!(sent("say \"so\" \\ ex\u{e4}mple\t"), "\"say \\\"so\\\" \\134 ex\\303\\244mple\"");
        let long = sent(&"x".repeat(300));
        assert_eq!(long, format!("\"{}\" \"{}\"", "x".repeat(255), "x".repeat(45)));
        assert_eq!(sent(" \"as it\" \"is\" "), "\"as it\" \"is\"");
    }

    #[test]
    fn values_are_compared_by_what_they_say() {
        for (one, other) in [
            ("\"a\" \"b\"", "\"ab\""),
            ("\"ex\\344mple\"", "\"ex\\344\" \"mple\""),
            ("\"a\\\"b\\\\\"", "\"a\\042b\\134\""),
            ("\"\"", "\"\""),
        ] {
            assert_eq!(meaning(one), meaning(other), "{one}");
        }
        assert_ne!(meaning("\"a b\""), meaning("\"ab\""));
        assert_ne!(meaning("\"A\""), meaning("\"a\""));
        for broken in ["a", "\"a", "\"a\" b", "", "\"a\\\""] {
            assert_eq!(strings(broken), None, "{broken}");
        }
    }
}
