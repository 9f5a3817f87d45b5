//! `deploy` against the local AWS: look, make, keep, change, repair.

use aws_sdk_cloudfront::types::{CustomErrorResponse, CustomErrorResponses, PriceClass, Tag, Tags};
use serde_json::json;
use testkit::cli::{DOMAIN, TestAccount, nothing, whole};
use testkit::local_aws;
use testkit::proxy::{FaultProxy, wait};

#[test]
fn looks_makes_and_then_keeps() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    let dry = account.run("deploy --dry-run").exits(2);
    insta::assert_snapshot!("dry_run", account.redact(&dry.stdout));
    insta::assert_snapshot!("dry_run_talk", account.redact(&dry.stderr));
    assert!(proxy.take_mutating().is_empty(), "a dry run only looks");
    assert_eq!(account.inventory(), nothing());
    assert!(!account.state().exists(), "a dry run writes no journal");

    let refused = account.run("deploy").exits(3);
    assert!(refused.stderr.contains("cannot ask for confirmation without a terminal"), "{}", refused.stderr);
    assert!(proxy.take_mutating().is_empty(), "nobody said yes");

    let made = account.run("deploy --yes").exits(0);
    insta::assert_snapshot!("made", account.redact(&made.stdout));
    assert!(!proxy.take_mutating().is_empty());
    assert_eq!(account.inventory(), whole());

    let again = account.run("deploy --yes").exits(0);
    insta::assert_snapshot!("again", account.redact(&again.stdout));
    let calls = proxy.take_calls();
    assert!(!calls.is_empty(), "it looked");
    let mutating: Vec<_> = calls.iter().filter(|call| call.mutates()).collect();
    assert!(mutating.is_empty(), "a second run changes nothing: {mutating:?}");

    let document = account.run("deploy --dry-run --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/deploy/v1");
    assert_eq!(document["changes"], json!([]));
    assert_eq!(document["exit"], 0);
}

#[test]
fn a_part_of_the_plan() {
    let account = TestAccount::new();
    let document = account.run("deploy edge --yes --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/deploy/v1");
    assert_eq!(document["exit"], 0);
    assert_eq!(document["outcome"]["complete"], true);
    let changes = document["changes"].as_array().expect("a list");
    assert!(changes.iter().all(|change| change["address"].as_str().expect("text").starts_with("edge.")), "{changes:?}");
    let there = account.inventory();
    assert_eq!((there["functions"], there["roles"], there["buckets"]), (1, 1, 0), "{there:?}");

    // A target brings what it needs.
    account.run("deploy --target models.replication --yes").exits(0);
    let there = account.inventory();
    assert_eq!((there["buckets"], there["roles"], there["distributions"]), (2, 2, 0), "{there:?}");

    // What is excluded is not made, nor what needs it.
    let document = account.run("deploy --exclude cdn.distribution --yes --json").exits(0).json();
    let changes = document["changes"].as_array().expect("a list");
    assert!(!changes.iter().any(|change| change["address"] == "cdn.distribution.main"));
    let there = account.inventory();
    assert_eq!((there["distributions"], there["health checks"]), (0, 3), "{there:?}");

    let unknown = account.run("deploy nowhere --yes").exits(3);
    insta::assert_snapshot!("unknown_area", account.redact(&unknown.stderr));
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole());
}

#[test]
fn a_saved_plan_is_done_exactly_or_not_at_all() {
    let account = TestAccount::new();
    account.run("deploy --out first.plan.json").exits(2);
    assert_eq!(account.inventory(), nothing(), "saving does nothing");
    account.run_bare("deploy first.plan.json --yes").exits(0);
    assert_eq!(account.inventory(), whole());
    let stale = account.run_bare("deploy first.plan.json --yes").exits(3);
    assert!(stale.stderr.contains("stale"), "{}", stale.stderr);

    account.run("deploy --var price_class=PriceClass_All --out world.plan.json").exits(2);
    account.tamper(|config| config.price_class = Some(PriceClass::PriceClass100));
    let stale = account.run_bare("deploy world.plan.json --yes").exits(3);
    insta::assert_snapshot!("stale_world", account.redact(&stale.stderr));
    assert_eq!(account.distribution().2.price_class(), Some(&PriceClass::PriceClass100), "nothing was done");

    account.run("deploy --var price_class=PriceClass_All --out late.plan.json").exits(2);
    account.run("deploy --yes").exits(0);
    let stale = account.run_bare("deploy late.plan.json --yes").exits(3);
    assert!(stale.stderr.contains("the journal has grown"), "{}", stale.stderr);
    assert_eq!(account.distribution().2.price_class(), Some(&PriceClass::PriceClass200));

    let none = account.run_bare("deploy none.plan.json --yes").exits(3);
    assert!(none.stderr.contains("none.plan.json"), "{}", none.stderr);
}

#[test]
fn a_file_that_is_not_there_stops_before_the_first_call() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::of(local_aws::account()).through(proxy.url());
    std::fs::remove_file(account.path("model_int8.onnx")).expect("it was there");
    let refused = account.run("deploy --yes").exits(3);
    insta::assert_snapshot!("missing_file", account.redact(&refused.stderr));
    assert!(proxy.take_calls().is_empty(), "no call was made");
}

#[test]
fn drift_is_repaired_and_what_is_not_managed_stays() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let error = CustomErrorResponse::builder().error_code(404).response_code("404").response_page_path("/lost.html");
    let error = error.error_caching_min_ttl(5).build().expect("a custom error response");
    account.tamper(|config| {
        config.price_class = Some(PriceClass::PriceClass100);
        config.custom_error_responses = CustomErrorResponses::builder().quantity(1).items(error).build().ok();
    });
    let cdn = aws_sdk_cloudfront::Client::new(&account.sdk);
    let (id, _, _) = account.distribution();
    let arn = wait(cdn.get_distribution().id(&id).send()).expect("it").distribution.expect("it").arn;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().expect("a tag");
    let tags = Tags::builder().items(tag("team", "search")).build();
    wait(cdn.tag_resource().resource(&arn).tags(tags).send()).expect("tags");

    let drift = account.run("status --drift").exits(2);
    insta::assert_snapshot!("drift", account.redact(&drift.stdout));
    account.run("deploy --yes").exits(0);
    let (_, _, config) = account.distribution();
    assert_eq!(config.price_class(), Some(&PriceClass::PriceClass200));
    assert_eq!(config.custom_error_responses().map(|all| all.quantity()), Some(1), "not managed: it stays");
    let tags = wait(cdn.list_tags_for_resource().resource(&arn).send()).expect("tags").tags.expect("tags");
    let value = |key: &str| tags.items().iter().find(|tag| tag.key() == key).and_then(Tag::value).map(str::to_owned);
    assert_eq!(value("akidb:stack").as_deref(), Some("akidb-week13"), "the mark is still there");
    assert_eq!(value("team").as_deref(), Some("search"), "a tag of somebody else stays");

    // In place, and the unmanaged setting survives that, too.
    let plan = account.changed_plan("comment: AkiDB edge\n", "comment: AkiDB at the edge\n");
    let changed = account.run(&format!("deploy --plan {plan} --var price_class=PriceClass_All --yes")).exits(0);
    insta::assert_snapshot!("in_place", account.redact(&changed.stdout));
    let (now, _, config) = account.distribution();
    assert_eq!(now, id, "the same distribution");
    assert_eq!((config.comment(), config.price_class()), ("AkiDB at the edge", Some(&PriceClass::PriceClassAll)));
    assert_eq!(config.custom_error_responses().map(|all| all.quantity()), Some(1));
    account.run(&format!("deploy --plan {plan} --var price_class=PriceClass_All --yes")).exits(0);
}

#[test]
fn what_cannot_be_changed_is_replaced() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let names = aws_sdk_route53::Client::new(&account.sdk);
    let checks = || {
        let listed = wait(names.list_health_checks().send()).expect("health checks");
        let one = |check: &aws_sdk_route53::types::HealthCheck| {
            (check.id().to_owned(), check.health_check_config().and_then(|config| config.request_interval()))
        };
        listed.health_checks().iter().map(one).collect::<Vec<_>>()
    };
    let before = checks();
    let plan = account.changed_plan("interval_seconds: 30, failure", "interval_seconds: 10, failure");
    let changed = account.run(&format!("deploy --plan {plan} --yes")).exits(0);
    insta::assert_snapshot!("replaced", account.redact(&changed.stdout));
    let after = checks();
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|(id, interval)| *interval == Some(10) && !before.iter().any(|(old, _)| old == id)));
    let zone = account.zone().expect("the zone");
    let sets = wait(names.list_resource_record_sets().hosted_zone_id(zone).send()).expect("record sets");
    let used: Vec<&str> = sets.resource_record_sets().iter().filter_map(|set| set.health_check_id()).collect();
    assert!(!used.is_empty() && used.iter().all(|id| after.iter().any(|(new, _)| new == id)), "{DOMAIN}: {used:?}");

    // New code: a new version, the distribution leads to it, the old one goes.
    let lambda = aws_sdk_lambda::Client::new(&account.sdk);
    let function = format!("t{}-edge-gateway", account.number);
    let versions = || {
        let listed = wait(lambda.list_versions_by_function().function_name(&function).send()).expect("versions");
        listed
            .versions()
            .iter()
            .filter_map(|one| one.version())
            .filter(|one| *one != "$LATEST")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["1"]);
    let zip = account.path("gateway.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).expect("a file"));
    writer.start_file("index.mjs", zip::write::SimpleFileOptions::default()).expect("an entry");
    std::io::Write::write_all(&mut writer, b"export const handler = async (event) => event.Records[0].cf.request;\n")
        .expect("code");
    writer.finish().expect("a zip");
    let code = format!("code: {{zip: \"{}\"}}", zip.display());
    let plan = account.changed_plan("code: {template: gateway}", &code);
    account.run(&format!("deploy --plan {plan} --yes")).exits(0);
    assert_eq!(versions(), ["2"]);
    let (_, _, config) = account.distribution();
    let behaviors = config.cache_behaviors.expect("behaviors").items.unwrap_or_default();
    let associated = behaviors.iter().filter_map(|one| one.lambda_function_associations()).flat_map(|all| all.items());
    let arns: Vec<&str> = associated.map(|one| one.lambda_function_arn()).collect();
    assert!(arns.len() == 3 && arns.iter().all(|arn| arn.ends_with(":2")), "{arns:?}");
}

/// A state that knows nothing of a stack whose resources exist is not simply taken for a lost one.
#[test]
fn a_fresh_state_of_a_stack_that_exists_is_a_risk() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let other = account.run("deploy --dry-run --state file:other").exits(2);
    assert!(
        other.stderr.contains("/other, and ") && other.stderr.contains("are tagged as the stack's"),
        "{}",
        other.all()
    );
    assert!(other.stderr.contains("next: name the place of that state with --state"), "{}", other.all());
    assert!(other.stdout.contains("[shared stack]") && other.stdout.contains("risk: shared stack"), "{}", other.stdout);
    let document = account.run("deploy --dry-run --state file:other --json").exits(2).json();
    let changes = document["changes"].as_array().expect("changes");
    assert!(changes.iter().any(|change| change["risk"] == "shared-stack"), "{document}");
    let own = account.run("deploy --dry-run").exits(0);
    assert!(!own.all().contains("shared stack") && !own.all().contains("mark exist"), "{}", own.all());
}

/// What a person has to do at the registrar is the last line on the terminal.
#[test]
fn the_name_servers_of_a_new_zone_are_the_last_line() {
    let account = TestAccount::new();
    let made = account.run("deploy routing --yes").exits(0);
    let last = made.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("is a new zone: set its name servers at your registrar: "), "{}", made.stderr);
    let again = account.run("deploy routing --yes").exits(0);
    assert!(!again.stderr.contains("is a new zone"), "{}", again.stderr);
}
