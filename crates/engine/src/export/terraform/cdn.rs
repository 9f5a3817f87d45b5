//! The distribution and its metrics.

use super::compute::tags;
use super::hcl::Body;
use super::{ExportItem, TerraformResource, resource};
use crate::resource::distribution::{
    Behavior, CustomErrorResponse, DistributionSpec, GeoRestriction, Origin, OriginGroup,
};
use crate::resource::monitoring::MonitoringSpec;

pub fn distribution(item: &ExportItem<'_>) -> TerraformResource {
    let spec: DistributionSpec = item.typed()?;
    let mut body = Body::new()
        .set("comment", spec.comment)
        .set("enabled", spec.enabled)
        .set("price_class", spec.price_class)
        .set_some("http_version", spec.http_version)
        .set_some("is_ipv6_enabled", spec.ipv6)
        .set_some("default_root_object", spec.default_root_object);
    if let Some(names) = spec.aliases.filter(|names| !names.is_empty()) {
        body = body.set("aliases", names);
    }
    body = body.set_some("web_acl_id", spec.web_acl_id.filter(|id| !id.is_empty()));
    body = body.set("tags", tags(item, &spec.tags));
    body = body.blocks("origin", spec.origins.iter().map(origin));
    body = body.blocks("origin_group", spec.origin_groups.iter().map(group));
    body = body.block("default_cache_behavior", behavior(&spec.default_behavior));
    body = body.blocks("ordered_cache_behavior", spec.behaviors.iter().map(behavior));
    if let Some(logging) = spec.logging {
        let logs = Body::new().set("bucket", logging.bucket).set("include_cookies", logging.cookies);
        body = body.block("logging_config", logs.set("prefix", logging.prefix));
    }
    body = body.blocks("custom_error_response", spec.custom_error_responses.iter().flatten().map(error_response));
    body = body.block("restrictions", Body::new().block("geo_restriction", countries(spec.geo_restriction.as_ref())));
    let certificate = match spec.certificate {
        None => Body::new().set("cloudfront_default_certificate", true),
        Some(shown) => Body::new()
            .set("acm_certificate_arn", shown.acm_arn)
            .set("minimum_protocol_version", shown.minimum_protocol.unwrap_or_else(|| "TLSv1.2_2021".to_owned()))
            .set("ssl_support_method", shown.ssl_support_method.unwrap_or_else(|| "sni-only".to_owned())),
    };
    body = body.block("viewer_certificate", certificate);
    let made = resource("aws_cloudfront_distribution", item, item.id, body);
    Ok((vec![made.unread(&["retain_on_delete", "wait_for_deployment"])], Vec::new()))
}

fn error_response(response: &CustomErrorResponse) -> Body {
    Body::new()
        .set("error_code", response.code)
        .set_some("error_caching_min_ttl", response.min_ttl_seconds)
        .set_some("response_code", response.response_code)
        .set_some("response_page_path", response.page.clone())
}

fn countries(wanted: Option<&GeoRestriction>) -> Body {
    let (sort, list): (&str, &[String]) = match wanted {
        None | Some(GeoRestriction::None) => ("none", &[]),
        Some(GeoRestriction::Allow(list)) => ("whitelist", list),
        Some(GeoRestriction::Deny(list)) => ("blacklist", list),
    };
    let body = Body::new().set("restriction_type", sort);
    if list.is_empty() { body } else { body.set("locations", list.to_vec()) }
}

fn origin(origin: &Origin) -> Body {
    let mut body = Body::new()
        .set("origin_id", origin.id.clone())
        .set("domain_name", origin.domain_name.clone())
        .set_some("origin_path", origin.path.clone())
        .set_some("origin_access_control_id", origin.origin_access_id.clone())
        .set_some("connection_attempts", origin.connection_attempts)
        .set_some("connection_timeout", origin.connection_timeout_seconds);
    let headers = origin.headers.iter().flatten();
    body = body.blocks(
        "custom_header",
        headers.map(|(name, value)| Body::new().set("name", name.clone()).set("value", value.clone())),
    );
    if let Some(region) = origin.shield.as_ref().filter(|region| !region.is_empty()) {
        let shield = Body::new().set("enabled", true).set("origin_shield_region", region.clone());
        body = body.block("origin_shield", shield);
    }
    if let Some(custom) = &origin.custom {
        let custom = Body::new()
            .set("http_port", custom.http_port)
            .set("https_port", custom.https_port)
            .set("origin_protocol_policy", custom.protocol.clone())
            .set_some("origin_keepalive_timeout", custom.keepalive_timeout_seconds)
            .set_some("origin_read_timeout", custom.read_timeout_seconds)
            .set("origin_ssl_protocols", vec!["TLSv1.2"]);
        body = body.block("custom_origin_config", custom);
    }
    body
}

fn group(group: &OriginGroup) -> Body {
    let members = group.members.iter().map(|id| Body::new().set("origin_id", id.clone()));
    Body::new()
        .set("origin_id", group.id.clone())
        .block("failover_criteria", Body::new().set("status_codes", group.status_codes.clone()))
        .blocks("member", members)
}

fn behavior(rule: &Behavior) -> Body {
    let cached: &[&str] = if rule.methods.iter().any(|method| method == "OPTIONS") {
        &["GET", "HEAD", "OPTIONS"]
    } else {
        &["GET", "HEAD"]
    };
    let mut body = Body::new()
        .set_some("path_pattern", rule.path.clone())
        .set("target_origin_id", rule.target.clone())
        .set("viewer_protocol_policy", rule.viewer_protocol.clone())
        .set("allowed_methods", rule.methods.clone())
        .set("cached_methods", cached)
        .set("compress", rule.compress)
        .set_some("cache_policy_id", rule.cache_policy_id.clone())
        .set_some("origin_request_policy_id", rule.origin_request_policy_id.clone())
        .set_some("response_headers_policy_id", rule.response_headers_policy_id.clone())
        .set_some("min_ttl", rule.min_ttl);
    if rule.cache_policy_id.is_none() {
        let none = Body::new().block("cookies", Body::new().set("forward", "none"));
        body = body.block("forwarded_values", Body::new().set("query_string", false).then(none));
    }
    if let Some(groups) = rule.trusted_key_groups.as_ref().filter(|groups| !groups.is_empty()) {
        body = body.set("trusted_key_groups", groups.clone());
    }
    let functions = rule.functions.iter().map(|function| {
        Body::new()
            .set("event_type", function.event.clone())
            .set("include_body", function.include_body)
            .set("lambda_arn", function.function_arn.clone())
    });
    body.blocks("lambda_function_association", functions)
}

pub fn monitoring(item: &ExportItem<'_>) -> TerraformResource {
    let spec: MonitoringSpec = item.typed()?;
    let on = Body::new().set("realtime_metrics_subscription_status", "Enabled");
    let all = Body::new().block("realtime_metrics_subscription_config", on);
    let body = Body::new().set("distribution_id", spec.distribution_id).block("monitoring_subscription", all);
    Ok((vec![resource("aws_cloudfront_monitoring_subscription", item, item.id, body)], Vec::new()))
}
