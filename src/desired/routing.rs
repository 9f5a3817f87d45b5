//! Names: zone, load balancers, health checks, record sets, certificates, the cutover.

use std::collections::{BTreeMap, BTreeSet};

use super::{Builder, as_name, distribution};
use crate::plan::routing::{
    CertificatesStep, CutoverTarget, GeoPlan, HealthCheckPlan, LatencyPlan, RecordPlan, RoutingStep,
};
use crate::plan::{Step, Work};
use crate::resource::certificate::CertificateSpec;
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::load_balancer::LoadBalancerSpec;
use crate::resource::records::{Alias, CLOUDFRONT_ZONE_ID, GeoLocation, RecordSet, RecordsSpec, spelling};
use crate::resource::zone::ZoneSpec;
use crate::resource::{Address, Kind, Level, Resource, is_name, link};

fn zone_address() -> Address {
    Address::new("routing", Kind::Zone, "main")
}

fn zone_id() -> String {
    link(&zone_address(), "zone_id")
}

fn group_address(name: &str) -> Address {
    Address::new("routing", Kind::Records, &as_name(name))
}

/// All routing steps in force: what one names, the others may use.
fn steps<'b>(builder: &'b Builder<'_>) -> impl Iterator<Item = &'b RoutingStep> {
    builder
        .plan
        .in_force(builder.requested)
        .filter_map(|step| if let Work::Routing(routing) = &step.work { Some(routing) } else { None })
}

fn zone_name(builder: &Builder<'_>) -> Option<String> {
    steps(builder).find_map(|routing| routing.zone.as_ref()).map(|zone| spelling::name(&zone.name))
}

/// A name below the zone; `@` is the zone. A name that ends with the zone's, or with a dot, is a full one.
fn full_name(builder: &Builder<'_>, name: &str) -> String {
    let is_full = name.ends_with('.');
    let name = spelling::name(name);
    match zone_name(builder) {
        Some(zone) if name == "@" => zone,
        Some(zone) if !is_full && name != zone && !name.ends_with(&format!(".{zone}")) => format!("{name}.{zone}"),
        _ => name,
    }
}

/// Everything that a routing step names.
pub fn routing(builder: &mut Builder<'_>, step: &Step, plan: &RoutingStep) {
    if let Some(zone) = &plan.zone {
        let spec = ZoneSpec { name: spelling::name(&zone.name), comment: zone.comment.clone(), tags: BTreeMap::new() };
        builder.add(step, "zone", Resource::new(zone_address(), Kind::Zone, &spec));
    }
    for (name, balancer) in &plan.load_balancers {
        let address = Address::new("routing", Kind::LoadBalancer, &as_name(name));
        builder.add(step, &format!("load_balancers.{name}"), Resource::new(address, Kind::LoadBalancer, balancer));
    }
    for (name, check) in &plan.health_checks {
        health_check(builder, step, name, check);
    }
    for (name, latency) in &plan.latency {
        let sets = latency_sets(builder, step, name, latency);
        group(builder, step, &format!("latency.{name}"), name, sets);
    }
    for (name, geo) in &plan.geo {
        let sets = geo_sets(builder, step, name, geo);
        group(builder, step, &format!("geo.{name}"), name, sets);
    }
    for (name, records) in &plan.records {
        let sets = records
            .iter()
            .enumerate()
            .map(|(at, record)| written_out(builder, step, &format!("records.{name}.{at}"), record))
            .collect();
        group(builder, step, &format!("records.{name}"), name, sets);
    }
}

fn group(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str, mut sets: Vec<RecordSet>) {
    sets.sort_by_key(RecordSet::key);
    let address = group_address(name);
    if builder.built.desired.resources.contains_key(&address) {
        builder.complain(
            step,
            below,
            format!("there are two groups of record sets {name:?}"),
            "give each its own name",
        );
        return;
    }
    let spec = RecordsSpec { zone_id: zone_id(), sets };
    builder.add(step, below, Resource::new(address, Kind::Records, &spec));
}

fn health_check(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &HealthCheckPlan) {
    let spec = HealthCheckSpec {
        name: format!("{}-{name}", builder.plan.stack),
        protocol: plan.protocol.clone(),
        host: full_name(builder, &plan.host),
        port: plan.port,
        path: plan.path.clone(),
        interval_seconds: plan.interval_seconds,
        failure_threshold: plan.failure_threshold,
        tags: BTreeMap::new(),
    };
    let address = Address::new("routing", Kind::HealthCheck, &as_name(name));
    builder.add(step, &format!("health_checks.{name}"), Resource::new(address, Kind::HealthCheck, &spec));
}

fn balancer(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str) -> Option<(Alias, LoadBalancerSpec)> {
    let found = steps(builder).find_map(|routing| routing.load_balancers.get(name)).cloned();
    let Some(spec) = found else {
        builder.complain(
            step,
            below,
            format!("there is no load balancer {name:?} in the plan"),
            "name one of load_balancers",
        );
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
        let next = "name one of health_checks: AWS answers NoSuchHealthCheck else";
        builder.complain(step, below, format!("there is no health check {name:?} in the plan"), next);
    }
    name.to_owned()
}

fn latency_sets(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &LatencyPlan) -> Vec<RecordSet> {
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
fn geo_sets(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &GeoPlan) -> Vec<RecordSet> {
    let full = full_name(builder, &plan.name);
    let mut sets = Vec::new();
    for (continent, targets) in &plan.continents {
        let below = format!("geo.{name}.continents.{continent}");
        let place = GeoLocation { continent: Some(continent.clone()), country: None, subdivision: None };
        let nested = format!("{}.{full}", as_name(continent));
        sets.push(geo_set(&full, &as_name(continent), place, &nested));
        if targets.is_empty() || targets.len() > 2 {
            let problem = format!("{continent} has {} load balancers", targets.len());
            builder.complain(step, &below, problem, "name a first one and one that takes over: failover knows two");
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

fn written_out(builder: &mut Builder<'_>, step: &Step, below: &str, plan: &RecordPlan) -> RecordSet {
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

fn to_distribution() -> Alias {
    Alias {
        zone_id: CLOUDFRONT_ZONE_ID.to_owned(),
        dns_name: distribution("domain_name"),
        evaluate_target_health: false,
    }
}

/// Certificates and the records that prove them: one group, one transaction, for all certificates of a step.
pub fn certificates(builder: &mut Builder<'_>, step: &Step, plan: &CertificatesStep) {
    let mut proofs = Vec::new();
    for (name, certificate) in &plan.certificates {
        let below = format!("certificates.{name}");
        if !is_name(name) {
            builder.complain(step, &below, format!("{name:?} is no name"), "use lower-case letters, digits and dashes");
            continue;
        }
        let main = spelling::name(&certificate.domain);
        let names = certificate.alternative_names.iter().map(|name| spelling::name(name));
        let alternative_names: BTreeSet<String> = names.filter(|name| *name != main).collect();
        let alternative_names: Vec<String> = alternative_names.into_iter().collect();
        let address = Address::new("routing", Kind::Certificate, name);
        for (at, domain) in std::iter::once(&main).chain(&alternative_names).enumerate() {
            if builder.proven.insert(domain.trim_start_matches("*.").to_owned()) {
                proofs.push(proof(&address, at));
            }
        }
        let spec = CertificateSpec {
            region: certificate.region.clone(),
            domain: main.clone(),
            alternative_names,
            tags: BTreeMap::new(),
        };
        builder.add(step, &below, Resource::new(address, Kind::Certificate, &spec));
    }
    if !proofs.is_empty() {
        group(builder, step, "certificates", &format!("validate-{}", step.id), proofs);
    }
}

/// The record that proves the domain at position `at` of a certificate. One domain has one such record in an account,
/// whatever the region of the certificate.
fn proof(certificate: &Address, at: usize) -> RecordSet {
    RecordSet {
        name: link(certificate, &format!("validation_name_{at}")),
        record_type: "CNAME".into(),
        ttl: Some(300),
        values: vec![link(certificate, &format!("validation_value_{at}"))],
        ..RecordSet::default()
    }
}

/// The cutovers in force take their names out of the geolocation groups, in the same group and so in one transaction.
pub fn cutovers(builder: &mut Builder<'_>) {
    let plan = builder.plan;
    for step in plan.in_force(builder.requested) {
        let Work::Cutover(cutover) = &step.work else { continue };
        let geo = steps(builder).find_map(|routing| routing.geo.get(&cutover.replaces)).cloned();
        let address = group_address(&cutover.replaces);
        let (Some(geo), Some(mut resource)) = (geo, builder.built.desired.resources.remove(&address)) else {
            let problem = format!("there is no geo routing {:?} in the plan", cutover.replaces);
            builder.complain(step, "replaces", problem, "name one of geo in a routing step");
            continue;
        };
        let full = full_name(builder, &geo.name);
        let new = target_sets(builder, step, &full, &cutover.to);
        if let Some(new) = new {
            let mut spec: RecordsSpec =
                resource.typed().unwrap_or(RecordsSpec { zone_id: zone_id(), sets: Vec::new() });
            spec.sets.retain(|set| set.name != full);
            spec.sets.extend(new);
            spec.sets.sort_by_key(RecordSet::key);
            resource = Resource::new(address, Kind::Records, &spec).from_step(&step.id, format!("{}.with", step.path));
            if cutover.to == CutoverTarget::Distribution {
                // A name must not lead to a distribution that is not deployed everywhere.
                resource = resource.needing(Address::new("cdn", Kind::Distribution, "main"), Level::Propagated);
            }
        }
        let address = builder.built.desired.add(resource);
        builder.built.by_step.entry(step.id.clone()).or_default().insert(address);
    }
}

fn target_sets(builder: &mut Builder<'_>, step: &Step, full: &str, to: &CutoverTarget) -> Option<Vec<RecordSet>> {
    let simple = |record_type: &str, alias: Alias| RecordSet {
        name: full.to_owned(),
        record_type: record_type.to_owned(),
        alias: Some(alias),
        ..RecordSet::default()
    };
    match to {
        CutoverTarget::Geo => None,
        CutoverTarget::Distribution => Some(vec![simple("A", to_distribution()), simple("AAAA", to_distribution())]),
        CutoverTarget::Latency(name) => {
            let Some(latency) = steps(builder).find_map(|routing| routing.latency.get(name)).cloned() else {
                builder.complain(
                    step,
                    "to",
                    format!("there is no latency routing {name:?} in the plan"),
                    "name one of latency",
                );
                return None;
            };
            let dns_name = full_name(builder, &latency.name);
            Some(vec![simple("A", Alias { zone_id: zone_id(), dns_name, evaluate_target_health: true })])
        }
    }
}
