//! `state import` and `deploy --adopt`: what exists comes under the plan's addresses.

use serde_json::Value;
use testkit::cli::{TestAccount, whole};
use testkit::proxy::wait;

/// Address and ID of everything that a whole deploy made; what is looked up is left out.
fn everything(account: &TestAccount) -> Vec<String> {
    let document = account.run("state export").exits(0).json();
    let all = document["state"]["resources"].as_object().expect("resources").clone();
    let made = all.iter().filter(|(_, record)| record["kind"] != "load-balancer");
    made.map(|(address, record)| format!("{address}={}", record["id"].as_str().unwrap_or_default())).collect()
}

fn lose_the_journal(account: &TestAccount) {
    std::fs::remove_dir_all(account.path("state")).expect("the journal goes");
}

#[test]
fn a_lost_journal_comes_back_by_ids() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let pairs = everything(&account);
    lose_the_journal(&account);

    let words = format!("state import {}", pairs.join(" "));
    let looks = account.run(&format!("{words} --dry-run")).exits(2);
    assert!(looks.stdout.contains("would not change it"), "{}", looks.stdout);
    let asks = account.run(&words).exits(3);
    assert!(asks.stderr.contains("add --yes"), "{}", asks.stderr);
    assert_eq!(account.run("state journal").exits(0).stdout, "");
    account.run(&format!("{words} --yes")).exits(0);

    let again = account.run("deploy --yes --json").exits(0).json();
    assert_eq!(again["outcome"], Value::Null, "nothing is left to do");
    assert_eq!(account.inventory(), whole());
    assert_eq!(everything(&account), pairs);
    account.run("destroy --yes --empty-buckets").exits(0);
}

#[test]
fn what_differs_is_updated_and_not_made_again() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let pairs = everything(&account);
    lose_the_journal(&account);
    account.tamper(|config| config.comment = "somebody else's words".to_owned());
    let said = account.run(&format!("state import {} --yes", pairs.join(" "))).exits(0);
    assert!(said.stdout.contains("somebody else's words"), "{}", said.stdout);
    let done = account.run("deploy --yes").exits(0);
    assert!(done.stdout.contains("1 to update") && !done.stdout.contains("to create"), "{}", done.stdout);
    assert_eq!(account.inventory(), whole());
    // What was there when it was taken in is what a rollback to that revision brings back.
    account.run("rollback --to 1 --yes").exits(0);
    assert_eq!(account.distribution().2.comment, "somebody else's words");
}

#[test]
fn what_does_not_fit_is_refused() {
    let account = TestAccount::new();
    account.run("deploy routing --yes").exits(0);
    let zone = account.zone().expect("a zone").replace("/hostedzone/", "");
    let uuid = "12345678-1234-1234-1234-123456789012";
    let certificate = |region: &str, owner: &str| format!("arn:aws:acm:{region}:{owner}:certificate/{uuid}");
    let other = if account.number == "123456789012" { "210987654321" } else { "123456789012" };
    let cases = [
        (format!("routing.zone.main={zone}"), "is in the state already"),
        ("models.bucket.primry=abc".to_owned(), "did you mean models.bucket."),
        ("routing.nothing=abc".to_owned(), "is not an address"),
        ("models.bucket.primary".to_owned(), "expected ADDRESS=ID"),
        ("models.bucket.primary=a_b".to_owned(), "expected the bucket's name: models.bucket.primary="),
        ("cdn.distribution.main=main".to_owned(), "cdn.distribution.main=EDFDVBD6EXAMPLE"),
        ("cdn.distribution.main=E0000000000000".to_owned(), "there is no CloudFront distribution E0000000000000"),
        ("models.bucket.primary=another-bucket".to_owned(), "is known by its name"),
        ("routing.load-balancer.us-east-1=x".to_owned(), "looked up in every run"),
        (format!("routing.certificate.cdn={}", certificate("us-east-1", other)), "is of account"),
        (format!("routing.certificate.cdn={}", certificate("eu-west-1", &account.number)), "is in eu-west-1"),
    ];
    let before = account.run("state journal").exits(0).stdout;
    for (pair, words) in cases {
        let command = format!("state import {pair} --yes");
        let certificates = pair.contains("certificate.cdn");
        let answer = account.run(&command);
        // The certificates of the viewer were deployed with the records that prove them.
        if certificates && answer.stderr.contains("is in the state already") {
            continue;
        }
        let answer = answer.exits(3);
        assert!(answer.stderr.contains(words), "{pair}: {}", answer.stderr);
    }
    assert_eq!(account.run("state journal").exits(0).stdout, before, "a refusal leaves nothing behind");
}

#[test]
fn another_stacks_things_need_a_word() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let plan = account.changed_plan("stack: akidb-week13", "stack: other");
    let words = format!("state import edge.function.gateway=t{}-edge-gateway --plan {plan} --yes", account.number);
    let refused = account.run(&words).exits(3);
    assert!(
        refused.stderr.contains("of stack akidb-week13") && refused.stderr.contains("--adopt"),
        "{}",
        refused.stderr
    );
    account.run(&format!("{words} --adopt")).exits(0);
    let shown = account.run_bare("state show --stack other").exits(0);
    assert!(shown.stdout.contains("edge.function.gateway"), "{}", shown.stdout);
}

#[test]
fn deploy_adopts_only_when_told() {
    let account = TestAccount::new();
    let name = format!("t{}-cloudfront-logs", account.number);
    wait(account.s3().create_bucket().bucket(&name).send()).expect("a bucket of somebody");
    wait(account.s3().put_object().bucket(&name).key("precious").send()).expect("with something in it");
    let refused = account.run("deploy --target models.bucket.logs --yes").exits(3);
    assert!(refused.stderr.contains("--adopt models.bucket.logs"), "{}", refused.stderr);
    let words = "deploy --target models.bucket.logs --adopt models.bucket.logs";
    let looks = account.run(&format!("{words} --dry-run")).exits(2);
    assert!(looks.stdout.contains("> adopt"), "{}", looks.stdout);
    account.run(&format!("{words} --yes")).exits(0);
    wait(account.s3().head_object().bucket(&name).key("precious").send()).expect("what was in it is in it");
    let blocked = wait(account.s3().get_public_access_block().bucket(&name).send()).expect("the plan's settings");
    assert_eq!(blocked.public_access_block_configuration().and_then(|all| all.block_public_acls()), Some(true));
    account.run("deploy --target models.bucket.logs --dry-run").exits(0);
}
