//! `rollback`: the last run undone, a revision, the fallbacks of the plan.

use std::collections::BTreeSet;

use testkit::cli::{CommandOutput, STACK, TestAccount, nothing};
use testkit::local_aws;
use testkit::proxy::{FaultProxy, wait};

/// The addresses that a run worked on.
fn addresses(output: &CommandOutput) -> BTreeSet<String> {
    let document = output.json();
    let changes = document["changes"].as_array().expect("a list");
    changes.iter().map(|change| change["address"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn back_and_forth_and_to_the_beginning() {
    let account = TestAccount::new();
    let none = account.run_bare(&format!("rollback --stack {STACK} --yes")).exits(3);
    assert!(none.stderr.contains("no state of the stack"), "{}", none.stderr);
    account.run_bare("rollback --yes").exits(3);

    account.run("deploy --yes").exits(0);
    let geo = account.records("api");
    account.run("route cutover --yes").exits(0);
    let cut = account.records("api");
    let looked = account.run("rollback --dry-run --json").exits(2).json();
    assert_eq!(looked["schema"], "akidb-edge/rollback/v1");
    let undone = account.run("rollback --yes").exits(0);
    insta::assert_snapshot!("undone", account.redact(&undone.stdout));
    assert!(undone.stderr.contains("settings come from the journal of"), "{}", undone.stderr);
    assert_eq!(account.records("api"), geo);
    let status = account.run("status --json").exits(0).json();
    let runs = status["state"]["runs"].as_array().expect("runs");
    let verbs: Vec<_> = runs.iter().map(|run| run["purpose"]["verb"].clone()).collect();
    assert_eq!(verbs, ["deploy", "route", "rollback"]);
    // The undoing is a run like any other: it can be undone.
    account.run("rollback --yes").exits(0);
    assert_eq!(account.records("api"), cut);
    account.run("deploy --yes").exits(0);
    assert_eq!(account.records("api"), cut, "the cutover is in force again");
    account.run("rollback --to 99 --yes").exits(3);

    account.run_bare(&format!("rollback --stack {STACK} --to 0 --empty-buckets --yes")).exits(0);
    assert_eq!(account.inventory(), nothing());
    let status = account.run("status").exits(0);
    assert!(status.stdout.contains("0 resources"), "{}", status.stdout);
}

#[test]
fn each_fallback_changes_only_its_addresses() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    account.run("rollback --fallback dns-to-origin --yes").exits(3);
    account.run("deploy --yes").exits(0);
    account.run("route cutover --yes").exits(0);
    account.run("rollback --fallback nowhere --yes").exits(3);
    let only = |addresses: &[&str]| addresses.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();

    proxy.reset();
    let went = account.run("rollback --fallback dns-to-origin --yes --json").exits(0);
    assert_eq!(addresses(&went), only(&["routing.records.api"]));
    assert_eq!(went.json()["schema"], "akidb-edge/rollback/v1");
    let calls = proxy.take_mutating();
    let names: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(names, ["ChangeResourceRecordSets"], "exactly one batch");
    let sets = account.records("api");
    assert!(!sets.is_empty() && sets.iter().all(|set| !set.contains("cloudfront.net")), "{sets:?}");
    let status = account.run("status").exits(0);
    assert!(status.stdout.contains("the fallback dns-to-origin is active"), "{}", status.stdout);

    let went = account.run("rollback --fallback lambda-edge-off --yes --json").exits(0);
    assert_eq!(addresses(&went), only(&["cdn.distribution.main"]));
    let behaviors = account.distribution().2.cache_behaviors.and_then(|all| all.items).unwrap_or_default();
    let functions = behaviors.iter().filter_map(|one| one.lambda_function_associations());
    assert_eq!(functions.map(|all| all.quantity()).sum::<i32>(), 0);

    let went = account.run("rollback --fallback replication-paused --yes --json").exits(0);
    assert_eq!(addresses(&went), only(&["models.replication.primary"]));
    let bucket = format!("t{}-models-edge", account.number);
    let rules = wait(account.s3().get_bucket_replication().bucket(bucket).send()).expect("replication");
    let rules = rules.replication_configuration.expect("a configuration").rules;
    assert!(rules.iter().all(|rule| rule.status().as_str() == "Disabled"), "{rules:?}");

    // A deploy ends whatever fallback is in force.
    let ended = account.run("deploy --yes").exits(0);
    assert!(ended.stderr.contains("this run deactivates it"), "{}", ended.stderr);
    assert!(account.records("api").iter().all(|set| set.contains("cloudfront.net")));
    account.run("status --drift").exits(0);
}
