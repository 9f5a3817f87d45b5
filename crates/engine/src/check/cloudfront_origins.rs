//! Rules on origins and origin groups.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::{is_open, references};
use crate::resource::distribution::{DistributionSpec, Origin};
use crate::resource::{Kind, counted};

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

/// Status codes that may cause failover.
const FAILOVER_CODES: [i32; 8] = [400, 403, 404, 416, 500, 502, 503, 504];

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "CF201-origin-group-members",
        "an origin group has just two members",
        "InvalidArgument: the member list of an origin group has a minimum of 2 and a maximum of 2 items",
        "name a primary and a secondary; for three regions use one origin whose name is a Route 53 latency set over their load balancers",
        group_members,
    ),
    error(
        "CF202-group-member-unknown",
        "members of an origin group are origins of the distribution",
        "NoSuchOrigin: One or more of your origins or origin groups do not exist.",
        "name the id of an origin",
        member_unknown,
    ),
    error(
        "CF203-group-member-twice",
        "members of an origin group differ",
        "InvalidArgument: an origin group cannot hold one origin twice",
        "name another origin as the secondary",
        member_twice,
    ),
    error(
        "CF204-group-status-code",
        "failover codes are ones that CloudFront accepts",
        "InvalidArgument: The parameter StatusCodes contains a code that is not allowed",
        "take codes from 400, 403, 404, 416, 500, 502, 503, 504",
        status_codes,
    ),
    error(
        "CF205-origin-id-twice",
        "ids of origins and groups are unique",
        "InvalidArgument: origin ids must be unique in a distribution",
        "give each origin and group its own id",
        id_twice,
    ),
    error(
        "CF206-elb-over-https",
        "a load balancer is not reached over HTTPS by its own name",
        "accepted; every request answers 502: no certificate can cover a name under elb.amazonaws.com",
        "make a record such as origin-<region>.<domain> that points to the load balancer, put a certificate for it on the listener, and use that name as the origin",
        elb_https,
    ),
    error(
        "CF207-origin-domain",
        "an origin's domain is a host name",
        "InvalidArgument: The parameter origin name must be a domain name.",
        "write a host name: no IP address, no scheme, no path, no port",
        domain,
    ),
    error(
        "CF208-origin-kind",
        "an origin is either custom or S3",
        "InvalidArgument: an origin needs just one of CustomOriginConfig and S3OriginConfig",
        "write `custom` for a web server, or `origin_access_id` for a bucket",
        origin_kind,
    ),
    error(
        "CF209-access-control-not-s3",
        "an origin access control belongs to an S3 origin",
        "InvalidArgument: The specified origin access control type does not match the origin's domain",
        "use the bucket's domain (<bucket>.s3.<region>.amazonaws.com), or `custom` settings",
        not_s3,
    ),
    error(
        "CF210-website-with-access-control",
        "an S3 website endpoint has no origin access control",
        "accepted or refused as InvalidArgument; website endpoints ignore the signature, so a private bucket answers 403",
        "use the bucket's own domain (<bucket>.s3.<region>.amazonaws.com)",
        website,
    ),
    error(
        "CF211-read-timeout",
        "the read timeout is from 1 to 120 seconds",
        "InvalidArgument: the origin read timeout is out of range",
        "write a number from 1 to 120",
        read_timeout,
    ),
    error(
        "CF212-custom-origin",
        "ports and protocol of a custom origin are legal",
        "InvalidArgument: the origin protocol policy or a port is not allowed",
        "write https-only, http-only or match-viewer; ports 80, 443 or 1024 to 65535",
        custom,
    ),
    error(
        "CF213-origin-path",
        "an origin path starts with a slash and does not end with one",
        "InvalidArgument: The parameter OriginPath must start with / and must not end with /",
        "write for example /models, or leave it out",
        path,
    ),
];

fn group_members(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, group) in seen.spec.origin_groups.iter().enumerate().filter(|(_, group)| group.members.len() != 2) {
        let problem = format!(
            "group `{}` has {}: {}",
            group.id,
            counted(group.members.len(), "member"),
            group.members.join(", ")
        );
        notes.add(format!("origin_groups.{at}.members"), problem);
    }
}

fn member_unknown(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, group) in seen.spec.origin_groups.iter().enumerate() {
        for (member, id) in group.members.iter().enumerate() {
            let known = seen.spec.origins.iter().any(|origin| origin.id == *id);
            notes.add_if(!known, format!("origin_groups.{at}.members.{member}"), || format!("`{id}` is not an origin"));
        }
    }
}

fn member_twice(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, group) in seen.spec.origin_groups.iter().enumerate() {
        let distinct: BTreeSet<&String> = group.members.iter().collect();
        let path = format!("origin_groups.{at}.members");
        notes.add_if(distinct.len() < group.members.len(), path, || {
            format!("one of {} appears twice", group.members.join(", "))
        });
    }
}

fn status_codes(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, group) in seen.spec.origin_groups.iter().enumerate() {
        let path = format!("origin_groups.{at}.status_codes");
        notes.add_if(group.status_codes.is_empty(), path.as_str(), || {
            format!("group `{}` has no status code", group.id)
        });
        for code in group.status_codes.iter().filter(|code| !FAILOVER_CODES.contains(code)) {
            notes.add(path.as_str(), format!("{code} cannot cause failover"));
        }
    }
}

fn id_twice(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let mut met = BTreeSet::new();
    let origins = seen.spec.origins.iter().enumerate().map(|(at, origin)| (format!("origins.{at}.id"), &origin.id));
    let groups = seen.spec.origin_groups.iter().enumerate();
    for (path, id) in origins.chain(groups.map(|(at, group)| (format!("origin_groups.{at}.id"), &group.id))) {
        notes.add_if(!met.insert(id), path, || format!("the id `{id}` appears twice"));
    }
}

fn each_origin(seen: &Spec<'_>, mut visit: impl FnMut(String, &Origin)) {
    seen.spec.origins.iter().enumerate().for_each(|(at, origin)| visit(format!("origins.{at}"), origin));
}

/// Whether a host is a load balancer's own name, written or referred to.
fn is_load_balancer(seen: &Spec<'_>, host: &str) -> bool {
    let refers = references(host).iter().any(|to| {
        seen.scope.at(to.address).is_some_and(|(_, target)| target.kind == Kind::LoadBalancer)
            && to.attribute == "dns_name"
    });
    let host = host.to_ascii_lowercase();
    // Application load balancers end with .elb.amazonaws.com, network ones with .elb.<region>.amazonaws.com.
    refers || host.contains(".elb.") && host.ends_with(".amazonaws.com")
}

fn elb_https(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let Some(custom) = origin.custom.as_ref().filter(|custom| custom.protocol != "http-only") else { return };
        let wrong = is_load_balancer(seen, &origin.domain_name);
        let problem = || format!("origin `{}` reaches `{}` with {}", origin.id, origin.domain_name, custom.protocol);
        notes.add_if(wrong, format!("{path}.domain_name"), problem);
    });
}

fn domain(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let host = &origin.domain_name;
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let legal = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        let wrong = !is_open(host) && (address || !legal || !host.contains('.'));
        notes.add_if(wrong, format!("{path}.domain_name"), || format!("`{host}` is not a host name"));
    });
}

fn origin_kind(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| match (&origin.custom, &origin.origin_access_id) {
        (Some(_), Some(_)) => notes.add(path, format!("origin `{}` is both custom and S3", origin.id)),
        (None, None) => notes.add(path, format!("origin `{}` is neither custom nor S3", origin.id)),
        _ => {}
    });
}

/// Whether a host is a bucket's website endpoint.
pub(super) fn is_website(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.contains(".s3-website") && host.ends_with(".amazonaws.com")
}

fn is_bucket_host(host: &str) -> bool {
    let small = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    small && host.ends_with(".amazonaws.com") && (host.contains(".s3.") || host.contains(".s3-"))
}

fn not_s3(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let host = &origin.domain_name;
        let other = references(host)
            .iter()
            .any(|to| seen.scope.at(to.address).is_some_and(|(_, target)| target.kind != Kind::Bucket));
        let wrong = other || !is_open(host) && !is_bucket_host(host);
        let access = origin.origin_access_id.is_some() && origin.custom.is_none();
        notes.add_if(access && wrong, format!("{path}.origin_access_id"), || {
            let capitals = !other && is_bucket_host(&host.to_ascii_lowercase());
            let why = if capitals {
                "has capital letters, which a bucket's host name cannot have"
            } else {
                "is not the host of a bucket"
            };
            format!("`{host}` {why}")
        });
    });
}

fn website(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let wrong = origin.origin_access_id.is_some() && is_website(&origin.domain_name);
        let problem = || format!("`{}` is a website endpoint", origin.domain_name);
        notes.add_if(wrong, format!("{path}.domain_name"), problem);
    });
}

fn read_timeout(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let seconds = origin.custom.as_ref().and_then(|custom| custom.read_timeout_seconds).unwrap_or(30);
        let wrong = !(1..=120).contains(&seconds);
        notes.add_if(wrong, format!("{path}.custom.read_timeout_seconds"), || {
            format!("the time is {}", counted(seconds, "second"))
        });
    });
}

fn custom(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let Some(custom) = &origin.custom else { return };
        let protocol = custom.protocol.as_str();
        let known = ["https-only", "http-only", "match-viewer"].contains(&protocol);
        notes.add_if(!known, format!("{path}.custom.protocol"), || format!("`{protocol}` is not an origin protocol"));
        for (field, port) in [("http_port", custom.http_port), ("https_port", custom.https_port)] {
            let legal = port == 80 || port == 443 || (1024..=65535).contains(&port);
            notes.add_if(!legal, format!("{path}.custom.{field}"), || format!("port {port} is not allowed"));
        }
    });
}

fn path(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |at, origin| {
        let Some(path) = origin.path.as_deref().filter(|path| !path.is_empty()) else { return };
        let wrong = !path.starts_with('/') || path.ends_with('/') || path.len() > 255;
        notes.add_if(wrong, format!("{at}.path"), || format!("the path is `{path}`"));
    });
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        vec![
            case("CF201-origin-group-members").set(CDN, "/origin_groups/0/members", json!(["us", "eu", "models"])),
            case("CF201-origin-group-members").set(CDN, "/origin_groups/0/members", json!(["us"])),
            case("CF202-group-member-unknown").set(CDN, "/origin_groups/0/members", json!(["us", "asia"])),
            case("CF203-group-member-twice").set(CDN, "/origin_groups/0/members", json!(["us", "us"])),
            case("CF204-group-status-code").set(CDN, "/origin_groups/0/status_codes", json!([418, 500])),
            case("CF205-origin-id-twice")
                .set(CDN, "/origins/0/id", json!("eu"))
                .set(CDN, "/origins/1/id", json!("us"))
                .set(CDN, "/origins/2/id", json!("us"))
                .set(CDN, "/behaviours/1/target", json!("us")),
            case("CF206-elb-over-https").set(
                CDN,
                "/origins/0/domain_name",
                json!("a-1.eu-central-1.elb.amazonaws.com"),
            ),
            case("CF206-elb-over-https").set(
                CDN,
                "/origins/0/domain_name",
                json!("${routing.load-balancer.us#dns_name}"),
            ),
            case("CF206-elb-over-https").set(
                CDN,
                "/origins/0/domain_name",
                json!("n-1.elb.eu-central-1.amazonaws.com"),
            ),
            case("CF207-origin-domain").set(CDN, "/origins/0/domain_name", json!("192.0.2.1")),
            case("CF207-origin-domain").set(CDN, "/origins/0/domain_name", json!("https://a.example.com/x")),
            case("CF208-origin-kind").remove(CDN, "/origins/0/custom"),
            case("CF208-origin-kind").set(CDN, "/origins/0/origin_access_id", json!("${cdn.origin-access.models#id}")),
            case("CF209-access-control-not-s3").set(CDN, "/origins/1/domain_name", json!("models.akidb.com")),
            case("CF209-access-control-not-s3").set(
                CDN,
                "/origins/1/domain_name",
                json!("m.s3.EU-WEST-1.amazonaws.com"),
            ),
            case("CF210-website-with-access-control").set(
                CDN,
                "/origins/1/domain_name",
                json!("m.s3-website-us-east-1.amazonaws.com"),
            ),
            case("CF211-read-timeout").set(CDN, "/origins/0/custom/read_timeout_seconds", json!(180)),
            case("CF212-custom-origin").set(CDN, "/origins/0/custom/protocol", json!("https")),
            case("CF212-custom-origin").set(CDN, "/origins/0/custom/http_port", json!(81)),
            case("CF213-origin-path").set(CDN, "/origins/0/path", json!("api/")),
        ]
    }
}
