//! Rules on the settings of a distribution beyond its routes: error pages, countries, the firewall, requests to origins.

use std::collections::BTreeSet;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::distribution::{DistributionSpec, GeoRestriction, Origin};

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

/// Statuses of an origin for which CloudFront can send a page of its own.
const ERRORS: [i32; 11] = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

/// Regions with Origin Shield (CloudFront Developer Guide, "Using Amazon CloudFront Origin Shield").
const SHIELDS: [&str; 13] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "me-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-2",
];

/// Headers that CloudFront does not add to requests (CloudFront Developer Guide, "Add custom headers to origin requests").
const NEVER_ADDED: [&str; 23] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "CF401-error-code",
        "error pages replace statuses that CloudFront can replace, each once",
        "InvalidErrorCode: the error code is not one that CloudFront can replace, or InvalidArgument: it appears \
         twice",
        "write each of 400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504 at most once",
        error_code,
    ),
    error(
        "CF402-error-page",
        "an error page needs the status that viewers get",
        "InvalidArgument: ResponseCode and ResponsePagePath must both be there or both be missing",
        "write page: /404.html with response_code: 404 (or 200, or another error), or only min_ttl_seconds",
        error_page,
    ),
    error(
        "CF403-geo-restriction",
        "a geo restriction names countries by two capital letters, each once",
        "InvalidGeoRestrictionParameter: The specified geo restriction parameter is not valid.",
        "write ISO 3166-1 codes such as DE, or `none` for every country",
        geo,
    ),
    error(
        "CF404-web-acl",
        "a web ACL is a WAFv2 one with scope CLOUDFRONT, by its ARN",
        "InvalidWebACLId: the web ACL is not a global one of WAFv2",
        "write arn:aws:wafv2:us-east-1:ACCOUNT:global/webacl/NAME/ID, or an empty text for none",
        web_acl,
    ),
    error(
        "CF405-origin-header",
        "headers to an origin are ones that CloudFront adds",
        "InvalidArgument: The parameter HeaderName contains a header that is not allowed, or TooManyOriginCustomHeaders",
        "write up to 30 headers of your own (name up to 256, value up to 1783 characters); others come from an origin request policy",
        origin_headers,
    ),
    error(
        "CF406-origin-shield",
        "Origin Shield is in a region that has it",
        "InvalidArgument: The parameter OriginShieldRegion is not valid",
        "write the region of the list that is nearest to the origin, or an empty text for none",
        shield,
    ),
    error(
        "CF407-origin-connection",
        "attempts and times of connections to an origin are in range",
        "InvalidArgument: connection attempts, connection timeout or keep-alive timeout is out of range",
        "write 1 to 3 attempts, 1 to 10 seconds to connect, 1 to 120 seconds to keep a connection",
        connection,
    ),
    error(
        "CF408-key-groups",
        "a behavior has at most four key groups, each once, by id",
        "TooManyKeyGroupsAssociatedToDistribution, or TrustedKeyGroupDoesNotExist",
        "write up to four ids of key groups",
        key_groups,
    ),
];

fn error_code(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let mut met = BTreeSet::new();
    for (at, response) in seen.spec.custom_error_responses.iter().flatten().enumerate() {
        let (path, code) = (format!("custom_error_responses.{at}.code"), response.code);
        notes.add_if(!ERRORS.contains(&code), path.as_str(), || format!("{code} has no error page"));
        notes.add_if(!met.insert(code), path, || format!("{code} appears twice"));
    }
}

fn error_page(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (at, response) in seen.spec.custom_error_responses.iter().flatten().enumerate() {
        let path = |field: &str| format!("custom_error_responses.{at}.{field}");
        let half = response.page.is_some() != response.response_code.is_some();
        notes.add_if(half, path("page"), || format!("{} has only one of page and response_code", response.code));
        if let Some(page) = response.page.as_deref().filter(|page| !page.starts_with('/') || page.contains(['*', '?']))
        {
            notes.add(path("page"), format!("the page is `{page}`: a path starts with a slash"));
        }
        if let Some(code) = response.response_code.filter(|code| *code != 200 && !ERRORS.contains(code)) {
            notes.add(path("response_code"), format!("viewers cannot get {code}"));
        }
        if let Some(seconds) = response.min_ttl_seconds.filter(|seconds| *seconds < 0) {
            notes.add(path("min_ttl_seconds"), format!("the time is {seconds}"));
        }
    }
}

fn geo(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let (word, list) = match &seen.spec.geo_restriction {
        None | Some(GeoRestriction::None) => return,
        Some(GeoRestriction::Allow(list)) => ("allow", list),
        Some(GeoRestriction::Deny(list)) => ("deny", list),
    };
    let path = format!("geo_restriction.{word}");
    notes.add_if(list.is_empty(), path.as_str(), || "the list is empty".to_owned());
    for (at, country) in list.iter().enumerate() {
        let formed = country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_uppercase());
        notes.add_if(!formed, format!("{path}.{at}"), || format!("`{country}` is not a country code"));
        notes.add_if(list[..at].contains(country), format!("{path}.{at}"), || format!("`{country}` appears twice"));
    }
}

fn web_acl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(id) = seen.spec.web_acl_id.as_deref().filter(|id| !id.is_empty() && !is_open(id)) else { return };
    let parts: Vec<&str> = id.splitn(6, ':').collect();
    let formed = matches!(parts.as_slice(), ["arn", "aws", "wafv2", "us-east-1", account, resource]
        if account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit())
            && resource.strip_prefix("global/webacl/").is_some_and(|rest| rest.split('/').count() == 2));
    notes.add_if(!formed, "web_acl_id", || format!("the web ACL is `{id}`"));
}

fn each_origin(seen: &Spec<'_>, mut visit: impl FnMut(String, &Origin)) {
    seen.spec.origins.iter().enumerate().for_each(|(at, origin)| visit(format!("origins.{at}"), origin));
}

fn origin_headers(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let Some(headers) = &origin.headers else { return };
        let count = headers.len();
        notes.add_if(count > 30, format!("{path}.headers"), || format!("there are {count} headers"));
        let mut met = BTreeSet::new();
        for (name, value) in headers {
            let at = format!("{path}.headers.{name}");
            let lower = name.to_ascii_lowercase();
            let reserved = ["x-amz-", "x-edge-"].iter().any(|start| lower.starts_with(start));
            let never = reserved || NEVER_ADDED.contains(&lower.as_str());
            notes.add_if(never, at.as_str(), || format!("CloudFront does not add `{name}`"));
            notes.add_if(!is_header(name), at.as_str(), || format!("`{name}` is not a header name"));
            let length = value.chars().count();
            let wrong = !is_open(value) && !(1..=1783).contains(&length);
            notes.add_if(wrong, at.as_str(), || format!("the value of `{name}` has {length} characters"));
            notes.add_if(!met.insert(lower), at, || format!("`{name}` appears twice"));
        }
    });
}

/// Whether a text can be the name of a header (RFC 9110, `token`).
pub(super) fn is_header(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn shield(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let Some(region) = origin.shield.as_deref().filter(|region| !region.is_empty()) else { return };
        let known = SHIELDS.contains(&region);
        notes.add_if(!known, format!("{path}.shield"), || {
            format!("`{region}` has no Origin Shield; these have: {}", SHIELDS.join(", "))
        });
    });
}

fn connection(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_origin(seen, |path, origin| {
        let keepalive = origin.custom.as_ref().and_then(|custom| custom.keepalive_timeout_seconds);
        let fields = [
            ("connection_attempts", origin.connection_attempts, 3),
            ("connection_timeout_seconds", origin.connection_timeout_seconds, 10),
            ("custom.keepalive_timeout_seconds", keepalive, 120),
        ];
        for (field, value, most) in fields {
            let Some(value) = value.filter(|value| !(1..=most).contains(value)) else { continue };
            notes.add(format!("{path}.{field}"), format!("the number is {value}"));
        }
    });
}

fn key_groups(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in super::cloudfront_behaviors::behaviors(&seen.spec) {
        let groups = behavior.trusted_key_groups.as_deref().unwrap_or_default();
        let distinct: BTreeSet<&String> = groups.iter().collect();
        let wrong = groups.len() > 4 || distinct.len() < groups.len() || groups.iter().any(String::is_empty);
        let path = format!("{path}.trusted_key_groups");
        notes.add_if(wrong, path, || format!("the key groups are {}", groups.join(", ")));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        let errors = |rule, list| case(rule).set(CDN, "/custom_error_responses", list);
        let geo = |value| case("CF403-geo-restriction").set(CDN, "/geo_restriction", value);
        let acl = |text: &str| case("CF404-web-acl").set(CDN, "/web_acl_id", json!(text));
        let header = |value| case("CF405-origin-header").set(CDN, "/origins/0/headers", value);
        let many: BTreeMap<String, &str> = (0..31).map(|at| (format!("X-{at}"), "1")).collect();
        let groups = |list| case("CF408-key-groups").set(CDN, "/behaviours/1/trusted_key_groups", list);
        vec![
            errors("CF401-error-code", json!([{"code": 418}])),
            errors("CF401-error-code", json!([{"code": 404}, {"code": 404}])),
            errors("CF402-error-page", json!([{"code": 404, "page": "/404.html"}])),
            errors("CF402-error-page", json!([{"code": 404, "response_code": 200}])),
            errors("CF402-error-page", json!([{"code": 404, "page": "404.html", "response_code": 404}])),
            errors("CF402-error-page", json!([{"code": 404, "page": "/404.html", "response_code": 301}])),
            errors("CF402-error-page", json!([{"code": 404, "min_ttl_seconds": -1}])),
            geo(json!({"allow": []})),
            geo(json!({"allow": ["de"]})),
            geo(json!({"deny": ["DE", "DE"]})),
            geo(json!({"deny": ["Germany"]})),
            acl("arn:aws:wafv2:eu-central-1:000000000000:regional/webacl/a/b"),
            acl("473e64fd-f30b-4765-81a0-62ad96dd167a"),
            acl("arn:aws:wafv2:us-east-1:000000000000:global/webacl/a"),
            header(json!({"Host": "x"})),
            header(json!({"X-Edge-A": "x"})),
            header(json!({"X A": "x"})),
            header(json!({"X-A": ""})),
            header(json!({"X-A": "1", "x-a": "2"})),
            header(json!(many)),
            case("CF406-origin-shield").set(CDN, "/origins/0/shield", json!("eu-north-1")),
            case("CF407-origin-connection").set(CDN, "/origins/0/connection_attempts", json!(4)),
            case("CF407-origin-connection").set(CDN, "/origins/0/connection_timeout_seconds", json!(0)),
            case("CF407-origin-connection").set(CDN, "/origins/0/custom/keepalive_timeout_seconds", json!(121)),
            groups(json!(["a", "b", "c", "d", "e"])),
            groups(json!(["a", "a"])),
        ]
    }
}
