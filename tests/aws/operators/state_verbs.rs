//! `state list`, `forget`, `move` and `import --from`: the journal changes, the world does not.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::operators::stack::Stack;
use testkit::local_aws;
use testkit::proxy::{FaultProxy, wait};

const ZONE: &str = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";
const RECORDS: &str = "  - id: r
    title: r
    kind: routing
    with:
      records:
        web:
        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}
";

fn bucket(key: &str, name: &str) -> String {
    format!(
        "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {name}, region: us-east-1}}}}}}}}\n"
    )
}

struct Small {
    stack: Stack,
    bucket: String,
    plan: PathBuf,
}

/// A deployed stack of a bucket, a zone and a record.
fn small() -> Small {
    let stack = Stack::new();
    let bucket_name = format!("own-{}", stack.account);
    let plan = stack.plan("plan.yaml", &format!("{}{ZONE}{RECORDS}", bucket("b", &bucket_name)));
    stack.deploy(&plan).exits(0);
    Small { stack, bucket: bucket_name, plan }
}

impl Small {
    fn state(&self, words: &[&str]) -> testkit::cli::CommandOutput {
        let name = self.stack.name();
        let mut all = vec!["state"];
        all.extend(words);
        all.extend(["--stack", &name]);
        self.stack.run(&all)
    }

    fn list(&self) -> Vec<String> {
        let told = self.state(&["list", "--json"]).exits(0).json();
        assert_eq!((&told["schema"], &told["exit"]), (&"akidb-edge/list/v1".into(), &0.into()));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = told["resources"].as_array().expect("resources").clone();
        all.iter().map(|one| format!("{} {}", text(&one["address"]), text(&one["origin"]))).collect()
    }

    fn has_bucket(&self) -> bool {
        let config = aws_sdk_s3::config::Builder::from(&self.stack.sdk).force_path_style(true);
        wait(aws_sdk_s3::Client::from_conf(config.build()).head_bucket().bucket(&self.bucket).send()).is_ok()
    }

    fn zones(&self) -> usize {
        let names = aws_sdk_route53::Client::new(&self.stack.sdk);
        wait(names.list_hosted_zones().send()).expect("zones").hosted_zones().len()
    }

    fn rollback(&self, more: &[&str]) -> testkit::cli::CommandOutput {
        let name = self.stack.name();
        let mut all = vec!["rollback", "--stack", &name, "--yes"];
        all.extend(more);
        self.stack.run(&all)
    }

    #[track_caller]
    fn has_nothing_to_do(&self, plan: &Path) {
        let again = self.stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--dry-run"]);
        assert_eq!(again.code, 0, "{}", again.all());
    }
}

const ALL: [&str; 3] = ["models.bucket.b made", "routing.records.web made", "routing.zone.main made"];

#[test]
fn the_list_has_patterns_and_origins() {
    let small = small();
    assert_eq!(small.list(), ALL);
    let some = small.state(&["list", "routing"]).exits(0).stdout;
    assert!(some.contains("routing.zone.main") && some.contains("zone") && !some.contains("models."), "{some}");
    let none = small.state(&["list", "edge"]).exits(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("no resource that edge matches"), "{}", none.all());
}

#[test]
fn what_is_forgotten_stays_in_the_world_and_a_rollback_remembers_it_again() {
    let small = small();
    let unknown = small.state(&["forget", "models.bucket.x", "--yes"]).exits(3);
    assert!(unknown.stderr.contains("has no models.bucket.x"), "{}", unknown.stderr);
    let needed = small.state(&["forget", "routing.zone.main", "--yes"]).exits(3);
    let next = "akidb-edge state forget routing.records.web routing.zone.main";
    assert!(needed.stderr.contains(next), "{}", needed.stderr);
    let asks = small.state(&["forget", "models.bucket.b"]).exits(3);
    assert!(asks.stderr.contains("add --yes"), "{}", asks.stderr);
    let looks = small.state(&["forget", "models.bucket.b", "--dry-run"]).exits(2);
    assert!(looks.stdout.contains("stays as it is"), "{}", looks.stdout);
    assert_eq!(small.list(), ALL, "so far nothing was done");

    let words = ["forget", "models.bucket.b", "routing.records.web", "routing.zone.main", "--yes", "--json"];
    let done = small.state(&words).exits(0).json();
    assert_eq!(done["forgotten"].as_array().map(Vec::len), Some(3), "{done:#}");
    assert!(small.list().is_empty());
    // A destroy has nothing to delete, and the rollback knows all of it again; no call is made for it.
    small.stack.run(&["destroy", "--stack", &small.stack.name(), "--yes"]);
    assert!(small.has_bucket());
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let name = small.stack.name();
    let undone = small.stack.run_at(proxy.url(), &["rollback", "--stack", &name, "--to", "1", "--yes"]);
    assert_eq!(undone.code, 0, "{}", undone.all());
    assert!(proxy.take_mutating().is_empty(), "nothing in the world changes");
    assert_eq!(small.list(), ALL);
    assert_eq!((small.has_bucket(), small.zones()), (true, 1));
    small.has_nothing_to_do(&small.plan);
}

#[test]
fn what_was_forgotten_and_is_gone_is_not_made_again() {
    let small = small();
    small.state(&["forget", "models.bucket.b", "--yes"]).exits(0);
    let config = aws_sdk_s3::config::Builder::from(&small.stack.sdk).force_path_style(true);
    wait(aws_sdk_s3::Client::from_conf(config.build()).delete_bucket().bucket(&small.bucket).send()).expect("deleted");
    let undone = small.rollback(&["--to", "1"]).exits(0);
    assert!(undone.stderr.contains("it is not created again"), "{}", undone.all());
    assert!(!small.has_bucket());
}

#[test]
fn what_is_forgotten_is_adopted_again_by_its_mark() {
    let small = small();
    small.state(&["forget", "models.bucket.b", "--yes"]).exits(0);
    small.stack.deploy(&small.plan).exits(0);
    assert_eq!(small.list()[0], "models.bucket.b recovered");
    // The run that adopted it is undone: it is let go.
    small.rollback(&[]).exits(0);
    assert!(small.has_bucket());
    assert_eq!(small.list(), ALL[1..]);
}

#[test]
fn a_move_takes_references_along_and_a_rollback_across_it_works() {
    let small = small();
    let cases = [
        (["models.bucket.x", "models.bucket.y"], "has no models.bucket.x"),
        (["models.bucket.b", "routing.zone.b"], "is of kind bucket"),
        (["models.bucket.b", "models.bucket.b"], "is at models.bucket.b already"),
    ];
    for ([from, to], words) in cases {
        let refused = small.state(&["move", from, to, "--yes"]).exits(3);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let looks = small.state(&["move", "routing.zone.main", "routing.zone.other", "--dry-run"]).exits(2);
    assert!(looks.stdout.contains("routing.records.web refers to it"), "{}", looks.stdout);
    let plan = small.plan.to_string_lossy();
    let said = small.stack.run(&["state", "move", "models.bucket.b", "models.bucket.c", "--plan", &plan, "--dry-run"]);
    assert!(said.exits(2).stderr.contains("the plan does not contain models.bucket.c"));

    small.state(&["move", "models.bucket.b", "models.bucket.c", "--yes"]).exits(0);
    assert_eq!(small.list()[0], "models.bucket.c made");
    let other = small.stack.plan("other.yaml", &format!("{}{ZONE}{RECORDS}", bucket("c", &small.bucket)));
    let moved = small.stack.deploy(&other).exits(0);
    assert!(!moved.stdout.contains("create") && !moved.stdout.contains("delete"), "{}", moved.stdout);
    small.has_nothing_to_do(&other);
    small.rollback(&["--to", "1"]).exits(0);
    assert_eq!(small.list(), ALL);
    small.has_nothing_to_do(&small.plan);
}

#[test]
fn one_thing_has_one_address() {
    let small = small();
    let both = small.stack.plan("both.yaml", &format!("{}{ZONE}{RECORDS}", bucket("c", &small.bucket)));
    let pair = format!("models.bucket.c={}", small.bucket);
    let plan = both.to_string_lossy();
    let refused = small.stack.run(&["state", "import", &pair, "--plan", &plan, "--yes"]).exits(3);
    let next = "akidb-edge state move models.bucket.b models.bucket.c";
    assert!(refused.stderr.contains(next), "{}", refused.stderr);
}
