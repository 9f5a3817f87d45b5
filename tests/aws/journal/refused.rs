//! A call that is refused for want of permissions is recorded as refused, not as one whose answer never came.

use std::fs;

use serde_json::Value;

use super::ground::Ground;
use testkit::proxy::{CallSelector, ProxyAction, ProxyCall, wait};

const BODY: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

struct Denied {
    ground: Ground,
    stack: String,
}

impl Denied {
    fn new() -> Self {
        let ground = Ground::new();
        let stack = format!("s{}", ground.account.number);
        let denied = Self { ground, stack };
        denied.plan("false");
        denied
    }

    fn bucket(&self) -> String {
        format!("demo-{}", self.ground.account.number)
    }

    fn plan(&self, versioning: &str) {
        let text = format!(
            "version: 1\nstack: {}\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: d\n  steps:\n  - {{id: m, title: \
             m, kind: models, with: {{buckets: {{a: {{name: {}, region: us-east-1, versioning: {versioning}}}}}}}}}\n",
            self.stack,
            self.bucket()
        );
        fs::write(self.ground.account.path("plan.yaml"), text).expect("a file");
    }

    fn deny(&self, query: &'static str) {
        let bucket = self.bucket();
        let denied = move |call: &ProxyCall| {
            call.mutates() && call.path.starts_with(&format!("/{bucket}")) && call.path.contains(query)
        };
        self.ground.proxy.on(denied, CallSelector::Each, ProxyAction::Answer(403, BODY.to_owned()));
    }

    fn run(&self, words: &str) -> testkit::cli::CommandOutput {
        self.ground.run(&format!("{words} --state file:state"))
    }

    fn facts(&self) -> Vec<Value> {
        let journal = self.run(&format!("state journal --stack {}", self.stack)).exits(0).stdout;
        journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[test]
fn a_refused_create_is_recorded_as_refused() {
    let denied = Denied::new();
    denied.deny("");
    denied.run("deploy --plan plan.yaml --yes").exits(1);
    let facts = denied.facts();
    let failed = facts.iter().find(|fact| fact["fact"] == "failed").expect("an answer");
    assert_eq!((&failed["action"], &failed["fault"]["code"]), (&"create".into(), &"AccessDenied".into()), "{failed:#}");
    let told = denied.run(&format!("status --stack {}", denied.stack));
    assert!(told.stdout.contains("create refused (AccessDenied)"), "{}", told.stdout);
    assert!(!told.stdout.contains("unanswered"), "{}", told.stdout);
    denied.ground.proxy.reset();
    denied.run("deploy --plan plan.yaml --yes").exits(0);
    let told = denied.run(&format!("status --stack {}", denied.stack)).exits(0);
    assert!(!told.stdout.contains("refused"), "{}", told.stdout);
}

#[test]
fn what_was_made_before_a_later_call_was_refused_is_not_forgotten() {
    let denied = Denied::new();
    denied.plan("true");
    denied.deny("versioning");
    denied.run("deploy --plan plan.yaml --yes").exits(1);
    let there = wait(denied.ground.account.s3().head_bucket().bucket(denied.bucket()).send());
    assert!(there.is_ok(), "the bucket was made");
    denied.ground.proxy.reset();
    // Another plan without it: it is ours, and it goes.
    let gone = denied.run(&format!("destroy --yes --stack {}", denied.stack));
    gone.exits(0);
    let there = wait(denied.ground.account.s3().head_bucket().bucket(denied.bucket()).send());
    assert!(there.is_err(), "it is gone with the stack");
}

#[test]
fn a_refused_change_leaves_what_it_was() {
    let denied = Denied::new();
    denied.run("deploy --plan plan.yaml --yes").exits(0);
    denied.plan("true");
    denied.deny("versioning");
    denied.run("deploy --plan plan.yaml --yes").exits(1);
    let told = denied.run(&format!("status --stack {}", denied.stack));
    assert!(told.stdout.contains("last change refused (AccessDenied)"), "{}", told.stdout);
    denied.ground.proxy.reset();
    denied.deny("");
    denied.run(&format!("destroy --yes --stack {}", denied.stack)).exits(1);
    let facts = denied.facts();
    let failed = facts.iter().filter(|fact| fact["fact"] == "failed").map(|fact| fact["action"].clone());
    assert_eq!(failed.collect::<Vec<_>>(), ["update", "delete"]);
    denied.ground.proxy.reset();
    denied.run("deploy --plan plan.yaml --yes").exits(0);
    denied.run(&format!("destroy --yes --stack {}", denied.stack)).exits(0);
}
