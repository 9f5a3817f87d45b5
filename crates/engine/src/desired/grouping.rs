//! The two graphs of a plan, the cloud's and the devices': where one needs the other, and both as one.

use std::collections::BTreeSet;

use super::{DesiredStack, jetson};
use crate::plan::{Plan, PlanErrors};
use crate::resource::{Address, Resource};

/// Builds both graphs of a plan as one, for a run that makes the cloud and the devices.
///
/// # Errors
/// Everything in the plan that cannot be, of the cloud and of the devices.
pub fn together(plan: &Plan, requested: &BTreeSet<String>) -> Result<DesiredStack, PlanErrors> {
    match (super::build(plan, requested), jetson::build(plan)) {
        (Ok(cloud), Ok(devices)) => Ok(cloud.joined(devices)),
        (Err(wrong), Ok(_)) | (Ok(_), Err(wrong)) => Err(wrong),
        (Err(PlanErrors(mut wrong)), Err(PlanErrors(more))) => {
            for problem in more {
                if !wrong.contains(&problem) {
                    wrong.push(problem);
                }
            }
            Err(PlanErrors(wrong))
        }
    }
}

impl DesiredStack {
    /// Whether something in it needs the plan's other graph: it refers to a resource there, or its step comes after a step
    /// of it.
    pub fn crosses(&self, plan: &Plan) -> bool {
        let of_devices = |step: &String| plan.step(step).and_then(|step| step.work.is_of_devices());
        let crosses = |resource: &Resource| {
            let devices = resource.address.is_of_devices();
            let refers = resource.needs.keys().any(|need| need.is_of_devices() != devices && !self.has(need));
            refers || resource.after.iter().any(|step| of_devices(step).is_some_and(|it| it != devices))
        };
        self.desired.resources.values().any(crosses)
    }

    /// Notes for each step what it comes after in the plan's other graph.
    pub fn note_beyond(&mut self, other: &Self) {
        for resource in self.desired.resources.values() {
            let before = resource.after.iter().filter_map(|step| other.by_step.get(step)).flatten();
            let before: BTreeSet<_> = before.cloned().collect();
            if !before.is_empty() {
                self.beyond.insert(resource.step.clone(), before);
            }
        }
    }

    /// Both graphs as one. The devices stay in a stack of their own.
    #[must_use]
    pub fn joined(mut self, devices: Self) -> Self {
        self.later.retain(|(step, _)| !devices.by_step.contains_key(step));
        self.waiting.retain(|step| !devices.by_step.contains_key(step));
        self.desired.devices = Some(devices.desired.stack);
        self.desired.resources.extend(devices.desired.resources);
        self.desired.moved.extend(devices.desired.moved);
        self.artifacts.extend(devices.artifacts);
        self.by_step.extend(devices.by_step);
        self.missing.extend(devices.missing);
        self.record_places.extend(devices.record_places);
        self.written.extend(devices.written);
        self
    }

    fn has(&self, address: &Address) -> bool {
        self.desired.resources.contains_key(address)
    }
}
