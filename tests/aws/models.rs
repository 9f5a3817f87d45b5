//! Models in a bucket: versions that `deploy` writes, keeps, prunes and goes back to, and what `models publish` may change of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use testkit::cli::{TestAccount, finish};
use testkit::local_aws;
use testkit::proxy::wait;

const STACK: &str = "models-test";

/// A stack with one model in one bucket.
struct Models {
    account: TestAccount,
}

impl Models {
    fn new(keep: u32) -> Self {
        let models = Self { account: TestAccount::of(local_aws::account()) };
        let plan = format!(
            "version: 1\nstack: {STACK}\nmetadata: {{name: m, title: Models}}\ndays:\n- day: 1\n  title: All\n  steps:\n  - id: models\n    \
             title: Models\n    kind: models\n    with:\n      buckets:\n        b: {{name: {}, region: us-east-1, versioning: true}}\n      \
             models:\n        tiny:\n          bucket: b\n          name: tiny\n          keep: {keep}\n          files:\n            \
             config.json: {{path: config.json}}\n            model.onnx: {{path: model.onnx}}\n",
            models.bucket()
        );
        std::fs::write(models.account.path("models.yaml"), plan).expect("a plan");
        models
    }

    fn bucket(&self) -> String {
        format!("m{}-models", self.account.number)
    }

    /// Deploys with this graph.
    #[track_caller]
    fn deploy(&self, graph: &str) {
        std::fs::write(self.account.path("model.onnx"), graph).expect("a file");
        self.run("deploy --plan models.yaml --yes");
    }

    #[track_caller]
    fn run(&self, words: &str) {
        finish(&mut self.account.command(words)).exits(0);
    }

    fn keys(&self) -> BTreeSet<String> {
        let listed = wait(self.account.s3().list_objects_v2().bucket(self.bucket()).send()).expect("a list");
        listed.contents().iter().filter_map(|object| Some(object.key()?.to_owned())).collect()
    }

    fn graphs(&self) -> usize {
        self.keys().iter().filter(|key| key.ends_with("/model.onnx")).count()
    }

    fn object(&self, key: &str) -> Value {
        let call = self.account.s3().get_object().bucket(self.bucket()).key(key).send();
        let body = wait(wait(call).expect("an object").body.collect()).expect("its bytes");
        serde_json::from_slice(&body.to_vec()).expect("JSON")
    }

    /// The key of the manifest that the pointer names.
    fn manifest(&self) -> String {
        let pointer = self.object("models/tiny/current.json");
        format!("models/tiny/{}", pointer["manifest"]["path"].as_str().expect("a path"))
    }

    /// The version that the pointer names; what it leads to is there.
    #[track_caller]
    fn version(&self) -> String {
        let (pointer, keys, manifest) = (self.object("models/tiny/current.json"), self.keys(), self.manifest());
        for file in self.object(&manifest)["files"].as_array().expect("files") {
            let (sha256, path) = (file["sha256"].as_str().expect("a hash"), file["path"].as_str().expect("a path"));
            assert!(keys.contains(&format!("models/tiny/{sha256}/{path}")), "{file} is not in {keys:?}");
        }
        pointer["version"].as_str().expect("a version").to_owned()
    }

    fn store(&self) -> PathBuf {
        self.account.path("store")
    }
}

#[test]
fn the_version_before_stays_older_ones_go_and_a_rollback_finds_it() {
    let models = Models::new(1);
    models.deploy("one");
    let (one, of_one) = (models.version(), models.manifest());
    assert_eq!(models.keys().len(), 4, "two files, a manifest, the pointer: {:?}", models.keys());
    models.deploy("two");
    let two = models.version();
    assert!(one != two && models.graphs() == 2, "{:?}", models.keys());
    models.run("deploy --plan models.yaml --yes");
    assert_eq!(models.graphs(), 2, "the same plan changes nothing");
    models.deploy("three");
    let three = models.version();
    assert_eq!(models.graphs(), 2, "the first version has gone: {:?}", models.keys());
    assert!(!models.keys().contains(&of_one));

    models.run(&format!("rollback --stack {STACK} --yes"));
    assert_eq!(models.version(), two, "the graph was there, and the pointer came from the bucket's memory");
    models.run("deploy --plan models.yaml --yes");
    assert_eq!(models.version(), three);
    models.run(&format!("destroy --stack {STACK} --yes --empty-buckets"));
    let gone = wait(models.account.s3().head_bucket().bucket(models.bucket()).send());
    assert!(gone.is_err(), "nothing is left");
}

#[test]
fn one_that_keeps_none_has_one_version() {
    let models = Models::new(0);
    models.deploy("one");
    models.deploy("two");
    assert_eq!(models.graphs(), 1, "{:?}", models.keys());
    models.version();
}

#[test]
fn a_model_of_a_stack_is_published_over_only_by_word() {
    let models = Models::new(1);
    models.deploy("one");
    let (one, of_one) = (models.version(), models.manifest());
    testkit::serve::copy(&testkit::serve::fixtures().join("tiny"), &models.store().join("tiny"));
    let to = format!("s3://{}/models", models.bucket());
    let publish = |more: &str| {
        let words = format!("models publish tiny --to {to} --json {more}");
        finish(models.account.command(&words).arg("--models").arg(models.store()))
    };
    let refused = publish("").exits(3);
    assert!(refused.stdout.contains(STACK), "{}", refused.stdout);
    assert_eq!(models.version(), one);
    let done = publish("--replace --keep 0").exits(0).json();
    assert_eq!(models.version(), done["published"]["version"].as_str().expect("a version"));
    assert!(models.keys().contains(&of_one), "what the stack manages stays");
    // Beside it, under another name, it is free.
    publish("--as other").exits(0);
    assert_eq!(models.object("models/other/current.json")["model"], "other");
    let again = publish("--as other").exits(0).json();
    assert_eq!(again["published"]["uploaded"], 0);
}

#[test]
fn a_bucket_that_does_not_exist_is_told_by_its_name() {
    let account = TestAccount::of(local_aws::account());
    testkit::serve::copy(&testkit::serve::fixtures().join("tiny"), &account.path("store").join("tiny"));
    let words = "models publish tiny --to s3://nobody-has-this-bucket/models";
    let refused = finish(account.command(words).arg("--models").arg(account.path("store"))).exits(1);
    for said in ["the bucket nobody-has-this-bucket does not exist", "--region"] {
        assert!(refused.stderr.contains(said), "{}", refused.all());
    }
}
