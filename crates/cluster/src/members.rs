//! The members of an inventory, as far as this run knows: deleting the last one deletes the parent.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
struct KnownMembers {
    /// There, and not about to go.
    there: BTreeSet<String>,
    /// About to go.
    leaving: BTreeSet<String>,
    /// One waits for the others to have gone.
    last: Option<String>,
}

/// The members.
#[derive(Debug, Default)]
pub(crate) struct InventoryMembers {
    known: Mutex<KnownMembers>,
    changed: Notify,
}

/// A member that is about to go. Dropped before it is [`gone`](Self::gone), it stays.
#[derive(Debug)]
pub(crate) struct DepartingMember<'m> {
    members: &'m InventoryMembers,
    id: String,
    is_gone: bool,
}

impl InventoryMembers {
    fn known(&self) -> MutexGuard<'_, KnownMembers> {
        // Nothing can fail while it is held: what a poisoned value holds is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was seen, or made.
    pub(crate) fn has(&self, id: &str) {
        self.known().there.insert(id.to_owned());
    }

    /// It is about to go.
    pub(crate) fn leaves(&self, id: &str) -> DepartingMember<'_> {
        let mut known = self.known();
        known.there.remove(id);
        known.leaving.insert(id.to_owned());
        if known.there.is_empty() && known.last.is_none() {
            known.last = Some(id.to_owned());
        }
        DepartingMember { members: self, id: id.to_owned(), is_gone: false }
    }
}

impl DepartingMember<'_> {
    /// Whether it is the last one: waits for those that began to go before it.
    pub(crate) async fn is_last(&self) -> bool {
        loop {
            let changed = self.members.changed.notified();
            {
                let known = self.members.known();
                if known.last.as_ref() != Some(&self.id) || !known.there.is_empty() {
                    return false;
                }
                if known.leaving.len() <= 1 {
                    return true;
                }
            }
            changed.await;
        }
    }

    /// It is gone.
    pub(crate) fn gone(mut self) {
        self.is_gone = true;
    }
}

impl Drop for DepartingMember<'_> {
    fn drop(&mut self) {
        let mut known = self.members.known();
        known.leaving.remove(&self.id);
        if known.last.as_ref() == Some(&self.id) {
            known.last = None;
        }
        if !self.is_gone {
            known.there.insert(self.id.clone());
        }
        drop(known);
        self.members.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_one_waits_for_those_before_it() {
        let members = InventoryMembers::default();
        ["a", "b"].iter().for_each(|id| members.has(id));
        let (first, last) = (members.leaves("a"), members.leaves("b"));
        assert!(!first.is_last().await);
        let waits = tokio::time::timeout(Duration::from_secs(1), last.is_last()).await;
        assert!(waits.is_err(), "the other one has not gone yet");
        first.gone();
        assert!(last.is_last().await);
    }

    #[tokio::test]
    async fn one_that_stays_keeps_the_parent() {
        let members = InventoryMembers::default();
        ["a", "b"].iter().for_each(|id| members.has(id));
        let (first, last) = (members.leaves("a"), members.leaves("b"));
        drop(first);
        assert!(!last.is_last().await);
        last.gone();
        let again = members.leaves("a");
        assert!(again.is_last().await);
        again.gone();
    }

    #[tokio::test]
    async fn two_that_nobody_knew_do_not_wait_for_each_other() {
        let members = InventoryMembers::default();
        let (one, two) = (members.leaves("a"), members.leaves("b"));
        assert!(!two.is_last().await);
        two.gone();
        assert!(one.is_last().await);
    }
}
