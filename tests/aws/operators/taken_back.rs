//! What was imported stays imported, whatever took its address meanwhile and whoever's mark it carried.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::operators::stack::Stack;
use testkit::proxy::wait;

struct Buckets {
    stack: Stack,
    theirs: String,
}

impl Buckets {
    /// Somebody's bucket with data in it.
    fn new() -> Self {
        let stack = Stack::new();
        let theirs = format!("theirs-{}", stack.account);
        let this = Self { stack, theirs };
        wait(this.s3().create_bucket().bucket(&this.theirs).send()).expect("a bucket");
        this.fill();
        this
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.stack.sdk).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn fill(&self) {
        let call = self.s3().put_object().bucket(&self.theirs).key("data").body(b"kept".to_vec().into());
        wait(call.send()).expect("an object");
    }

    #[track_caller]
    fn stands(&self) {
        wait(self.s3().get_object().bucket(&self.theirs).key("data").send()).expect("the data");
    }

    fn plan(&self, file: &str, bucket: &str) -> PathBuf {
        self.plan_at(file, "b", bucket)
    }

    fn plan_at(&self, file: &str, key: &str, bucket: &str) -> PathBuf {
        let steps = format!(
            "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {bucket}, region: us-east-1}}}}}}}}\n"
        );
        self.stack.plan(file, &steps)
    }

    /// Somebody writes all tags of their bucket.
    fn tag(&self, tags: &[(&str, &str)]) {
        let tag = |(key, value): &(&str, &str)| aws_sdk_s3::types::Tag::builder().key(*key).value(*value).build();
        let tags: Vec<_> = tags.iter().map(|pair| tag(pair).expect("a tag")).collect();
        let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
        wait(self.s3().put_bucket_tagging().bucket(&self.theirs).tagging(tagging).send()).expect("tagged");
    }

    /// The value of a tag of their bucket.
    fn tagged(&self, key: &str) -> Option<String> {
        let tags = wait(self.s3().get_bucket_tagging().bucket(&self.theirs).send()).expect("tags").tag_set;
        tags.into_iter().find(|tag| tag.key == key).map(|tag| tag.value)
    }

    #[track_caller]
    fn import(&self, plan: &Path, more: &[&str]) {
        let (pair, plan) = (format!("models.bucket.b={}", self.theirs), plan.to_string_lossy());
        let words = ["state", "import", &pair, "--plan", &plan, "--yes"];
        self.stack.run(&[&words[..], more].concat()).exits(0);
    }

    fn origin(&self) -> Value {
        let told = self.stack.run(&["state", "list", "--stack", &self.stack.name(), "--json"]).exits(0).json();
        told["resources"][0]["origin"].clone()
    }

    #[track_caller]
    fn destroyed(&self) {
        self.stack.run(&["destroy", "--stack", &self.stack.name(), "--empty-buckets", "--yes"]).exits(0);
        self.stands();
    }
}

#[test]
fn what_a_rollback_brings_back_in_the_place_of_another_was_imported() {
    let all = Buckets::new();
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &[]);
    all.stack.deploy(&plan).exits(0);
    let own = format!("own-{}", all.stack.account);
    all.stack.deploy(&all.plan("other.yaml", &own)).exits(0);
    assert_eq!(all.origin(), "made");
    all.stack.run(&["rollback", "--stack", &all.stack.name(), "--empty-buckets", "--yes"]).exits(0);
    assert_eq!(all.origin(), "imported");
    all.destroyed();
}

#[test]
fn a_plan_that_goes_back_to_what_was_imported_finds_it_imported() {
    let all = Buckets::new();
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &[]);
    all.stack.deploy(&plan).exits(0);
    let own = format!("own-{}", all.stack.account);
    all.stack.deploy(&all.plan("other.yaml", &own)).exits(0);
    all.stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--empty-buckets", "--yes"]).exits(0);
    assert_eq!(all.origin(), "imported");
    all.destroyed();
}

#[test]
fn what_carries_the_mark_of_another_stack_was_imported() {
    let all = Buckets::new();
    // Another stack makes it its own.
    all.tag(&[("akidb:stack", "another"), ("akidb:address", "models.bucket.x")]);
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &["--adopt"]);
    assert_eq!(all.origin(), "imported");
    let path = plan.to_string_lossy();
    all.stack.run(&["deploy", "--plan", &path, "--adopt", "models.bucket.b", "--yes"]).exits(0);
    assert_eq!(all.origin(), "imported");
    all.destroyed();
}

#[test]
fn a_bucket_that_is_taken_up_again_keeps_the_tags_of_others() {
    for deployed in [true, false] {
        let all = Buckets::new();
        all.tag(&[("who", "them")]);
        let plan = all.plan("plan.yaml", &all.theirs);
        all.import(&plan, &[]);
        if deployed {
            all.stack.deploy(&plan).exits(0);
        }
        let own = format!("own-{}", all.stack.account);
        all.stack.deploy(&all.plan("other.yaml", &own)).exits(0);
        all.stack.run(&["rollback", "--stack", &all.stack.name(), "--empty-buckets", "--yes"]).exits(0);
        assert_eq!(all.tagged("who").as_deref(), Some("them"), "deployed: {deployed}");
        assert_eq!(all.tagged("akidb:stack"), Some(all.stack.name()), "deployed: {deployed}");
        assert_eq!(all.origin(), "imported");
        all.destroyed();
    }
}

#[test]
fn what_was_imported_comes_back_under_its_address_of_then() {
    let all = Buckets::new();
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &[]);
    all.stack.deploy(&plan).exits(0);
    // Its mark names another key, and then another bucket takes that key.
    all.stack.deploy(&all.plan_at("renamed.yaml", "c", &all.theirs)).exits(0);
    assert_eq!(all.tagged("akidb:address").as_deref(), Some("models.bucket.c"));
    let own = format!("own-{}", all.stack.account);
    all.stack.deploy(&all.plan_at("other.yaml", "c", &own)).exits(0);
    let name = all.stack.name();
    let back = ["rollback", "--to", "1", "--stack", &name, "--empty-buckets", "--yes"];
    let done = all.stack.run(&back).exits(0);
    assert!(done.all().contains("which existed before this stack, is adopted again"), "{}", done.all());
    assert_eq!((all.origin(), all.tagged("akidb:address")), ("imported".into(), Some("models.bucket.b".to_owned())));
    all.destroyed();
}

#[test]
fn what_another_stack_took_meanwhile_is_refused_before_anything_changes() {
    let all = Buckets::new();
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &[]);
    all.stack.deploy(&plan).exits(0);
    let own = format!("own-{}", all.stack.account);
    all.stack.deploy(&all.plan("other.yaml", &own)).exits(0);
    all.tag(&[("akidb:stack", "another"), ("akidb:address", "models.bucket.x")]);
    let name = all.stack.name();
    let refused = all.stack.run(&["rollback", "--stack", &name, "--empty-buckets", "--yes"]).exits(3);
    assert!(refused.all().contains("tagged as models.bucket.x of stack another"), "{}", refused.all());
    assert_eq!(all.origin(), "made");
    wait(all.s3().head_bucket().bucket(&own).send()).expect("nothing was changed");
}

#[test]
fn what_was_imported_and_never_tagged_was_not_changed_outside() {
    let all = Buckets::new();
    let plan = all.plan("plan.yaml", &all.theirs);
    all.import(&plan, &[]);
    let path = plan.to_string_lossy();
    let drift = all.stack.run(&["status", "--plan", &path, "--drift"]).exits(2);
    assert!(drift.stdout.contains("models.bucket.b  is not tagged by this tool yet"), "{}", drift.all());
    let looked = all.stack.run(&["deploy", "--plan", &path, "--dry-run"]).exits(2);
    assert!(looked.stdout.contains("tags.akidb:stack: not tagged by this tool -> "), "{}", looked.all());
    assert!(!drift.all().contains("changed outside") && !looked.all().contains("changed outside"));
}
