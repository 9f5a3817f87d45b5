//! One spelling for what Route 53 takes in several: names in any case, with or without escapes and the final dot.

/// A domain name in its one spelling: lower case, no final dot, `*` as it is, and `\NNN` (octal) only where Route 53
/// demands it: for blanks, control characters, bytes above 126, a dot inside of a label and the backslash itself
/// (R53 "DNS domain name format"). Text with a reference is left alone.
pub fn name(text: &str) -> String {
    if text.contains("${") {
        return text.to_owned();
    }
    let mut spelled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Dot => spelled.push('.'),
            Part::Byte(byte) => push(&mut spelled, byte.to_ascii_lowercase()),
        }
    }
    if spelled.len() > 1 && spelled.ends_with('.') {
        spelled.pop();
    }
    spelled
}

/// The labels of a name, without escapes.
pub fn labels(name: &str) -> Vec<Vec<u8>> {
    let mut labels = vec![Vec::new()];
    for part in parts(name) {
        match (part, labels.last_mut()) {
            (Part::Byte(byte), Some(label)) => label.push(byte),
            _ => labels.push(Vec::new()),
        }
    }
    labels
}

enum Part {
    /// Between two labels.
    Dot,
    /// In a label.
    Byte(u8),
}

fn parts(text: &str) -> impl Iterator<Item = Part> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        if let Some(escaped) = octal(bytes.get(at..at + 4)) {
            at += 4;
            return Some(Part::Byte(escaped));
        }
        at += 1;
        Some(if byte == b'.' { Part::Dot } else { Part::Byte(byte) })
    })
}

/// The byte behind `\NNN`.
pub(super) fn octal(bytes: Option<&[u8]>) -> Option<u8> {
    let [b'\\', digits @ ..] = bytes? else { return None };
    let digits = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(digits, 8).ok()
}

fn push(spelled: &mut String, byte: u8) {
    match byte {
        b'.' | b'\\' | ..=b' ' | 127.. => spelled.push_str(&format!("\\{byte:03o}")),
        _ => spelled.push(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for (written, spelled) in [
            ("WWW.Example.NET.", "www.example.net"),
            ("\\052.example.net.", "*.example.net"),
            ("0\\05725.example.net", "0/25.example.net"),
            ("a b.example.net", "a\\040b.example.net"),
            ("a\\040b.example.net.", "a\\040b.example.net"),
            ("a\\056b.example.net", "a\\056b.example.net"),
            ("\\101.example.net", "a.example.net"),
            ("b\u{fc}cher.example.net", "b\\303\\274cher.example.net"),
            ("b\\303\\274cher.example.net", "b\\303\\274cher.example.net"),
            ("a\\134b.example.net", "a\\134b.example.net"),
            ("a\\9.example.net", "a\\1349.example.net"),
            ("_ok.example.net", "_ok.example.net"),
            ("${routing.zone.main#Name}", "${routing.zone.main#Name}"),
            (".", "."),
        ] {
            assert_eq!(name(written), spelled, "{written}");
            assert_eq!(name(&name(written)), spelled, "{written}, twice");
        }
        assert_eq!(labels("a\\056b.\\303\\274.c"), [b"a.b".to_vec(), vec![0o303, 0o274], b"c".to_vec()]);
    }
}
