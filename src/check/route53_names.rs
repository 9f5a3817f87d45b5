//! Rules on what stands together at one name: exclusivity, duplicates, defaults, and who is moved where.

use std::collections::{BTreeMap, BTreeSet};

use super::route53::sets;
use super::rule::{Notes, Rule, Seen, error, warning};
use super::scope::{is_open, whole};
use crate::resource::Kind;
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::zone::ZoneSpec;

type Spec<'a> = Seen<'a, RecordsSpec>;

pub(super) const RULES: &[Rule<RecordsSpec>] = &[
    error(
        "R5201-cname-beside-others",
        "a CNAME stands alone at its name",
        "InvalidChangeBatch: [RRSet of type CNAME with DNS name <name> is not permitted as it conflicts with other records with the same DNS name in zone <zone>]",
        "take the other sets out in the same batch and write alias sets A and AAAA instead of the CNAME",
        cname_beside,
    ),
    error(
        "R5202-cname-at-apex",
        "no CNAME stands at the zone's own name",
        "InvalidChangeBatch: [RRSet of type CNAME with DNS name <zone> is not permitted at apex in zone <zone>]",
        "write alias sets A and AAAA",
        cname_apex,
    ),
    error(
        "R5203-simple-beside-routed",
        "a simple set does not stand beside routed sets",
        "InvalidChangeBatch: [Tried to create resource record set [name='<name>', type='A'] but it cannot be created as other RRSets exist with the same name and type.]",
        "keep either the simple set or the routed ones; going back needs one batch that deletes the one and creates the other",
        simple_beside,
    ),
    error(
        "R5204-mixed-policies",
        "sets of one name and type share one routing policy",
        "InvalidChangeBatch: [Tried to create resource record set but it conflicts with other RRSets of the same name and type that have a different routing policy]",
        "put the second policy under a name of its own and point an alias to it",
        mixed,
    ),
    error(
        "R5205-same-set-twice",
        "no two sets have the same name, type and set identifier",
        "InvalidChangeBatch: [The request contains an invalid set of changes for a resource record set: duplicate]",
        "give each set an identifier of its own",
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
        "a dead region is moved to another one",
        "accepted; an unhealthy place falls to a larger place that holds it and at last to the default, never to a sibling continent; when all are unhealthy, all are answered as healthy",
        "nest: let the geolocation set alias <place>.<name>, a failover or latency set over several regions, and the default alias a latency set over all regions, each with evaluate_target_health: true",
        geolocation_trap,
    ),
    error(
        "R5209-set-owned-twice",
        "a record set belongs to one group of records",
        "each run would write what the other group wrote otherwise",
        "keep the set in one group; sets of other types or identifiers at its name may stand in others",
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
];

/// Sets by name and type, each with its path.
type Groups<'s> = BTreeMap<(&'s str, &'s str), Vec<(String, &'s RecordSet)>>;

fn groups(spec: &RecordsSpec) -> Groups<'_> {
    let mut found = Groups::new();
    for (path, set) in sets(spec).filter(|(_, set)| !is_open(&set.name)) {
        found.entry((&set.name, &set.record_type)).or_default().push((path, set));
    }
    found
}

fn cname_beside(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    let all = groups(&seen.spec);
    for ((name, _), held) in all.iter().filter(|((_, kind), _)| *kind == "CNAME") {
        let others: Vec<String> = all
            .iter()
            .filter(|((other, kind), _)| other == name && *kind != "CNAME")
            .map(|((_, kind), sets)| format!("{} {kind}", sets.len()))
            .collect();
        if let Some((path, _)) = held.first().filter(|_| !others.is_empty()) {
            notes.add(path.as_str(), format!("the CNAME {name} stands beside {} set(s)", others.join(", ")));
        }
    }
}

fn cname_apex(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    let Some((_, zone)) = seen.scope.behind::<ZoneSpec>(Kind::Zone, &seen.spec.zone_id) else { return };
    for (path, set) in sets(&seen.spec) {
        let wrong = set.record_type == "CNAME" && set.name.eq_ignore_ascii_case(&zone.name);
        notes.add_if(wrong, path, || format!("the CNAME stands at {}", zone.name));
    }
}

fn simple_beside(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        let routed = held.iter().find(|(_, set)| set.policy() != "simple");
        let simple = held.iter().find(|(_, set)| set.policy() == "simple");
        if let (Some((_, routed)), Some((path, _))) = (routed, simple) {
            let problem = format!("{name} {kind} is simple here and has {} sets as well", routed.policy());
            notes.add(path.as_str(), problem);
        }
    }
}

fn mixed(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        let policies = held.iter().map(|(_, set)| set.policy()).filter(|policy| *policy != "simple");
        let policies: BTreeSet<&str> = policies.collect();
        if let Some((path, _)) = held.last().filter(|_| policies.len() > 1) {
            let policies: Vec<&str> = policies.into_iter().collect();
            notes.add(path.as_str(), format!("{name} {kind} mixes {}", policies.join(" and ")));
        }
    }
}

/// The first path whose key was met before, with that key.
fn repeated<K: Ord + Clone>(held: &[(String, &RecordSet)], key: impl Fn(&RecordSet) -> Option<K>) -> Vec<(String, K)> {
    let mut met = BTreeSet::new();
    let keyed = held.iter().filter_map(|(path, set)| key(set).map(|key| (path.clone(), key)));
    keyed.filter(|(_, key)| !met.insert(key.clone())).collect()
}

fn same_set(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        for (path, id) in repeated(&held, |set| Some(set.set_identifier.clone().unwrap_or_default())) {
            notes.add(path, format!("{name} {kind} `{id}` stands twice"));
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

fn same_place(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
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

fn no_default(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        let routed = held.iter().find(|(_, set)| set.geolocation.is_some());
        if let Some((path, _)) = routed.filter(|_| !held.iter().any(|(_, set)| is_default(set))) {
            notes.add(path.as_str(), format!("{name} {kind} has no default set"));
        }
    }
}

/// The load balancer that a set's alias points to, when it does so without a name between.
fn load_balancer<'s>(seen: &Spec<'_>, set: &'s RecordSet) -> Option<&'s str> {
    let host = set.alias.as_ref()?.dns_name.as_str();
    let kind = whole(host).and_then(|to| seen.scope.at(to.address)).map(|(_, target)| target.kind);
    (kind == Some(Kind::LoadBalancer) || host.ends_with(".elb.amazonaws.com")).then_some(host)
}

fn geolocation_trap(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        let default = held.iter().filter(|(_, set)| is_default(set)).find_map(|(_, set)| load_balancer(seen, set));
        let placed = held.iter().filter(|(_, set)| set.geolocation.is_some() && !is_default(set));
        let direct: Vec<_> = placed.filter(|(_, set)| load_balancer(seen, set).is_some()).collect();
        if let (Some(default), Some((path, _))) = (default, direct.first()) {
            let places: Vec<String> = direct.iter().filter_map(|(_, set)| place(set)).collect();
            let problem = format!(
                "{name} {kind}: {} point straight at one load balancer each, and the default at `{default}`",
                places.join(", ")
            );
            notes.add(path.as_str(), problem);
        }
    }
}

fn owned_twice(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    let groups = seen.scope.each::<RecordsSpec>(Kind::Records);
    for (other, spec) in groups.filter(|(other, spec)| *other < seen.address && spec.zone_id == seen.spec.zone_id) {
        let theirs: BTreeSet<String> = spec.sets.iter().map(RecordSet::owned_key).collect();
        for (path, set) in sets(&seen.spec).filter(|(_, set)| theirs.contains(&set.owned_key())) {
            notes.add(path, format!("`{other}` holds {}, too", set.owned_key()));
        }
    }
}

fn failover_health(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| set.failover.as_deref() == Some("PRIMARY")) {
        let watched =
            set.health_check_id.is_some() || set.alias.as_ref().is_some_and(|alias| alias.evaluate_target_health);
        notes.add_if(!watched, path, || format!("the primary of {} has no health", set.name));
    }
}

fn failover_pair(seen: &Spec<'_>, notes: &mut Notes<'_>) {
    for ((name, kind), held) in groups(&seen.spec) {
        let roles: BTreeSet<&str> = held.iter().filter_map(|(_, set)| set.failover.as_deref()).collect();
        let only = roles.len() == 1 && roles.iter().all(|role| ["PRIMARY", "SECONDARY"].contains(role));
        if let Some((path, _)) = held.first().filter(|_| only) {
            let role = roles.into_iter().next().unwrap_or_default();
            notes.add(path.as_str(), format!("{name} {kind} has only {role}"));
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
            case("R5211-failover-pair").drop_item(FAIL, "/sets", 1),
        ]
    }
}
