//! What a change must not take from others: from rules that use our role, and from the groups beside ours.

use serde_json::Value;

use crate::resource::moves::{key, owned};
use crate::resource::{Action, Address, Changes, Found, Kind, Remembered, Resource, Risk};

/// A record set of another group of this stack that makes a wanted one impossible: it has the same name, and the same
/// type or one that stands alone. One change batch could turn it over, but each group has its own.
pub(super) fn sibling_in_the_way(
    resource: &Resource,
    found: &Found,
    remembered: &Remembered,
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
        let groups = remembered.resources.iter().filter(|(_, record)| record.kind == Kind::Records);
        let mut others = groups.filter(|(address, _)| **address != resource.address);
        let owner = others.find(|(_, record)| owned(record, resolved).contains(held))?;
        Some((held.to_owned(), owner.0.to_string()))
    })
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
