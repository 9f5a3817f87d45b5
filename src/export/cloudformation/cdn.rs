//! CloudFront.

use serde_json::{Value, json};

use super::{Item, Said, resource, tags};
use crate::export::bundle::word;
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::distribution::{Behaviour, DistributionSpec, Origin, OriginGroup};
use crate::resource::monitoring::MonitoringSpec;
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;

pub fn origin_access(item: &Item<'_>) -> Said {
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

pub fn cache_policy(item: &Item<'_>) -> Said {
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

pub fn origin_request_policy(item: &Item<'_>) -> Said {
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

pub fn response_headers_policy(item: &Item<'_>) -> Said {
    let spec: ResponseHeadersPolicySpec = item.typed()?;
    let cors = spec.cors.map(|cors| {
        json!({
            "AccessControlAllowCredentials": false, "OriginOverride": true,
            "AccessControlMaxAgeSec": cors.max_age_seconds, "AccessControlAllowHeaders": {"Items": cors.headers},
            "AccessControlAllowMethods": {"Items": cors.methods}, "AccessControlAllowOrigins": {"Items": cors.origins},
        })
    });
    let custom: Vec<Value> =
        spec.custom.iter().map(|(header, value)| json!({"Header": header, "Value": value, "Override": true})).collect();
    let hsts = spec.hsts_seconds.map(|seconds| json!({"AccessControlMaxAgeSec": seconds, "Override": true}));
    let security = (spec.nosniff || hsts.is_some()).then(|| {
        json!({"StrictTransportSecurity": hsts, "ContentTypeOptions": spec.nosniff.then(|| json!({"Override": true}))})
    });
    let properties = json!({"ResponseHeadersPolicyConfig": {
        "Name": spec.name, "Comment": item.marked(&spec.comment, 128), "CorsConfig": cors,
        "CustomHeadersConfig": (!custom.is_empty()).then(|| json!({"Items": custom})),
        "SecurityHeadersConfig": security,
    }});
    Ok((resource("AWS::CloudFront::ResponseHeadersPolicy", ("Id", item.id), properties), Vec::new()))
}

pub fn distribution(item: &Item<'_>) -> Said {
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
    let groups: Vec<Value> = spec.origin_groups.iter().map(group).collect();
    let properties = json!({
        "DistributionConfig": {
            "Comment": spec.comment, "Enabled": spec.enabled, "PriceClass": spec.price_class,
            "HttpVersion": spec.http_version, "IPV6Enabled": spec.ipv6, "Aliases": spec.aliases,
            "DefaultRootObject": spec.default_root_object, "ViewerCertificate": certificate, "Logging": logging,
            "Origins": spec.origins.iter().map(origin).collect::<Vec<_>>(),
            "OriginGroups": (!groups.is_empty()).then(|| json!({"Items": groups, "Quantity": groups.len()})),
            "DefaultCacheBehavior": behaviour(&spec.default_behaviour),
            "CacheBehaviors": spec.behaviours.iter().map(behaviour).collect::<Vec<_>>(),
        },
        "Tags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::CloudFront::Distribution", ("Id", item.id), properties), Vec::new()))
}

fn origin(origin: &Origin) -> Value {
    let custom = origin.custom.as_ref().map(|custom| {
        json!({"HTTPPort": custom.http_port, "HTTPSPort": custom.https_port, "OriginProtocolPolicy": custom.protocol,
               "OriginReadTimeout": custom.read_timeout_seconds, "OriginSSLProtocols": ["TLSv1.2"]})
    });
    json!({
        "Id": origin.id, "DomainName": origin.domain_name, "OriginPath": origin.path,
        "OriginAccessControlId": origin.origin_access_id,
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

fn behaviour(rule: &Behaviour) -> Value {
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
        "LambdaFunctionAssociations": functions,
    })
}

pub fn monitoring(item: &Item<'_>) -> Said {
    let spec: MonitoringSpec = item.typed()?;
    let properties = json!({
        "DistributionId": spec.distribution_id,
        "MonitoringSubscription":
            {"RealtimeMetricsSubscriptionConfig": {"RealtimeMetricsSubscriptionStatus": "Enabled"}},
    });
    Ok((resource("AWS::CloudFront::MonitoringSubscription", ("DistributionId", item.id), properties), Vec::new()))
}
