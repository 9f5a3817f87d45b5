//! Runs over devices: how long their lease lives, and what a run over the cloud and devices does when a device is away.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use akidb_edge::ledger::{Fact, FileStore, Lease, Ledger, ResourceSnapshot};
use akidb_edge::resource::{Action, Attributes, Kind, Level, RunPurpose, RunStatus, references};
use serde_json::{Value, json};
use testkit::proxy::wait;

use crate::operators::stack::Stack;
use crate::verbs::apart::{buckets, exists, run, says};
use crate::verbs::document::AWAY;

/// The command that ssh runs to get through to a device copies the lease: it is held while the device is looked at.
#[test]
fn the_lease_of_a_stack_of_devices_lives_as_long_as_was_said() {
    if Command::new("ssh").arg("-V").output().is_err() {
        return;
    }
    let stack = Stack::new();
    stack.plan("d.yaml", AWAY);
    let lease = stack.home.path().join(format!(".akidb-edge/{}-devices/lease.json", stack.name()));
    let seen = stack.home.path().join("seen.json");
    let config = format!("Host *\n  ProxyCommand cp {} {}\n", lease.display(), seen.display());
    stack.file("ssh.config", &config);
    let provision = ["jetson", "provision", "--plan", "d.yaml", "--yes", "--ssh-config", "ssh.config"];
    let arguments: Vec<&str> = provision.into_iter().chain(["--lease-ttl", "7"]).collect();
    let output = stack.run(&arguments).exits(1);
    let text = std::fs::read(&seen).unwrap_or_else(|bad| panic!("{bad}: {}", output.stderr));
    let lease: Lease = serde_json::from_slice(&text).expect("a lease");
    // A heartbeat may have come before the copy was made.
    let lives = lease.time_to_live();
    assert!(lives >= Duration::from_secs(7) && lives < Duration::from_secs(60), "{lives:?}");
}

/// The plan of a bucket and a device that nothing answers for.
fn bucket_and_device(stack: &Stack) {
    stack.plan("p.yaml", &format!("{}{AWAY}", buckets(stack, &["a"])));
}

fn journal(stack: &Stack, suffix: &str) -> std::path::PathBuf {
    stack.home.path().join(format!(".akidb-edge/{}{suffix}/journal.jsonl", stack.name()))
}

#[test]
fn a_device_that_is_away_does_not_stop_the_account() {
    let stack = Stack::new();
    bucket_and_device(&stack);
    let partly = run(&stack, "deploy --plan p.yaml --devices --yes").exits(1);
    for said in ["1 device over SSH: one", &format!("account {}", stack.account), "one: away"] {
        says(&partly, said);
    }
    assert!(exists(&stack, "a"));
    // Each stack has a journal of its own: that of the devices has nothing to say.
    let began = std::fs::read_to_string(journal(&stack, "")).expect("a journal");
    assert!(began.contains("\"world\":\"aws\"") && !began.contains("\"world\":\"devices\""), "{began}");
    assert!(!journal(&stack, "-devices").exists());
    let again = run(&stack, "deploy --plan p.yaml --devices --yes").exits(1);
    says(&again, "1 device left out: one");
    // Without its devices the plan is deployed as before.
    let without = run(&stack, "deploy --plan p.yaml --yes").exits(0);
    says(&without, "no changes: 1 resource matches the plan");
    says(&without, "not part of this run: run separately d (-v says how)");
}

#[test]
fn a_step_that_comes_after_devices_waits_for_them() {
    let stack = Stack::new();
    let after = buckets(&stack, &["a"]).replace("kind: models,", "kind: models, needs: [d],");
    stack.plan("p.yaml", &format!("{after}{AWAY}"));
    let refused = run(&stack, "deploy --plan p.yaml --yes").exits(3);
    says(&refused, "models.bucket.a needs jetson.host.one");
    says(&refused, "run akidb-edge jetson deploy --plan PLAN first");
    let partly = run(&stack, "deploy --plan p.yaml --devices --yes").exits(1);
    says(&partly, "left out: one");
    assert!(!exists(&stack, "a"), "{}", partly.all());
}

#[test]
fn a_saved_plan_over_both_is_whole() {
    let stack = Stack::new();
    bucket_and_device(&stack);
    run(&stack, "deploy --plan p.yaml --out cloud.plan.json").exits(2);
    says(&run(&stack, "deploy cloud.plan.json --devices --yes").exits(3), "it was saved without --devices");
    // The device is away: a saved plan is carried out as a whole, so there is none.
    let refused = run(&stack, "deploy --plan p.yaml --devices --out both.plan.json").exits(1);
    says(&refused, "no plan was saved");
    says(&refused, "left out: one");
    assert!(!stack.home.path().join("both.plan.json").exists(), "{}", refused.all());
    assert!(!exists(&stack, "a"), "saving does nothing");
    let made = run(&stack, "deploy cloud.plan.json --yes").exits(0);
    assert!(exists(&stack, "a") && !journal(&stack, "-devices").exists(), "{}", made.all());
    says(&run(&stack, "deploy cloud.plan.json --yes").exits(3), "the journal has grown");
}

/// A run over both holds a lease on each stack, and both live as long as was said.
#[test]
fn a_run_over_both_holds_both_leases() {
    if Command::new("ssh").arg("-V").output().is_err() {
        return;
    }
    let stack = Stack::new();
    bucket_and_device(&stack);
    let lease = |suffix: &str| stack.home.path().join(format!(".akidb-edge/{}{suffix}/lease.json", stack.name()));
    let (own, devices) = (lease(""), lease("-devices"));
    let seen = |name: &str| stack.home.path().join(name);
    let copy = format!(
        "cp {} {}; cp {} {}",
        own.display(),
        seen("own.json").display(),
        devices.display(),
        seen("devices.json").display()
    );
    stack.file("copy.sh", &copy);
    stack.file("ssh.config", &format!("Host *\n  ProxyCommand sh {}\n", seen("copy.sh").display()));
    let words = "deploy --plan p.yaml --devices --yes --ssh-config ssh.config --lease-ttl 7";
    let partly = run(&stack, words).exits(1);
    for name in ["own.json", "devices.json"] {
        let text = std::fs::read(seen(name)).unwrap_or_else(|bad| panic!("{name}: {bad}: {}", partly.stderr));
        let lease: Lease = serde_json::from_slice(&text).expect("a lease");
        let lives = lease.time_to_live();
        assert!(lives >= Duration::from_secs(7) && lives < Duration::from_secs(60), "{name}: {lives:?}");
    }
    assert!(!own.exists() && !devices.exists(), "both are given back");
}

/// One thing of the journal of devices.
fn made(address: &str, kind: Kind, spec: Value) -> Fact {
    let needs = references(&spec).into_iter().map(|need| (need, Level::Usable)).collect();
    let subject = ResourceSnapshot {
        address: address.parse().expect("an address"),
        kind,
        generation: 0,
        spec,
        needs,
        step: "d".to_owned(),
        after: BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    };
    Fact::Succeeded { action: Action::Create, subject, id: "x".to_owned(), attributes: Attributes::new(), took_ms: 1 }
}

/// A journal of devices as a run over both leaves it: a machine that nothing answers for, and a file on it that names the bucket.
fn device_that_names_the_bucket(stack: &Stack) {
    let name = format!("{}-devices", stack.name());
    let began = Fact::RunBegan {
        revision: 1,
        command: "deploy --devices".to_owned(),
        by: "me@here".to_owned(),
        account: String::new(),
        stack: name.clone(),
        tool: "0".to_owned(),
        requested: BTreeSet::new(),
        fallback: None,
        purpose: Some(RunPurpose::Deploy),
        platforms: Vec::new(),
    };
    let host = json!({"name": "one", "address": "127.0.0.1", "port": 1, "user": "nobody"});
    let file = json!({"host": "one", "path": "/x", "content": {"text": "${models.bucket.a#name}"}});
    let facts = [
        began,
        made("jetson.host.one", Kind::Host, host),
        made("jetson.file.one-x", Kind::File, file),
        Fact::RunEnded { ending: RunStatus::Done, changes: 2 },
    ];
    wait(async {
        let store = Arc::new(FileStore::new(&stack.home.path().join(".akidb-edge"), &name, "here"));
        let ledger =
            Ledger::write(store, &name, Lease::new("me", "here", "deploy --devices")).await.expect("a journal");
        for fact in facts {
            ledger.record(fact).await.expect("an entry");
        }
        ledger.close().await.expect("the lease goes back");
    });
}

#[test]
fn both_stacks_are_destroyed_in_one_run_and_nothing_under_a_device_that_is_away() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    device_that_names_the_bucket(&stack);
    let name = stack.name();
    let seen = run(&stack, &format!("destroy --stack {name} --devices --dry-run")).exits(1);
    says(&seen, &format!("{name} and {name}-devices"));
    says(&seen, "models.bucket.a is not deleted: jetson.file.one-x needs it");
    says(&seen, "delete  bucket.b");
    let partly = run(&stack, &format!("destroy --stack {name}-devices --devices --yes")).exits(1);
    says(&partly, "one: away");
    assert!(exists(&stack, "a") && !exists(&stack, "b"), "{}", partly.all());
    let gone = std::fs::read_to_string(journal(&stack, "")).expect("a journal");
    assert!(gone.contains(&format!("destroy --devices --stack {name}")) && !gone.contains("jetson.file"), "{gone}");
    let of_devices = std::fs::read_to_string(journal(&stack, "-devices")).expect("a journal");
    assert!(!of_devices.contains("models.bucket.b"), "{of_devices}");
    // The device is not there any more at all: its journal lets go of it, and the rest goes.
    run(&stack, &format!("state forget jetson.file.one-x jetson.host.one --stack {name}-devices --yes")).exits(0);
    run(&stack, &format!("destroy --stack {name} --devices --yes")).exits(0);
    assert!(!exists(&stack, "a"));
}

#[test]
fn the_last_run_over_either_stack_is_rolled_back() {
    let stack = Stack::new();
    let name = stack.name();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    device_that_names_the_bucket(&stack);
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    for (words, said) in [
        ("--devices --to 9", "revision 9 of"),
        ("--devices --to 2 --devices-to 1", "nothing is undone"),
        // What would come back refers to what would go.
        ("--devices --to 0 --devices-to 1", "jetson.file.one-x as it was then refers to models.bucket.a"),
        ("--fallback x --devices", "cannot be combined"),
        ("--to 0 --keep-connections 0", "add --devices"),
    ] {
        says(&run(&stack, &format!("rollback --plan p.yaml {words} --yes")).exits(3), said);
    }
    assert!(exists(&stack, "a") && exists(&stack, "b"));
    // The last run was over the cloud: it is undone, and the devices stay as they are.
    let partly = run(&stack, &format!("rollback --stack {name} --devices --yes")).exits(1);
    says(&partly, &format!("{name}: undoes revision 2: deploy"));
    says(&partly, &format!("{name}-devices: nothing of it is undone"));
    says(&partly, &format!("akidb-edge rollback --devices --to 1 --devices-to 1 --stack {name}"));
    assert!(exists(&stack, "a") && !exists(&stack, "b"), "{}", partly.all());
    // Before the first deploy there was no device: both go, and what a device that is away needs stays.
    let seen = run(&stack, &format!("rollback --stack {name} --devices --to 0 --dry-run")).exits(1);
    says(&seen, &format!("{name}-devices: undoes revision 1: deploy --devices"));
    says(&seen, "models.bucket.a is not deleted: jetson.file.one-x needs it");
}
