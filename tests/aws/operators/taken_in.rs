//! What this stack made and what it took in are different things: nothing taken in is deleted unless it is named.

use std::path::{Path, PathBuf};

use aws_sdk_route53::types as dns;
use serde_json::Value;

use crate::operators::stack::Stack;
use testkit::cli::CommandOutput;
use testkit::proxy::wait;

const ZONE: &str = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";

fn bucket(key: &str, name: &str, more: &str) -> String {
    format!(
        "  - {{id: m, title: m, kind: models, with: {{buckets: {{{key}: {{name: {name}, region: us-east-1{more}}}}}}}}}\n"
    )
}

fn records(sets: &str) -> String {
    format!("  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n        web:\n{sets}")
}

const WWW: &str = "        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
const API: &str = "        - {name: api, type: A, ttl: 60, values: [192.0.2.2]}\n";

/// An account in which somebody has a bucket with data, a zone and a record.
struct Theirs {
    stack: Stack,
    bucket: String,
    zone: String,
}

impl Theirs {
    fn new() -> Self {
        let stack = Stack::new();
        let bucket = format!("theirs-{}", stack.account);
        let this = Self { bucket, zone: String::new(), stack };
        wait(this.s3().create_bucket().bucket(&this.bucket).send()).expect("a bucket");
        this.put("data");
        let zone = this.dns().create_hosted_zone().name("example.net").caller_reference("theirs").send();
        let zone = wait(zone).expect("a zone").hosted_zone.expect("a zone").id.replace("/hostedzone/", "");
        let this = Self { zone, ..this };
        this.record("www.example.net", "192.0.2.7");
        this
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.stack.sdk).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    fn dns(&self) -> aws_sdk_route53::Client {
        aws_sdk_route53::Client::new(&self.stack.sdk)
    }

    fn put(&self, key: &str) {
        let call = self.s3().put_object().bucket(&self.bucket).key(key).body(b"kept".to_vec().into());
        wait(call.send()).expect("an object");
    }

    fn record(&self, name: &str, value: &str) {
        let value = dns::ResourceRecord::builder().value(value).build().expect("a value");
        let set = dns::ResourceRecordSet::builder().name(name).r#type(dns::RrType::A).ttl(60);
        let set = set.resource_records(value).build().expect("a set");
        let change = dns::Change::builder().action(dns::ChangeAction::Create).resource_record_set(set);
        let batch = dns::ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
        let call = self.dns().change_resource_record_sets().hosted_zone_id(&self.zone).change_batch(batch);
        wait(call.send()).expect("a record");
    }

    /// `name value` of the A records in their zone.
    fn records(&self) -> Vec<String> {
        let listed = wait(self.dns().list_resource_record_sets().hosted_zone_id(&self.zone).send()).expect("records");
        let sets = listed.resource_record_sets().iter().filter(|set| *set.r#type() == dns::RrType::A);
        sets.map(|set| format!("{} {}", set.name(), set.resource_records()[0].value())).collect()
    }

    #[track_caller]
    fn all_stands(&self) {
        wait(self.s3().get_object().bucket(&self.bucket).key("data").send()).expect("the data");
        assert!(self.records().contains(&"www.example.net. 192.0.2.7".to_owned()), "{:?}", self.records());
    }

    fn has_bucket(&self, name: &str) -> bool {
        wait(self.s3().head_bucket().bucket(name).send()).is_ok()
    }

    /// A plan that wants their bucket, zone and record.
    fn plan(&self, name: &str, more: &str) -> PathBuf {
        let steps = format!("{}{ZONE}{}", bucket("b", &self.bucket, more), records(WWW));
        self.stack.plan(name, &steps)
    }

    fn import(&self, plan: &Path) -> CommandOutput {
        let pairs = [
            format!("models.bucket.b={}", self.bucket),
            format!("routing.zone.main={}", self.zone),
            format!("routing.records.web={}/web", self.zone),
        ];
        let plan = plan.to_string_lossy();
        let mut words = vec!["state", "import", "--plan", &plan, "--yes"];
        words.extend(pairs.iter().map(String::as_str));
        self.stack.run(&words).exits(0)
    }

    fn adopt(&self, plan: &Path) -> CommandOutput {
        let plan = plan.to_string_lossy();
        let mut words = vec!["deploy", "--plan", &plan, "--yes"];
        for address in ["models.bucket.b", "routing.zone.main"] {
            words.extend(["--adopt", address]);
        }
        self.stack.run(&words)
    }

    fn verb(&self, verb: &str, more: &[&str]) -> CommandOutput {
        let name = self.stack.name();
        let mut words = vec![verb, "--stack", &name, "--yes"];
        words.extend(more);
        self.stack.run(&words)
    }

    fn origins(&self) -> Vec<String> {
        let name = self.stack.name();
        let told = self.stack.run(&["state", "show", "--stack", &name, "--json"]).exits(0).json();
        let all = told["resources"].as_array().expect("resources").clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.iter().map(|one| format!("{} {}", text(&one["address"]), text(&one["origin"]))).collect()
    }
}

#[test]
fn a_rollback_of_an_import_forgets_what_was_imported() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", "");
    theirs.import(&plan);
    let imported = ["models.bucket.b imported", "routing.records.web imported", "routing.zone.main imported"];
    assert_eq!(theirs.origins(), imported);
    let undone = theirs.verb("rollback", &["--empty-buckets"]).exits(0);
    assert!(undone.stdout.contains("[imported, not created by this stack]"), "{}", undone.stdout);
    theirs.all_stands();
    assert!(theirs.origins().is_empty());
}

#[test]
fn a_rollback_after_an_adoption_forgets_it_and_deletes_what_was_made() {
    let theirs = Theirs::new();
    let own = format!("own-{}", theirs.stack.account);
    let more = format!("}}, own: {{name: {own}, region: us-east-1");
    let plan = theirs.stack.plan("plan.yaml", &format!("{}{ZONE}", bucket("b", &theirs.bucket, &more)));
    theirs.adopt(&plan).exits(0);
    assert_eq!(theirs.origins(), ["models.bucket.b imported", "models.bucket.own made", "routing.zone.main imported"]);
    let looked = theirs.stack.run(&["status", "--stack", &theirs.stack.name()]).exits(0);
    assert!(looked.stdout.contains("imported"), "{}", looked.stdout);
    theirs.verb("rollback", &["--empty-buckets"]).exits(0);
    theirs.all_stands();
    assert!(!theirs.has_bucket(&own), "what was made goes");
}

/// A stack of its own whose journal is lost and that is deployed again.
fn found_again() -> (Theirs, PathBuf) {
    let theirs = Theirs::new();
    let own = format!("own-{}", theirs.stack.account);
    let plan = theirs.stack.plan(
        "plan.yaml",
        &format!(
            "{}  - {{id: zone, title: z, kind: routing, with: {{zone: {{name: own.example.org}}}}}}\n{}",
            bucket("b", &own, ""),
            records(WWW)
        ),
    );
    theirs.stack.deploy(&plan).exits(0);
    std::fs::remove_dir_all(theirs.stack.home.path().join(".akidb-edge")).expect("the journal is lost");
    theirs.stack.deploy(&plan).exits(0);
    let found = ["models.bucket.b recovered", "routing.records.web recovered", "routing.zone.main recovered"];
    assert_eq!(theirs.origins(), found);
    (theirs, plan)
}

#[test]
fn a_rollback_after_a_lost_journal_deletes_nothing_and_a_destroy_everything() {
    let (theirs, plan) = found_again();
    let own = format!("own-{}", theirs.stack.account);
    theirs.verb("rollback", &["--empty-buckets"]).exits(0);
    assert!(theirs.has_bucket(&own));
    assert!(theirs.origins().is_empty());
    theirs.stack.deploy(&plan).exits(0);
    theirs.verb("destroy", &[]).exits(0);
    assert!(!theirs.has_bucket(&own));
    assert_eq!(wait(theirs.dns().list_hosted_zones().send()).expect("zones").hosted_zones().len(), 1, "only theirs");
}

#[test]
fn a_destroy_leaves_what_was_imported_unless_it_is_named() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", "");
    theirs.import(&plan);
    theirs.stack.deploy(&plan).exits(0);
    assert!(theirs.records().contains(&"www.example.net. 192.0.2.1".to_owned()), "the plan's value");
    for (wrong, words) in [("models.bucket.x", "the state has no"), ("routing", "is not an address")] {
        let refused = theirs.verb("destroy", &["--delete-imported", wrong]);
        assert_ne!(refused.code, 0, "{wrong}");
        assert!(refused.stderr.contains(words), "{wrong}: {}", refused.stderr);
    }
    let looked = theirs.verb("destroy", &["--dry-run", "--delete-imported", "models.bucket.b"]);
    let looked = looked.exits(2);
    assert!(looked.stdout.contains("- delete  bucket.b"), "{}", looked.stdout);
    let left = theirs.verb("destroy", &["--empty-buckets"]).exits(0);
    assert!(left.stderr.contains("left: imported, not created by this stack: models.bucket.b"), "{}", left.stderr);
    // The record is as it was before the stack.
    theirs.all_stands();
    assert!(theirs.origins().is_empty());
    theirs.import(&plan);
    let full = theirs.verb("destroy", &["--delete-imported", "models.bucket.b"]).exits(3);
    assert!(full.stderr.contains("--empty-buckets"), "{}", full.stderr);
    theirs.verb("destroy", &["--delete-imported", "models.bucket.b", "--empty-buckets"]).exits(0);
    assert!(!theirs.has_bucket(&theirs.bucket));
    assert_eq!(theirs.records(), ["www.example.net. 192.0.2.7"]);
}

#[test]
fn a_rollback_to_the_import_brings_the_former_settings_back() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", ", versioning: true, tags: {team: search}");
    theirs.import(&plan);
    theirs.stack.deploy(&plan).exits(0);
    let tags = || {
        let tags = wait(theirs.s3().get_bucket_tagging().bucket(&theirs.bucket).send());
        tags.map(|tags| tags.tag_set().iter().any(|tag| tag.key() == "team")).unwrap_or_default()
    };
    let versioning = || {
        let held = wait(theirs.s3().get_bucket_versioning().bucket(&theirs.bucket).send()).expect("versioning");
        held.status.map(|status| status.as_str().to_owned())
    };
    assert_eq!((tags(), versioning().as_deref()), (true, Some("Enabled")));
    theirs.verb("rollback", &["--to", "1"]).exits(0);
    assert_eq!((tags(), versioning().as_deref()), (false, Some("Suspended")));
    theirs.all_stands();
}

/// Versions that were kept before the import are not the stack's to stop, even though a plan stated them meanwhile.
#[test]
fn what_was_on_before_an_import_stays_on_when_the_plan_is_silent() {
    let theirs = Theirs::new();
    let on = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    let turned_on = theirs.s3().put_bucket_versioning().bucket(&theirs.bucket).versioning_configuration(on);
    wait(turned_on.send()).expect("versions");
    let plan = theirs.plan("plan.yaml", ", versioning: true");
    theirs.import(&plan);
    theirs.stack.deploy(&plan).exits(0);
    let silent = theirs.plan("silent.yaml", "");
    let again = theirs.stack.deploy(&silent).exits(0);
    assert!(!again.stdout.contains("versioning"), "{}", again.all());
    let held = wait(theirs.s3().get_bucket_versioning().bucket(&theirs.bucket).send()).expect("versioning");
    assert_eq!(held.status.map(|status| status.as_str().to_owned()).as_deref(), Some("Enabled"));
}

#[test]
fn a_new_name_makes_a_new_bucket_and_the_imported_one_stays() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", "");
    theirs.import(&plan);
    theirs.stack.deploy(&plan).exits(0);
    let own = format!("own-{}", theirs.stack.account);
    let other = theirs.stack.plan("other.yaml", &format!("{}{ZONE}{}", bucket("b", &own, ""), records(WWW)));
    let done = theirs.stack.run(&["deploy", "--plan", &other.to_string_lossy(), "--yes", "--empty-buckets"]).exits(0);
    assert!(done.stdout.contains("it is kept and forgotten; a new one is created"), "{}", done.stdout);
    wait(theirs.s3().get_object().bucket(&theirs.bucket).key("data").send()).expect("the data");
    assert!(theirs.origins().contains(&"models.bucket.b made".to_owned()), "{:?}", theirs.origins());
    // The rollback adopts theirs again, and the preview says so.
    let back = theirs.stack.run(&["rollback", "--stack", &theirs.stack.name(), "--dry-run"]).exits(2).stdout;
    let words = format!("{}, which existed before this stack, is adopted again; {own} goes", theirs.bucket);
    assert!(back.contains(&words), "{words} in {back}");
    theirs.verb("destroy", &[]).exits(0);
    assert!(!theirs.has_bucket(&own));
    theirs.all_stands();
}

/// In us-east-1 S3 answers the creation of a bucket that the account has already as if it were new.
#[test]
fn a_new_name_that_another_bucket_has_is_refused() {
    let theirs = Theirs::new();
    let own = format!("own-{}", theirs.stack.account);
    theirs.stack.deploy(&theirs.stack.plan("first.yaml", &bucket("b", &own, ""))).exits(0);
    let second = theirs.stack.plan("second.yaml", &bucket("b", &theirs.bucket, ""));
    let refused =
        theirs.stack.run(&["deploy", "--plan", &second.to_string_lossy(), "--yes", "--empty-buckets"]).exits(1);
    assert!(refused.stdout.contains("already exists and is not tagged as this stack's"), "{}", refused.all());
    let tags = wait(theirs.s3().get_bucket_tagging().bucket(&theirs.bucket).send());
    let marked = tags.is_ok_and(|tags| tags.tag_set().iter().any(|tag| tag.key().starts_with("akidb")));
    assert!(!marked && theirs.has_bucket(&own), "{}", refused.all());
    theirs.all_stands();
}

#[test]
fn a_record_that_existed_with_the_wanted_value_is_never_deleted() {
    let theirs = Theirs::new();
    theirs.record("api.example.net", "192.0.2.2");
    let step = format!("{ZONE}{}", records(API));
    let plan = theirs.stack.plan("plan.yaml", &step);
    theirs.stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--yes", "--adopt", "routing.zone.main"]).exits(0);
    assert_eq!(theirs.origins(), ["routing.records.web imported", "routing.zone.main imported"]);
    // One more of ours beside it, and a change of theirs.
    let both = format!("{ZONE}{}", records(&format!("{}{}", API.replace(".2]", ".9]"), WWW.replace("www", "own"))));
    theirs.stack.deploy(&theirs.stack.plan("both.yaml", &both)).exits(0);
    let all = ["api.example.net. 192.0.2.9", "own.example.net. 192.0.2.1", "www.example.net. 192.0.2.7"];
    assert_eq!(theirs.records(), all);
    let gone = theirs.verb("destroy", &[]).exits(0);
    assert!(gone.stdout.contains("come back as they were: api.example.net A"), "{}", gone.stdout);
    assert_eq!(theirs.records(), ["api.example.net. 192.0.2.2", "www.example.net. 192.0.2.7"]);
}

#[test]
fn what_was_imported_and_deleted_outside_is_made_again_as_our_own() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", "");
    theirs.import(&plan);
    wait(theirs.s3().delete_object().bucket(&theirs.bucket).key("data").send()).expect("deleted by somebody");
    wait(theirs.s3().delete_bucket().bucket(&theirs.bucket).send()).expect("deleted by somebody");
    let drift = theirs.stack.run(&["status", "--plan", &plan.to_string_lossy(), "--drift"]).exits(2);
    assert!(drift.stdout.contains("models.bucket.b  is gone  [imported"), "{}", drift.stdout);
    theirs.stack.deploy(&plan).exits(0);
    assert!(theirs.origins().contains(&"models.bucket.b made".to_owned()), "{:?}", theirs.origins());
    theirs.verb("destroy", &[]).exits(0);
    assert!(!theirs.has_bucket(&theirs.bucket));
}

#[test]
fn an_adoption_that_was_killed_is_still_one() {
    use testkit::local_aws;
    use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ServiceRefusal};

    let theirs = Theirs::new();
    let step = format!("{}{ZONE}{}", bucket("b", &theirs.bucket, ", versioning: true"), records(WWW));
    let plan = theirs.stack.plan("plan.yaml", &step);
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let denied = ServiceRefusal::of("s3", 403, "AccessDenied", "not today");
    proxy.on(|call| call.service == "s3" && call.mutates(), CallSelector::Each, ProxyAction::Refuse(denied));
    let denied = ServiceRefusal::of("route53", 403, "AccessDenied", "not today");
    proxy.on(|call| call.operation == "ChangeResourceRecordSets", CallSelector::Each, ProxyAction::Refuse(denied));
    let words = ["deploy", "--plan", &plan.to_string_lossy(), "--yes"];
    let adopt = ["--adopt", "models.bucket.b", "--adopt", "routing.zone.main", "--adopt", "routing.records.web"];
    let all: Vec<&str> = words.iter().chain(&adopt).copied().collect();
    theirs.stack.run_at(proxy.url(), &all).exits(1);
    theirs.stack.run(&all).exits(0);
    let imported = ["models.bucket.b imported", "routing.records.web imported", "routing.zone.main imported"];
    assert_eq!(theirs.origins(), imported);
    theirs.verb("destroy", &["--empty-buckets"]).exits(0);
    theirs.all_stands();
}

#[test]
fn a_lost_journal_does_not_make_imported_things_deletable() {
    let theirs = Theirs::new();
    let plan = theirs.plan("plan.yaml", "");
    theirs.import(&plan);
    theirs.stack.deploy(&plan).exits(0);
    std::fs::remove_dir_all(theirs.stack.home.path().join(".akidb-edge")).expect("the journal is lost");
    theirs.stack.deploy(&plan).exits(0);
    let imported = ["models.bucket.b imported", "routing.records.web imported", "routing.zone.main imported"];
    assert_eq!(theirs.origins(), imported);
    theirs.verb("destroy", &["--empty-buckets"]).exits(0);
    wait(theirs.s3().get_object().bucket(&theirs.bucket).key("data").send()).expect("the data");
    assert_eq!(theirs.records().len(), 1, "{:?}", theirs.records());
}

#[test]
fn what_is_put_into_an_imported_bucket_goes_and_what_was_there_stays() {
    let theirs = Theirs::new();
    let file = theirs.stack.file("page.html", "<p>ours</p>");
    let step = format!(
        "  - id: p\n    title: p\n    kind: page\n    with:\n      bucket: {{name: {}, region: us-east-1}}\n      files:\n        page.html: {{file: {}}}\n",
        theirs.bucket,
        file.display()
    );
    let plan = theirs.stack.plan("plan.yaml", &step);
    let refused = theirs.stack.deploy(&plan).exits(3);
    let at =
        refused.stderr.split("--adopt ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    theirs.stack.run(&["deploy", "--plan", &plan.to_string_lossy(), "--yes", "--adopt", at]).exits(0);
    let has = |key: &str| wait(theirs.s3().head_object().bucket(&theirs.bucket).key(key).send()).is_ok();
    assert!(has("page.html") && has("data"));
    theirs.verb("destroy", &["--empty-buckets"]).exits(0);
    assert!(has("data") && !has("page.html"));
}
