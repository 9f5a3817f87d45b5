//! `destroy`: everything goes, what holds data only on the word.

use testkit::cli::{STACK, TestAccount, nothing, whole};

#[test]
fn data_goes_only_on_the_word() {
    let account = TestAccount::new();
    let none = account.run("destroy --yes").exits(3);
    assert!(none.stderr.contains("no state of the stack"), "{}", none.stderr);
    account.run("deploy --yes").exits(0);
    let dry = account.run("destroy --dry-run").exits(2);
    insta::assert_snapshot!("dry_run", account.redact(&dry.stdout));
    let by_journal = format!(
        "--var and --var-file only decide how the plan is read: the plan only names the stack; what is deleted is recorded in the journal of {STACK}"
    );
    assert!(dry.stderr.contains(&by_journal), "{}", dry.stderr);
    let bare = account.run_bare(&format!("destroy --stack {STACK} --dry-run")).exits(2).stderr;
    assert!(!bare.contains("--var"), "{bare}");
    account.run("destroy").exits(3);

    let refused = account.run("destroy --yes").exits(3);
    for bucket in ["models-edge", "models-edge-replica-eu"] {
        assert!(refused.stderr.contains(&format!("t{}-{bucket} (", account.number)), "{}", refused.stderr);
    }
    assert!(refused.stderr.contains("--empty-buckets"), "{}", refused.stderr);
    assert_eq!(account.inventory(), whole(), "nothing was removed");

    account.run_bare(&format!("destroy --stack {STACK} --empty-buckets --yes")).exits(0);
    assert_eq!(account.inventory(), nothing());
    let again = account.run("destroy --empty-buckets --yes").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);
    let document = account.run("destroy --empty-buckets --yes --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/destroy/v1");
}
