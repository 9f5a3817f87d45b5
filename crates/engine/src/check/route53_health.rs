//! Rules on health checks and zones.

use std::collections::BTreeSet;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::health_check::{CHECKER_REGIONS, HealthCheckSpec};
use crate::resource::zone::ZoneSpec;

type Spec<'a> = CheckedResource<'a, HealthCheckSpec>;

pub(super) const RULES: &[CheckRule<HealthCheckSpec>] = &[
    error(
        "R5301-interval",
        "a health check runs every 10 or 30 seconds",
        "InvalidInput: RequestInterval must be 10 or 30",
        "write 10 or 30; it cannot be changed later",
        interval,
    ),
    error(
        "R5302-threshold",
        "the failure threshold is from 1 to 10",
        "InvalidInput: FailureThreshold must be between 1 and 10",
        "write a number from 1 to 10",
        threshold,
    ),
    error(
        "R5303-protocol",
        "a health check uses HTTP or HTTPS",
        "InvalidInput: the type of the health check is not known",
        "write HTTPS or HTTP",
        protocol,
    ),
    error(
        "R5304-port",
        "the port is from 1 to 65535",
        "InvalidInput: Port must be between 1 and 65535",
        "write for example 443",
        port,
    ),
    error(
        "R5305-path",
        "the path starts with a slash",
        "InvalidInput: ResourcePath must start with / and have at most 255 characters",
        "write for example /health",
        path,
    ),
    error(
        "R5306-host",
        "the host is a host name or an address alone",
        "InvalidInput: FullyQualifiedDomainName is not valid",
        "write a host name without scheme, port and path",
        host,
    ),
    error(
        "R5307-regions",
        "a health check runs from at least three of Route 53's eight regions",
        "InvalidInput: Value at 'healthCheckConfig.regions' failed to satisfy constraint (at least 3, or an enum value)",
        "write three or more of ap-northeast-1, ap-southeast-1, ap-southeast-2, eu-west-1, sa-east-1, us-east-1, us-west-1, us-west-2; or leave `regions` out",
        regions,
    ),
    error(
        "R5308-search-string",
        "the text that is searched for has 1 to 255 characters",
        "InvalidInput: Value at 'healthCheckConfig.searchString' failed to satisfy constraint",
        "write a shorter text, or leave `search_string` out",
        search_string,
    ),
];

pub(super) const ZONE: &[CheckRule<ZoneSpec>] = &[error(
    "R5401-zone-name",
    "a zone's name is a domain name in lower case without the final dot",
    "InvalidDomainName: the domain name is not valid",
    "write for example example.com",
    zone_name,
)];

fn interval(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let seconds = seen.spec.interval_seconds;
    notes.add_if(![10, 30].contains(&seconds), "interval_seconds", || {
        format!("the interval is {}", crate::resource::counted(seconds, "second"))
    });
}

fn threshold(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.failure_threshold;
    notes.add_if(!(1..=10).contains(&count), "failure_threshold", || format!("the threshold is {count}"));
}

fn protocol(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let word = seen.spec.protocol.as_str();
    let plain = word.strip_suffix("_STR_MATCH").filter(|_| seen.spec.search_string.is_some()).unwrap_or(word);
    notes.add_if(!["HTTP", "HTTPS"].contains(&plain), "protocol", || format!("the protocol is `{word}`"));
}

fn regions(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(regions) = &seen.spec.regions else { return };
    let unique: BTreeSet<&String> = regions.iter().collect();
    notes.add_if(unique.len() < 3, "regions", || format!("there are {} regions", unique.len()));
    for (at, region) in regions.iter().enumerate().filter(|(_, one)| !CHECKER_REGIONS.contains(&one.as_str())) {
        notes.add(format!("regions.{at}"), format!("Route 53 has no health checkers in `{region}`"));
    }
}

fn search_string(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(text) = &seen.spec.search_string else { return };
    let length = text.chars().count();
    notes.add_if(!(1..=255).contains(&length), "search_string", || format!("it has {length} characters"));
}

fn port(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let port = seen.spec.port;
    notes.add_if(!(1..=65_535).contains(&port), "port", || format!("the port is {port}"));
}

fn path(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let path = seen.spec.path.as_str();
    notes.add_if(!path.starts_with('/') || path.len() > 255, "path", || format!("the path is `{path}`"));
}

fn host(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let host = seen.spec.host.as_str();
    let legal = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let wrong = !is_open(host) && (host.is_empty() || host.len() > 255 || !legal);
    notes.add_if(wrong, "host", || format!("the host is `{host}`"));
}

fn zone_name(seen: &CheckedResource<'_, ZoneSpec>, notes: &mut RuleFindings<'_>) {
    let name = seen.spec.name.as_str();
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letters);
    let formed = name.contains('.') && name.len() <= 255 && name.split('.').all(label);
    notes.add_if(!formed && !is_open(name), "name", || format!("the name is `{name}`"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CHECK: &str = "routing.health-check.us";
        vec![
            case("R5301-interval").set(CHECK, "/interval_seconds", json!(20)),
            case("R5302-threshold").set(CHECK, "/failure_threshold", json!(11)),
            case("R5303-protocol").set(CHECK, "/protocol", json!("TCPS")),
            case("R5304-port").set(CHECK, "/port", json!(0)),
            case("R5305-path").set(CHECK, "/path", json!("health")),
            case("R5306-host").set(CHECK, "/host", json!("https://a.example.com")),
            case("R5307-regions").set(CHECK, "/regions", json!(["us-east-1", "eu-west-1"])),
            case("R5307-regions").set(CHECK, "/regions", json!(["us-east-1", "eu-west-1", "eu-central-1"])),
            case("R5308-search-string").set(CHECK, "/search_string", json!("x".repeat(256))),
            case("R5401-zone-name").set("routing.zone.spare", "/name", json!("Example.com.")),
        ]
    }
}
