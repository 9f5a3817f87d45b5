//! Against a configuration as AWS answers it, with every default filled in.
#![expect(deprecated, reason = "AWS still answers the deprecated fields")]

use serde_json::{Value, json};

use super::*;
use crate::change::compare;
use crate::resource::Kind;

fn spec() -> Value {
    json!({
        "comment": "edge", "enabled": true, "price_class": "PriceClass_100",
        "origins": [
            {"id": "api", "domain_name": "api.example.com",
             "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}},
            {"id": "models", "domain_name": "models.s3.us-east-1.amazonaws.com", "origin_access_id": "EOAC"},
        ],
        "default_behaviour": {
            "target": "api", "viewer_protocol": "redirect-to-https", "methods": ["GET", "HEAD", "OPTIONS"],
            "compress": true, "cache_policy_id": "policy", "functions": [],
        },
        "behaviours": [
            {"path": "/legacy/*", "target": "models", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"],
             "compress": false, "min_ttl": 60, "functions": []},
        ],
    })
}

fn typed(spec: &Value) -> DistributionSpec {
    serde_json::from_value(spec.clone()).expect("a distribution spec")
}

fn empty_headers() -> cf::CustomHeaders {
    cf::CustomHeaders::builder().quantity(0).build().expect("complete")
}

/// Fills in what AWS fills in when it takes the configuration (API reference, and the answers of real distributions).
fn as_aws_answers(mut config: cf::DistributionConfig) -> cf::DistributionConfig {
    config.aliases = Some(cf::Aliases::builder().quantity(0).build().expect("complete"));
    config.default_root_object = Some(String::new());
    config.origin_groups = Some(cf::OriginGroups::builder().quantity(0).build().expect("complete"));
    config.custom_error_responses = Some(cf::CustomErrorResponses::builder().quantity(0).build().expect("complete"));
    config.logging = Some(cf::LoggingConfig::builder().build());
    config.viewer_certificate = Some(
        cf::ViewerCertificate::builder()
            .cloud_front_default_certificate(true)
            .ssl_support_method(cf::SslSupportMethod::Vip)
            .minimum_protocol_version(cf::MinimumProtocolVersion::TlSv1)
            .certificate_source(cf::CertificateSource::Cloudfront)
            .build(),
    );
    let nowhere = cf::GeoRestriction::builder().restriction_type(cf::GeoRestrictionType::None).quantity(0);
    let nowhere = nowhere.build().expect("complete");
    config.restrictions = Some(cf::Restrictions::builder().geo_restriction(nowhere).build());
    (config.web_acl_id, config.continuous_deployment_policy_id) = (Some(String::new()), Some(String::new()));
    (config.http_version, config.is_ipv6_enabled, config.staging) =
        (Some(cf::HttpVersion::Http2), Some(false), Some(false));
    let origins = config.origins.as_mut().expect("origins");
    for origin in &mut origins.items {
        origin.origin_path = Some(String::new());
        origin.custom_headers = Some(empty_headers());
        (origin.connection_attempts, origin.connection_timeout) = (Some(3), Some(10));
        origin.origin_shield = Some(cf::OriginShield::builder().enabled(false).build().expect("complete"));
        origin.origin_access_control_id.get_or_insert_default();
        if let Some(custom) = &mut origin.custom_origin_config {
            (custom.origin_read_timeout, custom.origin_keepalive_timeout) = (Some(30), Some(5));
        }
    }
    // The order of origins is AWS's own.
    origins.items.reverse();
    if let Some(default) = &mut config.default_cache_behavior {
        default.smooth_streaming = Some(false);
        default.field_level_encryption_id = Some(String::new());
        default.trusted_key_groups =
            Some(cf::TrustedKeyGroups::builder().enabled(false).quantity(0).build().expect("complete"));
        default.grpc_config = Some(cf::GrpcConfig::builder().enabled(false).build().expect("complete"));
        // The order of methods, too.
        default.allowed_methods.as_mut().expect("methods").items.reverse();
    }
    for behaviour in config.cache_behaviors.iter_mut().filter_map(|list| list.items.as_mut()).flatten() {
        (behaviour.default_ttl, behaviour.max_ttl) = (Some(86_400), Some(31_536_000));
        behaviour.smooth_streaming = Some(false);
    }
    config
}

fn read_back(config: &cf::DistributionConfig) -> Value {
    serde_json::to_value(read::spec(config.clone(), BTreeMap::new()).expect("a spec")).expect("plain data")
}

#[test]
fn the_defaults_that_aws_fills_in_are_no_change() {
    let wanted = serde_json::to_value(typed(&spec())).expect("plain data");
    let held = as_aws_answers(write::fresh(&typed(&spec()), "token").expect("a configuration"));
    let changes = compare(Kind::Distribution, &wanted, Some(&wanted), &read_back(&held));
    assert!(changes.is_empty(), "{changes:#?}");
    // A plan that states the defaults has nothing to change either.
    let mut stated = spec();
    stated["http_version"] = json!("http2");
    stated["ipv6"] = json!(false);
    stated["origins"][0]["custom"]["read_timeout_seconds"] = json!(30);
    let changes = compare(Kind::Distribution, &stated, Some(&stated), &read_back(&held));
    assert!(changes.is_empty(), "{changes:#?}");
}

#[test]
fn an_update_writes_what_was_read_but_for_the_fields_of_the_plan() {
    let mut held = as_aws_answers(write::fresh(&typed(&spec()), "token").expect("a configuration"));
    held.web_acl_id = Some("acl".into());
    held.is_ipv6_enabled = Some(true);
    held.aliases = Some(cf::Aliases::builder().quantity(1).items("theirs.example.com").build().expect("complete"));
    held.origins.as_mut().expect("origins").items[0].connection_attempts = Some(1);
    held.default_cache_behavior.as_mut().expect("one").field_level_encryption_id = Some("fle".into());
    let mut to = spec();
    to["price_class"] = json!("PriceClass_200");
    let fields = compare(Kind::Distribution, &to, Some(&spec()), &read_back(&held));
    assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["price_class"]);
    let mut written = write::apply(held.clone(), &typed(&to), Edit::of(&fields)).expect("a configuration");
    // The order of origins is the plan's; everything else is as it was.
    written.origins.as_mut().expect("origins").items.reverse();
    held.price_class = Some(cf::PriceClass::PriceClass200);
    assert_eq!(written, held);
}

#[test]
fn what_the_plan_states_no_more_goes_back_to_the_default() {
    let mut before = spec();
    before["ipv6"] = json!(true);
    before["http_version"] = json!("http2and3");
    before["aliases"] = json!(["api.example.com"]);
    before["certificate"] = json!({"acm_arn": "arn:acm", "minimum_protocol": "TLSv1.2_2025"});
    before["default_root_object"] = json!("index.html");
    before["logging"] = json!({"bucket": "logs.s3.amazonaws.com", "prefix": "cf/"});
    before["origin_groups"] = json!([{"id": "both", "status_codes": [500, 503], "members": ["api", "models"]}]);
    before["origins"][0]["custom"]["read_timeout_seconds"] = json!(55);
    let held = write::fresh(&typed(&before), "token").expect("a configuration");
    let found = read_back(&held);
    assert!(compare(Kind::Distribution, &before, None, &found).is_empty());
    let mut to = spec();
    to["behaviours"] = json!([]);
    let to = serde_json::to_value(typed(&to)).expect("plain data");
    let fields = compare(Kind::Distribution, &to, Some(&before), &found);
    let written = write::apply(held, &typed(&to), Edit::of(&fields)).expect("a configuration");
    let mut expected = write::fresh(&typed(&to), "token").expect("a configuration");
    expected.default_root_object = Some(String::new());
    expected.logging = Some(cf::LoggingConfig::builder().build());
    (expected.is_ipv6_enabled, expected.http_version) = (Some(false), Some(cf::HttpVersion::Http2));
    let custom = &mut expected.origins.as_mut().expect("origins").items[0].custom_origin_config;
    custom.as_mut().expect("custom").origin_read_timeout = Some(30);
    assert_eq!(written, expected);
}

#[test]
fn an_origin_or_behaviour_may_change_its_sort() {
    let held = as_aws_answers(write::fresh(&typed(&spec()), "token").expect("a configuration"));
    let mut to = spec();
    to["origins"][0] = json!({"id": "api", "domain_name": "b.s3.amazonaws.com", "origin_access_id": "EOAC"});
    to["origins"][1] = json!({"id": "models", "domain_name": "m.example.com",
                              "custom": {"http_port": 80, "https_port": 443, "protocol": "http-only"}});
    to["behaviours"][0].as_object_mut().expect("one").remove("min_ttl");
    to["behaviours"][0]["cache_policy_id"] = json!("policy");
    to["default_behaviour"].as_object_mut().expect("one").remove("cache_policy_id");
    to["default_behaviour"]["min_ttl"] = json!(5);
    // As when it is taken up without a memory of what was stated before.
    let fields = compare(Kind::Distribution, &to, None, &read_back(&held));
    let written = write::apply(held, &typed(&to), Edit::of(&fields)).expect("a configuration");
    let left = compare(Kind::Distribution, &to, Some(&to), &read_back(&written));
    assert!(left.is_empty(), "{left:#?}");
    let origins = &written.origins.as_ref().expect("origins").items;
    assert!(origins[0].custom_origin_config.is_none() && origins[0].s3_origin_config.is_some());
    assert!(origins[1].custom_origin_config.is_some() && origins[1].s3_origin_config.is_none());
    assert_eq!(origins[1].origin_access_control_id.as_deref(), Some(""));
    let by_path = &written.cache_behaviors.as_ref().expect("one").items()[0];
    assert_eq!((by_path.min_ttl, by_path.default_ttl, by_path.forwarded_values.is_none()), (None, None, true));
}
