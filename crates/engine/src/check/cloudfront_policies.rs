//! Rules on CloudFront policies and origin access controls.

use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;

type Spec<'a> = CheckedResource<'a, CachePolicySpec>;

/// Headers that CloudFront does not take into a cache key.
const NEVER_IN_KEY: [&str; 14] = [
    "connection",
    "content-length",
    "cookie",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amz-cf-id",
    "x-real-ip",
];

pub(super) const CACHE: &[CheckRule<CachePolicySpec>] = &[
    error(
        "CP001-ttl-order",
        "min_ttl, default_ttl and max_ttl are in ascending order and not negative",
        "InvalidArgument: The parameter MinTTL must be less than or equal to DefaultTTL, and DefaultTTL less than or equal to MaxTTL",
        "write min_ttl <= default_ttl <= max_ttl",
        ttl_order,
    ),
    error(
        "CP002-key-header-count",
        "at most ten headers are in the key",
        "TooManyHeadersInCachePolicy",
        "keep only headers that change the answer",
        header_count,
    ),
    error(
        "CP003-key-query-count",
        "at most ten query strings and ten cookies are in the key",
        "TooManyQueryStringsInCachePolicy or TooManyCookiesInCachePolicy",
        "keep only those that change the answer",
        query_count,
    ),
    error(
        "CP004-accept-encoding",
        "Accept-Encoding is not listed beside gzip or brotli",
        "InvalidArgument: The parameter Headers contains Accept-Encoding that is not allowed when EnableAcceptEncodingGzip or EnableAcceptEncodingBrotli is true",
        "remove Accept-Encoding from the headers; gzip and brotli add it to the key in normalized form",
        accept_encoding,
    ),
    error(
        "CP005-key-header-illegal",
        "headers in the key are ones that CloudFront can cache by",
        "InvalidArgument: The parameter Headers contains a header that is not allowed",
        "remove the header; forward it with an origin request policy if the origin needs it",
        header_illegal,
    ),
    warning(
        "CP006-content-type-in-key",
        "Content-Type is not in the key",
        "accepted; a GET has no body and so no content type: the key only grows",
        "remove Content-Type from the headers",
        content_type,
    ),
    warning(
        "CP007-min-ttl-with-tenant",
        "a policy with a tenant in the key has no min_ttl above 0",
        "accepted; a min_ttl above 0 overrides no-store and private of the origin, so a tenant's answer stays in the cache",
        "write min_ttl: 0 and let the origin say how long",
        tenant_ttl,
    ),
    error(
        "CP008-policy-name",
        "names of cache policies are legal",
        "InvalidArgument: The parameter Name is not valid",
        "write up to 128 letters, digits, dashes and underscores; a comment of up to 128 characters",
        cache_name,
    ),
    error(
        "CP009-key-without-caching",
        "a policy that caches nothing has an empty key",
        "InvalidArgument: The parameter HeaderBehavior is invalid for policy with caching disabled.",
        "remove headers, query strings, cookies, gzip and brotli, or write max_ttl above 0",
        disabled_key,
    ),
    error(
        "CP010-empty-choice",
        "a list of query strings or cookies is not empty",
        "InvalidArgument: a whitelist needs at least one item",
        "write none or all, or list names",
        empty_choice,
    ),
    warning(
        "CP011-host-in-key",
        "Host is not in the key",
        "accepted; the key is sent on to the origin: a bucket answers 403 SignatureDoesNotMatch, and a custom origin needs a certificate for the viewer's host name (else 502)",
        "remove Host from the headers",
        host,
    ),
];

pub(super) const REQUEST: &[CheckRule<OriginRequestPolicySpec>] = &[
    error(
        "CP101-request-policy-count",
        "an origin request policy lists at most ten of each",
        "TooManyHeadersInOriginRequestPolicy, TooManyQueryStringsInOriginRequestPolicy or TooManyCookiesInOriginRequestPolicy",
        "list fewer, or send all of them on",
        request_count,
    ),
    error(
        "CP102-request-policy-name",
        "names of origin request policies are legal",
        "InvalidArgument: The parameter Name is not valid",
        "write up to 128 letters, digits, dashes and underscores; a comment of up to 128 characters",
        request_name,
    ),
];

pub(super) const RESPONSE: &[CheckRule<ResponseHeadersPolicySpec>] = &[error(
    "CP201-response-policy",
    "a response headers policy has a legal name and times that are not negative",
    "InvalidArgument: the response headers policy is not valid",
    "write a name of up to 128 letters, digits, dashes and underscores; times from 0 on",
    response,
)];

pub(super) const ACCESS: &[CheckRule<OriginAccessSpec>] = &[error(
    "CP301-origin-access-name",
    "names of origin access controls are legal",
    "InvalidArgument: The parameter Name is not valid",
    "write up to 64 characters; a description of up to 256",
    access,
)];

fn ttl_order(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let CachePolicySpec { min_ttl, default_ttl, max_ttl, .. } = seen.spec;
    let wrong = min_ttl < 0 || min_ttl > default_ttl || default_ttl > max_ttl;
    notes.add_if(wrong, "min_ttl", || format!("min {min_ttl}, default {default_ttl}, max {max_ttl}"));
}

fn header_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.headers.len();
    notes.add_if(count > 10, "headers", || format!("there are {count} headers"));
}

fn query_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (field, choice) in [("query_strings", &seen.spec.query_strings), ("cookies", &seen.spec.cookies)] {
        let count = choice.names().len();
        notes.add_if(count > 10, field, || format!("there are {count}"));
    }
}

fn each_header(seen: &Spec<'_>, notes: &mut RuleFindings<'_>, wrong: impl Fn(&str) -> bool) {
    for (at, header) in seen.spec.headers.iter().enumerate() {
        notes.add_if(wrong(&header.to_ascii_lowercase()), format!("headers.{at}"), || {
            format!("`{header}` is in the key")
        });
    }
}

fn accept_encoding(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let compressed = seen.spec.gzip || seen.spec.brotli;
    each_header(seen, notes, |header| compressed && header == "accept-encoding");
}

fn header_illegal(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_header(seen, notes, |header| NEVER_IN_KEY.contains(&header) || header.starts_with("x-edge-"));
}

fn content_type(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_header(seen, notes, |header| header == "content-type");
}

fn host(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    each_header(seen, notes, |header| header == "host");
}

fn tenant_ttl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let tenant = seen.spec.headers.iter().find(|header| {
        let header = header.to_ascii_lowercase();
        header.contains("tenant") || header == "authorization"
    });
    if let Some(header) = tenant.filter(|_| seen.spec.min_ttl > 0) {
        notes.add("min_ttl", format!("min_ttl is {} with `{header}` in the key", seen.spec.min_ttl));
    }
}

fn is_policy_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn name_and_comment(name: &str, comment: &str, notes: &mut RuleFindings<'_>) {
    notes.add_if(!is_policy_name(name), "name", || format!("the name is `{name}`"));
    let long = comment.chars().count();
    notes.add_if(long > 128, "comment", || format!("the comment has {long} characters"));
}

fn cache_name(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    name_and_comment(&seen.spec.name, &seen.spec.comment, notes);
}

fn disabled_key(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let keyed = !spec.headers.is_empty() || spec.gzip || spec.brotli;
    let keyed = keyed || spec.query_strings != Choice::None || spec.cookies != Choice::None;
    let problem = || "max_ttl is 0 and the key is not empty".to_owned();
    notes.add_if(spec.max_ttl == 0 && keyed, "max_ttl", problem);
}

fn empty_choice(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (field, choice) in [("query_strings", &seen.spec.query_strings), ("cookies", &seen.spec.cookies)] {
        let empty = choice.names().is_empty() && !matches!(choice, Choice::None | Choice::All);
        notes.add_if(empty, field, || "the list is empty".to_owned());
    }
}

fn request_count(seen: &CheckedResource<'_, OriginRequestPolicySpec>, notes: &mut RuleFindings<'_>) {
    let headers = match &seen.spec.headers {
        HeaderChoice::None | HeaderChoice::AllViewer => 0,
        HeaderChoice::AllExcept(list) | HeaderChoice::Only(list) | HeaderChoice::AllViewerAnd(list) => list.len(),
    };
    let counts = [
        ("headers", headers),
        ("query_strings", seen.spec.query_strings.names().len()),
        ("cookies", seen.spec.cookies.names().len()),
    ];
    for (field, count) in counts {
        notes.add_if(count > 10, field, || format!("there are {count}"));
    }
}

fn request_name(seen: &CheckedResource<'_, OriginRequestPolicySpec>, notes: &mut RuleFindings<'_>) {
    name_and_comment(&seen.spec.name, &seen.spec.comment, notes);
}

fn response(seen: &CheckedResource<'_, ResponseHeadersPolicySpec>, notes: &mut RuleFindings<'_>) {
    name_and_comment(&seen.spec.name, &seen.spec.comment, notes);
    if let Some(seconds) = seen.spec.hsts_seconds.filter(|seconds| *seconds < 0) {
        notes.add("hsts_seconds", format!("the time is {seconds}"));
    }
    let age = seen.spec.cors.as_ref().map_or(0, |cors| cors.max_age_seconds);
    notes.add_if(age < 0, "cors.max_age_seconds", || format!("the time is {age}"));
}

fn access(seen: &CheckedResource<'_, OriginAccessSpec>, notes: &mut RuleFindings<'_>) {
    let name = &seen.spec.name;
    notes.add_if(name.is_empty() || name.len() > 64, "name", || format!("the name has {} characters", name.len()));
    let long = seen.spec.description.chars().count();
    notes.add_if(long > 256, "description", || format!("the description has {long} characters"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const READ: &str = "cdn.cache-policy.read";
        const ASK: &str = "cdn.origin-request-policy.api";
        const SAY: &str = "cdn.response-headers-policy.api";
        let eleven: Vec<String> = (0..11).map(|at| format!("x-{at}")).collect();
        vec![
            case("CP001-ttl-order").set(READ, "/min_ttl", json!(90000)),
            case("CP002-key-header-count").set(READ, "/headers", json!(eleven)),
            case("CP003-key-query-count").set(READ, "/query_strings", json!({"only": eleven})),
            case("CP004-accept-encoding").set(READ, "/headers", json!(["Accept-Encoding"])),
            case("CP005-key-header-illegal").set(READ, "/headers", json!(["Content-Length"])),
            case("CP006-content-type-in-key").set(READ, "/headers", json!(["Content-Type"])),
            case("CP007-min-ttl-with-tenant").set(READ, "/headers", json!(["X-Akidb-Tenant-Id"])).set(
                READ,
                "/min_ttl",
                json!(60),
            ),
            case("CP008-policy-name").set(READ, "/name", json!("read policy")),
            case("CP009-key-without-caching").set(READ, "/max_ttl", json!(0)).set(READ, "/default_ttl", json!(0)),
            case("CP010-empty-choice").set(READ, "/cookies", json!({"only": []})),
            case("CP011-host-in-key").set(READ, "/headers", json!(["Host"])),
            case("CP101-request-policy-count").set(ASK, "/headers", json!({"only": eleven})),
            case("CP102-request-policy-name").set(ASK, "/name", json!("")),
            case("CP201-response-policy").set(SAY, "/cors/max_age_seconds", json!(-1)),
            case("CP301-origin-access-name").set("cdn.origin-access.models", "/name", json!("x".repeat(65))),
        ]
    }
}
