//! Rules on record sets with the same name: exclusivity, duplicates, defaults, and failover order.

use std::collections::{BTreeMap, BTreeSet};

use super::route53::sets;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{is_open, whole as reference};
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::zone::ZoneSpec;
use crate::resource::{Address, Kind, counted};

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5201-cname-beside-others",
        "a CNAME is the only set at its name",
        "InvalidChangeBatch: [RRSet of type CNAME with DNS name <name> is not permitted as it conflicts with other records with the same DNS name in zone <zone>]",
        "remove the other sets in the same batch and write alias sets A and AAAA instead of the CNAME",
        cname_beside,
    ),
    error(
        "R5202-cname-at-apex",
        "the zone's own name has no CNAME",
        "InvalidChangeBatch: [RRSet of type CNAME with DNS name <zone> is not permitted at apex in zone <zone>]",
        "write alias sets A and AAAA",
        cname_apex,
    ),
    error(
        "R5203-simple-beside-routed",
        "a name has no simple set next to routed sets",
        "InvalidChangeBatch: [Tried to create resource record set [name='<name>', type='A'] but it cannot be created as other RRSets exist with the same name and type.]",
        "keep either the simple set or the routed ones; going back needs one batch that deletes the one and creates the other",
        simple_beside,
    ),
    error(
        "R5204-mixed-policies",
        "sets of one name and type share one routing policy",
        "InvalidChangeBatch: [Tried to create resource record set but it conflicts with other RRSets of the same name and type that have a different routing policy]",
        "put the second policy under its own name and point an alias to it",
        mixed,
    ),
    error(
        "R5205-same-set-twice",
        "no two sets have the same name, type and set identifier",
        "InvalidChangeBatch: [The request contains an invalid set of changes for a resource record set: duplicate]",
        "give each set its own identifier",
        same_set,
    ),
    error(
        "R5206-same-place-twice",
        "no two sets of one name and type have the same place, region or failover role",
        "InvalidChangeBatch: [Tried to create resource record set but a RRSet with the same geolocation, region or failover already exists]",
        "keep one set per place, per region, per role",
        same_place,
    ),
    warning(
        "R5207-geolocation-default",
        "geolocation has a default set",
        "accepted; clients that Route 53 cannot place, or outside the listed places, get no answer",
        "add a set with country: \"*\"",
        no_default,
    ),
    warning(
        "R5208-geolocation-no-failover",
        "an unhealthy region fails over to another one",
        "accepted; an unhealthy location falls back to a larger location that contains it and finally to the default, never to a sibling continent; when all are unhealthy, all are answered as healthy",
        "nest: let the geolocation set alias <place>.<name>, a failover or latency set over several regions, and the default alias a latency set over all regions, each with evaluate_target_health: true",
        geolocation_trap,
    ),
    error(
        "R5209-set-owned-twice",
        "a record set belongs to one group of records",
        "each run would overwrite what the other group wrote",
        "keep the set in one group; sets of other types or identifiers at its name may be in others",
        owned_twice,
    ),
    warning(
        "R5210-failover-without-health",
        "a failover primary has something that can fail",
        "accepted; a set without a health check counts as healthy, so the secondary is never answered",
        "write health_check_id, or evaluate_target_health: true for an alias",
        failover_health,
    ),
    warning(
        "R5211-failover-pair",
        "a failover name has a primary and a secondary",
        "accepted; without the other half there is nothing to move to or from",
        "add the missing set",
        failover_pair,
    ),
    error(
        "R5212-one-ttl",
        "weighted and multivalue sets of one name and type have one TTL",
        "InvalidChangeBatch: [RRSet with DNS name <name>, type A, SetIdentifier <id> cannot be created as weighted sets must contain the same TTL.]; multivalue sets all get the TTL that was written last",
        "give all sets of the name and type the same ttl",
        one_ttl,
    ),
    error(
        "R5213-multivalue",
        "a multivalue answer has values, and is neither CNAME nor NS",
        "InvalidInput: multivalue answer alias records are not supported (nor CNAME and NS records)",
        "write values, or use weighted sets for an alias",
        multivalue,
    ),
];

/// Sets by name and type, each with its path; none for those of other groups.
type Groups<'s> = BTreeMap<(&'s str, &'s str), Vec<(Option<String>, &'s RecordSet)>>;

/// The groups of the same zone that `which` accepts.
fn others(seen: &Spec<'_>, which: impl Fn(&Address) -> bool) -> Vec<RecordsSpec> {
    let groups = seen.scope.each::<RecordsSpec>(Kind::Records);
    let same_zone = groups.filter(|(other, spec)| *other != seen.address && spec.zone_id == seen.spec.zone_id);
    same_zone.filter(|(other, _)| which(other)).map(|(_, spec)| spec).collect()
}

/// The groups that come before this one: of two that do not go together, the later one is told.
fn earlier(seen: &Spec<'_>) -> Vec<RecordsSpec> {
    others(seen, |other| other < seen.address)
}

/// The sets at this group's names, those of the others first.
fn groups<'s>(spec: &'s RecordsSpec, others: &'s [RecordsSpec]) -> Groups<'s> {
    let names: BTreeSet<&str> = spec.sets.iter().map(|set| set.name.as_str()).collect();
    let theirs = others.iter().flat_map(|other| &other.sets).map(|set| (None, set));
    let mut found = Groups::new();
    for (path, set) in theirs.chain(sets(spec).map(|(path, set)| (Some(path), set))) {
        if !is_open(&set.name) && names.contains(set.name.as_str()) {
            found.entry((&set.name, &set.record_type)).or_default().push((path, set));
        }
    }
    found
}

/// The first of this group's own sets that `fits`, else the first one.
fn own<'h>(held: &'h [(Option<String>, &RecordSet)], fits: impl Fn(&RecordSet) -> bool) -> Option<&'h str> {
    let own = |fits: &dyn Fn(&RecordSet) -> bool| {
        held.iter().find(|(path, set)| path.is_some() && fits(set)).and_then(|(path, _)| path.as_deref())
    };
    own(&fits).or_else(|| own(&|_| true))
}

fn cname_beside(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let others = earlier(seen);
    let all = groups(&seen.spec, &others);
    let cnames = all.keys().filter(|(_, kind)| *kind == "CNAME").map(|(name, _)| *name);
    for name in cnames {
        let at_name = || all.iter().filter(|((other, _), _)| *other == name);
        let beside: Vec<String> = at_name()
            .filter(|((_, kind), _)| *kind != "CNAME")
            .map(|((_, kind), sets)| counted(sets.len(), &format!("{kind} set")))
            .collect();
        let held: Vec<_> = at_name().flat_map(|(_, held)| held.clone()).collect();
        if let Some(path) = own(&held, |set| set.record_type == "CNAME").filter(|_| !beside.is_empty()) {
            notes.add(path, format!("the CNAME {name} is next to {}", beside.join(", ")));
        }
    }
}

fn cname_apex(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((_, zone)) = seen.scope.behind::<ZoneSpec>(Kind::Zone, &seen.spec.zone_id) else { return };
    for (path, set) in sets(&seen.spec) {
        let wrong = set.record_type == "CNAME" && set.name.eq_ignore_ascii_case(&zone.name);
        notes.add_if(wrong, path, || format!("the CNAME is at {}", zone.name));
    }
}

fn simple_beside(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &earlier(seen)) {
        let routed = held.iter().find(|(_, set)| set.policy() != "simple");
        let simple = held.iter().any(|(_, set)| set.policy() == "simple");
        let path = own(&held, |set| set.policy() == "simple");
        if let (Some((_, routed)), true, Some(path)) = (routed, simple, path) {
            let problem = format!("{name} {kind} is simple here and has {} sets as well", routed.policy());
            notes.add(path, problem);
        }
    }
}

fn mixed(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &earlier(seen)) {
        let policies = held.iter().map(|(_, set)| set.policy()).filter(|policy| *policy != "simple");
        let policies: BTreeSet<&str> = policies.collect();
        let last = held.iter().rev().find_map(|(path, _)| path.as_deref());
        if let Some(path) = last.filter(|_| policies.len() > 1) {
            let policies: Vec<&str> = policies.into_iter().collect();
            notes.add(path, format!("{name} {kind} mixes {}", policies.join(" and ")));
        }
    }
}

fn one_ttl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &earlier(seen)) {
        let shared = held.iter().filter(|(_, set)| ["weighted", "multivalue"].contains(&set.policy()));
        let timed: Vec<_> = shared.filter_map(|(path, set)| Some((path.as_deref(), set.ttl?))).collect();
        let Some((_, first)) = timed.first() else { continue };
        let other = timed.iter().find(|(path, ttl)| path.is_some() && ttl != first);
        if let Some((Some(path), ttl)) = other {
            notes.add(format!("{path}.ttl"), format!("{name} {kind} has {first} s in one set and {ttl} s in another"));
        }
    }
}

fn multivalue(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| set.multivalue) {
        notes.add_if(set.alias.is_some(), path.as_str(), || "a multivalue answer is an alias".to_owned());
        let kind = set.record_type.as_str();
        notes.add_if(["CNAME", "NS"].contains(&kind), path.as_str(), || {
            format!("a multivalue answer is of type {kind}")
        });
    }
}

/// The first path whose key was met before, with that key.
fn repeated<K: Ord + Clone>(
    held: &[(Option<String>, &RecordSet)],
    key: impl Fn(&RecordSet) -> Option<K>,
) -> Vec<(String, K)> {
    let mut met = BTreeSet::new();
    let keyed = held.iter().filter_map(|(path, set)| key(set).map(|key| (path.clone(), key)));
    keyed.filter(|(_, key)| !met.insert(key.clone())).filter_map(|(path, key)| Some((path?, key))).collect()
}

fn same_set(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &[]) {
        for (path, id) in repeated(&held, |set| Some(set.set_identifier.clone().unwrap_or_default())) {
            notes.add(path, format!("{name} {kind} `{id}` appears twice"));
        }
    }
}

/// A place in one text, `EU` or `US-CA`.
fn place(set: &RecordSet) -> Option<String> {
    let place = set.geolocation.as_ref()?;
    let parts = [&place.continent, &place.country, &place.subdivision];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    (!parts.is_empty()).then(|| parts.join("-"))
}

fn same_place(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &earlier(seen)) {
        let places = repeated(&held, |set| {
            let field = if set.geolocation.as_ref()?.continent.is_some() { "continent" } else { "country" };
            place(set).map(|place| format!("{field} {place}"))
        });
        let regions = repeated(&held, |set| set.latency_region.as_ref().map(|region| format!("region {region}")));
        let roles = repeated(&held, |set| set.failover.as_ref().map(|role| format!("failover role {role}")));
        for (path, what) in places.into_iter().chain(regions).chain(roles) {
            notes.add(path, format!("{name} {kind} has two sets for {what}"));
        }
    }
}

/// Whether a set is meant for every other place; continent `*` is meant so, too, and has a rule of its own.
fn is_default(set: &RecordSet) -> bool {
    let every = |code: &Option<String>| code.as_deref() == Some("*");
    set.geolocation.as_ref().is_some_and(|place| every(&place.country) || every(&place.continent))
}

/// The sets at this group's names with those of all groups; not where an earlier group holds some: it is told.
fn whole<'s>(spec: &'s RecordsSpec, others: &'s [RecordsSpec], earlier: &[RecordsSpec]) -> Groups<'s> {
    let told: BTreeSet<(&str, &str)> =
        earlier.iter().flat_map(|other| &other.sets).map(|set| (set.name.as_str(), set.record_type.as_str())).collect();
    let mut all = groups(spec, others);
    all.retain(|key, held| !told.contains(key) && held.iter().any(|(path, _)| path.is_some()));
    all
}

fn no_default(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = others(seen, |_| true);
    for ((name, kind), held) in whole(&seen.spec, &all, &earlier(seen)) {
        let routed = held.iter().any(|(_, set)| set.geolocation.is_some());
        let path = own(&held, |set| set.geolocation.is_some());
        if let Some(path) = path.filter(|_| routed && !held.iter().any(|(_, set)| is_default(set))) {
            notes.add(path, format!("{name} {kind} has no default set"));
        }
    }
}

/// The load balancer that a set's alias points to, when it does so without a name between.
fn load_balancer<'s>(seen: &Spec<'_>, set: &'s RecordSet) -> Option<&'s str> {
    let host = set.alias.as_ref()?.dns_name.as_str();
    let kind = reference(host).and_then(|to| seen.scope.at(to.address)).map(|(_, target)| target.kind);
    let named = host.to_ascii_lowercase().ends_with(".elb.amazonaws.com");
    (kind == Some(Kind::LoadBalancer) || named).then_some(host)
}

fn geolocation_trap(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for ((name, kind), held) in groups(&seen.spec, &[]) {
        let default = held.iter().filter(|(_, set)| is_default(set)).find_map(|(_, set)| load_balancer(seen, set));
        let placed = held.iter().filter(|(_, set)| set.geolocation.is_some() && !is_default(set));
        let direct: Vec<_> = placed.filter(|(_, set)| load_balancer(seen, set).is_some()).collect();
        if let (Some(default), Some((Some(path), _))) = (default, direct.first()) {
            let places: Vec<String> = direct.iter().filter_map(|(_, set)| place(set)).collect();
            let problem = format!(
                "{name} {kind}: {} point straight at one load balancer each, and the default at `{default}`",
                places.join(", ")
            );
            notes.add(path.as_str(), problem);
        }
    }
}

fn owned_twice(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let groups = seen.scope.each::<RecordsSpec>(Kind::Records);
    for (other, spec) in groups.filter(|(other, spec)| *other < seen.address && spec.zone_id == seen.spec.zone_id) {
        let theirs: BTreeSet<String> = spec.sets.iter().map(RecordSet::owned_key).collect();
        for (path, set) in sets(&seen.spec).filter(|(_, set)| theirs.contains(&set.owned_key())) {
            notes.add(path, format!("`{other}` holds {}, too", set.owned_key()));
        }
    }
}

fn failover_health(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| set.failover.as_deref() == Some("PRIMARY")) {
        let watched =
            set.health_check_id.is_some() || set.alias.as_ref().is_some_and(|alias| alias.evaluate_target_health);
        notes.add_if(!watched, path, || format!("the primary of {} has no health", set.name));
    }
}

fn failover_pair(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = others(seen, |_| true);
    for ((name, kind), held) in whole(&seen.spec, &all, &earlier(seen)) {
        let roles: BTreeSet<&str> = held.iter().filter_map(|(_, set)| set.failover.as_deref()).collect();
        let only = roles.len() == 1 && roles.iter().all(|role| ["PRIMARY", "SECONDARY"].contains(role));
        if let Some(path) = own(&held, |_| true).filter(|_| only) {
            let role = roles.into_iter().next().unwrap_or_default();
            notes.add(path, format!("{name} {kind} has only {role}"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const GEO: &str = "routing.records.geo";
        const LATENCY: &str = "routing.records.latency";
        const API: &str = "routing.records.api";
        const FAIL: &str = "routing.records.failover";
        const SHIFT: &str = "routing.records.weighted";
        let cname = |name: &str| json!({"name": name, "type": "CNAME", "ttl": 300, "values": ["d1.cloudfront.net"]});
        let direct = |host: &str| json!({"zone_id": format!("${{routing.load-balancer.{host}#zone_id}}"), "dns_name": format!("${{routing.load-balancer.{host}#dns_name}}"), "evaluate_target_health": true});
        let eu = || json!({"name": "origin.akidb.com", "type": "A", "set_identifier": "eu2", "alias": direct("eu")});
        let with = |key: &str, value: serde_json::Value| {
            let mut set = eu();
            set[key] = value;
            set
        };
        vec![
            case("R5201-cname-beside-others").set(API, "/sets/2", cname("api.akidb.com")),
            case("R5202-cname-at-apex").set(API, "/sets/2", cname("akidb.com")),
            case("R5203-simple-beside-routed").push(
                LATENCY,
                "/sets",
                json!({"name": "origin.akidb.com", "type": "A", "ttl": 60, "values": ["192.0.2.1"]}),
            ),
            case("R5204-mixed-policies").push(LATENCY, "/sets", with("weight", json!(1))),
            case("R5205-same-set-twice").set(LATENCY, "/sets/0/set_identifier", json!("us")),
            case("R5206-same-place-twice").push(LATENCY, "/sets", with("latency_region", json!("eu-central-1"))),
            case("R5206-same-place-twice").set(GEO, "/sets/1/geolocation", json!({"continent": "EU"})),
            case("R5206-same-place-twice")
                .set(FAIL, "/sets/1/failover", json!("PRIMARY"))
                .set(FAIL, "/sets/1/alias/evaluate_target_health", json!(true))
                .also("R5211-failover-pair"),
            case("R5207-geolocation-default").set(GEO, "/sets/2/geolocation", json!({"continent": "AF"})),
            case("R5208-geolocation-no-failover").set(GEO, "/sets/0/alias", direct("eu")).set(
                GEO,
                "/sets/2/alias",
                direct("us"),
            ),
            case("R5209-set-owned-twice")
                .set(API, "/sets/2", json!({"name": "two.akidb.com", "type": "A", "ttl": 60, "values": ["192.0.2.1"]}))
                .set(
                    SHIFT,
                    "/sets/0",
                    json!({"name": "two.akidb.com", "type": "A", "ttl": 60, "values": ["192.0.2.2"]}),
                ),
            case("R5210-failover-without-health").set(FAIL, "/sets/0/alias/evaluate_target_health", json!(false)),
            case("R5212-one-ttl").push(SHIFT, "/sets", json!({"name": "shift.akidb.com", "type": "A", "set_identifier": "b", "weight": 1, "ttl": 300, "values": ["192.0.2.2"]})),
            // In another group it is as wrong.
            case("R5212-one-ttl").set(API, "/sets/2", json!({"name": "shift.akidb.com", "type": "A", "set_identifier": "b", "weight": 1, "ttl": 300, "values": ["192.0.2.2"]})),
            case("R5203-simple-beside-routed").set(API, "/sets/2", json!({"name": "shift.akidb.com", "type": "A", "ttl": 60, "values": ["192.0.2.2"]})),
            case("R5201-cname-beside-others").set(API, "/sets/2", json!({"name": "shift.akidb.com", "type": "CNAME", "ttl": 60, "values": ["a.example.com"]})),
            case("R5213-multivalue").set(API, "/sets/2", json!({"name": "m.akidb.com", "type": "CNAME", "set_identifier": "a", "multivalue": true, "ttl": 60, "values": ["a.example.com"]})),
            case("R5211-failover-pair").drop_item(FAIL, "/sets", 1),
        ]
    }
}
