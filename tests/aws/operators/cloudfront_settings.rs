//! Every optional setting of the CloudFront kinds: what the plan says without it, and with it (JSON pointers into a `cdn` step).

use serde_json::{Value, json};

/// Name, changes of the base that both plans have, and the setting.
pub fn all() -> Vec<(&'static str, Value, Value)> {
    let mut rows = distribution();
    rows.extend(origins());
    rows.extend(behaviors());
    rows.extend(policies());
    rows.extend(response_headers());
    rows
}

fn row(name: &'static str, with: Value) -> (&'static str, Value, Value) {
    (name, json!({}), with)
}

fn distribution() -> Vec<(&'static str, Value, Value)> {
    let certificate = json!({"arn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
                             "ssl_support_method": "sni-only", "minimum_protocol": "TLSv1.2_2021"});
    let newer = json!("TLSv1.3_2025");
    vec![
        row("enabled", json!({"/enabled": false})),
        row("http_version", json!({"/http_version": "http3"})),
        row("ipv6", json!({"/ipv6": true})),
        row("certificate", json!({"/certificate": certificate})),
        ("minimum_protocol", json!({"/certificate": certificate}), json!({"/certificate/minimum_protocol": newer})),
        ("aliases", json!({"/certificate": certificate}), json!({"/aliases": ["b.example.org", "a.example.org"]})),
        row("default_root_object", json!({"/default_root_object": "index.html"})),
        row("web_acl_id", json!({"/web_acl_id": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b"})),
        row("geo_restriction allow", json!({"/geo_restriction": {"allow": ["DE", "AT"]}})),
        row("geo_restriction deny", json!({"/geo_restriction": {"deny": ["KP"]}})),
        row("custom_error_responses", json!({"/custom_error_responses": [{"code": 503, "min_ttl_seconds": 0}]})),
        (
            "a page for an error",
            json!({"/custom_error_responses": [{"code": 503, "min_ttl_seconds": 1}, {"code": 404}]}),
            json!({"/custom_error_responses": [{"code": 404, "page": "/404.html", "response_code": 200, "min_ttl_seconds": 5}]}),
        ),
        row("logging", json!({"/logging": {"bucket": "models.logs", "prefix": "p/", "cookies": true}})),
        ("logging cookies", json!({"/logging": {"bucket": "models.logs"}}), json!({"/logging/cookies": true})),
        row("monitoring", json!({"/monitoring": true})),
        ("edge_functions", json!({"/default_behavior/functions": [edge()]}), json!({"/edge_functions": false})),
        row(
            "origin_groups",
            json!({"/origin_groups": {"both": {"members": ["b", "a"], "status_codes": [503, 500]}},
                   "/default_behavior/target": "both"}),
        ),
    ]
}

fn edge() -> Value {
    json!({"event": "origin-request", "function": "arn:aws:lambda:us-east-1:000000000000:function:edge:1",
           "include_body": true})
}

fn origins() -> Vec<(&'static str, Value, Value)> {
    let third = json!({"domain": "0.example.com", "path": "/zero", "custom":
                       {"http_port": 80, "https_port": 443, "protocol": "https-only"}});
    vec![
        row("origin path", json!({"/origins/a/path": "/v1"})),
        row("origin headers", json!({"/origins/a/headers": {"X-Origin-Key": "k", "X-Two": "2"}})),
        (
            "one header more",
            json!({"/origins/a/headers": {"X-Two": "2"}}),
            json!({"/origins/a/headers/X-Origin-Key": "k"}),
        ),
        row("origin_shield", json!({"/origins/a/origin_shield": "eu-central-1"})),
        row("connection_attempts", json!({"/origins/a/connection_attempts": 1})),
        row("connection_timeout_seconds", json!({"/origins/b/connection_timeout_seconds": 4})),
        row("read_timeout_seconds", json!({"/origins/b/custom/read_timeout_seconds": 55})),
        row("keepalive_timeout_seconds", json!({"/origins/b/custom/keepalive_timeout_seconds": 50})),
        row(
            "a bucket instead of a host",
            json!({"/origins/b": {"bucket": "models.logs", "path": "/pages", "headers": {"X-A": "1"}}}),
        ),
        // The places in the list of origins change at the same time.
        row(
            "an origin more",
            json!({"/origins/0": third, "/origins/a/path": "/v1", "/origins/b/origin_shield": "us-east-1"}),
        ),
        (
            "an origin less",
            json!({"/origins/0": third}),
            json!({"/origins/0": null, "/origins/a/path": "/v1", "/origins/b/headers": {"X-A": "1"}}),
        ),
    ]
}

fn behaviors() -> Vec<(&'static str, Value, Value)> {
    let more = json!([
        {"path": "/a/*", "target": "a", "cache_policy": "CachingDisabled", "origin_request_policy": "own"},
        {"path": "/b/*", "target": "b", "cache_policy": "own", "response_headers_policy": "own"},
    ]);
    vec![
        row("viewer_protocol", json!({"/default_behavior/viewer_protocol": "https-only"})),
        row("methods", json!({"/default_behavior/methods": ["HEAD", "OPTIONS", "GET"]})),
        row("compress", json!({"/default_behavior/compress": false})),
        row("cache_policy", json!({"/default_behavior/cache_policy": null, "/default_behavior/min_ttl": 7})),
        (
            "min_ttl",
            json!({"/behaviors/0": {"path": "/b/*", "target": "b", "min_ttl": 3}}),
            json!({"/behaviors/0/min_ttl": 9}),
        ),
        row("origin_request_policy", json!({"/default_behavior/origin_request_policy": "own"})),
        row("response_headers_policy", json!({"/behaviors/0/response_headers_policy": "own"})),
        row("trusted_key_groups", json!({"/behaviors/0/trusted_key_groups": ["11111111-1111-1111-1111-111111111111"]})),
        row("functions", json!({"/default_behavior/functions": [edge()]})),
        row("behaviors", json!({"/behaviors": null})),
        row("a behavior in front, and policies", json!({"/behaviors": more})),
    ]
}

fn policies() -> Vec<(&'static str, Value, Value)> {
    let own = "/cache_policies/own";
    let ask = "/origin_request_policies/own";
    vec![
        row("cache_policies", json!({"/cache_policies/two": {"min_ttl": 0, "default_ttl": 1, "max_ttl": 2}})),
        row("comment of a cache policy", json!({format!("{own}/comment"): "reads"})),
        row("gzip", json!({format!("{own}/gzip"): false})),
        row("brotli", json!({format!("{own}/brotli"): false})),
        row("headers of a cache policy", json!({format!("{own}/headers"): ["X-B", "X-A"]})),
        row("query_strings of a cache policy", json!({format!("{own}/query_strings"): {"only": ["b", "a"]}})),
        row("cookies of a cache policy", json!({format!("{own}/cookies"): {"all-except": ["s"]}})),
        row("origin_request_policies", json!({"/origin_request_policies/two": {"headers": "all-viewer"}})),
        row("comment of a request policy", json!({format!("{ask}/comment"): "asks"})),
        row("headers of a request policy", json!({format!("{ask}/headers"): {"only": ["X-B", "X-A"]}})),
        row("query_strings of a request policy", json!({format!("{ask}/query_strings"): {"only": ["b", "a"]}})),
        row("cookies of a request policy", json!({format!("{ask}/cookies"): "all"})),
    ]
}

fn response_headers() -> Vec<(&'static str, Value, Value)> {
    let at = |field: &str| format!("/response_headers_policies/own/{field}");
    let cors = json!({"origins": ["https://b.example.com", "https://a.example.com"], "methods": ["POST", "GET"],
                      "headers": ["X-B", "X-A"], "max_age_seconds": 60});
    let xss = json!({"enabled": true});
    vec![
        row("response_headers_policies", json!({"/response_headers_policies/two": {"nosniff": true}})),
        row("comment of a response policy", json!({at("comment"): "says"})),
        row("cors", json!({at("cors"): cors})),
        ("expose_headers", json!({at("cors"): cors}), json!({at("cors/expose_headers"): ["X-D", "X-C"]})),
        ("credentials", json!({at("cors"): cors}), json!({at("cors/credentials"): true})),
        row("hsts_seconds", json!({at("hsts_seconds"): 60, at("hsts_include_subdomains"): true})),
        (
            "hsts_include_subdomains",
            json!({at("hsts_seconds"): 31_536_000}),
            json!({at("hsts_include_subdomains"): true}),
        ),
        (
            "hsts_preload",
            json!({at("hsts_seconds"): 31_536_000, at("hsts_include_subdomains"): true}),
            json!({at("hsts_preload"): true}),
        ),
        row("nosniff", json!({at("nosniff"): true})),
        row("frame_options", json!({at("frame_options"): "DENY"})),
        row("referrer_policy", json!({at("referrer_policy"): "no-referrer"})),
        row("content_security_policy", json!({at("content_security_policy"): "default-src 'self'"})),
        row("xss_protection", json!({at("xss_protection"): {"enabled": true, "block": true}})),
        ("xss block", json!({at("xss_protection"): xss}), json!({at("xss_protection/block"): true})),
        (
            "xss report_uri",
            json!({at("xss_protection"): xss}),
            json!({at("xss_protection/report_uri"): "https://example.com/xss"}),
        ),
        row("server_timing_percent", json!({at("server_timing_percent"): 12.5})),
        ("remove", json!({at("remove"): null, at("nosniff"): true}), json!({at("remove"): ["X-Powered-By", "Server"]})),
        row("custom", json!({at("custom"): {"X-Stack": "one", "X-Two": "2"}})),
        ("one custom header more", json!({at("custom"): {"X-Two": "2"}}), json!({at("custom/X-Stack"): "one"})),
    ]
}
