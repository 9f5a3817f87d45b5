//! The battery for every CloudFront kind.

use akidb_edge::change::{compare, differing};
use akidb_edge::provider::ResourceContext;
use akidb_edge::resource::{Address, Artifacts, Attributes, FaultClass, Kind, Level};
use aws_sdk_cloudfront::types as cf;
use serde_json::{Value, json};
use testkit::battery::{BatteryCase, STACK, TestAccountWorld};

async fn world() -> TestAccountWorld {
    TestAccountWorld::new(Artifacts::default()).await
}

fn case(world: &TestAccountWorld, kind: Kind, spec: Value) -> BatteryCase<'_> {
    BatteryCase { world, kind, address: Address::new("cdn", kind, "one"), spec }
}

fn origin_access() -> Value {
    json!({"name": "models", "description": "reads the model bucket"})
}

fn cache_policy() -> Value {
    json!({
        "name": "hashed-reads", "comment": "answers by content hash", "min_ttl": 1, "default_ttl": 60, "max_ttl": 600,
        "gzip": true, "brotli": true, "headers": ["X-Akidb-Tenant-Id"], "query_strings": {"only": ["a", "b"]},
        "cookies": "none",
    })
}

fn origin_request_policy() -> Value {
    json!({
        "name": "to-origin", "comment": "what the API needs", "headers": {"only": ["Accept", "Content-Type"]},
        "query_strings": "all", "cookies": {"only": ["session"]},
    })
}

fn response_headers_policy() -> Value {
    json!({
        "name": "answers", "comment": "for browsers", "hsts_seconds": 3600, "nosniff": true,
        "custom": {"X-Akidb-Stack": "battery"},
        "cors": {"origins": ["https://demo.example.com"], "methods": ["POST", "GET"], "headers": ["*"],
                 "max_age_seconds": 60},
    })
}

fn distribution(comment: &str) -> Value {
    let version = "arn:aws:lambda:us-east-1:000000000000:function:edge:1";
    json!({
        "comment": comment, "enabled": true, "price_class": "PriceClass_100", "http_version": "http2and3",
        "ipv6": true, "aliases": ["api.example.com", "www.example.com"], "tags": {"team": "edge"},
        "certificate": {"acm_arn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
                        "ssl_support_method": "sni-only", "minimum_protocol": "TLSv1.2_2021"},
        "default_root_object": "index.html",
        "origins": [
            {"id": "eu", "domain_name": "eu.example.com", "path": "/v1",
             "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only", "read_timeout_seconds": 30}},
            {"id": "models", "domain_name": "models.s3.us-east-1.amazonaws.com", "origin_access_id": "EOAC"},
            {"id": "us", "domain_name": "us.example.com",
             "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}},
        ],
        "origin_groups": [{"id": "regions", "status_codes": [500, 502, 503, 504], "members": ["us", "eu"]}],
        "default_behaviour": {
            "target": "regions", "viewer_protocol": "redirect-to-https", "methods": ["GET", "HEAD", "OPTIONS"],
            "compress": true, "cache_policy_id": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "functions": [{"event": "origin-request", "function_arn": version, "include_body": true},
                          {"event": "viewer-response", "function_arn": version, "include_body": false}],
        },
        "behaviours": [
            {"path": "/models/*", "target": "models", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"],
             "compress": false, "cache_policy_id": "658327ea-f89d-4fab-a63d-7e88639e58f6", "functions": []},
            {"path": "/legacy/*", "target": "us", "viewer_protocol": "allow-all", "min_ttl": 30,
             "methods": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"], "compress": false,
             "functions": []},
        ],
        "logging": {"bucket": "logs.s3.amazonaws.com", "prefix": "cf/", "cookies": false},
    })
}

#[tokio::test]
async fn origin_access_battery() {
    let mut changed = origin_access();
    changed["description"] = json!("reads models and tokenizers");
    case(&world().await, Kind::OriginAccess, origin_access()).run(Some(changed)).await;
}

#[tokio::test]
async fn cache_policy_battery() {
    let mut changed = cache_policy();
    changed["headers"] = json!([]);
    changed["query_strings"] = json!("all");
    changed["max_ttl"] = json!(900);
    case(&world().await, Kind::CachePolicy, cache_policy()).run(Some(changed)).await;
}

#[tokio::test]
async fn origin_request_policy_battery() {
    let mut changed = origin_request_policy();
    changed["headers"] = json!({"all-viewer-and": ["CloudFront-Viewer-Country"]});
    changed["cookies"] = json!("all");
    case(&world().await, Kind::OriginRequestPolicy, origin_request_policy()).run(Some(changed)).await;
}

#[tokio::test]
async fn response_headers_policy_battery() {
    let mut changed = response_headers_policy();
    changed["cors"]["max_age_seconds"] = json!(120);
    changed["nosniff"] = json!(false);
    changed.as_object_mut().expect("fields").remove("hsts_seconds");
    case(&world().await, Kind::ResponseHeadersPolicy, response_headers_policy()).run(Some(changed)).await;
}

#[tokio::test]
async fn distribution_battery() {
    let mut changed = distribution("edge");
    changed["price_class"] = json!("PriceClass_200");
    changed["tags"] = json!({"cost": "low"});
    changed["default_behaviour"]["functions"] = json!([]);
    changed["behaviours"].as_array_mut().expect("behaviours").swap(0, 1);
    let fields = changed.as_object_mut().expect("fields");
    for dropped in ["logging", "ipv6", "aliases", "certificate"] {
        fields.remove(dropped);
    }
    case(&world().await, Kind::Distribution, distribution("edge")).run(Some(changed)).await;
}

#[tokio::test]
async fn a_distribution_takes_only_its_own_token_or_tags() {
    let world = world().await;
    let first = case(&world, Kind::Distribution, distribution("edge"));
    let made = first.create().await.expect("create");
    first.settle(&made.id, Level::Propagated).await;
    // The same comment at another address, no alias in common: nothing to do with it.
    let mut spec = distribution("edge");
    spec["aliases"] = json!([]);
    let address = Address::new("cdn", Kind::Distribution, "two");
    let second = BatteryCase { world: &world, kind: Kind::Distribution, address, spec };
    assert_eq!(second.read(None).await.expect("read"), None);
    // With an alias in common it stands in the way.
    let mut spec = distribution("another");
    spec["aliases"] = json!(["www.example.com"]);
    let third = BatteryCase { spec, ..second };
    let found = third.read(None).await.expect("read").expect("the holder of the alias");
    assert_eq!(found.id, made.id);
    assert!(matches!(found.owner, akidb_edge::resource::Owner::Foreign(_)));
}

#[tokio::test]
async fn monitoring_battery() {
    let world = world().await;
    let target = case(&world, Kind::Distribution, distribution("edge"));
    let made = target.create().await.expect("create");
    case(&world, Kind::Monitoring, json!({"distribution_id": made.id})).run(None).await;
}

#[tokio::test]
async fn things_of_somebody_else_are_refused() {
    let world = world().await;
    let sdk = aws_sdk_cloudfront::Client::new(&world.sdk);
    let config = cf::OriginAccessControlConfig::builder()
        .name("models")
        .signing_protocol(cf::OriginAccessControlSigningProtocols::Sigv4)
        .signing_behavior(cf::OriginAccessControlSigningBehaviors::Always)
        .origin_access_control_origin_type(cf::OriginAccessControlOriginTypes::S3);
    let config = config.build().expect("complete");
    sdk.create_origin_access_control().origin_access_control_config(config).send().await.expect("create");
    case(&world, Kind::OriginAccess, origin_access()).refuses_foreign().await;

    // Another address of the same stack whose name begins like ours is somebody else, too.
    for (kind, spec) in [
        (Kind::CachePolicy, cache_policy()),
        (Kind::OriginRequestPolicy, origin_request_policy()),
        (Kind::ResponseHeadersPolicy, response_headers_policy()),
    ] {
        let address = Address::new("cdn", kind, "one-more");
        BatteryCase { world: &world, kind, address, spec: spec.clone() }.create().await.expect("create");
        case(&world, kind, spec).refuses_foreign().await;
    }
}

#[tokio::test]
async fn what_is_taken_over_gets_our_mark() {
    let world = world().await;
    let other = Address::new("cdn", Kind::CachePolicy, "other");
    let theirs = BatteryCase { world: &world, kind: Kind::CachePolicy, address: other, spec: cache_policy() };
    theirs.create().await.expect("create");
    let ours = case(&world, Kind::CachePolicy, cache_policy());
    let found = ours.read(None).await.expect("read").expect("theirs");
    ours.update(&ours.spec, &found, &[]).await.expect("take over");
    let found = ours.read(None).await.expect("read").expect("ours");
    assert_eq!(found.owner, akidb_edge::resource::Owner::Ours);
}

#[tokio::test]
async fn a_control_that_signs_no_more_is_repaired() {
    let world = world().await;
    let control = case(&world, Kind::OriginAccess, origin_access());
    let made = control.create().await.expect("create");
    let sdk = aws_sdk_cloudfront::Client::new(&world.sdk);
    let held = sdk.get_origin_access_control().id(&made.id).send().await.expect("one");
    let config =
        held.origin_access_control.and_then(|held| held.origin_access_control_config).expect("a configuration");
    let never = cf::OriginAccessControlConfig::builder()
        .name(config.name)
        .set_description(config.description)
        .signing_protocol(cf::OriginAccessControlSigningProtocols::Sigv4)
        .signing_behavior(cf::OriginAccessControlSigningBehaviors::Never)
        .origin_access_control_origin_type(cf::OriginAccessControlOriginTypes::S3);
    let call = sdk.update_origin_access_control().id(&made.id).set_if_match(held.e_tag);
    call.origin_access_control_config(never.build().expect("complete")).send().await.expect("update");
    // A journal of an older version does not know the setting.
    let wanted = json!({"name": "models", "description": "reads the model bucket", "signing_behavior": "always",
                        "signing_protocol": "sigv4", "origin_type": "s3"});
    let found = control.read(Some(&made.id)).await.expect("read").expect("there");
    let fields = compare(Kind::OriginAccess, &wanted, Some(&origin_access()), &found.spec);
    assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["signing_behavior"]);
    control.update(&wanted, &found, &fields).await.expect("update");
    let held = sdk.get_origin_access_control().id(&made.id).send().await.expect("one").origin_access_control;
    let config = held.and_then(|held| held.origin_access_control_config).expect("a configuration");
    assert_eq!(config.signing_behavior, cf::OriginAccessControlSigningBehaviors::Always);
}

#[tokio::test]
async fn nothing_is_extra_on_what_was_just_made_and_what_others_add_is() {
    let world = world().await;
    let sdk = aws_sdk_cloudfront::Client::new(&world.sdk);
    for (kind, spec) in [
        (Kind::OriginAccess, origin_access()),
        (Kind::CachePolicy, cache_policy()),
        (Kind::OriginRequestPolicy, origin_request_policy()),
        (Kind::ResponseHeadersPolicy, response_headers_policy()),
        (Kind::Distribution, distribution("edge")),
    ] {
        let one = case(&world, kind, spec);
        let made = one.create().await.expect("create");
        let found = one.read(Some(&made.id)).await.expect("read").expect("there");
        assert_eq!(found.extras, Vec::new(), "{}", kind.name());
    }
    let policy = case(&world, Kind::ResponseHeadersPolicy, response_headers_policy());
    let id = policy.read(None).await.expect("read").expect("there").id;
    let held = sdk.get_response_headers_policy().id(&id).send().await.expect("one");
    let mut config =
        held.response_headers_policy.and_then(|held| held.response_headers_policy_config).expect("a configuration");
    let security = config.security_headers_config.as_mut().expect("some");
    let frame = cf::ResponseHeadersPolicyFrameOptions::builder().frame_option(cf::FrameOptionsList::Deny);
    security.frame_options = Some(frame.r#override(true).build().expect("complete"));
    security.strict_transport_security.as_mut().expect("some").preload = Some(true);
    let theirs = cf::ResponseHeadersPolicyCustomHeader::builder().header("X-Theirs").value("1").r#override(false);
    let custom = config.custom_headers_config.as_mut().expect("some");
    custom.items.as_mut().expect("some").push(theirs.build().expect("complete"));
    custom.quantity += 1;
    let call = sdk.update_response_headers_policy().id(&id).set_if_match(held.e_tag);
    call.response_headers_policy_config(config).send().await.expect("update");
    let found = policy.read(Some(&id)).await.expect("read").expect("there");
    let told: Vec<&str> = found.extras.iter().map(|extra| extra.path.as_str()).collect();
    assert_eq!(told, ["custom.X-Theirs", "frame_options", "hsts_preload", "custom.X-Theirs.override"]);
    assert!(found.extras.iter().all(|extra| !extra.theirs));
    // A change of ours keeps all of it.
    let mut changed = response_headers_policy();
    changed["cors"]["max_age_seconds"] = json!(90);
    changed["custom"] = json!({"X-Akidb-More": "2"});
    let fields = compare(Kind::ResponseHeadersPolicy, &changed, Some(&policy.spec), &found.spec);
    policy.update(&changed, &found, &fields).await.expect("update");
    let after = policy.read(Some(&id)).await.expect("read").expect("there");
    assert_eq!(after.extras.len(), found.extras.len() + 1, "one custom header is not the first spec's: {after:?}");
    let held = sdk.get_response_headers_policy().id(&id).send().await.expect("one").response_headers_policy;
    let config = held.and_then(|held| held.response_headers_policy_config).expect("a configuration");
    let custom = config.custom_headers_config.as_ref().expect("some");
    let mut names: Vec<&str> = custom.items().iter().map(|header| header.header()).collect();
    names.sort_unstable();
    assert_eq!(names, ["X-Akidb-More", "X-Theirs"]);
    assert!(config.security_headers_config.is_some_and(|security| security.frame_options.is_some()));
}

#[tokio::test]
async fn a_policy_that_the_plan_moved_gets_its_new_mark_and_nothing_else() {
    let world = world().await;
    let sdk = aws_sdk_cloudfront::Client::new(&world.sdk);
    let long =
        "a comment that is so long that the mark behind it leaves no room for all of it, whichever address it names";
    let mut spec = cache_policy();
    spec["comment"] = json!(long);
    let former = case(&world, Kind::CachePolicy, spec.clone());
    let made = former.create().await.expect("create");
    let comment = async || {
        let held = sdk.get_cache_policy().id(&made.id).send().await.expect("one").cache_policy;
        held.and_then(|held| held.cache_policy_config).and_then(|config| config.comment).unwrap_or_default()
    };
    let address = Address::new("cdn", Kind::CachePolicy, "renamed-and-longer");
    let (provider, none) = (world.provider(Kind::CachePolicy), Attributes::new());
    let subject = ResourceContext {
        stack: STACK,
        address: &address,
        token: "",
        spec: &spec,
        id: Some(&made.id),
        attributes: &none,
        before: Some(&spec),
        former: Some(&former.address),
        thorough: false,
        seen_absent: false,
    };
    let found = provider.read(&subject).await.expect("read").expect("there");
    let fields = differing(STACK, Kind::CachePolicy, &spec, Some(&spec), &found);
    assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["comment mark"]);
    provider.update(&subject, &found, &fields).await.expect("update");
    assert!(comment().await.ends_with("cdn.cache-policy.renamed-and-longer)"), "{}", comment().await);
    let found = provider.read(&ResourceContext { former: None, ..subject }).await.expect("read").expect("there");
    assert_eq!(found.owner, akidb_edge::resource::Owner::Ours);
    // The other way round: a call to make it, whose answer was lost, went out under the former address.
    let back = ResourceContext { address: &former.address, former: Some(&address), id: None, before: None, ..subject };
    let again = provider.create(&back).await.expect("made before");
    assert_eq!(again.id, made.id);
    assert!(comment().await.ends_with("cdn.cache-policy.one)"), "{}", comment().await);
    // What is somebody else's stays refused.
    let elsewhere = Address::new("cdn", Kind::CachePolicy, "elsewhere");
    let other = ResourceContext { address: &elsewhere, former: Some(&address), ..back };
    assert_eq!(provider.create(&other).await.expect_err("not ours").class, FaultClass::Exists);
}
