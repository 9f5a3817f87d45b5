//! What `status` and `state unlock` say of a lease, by what can be known of its holder.

use akidb_edge::ledger::{FileStore, Lease, Store};
use akidb_edge::provider::aws::journal_store;
use serde_json::Value;

use super::ground::{Ground, expired};
use testkit::proxy::wait;

const STACK: &str = "stack";

/// A place with a lease in it, as this machine's name has it.
struct Leased {
    ground: Ground,
    place: String,
}

impl Leased {
    fn new(lease: &Lease, in_bucket: bool) -> Self {
        let ground = Ground::new();
        let (store, place): (Box<dyn Store>, String) = if in_bucket {
            let store = journal_store(&ground.account.s3(), &ground.bucket, "edge", STACK, "here");
            (Box::new(store), ground.place())
        } else {
            let directory = ground.account.path("state");
            (Box::new(FileStore::new(&directory, STACK, "here")), format!("file:{}", directory.display()))
        };
        wait(store.acquire(lease)).expect("put there");
        Self { ground, place }
    }

    fn run(&self, words: &str) -> testkit::cli::CommandOutput {
        self.ground.run(&format!("{words} --stack {STACK} --state {}", self.place))
    }
}

fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// A process of this machine that has ended.
fn gone() -> Lease {
    let mine = Lease::new("me", &host(), "deploy");
    Lease { process_start: Some(1), pid: u32::MAX - 1, ..mine }
}

#[test]
fn status_says_whether_the_holder_is_there() {
    for in_bucket in [false, true] {
        let cases = [
            (Lease::new("me", &host(), "deploy"), "being changed by me@", "alive"),
            (gone(), "no longer exists; the next run takes it over", "gone"),
            (expired(), "the next run takes it over", "expired"),
        ];
        for (lease, words, standing) in cases {
            let leased = Leased::new(&lease, in_bucket);
            let told = leased.run("status").exits(0);
            // A stack without a run is named as such; the lease is told all the same.
            assert!(told.stdout.contains(words), "{standing}: {}", told.all());
            if standing != "alive" {
                assert!(!told.stdout.contains("being changed by"), "{}", told.stdout);
            }
            let document = leased.run("status --json").exits(0).json();
            assert_eq!(document["lease"]["holder"], standing, "{document:#}");
        }
    }
}

#[test]
fn unlock_asks_only_about_a_holder_that_may_be_alive() {
    for in_bucket in [false, true] {
        let alive = Leased::new(&Lease::new("me", &host(), "deploy"), in_bucket);
        let asked = alive.run("state unlock").exits(3);
        assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
        let told = alive.run("state unlock --yes").exits(0);
        assert!(told.stdout.contains("its next write is refused"), "{}", told.stdout);
        for lease in [gone(), expired()] {
            let left = Leased::new(&lease, in_bucket);
            let told = left.run("state unlock").exits(0);
            assert!(told.stdout.contains("was released"), "{}", told.stdout);
            assert!(left.run("state unlock").exits(0).stdout.contains("the lease is free"));
        }
    }
}

#[test]
fn unlock_answers_with_one_document() {
    for in_bucket in [false, true] {
        let left = Leased::new(&gone(), in_bucket);
        let document = left.run("state unlock --json").exits(0).json();
        assert_eq!(document["schema"], "akidb-edge/state-unlock/v1");
        assert_eq!((&document["unlocked"], &document["lease"]["holder"]), (&Value::Bool(true), &"gone".into()));
        let document = left.run("state unlock --json").exits(0).json();
        assert_eq!((&document["unlocked"], &document["lease"]), (&Value::Bool(false), &Value::Null));
        let alive = Leased::new(&Lease::new("me", &host(), "deploy"), in_bucket);
        let document = alive.run("state unlock --json").exits(3).json();
        assert_eq!(document["schema"], "akidb-edge/error/v1");
    }
}
