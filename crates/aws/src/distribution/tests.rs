//! Against a configuration as AWS answers it, with every default filled in.
#![expect(deprecated, reason = "AWS still answers the deprecated fields")]

use serde_json::{Value, json};

use super::answers::as_aws_answers;
use super::*;
use crate::resource::{Address, Kind};
use akidb_edge_engine::change::compare;

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

/// What is read of it, beside this plan and this earlier run.
fn read_back(config: &cf::DistributionConfig, wanted: &Value, before: Option<&Value>) -> (Value, Vec<String>) {
    let (address, attributes) = (Address::new("cdn", Kind::Distribution, "main"), Attributes::new());
    let subject = ResourceContext {
        stack: "prod",
        address: &address,
        token: "",
        spec: wanted,
        id: None,
        attributes: &attributes,
        before,
        former: None,
        thorough: false,
        seen_absent: false,
    };
    let (spec, extras) = read::parted(&subject, config.clone(), BTreeMap::new()).expect("a spec");
    (spec, extras.into_iter().map(|extra| format!("{} {}", extra.path, extra.value)).collect())
}

fn differing(config: &cf::DistributionConfig, wanted: &Value, before: Option<&Value>) -> Vec<String> {
    let wanted = serde_json::to_value(typed(wanted)).expect("plain data");
    let (found, _) = read_back(config, &wanted, before);
    compare(Kind::Distribution, &wanted, before, &found).into_iter().map(|field| field.path).collect()
}

fn fresh(spec: &Value) -> cf::DistributionConfig {
    write::fresh(&typed(spec), "token").expect("a configuration")
}

#[test]
fn the_defaults_that_aws_fills_in_are_no_change_and_no_extra() {
    let held = as_aws_answers(fresh(&spec()));
    assert!(differing(&held, &spec(), Some(&spec())).is_empty());
    assert_eq!(read_back(&held, &spec(), Some(&spec())).1, Vec::<String>::new());
    // The same for what a local AWS answers: just what was sent.
    assert_eq!(read_back(&fresh(&spec()), &spec(), None).1, Vec::<String>::new());
    // A plan that states the defaults has nothing to change either.
    let mut stated = spec();
    stated["http_version"] = json!("http2");
    stated["ipv6"] = json!(false);
    stated["aliases"] = json!([]);
    stated["default_root_object"] = json!("");
    stated["geo_restriction"] = json!("none");
    stated["custom_error_responses"] = json!([]);
    stated["origins"][0]["path"] = json!("");
    stated["origins"][0]["custom"]["read_timeout_seconds"] = json!(30);
    assert_eq!(differing(&held, &stated, Some(&stated)), Vec::<String>::new());
    // One that stated them before and does not any more has nothing to take back.
    assert_eq!(differing(&held, &spec(), Some(&stated)), Vec::<String>::new());
}

#[test]
fn an_update_writes_what_was_read_but_for_the_fields_of_the_plan() {
    let mut held = as_aws_answers(fresh(&spec()));
    held.web_acl_id = Some("acl".into());
    held.is_ipv6_enabled = Some(true);
    held.aliases = Some(cf::Aliases::builder().quantity(1).items("theirs.example.com").build().expect("complete"));
    held.origins.as_mut().expect("origins").items[0].connection_attempts = Some(1);
    held.default_cache_behavior.as_mut().expect("one").field_level_encryption_id = Some("fle".into());
    let mut to = spec();
    to["price_class"] = json!("PriceClass_200");
    assert_eq!(differing(&held, &to, Some(&spec())), ["price_class"]);
    let written = write::apply(held.clone(), &typed(&to), Some(&typed(&spec()))).expect("a configuration");
    held.price_class = Some(cf::PriceClass::PriceClass200);
    assert_eq!(written, held);
}

/// A change by hand.
type ByHand = fn(&mut cf::DistributionConfig);

/// Everything that nobody asked for, one setting each, and the path under which it is shown.
fn drifts() -> Vec<(&'static str, ByHand)> {
    fn first(held: &mut cf::DistributionConfig) -> &mut cf::Origin {
        let origins = &mut held.origins.as_mut().expect("origins").items;
        origins.iter_mut().find(|origin| origin.id == "api").expect("the origin")
    }
    fn default(held: &mut cf::DistributionConfig) -> &mut cf::DefaultCacheBehavior {
        held.default_cache_behavior.as_mut().expect("one")
    }
    vec![
        (r#"http_version "http3""#, |held| held.http_version = Some(cf::HttpVersion::Http3)),
        ("ipv6 true", |held| held.is_ipv6_enabled = Some(true)),
        (r#"default_root_object "x.html""#, |held| held.default_root_object = Some("x.html".into())),
        (r#"web_acl_id "acl""#, |held| held.web_acl_id = Some("acl".into())),
        (r#"aliases ["a.example.com"]"#, |held| {
            held.aliases = Some(cf::Aliases::builder().quantity(1).items("a.example.com").build().expect("complete"));
        }),
        (r#"geo_restriction {"deny":["DE"]}"#, |held| {
            let geo = cf::GeoRestriction::builder().restriction_type(cf::GeoRestrictionType::Blacklist).quantity(1);
            let geo = geo.items("DE").build().expect("complete");
            held.restrictions = Some(cf::Restrictions::builder().geo_restriction(geo).build());
        }),
        (r#"custom_error_responses.404 {"code":404}"#, |held| {
            let one = cf::CustomErrorResponse::builder().error_code(404).build().expect("complete");
            let list = cf::CustomErrorResponses::builder().quantity(1).items(one).build();
            held.custom_error_responses = Some(list.expect("complete"));
        }),
        (r#"logging {"bucket":"b.s3.amazonaws.com","prefix":"p"}"#, |held| {
            let logging = cf::LoggingConfig::builder().enabled(true).bucket("b.s3.amazonaws.com").prefix("p");
            held.logging = Some(logging.build());
        }),
        (r#"certificate {"acm_arn":"arn:acm"}"#, |held| {
            held.viewer_certificate = Some(cf::ViewerCertificate::builder().acm_certificate_arn("arn:acm").build());
        }),
        ("staging true", |held| held.staging = Some(true)),
        (r#"origins.api.path "/v2""#, |held| first(held).origin_path = Some("/v2".into())),
        ("origins.api.connection_attempts 1", |held| first(held).connection_attempts = Some(1)),
        ("origins.api.connection_timeout_seconds 4", |held| first(held).connection_timeout = Some(4)),
        (r#"origins.api.headers {"X-Secret":"s"}"#, |held| {
            let one = cf::OriginCustomHeader::builder().header_name("X-Secret").header_value("s").build();
            let list = cf::CustomHeaders::builder().quantity(1).items(one.expect("complete")).build();
            first(held).custom_headers = Some(list.expect("complete"));
        }),
        (r#"origins.api.shield "us-east-1""#, |held| {
            let shield = cf::OriginShield::builder().enabled(true).origin_shield_region("us-east-1").build();
            first(held).origin_shield = Some(shield.expect("complete"));
        }),
        ("origins.api.custom.read_timeout_seconds 9", |held| {
            first(held).custom_origin_config.as_mut().expect("custom").origin_read_timeout = Some(9);
        }),
        (r#"origins.api.custom.ssl_protocols ["TLSv1"]"#, |held| {
            let protocols = cf::OriginSslProtocols::builder().quantity(1).items(cf::SslProtocol::TlSv1).build();
            let custom = first(held).custom_origin_config.as_mut().expect("custom");
            custom.origin_ssl_protocols = Some(protocols.expect("complete"));
        }),
        (r#"default_behaviour.trusted_key_groups ["K1"]"#, |held| {
            let groups = cf::TrustedKeyGroups::builder().enabled(true).quantity(1).items("K1").build();
            default(held).trusted_key_groups = Some(groups.expect("complete"));
        }),
        (r#"default_behaviour.response_headers_policy_id "rhp""#, |held| {
            default(held).response_headers_policy_id = Some("rhp".into());
        }),
        (r#"default_behaviour.cloudfront_functions {"viewer-request":"arn:fn"}"#, |held| {
            let one =
                cf::FunctionAssociation::builder().event_type(cf::EventType::ViewerRequest).function_arn("arn:fn");
            let list = cf::FunctionAssociations::builder().quantity(1).items(one.build().expect("complete")).build();
            default(held).function_associations = Some(list.expect("complete"));
        }),
        (r#"default_behaviour.field_level_encryption_id "fle""#, |held| {
            default(held).field_level_encryption_id = Some("fle".into());
        }),
        ("behaviours./legacy/*.max_ttl 5", |held| {
            held.cache_behaviors.as_mut().expect("some").items.as_mut().expect("some")[0].max_ttl = Some(5);
        }),
    ]
}

#[test]
fn what_nobody_asked_for_is_seen_and_an_update_keeps_it() {
    for (told, set) in drifts() {
        let mut held = as_aws_answers(fresh(&spec()));
        set(&mut held);
        assert_eq!(read_back(&held, &spec(), Some(&spec())).1, [told]);
        assert_eq!(differing(&held, &spec(), Some(&spec())), Vec::<String>::new(), "{told}");
        let mut to = spec();
        to["comment"] = json!("other words");
        let written = write::apply(held.clone(), &typed(&to), Some(&typed(&spec()))).expect("a configuration");
        held.comment = "other words".into();
        assert_eq!(written, held, "{told}");
    }
}

#[test]
fn an_empty_value_says_that_nothing_may_stand_there() {
    let empties = [
        ("default_root_object", "", json!("")),
        ("web_acl_id", "", json!("")),
        ("aliases", "", json!([])),
        ("geo_restriction", "", json!("none")),
        ("custom_error_responses", "", json!([])),
        ("origins.api.path", "/origins/0", json!("")),
        ("origins.api.shield", "/origins/0", json!("")),
        ("default_behaviour.trusted_key_groups", "/default_behaviour", json!([])),
    ];
    for (path, parent, empty) in empties {
        let (_, set) = drifts().into_iter().find(|(told, _)| told.starts_with(path)).expect("a change by hand");
        let mut held = as_aws_answers(fresh(&spec()));
        set(&mut held);
        let mut to = spec();
        let field = path.rsplit('.').next().expect("a name");
        to.pointer_mut(parent).and_then(Value::as_object_mut).expect("there").insert(field.to_owned(), empty);
        assert_eq!(differing(&held, &to, Some(&spec())).len(), 1, "{path}");
        let written = write::apply(held, &typed(&to), Some(&typed(&spec()))).expect("a configuration");
        assert_eq!(written, as_aws_answers(fresh(&spec())), "{path}");
    }
}

#[test]
fn behaviours_of_others_keep_their_place_and_what_they_lead_to() {
    let mut before = spec();
    before["origins"].as_array_mut().expect("a list").push(json!({"id": "old", "domain_name": "old.example.com",
        "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}}));
    let mut held = fresh(&before);
    let theirs = |path: &str| {
        let new = cf::CacheBehavior::builder().path_pattern(path).target_origin_id("old");
        new.viewer_protocol_policy(cf::ViewerProtocolPolicy::HttpsOnly).cache_policy_id("p").build().expect("complete")
    };
    let list = held.cache_behaviors.as_mut().expect("some").items.as_mut().expect("some");
    list.insert(0, theirs("/first"));
    list.push(theirs("/last"));
    let (found, extras) = read_back(&held, &before, Some(&before));
    assert_eq!(found["behaviours"].as_array().map(Vec::len), Some(1));
    let told: Vec<&str> = extras.iter().filter_map(|extra| extra.split(' ').next()).collect();
    assert_eq!(told, ["behaviours./first", "behaviours./last"]);
    // The plan gives up the origin and adds a behavior.
    let mut to = spec();
    let mut more = to["behaviours"][0].clone();
    more["path"] = json!("/more/*");
    to["behaviours"].as_array_mut().expect("a list").push(more);
    let written = write::apply(held, &typed(&to), Some(&typed(&before))).expect("a configuration");
    let paths = |held: &cf::DistributionConfig| -> Vec<String> {
        let list = held.cache_behaviors.as_ref().expect("some").items();
        list.iter().map(|one| one.path_pattern.clone()).collect()
    };
    assert_eq!(paths(&written), ["/first", "/legacy/*", "/last", "/more/*"]);
    let ids = |held: &cf::DistributionConfig| -> Vec<String> {
        held.origins.as_ref().expect("some").items.iter().map(|origin| origin.id.clone()).collect()
    };
    assert_eq!(ids(&written), ["api", "models", "old"]);
    assert_eq!(differing(&written, &to, Some(&to)), Vec::<String>::new());
    // Ours go when the plan gives them up; theirs stay.
    to["behaviours"] = json!([]);
    let written = write::apply(written, &typed(&to), Some(&typed(&before))).expect("a configuration");
    assert_eq!(paths(&written), ["/first", "/last", "/more/*"]);
}

#[test]
fn what_the_plan_states_no_more_goes_back_though_its_place_in_a_list_changes() {
    let mut before = spec();
    before["origins"][1]["path"] = json!("/models");
    before["origins"][1]["headers"] = json!({"X-Secret": "s"});
    before["behaviours"][0]["response_headers_policy_id"] = json!("policy");
    let held = as_aws_answers(fresh(&before));
    let mut to = spec();
    to["origins"].as_array_mut().expect("a list").remove(0);
    to["default_behaviour"]["target"] = json!("models");
    let mut first = to["behaviours"][0].clone();
    first["path"] = json!("/a/*");
    to["behaviours"].as_array_mut().expect("a list").insert(0, first);
    let written = write::apply(held, &typed(&to), Some(&typed(&before))).expect("a configuration");
    let (found, extras) = read_back(&written, &to, None);
    assert_eq!(extras, Vec::<String>::new());
    assert_eq!(found["behaviours"].as_array().map(Vec::len), Some(2));
    assert_eq!(differing(&written, &to, Some(&before)), Vec::<String>::new());
}

#[test]
fn an_origin_or_behaviour_may_change_its_sort() {
    let held = as_aws_answers(fresh(&spec()));
    let mut to = spec();
    to["origins"][0] = json!({"id": "api", "domain_name": "b.s3.amazonaws.com", "origin_access_id": "EOAC"});
    to["origins"][1] = json!({"id": "models", "domain_name": "m.example.com",
                              "custom": {"http_port": 80, "https_port": 443, "protocol": "http-only"}});
    to["behaviours"][0].as_object_mut().expect("one").remove("min_ttl");
    to["behaviours"][0]["cache_policy_id"] = json!("policy");
    to["default_behaviour"].as_object_mut().expect("one").remove("cache_policy_id");
    to["default_behaviour"]["min_ttl"] = json!(5);
    // As when it is taken up without a memory of what was stated before.
    let written = write::apply(held, &typed(&to), None).expect("a configuration");
    assert_eq!(differing(&written, &to, Some(&to)), Vec::<String>::new());
    let find = |id: &str| {
        let origins = &written.origins.as_ref().expect("origins").items;
        origins.iter().find(|origin| origin.id == id).expect("the origin").clone()
    };
    let (api, models) = (find("api"), find("models"));
    assert!(api.custom_origin_config.is_none() && api.s3_origin_config.is_some());
    assert!(models.custom_origin_config.is_some() && models.s3_origin_config.is_none());
    assert_eq!(models.origin_access_control_id.as_deref(), Some(""));
    let by_path = &written.cache_behaviors.as_ref().expect("one").items()[0];
    assert_eq!((by_path.min_ttl, by_path.default_ttl, by_path.forwarded_values.is_none()), (None, None, true));
}

#[test]
fn everything_that_was_asked_for_goes_back_to_the_default() {
    let mut before = spec();
    before["ipv6"] = json!(true);
    before["http_version"] = json!("http2and3");
    before["aliases"] = json!(["api.example.com"]);
    before["certificate"] = json!({"acm_arn": "arn:acm", "minimum_protocol": "TLSv1.2_2025"});
    before["default_root_object"] = json!("index.html");
    before["web_acl_id"] = json!("acl");
    before["geo_restriction"] = json!({"allow": ["DE"]});
    before["custom_error_responses"] = json!([{"code": 404, "page": "/404.html", "response_code": 404}]);
    before["logging"] = json!({"bucket": "logs.s3.amazonaws.com", "prefix": "cf/"});
    before["origin_groups"] = json!([{"id": "both", "status_codes": [500, 503], "members": ["api", "models"]}]);
    before["origins"][0]["custom"]["read_timeout_seconds"] = json!(55);
    before["origins"][0]["custom"]["keepalive_timeout_seconds"] = json!(55);
    before["origins"][0]["shield"] = json!("us-east-1");
    before["origins"][0]["headers"] = json!({"X-Secret": "s"});
    before["origins"][0]["connection_attempts"] = json!(1);
    before["origins"][0]["connection_timeout_seconds"] = json!(1);
    before["origins"][0]["path"] = json!("/x");
    before["default_behaviour"]["trusted_key_groups"] = json!(["K1"]);
    before["default_behaviour"]["origin_request_policy_id"] = json!("orp");
    before["default_behaviour"]["response_headers_policy_id"] = json!("rhp");
    let held = as_aws_answers(fresh(&before));
    assert_eq!(differing(&held, &before, Some(&before)), Vec::<String>::new());
    assert_eq!(read_back(&held, &before, None).1, Vec::<String>::new());
    let written = write::apply(held, &typed(&spec()), Some(&typed(&before))).expect("a configuration");
    let mut written = as_aws_answers(written);
    let mut expected = as_aws_answers(fresh(&spec()));
    let order = |held: &mut cf::DistributionConfig| {
        held.origins.as_mut().expect("some").items.sort_by(|a, b| a.id.cmp(&b.id));
    };
    order(&mut written);
    order(&mut expected);
    assert_eq!(written, expected);
    assert_eq!(read_back(&written, &spec(), None).1, Vec::<String>::new());
}
