//! CloudFront: what a plan gives up goes back, what others set is seen.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;
use serde_json::{Value, json};

use crate::stack::Stack;
use crate::support::proxy::wait;

#[path = "../../src/provider/aws/distribution/answers.rs"]
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
        "default_behaviour": {"target": "a", "cache_policy": "CachingOptimized"},
        "behaviours": [{"path": "/b/*", "target": "b", "cache_policy": "own"}],
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
    let again = stack.deploy(&with).exits(0);
    assert!(again.all().contains("no changes"), "{name}: {}", again.all());
    stack.run(&["rollback", "--plan", &with.to_string_lossy(), "--yes"]).exits(0);
    same(&format!("{name}: rolled back"), &world(&stack), &bare);
    stack.deploy(&with).exits(0);
    same(&format!("{name}: set again"), &world(&stack), &set);
    stack.deploy(&without).exits(0);
    same(&format!("{name}: given up"), &world(&stack), &bare);
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
    let schema: Value = serde_json::from_str(include_str!("../../plans/schema.json")).expect("a schema");
    let mut named = BTreeSet::new();
    for (_, without, with) in settings::all() {
        fields(&without, &mut named);
        fields(&with, &mut named);
    }
    for sort in [
        "CdnStep",
        "OriginPlan",
        "CustomOrigin",
        "BehaviourPlan",
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
