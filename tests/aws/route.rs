//! `route` against the local AWS, and its explanations without it.

use testkit::cli::{TestAccount, bare, finish};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction};

#[test]
fn explains_without_any_call() {
    for (name, words) in [
        ("explain_all", ""),
        ("explain_europe_down", "--down eu-central-1"),
        ("explain_after_cutover", "--request cutover"),
        ("explain_countries", "--from JP,DE,BR --name api"),
    ] {
        let words = format!("route explain --plan week13 {words}");
        let output = finish(bare().args(words.split_whitespace())).exits(0);
        assert_eq!(output.stderr, "", "{name}");
        insta::assert_snapshot!(name, output.stdout);
    }
    let down =
        finish(bare().args("route explain --plan week13 --json --name api --from EU --down eu-central-1".split(' ')));
    let document = down.exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/route-explain/v1");
    assert!(document["answers"][0]["answers"][0].to_string().contains("us-east-1"), "{document}");
    finish(bare().args("route explain --plan week13 --name nowhere".split(' '))).exits(3);
}

#[test]
fn latency_then_geo_then_cutover_in_one_batch() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    account.run("route latency --yes").exits(0);
    assert_eq!(account.records("origin").len(), 3, "{:?}", account.records("origin"));
    assert!(account.records("api").is_empty());
    let document = account.run("route geo --yes --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/route-geo/v1");
    let geo = account.records("api");
    assert!(!geo.is_empty() && geo.iter().all(|set| !set.contains(" - ")), "{geo:?}");
    assert_eq!(account.inventory()["distributions"], 0, "routing alone");

    account.run("deploy --yes").exits(0);
    let dry = account.run("route cutover --dry-run").exits(2);
    insta::assert_snapshot!("cutover", account.redact(&dry.stdout));
    let document = account.run("route cutover --dry-run --json").exits(2).json();
    assert_eq!(document["schema"], "akidb-edge/route-cutover/v1");
    assert_eq!(account.records("api"), geo);
    proxy.reset();
    // While it is on its way nothing is half done: the one batch is the only change.
    account.run("route cutover --yes").exits(0);
    let changes = proxy.take_mutating();
    let names: Vec<&str> = changes.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(names, ["ChangeResourceRecordSets"], "one batch and nothing else");
    let cut = account.records("api");
    assert_eq!(cut.len(), 2, "{cut:?}");
    assert!(cut.iter().all(|set| set.contains("cloudfront.net") && set.contains(" - ")), "{cut:?}");

    // It stays so with the next deploy.
    account.run("deploy --yes").exits(0);
    assert!(proxy.take_mutating().is_empty());
    assert_eq!(account.records("api"), cut);
    account.run("route cutover --yes").exits(0);
    assert!(proxy.take_mutating().is_empty());
}

#[test]
fn a_cutover_whose_answer_is_lost_is_healed() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    account.run("deploy --yes").exits(0);
    proxy.reset();
    proxy.on(|call| call.operation == "ChangeResourceRecordSets", CallSelector::Nth(1), ProxyAction::DropAfter);
    account.run("route cutover --yes").exits(0);
    assert_eq!(account.records("api").len(), 2, "{:?}", account.records("api"));
    proxy.reset();
    account.run("deploy --yes").exits(0);
    assert!(proxy.take_mutating().is_empty());
}
