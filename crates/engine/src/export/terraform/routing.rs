//! Certificates, zones, health checks and record sets.

use super::compute::tags;
use super::hcl::Body;
use super::{ExportItem, TerraformResource, part, resource};
use crate::resource::certificate::CertificateSpec;
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::zone::ZoneSpec;

pub fn certificate(item: &ExportItem<'_>) -> TerraformResource {
    let spec: CertificateSpec = item.typed()?;
    let mut body = Body::new().set("domain_name", spec.domain);
    if !spec.alternative_names.is_empty() {
        body = body.set("subject_alternative_names", spec.alternative_names);
    }
    body = body.set("validation_method", "DNS").set("tags", tags(item, &spec.tags));
    Ok((vec![resource("aws_acm_certificate", item, item.id, body).at(&spec.region)], Vec::new()))
}

pub fn zone(item: &ExportItem<'_>) -> TerraformResource {
    let spec: ZoneSpec = item.typed()?;
    let body = Body::new()
        .set("name", spec.name)
        .set("comment", spec.comment.unwrap_or_default())
        .set("tags", tags(item, &spec.tags));
    Ok((vec![resource("aws_route53_zone", item, item.id, body).unread(&["force_destroy"])], Vec::new()))
}

pub fn health_check(item: &ExportItem<'_>) -> TerraformResource {
    let mut spec: HealthCheckSpec = item.typed()?;
    spec.tags.insert("Name".to_owned(), spec.name);
    let body = Body::new()
        .set("type", spec.protocol)
        .set("fqdn", spec.host)
        .set("port", spec.port)
        .set("resource_path", spec.path)
        .set("request_interval", spec.interval_seconds)
        .set("failure_threshold", spec.failure_threshold)
        .set_some("search_string", spec.search_string)
        .set_some("invert_healthcheck", spec.inverted)
        .set_some("disabled", spec.disabled)
        .set_some("regions", spec.regions)
        .set("tags", tags(item, &spec.tags));
    Ok((vec![resource("aws_route53_health_check", item, item.id, body)], Vec::new()))
}

/// One resource for each set: Terraform changes them one by one, not in one transaction.
pub fn records(item: &ExportItem<'_>) -> TerraformResource {
    let spec: RecordsSpec = item.typed()?;
    // What the group's id begins with is the zone's id, whatever the spec refers to.
    let zone = item.id.split('/').next().unwrap_or_default();
    let sets = spec.sets.iter().map(|set| {
        let key = [zone, &set.name, &set.record_type];
        let key: Vec<&str> = key.into_iter().chain(set.set_identifier.as_deref()).collect();
        let label = key[1..].iter().map(|text| part(text)).collect::<Vec<_>>().join("_");
        resource("aws_route53_record", item, key.join("_"), record(&spec.zone_id, set)).also(&label)
    });
    let note = "Terraform changes its record sets one by one, not in one transaction";
    Ok((sets.collect(), vec![item.note(note)]))
}

fn record(zone: &str, set: &RecordSet) -> Body {
    let mut body = Body::new()
        .set("zone_id", zone)
        .set("name", set.name.clone())
        .set("type", set.record_type.clone())
        .set_some("set_identifier", set.set_identifier.clone())
        .set_some("ttl", set.ttl)
        .set_some("health_check_id", set.health_check_id.clone())
        .set_some("multivalue_answer_routing_policy", set.multivalue.then_some(true));
    if !set.values.is_empty() {
        let plain = |value: &String| text_value(&set.record_type, value);
        body = body.set("records", set.values.iter().map(plain).collect::<Vec<_>>());
    }
    if let Some(alias) = &set.alias {
        let alias = Body::new()
            .set("name", alias.dns_name.clone())
            .set("zone_id", alias.zone_id.clone())
            .set("evaluate_target_health", alias.evaluate_target_health);
        body = body.block("alias", alias);
    }
    if let Some(place) = &set.geolocation {
        let place = Body::new()
            .set_some("continent", place.continent.clone())
            .set_some("country", place.country.clone())
            .set_some("subdivision", place.subdivision.clone());
        body = body.block("geolocation_routing_policy", place);
    }
    if let Some(region) = &set.latency_region {
        body = body.block("latency_routing_policy", Body::new().set("region", region.clone()));
    }
    if let Some(role) = &set.failover {
        body = body.block("failover_routing_policy", Body::new().set("type", role.clone()));
    }
    if let Some(weight) = set.weight {
        body = body.block("weighted_routing_policy", Body::new().set("weight", weight));
    }
    body
}

/// Terraform puts the quotes around a text itself, and writes a break between its parts as `""`.
fn text_value(kind: &str, value: &str) -> String {
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inside.filter(|_| matches!(kind, "TXT" | "SPF")) {
        Some(inside) => inside.replace("\" \"", "\"\""),
        None => value.to_owned(),
    }
}
