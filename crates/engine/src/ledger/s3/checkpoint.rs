//! A checkpoint: what all entries up to one come to, and in which segments their lines are kept. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::head::ObjectPointer;
use crate::ledger::checksum_chain::{ChecksumChain, digest};
use crate::ledger::entry::{Entry, FORMAT};
use crate::ledger::error::LedgerError;
use crate::ledger::fold::{FOLD, JournalContradiction, fold_from};
use crate::ledger::history::TypicalDurations;
use crate::ledger::text::JournalEnd;
use crate::resource::StackState;

/// So many small segments at the end become one.
const FEW: usize = 8;
/// A segment of this size is not merged any longer.
pub const LARGE: u64 = 4 * 1024 * 1024;

/// What the entries up to one come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Format of the layout.
    pub v: u32,
    /// The rules by which the state was folded: other rules read the segments instead.
    pub fold: u32,
    /// Number of the last entry.
    pub sequence: u64,
    /// The checksums up to it.
    pub chain: ChecksumChain,
    /// Its format.
    pub format: u32,
    /// The state after it.
    pub state: StackState,
    /// How long things took.
    pub usual: TypicalDurations,
    /// Where the lines of all entries are, in their order.
    pub segments: Vec<Segment>,
    /// What took their place and is not needed any longer, to be deleted later.
    #[serde(default)]
    pub retired: Vec<RetiredObject>,
    /// The pages of an older layout, to be deleted later.
    #[serde(default)]
    pub pages: Option<FormerPages>,
}

/// The lines of some entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectPointer,
    /// Number of its first entry.
    pub first: u64,
    /// Number of its last entry.
    pub last: u64,
    /// Its size.
    pub bytes: u64,
}

/// An object that nothing refers to any longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredObject {
    /// Its key below the stack's prefix.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
}

/// The pages of formats 1 to 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerPages {
    /// Number of the last entry in them.
    pub last: u64,
    /// Since when the head has taken their place.
    pub since: Timestamp,
}

impl Checkpoint {
    /// The checkpoint before the first entry.
    pub fn empty(stack: &str) -> Self {
        Self {
            v: FORMAT,
            fold: FOLD,
            sequence: 0,
            chain: ChecksumChain::default(),
            format: 0,
            state: StackState::empty(stack),
            usual: TypicalDurations::default(),
            segments: Vec::new(),
            retired: Vec::new(),
            pages: None,
        }
    }

    /// The checkpoint after `entries`, which end at `tail`. Its segments are still those before them.
    ///
    /// # Errors
    /// When the entries do not follow.
    pub fn after(&self, entries: &[Entry], tail: JournalEnd) -> Result<Self, JournalContradiction> {
        let state = fold_from(self.state.clone(), entries)?;
        let mut usual = self.usual.clone();
        entries.iter().for_each(|entry| usual.note(entry));
        let JournalEnd { chain, format, .. } = tail;
        Ok(Self { v: FORMAT, fold: FOLD, sequence: state.sequence, chain, format, state, usual, ..self.clone() })
    }

    /// As text, with the object that it becomes.
    pub fn written(&self) -> (ObjectPointer, String) {
        // A checkpoint is plain data with text keys: it always has a JSON form.
        let text = serde_json::to_string(self).unwrap_or_default();
        let sha256 = digest(text.as_bytes());
        let key = format!("archive/checkpoint-{:020}-{}.json", self.sequence, unique(&sha256));
        (ObjectPointer { key, sha256 }, text)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When its content is not what the head says, or of a newer format.
    pub fn read(place: &str, bytes: &[u8], sha256: &str) -> Result<Self, LedgerError> {
        let damage = |problem: String| LedgerError::Corrupt { place: place.to_owned(), line: 1, problem };
        if digest(bytes) != sha256 {
            return Err(damage("its content is not what the head of the journal says".to_owned()));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|bad| damage(bad.to_string()))?;
        match value.get("v").and_then(Value::as_u64).and_then(|found| u32::try_from(found).ok()) {
            Some(found) if found > FORMAT => Err(LedgerError::Newer { place: place.to_owned(), found, known: FORMAT }),
            _ => serde_json::from_value(value).map_err(|bad| damage(bad.to_string())),
        }
    }

    /// How many segments at the end are to become one with the next.
    pub fn mergeable(&self) -> usize {
        let small = self.segments.iter().rev().take_while(|segment| segment.bytes < LARGE).count();
        if small + 1 >= FEW { small } else { 0 }
    }
}

impl Segment {
    /// The segment that these lines become.
    pub fn of(lines: &str, first: u64, last: u64) -> Self {
        let sha256 = digest(lines.as_bytes());
        let key = format!("archive/segment-{first:020}-{last:020}-{}.jsonl", unique(&sha256));
        Self { object: ObjectPointer { key, sha256 }, first, last, bytes: lines.len() as u64 }
    }

    /// The segments that these lines become, none of them much larger than [`LARGE`]. The first entry has the number `first`.
    pub fn cut(lines: &str, first: u64) -> Vec<(Self, String)> {
        let (mut all, mut text, mut begin, mut next) = (Vec::new(), String::new(), first, first);
        for line in lines.split_inclusive('\n') {
            text.push_str(line);
            next += 1;
            if text.len() as u64 >= LARGE {
                let whole = std::mem::take(&mut text);
                all.push((Self::of(&whole, begin, next - 1), whole));
                begin = next;
            }
        }
        if !text.is_empty() {
            all.push((Self::of(&text, begin, next - 1), text));
        }
        all
    }
}

/// The end of a name that no other object has, now or later: what is deleted once never comes back.
fn unique(sha256: &str) -> String {
    format!("{}-{}", &sha256[..8], &Uuid::new_v4().simple().to_string()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_entries_and_all_of_them_are_kept() {
        let line = format!("{}\n", "x".repeat(1024 * 1024));
        let lines = line.repeat(9);
        let cut = Segment::cut(&lines, 11);
        let numbers: Vec<(u64, u64)> = cut.iter().map(|(segment, _)| (segment.first, segment.last)).collect();
        assert_eq!(numbers, [(11, 14), (15, 18), (19, 19)]);
        assert_eq!(cut.into_iter().map(|(_, text)| text).collect::<String>(), lines);
    }

    #[test]
    fn a_row_of_small_segments_becomes_one() {
        let small = Segment { bytes: 300_000, ..Segment::of("", 1, 1) };
        let large = Segment { bytes: LARGE, ..small.clone() };
        let with = |segments: Vec<Segment>| Checkpoint { segments, ..Checkpoint::empty("stack") }.mergeable();
        assert_eq!(with(vec![small.clone(); 6]), 0);
        assert_eq!(with(vec![small.clone(); 7]), 7);
        assert_eq!(with([vec![large; 9], vec![small; 7]].concat()), 7);
    }

    #[test]
    fn a_checkpoint_comes_back_and_a_changed_one_is_refused() {
        let checkpoint = Checkpoint::empty("stack");
        let (pointer, text) = checkpoint.written();
        assert_eq!(Checkpoint::read("here", text.as_bytes(), &pointer.sha256).ok(), Some(checkpoint));
        let changed = text.replacen("stack", "stick", 1);
        assert!(matches!(
            Checkpoint::read("here", changed.as_bytes(), &pointer.sha256),
            Err(LedgerError::Corrupt { .. })
        ));
    }
}
