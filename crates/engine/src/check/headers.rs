//! Rules on headers that policies list.
//!
//! Sources: "Understand response headers policies" and "Quotas" of the CloudFront developer guide; aws-cdk issues 13408 and
//! 15286 for Authorization and Accept-Encoding.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};

/// Headers of one connection, and those that CloudFront writes itself.
const OWN: [&str; 17] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

pub(super) const RESPONSE: &[CheckRule<Value>] = &[
    error(
        "CP203-connection-header",
        "no custom header is one of the connection, or one that CloudFront writes itself",
        "InvalidArgument: The parameter CustomHeaders contains a header that is not allowed",
        "leave it out",
        connection,
    ),
    error(
        "CP204-custom-header-count",
        "a response headers policy has at most ten custom headers",
        "TooManyCustomHeadersInResponseHeadersPolicy, unless the quota was raised",
        "write at most ten",
        |seen, notes| {
            let count = custom(seen).map_or(0, Map::len);
            notes.add_if(count > 10, "custom", || format!("there are {count}"));
        },
    ),
    error(
        "CP205-custom-header-form",
        "custom headers have legal names, each once, and values of one line",
        "InvalidArgument: The parameter CustomHeaders contains a header that is not valid",
        "write a name of letters, digits and dashes (in one case of letters), and a value of up to 1,783 characters in one line",
        |seen, notes| form(custom(seen), "custom", notes),
    ),
];

pub(super) const REQUEST: &[CheckRule<Value>] = &[
    error(
        "CP103-request-policy-header",
        "no origin request policy lists Authorization or Accept-Encoding",
        "InvalidArgument: The parameter Headers contains Authorization that is not allowed.",
        "put it into the key with a cache policy (Accept-Encoding: gzip and brotli there), or send all-viewer headers on",
        forbidden,
    ),
    error(
        "CP104-empty-choice",
        "a list of headers, query strings or cookies is not empty",
        "InvalidArgument: a list needs at least one item",
        "write none or all, or list names",
        |seen, notes| {
            for field in ["headers", "query_strings", "cookies"] {
                let lists = seen.spec.get(field).and_then(Value::as_object).into_iter().flatten();
                for (word, _) in lists.filter(|(_, list)| list.as_array().is_some_and(Vec::is_empty)) {
                    notes.add(format!("{field}.{word}"), format!("{word} lists nothing"));
                }
            }
        },
    ),
    error(
        "CP105-not-of-cloudfront",
        "what is added to all viewer headers are CloudFront's own",
        "InvalidArgument: The parameter Headers contains a header that is not a CloudFront header",
        "list headers that begin with CloudFront-",
        |seen, notes| {
            let list = seen.spec.pointer("/headers/all-viewer-and").and_then(Value::as_array);
            for (at, header) in list.into_iter().flatten().filter_map(Value::as_str).enumerate() {
                let own = header.to_ascii_lowercase().starts_with("cloudfront-");
                notes.add_if(!own, format!("headers.all-viewer-and.{at}"), || format!("`{header}` is listed"));
            }
        },
    ),
];

/// Of both policies that list names.
pub(super) const LISTED: &[CheckRule<Value>] = &[error(
    "CP106-listed-twice",
    "a header, query string or cookie is listed once",
    "InvalidArgument: the list contains duplicates",
    "leave the second out; headers differ in more than the case of letters",
    listed_twice,
)];

fn custom<'s>(seen: &'s CheckedResource<'_, Value>) -> Option<&'s Map<String, Value>> {
    seen.spec.get("custom")?.as_object()
}

fn connection(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    for name in custom(seen).into_iter().flatten().map(|(name, _)| name) {
        let lower = name.to_ascii_lowercase();
        let own = OWN.contains(&lower.as_str()) || lower.starts_with("x-amz-cf-") || lower.starts_with("x-edge-");
        notes.add_if(own, format!("custom.{name}"), || format!("`{name}` is not for a policy to write"));
    }
}

fn is_name(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn form(headers: Option<&Map<String, Value>>, at: &str, notes: &mut RuleFindings<'_>) {
    let mut met = BTreeMap::new();
    for (name, value) in headers.into_iter().flatten() {
        let path = format!("{at}.{name}");
        notes.add_if(!is_name(name), path.as_str(), || format!("`{name}` is not a header name"));
        let text = value.as_str().unwrap_or_default();
        let wrong = text.len() > 1_783 || text.chars().any(char::is_control);
        notes.add_if(wrong, path.as_str(), || format!("the value of `{name}` has {} characters", text.len()));
        if let Some(before) = met.insert(name.to_ascii_lowercase(), name) {
            notes.add(path, format!("`{name}` is also `{before}`"));
        }
    }
}

/// Every list of names with its path.
fn lists<'s>(seen: &'s CheckedResource<'_, Value>) -> Vec<(String, &'s Vec<Value>)> {
    let mut found = Vec::new();
    for field in ["headers", "query_strings", "cookies"] {
        match seen.spec.get(field) {
            Some(Value::Array(list)) => found.push((field.to_owned(), list)),
            Some(Value::Object(choice)) => {
                found.extend(
                    choice.iter().filter_map(|(word, list)| Some((format!("{field}.{word}"), list.as_array()?))),
                );
            }
            _ => {}
        }
    }
    found
}

fn forbidden(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    for (path, list) in
        lists(seen).into_iter().filter(|(path, _)| path.starts_with("headers.") && !path.ends_with("all-except"))
    {
        for (at, header) in list.iter().filter_map(Value::as_str).enumerate() {
            let wrong = ["authorization", "accept-encoding"].contains(&header.to_ascii_lowercase().as_str());
            notes.add_if(wrong, format!("{path}.{at}"), || format!("`{header}` is listed"));
        }
    }
}

fn listed_twice(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    for (path, list) in lists(seen) {
        let mut met = std::collections::BTreeSet::new();
        for (at, name) in list.iter().filter_map(Value::as_str).enumerate() {
            let same = if path.starts_with("headers") { name.to_ascii_lowercase() } else { name.to_owned() };
            notes.add_if(!met.insert(same), format!("{path}.{at}"), || format!("`{name}` is listed twice"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};
    use super::*;

    pub(in super::super) fn cases() -> Vec<Case> {
        const ASK: &str = "cdn.origin-request-policy.api";
        const SAY: &str = "cdn.response-headers-policy.api";
        let many: BTreeMap<String, &str> = (0..11).map(|at| (format!("X-{at}"), "v")).collect();
        let say = |rule, headers: Value| case(rule).set(SAY, "/custom", headers);
        vec![
            say("CP203-connection-header", json!({"Keep-Alive": "timeout=5"})),
            say("CP203-connection-header", json!({"X-Amz-Cf-Id": "x"})),
            say("CP204-custom-header-count", json!(many)),
            say("CP205-custom-header-form", json!({"X Frame": "x"})),
            say("CP205-custom-header-form", json!({"X-A": "1", "x-a": "2"})),
            say("CP205-custom-header-form", json!({"X-A": "1\n2"})),
            case("CP103-request-policy-header").set(ASK, "/headers", json!({"only": ["authorization"]})),
            case("CP103-request-policy-header").set(ASK, "/headers", json!({"only": ["X-A", "Accept-Encoding"]})),
            case("CP104-empty-choice").set(ASK, "/headers", json!({"all-except": []})),
            case("CP104-empty-choice").set(ASK, "/cookies", json!({"only": []})),
            case("CP105-not-of-cloudfront").set(ASK, "/headers", json!({"all-viewer-and": ["X-Country"]})),
            case("CP106-listed-twice").set(ASK, "/headers", json!({"only": ["X-A", "x-a"]})),
            case("CP106-listed-twice").set("cdn.cache-policy.read", "/query_strings", json!({"only": ["a", "a"]})),
        ]
    }

    #[test]
    fn headers_that_are_taken() {
        let case = Case { desired: good(), rules: [].into(), note: String::new() }
            .set(
                "cdn.response-headers-policy.api",
                "/custom",
                json!({"X-Robots-Tag": "noindex", "Server": "akidb", "Cache-Control": "no-cache"}),
            )
            .set("cdn.origin-request-policy.api", "/headers", json!({"all-viewer-and": ["CloudFront-Viewer-Country"]}))
            .set("cdn.origin-request-policy.api", "/query_strings", json!({"only": ["a", "A"]}));
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
