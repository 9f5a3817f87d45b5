//! The journal as text: lines to entries and back. Pure.

use serde_json::Value;

use super::checksum_chain::{ChecksumChain, seal, unseal};
use super::entry::{Entry, FORMAT};
use super::error::LedgerError;
use super::upgrade;

/// The first format whose lines have a checksum.
const SEALED_SINCE: u32 = 2;

/// Where a journal ends: what the next line must follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalEnd {
    /// The checksums so far.
    pub chain: ChecksumChain,
    /// Format of the last line; 0 when there is none.
    pub format: u32,
    /// Bytes of all whole lines, as they lie there.
    pub length: u64,
    /// The last line lacks its end, though it is whole.
    pub open: bool,
}

impl JournalEnd {
    /// The older format that the next line would leave behind.
    pub fn older(&self) -> Option<u32> {
        (1..FORMAT).contains(&self.format).then_some(self.format)
    }

    /// Entries as lines that follow, and where the journal ends then.
    pub fn lines(self, entries: &[Entry]) -> (String, Self) {
        let mut text = if self.open { "\n".to_owned() } else { String::new() };
        let mut chain = self.chain;
        for entry in entries {
            // An entry is plain data with text keys: it always has a JSON form.
            let (line, after) = seal(&serde_json::to_string(entry).unwrap_or_default(), chain);
            text.push_str(&line);
            text.push('\n');
            chain = after;
        }
        let length = self.length + text.len() as u64;
        (text, Self { chain, format: FORMAT, length, open: false })
    }
}

/// Reads a journal page by page.
#[derive(Default)]
pub struct JournalReader {
    /// What was read.
    pub entries: Vec<Entry>,
    /// Where it ends.
    pub tail: JournalEnd,
}

impl JournalReader {
    /// Takes the whole lines of one page. Gives what is left behind the last of them: a line that was never finished (the
    /// power went), which may hold anything.
    ///
    /// # Errors
    /// When a line is not an entry, is not what was written, or is of a newer format.
    pub fn page<'b>(&mut self, place: &str, bytes: &'b [u8]) -> Result<&'b [u8], LedgerError> {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(end);
        for (raw, number) in whole.split_inclusive(|byte| *byte == b'\n').zip(1..) {
            let line = bare(raw);
            if !line.is_empty() {
                let entry = self.line(line).map_err(|bad| bad.at(place, number))?;
                self.entries.push(entry);
            }
            self.tail.length += raw.len() as u64;
        }
        // Some editors take away the end of the last line: with the right checksum it is an entry all the same.
        let before = self.tail;
        match self.line(bare(rest)) {
            Ok(entry) if self.tail.format >= SEALED_SINCE => {
                self.entries.push(entry);
                self.tail.length += rest.len() as u64;
                self.tail.open = true;
                Ok(&[])
            }
            _ => {
                self.tail = before;
                Ok(if bare(rest).is_empty() { &[] } else { rest })
            }
        }
    }

    fn line(&mut self, raw: &[u8]) -> Result<Entry, LineRefusal> {
        let text = std::str::from_utf8(raw)
            .map_err(|bad| LineRefusal::Damage(format!("byte {} is not UTF-8", bad.valid_up_to() + 1)))?;
        if let Some(entry) = self.newest(text) {
            return Ok(entry);
        }
        let value: Value = serde_json::from_str(text).map_err(damage)?;
        let format = self.format(&value)?;
        self.tail.chain =
            if format < SEALED_SINCE { self.tail.chain.through(raw) } else { sealed(text, self.tail.chain)? };
        self.tail.format = format;
        serde_json::from_value(upgrade::to_newest(value, format).map_err(LineRefusal::Damage)?).map_err(damage)
    }

    /// A sound line of the newest format, without the way through plain JSON. None for any other: the reason is found there.
    fn newest(&mut self, text: &str) -> Option<Entry> {
        let (format, _) = text.strip_prefix("{\"v\":")?.split_once(',')?;
        if format.parse() != Ok(FORMAT) {
            return None;
        }
        let chain = sealed(text, self.tail.chain).ok()?;
        let entry = serde_json::from_str(text).ok()?;
        (self.tail.chain, self.tail.format) = (chain, FORMAT);
        Some(entry)
    }

    fn format(&self, entry: &Value) -> Result<u32, LineRefusal> {
        let said = entry.get("v").and_then(Value::as_u64).unwrap_or(0);
        match u32::try_from(said).unwrap_or(u32::MAX) {
            0 => Err(LineRefusal::Damage("it names no format (`v`)".to_owned())),
            newer if newer > FORMAT => Err(LineRefusal::Newer(newer)),
            older if older < self.tail.format => {
                Err(LineRefusal::Damage(format!("it has format {older} behind a line of format {}", self.tail.format)))
            }
            known => Ok(known),
        }
    }
}

/// A line without its end and what editors put around it: a carriage return, blanks, a byte order mark.
fn bare(raw: &[u8]) -> &[u8] {
    raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw).trim_ascii()
}

/// The lines of a journal as they were written: each ends with a line feed, and none is blank.
pub fn whole_lines(bytes: &[u8]) -> String {
    let lines = bytes.split(|byte| *byte == b'\n').map(bare).filter(|line| !line.is_empty());
    lines.map(|line| String::from_utf8_lossy(line) + "\n").collect()
}

/// The chain after a line whose checksum is right.
fn sealed(text: &str, before: ChecksumChain) -> Result<ChecksumChain, LineRefusal> {
    let (body, sum) = unseal(text).ok_or_else(|| LineRefusal::Damage("its checksum (`sum`) is missing".to_owned()))?;
    let chain = before.through(body.as_bytes());
    if chain.sum() == sum {
        return Ok(chain);
    }
    Err(LineRefusal::Damage(
        "its checksum does not fit: this line was changed, or one before it was changed, added or taken out".to_owned(),
    ))
}

/// Why a line is refused.
enum LineRefusal {
    Damage(String),
    Newer(u32),
}

fn damage(bad: impl std::fmt::Display) -> LineRefusal {
    LineRefusal::Damage(bad.to_string())
}

impl LineRefusal {
    fn at(self, place: &str, line: usize) -> LedgerError {
        let place = place.to_owned();
        match self {
            Self::Damage(problem) => LedgerError::Corrupt { place, line, problem },
            Self::Newer(found) => LedgerError::Newer { place, found, known: FORMAT },
        }
    }
}
