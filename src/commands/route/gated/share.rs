//! The name that a cutover moves, its share that goes to the distribution, and the remaining steps.

use serde::Deserialize;

use crate::desired;
use crate::exit::{Failure, codes};
use crate::plan::routing::CutoverTarget;
use crate::plan::{Plan, StepConfig};
use crate::resource::records::RecordsSpec;
use crate::resource::{Address, Kind, StackState, dns_answer, shown};

/// The cutover of a plan.
pub struct Cutover {
    /// The step.
    pub step: String,
    /// The full name that it moves.
    pub host: String,
    /// The group of record sets that the name is in.
    group: Address,
}

impl Cutover {
    /// The one cutover of a plan.
    ///
    /// # Errors
    /// When it has none, or several.
    pub fn of(plan: &Plan) -> Result<Self, Failure> {
        let all = plan.steps.iter().filter_map(|step| match &step.work {
            StepConfig::Cutover(cutover) => Some((step, cutover)),
            _ => None,
        });
        let all: Vec<_> = all.collect();
        let [(step, cutover)] = all.as_slice() else {
            return Err(codes::ARGUMENT.refused(
                shown!("the plan has {} steps of kind cutover; one is moved step by step", all.len()),
                "keep one of them in the plan",
            ));
        };
        let geo = plan.steps.iter().find_map(|step| match &step.work {
            StepConfig::Routing(routing) => routing.geo.get(&cutover.replaces),
            _ => None,
        });
        let desired = desired::build(plan, &std::collections::BTreeSet::new())?.desired;
        let names = geo.map(|geo| dns_answer::names(&desired, Some(&geo.name))).unwrap_or_default();
        let Some(host) = names.into_iter().next() else {
            let problem = shown!("the plan has no geo routing {:?}", cutover.replaces);
            return Err(codes::ARGUMENT.refused(problem, "name one of geo in a routing step"));
        };
        let has = |spec: RecordsSpec| spec.sets.iter().any(|set| set.name == host);
        let mut groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
        let group = groups.find(|group| group.typed::<RecordsSpec>().is_some_and(has));
        let Some(group) = group.map(|group| group.address.clone()) else {
            return Err(
                codes::ARGUMENT.refused(shown!("the plan has no record sets of {}", host), "correct the plan's geo")
            );
        };
        Ok(Self { step: step.id.clone(), host, group })
    }

    /// How much of the name points at the distribution, in percent, as the journal has it.
    pub fn share(&self, state: &StackState) -> u8 {
        let Some(record) = state.resources.get(&self.group) else { return 0 };
        let Ok(spec) = RecordsSpec::deserialize(&record.spec) else { return 0 };
        let mut own = spec.sets.iter().filter(|set| set.name == self.host && set.record_type == "A");
        let to_distribution = |set: &&crate::resource::records::RecordSet| {
            let alias = set.alias.as_ref().map(|alias| alias.zone_id.as_str());
            alias == Some(crate::resource::records::CLOUDFRONT_ZONE_ID)
        };
        match own.find(to_distribution) {
            None => 0,
            Some(set) => set.weight.map_or(100, |weight| u8::try_from(weight).unwrap_or(100).min(100)),
        }
    }

    /// The plan, with the cutover leading elsewhere.
    pub fn leading(&self, plan: &Plan, to: &CutoverTarget) -> Plan {
        let mut plan = plan.clone();
        for step in plan.steps.iter_mut().filter(|step| step.id == self.step) {
            if let StepConfig::Cutover(cutover) = &mut step.work {
                cutover.to = to.clone();
            }
        }
        plan
    }
}

/// The shares of a cutover, one after the other.
#[derive(Debug)]
pub struct StepShares(Vec<u8>);

impl StepShares {
    /// Shares that grow, up to all of it.
    ///
    /// # Errors
    /// When they do not.
    pub fn of(percents: &[u8]) -> Result<Self, Failure> {
        let grows = percents.windows(2).all(|pair| pair[0] < pair[1]);
        if grows && percents.last() == Some(&100) {
            return Ok(Self(percents.to_vec()));
        }
        let named: Vec<String> = percents.iter().map(u8::to_string).collect();
        Err(codes::ARGUMENT.refused(
            shown!("--steps {} does not end at 100 %", named.join(",")),
            "write growing percents that end with 100: --steps 1,10,50,100",
        ))
    }

    /// Those that are left when so much leads to the distribution.
    pub fn after(&self, now: u8) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied().filter(move |share| *share > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_up_to_all_and_go_on_from_where_they_stand() {
        let shares = StepShares::of(&[1, 10, 50, 100]).expect("a way");
        assert_eq!(shares.after(0).collect::<Vec<_>>(), [1, 10, 50, 100]);
        assert_eq!(shares.after(10).collect::<Vec<_>>(), [50, 100]);
        assert_eq!(shares.after(100).count(), 0);
        for bad in [&[10, 5, 100][..], &[1, 50], &[], &[10, 10, 100]] {
            assert!(StepShares::of(bad).is_err(), "{bad:?}");
        }
    }
}
