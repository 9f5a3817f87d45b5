//! SQS queues: what the provider does with one, and two of them in daily use.

mod kills;

use std::collections::BTreeMap;

use akidb_edge::provider::ResourceContext;
use akidb_edge::resource::{Address, Artifacts, Attributes, FaultClass, Kind};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

use crate::operators::stack::Stack;
use testkit::battery::{BatteryCase, STACK, TestAccountWorld};
use testkit::cli::CommandOutput;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, REFUSALS, wait};
use testkit::{local_aws, moves};

const REGION: &str = "eu-central-1";

fn client(sdk: &SdkConfig) -> Client {
    let config = aws_sdk_sqs::config::Builder::from(sdk).region(aws_sdk_sqs::config::Region::new(REGION));
    Client::from_conf(config.build())
}

fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{account}:{name}")
}

/// A queue that somebody else made.
async fn theirs(sdk: &SdkConfig, name: &str, attributes: &[(Name, &str)], tags: &[(&str, &str)]) {
    let mut call = client(sdk).create_queue().queue_name(name);
    for (attribute, text) in attributes {
        call = call.attributes(attribute.clone(), *text);
    }
    for (key, text) in tags {
        call = call.tags(*key, *text);
    }
    call.send().await.expect("a queue");
}

fn url(sdk: &SdkConfig, name: &str) -> Option<String> {
    wait(client(sdk).get_queue_url().queue_name(name).send()).ok()?.queue_url
}

/// A queue as SQS shows it, with its tags; none when it is not there.
fn shown(sdk: &SdkConfig, name: &str) -> Option<BTreeMap<String, Value>> {
    let (client, url) = (client(sdk), url(sdk, name)?);
    let held = client.get_queue_attributes().queue_url(&url).attribute_names(Name::All).send();
    let held = wait(held).expect("attributes").attributes.unwrap_or_default();
    let tags = wait(client.list_queue_tags().queue_url(&url).send()).expect("tags").tags.unwrap_or_default();
    let times = [Name::CreatedTimestamp, Name::LastModifiedTimestamp];
    let held = held.into_iter().filter(|(name, _)| !times.contains(name)).map(|(name, text)| {
        let document = serde_json::from_str(&text).ok().filter(Value::is_object);
        (name.as_str().to_owned(), document.unwrap_or_else(|| text.into()))
    });
    Some(held.chain(tags.into_iter().map(|(key, text)| (format!("tag {key}"), text.into()))).collect())
}

fn send(sdk: &SdkConfig, name: &str) {
    let url = url(sdk, name).expect("a queue");
    wait(client(sdk).send_message().queue_url(url).message_body("kept").send()).expect("a message");
}

fn policy(account: &str, sid: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Principal": {"AWS": account},
        "Action": action, "Resource": "*"}]})
}

fn case(world: &TestAccountWorld, spec: Value) -> BatteryCase<'_> {
    BatteryCase { world, kind: Kind::Queue, address: Address::new("queues", Kind::Queue, "jobs"), spec }
}

#[test]
fn battery() {
    wait(async {
        let world = TestAccountWorld::new(Artifacts::default()).await;
        let account = world.account.as_str();
        theirs(&world.sdk, "dead", &[], &[]).await;
        let spec = json!({
            "name": "jobs", "region": REGION, "visibility_timeout_seconds": 60, "delay_seconds": 5,
            "sqs_encryption": true,
            "dead_letter": {"target": arn(account, "dead"), "max_receives": 3}, "tags": {"team": "edge"},
            "policy": policy(account, "Ours", "sqs:SendMessage"),
        });
        let changed = json!({
            "name": "jobs", "region": REGION, "visibility_timeout_seconds": 90, "retention_seconds": 60,
            "max_message_bytes": 1_024, "receive_wait_seconds": 20, "kms_key": "alias/aws/sqs", "kms_reuse_seconds": 60,
            "dead_letter": {"target": arn(account, "dead"), "max_receives": 4}, "tags": {"team": "core", "cost": "7"},
            "policy": policy(account, "Ours", "sqs:ReceiveMessage"),
        });
        case(&world, spec).run(Some(changed)).await;
    });
}

#[test]
fn battery_of_a_fifo_queue() {
    wait(async {
        let world = TestAccountWorld::new(Artifacts::default()).await;
        theirs(&world.sdk, "dead.fifo", &[(Name::FifoQueue, "true")], &[]).await;
        let spec = json!({
            "name": "jobs.fifo", "region": REGION, "fifo": true, "content_based_deduplication": true,
            "dead_letter": {"target": arn(&world.account, "dead.fifo"), "max_receives": 1},
        });
        let changed = json!({"name": "jobs.fifo", "region": REGION, "fifo": true});
        case(&world, spec).run(Some(changed)).await;
    });
}

#[test]
fn a_moved_queue_gets_its_new_mark() {
    wait(async {
        let world = TestAccountWorld::new(Artifacts::default()).await;
        moves::moved(case(&world, json!({"name": "jobs", "region": REGION})), "tags.akidb:stack").await;
    });
}

/// SQS answers a create of what is there already as if it had made it.
#[test]
fn a_queue_of_somebody_else_is_refused() {
    wait(async {
        let world = TestAccountWorld::new(Artifacts::default()).await;
        theirs(&world.sdk, "jobs", &[], &[]).await;
        case(&world, json!({"name": "jobs", "region": REGION})).refuses_foreign().await;
        // One that came since it was looked for, with the same and with other settings.
        let marks = [("akidb:stack", "another"), ("akidb:address", "queues.queue.jobs")];
        theirs(&world.sdk, "late", &[(Name::VisibilityTimeout, "60")], &marks).await;
        for seconds in [60, 90] {
            let case = case(&world, json!({"name": "late", "region": REGION, "visibility_timeout_seconds": seconds}));
            let none = Attributes::new();
            let subject = ResourceContext {
                stack: STACK,
                address: &case.address,
                token: "t",
                spec: &case.spec,
                id: None,
                attributes: &none,
                before: None,
                former: None,
                thorough: false,
                seen_absent: true,
            };
            let fault = world.provider(Kind::Queue).create(&subject).await.expect_err("it is not taken over");
            assert_eq!(fault.class, FaultClass::Exists, "{fault}");
        }
    });
}

const DEPLOY: &[&str] = &["deploy", "--plan", "one.yaml", "--yes"];
const CHANGE: &[&str] = &["deploy", "--plan", "two.yaml", "--yes"];
const ROLLBACK: &[&str] = &["rollback", "--plan", "two.yaml", "--yes"];
const DESTROY: &[&str] = &["destroy", "--plan", "one.yaml", "--yes"];

/// A stack of a queue and the queue of its dead letters, with a first plan and a second one.
struct Two {
    stack: Stack,
}

impl Two {
    fn new() -> Self {
        let two = Self { stack: Stack::new() };
        let ours = policy(&two.stack.account, "Ours", "sqs:SendMessage");
        let first =
            json!({"visibility_timeout_seconds": 60, "delay_seconds": 5, "tags": {"team": "edge"}, "policy": ours});
        two.plan("one.yaml", Some(first));
        let second = json!({"visibility_timeout_seconds": 90, "receive_wait_seconds": 20, "tags": {"cost": "7"}});
        two.plan("two.yaml", Some(second));
        two
    }

    /// Writes a plan: the queue with these settings, or only the one for dead letters.
    fn plan(&self, file: &str, jobs: Option<Value>) {
        let mut queues = json!({"dead": {"name": self.dead(), "region": REGION, "retention_seconds": 1_209_600}});
        if let Some(mut jobs) = jobs {
            jobs["name"] = self.jobs().into();
            jobs["region"] = REGION.into();
            jobs["dead_letter"] = json!({"target": "dead", "max_receives": 3});
            queues["jobs"] = jobs;
        }
        write(&self.stack, file, &queues);
    }

    fn jobs(&self) -> String {
        format!("jobs-{}", self.stack.account)
    }

    fn dead(&self) -> String {
        format!("dead-{}", self.stack.account)
    }

    fn run(&self, words: &[&str]) -> CommandOutput {
        self.stack.run(words)
    }

    /// Both queues, as SQS shows them.
    fn world(&self) -> [Option<BTreeMap<String, Value>>; 2] {
        [self.dead(), self.jobs()].map(|name| shown(&self.stack.sdk, &name))
    }

    #[track_caller]
    fn held(&self) -> BTreeMap<String, Value> {
        shown(&self.stack.sdk, &self.jobs()).expect("the queue is there")
    }

    #[track_caller]
    fn has_nothing_to_do(&self, words: &[&str]) {
        let again = self.run(words).exits(0);
        assert!(again.all().contains("no changes"), "{}", again.all());
    }
}

/// A plan with a step of these queues.
fn write(stack: &Stack, file: &str, queues: &Value) {
    let step = json!({"id": "q", "title": "q", "kind": "queues", "with": {"queues": queues}});
    stack.plan(file, &format!("  - {step}\n"));
}

#[test]
fn queues_are_made_changed_rolled_back_and_destroyed() {
    let two = Two::new();
    two.run(DEPLOY).exits(0);
    let first = two.world();
    let held = two.held();
    let told = |held: &BTreeMap<String, Value>, name: &str| held.get(name).and_then(Value::as_str).map(str::to_owned);
    for (name, text) in [("VisibilityTimeout", "60"), ("DelaySeconds", "5"), ("tag team", "edge")] {
        assert_eq!(told(&held, name).as_deref(), Some(text), "{name}");
    }
    let target = arn(&two.stack.account, &two.dead());
    assert_eq!(held["RedrivePolicy"], json!({"deadLetterTargetArn": target, "maxReceiveCount": 3}));
    assert_eq!(held["Policy"], policy(&two.stack.account, "Ours", "sqs:SendMessage"));
    two.has_nothing_to_do(DEPLOY);

    two.run(CHANGE).exits(0);
    let held = two.held();
    let all = [
        ("VisibilityTimeout", "90"),
        ("DelaySeconds", "0"),
        ("ReceiveMessageWaitTimeSeconds", "20"),
        ("tag cost", "7"),
    ];
    for (name, text) in all {
        assert_eq!(told(&held, name).as_deref(), Some(text), "{name}");
    }
    assert_eq!((held.get("Policy"), held.get("tag team")), (None, None), "what the plan gave up goes");
    two.has_nothing_to_do(CHANGE);

    two.run(ROLLBACK).exits(0);
    assert_eq!(two.world(), first);
    two.has_nothing_to_do(DEPLOY);
    two.run(DESTROY).exits(0);
    assert_eq!(two.world(), [None, None]);
}

#[test]
fn drift_is_shown_and_repaired_and_what_others_put_there_stays() {
    let two = Two::new();
    two.run(DEPLOY).exits(0);
    let (client, url) = (client(&two.stack.sdk), url(&two.stack.sdk, &two.jobs()).expect("a queue"));
    let theirs = client.add_permission().queue_url(&url).label("Theirs").aws_account_ids("123456789012");
    wait(theirs.actions("ReceiveMessage").send()).expect("a statement");
    wait(client.tag_queue().queue_url(&url).tags("owner", "them").send()).expect("a tag");
    two.has_nothing_to_do(DEPLOY);
    let hidden = client.set_queue_attributes().queue_url(&url).attributes(Name::VisibilityTimeout, "7");
    wait(hidden.attributes(Name::RedriveAllowPolicy, r#"{"redrivePermission":"denyAll"}"#).send()).expect("settings");

    let drift = two.run(&["status", "--plan", "one.yaml", "--drift", "--json"]).exits(2).json();
    let jobs = drift["drift"].as_array().into_iter().flatten().find(|one| one["address"] == "queues.queue.jobs");
    let fields = jobs.and_then(|jobs| jobs["fields"].as_array()).into_iter().flatten();
    let paths: Vec<&str> = fields.filter_map(|field| field["path"].as_str()).collect();
    for path in ["visibility_timeout_seconds", "policy.Statement.Theirs", "redrive_allow_policy", "tags.owner"] {
        assert!(paths.contains(&path), "{path}: {paths:?}");
    }
    two.run(DEPLOY).exits(0);
    let held = two.held();
    let sids = |held: &BTreeMap<String, Value>| -> Vec<Value> {
        let all = held["Policy"]["Statement"].as_array().into_iter().flatten();
        all.map(|one| one["Sid"].clone()).collect()
    };
    assert_eq!((&held["VisibilityTimeout"], &held["tag owner"]), (&json!("60"), &json!("them")));
    assert_eq!(sids(&held), ["Ours", "Theirs"]);
    // Given up, ours goes, theirs stays.
    two.run(CHANGE).exits(0);
    let held = two.held();
    assert_eq!((sids(&held), &held["tag owner"]), (vec![json!("Theirs")], &json!("them")));
    two.has_nothing_to_do(CHANGE);
    two.run(DESTROY).exits(0);
}

#[test]
fn messages_go_only_when_they_are_given_up() {
    let two = Two::new();
    two.run(DEPLOY).exits(0);
    // It is delayed for five seconds and counts all the same.
    send(&two.stack.sdk, &two.jobs());
    two.plan("less.yaml", None);
    let rollback = ["rollback", "--plan", "one.yaml", "--to", "0", "--yes"];
    for words in [DESTROY, &["deploy", "--plan", "less.yaml", "--yes"], &rollback] {
        let refused = two.run(words).exits(3);
        for part in [two.jobs().as_str(), "messages, about 1", "--empty-buckets"] {
            assert!(refused.stderr.contains(part), "{words:?}: {part}: {}", refused.stderr);
        }
        assert!(two.world().iter().all(Option::is_some), "{words:?}: nothing was done");
    }
    two.run(&[DESTROY, &["--empty-buckets"]].concat()).exits(0);
    assert_eq!(two.world(), [None, None]);
}

#[test]
fn an_imported_queue_is_kept() {
    let stack = Stack::new();
    wait(theirs(&stack.sdk, "theirs", &[(Name::VisibilityTimeout, "77")], &[]));
    send(&stack.sdk, "theirs");
    write(&stack, "plan.yaml", &json!({"q": {"name": "theirs", "region": REGION, "visibility_timeout_seconds": 77}}));
    let import =
        |id: &str| stack.run(&["state", "import", &format!("queues.queue.q={id}"), "--plan", "plan.yaml", "--yes"]);
    let wrong = import("the irs").exits(3);
    assert!(wrong.stderr.contains("the queue's ARN, URL or name"), "{}", wrong.stderr);
    let elsewhere = import("https://sqs.eu-central-1.amazonaws.com/210987654321/theirs").exits(3);
    assert!(elsewhere.stderr.contains("is of account 210987654321"), "{}", elsewhere.stderr);
    let by_name = import("theirs").exits(0);
    let whole = arn(&stack.account, "theirs");
    assert!(by_name.stdout.contains(&format!("queues.queue.q = {whole}")), "{}", by_name.stdout);
    stack.run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(0);
    let held = shown(&stack.sdk, "theirs").expect("it is there");
    assert_eq!((&held["VisibilityTimeout"], &held["tag akidb:stack"]), (&json!("77"), &json!(stack.name())));
    stack.run(&["destroy", "--stack", &stack.name(), "--empty-buckets", "--yes"]).exits(0);
    assert!(shown(&stack.sdk, "theirs").is_some(), "it was imported, so it stays");
}

#[test]
fn an_export_comes_back_and_what_the_journal_lost_is_found() {
    let two = Two::new();
    two.run(DEPLOY).exits(0);
    two.run(&["state", "export", "--plan", "one.yaml", "--out", "exported.json"]).exits(0);
    let import = ["state", "import", "--from", "exported.json", "--plan", "one.yaml", "--state", "file:fresh", "--yes"];
    two.run(&import).exits(0);
    two.run(&["deploy", "--plan", "one.yaml", "--state", "file:fresh", "--dry-run"]).exits(0);

    let name = two.stack.name();
    two.run(&["state", "forget", "queues.queue.jobs", "--stack", &name, "--yes"]).exits(0);
    let drift = two.run(&["status", "--stack", &name, "--drift", "--json"]).exits(2).json();
    let found = json!([{"kind": "queue", "id": arn(&two.stack.account, &two.jobs()), "address": "queues.queue.jobs"}]);
    assert_eq!(drift["unmanaged"], found, "{drift:#}");
    two.run(DEPLOY).exits(0);
    two.has_nothing_to_do(DEPLOY);
}

#[test]
fn a_new_name_is_a_new_queue_and_a_region_cannot_change() {
    let stack = Stack::new();
    let plan = |name: &str, region: &str| {
        write(&stack, "plan.yaml", &json!({"q": {"name": name, "region": region}}));
        stack.run(&["deploy", "--plan", "plan.yaml", "--yes"])
    };
    plan("old", REGION).exits(0);
    let refused = plan("old", "us-east-1").exits(3);
    assert!(refused.stderr.contains("cannot be changed (eu-central-1 -> us-east-1)"), "{}", refused.stderr);
    plan("new", REGION).exits(0);
    assert_eq!([shown(&stack.sdk, "old").is_some(), shown(&stack.sdk, "new").is_some()], [false, true]);
}

#[test]
fn a_name_that_is_not_free_yet_and_an_answer_that_is_lost() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let recently = REFUSALS.iter().find(|row| row.code.ends_with("QueueDeletedRecently")).expect("in the table");
    let made = |two: &Two| {
        two.stack.run_at(proxy.url(), DEPLOY).exits(0);
        let calls = proxy.take_calls();
        assert!(two.world().iter().all(Option::is_some));
        let again = two.stack.run_at(proxy.url(), DEPLOY).exits(0);
        assert!(again.all().contains("no changes"), "{}", again.all());
        proxy.reset();
        calls.iter().filter(|call| call.is("sqs", "CreateQueue")).count()
    };
    proxy.refuse(*recently, CallSelector::First(2));
    assert_eq!(made(&Two::new()), 4);
    proxy.on(|call| call.is("sqs", "CreateQueue"), CallSelector::First(1), ProxyAction::DropAfter);
    assert_eq!(made(&Two::new()), 2, "what was made is found, and not made again");
}
