//! Dependencies of others that a change must not break: rules that use our role, and neighboring groups.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::{PlanningRefusal, wanted_twice};
use crate::resource::moves::{key, owned};
use crate::resource::{Action, Address, Changes, Desired, Kind, ObservedResource, Resource, Risk, StackState};

/// A record set of another group of this stack that makes a wanted one impossible: it has the same name, and the same
/// type or one that stands alone. One change batch could turn it over, but each group has its own.
pub(super) fn sibling_in_the_way(
    resource: &Resource,
    found: &ObservedResource,
    recorded: &StackState,
    resolved: &dyn Fn(&Value) -> Value,
) -> Option<(String, String)> {
    if resource.kind != Kind::Records {
        return None;
    }
    let wanted = resolved(&resource.spec);
    let wanted: Vec<String> = wanted.get("sets")?.as_array()?.iter().filter_map(key).collect();
    let clashes = |held: &str| {
        let mut held = held.split(' ');
        let (name, record_type) = (held.next(), held.next());
        wanted.iter().any(|key| {
            let mut parts = key.split(' ');
            let same_name = parts.next() == name;
            let other_type = parts.next();
            same_name && (other_type == record_type || [other_type, record_type].contains(&Some("CNAME")))
        })
    };
    let extras = found.extras.iter().filter_map(|extra| extra.path.strip_prefix("sets."));
    extras.filter(|held| clashes(held)).find_map(|held| {
        let groups = recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Records);
        let mut others = groups.filter(|(address, _)| **address != resource.address);
        let owner = others.find(|(_, record)| owned(record, resolved).contains(held))?;
        Some((held.to_owned(), owner.0.to_string()))
    })
}

/// Record sets that two groups of the plan want, now that it is known that their zones are the same: each run would turn
/// them over.
pub(super) fn sets_wanted_twice(desired: &Desired, resolved: &dyn Fn(&Value) -> Value) -> Vec<PlanningRefusal> {
    let mut owners: BTreeMap<(String, String), &Address> = BTreeMap::new();
    let mut refused = Vec::new();
    for resource in desired.resources.values().filter(|resource| resource.kind == Kind::Records) {
        let spec = resolved(&resource.spec);
        let Some(zone) = spec.get("zone_id").and_then(Value::as_str).filter(|zone| !zone.contains("${")) else {
            continue;
        };
        for key in spec.get("sets").and_then(Value::as_array).into_iter().flatten().filter_map(key) {
            match owners.get(&(zone.to_owned(), key.clone())) {
                Some(other) if **other != resource.address => refused.push(wanted_twice(resource, &key, other)),
                _ => drop(owners.insert((zone.to_owned(), key), &resource.address)),
            }
        }
    }
    refused
}

/// Replication rules that others added use the role of the bucket's configuration: it stays with them.
pub(super) fn keep_roles_of_others(changes: &mut Changes) {
    let rules = changes.items.values().filter(|change| {
        let others = change
            .found
            .iter()
            .flat_map(|found| &found.extras)
            .any(|extra| extra.theirs && extra.path.starts_with("rules."));
        change.kind == Kind::Replication && change.action == Action::Delete && others
    });
    let roles: Vec<Address> =
        rules.flat_map(|rule| rule.before.iter().flat_map(|record| record.needs.keys().cloned())).collect();
    for role in roles {
        if let Some(change) = changes.items.get_mut(&role)
            && change.kind == Kind::Role
            && change.action == Action::Delete
        {
            (change.action, change.risk) = (Action::Forget, Risk::Safe);
            change.reason = Some("replication rules of others use it: it stays".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Place, at, found, kind, record};
    use super::*;
    use crate::resource::{Owner, UnmanagedField};

    const OWN: &str = "r.records.own";
    const OTHER: &str = "r.records.other";

    fn set(key: &str) -> Value {
        let (name, record_type) = key.split_once(' ').expect("a name and a type");
        json!({"name": name, "type": record_type, "ttl": 60, "values": ["192.0.2.1"]})
    }

    /// The group `own` wants one set; the zone has another one, which the group `other` made and the plan still has.
    fn beside(wanted: &str, held: &str) -> Place {
        let group = |key: &str| json!({"zone_id": "Z1", "sets": [set(key)]});
        let mut place = Place::new();
        for (address, key) in [(OWN, wanted), (OTHER, held)] {
            place = place.want(address, group(key)).know(address, record(address, Some("Z1/g"), group(key)));
        }
        // Something else whose settings read like those of a group.
        place = place.know("m.bucket.b", record("m.bucket.b", Some("b"), group(held)));
        let extras = vec![UnmanagedField { path: format!("sets.{held}"), value: json!({}), theirs: true }];
        let owner = Owner::Foreign("it has another type".to_owned());
        place
            .see(OWN, ObservedResource { extras, owner, ..found("Z1/own", json!({"zone_id": "Z1", "sets": []})) })
            .see(OTHER, found("Z1/other", group(held)))
    }

    #[test]
    fn a_set_of_another_group_that_cannot_stand_beside_a_wanted_one_is_refused_with_both_groups() {
        assert_eq!(kind(OWN), Kind::Records);
        for (wanted, held) in [("www CNAME", "www A"), ("www A", "www CNAME"), ("www A", "www A")] {
            let mut place = beside(wanted, held);
            if wanted == held {
                // The other group gives it up in this run.
                place.desired.resources.remove(&at(OTHER));
            }
            let refused = place.refused();
            let told: Vec<&str> = refused.iter().map(|one| one.address.as_str()).collect();
            assert_eq!(told, [OWN], "{wanted} beside {held}");
            let problem =
                format!("the record sets of www are split between this group and r.records.other ({held}), and");
            assert!(refused[0].problem.starts_with(&problem), "{}", refused[0].problem);
            assert!(refused[0].next_step.contains("into one group"), "{}", refused[0].next_step);
        }
    }

    #[test]
    fn sets_of_another_group_that_can_stand_beside_a_wanted_one_are_not_in_the_way() {
        for (wanted, held) in [("www A", "www TXT"), ("www A", "api A"), ("www CNAME", "api A"), ("www A", "api CNAME")]
        {
            assert_eq!(beside(wanted, held).changes().items.len(), 3, "{wanted} beside {held}");
        }
    }

    #[test]
    fn a_set_that_one_group_names_twice_is_not_wanted_by_two_groups() {
        let mut desired = Desired::new("s");
        let spec = json!({"zone_id": "Z1", "sets": [set("www A"), set("www A")]});
        desired.add(Resource::new(at(OWN), Kind::Records, &spec));
        assert!(sets_wanted_twice(&desired, &Value::clone).is_empty());
    }

    #[test]
    fn a_record_set_that_two_groups_want_in_one_zone_is_refused() {
        let mut desired = Desired::new("s");
        for (group, zone, name) in
            [("g", "Z1", "www"), ("h", "${routing.zone.main#zone_id}", "WWW"), ("i", "Z1", "api")]
        {
            let set = json!({"name": format!("{name}.example.net"), "type": "A", "ttl": 60, "values": ["192.0.2.1"]});
            let address = Address::new("routing", Kind::Records, group);
            desired.add(Resource::new(address, Kind::Records, &json!({"zone_id": zone, "sets": [set]})));
        }
        assert!(sets_wanted_twice(&desired, &Value::clone).is_empty(), "the second zone is not known yet");
        let resolved = |spec: &Value| {
            crate::resource::resolve(spec, &|_, attribute| (attribute == "zone_id").then(|| "Z1".into()))
        };
        let refused = sets_wanted_twice(&desired, &resolved);
        let told: Vec<&str> = refused.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(told, ["routing.records.h"]);
    }
}
