//! CloudFront's policies and origin access controls.

use super::hcl::Body;
use super::{ExportItem, TerraformResource, resource};
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::response_headers_policy::{CorsHeaders, ResponseHeadersPolicySpec};

pub fn origin_access(item: &ExportItem<'_>) -> TerraformResource {
    let spec: OriginAccessSpec = item.typed()?;
    let body = Body::new()
        .set("name", spec.name)
        .set("description", item.marked(&spec.description, 256))
        .set("origin_access_control_origin_type", "s3")
        .set("signing_behavior", "always")
        .set("signing_protocol", "sigv4");
    Ok((vec![resource("aws_cloudfront_origin_access_control", item, item.id, body)], Vec::new()))
}

/// A choice as CloudFront's word, and the list of names that goes with it.
fn chosen(what: &str, list: &str, word: &str, names: &[String]) -> Body {
    let body = Body::new().set(&format!("{what}_behavior"), word);
    if names.is_empty() { body } else { body.block(list, Body::new().set("items", names.to_vec())) }
}

fn choice(what: &str, list: &str, choice: &Choice) -> Body {
    chosen(what, list, super::super::bundle::word(choice), choice.names())
}

pub fn cache(item: &ExportItem<'_>) -> TerraformResource {
    let spec: CachePolicySpec = item.typed()?;
    let headers = if spec.headers.is_empty() { "none" } else { "whitelist" };
    let key = Body::new()
        .set("enable_accept_encoding_brotli", spec.brotli)
        .set("enable_accept_encoding_gzip", spec.gzip)
        .block("cookies_config", choice("cookie", "cookies", &spec.cookies))
        .block("headers_config", chosen("header", "headers", headers, &spec.headers))
        .block("query_strings_config", choice("query_string", "query_strings", &spec.query_strings));
    let body = Body::new()
        .set("name", spec.name)
        .set("comment", item.marked(&spec.comment, 128))
        .set("min_ttl", spec.min_ttl)
        .set("default_ttl", spec.default_ttl)
        .set("max_ttl", spec.max_ttl)
        .block("parameters_in_cache_key_and_forwarded_to_origin", key);
    Ok((vec![resource("aws_cloudfront_cache_policy", item, item.id, body)], Vec::new()))
}

pub fn origin_request(item: &ExportItem<'_>) -> TerraformResource {
    let spec: OriginRequestPolicySpec = item.typed()?;
    let (word, names): (&str, &[String]) = match &spec.headers {
        HeaderChoice::None => ("none", &[]),
        HeaderChoice::AllViewer => ("allViewer", &[]),
        HeaderChoice::AllExcept(names) => ("allExcept", names),
        HeaderChoice::Only(names) => ("whitelist", names),
        HeaderChoice::AllViewerAnd(names) => ("allViewerAndWhitelistCloudFront", names),
    };
    let body = Body::new()
        .set("name", spec.name)
        .set("comment", item.marked(&spec.comment, 128))
        .block("cookies_config", choice("cookie", "cookies", &spec.cookies))
        .block("headers_config", chosen("header", "headers", word, names))
        .block("query_strings_config", choice("query_string", "query_strings", &spec.query_strings));
    Ok((vec![resource("aws_cloudfront_origin_request_policy", item, item.id, body)], Vec::new()))
}

pub fn response_headers(item: &ExportItem<'_>) -> TerraformResource {
    let spec: ResponseHeadersPolicySpec = item.typed()?;
    let mut body = Body::new().set("name", spec.name.clone()).set("comment", item.marked(&spec.comment, 128));
    if let Some(shared) = &spec.cors {
        body = body.block("cors_config", cors(shared));
    }
    if let Some(custom) = spec.custom.as_ref().filter(|custom| !custom.is_empty()) {
        let headers = custom.iter().map(|(header, value)| {
            Body::new().set("header", header.clone()).set("override", true).set("value", value.clone())
        });
        body = body.block("custom_headers_config", Body::new().blocks("items", headers));
    }
    if let Some(names) = spec.remove.as_ref().filter(|names| !names.is_empty()) {
        let headers = names.iter().map(|name| Body::new().set("header", name.clone()));
        body = body.block("remove_headers_config", Body::new().blocks("items", headers));
    }
    if let Some(security) = security(&spec) {
        body = body.block("security_headers_config", security);
    }
    if let Some(percent) = spec.server_timing_percent.filter(|percent| *percent > 0.0) {
        let timing = Body::new().set("enabled", true).set("sampling_rate", percent);
        body = body.block("server_timing_headers_config", timing);
    }
    Ok((vec![resource("aws_cloudfront_response_headers_policy", item, item.id, body)], Vec::new()))
}

/// The security headers that the plan asks for, if any.
fn security(spec: &ResponseHeadersPolicySpec) -> Option<Body> {
    let mut parts: Vec<(&str, Body)> = Vec::new();
    let over = || Body::new().set("override", true);
    if let Some(policy) = &spec.content_security_policy {
        parts.push(("content_security_policy", over().set("content_security_policy", policy.clone())));
    }
    if spec.nosniff == Some(true) {
        parts.push(("content_type_options", over()));
    }
    if let Some(option) = &spec.frame_options {
        parts.push(("frame_options", over().set("frame_option", option.clone())));
    }
    if let Some(policy) = &spec.referrer_policy {
        parts.push(("referrer_policy", over().set("referrer_policy", policy.clone())));
    }
    if let Some(seconds) = spec.hsts_seconds {
        let hsts = Body::new().set("access_control_max_age_sec", seconds);
        let hsts = hsts.set_some("include_subdomains", spec.hsts_include_subdomains);
        parts.push(("strict_transport_security", hsts.set("override", true).set_some("preload", spec.hsts_preload)));
    }
    if let Some(xss) = &spec.xss_protection {
        let body = over().set("protection", xss.enabled).set_some("mode_block", xss.block);
        parts.push(("xss_protection", body.set_some("report_uri", xss.report_uri.clone())));
    }
    let body = |all: Body, (name, part): (&str, Body)| all.block(name, part);
    (!parts.is_empty()).then(|| parts.into_iter().fold(Body::new(), body))
}

fn cors(spec: &CorsHeaders) -> Body {
    let list = |items: &[String]| Body::new().set("items", items.to_vec());
    let exposed = spec.expose_headers.as_ref().filter(|names| !names.is_empty());
    let body = Body::new()
        .set("access_control_allow_credentials", spec.credentials.unwrap_or_default())
        .set("access_control_max_age_sec", spec.max_age_seconds)
        .set("origin_override", true)
        .block("access_control_allow_headers", list(&spec.headers))
        .block("access_control_allow_methods", list(&spec.methods))
        .block("access_control_allow_origins", list(&spec.origins));
    exposed.into_iter().fold(body, |body, names| body.block("access_control_expose_headers", list(names)))
}
