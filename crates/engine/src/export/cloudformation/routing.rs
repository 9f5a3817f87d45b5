//! Certificates, zones, health checks and record sets.

use serde_json::{Value, json};

use super::{ExportItem, ResourceExport, only_made, resource, tags};
use crate::resource::certificate::CertificateSpec;
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::records::{RecordSet, RecordsSpec};
use crate::resource::zone::ZoneSpec;

pub fn certificate(item: &ExportItem<'_>) -> ResourceExport {
    let spec: CertificateSpec = item.typed()?;
    let properties = json!({
        "DomainName": spec.domain, "SubjectAlternativeNames": spec.alternative_names, "ValidationMethod": "DNS",
        "Tags": tags(item, &spec.tags),
    });
    let note = item.note("CloudFormation cannot import a certificate: its template creates another one");
    Ok((only_made("AWS::CertificateManager::Certificate", properties).at(&spec.region), vec![note]))
}

pub fn zone(item: &ExportItem<'_>) -> ResourceExport {
    let spec: ZoneSpec = item.typed()?;
    let properties = json!({
        "Name": spec.name, "HostedZoneConfig": {"Comment": spec.comment}, "HostedZoneTags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::Route53::HostedZone", ("Id", item.id), properties), Vec::new()))
}

pub fn health_check(item: &ExportItem<'_>) -> ResourceExport {
    let mut spec: HealthCheckSpec = item.typed()?;
    spec.tags.insert("Name".to_owned(), spec.name);
    let properties = json!({
        "HealthCheckConfig": {
            "Type": spec.protocol, "FullyQualifiedDomainName": spec.host, "Port": spec.port,
            "ResourcePath": spec.path, "RequestInterval": spec.interval_seconds,
            "FailureThreshold": spec.failure_threshold, "SearchString": spec.search_string,
            "Inverted": spec.inverted, "Regions": spec.regions,
        },
        "HealthCheckTags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::Route53::HealthCheck", ("HealthCheckId", item.id), properties), Vec::new()))
}

pub fn records(item: &ExportItem<'_>) -> ResourceExport {
    let spec: RecordsSpec = item.typed()?;
    let sets: Vec<Value> = spec.sets.iter().map(record).collect();
    let properties = json!({"HostedZoneId": spec.zone_id, "RecordSets": sets});
    let note = item.note("CloudFormation cannot import record sets: delete them before their template creates them");
    Ok((only_made("AWS::Route53::RecordSetGroup", properties), vec![note]))
}

fn record(set: &RecordSet) -> Value {
    let place = set.geolocation.as_ref().map(|place| {
        json!({"ContinentCode": place.continent, "CountryCode": place.country, "SubdivisionCode": place.subdivision})
    });
    let alias = set.alias.as_ref().map(|alias| {
        json!({"DNSName": alias.dns_name, "HostedZoneId": alias.zone_id,
               "EvaluateTargetHealth": alias.evaluate_target_health})
    });
    json!({
        "Name": set.name, "Type": set.record_type, "SetIdentifier": set.set_identifier,
        "TTL": set.ttl.map(|ttl| ttl.to_string()), "ResourceRecords": set.values, "AliasTarget": alias,
        "GeoLocation": place, "Region": set.latency_region, "Failover": set.failover, "Weight": set.weight,
        "HealthCheckId": set.health_check_id, "MultiValueAnswer": set.multivalue.then_some(true),
    })
}
