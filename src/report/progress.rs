//! Counts the finished changes of a run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::resource::{Address, Changes};

/// The changes of a run, and those that have not ended.
#[derive(Debug, Default)]
pub(super) struct Progress {
    total: usize,
    /// How often each address is still to end: a thing may be changed, and what is left over of an older one deleted.
    open: Mutex<BTreeMap<Address, usize>>,
}

impl Progress {
    /// None of these has ended.
    pub(super) fn of(changes: &Changes) -> Self {
        let mut open: BTreeMap<Address, usize> = BTreeMap::new();
        let pending_deletions = changes.pending_deletions.iter().map(|left| &left.address);
        for address in changes.acting().map(|change| &change.address).chain(pending_deletions) {
            *open.entry(address.clone()).or_default() += 1;
        }
        Self { total: open.values().sum(), open: Mutex::new(open) }
    }

    /// Something ended at this address: `[12/34] `, as wide as the last one; nothing where there are no changes to count. What ends
    /// once more (the older one of a thing that was replaced) does not count again.
    pub(super) fn after(&self, address: &Address) -> String {
        if self.total == 0 {
            return String::new();
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = open.get_mut(address) {
            *times = times.saturating_sub(1);
        }
        let done = self.total - open.values().sum::<usize>();
        let count = format!("[{done}/{}]", self.total);
        let width = 2 * self.total.to_string().len() + 3;
        format!("{count:>width$} ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::resource::{Attributes, Kind, PendingDeletion};

    #[test]
    fn each_change_counts_once() {
        let address = |name: &str| Address::new("models", Kind::Bucket, name);
        let left = |name: &str| PendingDeletion {
            address: address(name),
            kind: Kind::Bucket,
            id: name.to_owned(),
            spec: Value::Null,
            attributes: Attributes::new(),
            reason: "a newer one took its place".into(),
            held_by: std::collections::BTreeSet::new(),
        };
        let pending_deletions = (0..10).map(|number| left(if number < 2 { "twice" } else { "other" })).collect();
        let progress = Progress::of(&Changes { pending_deletions, ..Changes::default() });
        assert_eq!(progress.after(&address("twice")), " [1/10] ");
        assert_eq!(progress.after(&address("twice")), " [2/10] ");
        assert_eq!(progress.after(&address("twice")), " [2/10] ", "it has ended");
        assert_eq!(progress.after(&address("unknown")), " [2/10] ");
        for _ in 0..7 {
            progress.after(&address("other"));
        }
        assert_eq!(progress.after(&address("other")), "[10/10] ");
        assert_eq!(Progress::default().after(&address("twice")), "");
    }
}
