//! Increases the number of connections until throughput stops growing.

use std::time::Duration;

use super::BreakingPoint;
use crate::load::{Breaking, StressStep, breaking_point};

/// The numbers of connections of a stress test: those that were named, then half as many more each time.
#[derive(Clone, Debug)]
pub struct Growth {
    named: Vec<u32>,
    most: u32,
    last: u32,
}

impl Growth {
    /// From these numbers on, up to the most.
    pub fn new(named: &[u32], most: u32) -> Self {
        let mut named = named.to_vec();
        named.sort_unstable_by(|one, other| other.cmp(one));
        named.dedup();
        Self { named, most, last: 0 }
    }
}

impl Iterator for Growth {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let next = match self.named.pop() {
            Some(named) => named,
            None if self.last < self.most => (self.last + self.last.div_ceil(2).max(1)).min(self.most),
            None => return None,
        };
        self.last = next;
        (next <= self.most).then_some(next)
    }
}

/// Why the last step is the first one too many, when it is so twice: as it was measured, and measured once more. One disturbance of the
/// machine is not a breaking point.
pub fn confirmed(steps: &[StressStep], again: &StressStep, limit: Duration) -> Option<Breaking> {
    let (_, before) = steps.split_last()?;
    let repeated: Vec<StressStep> = before.iter().cloned().chain([again.clone()]).collect();
    let breaks = |steps: &[StressStep]| breaking_point(steps, limit).filter(|(at, _)| at + 1 == steps.len());
    breaks(steps)?;
    breaks(&repeated).map(|(_, how)| how)
}

impl BreakingPoint {
    /// Of all steps, the last of which may be too many.
    pub fn of(steps: &[StressStep], how: Option<Breaking>) -> Self {
        let held = if how.is_some() { steps.len().saturating_sub(1) } else { steps.len() };
        let best = steps[..held].iter().max_by(|one, other| one.throughput.total_cmp(&other.throughput));
        Self {
            connections: how.and_then(|_| steps.last()).map(|step| step.connections),
            how,
            best_connections: best.map(|step| step.connections),
            best_per_second: best.map(|step| step.throughput),
        }
    }
}
