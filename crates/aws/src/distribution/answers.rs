//! A configuration as AWS returns it: with every default filled in (API reference, and answers of real distributions).
#![expect(deprecated, reason = "AWS still answers the deprecated fields")]

use super::*;

/// Fills in what AWS fills in when it takes the configuration; lists without an order come in AWS's own.
pub fn as_aws_answers(mut held: cf::DistributionConfig) -> cf::DistributionConfig {
    let nothing = || Some(String::new());
    held.aliases.get_or_insert_with(|| cf::Aliases::builder().quantity(0).build().expect("complete"));
    held.default_root_object = held.default_root_object.or_else(nothing);
    held.origin_groups.get_or_insert_with(|| cf::OriginGroups::builder().quantity(0).build().expect("complete"));
    held.cache_behaviors.get_or_insert_with(|| cf::CacheBehaviors::builder().quantity(0).build().expect("complete"));
    let errors = || cf::CustomErrorResponses::builder().quantity(0).build().expect("complete");
    for one in held.custom_error_responses.get_or_insert_with(errors).items.iter_mut().flatten() {
        one.error_caching_min_ttl.get_or_insert(10);
        one.response_code.get_or_insert_default();
        one.response_page_path.get_or_insert_default();
    }
    held.logging.get_or_insert_with(|| cf::LoggingConfig::builder().build());
    let own = cf::ViewerCertificate::builder()
        .cloud_front_default_certificate(true)
        .ssl_support_method(cf::SslSupportMethod::Vip)
        .minimum_protocol_version(cf::MinimumProtocolVersion::TlSv1)
        .certificate_source(cf::CertificateSource::Cloudfront)
        .build();
    held.viewer_certificate = held.viewer_certificate.filter(|held| held.acm_certificate_arn.is_some()).or(Some(own));
    held.restrictions.get_or_insert_with(|| {
        let nowhere = cf::GeoRestriction::builder().restriction_type(cf::GeoRestrictionType::None).quantity(0);
        cf::Restrictions::builder().geo_restriction(nowhere.build().expect("complete")).build()
    });
    held.web_acl_id = held.web_acl_id.or_else(nothing);
    held.continuous_deployment_policy_id = held.continuous_deployment_policy_id.or_else(nothing);
    held.http_version.get_or_insert(cf::HttpVersion::Http2);
    held.is_ipv6_enabled.get_or_insert(false);
    held.staging.get_or_insert(false);
    held.connection_mode.get_or_insert(cf::ConnectionMode::Direct);
    let origins = held.origins.as_mut().expect("origins");
    origins.items.iter_mut().for_each(origin);
    origins.items.sort_by(|a, b| b.id.cmp(&a.id));
    if let Some(one) = &mut held.default_cache_behavior {
        default_behavior(one);
    }
    held.cache_behaviors.iter_mut().filter_map(|list| list.items.as_mut()).flatten().for_each(behavior);
    held
}

fn origin(held: &mut cf::Origin) {
    held.origin_path.get_or_insert_default();
    held.custom_headers.get_or_insert_with(|| cf::CustomHeaders::builder().quantity(0).build().expect("complete"));
    held.connection_attempts.get_or_insert(3);
    held.connection_timeout.get_or_insert(10);
    held.origin_shield.get_or_insert_with(|| cf::OriginShield::builder().enabled(false).build().expect("complete"));
    held.origin_access_control_id.get_or_insert_default();
    if let Some(s3) = &mut held.s3_origin_config {
        s3.origin_read_timeout.get_or_insert(30);
    }
    if let Some(custom) = &mut held.custom_origin_config {
        custom.origin_read_timeout.get_or_insert(30);
        custom.origin_keepalive_timeout.get_or_insert(5);
        custom.ip_address_type.get_or_insert(cf::IpAddressType::Ipv4);
    }
}

/// The two types of the SDK have the same fields.
macro_rules! behavior {
    ($name:ident, $type:ty) => {
        fn $name(held: &mut $type) {
            held.smooth_streaming.get_or_insert(false);
            held.field_level_encryption_id.get_or_insert_default();
            let signers = || cf::TrustedSigners::builder().enabled(false).quantity(0).build().expect("complete");
            held.trusted_signers.get_or_insert_with(signers);
            let groups = || cf::TrustedKeyGroups::builder().enabled(false).quantity(0).build().expect("complete");
            held.trusted_key_groups.get_or_insert_with(groups);
            let functions = || cf::FunctionAssociations::builder().quantity(0).build().expect("complete");
            held.function_associations.get_or_insert_with(functions);
            held.grpc_config.get_or_insert_with(|| cf::GrpcConfig::builder().enabled(false).build().expect("complete"));
            if let Some(forwarded) = &mut held.forwarded_values {
                held.default_ttl.get_or_insert(86_400);
                held.max_ttl.get_or_insert(31_536_000);
                forwarded.headers.get_or_insert_with(|| cf::Headers::builder().quantity(0).build().expect("complete"));
                let keys = || cf::QueryStringCacheKeys::builder().quantity(0).build().expect("complete");
                forwarded.query_string_cache_keys.get_or_insert_with(keys);
            }
            let methods = &mut held.allowed_methods.as_mut().expect("methods").items;
            methods.sort_by(|a, b| b.as_str().cmp(a.as_str()));
        }
    };
}

behavior!(default_behavior, cf::DefaultCacheBehavior);
behavior!(behavior, cf::CacheBehavior);
