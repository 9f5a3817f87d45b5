//! Circular needs of steps, with or without resources.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;

/// The steps of a circle of `needs`, each before the one that it needs; nothing when there is none.
pub(super) fn cycle(steps: &[Step]) -> Option<Vec<&Step>> {
    let by_id: BTreeMap<&str, &Step> = steps.iter().map(|step| (step.id.as_str(), step)).collect();
    // What is left when steps that need nothing which is left are taken out, again and again.
    let mut left: BTreeSet<&str> = by_id.keys().copied().collect();
    loop {
        let free =
            |id: &&str| by_id.get(id).is_some_and(|step| !step.needs.iter().any(|need| left.contains(need.as_str())));
        let free: Vec<&str> = left.iter().copied().filter(free).collect();
        if free.is_empty() {
            break;
        }
        left.retain(|id| !free.contains(id));
    }
    // Each that is left needs another one that is left: whoever follows them comes round.
    let next = |step: &Step| {
        step.needs.iter().find_map(|need| left.get(need.as_str())).and_then(|need| by_id.get(need)).copied()
    };
    let mut path: Vec<&Step> = Vec::new();
    let mut at = left.first().and_then(|id| by_id.get(id)).copied()?;
    loop {
        if let Some(from) = path.iter().position(|step| step.id == at.id) {
            return Some(path.split_off(from));
        }
        path.push(at);
        at = next(at)?;
    }
}
