//! Runs over devices: how long their lease lives, and what a run over the cloud and devices does when a device is away.

use std::process::Command;
use std::time::Duration;

use akidb_edge::ledger::Lease;

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
    says(&without, "run separately: d (akidb-edge jetson provision)");
}

#[test]
fn a_step_that_comes_after_devices_waits_for_them() {
    let stack = Stack::new();
    let after = buckets(&stack, &["a"]).replace("kind: models,", "kind: models, needs: [d],");
    stack.plan("p.yaml", &format!("{after}{AWAY}"));
    let refused = run(&stack, "deploy --plan p.yaml --yes").exits(3);
    says(&refused, "models.bucket.a needs jetson.host.one");
    says(&refused, "akidb-edge jetson deploy --plan PLAN makes it");
    let partly = run(&stack, "deploy --plan p.yaml --devices --yes").exits(1);
    says(&partly, "left out: one");
    assert!(!exists(&stack, "a"), "{}", partly.all());
}

#[test]
fn a_saved_plan_over_both_is_whole() {
    let stack = Stack::new();
    bucket_and_device(&stack);
    run(&stack, "deploy --plan p.yaml --out cloud.plan.json").exits(2);
    says(&run(&stack, "deploy cloud.plan.json --devices --yes").exits(3), "it was made without --devices");
    // The device is away: a saved plan is carried out as a whole, so there is none.
    let refused = run(&stack, "deploy --plan p.yaml --devices --out both.plan.json").exits(1);
    says(&refused, "no plan was saved");
    says(&refused, "left out: one");
    assert!(!stack.home.path().join("both.plan.json").exists(), "{}", refused.all());
    assert!(!exists(&stack, "a"), "saving does nothing");
    let made = run(&stack, "deploy cloud.plan.json --yes").exits(0);
    assert!(exists(&stack, "a") && !journal(&stack, "-devices").exists(), "{}", made.all());
    says(&run(&stack, "deploy cloud.plan.json --yes").exits(3), "the journal went on");
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
