//! Rules on aliases to names of the same zone: they point to a record of the same type and do not form loops.

use std::collections::{BTreeMap, BTreeSet};

use super::route53::sets;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::Kind;
use crate::resource::records::{RecordSet, RecordsSpec, canonical};
use crate::resource::zone::ZoneSpec;

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5501-alias-to-nothing",
        "an alias to a name of the zone targets a record set of the plan",
        "InvalidChangeBatch: [Tried to create an alias that targets <name>, type A in zone <zone>, but that target was not found]",
        "add the record set that it targets, or write the name of an existing one",
        to_nothing,
    ),
    error(
        "R5502-alias-type",
        "an alias to a name of the zone targets a record set of the same type",
        "InvalidChangeBatch: [Tried to create an alias that targets <name>, type A in zone <zone>, but that target was not found]",
        "give both the same type; an alias of type AAAA needs a target set of type AAAA",
        other_type,
    ),
    error(
        "R5503-alias-loop",
        "aliases are not circular",
        "InvalidChangeBatch: [Tried to create an alias that targets <name>, but that target was not found] (or a loop that no resolver can answer)",
        "point the last alias of the chain at a record set with values, or at a load balancer or distribution",
        ring,
    ),
];

/// Name and type of what an alias of the same zone leads to.
fn target(spec: &RecordsSpec, set: &RecordSet) -> Option<(String, String)> {
    let alias = set.alias.as_ref().filter(|alias| alias.zone_id == spec.zone_id && !is_open(&alias.dns_name))?;
    Some((canonical::name(&alias.dns_name), set.record_type.clone()))
}

/// Name and type of every set of the zone, with what its aliases lead to.
fn of_zone(seen: &Spec<'_>) -> BTreeMap<(String, String), BTreeSet<(String, String)>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let groups = seen.scope.each::<RecordsSpec>(Kind::Records).filter(|(_, spec)| spec.zone_id == seen.spec.zone_id);
    for (_, spec) in groups {
        for set in &spec.sets {
            let key = (canonical::name(&set.name), set.record_type.clone());
            all.entry(key).or_default().extend(target(&spec, set));
        }
    }
    all
}

/// The aliases of the group to names of its zone: path, set, target.
fn aliases<'s>(seen: &'s Spec<'_>) -> impl Iterator<Item = (String, &'s RecordSet, (String, String))> {
    let spec = &seen.spec;
    sets(spec).filter_map(move |(path, set)| Some((format!("{path}.alias.dns_name"), set, target(spec, set)?)))
}

/// Whether the name may be one of the zone: a wildcard of the zone answers for names that stand nowhere.
fn is_unknown(seen: &Spec<'_>, all: &BTreeMap<(String, String), BTreeSet<(String, String)>>, name: &str) -> bool {
    let zone = seen.scope.behind::<ZoneSpec>(Kind::Zone, &seen.spec.zone_id);
    let outside = zone.is_some_and(|(_, zone)| !is_below(name, &canonical::name(&zone.name)));
    let parents = name.match_indices('.').map(|(at, _)| format!("*{}", &name[at..]));
    let names: BTreeSet<&str> = all.keys().map(|(name, _)| name.as_str()).collect();
    !outside && !names.contains(name) && !parents.into_iter().any(|wildcard| names.contains(wildcard.as_str()))
}

fn is_below(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|head| head.ends_with('.'))
}

fn to_nothing(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = of_zone(seen);
    for (path, _, (name, _)) in aliases(seen) {
        notes.add_if(is_unknown(seen, &all, &name), path, || format!("no record set of the plan is named {name}"));
    }
}

fn other_type(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = of_zone(seen);
    for (path, _, (name, wanted)) in aliases(seen) {
        let types: Vec<&str> = all.keys().filter(|(held, _)| *held == name).map(|(_, kind)| kind.as_str()).collect();
        let wrong = !types.is_empty() && !types.contains(&wanted.as_str());
        notes.add_if(wrong, path, || format!("{name} has {} and no {wanted}", types.join(", ")));
    }
}

fn ring(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = of_zone(seen);
    for (path, set, first) in aliases(seen) {
        let start = (canonical::name(&set.name), set.record_type.clone());
        let (mut met, mut open) = (BTreeSet::new(), vec![first]);
        while let Some(next) = open.pop() {
            if met.insert(next.clone()) {
                open.extend(all.get(&next).into_iter().flatten().cloned());
            }
        }
        notes.add_if(met.contains(&start), path, || format!("the alias {} is circular", start.0));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const API: &str = "routing.records.api";
        let alias = |name: &str, kind: &str, to: &str| -> Value {
            json!({"name": name, "type": kind, "alias": {"zone_id": "${routing.zone.main#zone_id}", "dns_name": to,
                "evaluate_target_health": false}})
        };
        vec![
            case("R5501-alias-to-nothing").set(API, "/sets/2", alias("a.akidb.com", "A", "b.akidb.com")),
            case("R5502-alias-type").set(API, "/sets/2", alias("a.akidb.com", "AAAA", "shift.akidb.com")),
            case("R5503-alias-loop").set(API, "/sets/2", alias("a.akidb.com", "A", "A.akidb.com.")),
            case("R5503-alias-loop").push(API, "/sets", alias("a.akidb.com", "A", "b.akidb.com")).push(
                API,
                "/sets",
                alias("b.akidb.com", "A", "a.akidb.com"),
            ),
        ]
    }
}
