//! What carries the wanted names and is somebody else's: refused by kind and name, taken up on purpose, never asked for an ID.

use std::collections::BTreeSet;

use testkit::cli::TestAccount;
use testkit::proxy::wait;

/// The kinds that have a name which somebody else's may have, too. A certificate and a health check have none.
const NAMED: [&str; 12] = [
    "bucket",
    "bucket-policy",
    "cache-policy",
    "distribution",
    "function",
    "object",
    "origin-access",
    "records",
    "replication",
    "response-headers-policy",
    "role",
    "zone",
];

/// Whatever can clash by its name, as another stack left it.
#[test]
fn what_another_stack_made_is_refused_and_taken_on_purpose() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    // Roles are named after the stack.
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let iam = aws_sdk_iam::Client::new(&account.sdk);
    let role = iam.create_role().role_name("akidb-other-gateway").assume_role_policy_document(trust);
    wait(role.send()).expect("a role");
    let before = account.inventory();
    let plan = account.changed_plan("stack: akidb-week13", "stack: akidb-other");
    let refused = account.run(&format!("deploy --plan {plan} --yes")).exits(3).stderr;
    assert_eq!(account.inventory(), before, "nothing was done");
    let step = |line: &str| line.split_once("--adopt ").map(|(_, address)| address.trim().to_owned());
    let addresses: BTreeSet<String> = refused.lines().filter_map(step).collect();
    for kind in NAMED {
        let mut own = addresses.iter().filter(|address| address.split('.').nth(1) == Some(kind));
        let address = own.next().unwrap_or_else(|| panic!("no {kind} was refused: {refused}"));
        let line = refused.lines().find(|line| line.starts_with(&format!("{address}: "))).expect("it says why");
        assert!(line.contains("exists and is not owned by this stack"), "{line}");
    }
    let adopt: Vec<String> = addresses.iter().map(|address| format!("--adopt {address}")).collect();
    let taken = account.run(&format!("deploy --plan {plan} --yes {}", adopt.join(" "))).exits(0).stdout;
    assert!(taken.contains("this stack does not own it: adopted as requested"), "{taken}");
    let after = account.inventory();
    for (what, count) in before.iter().filter(|(what, _)| !["certificates", "health checks", "roles"].contains(what)) {
        assert_eq!(after[what], *count, "{what}: taken up, not made again");
    }
    account.run(&format!("deploy --plan {plan} --dry-run")).exits(0);
}
