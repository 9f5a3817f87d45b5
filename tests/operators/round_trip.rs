//! What is exported is imported into a fresh journal without a difference.

use crate::support::cli::{Account, Output};

/// Deploys a plan, exports, imports into a journal of its own, and deploys the plan there again.
#[track_caller]
fn comes_back(account: &Account, more: &str) {
    account.run(&format!("deploy {more} --yes")).exits(0);
    unchanged(account, more, more);
}

/// Exports what was deployed by `first`, imports it into a fresh journal by `second`, and expects nothing to do.
#[track_caller]
fn unchanged(account: &Account, first: &str, second: &str) {
    let file = account.path("exported.json");
    account.run(&format!("state export {first} --out {}", file.display())).exits(0);
    let fresh = format!("--state file:{}", account.path("fresh").display());
    let imported = account.run(&format!("state import --from {} {second} {fresh} --yes", file.display()));
    assert_eq!(imported.code, 0, "{second}: {}", imported.all());
    assert!(imported.stdout.contains("the next deploy would change nothing of it"), "{second}: {}", imported.stdout);
    let again: Output = account.run(&format!("deploy {second} {fresh} --dry-run"));
    assert_eq!(again.code, 0, "{second}: {}", again.all());
}

#[test]
fn week_13_comes_back_from_its_export() {
    comes_back(&Account::new(), "");
}
