//! `state pull` and `state push`: a journal moves from one place to another, byte by byte, and only onto its own past.

use std::fs;
use std::path::PathBuf;

use super::ground::Ground;
use testkit::cli::{CommandOutput, bare, finish};
use testkit::proxy::wait;

/// A deployed stack with its journal in a directory, and an empty bucket.
struct Moving {
    ground: Ground,
    stack: String,
}

impl Moving {
    fn new() -> Self {
        let ground = Ground::new();
        let stack = format!("s{}", ground.account.number);
        let moving = Self { ground, stack };
        moving.plan(&["a"]);
        moving.here("deploy --plan plan.yaml --yes").exits(0);
        moving
    }

    fn plan(&self, buckets: &[&str]) {
        let number = &self.ground.account.number;
        let named = buckets.iter().map(|key| format!("{key}: {{name: demo-{key}-{number}, region: us-east-1}}"));
        let steps = format!(
            "  - {{id: m, title: m, kind: models, with: {{buckets: {{{}}}}}}}\n",
            named.collect::<Vec<_>>().join(", ")
        );
        let text = format!(
            "version: 1\nstack: {}\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: d\n  steps:\n{steps}",
            self.stack
        );
        fs::write(self.file("plan.yaml"), text).expect("a file");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.ground.account.path(name)
    }

    fn journal(&self) -> PathBuf {
        self.file("state").join(&self.stack).join("journal.jsonl")
    }

    /// With the state in the directory.
    fn here(&self, words: &str) -> CommandOutput {
        self.ground.run(&format!("{words} --state file:state"))
    }

    /// With the state in the bucket.
    fn there(&self, words: &str) -> CommandOutput {
        self.ground.run(words)
    }
}

#[test]
fn a_journal_moves_into_a_bucket_and_back() {
    let moving = Moving::new();
    let Moving { stack, .. } = &moving;
    moving.here(&format!("state pull --stack {stack} --out copy.jsonl")).exits(0);
    let original = fs::read(moving.journal()).expect("a journal");
    assert_eq!(fs::read(moving.file("copy.jsonl")).expect("a copy"), original, "byte by byte");
    let told = moving.there(&format!("state push copy.jsonl --stack {stack}")).exits(0);
    assert!(told.stdout.contains(&moving.ground.bucket), "{}", told.stdout);

    moving.there("deploy --plan plan.yaml --dry-run").exits(0);
    moving.there("deploy --plan plan.yaml --yes").exits(0);
    moving.plan(&["a", "b"]);
    moving.there("deploy --plan plan.yaml --yes").exits(0);

    // And back, onto what is in the directory still: its entries are the first ones.
    let pulled = moving.there(&format!("state pull --stack {stack}")).exits(0).stdout;
    assert!(pulled.as_bytes().starts_with(&original), "entries are only ever added");
    fs::write(moving.file("back.jsonl"), &pulled).expect("a file");
    moving.here(&format!("state push back.jsonl --stack {stack}")).exits(0);
    assert_eq!(fs::read_to_string(moving.journal()).expect("a journal"), pulled);
    moving.here("deploy --plan plan.yaml --dry-run").exits(0);
    moving.here(&format!("rollback --stack {stack} --yes --to 1")).exits(0);
    let again = moving.here(&format!("state push back.jsonl --stack {stack}")).exits(3);
    assert!(again.stderr.contains("lacks the last"), "the journal has grown: {}", again.stderr);
    let same = moving.there(&format!("state push back.jsonl --stack {stack} --json")).exits(0).json();
    assert_eq!((&same["added"], &same["kept"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn a_journal_that_is_not_the_future_of_the_present_one_is_refused_and_force_keeps_what_was_there() {
    let moving = Moving::new();
    let Moving { stack, ground } = &moving;
    moving.here(&format!("state pull --stack {stack} --out one.jsonl")).exits(0);
    moving.there(&format!("state push one.jsonl --stack {stack}")).exits(0);
    moving.plan(&["a", "b"]);
    moving.here("deploy --plan plan.yaml --yes").exits(0);
    moving.plan(&["a", "c"]);
    moving.there("deploy --plan plan.yaml --yes").exits(0);
    moving.here(&format!("state pull --stack {stack} --out two.jsonl")).exits(0);
    let one = fs::read_to_string(moving.file("one.jsonl")).expect("a copy");
    let line = one.lines().count() + 1;

    let before = moving.there(&format!("state pull --stack {stack}")).exits(0).stdout;
    let refused = moving.there(&format!("state push two.jsonl --stack {stack}")).exits(3);
    assert!(refused.stderr.contains(&format!("line {line} differs")), "{}", refused.stderr);
    let refused = moving.there(&format!("state push one.jsonl --stack {stack}")).exits(3);
    assert!(refused.stderr.contains("lacks the last"), "{}", refused.stderr);
    assert_eq!(moving.there(&format!("state pull --stack {stack}")).exits(0).stdout, before, "nothing was changed");

    let forced = moving.there(&format!("state push two.jsonl --stack {stack} --force --json")).exits(0).json();
    let kept = forced["kept"].as_str().expect("a place").to_owned();
    let key = kept.strip_prefix(&format!("s3://{}/", ground.bucket)).expect("in the bucket");
    let object = wait(ground.account.s3().get_object().bucket(&ground.bucket).key(key).send()).expect("there");
    assert_eq!(wait(object.body.collect()).expect("read").to_vec(), before.as_bytes(), "the one that was there");
    let two = fs::read_to_string(moving.file("two.jsonl")).expect("a copy");
    assert_eq!(moving.there(&format!("state pull --stack {stack}")).exits(0).stdout, two);

    // The same in a directory.
    let before = fs::read_to_string(moving.journal()).expect("a journal");
    let forced = moving.here(&format!("state push one.jsonl --stack {stack} --force --json")).exits(0).json();
    let kept = fs::read_to_string(moving.file(forced["kept"].as_str().expect("a place"))).expect("kept");
    assert_eq!(kept, before);
    assert_eq!(fs::read_to_string(moving.journal()).expect("a journal"), one);
}

#[test]
fn what_is_no_journal_of_this_stack_is_refused() {
    let moving = Moving::new();
    let Moving { stack, .. } = &moving;
    moving.here(&format!("state pull --stack {stack} --out copy.jsonl")).exits(0);
    let text = fs::read_to_string(moving.file("copy.jsonl")).expect("a copy");
    let cases = [
        ("cut.jsonl", text[..text.len() - 40].to_owned(), "middle of a line"),
        ("changed.jsonl", text.replacen("us-east-1", "us-east-2", 1), "checksum does not fit"),
        ("gap.jsonl", text.lines().skip(1).map(|line| format!("{line}\n")).collect(), "checksum does not fit"),
        ("empty.jsonl", String::new(), "no entries"),
        ("other.txt", "hello\n".to_owned(), "not a whole journal"),
    ];
    for (name, text, words) in cases {
        fs::write(moving.file(name), text).expect("a file");
        for force in ["", " --force"] {
            let refused = moving.there(&format!("state push {name} --stack {stack}{force}")).exits(3);
            assert!(refused.stderr.contains(words), "{name}: {}", refused.stderr);
        }
    }
    for force in ["", " --force"] {
        let refused = moving.there(&format!("state push copy.jsonl --stack other{force}")).exits(3);
        assert!(refused.stderr.contains(&format!("journal of the stack {stack}")), "{}", refused.stderr);
    }
    let missing = moving.there(&format!("state push nowhere.jsonl --stack {stack}")).exits(3);
    assert!(missing.stderr.contains("nowhere.jsonl"), "{}", missing.stderr);
    // Another account's.
    let other = moving
        .ground
        .run_with(&format!("state push copy.jsonl --stack {stack}"), &[("AWS_ACCESS_KEY_ID", "987654321098")]);
    assert!(other.code != 0 && other.stderr.contains("account"), "{}", other.stderr);
    let into = format!("state push copy.jsonl --stack {stack} --state file:elsewhere");
    let refused = moving.ground.run_with(&into, &[("AWS_ACCESS_KEY_ID", "987654321098")]).exits(3).stderr;
    assert!(refused.contains("these credentials are of 987654321098"), "{refused}");
    assert!(!moving.file("elsewhere").exists(), "nothing was written");
    // Without credentials it cannot be told, and a directory needs none.
    let mut bare = bare();
    bare.current_dir(moving.ground.account.directory.path()).args(into.split_whitespace());
    let told = finish(bare.env("AWS_REGION", "us-east-1")).exits(0);
    assert!(told.stderr.contains("was not compared with credentials"), "{}", told.stderr);
    assert!(moving.file("elsewhere").join(stack).join("journal.jsonl").exists());
    let there =
        wait(moving.ground.account.s3().list_objects_v2().bucket(&moving.ground.bucket).send()).expect("listed");
    let keys: Vec<&str> = there.contents().iter().filter_map(|item| item.key()).collect();
    assert!(keys.iter().all(|key| key.ends_with("lease.json")), "{keys:?}");
}

#[test]
fn a_damaged_journal_is_replaced_by_a_copy_and_kept() {
    let moving = Moving::new();
    let Moving { stack, .. } = &moving;
    moving.here(&format!("state pull --stack {stack} --out copy.jsonl")).exits(0);
    let good = fs::read_to_string(moving.journal()).expect("a journal");
    let bad = good.replacen("us-east-1", "us-east-2", 1);
    fs::write(moving.journal(), &bad).expect("written");
    let refused = moving.here(&format!("status --stack {stack}")).exits(1);
    assert!(refused.stderr.contains("state push FILE --stack STACK --force"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("cut it"), "{}", refused.stderr);
    moving.here(&format!("state push copy.jsonl --stack {stack}")).exits(1);
    let told = moving.here(&format!("state push copy.jsonl --stack {stack} --force --json")).exits(0).json();
    let kept = fs::read_to_string(moving.file(told["kept"].as_str().expect("a place"))).expect("kept");
    assert_eq!(kept, bad);
    assert_eq!(fs::read_to_string(moving.journal()).expect("a journal"), good);
    moving.here("deploy --plan plan.yaml --dry-run").exits(0);
}

#[test]
fn a_pull_writes_over_nothing_that_is_not_its_own() {
    let moving = Moving::new();
    let Moving { stack, .. } = &moving;
    let pull = format!("state pull --stack {stack} --out copy.jsonl");
    moving.here(&pull).exits(0);
    moving.plan(&["a", "b"]);
    moving.here("deploy --plan plan.yaml --yes").exits(0);
    moving.here(&pull).exits(0);
    assert_eq!(
        fs::read(moving.file("copy.jsonl")).expect("a copy"),
        fs::read(moving.journal()).expect("a journal"),
        "an earlier copy is its own"
    );
    fs::write(moving.file("copy.jsonl"), "my notes\n").expect("a file");
    let refused = moving.here(&pull).exits(3);
    assert!(refused.stderr.contains("is not a journal") && refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(moving.file("copy.jsonl")).expect("a file"), "my notes\n");
    moving.here(&format!("{pull} --force")).exits(0);
    let document = moving.here(&format!("{pull} --json")).exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/state-pull/v1");
    moving.here(&format!("state pull --stack {stack} --json")).exits(3);
    let nothing = moving.here("state pull --stack other").exits(3);
    assert!(nothing.stderr.contains("has no journal"), "{}", nothing.stderr);
}
