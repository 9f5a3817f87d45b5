//! Limits the number of log lines of one kind per second.

use std::sync::atomic::{AtomicU64, Ordering};

/// Lines of one kind.
#[derive(Debug)]
pub struct LineBudget {
    /// Lines of a second.
    most: u64,
    /// The second in the upper half, lines in it in the lower one.
    second: AtomicU64,
    left_out: AtomicU64,
}

impl LineBudget {
    /// So many lines a second.
    pub fn new(most: u64) -> Self {
        Self { most, second: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Whether a line may still be written in the second `now`. The first one of a second gets the number of those that were left
    /// out before it; every other line that may be written gets 0.
    pub fn take(&self, now: u64) -> Option<u64> {
        let count = |state: u64| if state >> 32 == now { (state & u64::from(u32::MAX)) + 1 } else { 1 };
        let next = |state| Some(now << 32 | count(state).min(u64::from(u32::MAX)));
        let before = self.second.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_default();
        match count(before) {
            1 => Some(self.left_out.swap(0, Ordering::Relaxed)),
            count if count <= self.most => Some(0),
            _ => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LineBudget;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_one_tells_what_is_missing() {
        let budget = LineBudget::new(3);
        let of = |second: u64| (0..5).map(|_| budget.take(second)).collect::<Vec<_>>();
        assert_eq!(of(7), [Some(0), Some(0), Some(0), None, None]);
        assert_eq!(of(9), [Some(2), Some(0), Some(0), None, None]);
        assert_eq!(budget.take(10), Some(2));
    }
}
