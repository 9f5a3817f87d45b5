//! A journal as one text: what `state pull` writes and `state push` takes. Pure.

use super::entry::{Entry, Fact};
use super::error::LedgerError;
use super::fold::fold;
use super::text::{JournalEnd, JournalReader, whole_lines};
use crate::resource::StackState;

/// A journal as one text, checked from its first line to its last.
#[derive(Clone, Debug)]
pub struct JournalCopy {
    /// Its lines, each with its end.
    pub text: String,
    /// Their entries.
    pub entries: Vec<Entry>,
    /// Where it ends.
    pub tail: JournalEnd,
    /// What they come to.
    pub state: StackState,
}

impl JournalCopy {
    /// Checks a journal: the format, the seal of each line, and that no entry contradicts one before it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(place: &str, stack: &str, bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut reader = JournalReader::default();
        let rest = reader.page(place, bytes)?;
        if !rest.is_empty() {
            let line = bytes.split(|byte| *byte == b'\n').count();
            let problem = "it ends in the middle of a line".to_owned();
            return Err(LedgerError::Corrupt { place: place.to_owned(), line, problem });
        }
        let JournalReader { entries, tail } = reader;
        let contradicts = |source| LedgerError::Contradicts { place: place.to_owned(), source };
        let state = fold(stack, &entries).map_err(contradicts)?;
        let text = whole_lines(bytes);
        let tail = JournalEnd { length: text.len() as u64, open: false, ..tail };
        Ok(Self { text, entries, tail, state })
    }

    /// The stack that its last run names; runs of earlier versions name none.
    pub fn stack(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::RunBegan { stack, .. } => Some(stack.as_str()).filter(|stack| !stack.is_empty()),
            _ => None,
        })
    }

    /// How the lines of `present` and these lie to each other.
    pub fn follows(&self, present: &str) -> JournalRelation {
        let pairs = present.lines().zip(self.text.lines());
        if let Some(line) = pairs.clone().position(|(one, other)| one != other) {
            return JournalRelation::Differs { line: line + 1 };
        }
        let (present, own) = (present.lines().count(), self.text.lines().count());
        match own.cmp(&present) {
            std::cmp::Ordering::Less => JournalRelation::Behind { by: present - own },
            std::cmp::Ordering::Equal => JournalRelation::Same,
            std::cmp::Ordering::Greater => JournalRelation::Ahead { by: own - present },
        }
    }
}

/// How one journal lies to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalRelation {
    /// It has the same entries.
    Same,
    /// It has the same entries and more.
    Ahead {
        /// How many more.
        by: usize,
    },
    /// It lacks the last entries.
    Behind {
        /// How many.
        by: usize,
    },
    /// Its entries are others from a line on.
    Differs {
        /// The first line that differs, from 1.
        line: usize,
    },
}
