//! Concurrency limits: requests, connections, bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of places.
#[derive(Clone, Debug)]
pub struct Slots {
    taken: Arc<AtomicUsize>,
    most: usize,
}

impl Slots {
    /// `most` places, all free.
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// Takes a place until the slot is dropped; nothing when there is none.
    pub fn take(&self) -> Option<TakenSlots> {
        self.take_many(1)
    }

    /// Takes so many places until the slot is dropped; nothing when there are fewer. Whoever wants more than there are gets all
    /// of them, when they are free: else it could never have any.
    pub fn take_many(&self, count: usize) -> Option<TakenSlots> {
        let count = count.min(self.most);
        let slot = TakenSlots { taken: self.taken.clone(), count, beside: None };
        // The slot gives back what was taken too much.
        let before = self.taken.fetch_add(count, Ordering::AcqRel);
        before.checked_add(count).is_some_and(|after| after <= self.most).then_some(slot)
    }

    /// Takes so many places more for a slot of these; nothing changes when there are fewer.
    pub fn grow(&self, slot: &mut TakenSlots, count: usize) -> bool {
        let before = self.taken.fetch_add(count, Ordering::AcqRel);
        let there = before.checked_add(count).is_some_and(|after| after <= self.most);
        if there {
            slot.count += count;
        } else {
            self.taken.fetch_sub(count, Ordering::AcqRel);
        }
        there
    }

    /// Places that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Places that there are.
    pub fn most(&self) -> usize {
        self.most
    }
}

/// Places that are taken.
#[derive(Debug)]
pub struct TakenSlots {
    taken: Arc<AtomicUsize>,
    count: usize,
    beside: Option<Box<TakenSlots>>,
}

impl TakenSlots {
    /// Both, until both are dropped.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.more(Some(other));
        self
    }

    /// The same for a slot that stays where it is.
    pub fn more(&mut self, other: Option<Self>) {
        let Some(other) = other else { return };
        let other = match self.beside.take() {
            Some(kept) => other.and(*kept),
            None => other,
        };
        self.beside = Some(Box::new(other));
    }
}

/// Places that an answer holds until it is sent, as an extension of it.
#[derive(Clone, Debug)]
pub struct HeldSlots(pub Arc<TakenSlots>);

impl Drop for TakenSlots {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let slots = Slots::new(2);
        let (first, second) = (slots.take(), slots.take());
        assert!(first.is_some() && second.is_some() && slots.take().is_none());
        drop(first);
        assert_eq!(slots.taken(), 1);
        assert!(slots.take().is_some());
    }

    #[test]
    fn many_places_are_taken_at_once() {
        let slots = Slots::new(10);
        let first = slots.take_many(6).unwrap();
        assert!(slots.take_many(5).is_none() && slots.take_many(100).is_none());
        let both = slots.take_many(4).unwrap().and(first);
        assert_eq!(slots.taken(), 10);
        drop(both);
        assert_eq!(slots.taken(), 0);
        assert!(slots.take_many(100).is_some(), "all of them, when they are free");
    }

    #[test]
    fn a_slot_grows_while_there_is_room() {
        let slots = Slots::new(10);
        let mut slot = slots.take_many(0).unwrap();
        assert!(slots.grow(&mut slot, 6) && !slots.grow(&mut slot, 5) && !slots.grow(&mut slot, usize::MAX));
        assert_eq!(slots.taken(), 6);
        assert!(slots.grow(&mut slot, 4) && slots.take().is_none());
        drop(slot);
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn slots_of_several_kinds_are_held_together() {
        let kinds = [Slots::new(1), Slots::new(1), Slots::new(1)];
        let mut all = kinds.iter().map(|slots| slots.take().unwrap());
        let held = all.next().unwrap().and(all.next().unwrap()).and(all.next().unwrap());
        assert_eq!(kinds.each_ref().map(Slots::taken), [1, 1, 1]);
        drop(held);
        assert_eq!(kinds.each_ref().map(Slots::taken), [0, 0, 0]);
    }
}
