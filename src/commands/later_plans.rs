//! The origin of values in a plan that extends others, at the end of the output of `validate plan`.

use serde_json::{Value, json};

use crate::plan::{LayeredChange, Lineage};
use crate::resource::{SafeText, counted, shown};

/// Changes that are shown without `-v`.
const SHOWN: usize = 20;

/// The changes that are shown, and how many are left out.
fn shown(lineage: &Lineage, all: bool) -> (&[LayeredChange], usize) {
    let changes = lineage.changes();
    let most = if all { changes.len() } else { changes.len().min(SHOWN) };
    (&changes[..most], changes.len() - most)
}

/// One line for each change of a later plan, the earliest plan last; none when the plan extends no other.
pub fn text(lineage: &Lineage, all: bool) -> Option<SafeText> {
    let earliest = lineage.earliest()?;
    let (changes, left) = shown(lineage, all);
    let mut lines: Vec<SafeText> =
        changes.iter().map(|change| shown!("from {}: {} {}", change.file, change.what, change.path)).collect();
    if left > 0 {
        let are = if left == 1 { "is" } else { "are" };
        lines.push(shown!("{} {} left out; -v shows all", counted(left, "more change"), are));
    }
    lines.push(shown!("from {}: everything else", earliest));
    Some(SafeText::join(lines, "\n"))
}

/// The same as data.
pub fn document(lineage: &Lineage, all: bool) -> Option<Value> {
    lineage.earliest()?;
    let (changes, left) = shown(lineage, all);
    let changes: Vec<Value> =
        changes.iter().map(|change| json!({"file": change.file, "what": change.what, "path": change.path})).collect();
    Some(json!({"files": lineage.files(), "changes": changes, "left_out": left}))
}
