//! References of an earlier state to deleted resources of the plan's other stack.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::workflow::{RunTarget, narrow};
use crate::exit::{Failure, codes};
use crate::resource::{Address, SafeText, shown};

/// Leaves out what refers to a resource of the other stack that is gone, and what needs that: it stays as it is now.
/// Gives the words for each.
///
/// # Errors
/// When a run over both stacks would delete what something that it brings back refers to.
pub fn leave_out(wanted: &mut RunTarget) -> Result<Vec<SafeText>, Failure> {
    let lacking = lacking(wanted);
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
    if let Some((user, need)) = lacking.iter().find(|(_, need)| recorded.resources.contains_key(*need)) {
        return Err(codes::MISSING_NEED.refused(
            shown!("{} as it was then refers to {}, which would go in the same run: nothing was done", user, need),
            "name a revision of each stack at which both were there: --to for the cloud, --devices-to for the devices",
        ));
    }
    let users = desired.with_users(|address| lacking.contains_key(address));
    let said = lacking.iter().map(|(user, need)| {
        shown!(
            "{}: as it was then it refers to {}, which no longer exists: it is skipped and stays as it is now\n  \
             next: restore that first, then run the same command with --to",
            user,
            need
        )
    });
    let others = users.iter().filter(|address| !lacking.contains_key(*address));
    let others = others.map(|address| shown!("{}: it needs what is skipped, and stays as it is now as well", address));
    let said = said.chain(others).collect();
    let without: BTreeSet<Address> = users.into_iter().chain(lacking.keys().cloned()).collect();
    narrow(&mut wanted.scope, &without, desired, recorded);
    Ok(said)
}

/// What refers to a resource of the other stack that neither the run nor the journal of that stack has: each with what it refers to.
fn lacking(wanted: &RunTarget) -> BTreeMap<Address, Address> {
    let desired = &wanted.built.desired.resources;
    let is_there = |need: &Address| desired.contains_key(need) || wanted.recorded.outside.contains_key(need);
    let covered = desired.values().filter(|resource| wanted.scope.covers(&resource.address));
    let lacking = covered.filter_map(|resource| {
        let devices = resource.address.is_of_devices();
        let mut needs = resource.needs.keys().filter(|need| need.is_of_devices() != devices);
        needs.find(|need| !is_there(need)).map(|need| (resource.address.clone(), need.clone()))
    });
    lacking.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Attributes, Desired, Kind, Resource};

    fn at(text: &str) -> Address {
        text.parse().expect("an address")
    }

    /// A file that names a bucket, a service that needs the file, and a file that needs neither.
    fn wanted() -> RunTarget {
        let mut wanted = RunTarget::default();
        wanted.built.desired = Desired::new("s-devices");
        let file = |name: &str, text: &str| {
            let spec = json!({"host": "a", "path": "/x", "content": {"text": text}});
            Resource::new(at(&format!("jetson.file.{name}")), Kind::File, &spec)
        };
        let service = Resource::new(at("jetson.service.a-s"), Kind::Service, &json!({"host": "a", "name": "s"}));
        let service = service.needing(at("jetson.file.a-x"), crate::resource::Level::Usable);
        for resource in [file("a-x", "bucket=${models.bucket.b#name}"), file("a-y", "plain"), service] {
            wanted.built.desired.add(resource);
        }
        wanted
    }

    #[test]
    fn what_refers_to_something_that_is_gone_stays_as_it_is() {
        let mut gone = wanted();
        let said = leave_out(&mut gone).expect("the rest goes back");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("jetson.file.a-x") && said[0].contains("models.bucket.b"), "{said:?}");
        assert_eq!(gone.scope.only, Some(BTreeSet::from([at("jetson.file.a-y")])));

        let mut there = wanted();
        there.recorded.outside.insert(at("models.bucket.b"), Attributes::new());
        assert_eq!((leave_out(&mut there).expect("all of it"), there.scope.only), (Vec::new(), None));
    }
}
