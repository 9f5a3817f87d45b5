//! The head of a journal in a bucket: who may write, what the archive holds, and the latest entries. One object that is only
//! ever replaced as it was read, so that of two writers one is refused. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ledger::checksum_chain::{ChecksumChain, seal, unseal};
use crate::ledger::entry::FORMAT;
use crate::ledger::error::LedgerError;
use crate::ledger::text::{JournalEnd, JournalReader, whole_lines};

/// The first line of the head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Format of the layout.
    pub v: u32,
    /// The lease under which it was written last: whoever holds another one has lost it.
    pub holder: Uuid,
    /// What the entries before the head come to; none: all entries are in the head.
    pub checkpoint: Option<ObjectPointer>,
    /// Number of the last entry before the head.
    pub sequence: u64,
    /// The checksums up to there.
    pub chain: ChecksumChain,
    /// Format of that entry; 0 when there is none.
    pub format: u32,
    /// Whether the mark for older versions says that a head is there.
    #[serde(default)]
    pub marked: bool,
}

/// An object, and what it must contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPointer {
    /// Its key below the stack's prefix.
    pub key: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// A head as it was read.
#[derive(Default)]
pub struct Head {
    /// Its first line.
    pub header: Header,
    /// The entries in it.
    pub reader: JournalReader,
    /// Their lines.
    pub text: String,
}

impl Header {
    /// The header of a journal that goes on at `tail`, written under the lease `holder`.
    pub fn at(tail: JournalEnd, sequence: u64, holder: Uuid) -> Self {
        let JournalEnd { chain, format, .. } = tail;
        Self { v: FORMAT, holder, checkpoint: None, sequence, chain, format, marked: false }
    }

    /// The head with this header and these lines.
    pub fn with(&self, lines: &str) -> String {
        // A header is plain data: it always has a JSON form.
        let (line, _) = seal(&serde_json::to_string(self).unwrap_or_default(), ChecksumChain::default());
        format!("{line}\n{lines}")
    }

    fn read(place: &str, line: &str) -> Result<Self, LedgerError> {
        let damage = |problem: String| LedgerError::Corrupt { place: place.to_owned(), line: 1, problem };
        let value: Value = serde_json::from_str(line).map_err(|bad| damage(bad.to_string()))?;
        let found = value.get("v").and_then(Value::as_u64).unwrap_or(0);
        if found > u64::from(FORMAT) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(LedgerError::Newer { place: place.to_owned(), found, known: FORMAT });
        }
        let sealed =
            unseal(line).is_some_and(|(body, sum)| ChecksumChain::default().through(body.as_bytes()).sum() == sum);
        if !sealed {
            return Err(damage("its checksum does not fit: this line was changed".to_owned()));
        }
        serde_json::from_value(value).map_err(|bad| damage(bad.to_string()))
    }
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// When it is damaged, or of a newer format.
    pub fn read(place: &str, bytes: &[u8]) -> Result<Self, LedgerError> {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let (first, rest) = bytes.split_at(end);
        let header = Header::read(place, String::from_utf8_lossy(first).trim_end())?;
        let tail = JournalEnd { chain: header.chain, format: header.format, ..JournalEnd::default() };
        let mut reader = JournalReader { tail, ..JournalReader::default() };
        let left = reader.page(place, rest).map_err(|bad| match bad {
            LedgerError::Corrupt { place, line, problem } => LedgerError::Corrupt { place, line: line + 1, problem },
            other => other,
        })?;
        if !left.is_empty() {
            let line = bytes.split(|byte| *byte == b'\n').count();
            let problem = "it ends in the middle of a line".to_owned();
            return Err(LedgerError::Corrupt { place: place.to_owned(), line, problem });
        }
        let text = whole_lines(rest);
        reader.tail.open = false;
        Ok(Self { header, reader, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_a_changed_one_is_refused() {
        let header = Header { sequence: 7, ..Header::at(JournalEnd::default(), 7, Uuid::from_u128(5)) };
        let text = header.with("");
        assert_eq!(Head::read("here", text.as_bytes()).map(|head| head.header).ok(), Some(header));
        let changed = text.replacen("\"sequence\":7", "\"sequence\":8", 1);
        assert!(matches!(Head::read("here", changed.as_bytes()), Err(LedgerError::Corrupt { line: 1, .. })));
        let newer = text.replacen(&format!("\"v\":{FORMAT}"), &format!("\"v\":{}", FORMAT + 1), 1);
        assert!(matches!(Head::read("here", newer.as_bytes()), Err(LedgerError::Newer { .. })));
    }
}
