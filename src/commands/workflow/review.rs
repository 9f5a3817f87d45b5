//! A plan held against everything that can be said of it offline, all at once: how it reads, what it becomes, and what AWS would
//! refuse. Where something is wrong, the rest is checked all the same.

use std::collections::BTreeSet;

use super::graphs::{draft_of_devices, every_step, findings, stops};
use crate::desired::{self, Draft};
use crate::exit::Failure;
use crate::plan::{FormerKey, Plan, PlanError, PlanErrors, rules};
use crate::report::{LocatedFinding, Printer};

/// What is found in a plan.
#[derive(Debug, Default)]
pub struct Review {
    /// All of it, each once, in the order of the plan.
    pub findings: Vec<LocatedFinding>,
    /// The plan itself is wrong: it is not only AWS that would refuse it.
    pub is_unreadable: bool,
    /// The resources that it wants of the cloud with every step in force.
    pub resources: usize,
}

impl Review {
    /// Reviews a plan. `problems` are those that its loader found; the plan has placeholders where they are.
    pub fn of(plan: Option<&Plan>, problems: &[PlanError]) -> Self {
        let mut review = Self::default();
        review.note(problems);
        if let Some(plan) = plan {
            review.add(plan.former_keys().iter().map(former_key));
            review.graphs(plan);
        }
        review.findings.sort_by(|one, other| one.order().cmp(&other.order()));
        review
    }

    /// How many errors it has.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    fn note(&mut self, problems: &[PlanError]) {
        self.is_unreadable |= !problems.is_empty();
        self.add(problems.iter().map(LocatedFinding::from));
    }

    fn add(&mut self, found: impl Iterator<Item = LocatedFinding>) {
        for finding in found {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// The cloud's graph as it is and with every step in force, and that of the devices.
    fn graphs(&mut self, plan: &Plan) {
        let cloud = [desired::draft(plan, &BTreeSet::new()), desired::draft(plan, &every_step(plan))];
        let devices = draft_of_devices(plan);
        self.resources = cloud.iter().map(|draft| draft.built.desired.resources.len()).max().unwrap_or(0);
        for draft in cloud.iter().chain(&devices) {
            self.note(&draft.problems);
        }
        if !self.is_unreadable
            && let Err(PlanErrors(wrong)) = desired::check_fallbacks(plan)
        {
            self.note(&wrong);
        }
        for draft in &cloud {
            self.add(sound(plan, draft, devices.as_ref()).into_iter());
        }
        // Of the devices' graph only what stops `jetson`: the other rules are about AWS.
        if let Some(devices) = &devices {
            self.add(sound(plan, devices, cloud.last()).into_iter().filter(stops));
        }
    }
}

/// What the rules say of the resources that are as the plan wants them.
fn sound(plan: &Plan, draft: &Draft, other: Option<&Draft>) -> Vec<LocatedFinding> {
    let other = other.map(|other| &other.built).filter(|_| draft.built.crosses(plan));
    let mut all = findings(plan, &draft.built, other);
    all.retain(|finding| finding.address.as_ref().is_none_or(|address| draft.is_sound(plan, address)));
    all
}

/// The warning about a former key.
fn former_key(used: &FormerKey) -> LocatedFinding {
    let place = (used.file.as_str(), used.place.line, used.place.column);
    LocatedFinding {
        severity: "warning",
        ..LocatedFinding::error(rules::FORMER_KEY, place, used.problem(), used.next_step())
    }
}

/// Says which former keys a plan uses.
pub fn say_former_keys(plan: &Plan, printer: &Printer) {
    for used in plan.former_keys() {
        printer.remark(former_key(used).line());
    }
}

/// The refusal of a plan, with everything that is wrong with it.
pub fn refusal(plan: Option<&Plan>, problems: &[PlanError]) -> Failure {
    Failure::of_findings(Review::of(plan, problems).findings)
}
