//! Addresses change, things stay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use crate::operators::stack::Stack;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, ServiceRefusal, wait};

const ZONE: &str = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";

/// A record set: name, type, value.
type Set = (&'static str, &'static str, &'static str);

/// A step with groups of record sets: group, then name, type and value of each set.
fn groups(step: &str, all: &[(&str, &[Set])]) -> String {
    let mut text = format!("  - id: {step}\n    title: r\n    kind: routing\n    with:\n      records:\n");
    for (group, sets) in all {
        text.push_str(&format!("        {group}:\n"));
        for (name, record_type, value) in *sets {
            text.push_str(&format!("        - {{name: {name}, type: {record_type}, ttl: 60, values: ['{value}']}}\n"));
        }
    }
    text
}

fn bucket(key: &str, name: &str) -> String {
    format!(
        "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {name}, region: us-east-1, versioning: true}}}}}}}}\n"
    )
}

fn proxy() -> FaultProxy {
    FaultProxy::start(&local_aws::endpoint())
}

fn deploy(stack: &Stack, proxy: &FaultProxy, plan: &Path) -> Vec<ProxyCall> {
    proxy.take_calls();
    stack.run_at(proxy.url(), &["deploy", "--plan", &plan.to_string_lossy(), "--yes"]).exits(0);
    proxy.take_mutating()
}

/// The record sets of the zone that a plan may state, as `name TYPE values`.
fn sets(stack: &Stack) -> Vec<String> {
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    let zones = wait(names.list_hosted_zones().send()).expect("zones");
    let zone = zones.hosted_zones().first().expect("the zone").id().to_owned();
    let listed = wait(names.list_resource_record_sets().hosted_zone_id(zone).send()).expect("record sets");
    let text = |set: &aws_sdk_route53::types::ResourceRecordSet| {
        let values: Vec<&str> = set.resource_records().iter().map(|record| record.value()).collect();
        format!("{} {} {}", set.name(), set.r#type().as_str(), values.join(","))
    };
    let all = listed.resource_record_sets().iter().filter(|set| !matches!(set.r#type().as_str(), "SOA" | "NS"));
    all.map(text).collect()
}

/// What `deploy --dry-run --json` says of an address.
fn change(stack: &Stack, plan: &Path, address: &str) -> Value {
    let told = stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--dry-run", "--json"]).exits(2).json();
    let all = told["changes"].as_array().expect("changes").clone();
    all.into_iter().find(|one| one["address"] == address).unwrap_or_else(|| panic!("{address}: {told:#}"))
}

/// Deploys one plan, then the other, and shows that no call touched a record.
fn stays(name: &str, first: &str, second: &str) {
    let (stack, proxy) = (Stack::new(), proxy());
    let (one, two) =
        (stack.plan("one.yaml", &format!("{ZONE}{first}")), stack.plan("two.yaml", &format!("{ZONE}{second}")));
    deploy(&stack, &proxy, &one);
    let before = sets(&stack);
    for plan in [&two, &two] {
        let calls = deploy(&stack, &proxy, plan);
        assert!(calls.is_empty(), "{name}: {calls:#?}");
        assert_eq!(sets(&stack), before, "{name}");
    }
    proxy.take_calls();
    stack.run_at(proxy.url(), &["rollback", "--plan", &two.to_string_lossy(), "--yes"]).exits(0);
    assert!(proxy.take_mutating().is_empty(), "{name}: the rollback is a move, too");
    assert_eq!(sets(&stack), before, "{name}");
    stack.run(&["destroy", "--plan", &one.to_string_lossy(), "--yes"]).exits(0);
}

const A: Set = ("a", "A", "192.0.2.1");
const B: Set = ("b", "A", "192.0.2.2");
const C: Set = ("c", "A", "192.0.2.3");

#[test]
fn groups_are_renamed_split_joined_and_swapped_without_a_call() {
    stays("renamed", &groups("r", &[("g", &[A, B])]), &groups("r", &[("h", &[A, B])]));
    stays("split", &groups("r", &[("g", &[A, B])]), &groups("r", &[("g", &[A]), ("h", &[B])]));
    stays("split into new ones", &groups("r", &[("g", &[A, B])]), &groups("r", &[("x", &[A]), ("y", &[B])]));
    stays("joined", &groups("r", &[("g", &[A]), ("h", &[B])]), &groups("r", &[("h", &[A, B])]));
    stays("joined in a new one", &groups("r", &[("g", &[A]), ("h", &[B])]), &groups("r", &[("i", &[A, B])]));
    stays("swapped", &groups("r", &[("g", &[A]), ("h", &[B, C])]), &groups("r", &[("g", &[B, C]), ("h", &[A])]));
}

#[test]
fn a_renamed_step_is_no_change() {
    let (stack, proxy) = (Stack::new(), proxy());
    let one = stack.plan("one.yaml", &format!("{ZONE}{}", groups("r", &[("g", &[A, B])])));
    let two = stack.plan("two.yaml", &format!("{ZONE}{}", groups("s", &[("g", &[A, B])])));
    deploy(&stack, &proxy, &one);
    assert!(deploy(&stack, &proxy, &two).is_empty());
    assert_eq!(sets(&stack).len(), 2);
}

#[test]
fn a_record_that_moves_and_changes_is_one_transaction() {
    let (stack, proxy) = (Stack::new(), proxy());
    let plan = |name: &str, all: &[(&str, &[Set])]| stack.plan(name, &format!("{ZONE}{}", groups("r", all)));
    let one = plan("one.yaml", &[("g", &[A, B]), ("h", &[C])]);
    deploy(&stack, &proxy, &one);
    // To an existing group with another value.
    let two = plan("two.yaml", &[("g", &[A]), ("h", &[("b", "A", "192.0.2.9"), C])]);
    let calls = deploy(&stack, &proxy, &two);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert!(calls[0].body.contains("UPSERT") && !calls[0].body.contains("DELETE"), "{}", calls[0].body);
    // To another group with another type: what has to go goes in the batch of what comes.
    let three = plan("three.yaml", &[("g", &[A, ("b", "CNAME", "www.example.org")]), ("h", &[C])]);
    let calls = deploy(&stack, &proxy, &three);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert!(calls[0].body.contains("CREATE") && calls[0].body.contains("DELETE"), "{}", calls[0].body);
    assert_eq!(
        sets(&stack),
        ["a.example.net. A 192.0.2.1", "b.example.net. CNAME www.example.org", "c.example.net. A 192.0.2.3"]
    );
}

#[test]
fn a_bucket_under_another_key_is_the_same_bucket() {
    let (stack, proxy) = (Stack::new(), proxy());
    let name = format!("demo-{}", stack.account);
    let (one, two) = (stack.plan("one.yaml", &bucket("a", &name)), stack.plan("two.yaml", &bucket("b", &name)));
    deploy(&stack, &proxy, &one);
    let s3 =
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build());
    wait(s3.put_object().bucket(&name).key("data").body(b"kept".to_vec().into()).send()).expect("an object");
    let moved = change(&stack, &two, "models.bucket.b");
    assert_eq!((&moved["action"], &moved["risk"]), (&"move".into(), &"safe".into()), "{moved:#}");
    assert_eq!(moved["moved_from"][0]["address"], "models.bucket.a");
    // The run is cut short before the mark is written: the next one goes on.
    let denied = ServiceRefusal::of("s3", 403, "AccessDenied", "not today");
    proxy.on(
        |call| call.service == "s3" && call.path.contains("tagging") && call.mutates(),
        CallSelector::Each,
        ProxyAction::Refuse(denied),
    );
    stack.run_at(proxy.url(), &["deploy", "--plan", &two.to_string_lossy(), "--yes"]).exits(1);
    proxy.reset();
    let calls = deploy(&stack, &proxy, &two);
    assert_eq!(calls.len(), 1, "only the mark: {calls:#?}");
    assert!(deploy(&stack, &proxy, &two).is_empty());
    let tags = wait(s3.get_bucket_tagging().bucket(&name).send()).expect("tags");
    assert!(tags.tag_set().iter().any(|tag| tag.value() == "models.bucket.b"), "{tags:?}");
    wait(s3.get_object().bucket(&name).key("data").send()).expect("the object is still there");
    // With every flag that looks dangerous.
    let back = stack.run(&[
        "deploy",
        "--plan",
        &one.to_string_lossy(),
        "--yes",
        "--empty-buckets",
        "--adopt",
        "models.bucket.a",
    ]);
    back.exits(0);
    wait(s3.get_object().bucket(&name).key("data").send()).expect("the object is still there");
}

#[test]
fn a_renamed_certificates_step_keeps_its_validation_records() {
    let step = |id: &str, key: &str| {
        format!(
            "{ZONE}  - id: {id}\n    title: c\n    kind: certificates\n    with:\n      certificates:\n        {key}: {{region: us-east-1, domain: example.net, alternative_names: [www.example.net]}}\n"
        )
    };
    let (stack, proxy) = (Stack::new(), proxy());
    let (one, two) = (stack.plan("one.yaml", &step("certs", "main")), stack.plan("two.yaml", &step("tls", "site")));
    deploy(&stack, &proxy, &one);
    let before = sets(&stack);
    assert!(!before.is_empty());
    let calls = deploy(&stack, &proxy, &two);
    let others: Vec<&ProxyCall> = calls.iter().filter(|call| call.operation != "AddTagsToCertificate").collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(sets(&stack), before);
    assert!(deploy(&stack, &proxy, &two).is_empty());
}

#[test]
fn health_checks_and_routed_groups_keep_their_ids_under_other_keys() {
    let plan = |check: &str, geo: &str, latency: &str| {
        format!(
            "  - id: zone
    title: z
    kind: routing
    with:
      zone: {{name: example.net}}
      load_balancers:
        us: {{region: us-east-1, tags: {{'akidb:role': rest}}}}
        eu: {{region: eu-central-1, tags: {{'akidb:role': rest}}}}
      health_checks:
        {check}: {{host: origin-us}}
      latency:
        {latency}: {{name: origin, targets: [us, eu], health_checks: {{us: {check}}}}}
      geo:
        {geo}: {{name: api, continents: {{NA: [us, eu]}}, default: [us, eu]}}
"
        )
    };
    let stack = Stack::of(local_aws::seeded_account());
    let proxy = proxy();
    let one = stack.plan("one.yaml", &plan("probe", "api", "origin"));
    let two = stack.plan("two.yaml", &plan("check-us", "front", "back"));
    // The two groups take each other's key.
    let three = stack.plan("three.yaml", &plan("check-us", "back", "front"));
    deploy(&stack, &proxy, &one);
    let before = sets(&stack);
    for plan in [two, three] {
        let calls = deploy(&stack, &proxy, &plan);
        let other: Vec<&ProxyCall> = calls.iter().filter(|call| !call.path.contains("/tags/")).collect();
        assert!(other.is_empty(), "{other:#?}");
        assert_eq!(sets(&stack), before);
    }
}

#[test]
fn a_saved_plan_moves_what_it_showed() {
    let (stack, proxy) = (Stack::new(), proxy());
    let one = stack.plan("one.yaml", &format!("{ZONE}{}", groups("r", &[("g", &[A, B])])));
    let two = stack.plan("two.yaml", &format!("{ZONE}{}", groups("r", &[("h", &[A, B])])));
    deploy(&stack, &proxy, &one);
    stack.run_at(proxy.url(), &["deploy", "--plan", &two.to_string_lossy(), "--out", "next.plan.json"]).exits(2);
    proxy.take_calls();
    stack.run_at(proxy.url(), &["deploy", "next.plan.json", "--yes"]).exits(0);
    assert!(proxy.take_mutating().is_empty());
    assert!(deploy(&stack, &proxy, &two).is_empty());
}

#[test]
fn a_plan_says_what_cannot_be_recognized() {
    let (stack, proxy) = (Stack::new(), proxy());
    let check = |key: &str, host: &str| {
        format!(
            "  - id: zone\n    title: z\n    kind: routing\n    with:\n      zone: {{name: example.net}}\n      health_checks:\n        {key}: {{host: {host}}}\n"
        )
    };
    let moved = |to: &str| format!("moved:\n- {{from: routing.health-check.one, to: {to}}}\n");
    let one = stack.plan("one.yaml", &check("one", "a.example.net"));
    deploy(&stack, &proxy, &one);
    let said = |name: &str, to: &str| -> PathBuf {
        let text = std::fs::read_to_string(stack.plan(name, &check("two", "b.example.net"))).expect("the plan");
        stack.file(name, &format!("{text}{}", moved(to)))
    };
    let wrong = said("wrong.yaml", "routing.health-check.three");
    let refused = stack.run(&["deploy", "--plan", &wrong.to_string_lossy(), "--yes"]).exits(3);
    assert!(refused.all().contains("nothing in this plan is called routing.health-check.three"), "{}", refused.all());
    let two = said("two.yaml", "routing.health-check.two");
    let calls = deploy(&stack, &proxy, &two);
    assert!(calls.iter().all(|call| call.operation != "CreateHealthCheck" && call.method != "DELETE"), "{calls:#?}");
    assert!(deploy(&stack, &proxy, &two).is_empty());
    // Back again: the journal remembers what was said.
    proxy.take_calls();
    stack.run_at(proxy.url(), &["rollback", "--plan", &two.to_string_lossy(), "--yes"]).exits(0);
    let calls = proxy.take_mutating();
    assert!(calls.iter().all(|call| call.operation != "CreateHealthCheck" && call.method != "DELETE"), "{calls:#?}");
}

#[test]
fn the_region_of_a_bucket_is_refused_before_any_call() {
    let (stack, proxy) = (Stack::new(), proxy());
    let name = format!("demo-{}", stack.account);
    let one = stack.plan("one.yaml", &bucket("a", &name));
    let two = stack.plan("two.yaml", &bucket("a", &name).replace("us-east-1", "eu-central-1"));
    deploy(&stack, &proxy, &one);
    proxy.take_calls();
    let refused = stack.run_at(proxy.url(), &["deploy", "--plan", &two.to_string_lossy(), "--yes"]).exits(3);
    assert!(refused.all().contains("cannot be changed (us-east-1 -> eu-central-1)"), "{}", refused.all());
    assert!(proxy.take_calls().is_empty());
}

/// One thing of a random plan: the key that it has there (which of four), and its value; none when the plan lacks it.
type Placed = Option<(usize, u8)>;

/// Names of record sets, each in some group with some value, and buckets under some key.
#[derive(Clone, Debug)]
struct Layout {
    records: Vec<Placed>,
    buckets: Vec<Placed>,
}

fn layout() -> impl Strategy<Value = Layout> {
    let placed = || prop::option::weighted(0.85, (0..4usize, 0..2u8));
    (prop::collection::vec(placed(), 5), prop::collection::vec(placed(), 3))
        .prop_map(|(records, buckets)| Layout { records, buckets })
}

impl Layout {
    /// The plan as text. Two buckets that would have one key keep their own.
    fn text(&self, account: &str) -> String {
        let mut grouped: BTreeMap<usize, Vec<(usize, u8)>> = BTreeMap::new();
        for (name, placed) in self.records.iter().enumerate() {
            if let Some((group, value)) = placed {
                grouped.entry(*group).or_default().push((name, *value));
            }
        }
        let mut text = ZONE.to_owned();
        if !grouped.is_empty() {
            text.push_str("  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n");
        }
        for (group, sets) in grouped {
            text.push_str(&format!("        g{group}:\n"));
            for (name, value) in sets {
                text.push_str(&format!("        - {{name: n{name}, type: A, ttl: 60, values: [192.0.2.{value}]}}\n"));
            }
        }
        let keys: BTreeMap<usize, (usize, u8)> = (0..)
            .zip(&self.buckets)
            .filter_map(|(number, placed)| Some((placed.as_ref()?.0, (number, placed.as_ref()?.1))))
            .collect();
        text.push_str("  - {id: m, title: m, kind: models, with: {buckets: {");
        for (key, (number, value)) in keys {
            let versioning = value == 1;
            text.push_str(&format!(
                "k{key}: {{name: b{number}-{account}, region: us-east-1, versioning: {versioning}}}, "
            ));
        }
        text.push_str("}}}\n");
        text
    }

    /// The names that a plan of this layout wants.
    fn wanted(&self, account: &str) -> BTreeSet<String> {
        let text = self.text(account);
        let names = (0..5).map(|number| format!("n{number}")).filter(|name| text.contains(&format!("name: {name},")));
        let buckets = (0..3).map(|number| format!("b{number}-{account}")).filter(|name| text.contains(name.as_str()));
        names.chain(buckets).collect()
    }
}

/// The names that a change of the world takes away: deleted and not made again in the same call.
fn taken_away(call: &ProxyCall) -> BTreeSet<String> {
    if call.service == "s3" && call.method == "DELETE" && !call.path.contains('?') {
        return [call.path.trim_matches('/').to_owned()].into();
    }
    let mut gone = BTreeSet::new();
    for change in call.body.split("<Change>").skip(1) {
        let name = change.split("<Name>").nth(1).and_then(|rest| rest.split('.').next()).unwrap_or_default().to_owned();
        if change.contains("<Action>DELETE") {
            gone.insert(name);
        } else {
            gone.remove(&name);
        }
    }
    gone
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// For random plans and random renamings, nothing that both plans want is absent at any moment.
    #[test]
    fn nothing_that_both_plans_want_is_ever_absent(layouts in prop::collection::vec(layout(), 2..4)) {
        let (stack, proxy) = (Stack::new(), proxy());
        let mut before = BTreeSet::new();
        for (number, layout) in layouts.iter().enumerate() {
            let plan = stack.plan(&format!("{number}.yaml"), &layout.text(&stack.account));
            let calls = deploy(&stack, &proxy, &plan);
            let wanted = layout.wanted(&stack.account);
            for call in &calls {
                let gone = taken_away(call);
                let lost: Vec<&String> = gone.iter().filter(|name| before.contains(*name) && wanted.contains(*name)).collect();
                prop_assert!(lost.is_empty(), "{lost:?} by {call:#?}");
            }
            let listed = sets(&stack);
            let there = listed.iter().filter_map(|set| set.split('.').next());
            let names: BTreeSet<&str> = wanted.iter().map(String::as_str).filter(|name| name.starts_with('n')).collect();
            prop_assert_eq!(there.collect::<BTreeSet<_>>(), names);
            let again = deploy(&stack, &proxy, &plan);
            prop_assert!(again.is_empty(), "{again:#?}");
            before = wanted;
        }
        // The same for the rollback to the first plan. Without a second revision there is nothing to go back to.
        let back = stack.run_at(proxy.url(), &["rollback", "--stack", &stack.name(), "--to", "1", "--yes"]);
        prop_assert!([0, 3].contains(&back.code), "{}", back.all());
        let first = layouts[0].wanted(&stack.account);
        for call in proxy.take_mutating() {
            let gone = taken_away(&call);
            let lost: Vec<&String> = gone.iter().filter(|name| before.contains(*name) && first.contains(*name)).collect();
            prop_assert!(lost.is_empty(), "{lost:?} by {call:#?}");
        }
    }
}

/// Two groups cannot turn one name over together: that is said before any call, and the advice leads there.
#[test]
fn a_name_that_changes_its_routing_over_two_groups_is_refused_with_a_way_that_works() {
    let set = |identifier: &str| {
        format!(
            "        - {{name: www, type: A, ttl: 60, values: [192.0.2.1], set_identifier: '{identifier}', weight: 1}}\n"
        )
    };
    let records =
        |text: &str| format!("{ZONE}  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n{text}");
    let (stack, proxy) = (Stack::new(), proxy());
    let simple = "        g:\n        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    deploy(&stack, &proxy, &stack.plan("one.yaml", &records(simple)));
    let two = records(&format!("        g:\n{}        n:\n{}", set("1"), set("2")));
    let two = stack.plan("two.yaml", &two);
    proxy.take_calls();
    let refused = stack.run_at(proxy.url(), &["deploy", "--plan", &two.to_string_lossy(), "--yes"]).exits(3);
    assert!(refused.stderr.contains("put all record sets of www.example.net into one group"), "{}", refused.stderr);
    assert!(proxy.take_mutating().is_empty());
    let together = records(&format!("        g:\n{}{}", set("1"), set("2")));
    deploy(&stack, &proxy, &stack.plan("together.yaml", &together));
    assert!(deploy(&stack, &proxy, &two).is_empty());
    assert_eq!(sets(&stack).len(), 2);
}
