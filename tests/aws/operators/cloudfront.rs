//! CloudFront: what a plan gives up goes back, what others set is seen.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;
use serde_json::{Value, json};

use crate::operators::stack::Stack;
use testkit::proxy::wait;

#[path = "../../../crates/aws/src/distribution/answers.rs"]
mod answers;
#[path = "cloudfront_settings.rs"]
mod settings;

/// A distribution with two origins and one policy of each kind, and a bucket.
fn base(stack: &Stack) -> Value {
    let custom = json!({"http_port": 80, "https_port": 443, "protocol": "https-only"});
    json!({
        "prefix": stack.name(), "comment": "unset", "price_class": "PriceClass_All",
        "origins": {
            "a": {"domain": "a.example.com", "custom": custom}, "b": {"domain": "b.example.com", "custom": custom},
        },
        "default_behavior": {"target": "a", "cache_policy": "CachingOptimized"},
        "behaviors": [{"path": "/b/*", "target": "b", "cache_policy": "own"}],
        "cache_policies": {"own": {"min_ttl": 0, "default_ttl": 60, "max_ttl": 600}},
        "origin_request_policies": {"own": {"headers": "none"}},
        "response_headers_policies": {"own": {"remove": ["X-Powered-By"]}},
    })
}

/// Sets values at JSON pointers; null takes the field out.
fn patched(mut with: Value, patch: &Value) -> Value {
    for (pointer, value) in patch.as_object().expect("pointers") {
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
        match with.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Value::Object(fields) if value.is_null() => drop(fields.remove(last)),
            Value::Object(fields) => drop(fields.insert(last.to_owned(), value.clone())),
            Value::Array(items) => items[last.parse::<usize>().expect("a place")] = value.clone(),
            other => panic!("{parent} is {other}"),
        }
    }
    with
}

/// A plan with this `cdn` step.
fn plan(stack: &Stack, name: &str, with: &Value) -> PathBuf {
    let bucket = json!({"name": format!("{}-logs", stack.name()), "region": "us-east-1",
                        "ownership": "BucketOwnerPreferred"});
    let models = json!({"id": "m", "title": "m", "kind": "models", "with": {"buckets": {"logs": bucket}}});
    let cdn = json!({"id": "cdn", "title": "cdn", "kind": "cdn", "with": with});
    stack.plan(name, &format!("  - {models}\n  - {cdn}\n"))
}

/// Every CloudFront thing of the account as AWS would show it, one line each. Ids that change when a thing is made anew are
/// replaced by its name.
fn world(stack: &Stack) -> BTreeSet<String> {
    let cdn = Client::new(&stack.sdk);
    let (mut lines, mut names) = policies(&cdn);
    for item in wait(cdn.list_distributions().send()).expect("a list").distribution_list.expect("a list").items() {
        let held = wait(cdn.get_distribution_config().id(&item.id).send()).expect("one").distribution_config;
        let mut held = answers::as_aws_answers(held.expect("a configuration"));
        let origins = &mut held.origins.as_mut().expect("origins").items;
        origins.sort_by(|a, b| a.id.cmp(&b.id));
        // The SDK does not print the values of headers.
        for header in origins.iter().flat_map(|origin| origin.custom_headers.as_ref().expect("some").items()) {
            lines.push(format!("{}: {}", header.header_name, header.header_value));
        }
        lines.push(format!("{held:?}"));
        let metrics = wait(cdn.get_monitoring_subscription().distribution_id(&item.id).send());
        lines.push(format!("metrics {}", metrics.is_ok()));
    }
    let list = wait(cdn.list_origin_access_controls().send()).expect("a list").origin_access_control_list;
    for one in list.expect("a list").items() {
        lines.push(format!("{one:?}"));
        names.push((one.id.clone(), one.name.clone()));
    }
    let named = |line: String| names.iter().fold(line, |line, (id, name)| line.replace(id, name));
    lines.into_iter().map(named).collect()
}

fn policies(cdn: &Client) -> (Vec<String>, Vec<(String, String)>) {
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    let list = wait(cdn.list_cache_policies().r#type(cf::CachePolicyType::Custom).send()).expect("a list");
    for one in list.cache_policy_list.expect("a list").items().iter().filter_map(|one| one.cache_policy.as_ref()) {
        let config = one.cache_policy_config.as_ref().expect("one");
        lines.push(format!("{config:?}"));
        names.push((one.id.clone(), config.name.clone()));
    }
    let list = wait(cdn.list_origin_request_policies().r#type(cf::OriginRequestPolicyType::Custom).send());
    let list = list.expect("a list").origin_request_policy_list.expect("a list");
    for one in list.items().iter().filter_map(|one| one.origin_request_policy.as_ref()) {
        let config = one.origin_request_policy_config.as_ref().expect("one");
        lines.push(format!("{config:?}"));
        names.push((one.id.clone(), config.name.clone()));
    }
    let list = wait(cdn.list_response_headers_policies().r#type(cf::ResponseHeadersPolicyType::Custom).send());
    let list = list.expect("a list").response_headers_policy_list.expect("a list");
    for one in list.items().iter().filter_map(|one| one.response_headers_policy.as_ref()) {
        let config = one.response_headers_policy_config.as_ref().expect("one");
        // AWS answers `false` where nothing was said.
        lines.push(format!("{config:?}").replace("Some(false)", "None"));
        names.push((one.id.clone(), config.name.clone()));
    }
    (lines, names)
}

/// The world is as it was: what differs, if not.
#[track_caller]
fn same(name: &str, now: &BTreeSet<String>, then: &BTreeSet<String>) {
    let (new, gone): (Vec<_>, Vec<_>) = (now.difference(then).collect(), then.difference(now).collect());
    assert!(new.is_empty() && gone.is_empty(), "{name}\n  now {new:#?}\n  was {gone:#?}");
}

/// Without, with, rolled back, with, without: the world is the same each time.
fn there_and_back(name: &str, without: &Value, with: &Value) {
    let stack = Stack::new();
    let base = base(&stack);
    let (without, with) = (patched(base.clone(), without), patched(patched(base, without), with));
    let (without, with) = (plan(&stack, "without.yaml", &without), plan(&stack, "with.yaml", &with));
    stack.deploy(&without).exits(0);
    let bare = world(&stack);
    stack.deploy(&with).exits(0);
    let set = world(&stack);
    assert_ne!(set, bare, "{name}: the setting arrives");
    // AWS fills in every default, and has lists in an order of its own.
    by_hand(&stack, |held| *held = answers::as_aws_answers(held.clone()));
    let again = stack.deploy(&with).exits(0);
    assert!(again.all().contains("no changes"), "{name}: {}", again.all());
    stack.run(&["rollback", "--plan", &with.to_string_lossy(), "--yes"]).exits(0);
    same(&format!("{name}: rolled back"), &world(&stack), &bare);
    stack.deploy(&with).exits(0);
    same(&format!("{name}: set again"), &world(&stack), &set);
    stack.deploy(&without).exits(0);
    same(&format!("{name}: given up"), &world(&stack), &bare);
    by_hand(&stack, |held| *held = answers::as_aws_answers(held.clone()));
    let again = stack.deploy(&without).exits(0);
    assert!(again.all().contains("no changes"), "{name}: {}", again.all());
}

/// One part of the table; the parts run side by side.
fn part_of_the_table(part: usize) {
    for (name, without, with) in settings::all().into_iter().skip(part).step_by(4) {
        there_and_back(name, &without, &with);
    }
}

#[test]
fn each_setting_goes_back_when_it_is_given_up_1() {
    part_of_the_table(0);
}

#[test]
fn each_setting_goes_back_when_it_is_given_up_2() {
    part_of_the_table(1);
}

#[test]
fn each_setting_goes_back_when_it_is_given_up_3() {
    part_of_the_table(2);
}

#[test]
fn each_setting_goes_back_when_it_is_given_up_4() {
    part_of_the_table(3);
}

/// Names of all fields in a value.
fn fields(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_) => fields_.iter().for_each(|(key, below)| {
            out.extend(key.split('/').map(str::to_owned));
            fields(below, out);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, out)),
        _ => {}
    }
}

#[test]
fn the_table_has_every_optional_setting() {
    let schema: Value = serde_json::from_str(include_str!("../../../plans/schema.json")).expect("a schema");
    let mut named = BTreeSet::new();
    for (_, without, with) in settings::all() {
        fields(&without, &mut named);
        fields(&with, &mut named);
    }
    for sort in [
        "CdnStep",
        "OriginPlan",
        "CustomOrigin",
        "BehaviorPlan",
        "AssociationPlan",
        "CertificateChoice",
        "LoggingPlan",
        "CustomErrorResponse",
        "CachePolicyPlan",
        "OriginRequestPolicyPlan",
        "ResponseHeadersPolicyPlan",
        "CorsHeaders",
        "XssProtection",
    ] {
        let shape = &schema["$defs"][sort];
        let required: Vec<&Value> = shape["required"].as_array().map(|list| list.iter().collect()).unwrap_or_default();
        let properties = shape["properties"].as_object().unwrap_or_else(|| panic!("{sort} is in the schema"));
        // A certificate by its name in the plan is the same setting as one by its ARN.
        let by_name = |name: &str| sort == "CertificateChoice" && name == "name";
        let optional = properties.keys().filter(|name| !required.contains(&&json!(name)) && !by_name(name));
        for name in optional {
            assert!(named.contains(name), "no row of the table sets {name} of {sort}");
        }
    }
}

#[test]
fn lists_of_header_names_converge_in_any_order() {
    let stack = Stack::new();
    let with = patched(
        base(&stack),
        &json!({
            "/origin_request_policies/own/headers": {"only": ["Origin", "Access-Control-Request-Method"]},
            "/origin_request_policies/own/cookies": {"only": ["z", "a"]},
            "/default_behavior/origin_request_policy": "own",
            "/default_behavior/methods": ["OPTIONS", "HEAD", "GET"],
        }),
    );
    let plan = plan(&stack, "unsorted.yaml", &with);
    stack.deploy(&plan).exits(0);
    let again = stack.deploy(&plan).exits(0);
    assert!(again.all().contains("no changes") && !again.all().contains("changed outside"), "{}", again.all());
}

/// Changes the one distribution by hand.
fn by_hand(stack: &Stack, change: impl FnOnce(&mut cf::DistributionConfig)) {
    let cdn = Client::new(&stack.sdk);
    let list = wait(cdn.list_distributions().send()).expect("a list").distribution_list.expect("a list");
    let id = &list.items()[0].id;
    let held = wait(cdn.get_distribution_config().id(id).send()).expect("one");
    let mut config = held.distribution_config.expect("a configuration");
    change(&mut config);
    let call = cdn.update_distribution().id(id).set_if_match(held.e_tag).distribution_config(config);
    wait(call.send()).expect("an update");
}

fn distribution(stack: &Stack) -> cf::DistributionConfig {
    let mut held = None;
    by_hand(stack, |config| held = Some(config.clone()));
    held.expect("the configuration")
}

#[test]
fn what_others_set_on_the_distribution_survives_our_updates_and_our_rollback() {
    let stack = Stack::new();
    let first = plan(&stack, "first.yaml", &base(&stack));
    let second = patched(base(&stack), &json!({"/comment": "second", "/origins/a/path": "/v2"}));
    let second = plan(&stack, "second.yaml", &second);
    stack.deploy(&first).exits(0);
    by_hand(&stack, |held| {
        held.web_acl_id = Some("arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b".into());
        held.default_root_object = Some("theirs.html".into());
        let origins = held.origins.as_mut().expect("origins");
        let header = cf::OriginCustomHeader::builder().header_name("X-Theirs").header_value("1").build();
        let headers = cf::CustomHeaders::builder().quantity(1).items(header.expect("complete")).build();
        origins.items[0].custom_headers = Some(headers.expect("complete"));
        let mut theirs = origins.items[0].clone();
        theirs.id = "theirs".into();
        origins.items.push(theirs);
        origins.quantity += 1;
        let behaviors = held.cache_behaviors.as_mut().expect("behaviors");
        let mut theirs = behaviors.items()[0].clone();
        (theirs.path_pattern, theirs.target_origin_id) = ("/theirs/*".into(), "theirs".into());
        behaviors.items.as_mut().expect("behaviors").insert(0, theirs);
        behaviors.quantity += 1;
    });
    let by_others = distribution(&stack);
    // Nothing of it is in the plan: it is left alone, and a deploy has nothing to do.
    let none = stack.deploy(&first).exits(0);
    assert!(none.all().contains("no changes"), "{}", none.all());
    stack.deploy(&second).exits(0);
    let after = distribution(&stack);
    assert_eq!(after.comment, "second");
    assert_eq!((&after.web_acl_id, &after.cache_behaviors), (&by_others.web_acl_id, &by_others.cache_behaviors));
    stack.run(&["rollback", "--plan", &second.to_string_lossy(), "--yes"]).exits(0);
    let mut back = distribution(&stack);
    // The path is empty now, where nothing was said before.
    back.origins.as_mut().expect("origins").items[0].origin_path = None;
    assert_eq!(back, by_others);
}

#[test]
fn an_access_control_that_signs_no_more_is_repaired_by_the_next_deploy() {
    let stack = Stack::new();
    let plan = plan(&stack, "s3.yaml", &patched(base(&stack), &json!({"/origins/b": {"bucket": "models.logs"}})));
    stack.deploy(&plan).exits(0);
    let cdn = Client::new(&stack.sdk);
    let control = || {
        let list = wait(cdn.list_origin_access_controls().send()).expect("a list").origin_access_control_list;
        list.expect("a list").items()[0].clone()
    };
    let held = control();
    let never = cf::OriginAccessControlConfig::builder()
        .name(&held.name)
        .description(&held.description)
        .signing_protocol(cf::OriginAccessControlSigningProtocols::Sigv4)
        .signing_behavior(cf::OriginAccessControlSigningBehaviors::Never)
        .origin_access_control_origin_type(cf::OriginAccessControlOriginTypes::S3)
        .build();
    let tag = wait(cdn.get_origin_access_control().id(&held.id).send()).expect("one").e_tag;
    let call = cdn.update_origin_access_control().id(&held.id).set_if_match(tag);
    wait(call.origin_access_control_config(never.expect("complete")).send()).expect("an update");
    let repaired = stack.deploy(&plan).exits(0);
    assert!(repaired.all().contains("signing_behavior"), "{}", repaired.all());
    assert_eq!(control().signing_behavior, cf::OriginAccessControlSigningBehaviors::Always);
}

#[test]
fn the_static_site_deploys_converges_and_leaves_nothing() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/examples/static-site.yaml");
    let stack = Stack::new();
    let prefix = format!("prefix={}", stack.name());
    let folder = concat!("folder=", env!("CARGO_MANIFEST_DIR"), "/plans/examples/site");
    let valid = ["validate", "plan", example, "--var", &prefix, "--var", folder, "--json"];
    let valid = stack.run(&valid).exits(0).json();
    assert_eq!((&valid["errors"], &valid["warnings"]), (&json!(0), &json!(0)), "{valid}");
    let deploy = ["deploy", "--plan", example, "--yes", "--var", &prefix, "--var", folder];
    stack.run(&deploy).exits(0);
    let again = stack.run(&deploy).exits(0);
    assert!(again.all().contains("no changes"), "{}", again.all());
    let held = distribution(&stack);
    assert_eq!(held.custom_error_responses.map(|list| list.quantity), Some(2));
    assert!(held.restrictions.is_some() && held.aliases.is_some_and(|list| list.quantity == 1));
    let s3 = aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build();
    let page = aws_sdk_s3::Client::from_conf(s3)
        .get_object()
        .bucket(format!("{}-pages", stack.name()))
        .key("style.css")
        .send();
    let page = wait(page).expect("a file of the site");
    assert_eq!(page.content_type(), Some("text/css; charset=utf-8"));
    let destroy = ["destroy", "--plan", example, "--yes", "--empty-buckets", "--var", &prefix, "--var", folder];
    stack.run(&destroy).exits(0);
    assert_eq!(world(&stack), BTreeSet::new());
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    assert!(wait(names.list_hosted_zones().send()).expect("zones").hosted_zones().is_empty());
}
