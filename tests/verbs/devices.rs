//! The lease of a verb for devices lives as long as `--lease-ttl` says.

use std::process::Command;
use std::time::Duration;

use akidb_edge::ledger::Lease;

use crate::document::AWAY;
use crate::stack::Stack;

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
