//! Random numbers for ids: a generator for each thread, seeded by the system.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()));
}

/// A number that is not zero.
pub fn number() -> u64 {
    STATE.with(|state| {
        loop {
            // splitmix64
            let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            state.set(next);
            let mut mixed = next;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            if mixed != 0 {
                return mixed;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_differ_and_spread() {
        let numbers: std::collections::BTreeSet<u64> = (0..10_000).map(|_| super::number()).collect();
        assert_eq!(numbers.len(), 10_000);
        let low = numbers.iter().filter(|number| **number < u64::MAX / 10).count();
        assert!((800..1200).contains(&low), "{low}");
    }
}
