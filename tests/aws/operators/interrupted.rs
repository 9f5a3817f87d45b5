//! A run that was killed after a call and before its answer was written down, followed by something else than the same
//! command: what it did is the stack's own, and is undone like the rest.

use std::fs;
use std::path::Path;

use crate::operators::stack::Stack;
use testkit::proxy::wait;

/// Cuts the journal behind the last announcement, as a kill at that moment leaves it.
fn cut(stack: &Stack) {
    let file = stack.home.path().join(".akidb-edge").join(stack.name()).join("journal.jsonl");
    let text = fs::read_to_string(&file).expect("the journal");
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.contains("\"fact\":\"intended\"")).expect("an announcement");
    fs::write(&file, lines[..=last].join("\n") + "\n").expect("the journal");
}

fn storage(stack: &Stack) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build())
}

fn bucket(stack: &Stack, more: &str) -> String {
    format!(
        "  - {{id: m, title: m, kind: models, with: {{buckets: {{b: {{name: cut-{}, region: us-east-1{more}}}}}}}}}\n",
        stack.account
    )
}

fn rules(stack: &Stack) -> Vec<String> {
    let listed = storage(stack).get_bucket_lifecycle_configuration().bucket(format!("cut-{}", stack.account)).send();
    let rules = wait(listed).ok().and_then(|listed| listed.rules).unwrap_or_default();
    rules.into_iter().filter_map(|rule| rule.id).collect()
}

fn records(stack: &Stack) -> Vec<String> {
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    let zone = wait(names.list_hosted_zones().send()).expect("zones").hosted_zones()[0].id().to_owned();
    let listed = wait(names.list_resource_record_sets().hosted_zone_id(zone).send()).expect("record sets");
    let ours = listed.resource_record_sets().iter().filter(|set| !matches!(set.r#type().as_str(), "SOA" | "NS"));
    ours.map(|set| format!("{} {}", set.name(), set.r#type().as_str())).collect()
}

fn zone(records: &str) -> String {
    let zone = "  - {id: z, title: z, kind: routing, with: {zone: {name: example.net}}}\n";
    format!("{zone}  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n        g:\n{records}")
}

/// A rollback to the first plan.
type Back<'a> = &'a dyn Fn(&Stack, &Path);

/// Deploys the first plan, then the second one, which is cut; then goes back in both ways.
fn goes_back(
    first: impl Fn(&Stack) -> String,
    second: impl Fn(&Stack) -> String,
    world: impl Fn(&Stack) -> Vec<String>,
) {
    let backs: [Back<'_>; 2] =
        [&|stack, _| drop(stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0)), &|stack, one| {
            drop(stack.deploy(one).exits(0))
        }];
    for back in backs {
        let stack = Stack::new();
        let (one, two) = (stack.plan("one.yaml", &first(&stack)), stack.plan("two.yaml", &second(&stack)));
        stack.deploy(&one).exits(0);
        let before = world(&stack);
        stack.deploy(&two).exits(0);
        assert_ne!(world(&stack), before);
        cut(&stack);
        back(&stack, &one);
        assert_eq!(world(&stack), before);
        assert!(stack.deploy(&one).exits(0).stdout.contains("no changes"));
    }
}

#[test]
fn a_killed_run_is_told_with_what_it_had_done() {
    let stack = Stack::new();
    let www = "        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    let plan = stack.plan("p.yaml", &zone(www));
    stack.deploy(&plan).exits(0);
    cut(&stack);
    let status = || stack.run(&["status", "--stack", &stack.name()]);
    let said = status().exits(2).stdout;
    assert!(said.contains(": interrupted after 1 change, 1 unanswered"), "{said}");
    let document = stack.run(&["status", "--stack", &stack.name(), "--json"]).exits(2).json();
    let run = &document["state"]["runs"][0];
    assert_eq!((&run["changes"], &run["unanswered"]), (&1.into(), &serde_json::json!(["routing.records.g"])));
    for format in ["markdown", "html"] {
        let report = stack.run(&["report", "--plan", "p.yaml", "--format", format]).exits(0).stdout;
        assert!(report.contains("interrupted, or still running") && report.contains("1 unanswered"), "{report}");
    }
    let undone = stack.run(&["rollback", "--stack", &stack.name(), "--dry-run"]).exits(2).stderr;
    assert!(undone.contains("interrupted after 1 change, 1 unanswered"), "{undone}");
    // The run that goes on leaves what is said of the first one.
    stack.deploy(&plan).exits(0);
    let said = status().exits(0).stdout;
    assert!(said.contains(": interrupted after 1 change, 1 unanswered") && said.contains(": done"), "{said}");
}

#[test]
fn a_rule_that_a_killed_run_wrote_is_taken_back() {
    let one = |days: &str| format!(", lifecycle: [{{id: {days}, expire_days: 1}}]");
    goes_back(|stack| bucket(stack, ""), |stack| bucket(stack, &one("l")), rules);
    goes_back(|stack| bucket(stack, &one("k")), |stack| bucket(stack, &one("l")), rules);
}

#[test]
fn records_that_a_killed_run_wrote_are_taken_back() {
    let www = "        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    let new = format!("{www}        - {{name: new, type: A, ttl: 60, values: [192.0.2.2]}}\n");
    let other = "        - {name: www, type: CNAME, ttl: 60, values: [www.example.org]}\n";
    goes_back(|_| zone(www), |_| zone(&new), records);
    goes_back(|_| zone(www), |_| zone(other), records);
}
