//! CloudFront.

use serde_json::{Value, json};

use super::{ExportItem, ResourceExport, resource, tags};
use crate::export::bundle::word;
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::distribution::{
    Behavior, CustomErrorResponse, DistributionSpec, GeoRestriction, Origin, OriginGroup,
};
use crate::resource::monitoring::MonitoringSpec;
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;

pub fn origin_access(item: &ExportItem<'_>) -> ResourceExport {
    let spec: OriginAccessSpec = item.typed()?;
    let properties = json!({"OriginAccessControlConfig": {
        "Name": spec.name, "Description": item.marked(&spec.description, 256), "OriginAccessControlOriginType": "s3",
        "SigningBehavior": "always", "SigningProtocol": "sigv4",
    }});
    Ok((resource("AWS::CloudFront::OriginAccessControl", ("Id", item.id), properties), Vec::new()))
}

fn cookies(choice: &Choice) -> Value {
    json!({"CookieBehavior": word(choice), "Cookies": choice.names()})
}

fn queries(choice: &Choice) -> Value {
    json!({"QueryStringBehavior": word(choice), "QueryStrings": choice.names()})
}

pub fn cache_policy(item: &ExportItem<'_>) -> ResourceExport {
    let spec: CachePolicySpec = item.typed()?;
    let headers = if spec.headers.is_empty() { "none" } else { "whitelist" };
    let properties = json!({"CachePolicyConfig": {
        "Name": spec.name, "Comment": item.marked(&spec.comment, 128), "MinTTL": spec.min_ttl,
        "DefaultTTL": spec.default_ttl, "MaxTTL": spec.max_ttl,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingBrotli": spec.brotli, "EnableAcceptEncodingGzip": spec.gzip,
            "HeadersConfig": {"HeaderBehavior": headers, "Headers": spec.headers},
            "CookiesConfig": cookies(&spec.cookies), "QueryStringsConfig": queries(&spec.query_strings),
        },
    }});
    Ok((resource("AWS::CloudFront::CachePolicy", ("Id", item.id), properties), Vec::new()))
}

pub fn origin_request_policy(item: &ExportItem<'_>) -> ResourceExport {
    let spec: OriginRequestPolicySpec = item.typed()?;
    let (by, names): (&str, &[String]) = match &spec.headers {
        HeaderChoice::None => ("none", &[]),
        HeaderChoice::AllViewer => ("allViewer", &[]),
        HeaderChoice::AllExcept(names) => ("allExcept", names),
        HeaderChoice::Only(names) => ("whitelist", names),
        HeaderChoice::AllViewerAnd(names) => ("allViewerAndWhitelistCloudFront", names),
    };
    let properties = json!({"OriginRequestPolicyConfig": {
        "Name": spec.name, "Comment": item.marked(&spec.comment, 128),
        "HeadersConfig": {"HeaderBehavior": by, "Headers": names},
        "CookiesConfig": cookies(&spec.cookies), "QueryStringsConfig": queries(&spec.query_strings),
    }});
    Ok((resource("AWS::CloudFront::OriginRequestPolicy", ("Id", item.id), properties), Vec::new()))
}

pub fn response_headers_policy(item: &ExportItem<'_>) -> ResourceExport {
    let spec: ResponseHeadersPolicySpec = item.typed()?;
    let cors = spec.cors.as_ref().map(|cors| {
        json!({
            "AccessControlAllowCredentials": cors.credentials.unwrap_or_default(), "OriginOverride": true,
            "AccessControlMaxAgeSec": cors.max_age_seconds, "AccessControlAllowHeaders": {"Items": cors.headers},
            "AccessControlAllowMethods": {"Items": cors.methods}, "AccessControlAllowOrigins": {"Items": cors.origins},
            "AccessControlExposeHeaders":
                cors.expose_headers.as_ref().filter(|names| !names.is_empty()).map(|names| json!({"Items": names})),
        })
    });
    let custom = spec.custom.iter().flatten();
    let custom: Vec<Value> =
        custom.map(|(header, value)| json!({"Header": header, "Value": value, "Override": true})).collect();
    let removed: Vec<Value> = spec.remove.iter().flatten().map(|name| json!({"Header": name})).collect();
    let timing = spec.server_timing_percent.filter(|percent| *percent > 0.0);
    let security = security(&spec);
    let properties = json!({"ResponseHeadersPolicyConfig": {
        "Name": spec.name, "Comment": item.marked(&spec.comment, 128), "CorsConfig": cors,
        "CustomHeadersConfig": (!custom.is_empty()).then(|| json!({"Items": custom})),
        "RemoveHeadersConfig": (!removed.is_empty()).then(|| json!({"Items": removed})),
        "SecurityHeadersConfig": security,
        "ServerTimingHeadersConfig": timing.map(|percent| json!({"Enabled": true, "SamplingRate": percent})),
    }});
    Ok((resource("AWS::CloudFront::ResponseHeadersPolicy", ("Id", item.id), properties), Vec::new()))
}

/// The security headers that the plan asks for, if any.
fn security(spec: &ResponseHeadersPolicySpec) -> Option<Value> {
    let nosniff = spec.nosniff == Some(true);
    let others = [&spec.frame_options, &spec.referrer_policy, &spec.content_security_policy];
    let any = nosniff || spec.hsts_seconds.is_some() || spec.xss_protection.is_some();
    (any || others.into_iter().any(Option::is_some)).then(|| {
        json!({
            "StrictTransportSecurity": spec.hsts_seconds.map(|seconds| json!({
                "AccessControlMaxAgeSec": seconds, "IncludeSubdomains": spec.hsts_include_subdomains,
                "Preload": spec.hsts_preload, "Override": true,
            })),
            "ContentTypeOptions": nosniff.then(|| json!({"Override": true})),
            "FrameOptions": spec.frame_options.as_ref().map(|word| json!({"FrameOption": word, "Override": true})),
            "ReferrerPolicy":
                spec.referrer_policy.as_ref().map(|word| json!({"ReferrerPolicy": word, "Override": true})),
            "ContentSecurityPolicy": spec
                .content_security_policy
                .as_ref()
                .map(|text| json!({"ContentSecurityPolicy": text, "Override": true})),
            "XSSProtection": spec.xss_protection.as_ref().map(|xss| json!({
                "Protection": xss.enabled, "ModeBlock": xss.block, "ReportUri": xss.report_uri, "Override": true,
            })),
        })
    })
}

pub fn distribution(item: &ExportItem<'_>) -> ResourceExport {
    let spec: DistributionSpec = item.typed()?;
    let certificate = spec.certificate.map_or_else(
        || json!({"CloudFrontDefaultCertificate": true}),
        |shown| {
            json!({"AcmCertificateArn": shown.acm_arn,
                   "MinimumProtocolVersion": shown.minimum_protocol.unwrap_or_else(|| "TLSv1.2_2021".to_owned()),
                   "SslSupportMethod": shown.ssl_support_method.unwrap_or_else(|| "sni-only".to_owned())})
        },
    );
    let logging =
        spec.logging.map(|logs| json!({"Bucket": logs.bucket, "IncludeCookies": logs.cookies, "Prefix": logs.prefix}));
    let errors = spec.custom_error_responses.filter(|all| !all.is_empty());
    let errors = errors.map(|all| all.iter().map(error_response).collect::<Vec<_>>());
    let groups: Vec<Value> = spec.origin_groups.iter().map(group).collect();
    let properties = json!({
        "DistributionConfig": {
            "Comment": spec.comment, "Enabled": spec.enabled, "PriceClass": spec.price_class,
            "HttpVersion": spec.http_version, "IPV6Enabled": spec.ipv6, "Aliases": spec.aliases,
            "DefaultRootObject": spec.default_root_object, "ViewerCertificate": certificate, "Logging": logging,
            "Origins": spec.origins.iter().map(origin).collect::<Vec<_>>(),
            "OriginGroups": (!groups.is_empty()).then(|| json!({"Items": groups, "Quantity": groups.len()})),
            "DefaultCacheBehavior": behavior(&spec.default_behavior),
            "CacheBehaviors": spec.behaviors.iter().map(behavior).collect::<Vec<_>>(),
            "CustomErrorResponses": errors, "WebACLId": spec.web_acl_id.filter(|id| !id.is_empty()),
            "Restrictions": spec.geo_restriction.as_ref().map(restrictions),
        },
        "Tags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::CloudFront::Distribution", ("Id", item.id), properties), Vec::new()))
}

fn error_response(response: &CustomErrorResponse) -> Value {
    json!({"ErrorCode": response.code, "ResponseCode": response.response_code, "ResponsePagePath": response.page,
           "ErrorCachingMinTTL": response.min_ttl_seconds})
}

fn restrictions(wanted: &GeoRestriction) -> Value {
    let geo = match wanted {
        GeoRestriction::None => json!({"RestrictionType": "none"}),
        GeoRestriction::Allow(list) => json!({"RestrictionType": "whitelist", "Locations": list}),
        GeoRestriction::Deny(list) => json!({"RestrictionType": "blacklist", "Locations": list}),
    };
    json!({"GeoRestriction": geo})
}

fn origin(origin: &Origin) -> Value {
    let headers = origin.headers.as_ref().filter(|headers| !headers.is_empty());
    let headers = headers.map(|headers| {
        headers.iter().map(|(name, value)| json!({"HeaderName": name, "HeaderValue": value})).collect::<Vec<_>>()
    });
    let shield = origin.shield.as_ref().filter(|region| !region.is_empty());
    let custom = origin.custom.as_ref().map(|custom| {
        json!({"HTTPPort": custom.http_port, "HTTPSPort": custom.https_port, "OriginProtocolPolicy": custom.protocol,
               "OriginReadTimeout": custom.read_timeout_seconds,
               "OriginKeepaliveTimeout": custom.keepalive_timeout_seconds, "OriginSSLProtocols": ["TLSv1.2"]})
    });
    json!({
        "Id": origin.id, "DomainName": origin.domain_name, "OriginPath": origin.path,
        "OriginAccessControlId": origin.origin_access_id, "OriginCustomHeaders": headers,
        "OriginShield": shield.map(|region| json!({"Enabled": true, "OriginShieldRegion": region})),
        "ConnectionAttempts": origin.connection_attempts, "ConnectionTimeout": origin.connection_timeout_seconds,
        "S3OriginConfig": custom.is_none().then(|| json!({"OriginAccessIdentity": ""})), "CustomOriginConfig": custom,
    })
}

fn group(group: &OriginGroup) -> Value {
    let members: Vec<Value> = group.members.iter().map(|id| json!({"OriginId": id})).collect();
    json!({
        "Id": group.id, "Members": {"Items": members, "Quantity": members.len()},
        "FailoverCriteria": {"StatusCodes": {"Items": group.status_codes, "Quantity": group.status_codes.len()}},
    })
}

fn behavior(rule: &Behavior) -> Value {
    let has_options = rule.methods.iter().any(|method| method == "OPTIONS");
    let cached: &[&str] = if has_options { &["GET", "HEAD", "OPTIONS"] } else { &["GET", "HEAD"] };
    let functions: Vec<Value> = rule
        .functions
        .iter()
        .map(|one| {
            json!({"EventType": one.event, "IncludeBody": one.include_body, "LambdaFunctionARN": one.function_arn})
        })
        .collect();
    let legacy = rule.cache_policy_id.is_none();
    json!({
        "PathPattern": rule.path, "TargetOriginId": rule.target, "ViewerProtocolPolicy": rule.viewer_protocol,
        "AllowedMethods": rule.methods, "CachedMethods": cached, "Compress": rule.compress,
        "CachePolicyId": rule.cache_policy_id, "OriginRequestPolicyId": rule.origin_request_policy_id,
        "ResponseHeadersPolicyId": rule.response_headers_policy_id, "MinTTL": rule.min_ttl,
        "ForwardedValues": legacy.then(|| json!({"QueryString": false, "Cookies": {"Forward": "none"}})),
        "TrustedKeyGroups": rule.trusted_key_groups.as_ref().filter(|groups| !groups.is_empty()),
        "LambdaFunctionAssociations": functions,
    })
}

pub fn monitoring(item: &ExportItem<'_>) -> ResourceExport {
    let spec: MonitoringSpec = item.typed()?;
    let properties = json!({
        "DistributionId": spec.distribution_id,
        "MonitoringSubscription":
            {"RealtimeMetricsSubscriptionConfig": {"RealtimeMetricsSubscriptionStatus": "Enabled"}},
    });
    Ok((resource("AWS::CloudFront::MonitoringSubscription", ("DistributionId", item.id), properties), Vec::new()))
}
