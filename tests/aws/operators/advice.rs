//! Every next step that a refusal prints is followed here to the letter, and nothing is lost by it.

use std::path::Path;

use aws_sdk_route53::types as dns;
use aws_sdk_s3::types as s3;

use crate::operators::stack::Stack;
use testkit::cli::CommandOutput;
use testkit::proxy::wait;

fn storage(stack: &Stack) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build())
}

/// The flag and its value that the refusal says to add.
#[track_caller]
fn advised(refused: &CommandOutput) -> (String, String) {
    let words: Vec<&str> = refused.stderr.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "--adopt").unwrap_or_else(|| panic!("{}", refused.stderr));
    (words[at].to_owned(), words[at + 1].trim_end_matches([',', ';', '.']).to_owned())
}

/// Deploys, is refused, follows the advice, and deploys once more without it.
#[track_caller]
fn follow(stack: &Stack, plan: &Path) {
    let refused = stack.deploy(plan).exits(3);
    let (flag, value) = advised(&refused);
    stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--yes", &flag, &value]).exits(0);
    let again = stack.deploy(plan).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);
}

fn bucket(key: &str, name: &str) -> String {
    format!(
        "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {name}, region: us-east-1}}}}}}}}\n"
    )
}

/// A bucket of somebody else, with an object, a rule and a tag in it.
fn theirs(stack: &Stack, name: &str) {
    let client = storage(stack);
    wait(client.create_bucket().bucket(name).send()).expect("a bucket");
    wait(client.put_object().bucket(name).key("data").body(b"kept".to_vec().into()).send()).expect("an object");
    let expiry = s3::LifecycleExpiration::builder().days(400).build();
    let rule = s3::LifecycleRule::builder().id("theirs").status(s3::ExpirationStatus::Enabled).expiration(expiry);
    let rule = rule.filter(s3::LifecycleRuleFilter::builder().prefix("old/").build()).build().expect("a rule");
    let rules = s3::BucketLifecycleConfiguration::builder().rules(rule).build().expect("rules");
    wait(client.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(rules).send())
        .expect("rules");
    let tag = s3::Tag::builder().key("team").value("search").build().expect("a tag");
    let tags = s3::Tagging::builder().tag_set(tag).build().expect("tags");
    wait(client.put_bucket_tagging().bucket(name).tagging(tags).send()).expect("tags");
}

#[track_caller]
fn still_theirs(stack: &Stack, name: &str) {
    let client = storage(stack);
    wait(client.get_object().bucket(name).key("data").send()).expect("the object");
    let rules = wait(client.get_bucket_lifecycle_configuration().bucket(name).send()).expect("rules");
    assert!(rules.rules().iter().any(|rule| rule.id() == Some("theirs")), "{rules:?}");
    let tags = wait(client.get_bucket_tagging().bucket(name).send()).expect("tags");
    assert!(tags.tag_set().iter().any(|tag| tag.key() == "team"), "{tags:?}");
}

#[test]
fn a_bucket_of_others_is_taken_up_with_what_is_in_it() {
    let stack = Stack::new();
    let name = format!("advice-{}", stack.account);
    theirs(&stack, &name);
    follow(&stack, &stack.plan("plan.yaml", &bucket("b", &name)));
    still_theirs(&stack, &name);
    // The plan gives it up: it was taken in, so it is let go, whatever the flags say.
    let other = stack.plan("none.yaml", &bucket("c", &format!("other-{}", stack.account)));
    let let_go = stack.run(&["deploy", "--plan", &other.to_string_lossy(), "--yes", "--empty-buckets"]).exits(0);
    assert!(let_go.stdout.contains("[imported, not created by this stack]"), "{}", let_go.stdout);
    still_theirs(&stack, &name);
    // So it is by a rollback of the run that took it in.
    let again = Stack::of(stack.account.clone());
    let plan = again.file(
        "again.yaml",
        &std::fs::read_to_string(stack.plan("plan.yaml", &bucket("b", &name)))
            .expect("it")
            .replace("stack: s", "stack: u"),
    );
    follow(&again, &plan);
    again
        .run(&["rollback", "--stack", &format!("u{}", stack.account), "--to", "0", "--yes", "--empty-buckets"])
        .exits(0);
    still_theirs(&again, &name);
}

#[test]
fn two_stacks_that_want_one_bucket_never_delete_it() {
    let stack = Stack::new();
    let name = format!("advice-{}", stack.account);
    let first = stack.plan("first.yaml", &bucket("b", &name));
    stack.deploy(&first).exits(0);
    let client = storage(&stack);
    wait(client.put_object().bucket(&name).key("data").body(b"kept".to_vec().into()).send()).expect("an object");
    let text = std::fs::read_to_string(&first).expect("the plan").replace("stack: s", "stack: t");
    let second = stack.file("second.yaml", &text);
    follow(&stack, &second);
    // The first stack is told, and lets go of it when its plan does; even with every flag that deletes data.
    let told = stack.deploy(&first).exits(3);
    assert!(told.stderr.contains("contested"), "{}", told.stderr);
    let other = stack.plan("none.yaml", &bucket("c", &format!("other-{}", stack.account)));
    stack.run(&["deploy", "--plan", &other.to_string_lossy(), "--yes", "--empty-buckets"]).exits(0);
    wait(client.get_object().bucket(&name).key("data").send()).expect("the object");
    let again = stack.deploy(&second).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);
}

#[test]
fn records_of_others_are_taken_up_one_by_one() {
    let stack = Stack::new();
    let zone = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";
    stack.deploy(&stack.plan("zone.yaml", zone)).exits(0);
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    let id = wait(names.list_hosted_zones().send()).expect("zones").hosted_zones()[0].id().to_owned();
    let set = |kind: dns::RrType, value: &str| {
        let value = dns::ResourceRecord::builder().value(value).build().expect("a value");
        let set = dns::ResourceRecordSet::builder().name("www.example.net").r#type(kind).ttl(60);
        let set = set.resource_records(value).build().expect("a set");
        dns::Change::builder().action(dns::ChangeAction::Create).resource_record_set(set).build().expect("a change")
    };
    let changes = [set(dns::RrType::A, "192.0.2.7"), set(dns::RrType::Txt, "\"theirs\"")];
    let batch = dns::ChangeBatch::builder().set_changes(Some(changes.into())).build().expect("a batch");
    wait(names.change_resource_record_sets().hosted_zone_id(&id).change_batch(batch).send()).expect("records");
    let records = "        web:\n        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    let step = format!("{zone}  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n{records}");
    let plan = stack.plan("plan.yaml", &step);
    follow(&stack, &plan);
    let listed = || {
        let listed = wait(names.list_resource_record_sets().hosted_zone_id(&id).send()).expect("record sets");
        let at = listed.resource_record_sets().iter().filter(|set| set.name().starts_with("www."));
        at.map(|set| format!("{} {}", set.r#type().as_str(), set.resource_records()[0].value())).collect::<Vec<_>>()
    };
    assert_eq!(listed(), ["A 192.0.2.1", "TXT \"theirs\""]);
    stack.deploy(&stack.plan("zone.yaml", zone)).exits(0);
    assert_eq!(listed(), ["A 192.0.2.7", "TXT \"theirs\""], "what was taken over comes back as it was");
}

#[test]
fn what_others_put_in_the_place_of_ours_is_not_deleted() {
    let stack = Stack::new();
    let name = format!("advice-{}", stack.account);
    let plan = stack.plan("plan.yaml", &bucket("b", &name));
    stack.deploy(&plan).exits(0);
    let client = storage(&stack);
    wait(client.delete_bucket().bucket(&name).send()).expect("deleted by somebody");
    wait(client.create_bucket().bucket(&name).send()).expect("and made again by somebody else");
    let destroyed = stack.run(&["destroy", "--plan", &plan.to_string_lossy(), "--yes", "--empty-buckets"]).exits(0);
    assert!(destroyed.stdout.contains("another owner is possible, so it is kept"), "{}", destroyed.stdout);
    wait(client.head_bucket().bucket(&name).send()).expect("their bucket");
}
