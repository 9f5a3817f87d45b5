//! Groups of record sets: written out, by latency, by geolocation; and what comes after what among them.

use std::collections::BTreeSet;

use super::routing::{full_name, group_address, steps, zone_id};
use super::{Builder, as_name, distribution};
use crate::plan::routing::{GeoPlan, LatencyPlan, RecordPlan};
use crate::plan::{Step, rules};
use crate::resource::load_balancer::LoadBalancerSpec;
use crate::resource::records::{Alias, CLOUDFRONT_ZONE_ID, GeoLocation, RecordSet, RecordsSpec, canonical};
use crate::resource::{Address, Kind, Level, Resource, link};

/// Sets that are at one place of a step.
pub(super) fn at(below: &str, sets: Vec<RecordSet>) -> Vec<(String, RecordSet)> {
    sets.into_iter().map(|set| (below.to_owned(), set)).collect()
}

/// A group of sets, each with its place below the step's `with`.
pub(super) fn group(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str, placed: Vec<(String, RecordSet)>) {
    let address = group_address(name);
    if builder.built.desired.resources.contains_key(&address) {
        builder.complain_of(
            rules::SAME_ADDRESS,
            step,
            below,
            format!("duplicate group of record sets {name:?}"),
            "give each its own name",
        );
        return;
    }
    let places = builder.built.record_places.entry(address.clone()).or_default();
    for (below, set) in &placed {
        places.entry(set.owned_key()).or_default().push(format!("{}.with.{below}", step.path));
    }
    let mut sets: Vec<RecordSet> = placed.into_iter().map(|(_, set)| set).collect();
    sets.sort_by_key(RecordSet::key);
    let spec = RecordsSpec { zone_id: zone_id(), sets };
    builder.add(step, below, Resource::new(address, Kind::Records, &spec));
}

/// Route 53 refuses an alias whose target is not there: a group comes after those that hold what its aliases lead to,
/// unless these lead back to it.
pub(super) fn order_groups(builder: &mut Builder<'_>) {
    let resources = &builder.built.desired.resources;
    let groups: Vec<(Address, RecordsSpec)> = resources
        .values()
        .filter(|resource| resource.kind == Kind::Records)
        .filter_map(|resource| Some((resource.address.clone(), resource.typed()?)))
        .collect();
    for (address, spec) in &groups {
        let targets: BTreeSet<String> = spec
            .sets
            .iter()
            .filter_map(|set| set.alias.as_ref().filter(|alias| alias.zone_id == spec.zone_id))
            .map(|alias| canonical::name(&alias.dns_name))
            .collect();
        let leads_to = |other: &&(Address, RecordsSpec)| other.1.sets.iter().any(|set| targets.contains(&set.name));
        for (other, _) in groups.iter().filter(|(other, _)| other != address).filter(leads_to) {
            if !needs(builder, other, address)
                && let Some(resource) = builder.built.desired.resources.get_mut(address)
            {
                resource.needs.entry(other.clone()).or_insert(Level::Usable);
            }
        }
    }
}

/// Whether one resource needs another, directly or through others.
fn needs(builder: &Builder<'_>, one: &Address, other: &Address) -> bool {
    let (mut met, mut open) = (BTreeSet::new(), vec![one]);
    while let Some(address) = open.pop() {
        let Some(resource) = builder.built.desired.resources.get(address).filter(|_| met.insert(address)) else {
            continue;
        };
        if resource.needs.contains_key(other) {
            return true;
        }
        open.extend(resource.needs.keys());
    }
    false
}

fn balancer(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str) -> Option<(Alias, LoadBalancerSpec)> {
    let found = steps(builder).find_map(|routing| routing.load_balancers.get(name)).cloned();
    let Some(spec) = found else {
        builder.unknown(step, below, format!("the plan has no load balancer {name:?}"), "name one of load_balancers");
        return None;
    };
    let address = Address::new("routing", Kind::LoadBalancer, &as_name(name));
    let alias = Alias {
        zone_id: link(&address, "zone_id"),
        dns_name: link(&address, "dns_name"),
        evaluate_target_health: true,
    };
    Some((alias, spec))
}

fn check_id(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str) -> String {
    if steps(builder).any(|routing| routing.health_checks.contains_key(name)) {
        return link(&Address::new("routing", Kind::HealthCheck, &as_name(name)), "id");
    }
    if !name.contains('-') || name.len() < 30 {
        let next = "use one of health_checks: otherwise AWS answers NoSuchHealthCheck";
        builder.unknown(step, below, format!("the plan has no health check {name:?}"), next);
    }
    name.to_owned()
}

pub(super) fn latency_sets(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &LatencyPlan) -> Vec<RecordSet> {
    let full = full_name(builder, &plan.name);
    let below = format!("latency.{name}.targets");
    let mut sets = Vec::new();
    for target in &plan.targets {
        let Some((alias, spec)) = balancer(builder, step, &below, target) else { continue };
        let check = plan.health_checks.get(target).cloned();
        let check =
            check.map(|check| check_id(builder, step, &format!("latency.{name}.health_checks.{target}"), &check));
        sets.push(latency_set(&full, target, alias.clone(), &spec.region, check));
        if let Some(prefix) = &plan.regional_prefix {
            let name = full_name(builder, &format!("{prefix}{target}"));
            sets.push(RecordSet { name, record_type: "A".into(), alias: Some(alias), ..RecordSet::default() });
        }
    }
    sets
}

fn latency_set(name: &str, target: &str, alias: Alias, region: &str, check: Option<String>) -> RecordSet {
    RecordSet {
        name: name.to_owned(),
        record_type: "A".into(),
        set_identifier: Some(target.to_owned()),
        alias: Some(alias),
        latency_region: Some(region.to_owned()),
        health_check_id: check,
        ..RecordSet::default()
    }
}

/// Geolocation over failover: a place leads to a name of its own, under which the first region answers while it is
/// healthy and the second one else. Everywhere else leads to a latency set over all.
pub(super) fn geo_sets(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &GeoPlan) -> Vec<RecordSet> {
    let full = full_name(builder, &plan.name);
    let mut sets = Vec::new();
    for (continent, targets) in &plan.continents {
        let below = format!("geo.{name}.continents.{continent}");
        let place = GeoLocation { continent: Some(continent.clone()), country: None, subdivision: None };
        let nested = format!("{}.{full}", as_name(continent));
        sets.push(geo_set(&full, &as_name(continent), place, &nested));
        if targets.is_empty() || targets.len() > 2 {
            let problem = format!("{continent} has {} load balancers", targets.len());
            builder.complain(step, &below, problem, "name a primary and a secondary: failover takes two");
        }
        for (target, role) in targets.iter().zip(["PRIMARY", "SECONDARY"]) {
            let Some((alias, _)) = balancer(builder, step, &below, target) else { continue };
            let check = plan.health_checks.get(target).cloned();
            let check =
                check.map(|check| check_id(builder, step, &format!("geo.{name}.health_checks.{target}"), &check));
            sets.push(RecordSet {
                name: nested.clone(),
                record_type: "A".into(),
                set_identifier: Some(format!("{}-{target}", role.to_lowercase())),
                alias: Some(alias),
                failover: Some(role.into()),
                health_check_id: check,
                ..RecordSet::default()
            });
        }
    }
    let below = format!("geo.{name}.default");
    let nested = format!("any.{full}");
    let everywhere = GeoLocation { continent: None, country: Some("*".into()), subdivision: None };
    sets.push(geo_set(&full, "default", everywhere, &nested));
    for target in &plan.default {
        let Some((alias, spec)) = balancer(builder, step, &below, target) else { continue };
        let check = plan.health_checks.get(target).cloned();
        let check = check.map(|check| check_id(builder, step, &format!("geo.{name}.health_checks.{target}"), &check));
        sets.push(latency_set(&nested, target, alias, &spec.region, check));
    }
    sets
}

fn geo_set(name: &str, identifier: &str, place: GeoLocation, target: &str) -> RecordSet {
    RecordSet {
        name: name.to_owned(),
        record_type: "A".into(),
        set_identifier: Some(identifier.to_owned()),
        alias: Some(Alias { zone_id: zone_id(), dns_name: target.to_owned(), evaluate_target_health: true }),
        geolocation: Some(place),
        ..RecordSet::default()
    }
}

pub(super) fn written_out(builder: &mut Builder<'_>, step: &Step, below: &str, plan: &RecordPlan) -> RecordSet {
    let health = plan.evaluate_target_health;
    let mut alias = plan.alias.clone();
    if let Some(name) = &plan.load_balancer {
        alias = balancer(builder, step, below, name).map(|(alias, _)| alias);
    }
    if let Some(name) = &plan.same_zone {
        let dns_name = full_name(builder, name);
        alias = Some(Alias { zone_id: zone_id(), dns_name, evaluate_target_health: true });
    }
    if plan.distribution {
        alias = Some(to_distribution());
    }
    if let (Some(alias), Some(health)) = (&mut alias, health) {
        alias.evaluate_target_health = health;
    }
    let check = plan.health_check.clone();
    let set = RecordSet {
        name: full_name(builder, &plan.name),
        record_type: plan.record_type.clone(),
        set_identifier: plan.set_identifier.clone(),
        ttl: plan.ttl,
        values: plan.values.clone(),
        alias,
        geolocation: plan.geolocation.clone(),
        latency_region: plan.latency_region.clone(),
        failover: plan.failover.clone(),
        weight: plan.weight,
        multivalue: plan.multivalue,
        health_check_id: check.map(|check| check_id(builder, step, below, &check)),
    };
    set.spelled()
}

pub(super) fn to_distribution() -> Alias {
    Alias {
        zone_id: CLOUDFRONT_ZONE_ID.to_owned(),
        dns_name: distribution("domain_name"),
        evaluate_target_health: false,
    }
}
