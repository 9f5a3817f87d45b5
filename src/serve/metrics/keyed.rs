//! Handles by name: found without a lock and without a copy of the name, made once.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// What belongs to a name.
#[derive(Debug)]
pub struct Keyed<T> {
    known: ArcSwap<HashMap<Box<str>, Arc<T>>>,
}

impl<T> Keyed<T> {
    /// Nothing so far.
    pub fn new() -> Self {
        Self { known: ArcSwap::from_pointee(HashMap::new()) }
    }

    /// What is known under a name.
    pub fn get(&self, name: &str) -> Option<Arc<T>> {
        self.known.load().get(name).cloned()
    }

    /// The same, made when it is not there.
    pub fn get_or(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(known) = self.get(name) {
            return known;
        }
        let made = Arc::new(make());
        self.known.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.entry(name.into()).or_insert_with(|| made.clone());
            known
        });
        self.get(name).unwrap_or(made)
    }

    /// How many names are known.
    pub fn count(&self) -> usize {
        self.known.load().len()
    }
}
