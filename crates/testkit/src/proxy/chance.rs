//! Faults by chance. The seed, the operation and how often it came decide, not the order in which calls happen to arrive.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::act::ProxyAction;
use super::call::ProxyCall;
use super::refusal::{broken, throttled};

/// Fails some of all calls.
pub(super) struct Chance {
    seed: u64,
    percent: u64,
    came: BTreeMap<(String, String), u64>,
    /// How often each kind of fault struck.
    struck: BTreeMap<&'static str, usize>,
}

impl Chance {
    pub(super) fn new(seed: u64, percent: u64) -> Self {
        Self { seed, percent, came: BTreeMap::new(), struck: BTreeMap::new() }
    }

    /// What happens to this call; nothing most of the time.
    pub(super) fn act(&mut self, call: &ProxyCall) -> Option<ProxyAction> {
        let came = self.came.entry((call.service.clone(), call.operation.clone())).or_default();
        *came += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, &call.service, &call.operation, *came).hash(&mut hasher);
        let dice = hasher.finish();
        if dice % 100 >= self.percent {
            return None;
        }
        let (name, act) = match dice / 100 % 6 {
            0 => ("500", ProxyAction::Refuse(broken(&call.service, 500))),
            1 => ("503", ProxyAction::Refuse(broken(&call.service, 503))),
            2 => ("throttled", ProxyAction::Refuse(throttled(&call.service))),
            3 => ("dropped before", ProxyAction::DropBefore),
            4 => ("dropped after", ProxyAction::DropAfter),
            _ => ("delayed", ProxyAction::Delay(Duration::from_millis(50 + dice / 600 % 250))),
        };
        *self.struck.entry(name).or_default() += 1;
        Some(act)
    }

    /// What was done, to find it again.
    pub(super) fn told(&self) -> String {
        let calls: u64 = self.came.values().sum();
        format!("seed {}, {} % of {calls} calls: {:?}", self.seed, self.percent, self.struck)
    }
}
