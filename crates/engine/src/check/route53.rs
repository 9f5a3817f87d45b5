//! Rules on one record set: its type, its routing, its place, what it points to.

use super::Finding;
use super::regions::{LOAD_BALANCER_ZONES, load_balancer_region, region};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{is_open, whole};
use crate::resource::records::{CLOUDFRONT_ZONE_ID, RecordSet, RecordsSpec, canonical};
use crate::resource::zone::ZoneSpec;
use crate::resource::{Desired, Kind};

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5001-record-type",
        "the record type is valid",
        "InvalidInput: Value at 'type' failed to satisfy constraint: Member must satisfy enum value set",
        "write A, AAAA, CAA, CNAME, DS, HTTPS, MX, NAPTR, NS, PTR, SOA, SPF, SRV, SSHFP, SVCB, TLSA or TXT",
        record_type,
    ),
    error(
        "R5004-set-identifier",
        "a routed set has a set identifier; a simple set has none",
        "InvalidInput: SetIdentifier must be given with a routing policy, and only with one",
        "write set_identifier in every set with a routing policy, and in no other",
        set_identifier,
    ),
    error(
        "R5005-one-policy",
        "a set has one routing policy",
        "InvalidInput: a record set can have only one of geolocation, region, failover and weight",
        "create one set per policy under different names, and point one to the other by an alias",
        one_policy,
    ),
    error(
        "R5006-values-xor-alias",
        "a set has values or an alias",
        "InvalidInput: Invalid XML: a record set needs either ResourceRecords or AliasTarget",
        "write `values` with `ttl`, or `alias`",
        values_xor_alias,
    ),
    error(
        "R5007-alias-ttl",
        "an alias has no time to live",
        "InvalidInput: Invalid request: TTL is not allowed with AliasTarget",
        "remove `ttl`: an alias uses the TTL of its target",
        alias_ttl,
    ),
    error(
        "R5008-cloudfront-alias-health",
        "an alias to CloudFront does not evaluate its health",
        "InvalidInput: EvaluateTargetHealth cannot be true for an alias to a CloudFront distribution",
        "write evaluate_target_health: false",
        cloudfront_health,
    ),
    error(
        "R5009-alias-zone",
        "the zone of an alias is the zone of its target",
        "InvalidChangeBatch: Tried to create an alias that targets <name>, type A in zone <id>, but the alias target name does not lie within the target zone",
        "use both attributes of the load balancer or distribution: ${...#zone_id} and ${...#dns_name}",
        alias_zone,
    ),
    error(
        "R5010-health-check-id",
        "a health check is named by its id",
        "NoSuchHealthCheck: No health check exists with the specified ID.",
        "refer to the resource: ${<area>.health-check.<name>#id}",
        health_check,
    ),
    error(
        "R5011-latency-region",
        "a latency region is a region of AWS",
        "InvalidInput: Value at 'region' failed to satisfy constraint: Member must satisfy enum value set",
        "write for example us-east-1",
        latency_region,
    ),
    error(
        "R5012-weight",
        "a weight is from 0 to 255",
        "InvalidInput: Value at 'weight' failed to satisfy constraint: Member must have value less than or equal to 255",
        "write a number from 0 to 255",
        weight,
    ),
    error(
        "R5013-failover-role",
        "a failover set is PRIMARY or SECONDARY",
        "InvalidInput: Value at 'failover' failed to satisfy constraint: Member must satisfy enum value set: [PRIMARY, SECONDARY]",
        "write PRIMARY or SECONDARY",
        failover,
    ),
    error(
        "R5014-outside-zone",
        "every name is in the zone",
        "InvalidChangeBatch: RRSet with DNS name <name> is not permitted in zone <zone>",
        "write a name that ends with the zone's name, or use the other zone",
        outside,
    ),
    error(
        "R5015-name-form",
        "names are in lower case, without a final dot",
        "accepted; Route 53 gives names back in lower case, so each run would find drift; labels over 63 or names \
         over 255 characters are InvalidDomainName",
        "write the full name in lower case without the final dot",
        name_form,
    ),
    warning(
        "R5016-plain-letters",
        "a wildcard is the whole first label, and names with other letters are written in Punycode",
        "accepted; the star is taken literally, and clients query the Punycode form (xn--...), so the name never \
         resolves",
        "write *.example.com, or the name in Punycode",
        plain_letters,
    ),
];

/// Every set with its path.
pub(super) fn sets(spec: &RecordsSpec) -> impl Iterator<Item = (String, &RecordSet)> {
    spec.sets.iter().enumerate().map(|(at, set)| (format!("sets.{at}"), set))
}

/// Every finding about a set says which: its path alone means nothing to people.
pub(super) fn name_the_records(desired: &Desired, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.path.starts_with("sets.")) {
        let resource = desired.resources.get(&finding.address).filter(|resource| resource.kind == Kind::Records);
        let at = finding.path.split('.').nth(1).and_then(|at| at.parse::<usize>().ok());
        let spec = resource.and_then(|resource| resource.typed::<RecordsSpec>());
        let Some(set) = spec.as_ref().zip(at).and_then(|(spec, at)| spec.sets.get(at)) else { continue };
        let (name, kind) = (&set.name, &set.record_type);
        if ![format!("{name} {kind}"), format!("{kind} {name}")].iter().any(|said| finding.problem.contains(said)) {
            finding.problem = format!("{} {}: {}", set.name, set.record_type, finding.problem);
        }
    }
}

fn record_type(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    const TYPES: [&str; 17] = [
        "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB",
        "TLSA", "TXT",
    ];
    for (path, set) in sets(&seen.spec) {
        let known = TYPES.contains(&set.record_type.as_str());
        notes.add_if(!known, format!("{path}.type"), || format!("`{}` is not a record type", set.record_type));
    }
}

fn set_identifier(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let path = format!("{path}.set_identifier");
        match (set.policy(), set.set_identifier.as_deref()) {
            ("simple", Some(id)) => notes.add(path, format!("`{id}` is on a set without routing")),
            ("simple", None) => {}
            (policy, None | Some("")) => notes.add(path, format!("the {policy} set of {} has none", set.name)),
            (_, Some(id)) => notes.add_if(id.chars().count() > 128, path, || format!("it has {} characters", id.len())),
        }
    }
}

fn one_policy(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let held = [
            ("geolocation", set.geolocation.is_some()),
            ("latency_region", set.latency_region.is_some()),
            ("failover", set.failover.is_some()),
            ("weight", set.weight.is_some()),
            ("multivalue", set.multivalue),
        ];
        let held: Vec<&str> = held.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        notes.add_if(held.len() > 1, path, || format!("it has {}", held.join(" and ")));
    }
}

fn values_xor_alias(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        match (set.values.is_empty(), &set.alias) {
            (true, None) => {
                notes.add(path, format!("{} {} has neither values nor an alias", set.name, set.record_type))
            }
            (false, Some(alias)) => notes.add(path, format!("it has values and an alias to {}", alias.dns_name)),
            _ => {}
        }
    }
}

fn alias_ttl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        if let Some(ttl) = set.ttl.filter(|_| set.alias.is_some()) {
            notes.add(format!("{path}.ttl"), format!("the alias has ttl {ttl}"));
        }
    }
}

/// The kind of the resource that a text refers to.
fn kind_behind(seen: &Spec<'_>, text: &str) -> Option<Kind> {
    seen.scope.at(whole(text)?.address).map(|(_, target)| target.kind)
}

fn cloudfront_health(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let Some(alias) = set.alias.as_ref().filter(|alias| alias.evaluate_target_health) else { continue };
        let cdn = alias.zone_id == CLOUDFRONT_ZONE_ID || kind_behind(seen, &alias.dns_name) == Some(Kind::Distribution);
        let path = format!("{path}.alias.evaluate_target_health");
        notes.add_if(cdn, path, || format!("it is true for {}", alias.dns_name));
    }
}

fn alias_zone(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let Some(alias) = &set.alias else { continue };
        let path = format!("{path}.alias.zone_id");
        let (zone, host) = (alias.zone_id.as_str(), alias.dns_name.as_str());
        if let (Some(to), Some(of)) = (whole(host), whole(zone)) {
            let strange = kind_behind(seen, host) != Some(Kind::Records) && kind_behind(seen, zone) != Some(Kind::Zone);
            let wrong = to.address != of.address && strange;
            notes.add_if(wrong, path, || {
                format!("the zone of `{}` is combined with the name of `{}`", of.address, to.address)
            });
        } else if !is_open(zone) {
            let region = load_balancer_region(host);
            let right = LOAD_BALANCER_ZONES.iter().find(|(name, _)| Some(*name) == region).map(|(_, id)| *id);
            let cdn = host.to_ascii_lowercase().ends_with(".cloudfront.net")
                || kind_behind(seen, host) == Some(Kind::Distribution);
            let right = right.or(cdn.then_some(CLOUDFRONT_ZONE_ID));
            if let Some(right) = right.filter(|right| *right != zone) {
                notes.add(path, format!("`{zone}` is not the zone {right} of `{host}`"));
            }
        }
    }
}

fn health_check(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let Some(id) = set.health_check_id.as_deref() else { continue };
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        let uuid = lengths == [8, 4, 4, 4, 12] && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let referred = whole(id).is_some() && kind_behind(seen, id).is_none_or(|kind| kind == Kind::HealthCheck);
        notes.add_if(!uuid && !referred, format!("{path}.health_check_id"), || {
            format!("`{id}` is not the id of a health check")
        });
    }
}

fn latency_region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let Some(name) = set.latency_region.as_deref().filter(|name| !is_open(name)) else { continue };
        notes.add_if(region(name).is_none(), format!("{path}.latency_region"), || {
            format!("`{name}` is not a known region")
        });
    }
}

fn weight(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let weight = set.weight.unwrap_or(0);
        notes.add_if(!(0..=255).contains(&weight), format!("{path}.weight"), || format!("the weight is {weight}"));
    }
}

fn failover(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let Some(role) = set.failover.as_deref() else { continue };
        let known = ["PRIMARY", "SECONDARY"].contains(&role);
        notes.add_if(!known, format!("{path}.failover"), || format!("`{role}` is not a failover role"));
    }
}

fn outside(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((_, zone)) = seen.scope.behind::<ZoneSpec>(Kind::Zone, &seen.spec.zone_id) else { return };
    let zone = zone.name.to_ascii_lowercase();
    for (path, set) in sets(&seen.spec) {
        let name = set.name.to_ascii_lowercase();
        let inside = name == zone || name.strip_suffix(&zone).is_some_and(|head| head.ends_with('.'));
        notes.add_if(!inside && !is_open(&name), format!("{path}.name"), || format!("`{name}` is not in zone {zone}"));
    }
}

fn name_form(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| !is_open(&set.name)) {
        let name = set.name.as_str();
        let labels = canonical::labels(name);
        let length: usize = labels.iter().map(|label| label.len() + 1).sum();
        let formed = length <= 256 && labels.iter().all(|label| (1..=63).contains(&label.len()));
        let wrong = !formed || canonical::name(name) != name;
        notes.add_if(wrong, format!("{path}.name"), || format!("the name is `{name}`"));
    }
}

/// A star that is not the whole first label, and letters that nobody asks for.
fn plain_letters(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| !is_open(&set.name)) {
        let labels = canonical::labels(&set.name);
        let star = |(at, label): (usize, &Vec<u8>)| label.contains(&b'*') && (at > 0 || label.len() > 1);
        let path = format!("{path}.name");
        notes.add_if(labels.iter().enumerate().any(star), path.as_str(), || {
            format!("the star in `{}` is not a wildcard, because it is not the whole first label", set.name)
        });
        let foreign = labels.iter().flatten().any(|byte| !byte.is_ascii());
        notes.add_if(foreign, path, || format!("`{}` has letters that are not ASCII", set.name));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const LATENCY: &str = "routing.records.latency";
        const API: &str = "routing.records.api";
        const SHIFT: &str = "routing.records.weighted";
        vec![
            case("R5001-record-type").set(API, "/sets/2/type", json!("ANAME")),
            case("R5004-set-identifier").remove(LATENCY, "/sets/0/set_identifier"),
            case("R5004-set-identifier").set(API, "/sets/0/set_identifier", json!("x")),
            case("R5005-one-policy").set(LATENCY, "/sets/0/weight", json!(1)),
            case("R5006-values-xor-alias").remove(API, "/sets/2/values"),
            case("R5006-values-xor-alias").set(API, "/sets/0/values", json!(["192.0.2.1"])),
            case("R5007-alias-ttl").set(API, "/sets/0/ttl", json!(60)),
            case("R5008-cloudfront-alias-health").set(API, "/sets/0/alias/evaluate_target_health", json!(true)),
            case("R5009-alias-zone").set(LATENCY, "/sets/0/alias/zone_id", json!("${routing.load-balancer.us#zone_id}")),
            case("R5009-alias-zone").set(LATENCY, "/sets/0/alias", json!({"zone_id": "Z35SXDOTRQ7X7K", "dns_name": "a-1.eu-central-1.elb.amazonaws.com", "evaluate_target_health": true})),
            case("R5009-alias-zone").set(LATENCY, "/sets/0/alias", json!({"zone_id": "Z35SXDOTRQ7X7K", "dns_name": "a-1.EU-CENTRAL-1.elb.amazonaws.com", "evaluate_target_health": true})),
            case("R5009-alias-zone").set(API, "/sets/0/alias/zone_id", json!("Z35SXDOTRQ7X7K")),
            case("R5010-health-check-id").set(LATENCY, "/sets/0/health_check_id", json!("us-west-health-check")),
            case("R5011-latency-region").set(LATENCY, "/sets/0/latency_region", json!("eu-central")),
            case("R5012-weight").set(SHIFT, "/sets/0/weight", json!(256)),
            case("R5013-failover-role").set("routing.records.failover", "/sets/1/failover", json!("BACKUP")),
            case("R5014-outside-zone").set(API, "/sets/2/name", json!("info.example.com")),
            case("R5016-plain-letters").set(API, "/sets/2/name", json!("a.*.akidb.com")),
            case("R5016-plain-letters").set(API, "/sets/2/name", json!("b\\303\\274cher.akidb.com")),
            case("R5015-name-form").set(API, "/sets/2/name", json!(format!("{}.akidb.com", "x".repeat(64)))),
            case("R5015-name-form").set(API, "/sets/2/name", json!("Info.akidb.com")),
        ]
    }
}
