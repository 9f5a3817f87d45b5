//! The two streams of the process. If a stream cannot be written, output ends and the work continues.
//!
//! Everything that is printed comes through here, as [`SafeText`]: the compiler takes nothing else. What is sensitive is left out
//! here, and what is hidden is written out once more: no text of a plan, a service or a device moves the cursor, sets the
//! title, fills the clipboard or is read in another order.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Style;
use serde_json::Value;

use crate::resource::sensitive::{hidden, hidden_from_logs};
use crate::resource::untrusted::{is_hidden, lines};
use crate::resource::{SafeText, ToSafeText};

/// `EIO`: what a terminal that was closed answers (write(2)).
const INPUT_OUTPUT: i32 = 5;

/// Why standard output could not be written, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// Whether the styles of this program may pass.
static STYLED: AtomicBool = AtomicBool::new(false);

/// The styles of this program: reset, bold, dim, and the colors of marks. Text from outside has none: its escape characters
/// were written out when it became a [`SafeText`].
const STYLES: [&str; 7] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"];

/// Says whether colors are wanted; without them no escape sequence passes.
pub fn styled(on: bool) {
    STYLED.store(on, Ordering::Relaxed);
}

/// A text that may be printed: what is sensitive is left out, and what is hidden is written out. Lines, tabs and, where colors
/// are wanted, the styles of this program stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    match hidden(text) {
        Cow::Borrowed(text) => visible(text, STYLED.load(Ordering::Relaxed)),
        Cow::Owned(text) => Cow::Owned(visible(&text, STYLED.load(Ordering::Relaxed)).into_owned()),
    }
}

/// A text in a style of this program, where styles are wanted.
pub fn painted(wanted: bool, style: Style, text: impl ToSafeText) -> SafeText {
    let text = text.to_shown();
    SafeText::laid_out(style.force_styling(wanted).apply_to(text.as_str()).to_string())
}

fn visible(text: &str, styled: bool) -> Cow<'_, str> {
    if !styled || !text.contains('\x1b') {
        return lines(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        out.push_str(&lines(&rest[..at]));
        rest = &rest[at..];
        let style = STYLES.iter().find(|style| rest.starts_with(**style)).copied();
        let taken = style.map_or(1, str::len);
        out.push_str(style.unwrap_or("\\u{1b}"));
        rest = &rest[taken..];
    }
    out.push_str(&lines(rest));
    Cow::Owned(out)
}

/// Writes a text to standard output. A reader that went away (`| head`, a window that was closed) is not waited for; any
/// other failure is recorded for [`lost`].
pub fn put(text: impl Into<SafeText>) {
    let text: SafeText = text.into();
    put_bytes(&printable(&text));
}

/// Writes a JSON document to standard output. What is hidden in its texts is written as JSON writes it.
pub fn put_json(document: &Value) {
    put_bytes(&in_json(&serde_json::to_string_pretty(document).unwrap_or_default()));
}

/// The same in one line.
pub fn put_json_line(document: &Value) {
    put_bytes(&in_json(&document.to_string()));
}

/// Writes a file to standard output as it is, where each byte counts (a journal with its checksums). On a terminal
/// it goes the way of all text. `tests/offline/architecture.rs` lists who calls it, and why.
pub fn put_exactly(text: &str) {
    if is_terminal() { put(SafeText::document(text)) } else { put_bytes(text) }
}

/// Clears the terminal at standard output, for what is shown again and again.
pub fn clear() {
    if is_terminal() {
        put_bytes("\u{1b}[H\u{1b}[2J");
    }
}

fn is_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdout())
}

fn put_bytes(text: &str) {
    let mut out = io::stdout().lock();
    note(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Outside of its texts a JSON document holds nothing that is hidden but line feeds.
pub fn in_json(text: &str) -> Cow<'_, str> {
    let odd = |letter: char| is_hidden(letter) && letter != '\n';
    if !text.chars().any(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut units = [0; 2];
    for letter in text.chars() {
        if odd(letter) {
            letter.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// Writes a line to standard error. It is dropped when the stream is closed: the terminal is gone, the pipe has no reader.
/// A plain text is not taken:
///
/// ```compile_fail
/// let from_outside = String::from("\u{1b}[2J");
/// akidb_edge::report::say(&from_outside);
/// ```
///
/// ```no_run
/// let from_outside = String::from("\u{1b}[2J");
/// akidb_edge::report::say(akidb_edge::resource::shown!("it says {}", from_outside));
/// ```
pub fn say(text: impl Into<SafeText>) {
    let text: SafeText = text.into();
    let _ = writeln!(io::stderr().lock(), "{}", printable(&text));
}

/// Writes a question to standard error, without a line end.
pub fn say_open(text: impl Into<SafeText>) {
    let text: SafeText = text.into();
    let mut to = io::stderr().lock();
    let _ = write!(to, "{}", printable(&text)).and_then(|()| to.flush());
}

/// Standard error for `-vv` and `-vvv`: a line at a time, without sensitive values and access key ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct DebugLog;

impl Write for DebugLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = without_key_ids(&hidden_from_logs(&text));
        // A closed stream ends the talk, never the work.
        let _ = io::stderr().lock().write_all(lines(&text).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the SDK writes the id of a key, whoever's it is.
const KEY_IDS: [&str; 4] = ["Credential=", "AWSAccessKeyId=", "X-Amz-Credential=", "access_key_id: \""];

/// A line without ids of access keys.
fn without_key_ids(text: &str) -> String {
    let mut out = text.to_owned();
    for before in KEY_IDS {
        let mut from = 0;
        while let Some(found) = out[from..].find(before) {
            let begin = from + found + before.len();
            let length = out[begin..].find(|c: char| !c.is_ascii_alphanumeric() && c != '(' && c != ')').unwrap_or(0);
            out.replace_range(begin..begin + length, "(hidden)");
            from = begin + "(hidden)".len();
        }
    }
    out
}

/// Why a part of what was written to standard output did not arrive (the disk is full); none when all of it did, or when its
/// reader closed it.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

fn note(written: io::Result<()>) {
    if let Err(bad) = written
        && bad.kind() != ErrorKind::BrokenPipe
        && !(bad.raw_os_error() == Some(INPUT_OUTPUT) && is_device())
    {
        LOST.get_or_init(|| bad.to_string());
    }
}

/// Whether standard output is a terminal, be it one that is gone: it is not known as one any more then.
fn is_device() -> bool {
    let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|facts| facts.file_type().is_char_device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_styles_pass_and_only_where_colors_are_wanted() {
        let text = "\x1b[1mbold\x1b[0m \x1b[8mhidden\x1b[2J\x1b]52;c;eA==\x07 a\u{9b}2J\u{202e}b\r\nnext\tline";
        let plain = visible(text, false);
        assert!(!plain.chars().any(|letter| is_hidden(letter) && letter != '\n' && letter != '\t'), "{plain:?}");
        let styled = visible(text, true);
        assert_eq!(
            styled,
            "\x1b[1mbold\x1b[0m \\u{1b}[8mhidden\\u{1b}[2J\\u{1b}]52;c;eA==\\u{7} a\\u{9b}2J\\u{202e}b\\r\nnext\tline"
        );
    }

    #[test]
    fn a_document_stays_one_and_says_the_same() {
        let document = serde_json::json!({"a": "x\u{9b}2J\u{202e}\u{7f}\u{1b}\u{e0041}é"});
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        let shown = in_json(&text);
        assert!(!shown.chars().any(|letter| is_hidden(letter) && letter != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), document);
    }

    #[test]
    fn a_log_names_no_key() {
        let line = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261130/us-east-1/s3/aws4_request, \
                    Credentials { access_key_id: \"ASIAIOSFODNN7EXAMPLE\", secret_access_key: \"** redacted **\" } \
                    ?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026";
        let shown = without_key_ids(line);
        assert!(!shown.contains("IOSFODNN7"), "{shown}");
        assert!(shown.contains("Credential=(hidden)/20261130/us-east-1"), "{shown}");
    }
}
