//! Names: zone, load balancers, health checks, record sets, certificates, the cutover.

use std::collections::BTreeSet;

use super::record_groups::{at, geo_sets, group, latency_sets, to_distribution, written_out};
use super::{Builder, as_name};
use crate::plan::routing::{CertificatesStep, CutoverTarget, HealthCheckPlan, RoutingStep};
use crate::plan::{Step, StepConfig, rules};
use crate::resource::certificate::CertificateSpec;
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::records::{Alias, RecordSet, RecordsSpec, canonical};
use crate::resource::zone::ZoneSpec;
use crate::resource::{Address, Kind, Level, Resource, is_name, link};

fn zone_address() -> Address {
    Address::new("routing", Kind::Zone, "main")
}

pub(super) fn zone_id() -> String {
    link(&zone_address(), "zone_id")
}

pub(super) fn group_address(name: &str) -> Address {
    Address::new("routing", Kind::Records, &as_name(name))
}

/// All routing steps in force: what one names, the others may use.
pub(super) fn steps<'b>(builder: &'b Builder<'_>) -> impl Iterator<Item = &'b RoutingStep> {
    builder
        .plan
        .in_force(builder.requested)
        .filter_map(|step| if let StepConfig::Routing(routing) = &step.work { Some(routing) } else { None })
}

fn zone_name(builder: &Builder<'_>) -> Option<String> {
    steps(builder).find_map(|routing| routing.zone.as_ref()).map(|zone| canonical::name(&zone.name))
}

/// A name below the zone; `@` is the zone. A name that ends with the zone's, or with a dot, is a full one.
pub(super) fn full_name(builder: &Builder<'_>, name: &str) -> String {
    let is_full = name.ends_with('.');
    let name = canonical::name(name);
    match zone_name(builder) {
        Some(zone) if name == "@" => zone,
        Some(zone) if !is_full && name != zone && !name.ends_with(&format!(".{zone}")) => format!("{name}.{zone}"),
        _ => name,
    }
}

/// Everything that a routing step names.
pub fn routing(builder: &mut Builder<'_>, step: &Step, plan: &RoutingStep) {
    if let Some(zone) = &plan.zone {
        let spec =
            ZoneSpec { name: canonical::name(&zone.name), comment: zone.comment.clone(), tags: zone.tags.clone() };
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
        let below = format!("latency.{name}");
        let sets = latency_sets(builder, step, name, latency);
        group(builder, step, &below, name, at(&below, sets));
    }
    for (name, geo) in &plan.geo {
        let below = format!("geo.{name}");
        let sets = geo_sets(builder, step, name, geo);
        group(builder, step, &below, name, at(&below, sets));
    }
    for (name, records) in &plan.records {
        let sets = records
            .iter()
            .enumerate()
            .map(|(at, record)| {
                let below = format!("records.{name}.{at}");
                let set = written_out(builder, step, &below, record);
                (below, set)
            })
            .collect();
        group(builder, step, &format!("records.{name}"), name, sets);
    }
}

fn health_check(builder: &mut Builder<'_>, step: &Step, name: &str, plan: &HealthCheckPlan) {
    let spec = HealthCheckSpec {
        name: format!("{}-{name}", builder.plan.stack),
        protocol: if plan.search_string.is_some() {
            format!("{}_STR_MATCH", plan.protocol)
        } else {
            plan.protocol.clone()
        },
        host: full_name(builder, &plan.host),
        port: plan.port,
        path: plan.path.clone(),
        interval_seconds: plan.interval_seconds,
        failure_threshold: plan.failure_threshold,
        search_string: plan.search_string.clone(),
        inverted: plan.inverted,
        disabled: plan.disabled,
        regions: plan.regions.clone(),
        tags: plan.tags.clone(),
    };
    let address = Address::new("routing", Kind::HealthCheck, &as_name(name));
    builder.add(step, &format!("health_checks.{name}"), Resource::new(address, Kind::HealthCheck, &spec));
}

/// Certificates and the records that prove them: one group, one transaction, for all certificates of a step.
pub fn certificates(builder: &mut Builder<'_>, step: &Step, plan: &CertificatesStep) {
    let mut proofs = Vec::new();
    for (name, certificate) in &plan.certificates {
        let below = format!("certificates.{name}");
        if !is_name(name) {
            builder.complain_of(
                rules::NAME,
                step,
                &below,
                format!("invalid name {name:?}"),
                "use lower-case letters, digits and dashes",
            );
            continue;
        }
        let main = canonical::name(&certificate.domain);
        let names = certificate.alternative_names.iter().map(|name| canonical::name(name));
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
            tags: certificate.tags.clone(),
        };
        builder.add(step, &below, Resource::new(address, Kind::Certificate, &spec));
    }
    if !proofs.is_empty() {
        let name = format!("validate-{}", step.id);
        group(builder, step, "certificates", &name, at("certificates", proofs));
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
        let StepConfig::Cutover(cutover) = &step.work else { continue };
        let geo = steps(builder).find_map(|routing| routing.geo.get(&cutover.replaces)).cloned();
        let address = group_address(&cutover.replaces);
        let (Some(geo), Some(mut resource)) = (geo, builder.built.desired.resources.remove(&address)) else {
            let problem = format!("the plan has no geo routing {:?}", cutover.replaces);
            builder.unknown(step, "replaces", problem, "name one of geo in a routing step");
            continue;
        };
        let full = full_name(builder, &geo.name);
        let new = target_sets(builder, step, &full, &cutover.to);
        if let Some(new) = new {
            let mut spec: RecordsSpec =
                resource.typed().unwrap_or(RecordsSpec { zone_id: zone_id(), sets: Vec::new() });
            let (mut replaced, kept): (Vec<_>, Vec<_>) = spec.sets.into_iter().partition(|set| set.name == full);
            spec.sets = kept;
            let places = builder.built.record_places.entry(address.clone()).or_default();
            if matches!(cutover.to, CutoverTarget::Split(_)) {
                for set in &mut replaced {
                    let place = places.remove(&set.owned_key());
                    set.name = before(&full);
                    places.extend(place.map(|place| (set.owned_key(), place)));
                }
                spec.sets.extend(replaced);
            }
            for set in &new {
                places.insert(set.owned_key(), vec![format!("{}.with", step.path)]);
            }
            spec.sets.extend(new);
            spec.sets.sort_by_key(RecordSet::key);
            resource = Resource::new(address, Kind::Records, &spec).from_step(&step.id, format!("{}.with", step.path));
            if matches!(cutover.to, CutoverTarget::Distribution | CutoverTarget::Split(_)) {
                // A name must not lead to a distribution that is not deployed everywhere.
                resource = resource.needing(Address::new("cdn", Kind::Distribution, "main"), Level::Propagated);
            }
        }
        let address = builder.built.desired.add(resource);
        builder.built.by_step.entry(step.id.clone()).or_default().insert(address);
    }
}

/// Where the sets of a name are while a share of its answers leads to the distribution. It is below the name, so it is in its zone.
fn before(full: &str) -> String {
    format!("before-cutover.{full}")
}

/// Both ways of a name by weight. There is no AAAA among them: it would lead all of IPv6 to the distribution at once.
fn split_sets(full: &str, percent: u8) -> Vec<RecordSet> {
    let weighted = |identifier: &str, weight: u8, alias: Alias| RecordSet {
        name: full.to_owned(),
        record_type: "A".to_owned(),
        set_identifier: Some(identifier.to_owned()),
        weight: Some(weight.into()),
        alias: Some(alias),
        ..RecordSet::default()
    };
    let aside = Alias { zone_id: zone_id(), dns_name: before(full), evaluate_target_health: true };
    vec![
        weighted("before", 100_u8.saturating_sub(percent), aside),
        weighted("distribution", percent, to_distribution()),
    ]
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
        CutoverTarget::Split(percent @ 1..=99) => Some(split_sets(full, *percent)),
        CutoverTarget::Split(percent) => {
            let problem = format!("a share of {percent} % is none");
            builder.complain(step, "to", problem, "write 1 to 99, or to: distribution");
            None
        }
        CutoverTarget::Latency(name) => {
            let Some(latency) = steps(builder).find_map(|routing| routing.latency.get(name)).cloned() else {
                builder.unknown(step, "to", format!("the plan has no latency routing {name:?}"), "name one of latency");
                return None;
            };
            let dns_name = full_name(builder, &latency.name);
            Some(vec![simple("A", Alias { zone_id: zone_id(), dns_name, evaluate_target_health: true })])
        }
    }
}
