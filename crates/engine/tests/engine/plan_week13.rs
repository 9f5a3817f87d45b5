//! The plan of week 13 as the tool carries it: what it wants, its cutover, its ways back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use akidb_edge_engine::desired::{DesiredStack, build, jetson};
use akidb_edge_engine::plan::routing::CutoverTarget;
use akidb_edge_engine::plan::{Plan, PlanSettings, StepConfig, load};
use akidb_edge_engine::resource::dns_answer::{self, DnsAnswer, DnsQuestion};
use akidb_edge_engine::resource::needs::Needs;
use akidb_edge_engine::resource::records::{CLOUDFRONT_ZONE_ID, RecordSet, RecordsSpec};
use akidb_edge_engine::resource::{Address, Desired, Resource, sha256_hex};
use akidb_edge_engine::template;

type Files = tempfile::TempDir;

/// Files that stand for the model: always the same bytes.
fn files() -> Files {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("1_Pooling")).expect("a directory");
    let settings = ["1_Pooling/config.json", "config.json", "modules.json", "sentence_bert_config.json"];
    for name in settings.into_iter().chain([
        "chunks.json",
        "selfcheck.json",
        "static.bin",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokens.json",
    ]) {
        fs::write(dir.path().join(name), "{}").expect("a file of settings");
    }
    fs::write(dir.path().join("model_int8.onnx"), "weights of a test").expect("the model");
    fs::create_dir(dir.path().join("page")).expect("a directory");
    fs::write(dir.path().join("page/index.html"), "<!doctype html>").expect("the page");
    dir
}

fn path(dir: &Files, file: &str) -> String {
    dir.path().join(file).to_str().expect("a path").to_owned()
}

fn week13(dir: &Files) -> Plan {
    let variables =
        BTreeMap::from([("model_dir".to_owned(), path(dir, "")), ("page_dir".to_owned(), path(dir, "page"))]);
    load("../../plans/week13.yaml", &PlanSettings { variables, ..PlanSettings::default() })
        .unwrap_or_else(|bad| panic!("{bad}"))
}

fn bench(dir: &Files) -> Plan {
    let variables = BTreeMap::from([
        ("model_file".to_owned(), path(dir, "model_int8.onnx")),
        ("tokenizer_file".to_owned(), path(dir, "tokenizer.json")),
    ]);
    let settings = PlanSettings { variables, ..PlanSettings::default() };
    load("../../tests/fixtures/bench.yaml", &settings).unwrap_or_else(|bad| panic!("{bad}"))
}

fn built(plan: &Plan, requested: &[&str]) -> DesiredStack {
    let requested: BTreeSet<String> = requested.iter().map(|step| (*step).to_owned()).collect();
    let built = build(plan, &requested).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(built.missing, []);
    assert_eq!(Needs::of(&built.desired).cycle(), None);
    built
}

fn resource<'d>(desired: &'d Desired, address: &str) -> &'d Resource {
    &desired.resources[&address.parse::<Address>().expect("an address")]
}

/// The graph's text. What follows from the tool's own templates has tests of its own and is left out.
fn text(desired: &Desired) -> String {
    let mut text = desired.text();
    let gateway = template::archive("gateway").expect("the template");
    let version = &resource(desired, "edge.function-version.gateway").spec["settings"];
    text = text.replace(&sha256_hex(&gateway.bytes), "(gateway)").replace(&version.to_string(), "\"(settings)\"");
    text = text.replace(&format!("\"code_bytes\":{},", gateway.bytes.len()), "");
    text = text.replace(&format!("\"code_unpacked_bytes\":{},", gateway.unpacked), "");
    for object in desired.resources.values().filter(|one| one.address.as_str().starts_with("page.object.")) {
        text = text.replace(&format!("\"bytes\":{},", object.spec["bytes"]), "");
        text = text.replace(&object.spec["sha256"].to_string(), "\"(page)\"");
    }
    text
}

fn api_sets(desired: &Desired) -> Vec<RecordSet> {
    let spec: RecordsSpec = resource(desired, "routing.records.api").typed().expect("record sets");
    spec.sets
}

/// The addresses that differ between two graphs.
fn changed(before: &Desired, after: &Desired) -> BTreeSet<Address> {
    let all: BTreeSet<&Address> = before.resources.keys().chain(after.resources.keys()).collect();
    all.into_iter().filter(|one| before.resources.get(*one) != after.resources.get(*one)).cloned().collect()
}

/// A plan in a folder of its own that extends week 13.
fn later(dir: &Files, text: &str) -> Plan {
    let file = path(dir, "later.yaml");
    fs::write(&file, format!("extends: week13\n{text}")).expect("a plan");
    let variables =
        BTreeMap::from([("model_dir".to_owned(), path(dir, "")), ("page_dir".to_owned(), path(dir, "page"))]);
    load(&file, &PlanSettings { variables, ..PlanSettings::default() }).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn a_split_leads_a_share_to_the_distribution_and_the_rest_where_it_went() {
    let dir = files();
    let sets = |plan: &Plan, requested: &[&str]| {
        let built = built(plan, requested);
        let group = resource(&built.desired, "routing.records.api").typed::<RecordsSpec>();
        group.expect("record sets").sets
    };
    let mut plan = week13(&dir);
    let geo = sets(&plan, &[]).into_iter().filter(|set| set.name == "api.akidb.com").count();
    let mut lead = |to: CutoverTarget| {
        for step in &mut plan.steps {
            if let StepConfig::Cutover(cutover) = &mut step.work {
                cutover.to = to.clone();
            }
        }
        sets(&plan, &["cutover"])
    };
    let split = lead(CutoverTarget::Split(10));
    let own: Vec<&RecordSet> = split.iter().filter(|set| set.name == "api.akidb.com").collect();
    let weights: Vec<_> = own.iter().map(|set| (set.set_identifier.as_deref(), set.weight)).collect();
    assert_eq!(weights, [(Some("before"), Some(90)), (Some("distribution"), Some(10))]);
    assert!(own.iter().all(|set| set.record_type == "A"), "IPv6 would be led there as a whole");
    let aside: Vec<&RecordSet> = split.iter().filter(|set| set.name == "before-cutover.api.akidb.com").collect();
    assert!(geo > 3 && aside.len() == geo && aside.iter().all(|set| set.policy() == "geolocation"), "{aside:?}");
    let leads = own[0].alias.as_ref().map(|alias| alias.dns_name.as_str());
    assert_eq!(leads, Some("before-cutover.api.akidb.com"));
    // At the end nothing is left of it.
    let whole = lead(CutoverTarget::Distribution);
    assert!(whole.iter().all(|set| set.weight.is_none() && !set.name.starts_with("before-cutover")), "{whole:?}");
}

#[test]
fn a_later_plan_with_one_more_bucket_wants_one_more_resource() {
    let dir = files();
    let bucket = "buckets: {extra: {name: akidb-extra, region: us-east-1}}";
    let plan = later(&dir, &format!("days: [{{day: 1, steps: [{{id: models, with: {{{bucket}}}}}]}}]\n"));
    let (before, after) = (built(&week13(&dir), &[]).desired, built(&plan, &[]).desired);
    assert_eq!(after.stack, before.stack);
    let changed: Vec<Address> = changed(&before, &after).into_iter().collect();
    assert_eq!(changed.iter().map(Address::as_str).collect::<Vec<_>>(), ["models.bucket.extra"]);
    assert_eq!(after.resources.len(), before.resources.len() + 1);
}

#[test]
fn a_later_plan_without_a_step_wants_exactly_its_resources_less() {
    let dir = files();
    let before = built(&week13(&dir), &[]);
    let after = built(&later(&dir, "remove: [origin-certificates]\n"), &[]).desired;
    // The places of the steps after it are others.
    let plain = |desired: &Desired| -> BTreeMap<Address, Resource> {
        let all = desired.resources.clone().into_iter();
        all.map(|(address, resource)| (address, Resource { origin: String::new(), ..resource })).collect()
    };
    let (mut expected, own) = (plain(&before.desired), &before.by_step["origin-certificates"]);
    assert!(!own.is_empty());
    expected.retain(|address, _| !own.contains(address));
    assert_eq!(plain(&after), expected);
}

#[test]
fn every_day_of_the_source_is_there() {
    let dir = files();
    let plan = week13(&dir);
    let days: BTreeSet<u32> = plan.steps.iter().map(|step| step.day).collect();
    assert_eq!(days, (1..=5).collect());
    assert_eq!(plan.days.len(), 5);
    let built = built(&plan, &[]);
    assert_eq!(built.waiting, ["cutover", "dashboard"]);
    assert!(built.later.iter().any(|(step, _)| step == "jetson-shutdown"));
    let devices = jetson::build(&plan).unwrap_or_else(|bad| panic!("{bad}"));
    for step in &plan.steps {
        let later =
            matches!(step.work, StepConfig::Validate(_) | StepConfig::JetsonShutdown(_) | StepConfig::Report(_));
        let wants = built.by_step.contains_key(&step.id) || devices.by_step.contains_key(&step.id);
        assert!(later != wants || built.waiting.contains(&step.id), "{} wants nothing", step.id);
    }
}

#[test]
fn the_same_plan_wants_the_same() {
    let (one, two) = (files(), files());
    let first = built(&week13(&one), &[]).desired;
    assert_eq!(first.text(), built(&week13(&two), &[]).desired.text());
    insta::assert_snapshot!(text(&first));
}

#[test]
fn the_devices_of_day_three_are_one_server_and_four_agents() {
    let dir = files();
    let built = jetson::build(&week13(&dir)).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(built.missing, []);
    assert_eq!(Needs::of(&built.desired).cycle(), None);
    // One device stands for the others: they differ in name and address alone.
    let rest = |address: &Address| (3..=5).any(|at| address.as_str().contains(&format!("0{at}")));
    let mut shown = built.desired.clone();
    shown.resources.retain(|address, _| !rest(address));
    insta::assert_snapshot!(shown.text());
}

#[test]
fn requests_go_where_the_model_answers_and_restarts_where_the_process_does_not() {
    let dir = files();
    let plan = week13(&dir);
    let desired = built(&plan, &[]).desired;
    let checks = desired.resources.values().filter(|one| one.address.as_str().starts_with("routing.health-check."));
    let paths: Vec<&str> = checks.map(|check| check.spec["path"].as_str().expect("a path")).collect();
    assert_eq!(paths, ["/ready"; 3]);
    let devices = jetson::build(&plan).unwrap_or_else(|bad| panic!("{bad}")).desired;
    let app = resource(&devices, "jetson.manifest.deployment-akidb-rest-jetson").spec.to_string();
    for (probe, path) in [("readinessProbe", "/ready"), ("livenessProbe", "/health"), ("startupProbe", "/health")] {
        let (_, rest) = app.split_once(&format!("\"{probe}\"")).unwrap_or_else(|| panic!("{probe}: {app}"));
        let asked = rest.split_once("\"path\":\"").map(|(_, rest)| rest.split('"').next().unwrap_or_default());
        assert_eq!(asked, Some(path), "{probe}");
    }
}

/// NVIDIA's toolkit from 1.19 on takes the ids `all` and `0` on a Jetson, and refuses `tegra`.
#[test]
fn the_device_plugin_calls_the_gpu_by_its_index() {
    let dir = files();
    let devices = jetson::build(&week13(&dir)).unwrap_or_else(|bad| panic!("{bad}")).desired;
    let plugin = &resource(&devices, "jetson.manifest.daemonset-nvidia-device-plugin").spec["object"];
    let env = plugin.pointer("/spec/template/spec/containers/0/env").and_then(|env| env.as_array()).expect("settings");
    assert!(env.contains(&serde_json::json!({"name": "DEVICE_ID_STRATEGY", "value": "index"})), "{env:?}");
}

#[test]
fn a_jetpack_that_is_no_target_is_refused_with_those_that_are() {
    let dir = files();
    let mut plan = week13(&dir);
    for step in &mut plan.steps {
        if let StepConfig::Jetson(jetson) = &mut step.work {
            jetson.jetpack = Some("5.1".to_owned());
        }
    }
    let refused = jetson::build(&plan).expect_err("no such target").to_string();
    assert!(refused.contains("JetPack \"5.1\"") && refused.contains("6.2 (CUDA 12.6), 7.2 (CUDA 13.0)"), "{refused}");
}

#[test]
fn the_cutover_swaps_the_api_name_for_the_distribution() {
    let dir = files();
    let plan = week13(&dir);
    let before = built(&plan, &[]).desired;
    let after = built(&plan, &["cutover"]).desired;
    let names: Vec<Address> = changed(&before, &after).into_iter().collect();
    assert_eq!(names.iter().map(Address::as_str).collect::<Vec<_>>(), ["routing.records.api"]);

    assert_eq!(api_sets(&before).iter().filter(|set| set.geolocation.is_some()).count(), 4);
    let sets = api_sets(&after);
    let api: Vec<&RecordSet> = sets.iter().filter(|set| set.name == "api.akidb.com").collect();
    assert_eq!(api.iter().map(|set| set.record_type.as_str()).collect::<Vec<_>>(), ["A", "AAAA"]);
    for set in api {
        let alias = set.alias.as_ref().expect("an alias");
        assert_eq!((set.policy(), alias.zone_id.as_str()), ("simple", CLOUDFRONT_ZONE_ID));
        assert!(alias.dns_name.contains("cdn.distribution.main") && !alias.evaluate_target_health);
    }
}

#[test]
fn each_way_back_changes_only_what_it_names() {
    let dir = files();
    let plan = week13(&dir);
    assert_eq!(plan.fallbacks.keys().collect::<Vec<_>>(), ["dns-to-origin", "lambda-edge-off", "replication-paused"]);
    for (name, fallback) in &plan.fallbacks {
        let other = plan.with_fallback(name).unwrap_or_else(|bad| panic!("{bad}"));
        // From before the cutover and from after it.
        for asked in [BTreeSet::new(), BTreeSet::from(["cutover"])] {
            let before = built(&plan, &asked.iter().copied().collect::<Vec<_>>()).desired;
            let mut with = asked.clone();
            with.extend(fallback.request.iter().map(String::as_str));
            let after = built(&other, &with.into_iter().collect::<Vec<_>>()).desired;
            let changed = changed(&before, &after);
            assert!(!changed.is_empty(), "{name} changes nothing");
            for address in changed {
                assert!(fallback.only.iter().any(|only| address.matches(only)), "{name} changes {address}");
            }
        }
    }
}

#[test]
fn past_the_distribution_the_api_name_leads_to_the_nearest_region() {
    let dir = files();
    let plan = week13(&dir).with_fallback("dns-to-origin").unwrap_or_else(|bad| panic!("{bad}"));
    let sets = api_sets(&built(&plan, &["cutover"]).desired);
    let api: Vec<&RecordSet> = sets.iter().filter(|set| set.name == "api.akidb.com").collect();
    assert_eq!(api.len(), 1);
    assert_eq!(api[0].alias.as_ref().map(|alias| alias.dns_name.as_str()), Some("origin.akidb.com"));
}

#[test]
fn without_functions_no_behaviour_has_one() {
    let dir = files();
    let plan = week13(&dir).with_fallback("lambda-edge-off").unwrap_or_else(|bad| panic!("{bad}"));
    let desired = built(&plan, &[]).desired;
    let distribution = &resource(&desired, "cdn.distribution.main").spec;
    assert!(!distribution.to_string().contains("function-version"));
}

#[test]
fn criteria_are_complete_and_their_names_unique() {
    let dir = files();
    let plan = week13(&dir);
    let criteria = &plan.criteria;
    let all: Vec<_> = criteria.p0.iter().chain(&criteria.p1).chain(&criteria.p2).collect();
    let names: BTreeSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(names.len(), all.len());
    for day in 1..=5 {
        assert!(names.iter().any(|name| name.starts_with(&format!("day{day}-"))), "day {day}");
    }
    // What a criterion counts must be an address that the plan has, or one that a later version makes.
    let desired = built(&plan, &[]).desired;
    for one in all.iter().filter(|one| one.measure.name() == "resources.present") {
        let of = one.subject.as_deref().unwrap_or_else(|| panic!("{} counts nothing", one.id));
        let found = desired.resources.keys().filter(|address| address.matches(of)).count();
        assert!(one.compare.holds(found as f64, one.threshold), "{}: the plan has {found} of {of}", one.id);
    }
}

#[test]
fn the_benchmark_set_is_what_was_timed() {
    let dir = files();
    let desired = built(&bench(&dir), &[]).desired;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for one in desired.resources.values() {
        *kinds.entry(one.kind.name()).or_default() += 1;
    }
    insta::assert_debug_snapshot!(kinds);
    assert_eq!(api_sets(&desired).len(), 7);
}

/// A check compares what a place is led to by the references, not by the words for people.
#[test]
fn where_a_place_is_sent_is_known_by_the_region_of_its_load_balancer() {
    let dir = files();
    let plan = week13(&dir);
    let before = built(&plan, &[]).desired;
    let ask = |desired: &Desired, down: &[String]| {
        dns_answer::answer(desired, &DnsQuestion { name: "api.akidb.com", from: "EU", down })
    };
    let parts = |region: &str| dns_answer::down(&before, region);
    let leads = |one: &DnsAnswer, region: &str| {
        let parts = parts(region);
        one.leads_to.iter().any(|target| parts.iter().any(|part| target.contains(part.as_str())))
    };
    let (up, down) = (ask(&before, &[]), ask(&before, &parts("eu-central-1")));
    assert_eq!(
        (&up.answers[..], &down.answers[..]),
        (&["load balancer eu-central-1".to_owned()][..], &["load balancer us-east-1".to_owned()][..])
    );
    assert!(leads(&up, "eu-central-1") && !leads(&up, "us-east-1"), "{up:?}");
    assert!(leads(&down, "us-east-1") && !leads(&down, "eu-central-1"), "{down:?}");

    let after = ask(&built(&plan, &["cutover"]).desired, &[]);
    assert!(after.leads_to.iter().all(|target| target.contains("cdn.distribution")), "{after:?}");
    assert_eq!(after.answers, ["the distribution"]);
}

#[test]
fn the_dashboard_shows_the_distribution_and_the_function_of_the_plan() {
    let dir = files();
    let desired = built(&week13(&dir), &["dashboard"]).desired;
    let edge = resource(&desired, "observability.manifest.monitoring-grafana-dashboard-edge");
    assert!(edge.needs.keys().any(|need| need.as_str() == "cdn.distribution.main"), "{:?}", edge.needs);
    let text = edge.spec["object"]["data"]["edge-dashboard.json"].as_str().expect("a text");
    for said in ["${cdn.distribution.main#id}", "akidb-edge-gateway", "AkiDB Edge Deployment"] {
        assert!(text.contains(said), "{said} in {text}");
    }
}
