//! So many at a time: requests, connections, bytes.

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
    pub fn take(&self) -> Option<Slot> {
        self.take_many(1)
    }

    /// Takes so many places until the slot is dropped; nothing when there are fewer. Whoever wants more than there are gets all
    /// of them, when they are free: else it could never have any.
    pub fn take_many(&self, count: usize) -> Option<Slot> {
        let count = count.min(self.most);
        let slot = Slot { taken: self.taken.clone(), count, beside: None };
        // The slot gives back what was taken too much.
        let before = self.taken.fetch_add(count, Ordering::AcqRel);
        before.checked_add(count).is_some_and(|after| after <= self.most).then_some(slot)
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
pub struct Slot {
    taken: Arc<AtomicUsize>,
    count: usize,
    beside: Option<Box<Slot>>,
}

impl Slot {
    /// Both, until both are dropped.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.beside = Some(Box::new(other));
        self
    }
}

impl Drop for Slot {
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
}
