//! Rules on CORS, of buckets and of response headers policies.
//!
//! Sources: "Elements of a CORS configuration" (S3 user guide; its messages from the API), "Understand response headers
//! policies" (CloudFront developer guide).

use serde_json::Value;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};

pub(super) const BUCKET: &[CheckRule<Value>] = &[
    error(
        "CO001-cors-wildcards",
        "an origin or header of a CORS rule has at most one wildcard",
        "InvalidRequest: AllowedOrigin can not have more than one wildcard.",
        "write one *, or a rule for each",
        |seen, notes| {
            each(seen, &["origins", "headers"], |path, text| {
                notes.add_if(text.matches('*').count() > 1, path, || format!("`{text}` has more than one"));
            });
        },
    ),
    error(
        "CO002-cors-exposed-wildcard",
        "headers that a CORS rule exposes are named in full",
        "InvalidRequest: ExposeHeader contains wildcard. We currently do not support wildcard in ExposeHeader.",
        "name each header, for example ETag",
        |seen, notes| {
            each(seen, &["expose"], |path, text| {
                notes.add_if(text.contains('*'), path, || format!("`{text}` is exposed"));
            });
        },
    ),
    error(
        "CO003-cors-rule-count",
        "a bucket has at most 100 CORS rules",
        "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema",
        "join rules",
        |seen, notes| {
            let count = seen.spec.get("cors").and_then(Value::as_array).map_or(0, Vec::len);
            notes.add_if(count > 100, "cors", || format!("there are {count}"));
        },
    ),
];

pub(super) const RESPONSE: &[CheckRule<Value>] = &[
    error(
        "CO101-cors-origin",
        "an origin is * or a host, with a scheme or not, and a wildcard only as its leftmost label",
        "InvalidArgument: The parameter Access-Control-Allow-Origin is not valid",
        "write *, https://example.com or https://*.example.com",
        origin,
    ),
    error(
        "CO102-cors-exposed",
        "headers and methods of CORS hold a wildcard only alone",
        "InvalidArgument: The parameter Access-Control-Allow-Headers is not valid",
        "write * (ALL for methods), or names",
        |seen, notes| {
            for field in ["headers", "expose_headers", "methods"] {
                let list = seen.spec.get("cors").and_then(|cors| cors.get(field)).and_then(Value::as_array);
                let names: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
                let part = names.iter().find(|name| name.contains('*') && **name != "*");
                let every = if field == "methods" { "ALL" } else { "*" };
                let beside = names.len() > 1 && names.contains(&every);
                let word = part.copied().or_else(|| beside.then_some(every));
                if let Some(word) = word {
                    notes.add(format!("cors.{field}"), format!("`{word}` is in {}", names.join(", ")));
                }
            }
        },
    ),
];

fn each(seen: &CheckedResource<'_, Value>, fields: &[&str], mut visit: impl FnMut(String, &str)) {
    let rules = seen.spec.get("cors").and_then(Value::as_array);
    for (at, rule) in rules.into_iter().flatten().enumerate() {
        for field in fields {
            let list = rule.get(field).and_then(Value::as_array).into_iter().flatten();
            for (item, text) in list.enumerate() {
                visit(format!("cors.{at}.{field}.{item}"), text.as_str().unwrap_or_default());
            }
        }
    }
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "*"));
    let host = host.strip_prefix("*.").unwrap_or(host);
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let port = port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0);
    text == "*" || (port && host.split('.').all(label))
}

fn origin(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let origins = seen.spec.pointer("/cors/origins").and_then(Value::as_array);
    for (at, text) in origins.into_iter().flatten().filter_map(Value::as_str).enumerate() {
        let wrong = !is_origin(text) && !super::scope::is_open(text);
        notes.add_if(wrong, format!("cors.origins.{at}"), || format!("the origin is `{text}`"));
    }
    let all = origins.is_some_and(|list| list.len() > 1 && list.iter().any(|one| one == "*"));
    notes.add_if(all, "cors.origins", || "`*` is listed with others".to_owned());
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};
    use super::*;

    pub(in super::super) fn cases() -> Vec<Case> {
        const SAY: &str = "cdn.response-headers-policy.api";
        let rule = |rule, more: Value| {
            let mut one = json!({"origins": ["https://a.example.com"], "methods": ["GET"]});
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            case(rule).set("models.bucket.spare", "/cors", json!([one]))
        };
        let many: Vec<Value> = (0..101).map(|_| json!({"origins": ["*"], "methods": ["GET"]})).collect();
        vec![
            rule("CO001-cors-wildcards", json!({"origins": ["https://*.*.example.com"]})),
            rule("CO001-cors-wildcards", json!({"headers": ["x-*-*"]})),
            rule("CO002-cors-exposed-wildcard", json!({"expose": ["*"]})),
            rule("CO002-cors-exposed-wildcard", json!({"expose": ["x-amz-*"]})),
            case("CO003-cors-rule-count").set("models.bucket.spare", "/cors", json!(many)),
            case("CO101-cors-origin").set(SAY, "/cors/origins", json!(["https://*.*.example.com"])),
            case("CO101-cors-origin").set(SAY, "/cors/origins", json!(["https://a.*.com"])),
            case("CO101-cors-origin").set(SAY, "/cors/origins", json!(["https://a.com/path"])),
            case("CO101-cors-origin").set(SAY, "/cors/origins", json!(["*", "https://a.com"])),
            case("CO102-cors-exposed").set(SAY, "/cors/headers", json!(["x-*"])),
            case("CO102-cors-exposed").set(SAY, "/cors/methods", json!(["GET", "ALL"])),
        ]
    }

    #[test]
    fn cors_that_is_taken() {
        let rule = json!({"origins": ["https://*.example.com", "*"], "methods": ["GET"], "headers": ["x-*"], "expose": ["ETag"]});
        let origins = json!(["https://*.example.com", "http://a.example.com:8080", "localhost", "https://a.com:*"]);
        let case = Case { desired: good(), rules: [].into(), note: String::new() }
            .set("models.bucket.spare", "/cors", json!([rule]))
            .set("cdn.response-headers-policy.api", "/cors/origins", origins)
            .set("cdn.response-headers-policy.api", "/cors/methods", json!(["ALL"]));
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
