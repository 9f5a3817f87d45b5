//! What a saved plan has decided, what a target takes along, what a name that nobody knows leads to.

use aws_sdk_route53::types as dns;
use aws_sdk_s3::primitives::ByteStream;

use crate::operators::stack::Stack;
use testkit::cli::CommandOutput;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ServiceRefusal, wait};
use testkit::{cli, local_aws};

pub const ZONE: &str = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";

pub fn records(group: &str) -> String {
    format!(
        "  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n        {group}:\n        - {{name: www, type: A, ttl: 60, values: [192.0.2.1]}}\n"
    )
}

/// A step with buckets by their keys; names end in the account.
pub fn buckets(stack: &Stack, keys: &[&str]) -> String {
    let of = |key: &&str| format!("{key}: {{name: {key}-{}, region: us-east-1}}", stack.account);
    let all: Vec<String> = keys.iter().map(of).collect();
    format!("  - {{id: m, title: m, kind: models, with: {{buckets: {{{}}}}}}}\n", all.join(", "))
}

pub fn storage(stack: &Stack) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build())
}

/// Puts an object into a bucket.
pub fn fill(stack: &Stack, key: &str) {
    let call = storage(stack).put_object().bucket(format!("{key}-{}", stack.account)).key("data");
    wait(call.body(ByteStream::from_static(b"kept")).send()).expect("an object");
}

pub fn exists(stack: &Stack, key: &str) -> bool {
    wait(storage(stack).head_bucket().bucket(format!("{key}-{}", stack.account)).send()).is_ok()
}

/// Runs words; `--plan p.yaml` and so on are relative to the stack's folder.
pub fn run(stack: &Stack, words: &str) -> CommandOutput {
    stack.run(&words.split_whitespace().collect::<Vec<_>>())
}

#[track_caller]
pub fn says(output: &CommandOutput, words: &str) {
    assert!(output.all().contains(words), "{words:?} is not in\n{}", output.all());
}

#[test]
fn a_saved_plan_takes_no_options_that_it_has_decided() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    run(&stack, "deploy --plan p.yaml --out x.plan.json").exits(2);
    for option in [
        "--plan p.yaml",
        "--var a=b",
        "--var-file p.yaml",
        "--target models.bucket.a",
        "--exclude models.bucket.a",
        "--adopt models.bucket.a",
        "--request cutover",
        "--empty-buckets",
        "--out y.plan.json",
        "--out y.plan.json --force",
        "--print-iam-policy",
        "--print-iam-boundary",
    ] {
        let refused = run(&stack, &format!("deploy x.plan.json --yes {option}")).exits(3);
        says(&refused, "cannot be combined");
        says(&refused, "nothing was done");
    }
    assert!(!exists(&stack, "a") && !stack.home.path().join("y.plan.json").exists());
    // How the run goes is not decided yet.
    run(&stack, "deploy x.plan.json --dry-run").exits(2);
    run(&stack, "deploy x.plan.json --yes --wait accepted --parallelism 1").exits(0);
    assert!(exists(&stack, "a") && exists(&stack, "b"));
}

#[test]
fn the_policy_of_what_is_deployed_names_its_ids() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}", records("simple")));
    let zones = |words: &str| -> Vec<String> {
        let policy = run(&stack, words).exits(0).json();
        let all = policy["policy"]["Statement"].as_array().cloned().unwrap_or_default();
        let on = |statement: serde_json::Value| statement["Resource"].as_array().cloned().unwrap_or_default();
        let named = all.into_iter().flat_map(on).filter_map(|one| one.as_str().map(str::to_owned));
        named.filter(|one| one.contains(":hostedzone/")).collect()
    };
    let before = run(&stack, "deploy --plan p.yaml --print-iam-policy --deployed").exits(3);
    says(&before, "is deployed, so no IDs are known");
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let every = zones("deploy --plan p.yaml --print-iam-policy --json");
    assert!(!every.is_empty() && every.iter().all(|one| one == "arn:aws:route53:::hostedzone/*"), "{every:?}");
    let state = run(&stack, "state show --plan p.yaml --json").exits(0).json();
    let all = state["resources"].as_array().expect("a list");
    let zone = all.iter().find(|one| one["kind"] == "zone").expect("the zone");
    let own = format!("arn:aws:route53:::hostedzone/{}", zone["id"].as_str().expect("an ID"));
    let narrow = zones("deploy --plan p.yaml --print-iam-policy --deployed --json");
    assert!(narrow.len() == every.len() && narrow.iter().all(|one| *one == own), "{narrow:?} {own}");
}

#[test]
fn a_saved_plan_is_for_one_journal_and_one_endpoint() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan p.yaml --state file:one --out x.plan.json").exits(2);
    let other = run(&stack, "deploy x.plan.json --yes --state file:other").exits(3);
    says(&other, "the saved plan is for the journal at file:/");
    let other = run(&stack, "deploy x.plan.json --yes").exits(3);
    says(&other, "the saved plan is for the journal at file:/");
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let words = ["deploy", "x.plan.json", "--yes", "--state", "file:one"];
    says(&stack.run_at(proxy.url(), &words).exits(3), "it is for the endpoint");
    assert!(!exists(&stack, "a"));
    // The same place, called otherwise.
    let whole = stack.home.path().join("one");
    run(&stack, &format!("deploy x.plan.json --yes --state file:{}", whole.display())).exits(0);
    // One of an older version did not say.
    run(&stack, "deploy --plan p.yaml --state file:one --out x.plan.json").exits(0);
    let file = stack.home.path().join("x.plan.json");
    let mut saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("it")).expect("JSON");
    saved.as_object_mut().expect("fields").remove("state");
    std::fs::write(&file, saved.to_string()).expect("it");
    says(&run(&stack, "deploy x.plan.json --state file:one --yes").exits(3), "an older version saved it");
}

#[test]
fn a_saved_plan_says_whether_buckets_are_emptied() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    stack.plan("q.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    fill(&stack, "b");
    let saved = run(&stack, "deploy --plan q.yaml --out x.plan.json").exits(2);
    says(&saved, "the run would be refused without --empty-buckets");
    run(&stack, "deploy x.plan.json --yes").exits(3);
    run(&stack, "deploy --plan q.yaml --empty-buckets --out x.plan.json").exits(2);
    run(&stack, "deploy x.plan.json --yes").exits(0);
    assert!(exists(&stack, "a") && !exists(&stack, "b"));
}

#[test]
fn areas_and_targets_add_up_and_excludes_go_before_them() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}", buckets(&stack, &["a", "b", "c"])));
    let words =
        "deploy routing --target models.bucket.a --target models.bucket.b --exclude models.bucket.b --plan p.yaml";
    run(&stack, &format!("{words} --yes")).exits(0);
    assert!(exists(&stack, "a") && !exists(&stack, "b") && !exists(&stack, "c"));
    let shown = run(&stack, "state show --plan p.yaml").exits(0);
    says(&shown, "routing.zone");
    // Nothing is left of what was targeted: the two contradict each other.
    for (target, exclude) in [("models.bucket.c", "models.bucket.c"), ("models", "models"), ("*.bucket.c", "models")] {
        let refused =
            run(&stack, &format!("deploy --plan p.yaml --target {target} --exclude {exclude} --yes")).exits(3);
        says(&refused, &format!("all of {target} is excluded by --exclude {exclude}"));
    }
    assert!(!exists(&stack, "c"));
}

#[test]
fn what_a_selection_leaves_out_is_not_said_to_be_without_changes() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}", buckets(&stack, &["a", "b"])));
    let none = "deploy --plan p.yaml --exclude models --exclude routing";
    let said = run(&stack, &format!("{none} --dry-run")).exits(0).stdout;
    let left = "nothing is selected; 3 resources left out, 3 of them would change by the journal: models.bucket.a, ";
    assert!(said.contains(left) && !said.contains("no changes"), "{said}");
    let document = run(&stack, &format!("{none} --yes --json")).exits(0).json();
    let all = serde_json::json!(["models.bucket.a", "models.bucket.b", "routing.zone.main"]);
    assert_eq!((&document["left_out"], &document["left_out_would_change"]), (&all, &all));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let said = run(&stack, "deploy --plan p.yaml --target models --yes").exits(0).stdout;
    let one = "no changes in what is selected: 2 resources match the plan; 1 resource left out, which would not";
    assert!(said.contains(one), "{said}");
    let whole = run(&stack, "deploy --plan p.yaml --yes --json").exits(0).json();
    assert_eq!(whole["left_out"], serde_json::json!([]));
}

#[test]
fn what_stands_in_the_way_is_a_finding_of_drift_beside_the_others() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b", "c"]));
    run(&stack, "deploy --plan p.yaml --target models.bucket.a --yes").exits(0);
    wait(storage(&stack).create_bucket().bucket(format!("b-{}", stack.account)).send()).expect("a bucket of others");
    let said = run(&stack, "status --drift --plan p.yaml").exits(2).stdout;
    for words in [
        "blocks the plan: models.bucket.b: ",
        "--adopt models.bucket.b",
        "deploy is refused until then; after that it would do this:",
        "+ create  bucket.c",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("no changes"), "{said}");
    let document = run(&stack, "status --drift --plan p.yaml --json").exits(2).json();
    assert_eq!(document["in_the_way"][0]["address"], "models.bucket.b", "{document}");
    assert_eq!((&document["counts"]["create"], &document["unread"]), (&1.into(), &serde_json::json!([])), "{document}");
}

#[test]
fn what_is_adopted_or_requested_must_be_in_the_run() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    let typo = run(&stack, "deploy --plan p.yaml --adopt models.bucket.aa --yes").exits(3);
    says(&typo, "the plan has no models.bucket.aa");
    let outside = run(&stack, "deploy --plan p.yaml --target models.bucket.b --adopt models.bucket.a --yes").exits(3);
    says(&outside, "--adopt models.bucket.a is outside the scope");
    assert!(!exists(&stack, "a") && !exists(&stack, "b"));
    let nothing = run(&stack, "deploy --plan p.yaml --adopt models.bucket.a --yes").exits(0);
    says(&nothing, "has no effect: it does not exist yet");
    let ours = run(&stack, "deploy --plan p.yaml --adopt models.bucket.a --yes").exits(0);
    says(&ours, "has no effect: this stack already owns it");
    let never = run(&stack, "deploy --plan p.yaml --request m --yes").exits(3);
    says(&never, "every deploy runs it");
}

#[test]
fn a_rename_that_is_excluded_waits_and_one_that_is_targeted_by_its_old_name_happens() {
    let stack = Stack::new();
    let name = format!("a-{}", stack.account);
    let named = |key: &str, more: &str| {
        format!(
            "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {name}, region: us-east-1}}{more}}}}}}}\n"
        )
    };
    stack.plan("one.yaml", &named("a", ""));
    let more = format!(", c: {{name: c-{}, region: us-east-1}}", stack.account);
    stack.plan("two.yaml", &named("b", &more));
    run(&stack, "deploy --plan one.yaml --yes").exits(0);
    let listed = || run(&stack, "state show --plan one.yaml").exits(0).stdout;
    for exclude in ["models.bucket.b", "models.bucket.a"] {
        run(&stack, &format!("deploy --plan two.yaml --exclude {exclude} --yes")).exits(0);
        assert!(listed().contains("models.bucket.a") && !listed().contains("models.bucket.b"), "{}", listed());
        assert!(exists(&stack, "c"), "the rest is done");
    }
    // Another target leaves it alone, too.
    run(&stack, "deploy --plan two.yaml --target models.bucket.c --yes").exits(0);
    assert!(listed().contains("models.bucket.a"), "{}", listed());
    // By its old name it moves.
    let moved = run(&stack, "deploy --plan two.yaml --target models.bucket.a --yes").exits(0);
    says(&moved, "moved from models.bucket.a to models.bucket.b");
    assert!(listed().contains("models.bucket.b") && !listed().contains("models.bucket.a"), "{}", listed());
    assert!(run(&stack, "deploy --plan two.yaml --yes").exits(0).stdout.contains("no changes"));
    assert!(exists(&stack, "a"));
}

#[test]
fn a_zone_that_is_destroyed_takes_its_records_along() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}{}", records("web"), buckets(&stack, &["a"])));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let shown = run(&stack, "destroy --plan p.yaml --target routing.zone --dry-run").exits(2);
    says(&shown, "it depends on routing.zone");
    says(&shown, "2 to delete");
    let gone = run(&stack, "destroy --plan p.yaml --target routing.zone --yes").exits(0);
    says(&gone, "partial: 1 resource of the stack left: models.bucket.a");
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    assert!(wait(names.list_hosted_zones().send()).expect("zones").hosted_zones().is_empty());
    assert!(exists(&stack, "a"));
}

#[test]
fn a_bucket_that_is_destroyed_takes_its_replication_along() {
    let stack = Stack::new();
    let (one, two) = (format!("a-{}", stack.account), format!("b-{}", stack.account));
    let step = format!(
        "  - id: m\n    title: m\n    kind: models\n    with:\n      buckets:\n        a: {{name: {one}, region: us-east-1, versioning: true}}\n        b: {{name: {two}, region: eu-central-1, versioning: true}}\n      replication: {{r: {{from: a, to: b, priority: 1, delete_markers: true}}}}\n"
    );
    stack.plan("p.yaml", &step);
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let shown = run(&stack, "destroy --plan p.yaml --target models.bucket.b --dry-run").exits(2);
    says(&shown, "it depends on models.bucket.b, which is deleted");
    run(&stack, "destroy --plan p.yaml --target models.bucket.b --yes").exits(0);
    let rules = wait(storage(&stack).get_bucket_replication().bucket(&one).send());
    assert!(rules.is_err(), "{rules:?}");
    assert!(exists(&stack, "a"));
}

#[test]
fn what_an_imported_resource_needs_is_not_destroyed_without_its_name() {
    let stack = Stack::new();
    stack.plan("zone.yaml", ZONE);
    stack.plan("p.yaml", &format!("{ZONE}{}", records("web")));
    run(&stack, "deploy --plan zone.yaml --yes").exits(0);
    let names = aws_sdk_route53::Client::new(&stack.sdk);
    let zone = wait(names.list_hosted_zones().send()).expect("zones").hosted_zones()[0].id().to_owned();
    let value = dns::ResourceRecord::builder().value("192.0.2.1").build().expect("a value");
    let set = dns::ResourceRecordSet::builder().name("www.example.net").r#type(dns::RrType::A).ttl(60);
    let set = set.resource_records(value).build().expect("a set");
    let change = dns::Change::builder().action(dns::ChangeAction::Create).resource_record_set(set).build();
    let batch = dns::ChangeBatch::builder().changes(change.expect("a change")).build().expect("a batch");
    wait(names.change_resource_record_sets().hosted_zone_id(&zone).change_batch(batch).send()).expect("a record");
    let id = zone.trim_start_matches("/hostedzone/");
    run(&stack, &format!("state import routing.records.web={id}/web --plan p.yaml --yes --adopt")).exits(0);
    let shown = run(&stack, "destroy --plan p.yaml --target routing.zone --dry-run").exits(2);
    says(&shown, "routing.records.web stays and uses it");
    says(&shown, "it depends on routing.zone.main");
    stack.plan("q.yaml", &format!("{ZONE}{}{}", records("web"), buckets(&stack, &["a"])));
    run(&stack, "deploy --plan q.yaml --yes").exits(0);
    let outside = run(&stack, "destroy --plan p.yaml --target models --delete-imported routing.records.web").exits(3);
    says(&outside, "is outside the scope of this run");
    run(&stack, "destroy --plan p.yaml --target routing.zone --yes --delete-imported routing.records.web").exits(0);
    assert!(wait(names.list_hosted_zones().send()).expect("zones").hosted_zones().is_empty());
    assert!(exists(&stack, "a"));
}

#[test]
fn a_destroy_without_a_state_says_so_and_what_stands() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let mistyped = run(&stack, &format!("destroy --stack {}x --yes", stack.name())).exits(3);
    says(&mistyped, "no state of the stack");
    says(&mistyped, &format!("did you mean --stack {}?", stack.name()));
    // In another folder.
    let elsewhere = stack.home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let other = run(&stack, "destroy --plan p.yaml --yes --state file:elsewhere").exits(3);
    says(&other, &format!("was found at file:{}", elsewhere.display()));
    says(&other, &format!("a-{} is tagged as this stack's", stack.account));
    says(&other, "--state");
    assert_eq!(std::fs::read_dir(&elsewhere).expect("it").count(), 0, "nothing was begun there");
    let document = run(&stack, "destroy --plan p.yaml --yes --state file:elsewhere --json").exits(3).json();
    assert_eq!(document["schema"], "akidb-edge/error/v1");
    // The journal is lost.
    std::fs::remove_dir_all(stack.home.path().join(".akidb-edge")).expect("it");
    says(&run(&stack, "destroy --plan p.yaml --yes").exits(3), "is tagged as this stack's");
    assert!(exists(&stack, "a"));
    // What it advises: deploy takes it in again, then it goes.
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    run(&stack, "destroy --plan p.yaml --yes").exits(0);
    // A stack that is gone is gone: that is not a mistake.
    says(&run(&stack, "destroy --plan p.yaml --yes").exits(0), "no changes");
    for words in ["rollback --stack nobody --yes", "destroy --stack nobody --yes"] {
        says(&run(&stack, words).exits(3), &format!("stacks with a state there: {}", stack.name()));
    }
    let status = run(&stack, "status --stack nobody").exits(0);
    says(&status, &format!("stacks with a state at file:.akidb-edge: {}", stack.name()));
}

#[test]
fn files_of_others_are_not_overwritten() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}", buckets(&stack, &["a"])));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    let read = |name: &str| std::fs::read_to_string(stack.home.path().join(name)).expect("a file");
    for (words, file) in [
        ("deploy --plan p.yaml --out mine.json", "mine.json"),
        ("state export --plan p.yaml --out mine.json", "mine.json"),
        ("state export --plan p.yaml --format terraform --out tf", "tf/routing.tf"),
        ("report --plan p.yaml --out days", "days/report.md"),
        ("report --plan p.yaml --out days", "days/report.json"),
    ] {
        let path = stack.home.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, "{\"mine\": true}").expect("a file");
        let refused = run(&stack, words).exits(3);
        says(&refused, "it was left alone");
        assert_eq!(read(file), "{\"mine\": true}");
        run(&stack, &format!("{words} --force")).exits(0);
        assert_ne!(read(file), "{\"mine\": true}");
        // What it wrote itself it writes again.
        run(&stack, words).exits(0);
        std::fs::remove_file(&path).expect("it");
    }
}

#[test]
fn a_rollback_undoes_the_last_run_that_did_something() {
    let stack = Stack::new();
    stack.plan("one.yaml", &buckets(&stack, &["a"]));
    stack.plan("two.yaml", &buckets(&stack, &["a", "b"]));
    stack.plan("three.yaml", &buckets(&stack, &["a", "b", "c"]));
    run(&stack, "deploy --plan one.yaml --yes").exits(0);
    run(&stack, "deploy --plan two.yaml --yes").exits(0);
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.refuse(
        ServiceRefusal {
            operation: "CreateBucket",
            ..ServiceRefusal::of("s3", 400, "InvalidBucketName", "not this one")
        },
        CallSelector::Each,
    );
    let failed = stack.run_at(proxy.url(), &["deploy", "--plan", "three.yaml", "--yes"]).exits(1);
    says(&failed, "0 changes");
    let undone = run(&stack, "rollback --plan two.yaml --yes").exits(0);
    says(&undone, "returns to the state after revision 1");
    assert!(exists(&stack, "a") && !exists(&stack, "b"), "{}", undone.all());
}

#[test]
fn a_rollback_after_a_command_that_never_began_asks_which_one() {
    let stack = Stack::new();
    stack.plan("one.yaml", &buckets(&stack, &["a"]));
    stack.plan("two.yaml", &buckets(&stack, &["a", "b"]));
    run(&stack, "deploy --plan one.yaml --yes").exits(0);
    run(&stack, "deploy --plan two.yaml --yes").exits(0);
    // Killed while it looks at the world: it has the lease and no revision.
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.on(|call| call.service == "s3", CallSelector::Each, ProxyAction::HoldBefore);
    let mut command = cli::bare();
    command.current_dir(stack.home.path()).args(["deploy", "--plan", "one.yaml", "--yes"]);
    command.env("AWS_ENDPOINT_URL", proxy.url()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", &stack.account).env("AWS_SECRET_ACCESS_KEY", "test");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("it starts");
    assert!(proxy.held_within(std::time::Duration::from_secs(20)));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let refused = run(&stack, &format!("rollback --stack {} --yes", stack.name())).exits(3);
    says(&refused, "the last command, deploy --plan one.yaml");
    says(&refused, "has no revision");
    assert!(exists(&stack, "b"));
    let unlocked = run(&stack, &format!("state unlock --stack {} --yes", stack.name())).exits(0);
    says(&unlocked, "there is nothing of it to undo; rollback would undo revision 2");
    let refused = run(&stack, &format!("rollback --stack {} --yes", stack.name())).exits(3);
    says(&refused, "has no revision");
    assert!(exists(&stack, "b"));
    let next =
        refused.stderr.lines().find_map(|line| line.split_once("akidb-edge ").map(|(_, words)| words.to_owned()));
    run(&stack, &format!("{} --yes", next.expect("a command"))).exits(0);
    assert!(exists(&stack, "a") && !exists(&stack, "b"));
}

#[test]
fn a_rollback_takes_up_what_is_in_its_way() {
    let stack = Stack::new();
    stack.plan("one.yaml", &buckets(&stack, &["a", "b"]));
    stack.plan("two.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan one.yaml --yes").exits(0);
    run(&stack, "deploy --plan two.yaml --yes").exits(0);
    let name = format!("b-{}", stack.account);
    wait(storage(&stack).create_bucket().bucket(&name).send()).expect("made by somebody else");
    let refused = run(&stack, "rollback --plan two.yaml --yes").exits(3);
    says(&refused, "--adopt models.bucket.b");
    run(&stack, "rollback --plan two.yaml --yes --adopt models.bucket.b").exits(0);
}

#[test]
fn explain_answers_what_it_was_asked_or_refuses() {
    let explain =
        |words: &str| cli::finish(cli::bare().args(["route", "explain", "--plan", "week13"]).args(words.split(' ')));
    for (words, said) in [
        ("--down nonsense", "unknown target"),
        ("--down ,", "unknown target"),
        ("--down a", "unknown target"),
        ("--request nope", "the plan has no step"),
        ("--request zone", "is not an on-request step"),
        ("--from XX", "unknown Route 53 location"),
        ("--from US-XX", "unknown Route 53 location"),
        ("--name other.example", "no record set of the plan has that name"),
        ("--name .api", "no record set of the plan has that name"),
    ] {
        says(&explain(words).exits(3), said);
    }
    let plain = explain("--name api").exits(0).stdout;
    for name in ["API", "api.akidb.com", "api.akidb.com.", "API.AKIDB.COM."] {
        assert_eq!(explain(&format!("--name {name}")).exits(0).stdout, plain, "{name}");
    }
    let answers = |words: &str| {
        let document = explain(&format!("{words} --json")).exits(0).json();
        let all = document["answers"].as_array().expect("answers").clone();
        all.into_iter().map(|one| (one["from"].clone(), one["answers"].clone())).collect::<Vec<_>>()
    };
    // California asks as North America does, in lower case, too.
    assert_eq!(answers("--name api --from US-CA")[0].1, answers("--name api --from NA")[0].1);
    assert_eq!(answers("--name api --from us-ca"), answers("--name api --from US-CA"));
    // All down counts as all healthy.
    assert_eq!(answers("--name api --down us-east-1,eu-central-1,ap-northeast-1"), answers("--name api"));
}
