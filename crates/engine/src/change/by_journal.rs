//! Changes by plan and journal only, for resources that a run does not read.

use std::collections::BTreeSet;

use super::versions::kept;
use crate::resource::{Address, Desired, ResourceStatus, StackState};

/// What stays outside of a run that works on a part of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideResources {
    /// All of it.
    pub addresses: Vec<Address>,
    /// What of it would change.
    pub would_change: Vec<Address>,
}

impl OutsideResources {
    /// What is not among the `chosen`.
    pub fn of(desired: &Desired, recorded: &StackState, chosen: &BTreeSet<Address>) -> Self {
        let every: BTreeSet<&Address> = desired.resources.keys().chain(recorded.resources.keys()).collect();
        let outside = every.into_iter().filter(|address| !chosen.contains(*address)).cloned();
        let addresses: Vec<Address> = outside.collect();
        let kept = kept(desired, recorded);
        let differs =
            |address: &&Address| !kept.addresses.contains(*address) && would_change(&kept.desired, recorded, address);
        let would_change = addresses.iter().filter(differs);
        let would_change = would_change.cloned().collect();
        Self { addresses, would_change }
    }
}

fn would_change(desired: &Desired, recorded: &StackState, address: &Address) -> bool {
    match (desired.resources.get(address), recorded.resources.get(address)) {
        (Some(resource), _) if resource.kind.facts().lookup => false,
        (Some(resource), Some(record)) => {
            record.standing != ResourceStatus::Present || record.pending.is_some() || record.spec != resource.spec
        }
        (None, Some(record)) => !record.kind.facts().lookup,
        (wanted, None) => wanted.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::{Kind, Resource, ResourceOrigin, ResourceRecord};

    fn record(kind: Kind, spec: Value) -> ResourceRecord {
        ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec,
            attributes: Default::default(),
            needs: Default::default(),
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    #[test]
    fn what_is_left_out_and_what_of_it_would_change() {
        let at = |text: &str| -> Address { text.parse().expect("an address") };
        let mut desired = Desired::new("s");
        let mut state = StackState::empty("s");
        for name in ["chosen", "new", "other", "same"] {
            desired.add(Resource::new(at(&format!("m.bucket.{name}")), Kind::Bucket, &json!({"name": name})));
        }
        desired.add(Resource::new(at("r.load-balancer.seen"), Kind::LoadBalancer, &json!({"region": "x"})));
        for name in ["other", "gone"] {
            state.resources.insert(at(&format!("m.bucket.{name}")), record(Kind::Bucket, json!({"name": "before"})));
        }
        state.resources.insert(at("m.bucket.same"), record(Kind::Bucket, json!({"name": "same"})));
        let chosen = BTreeSet::from([at("m.bucket.chosen")]);
        let outside = OutsideResources::of(&desired, &state, &chosen);
        let names = |all: &[Address]| all.iter().map(|one| one.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&outside.addresses), ["gone", "new", "other", "same", "seen"]);
        assert_eq!(names(&outside.would_change), ["gone", "new", "other"]);
    }

    #[test]
    fn what_an_earlier_run_left_open_would_change() {
        let address = Address::new("m", Kind::Bucket, "b");
        let would_change = |standing: ResourceStatus, pending: Option<Value>| {
            let (mut desired, mut state) = (Desired::new("s"), StackState::empty("s"));
            desired.add(Resource::new(address.clone(), Kind::Bucket, &json!({"name": "b"})));
            let known = ResourceRecord { standing, pending, ..record(Kind::Bucket, json!({"name": "b"})) };
            state.resources.insert(address.clone(), known);
            !OutsideResources::of(&desired, &state, &BTreeSet::new()).would_change.is_empty()
        };
        assert!(!would_change(ResourceStatus::Present, None));
        assert!(would_change(ResourceStatus::Updating, None), "an update was cut off");
        assert!(would_change(ResourceStatus::Present, Some(json!({"name": "b"}))), "an update failed");
    }
}
