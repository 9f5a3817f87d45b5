//! The order of steps changes, and nothing else: `destroy` goes by the plan that was deployed last.

use crate::operators::stack::Stack;

/// Two steps with a bucket each, in a row.
fn steps(account: &str, needs: [&str; 2]) -> String {
    let step = |id: &str, needs: &str| {
        format!(
            "  - {{id: {id}, title: {id}, kind: models, needs: [{needs}], with: {{buckets: {{{id}: {{name: {id}-{account}, \
             region: us-east-1}}}}}}}}\n"
        )
    };
    format!("{}{}", step("one", needs[0]), step("two", needs[1]))
}

#[test]
fn the_order_of_the_last_deploy_counts() {
    let stack = Stack::new();
    let first = stack.plan("first.yaml", &steps(&stack.account, ["", "one"]));
    let turned = stack.plan("turned.yaml", &steps(&stack.account, ["two", ""]));
    let going = |address: &str| {
        let words = ["destroy", "--plan", "turned.yaml", "--target", address, "--dry-run"];
        stack.run(&words).exits(2).stdout
    };
    stack.deploy(&first).exits(0);
    assert!(going("models.bucket.one").contains("it depends on models.bucket.one"));
    let again = stack.deploy(&turned).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());
    let one = going("models.bucket.one");
    assert!(one.contains("bucket.one") && !one.contains("bucket.two"), "{one}");
    assert!(going("models.bucket.two").contains("it depends on models.bucket.two"));
    // It is written down once.
    let journal = stack.home.path().join(".akidb-edge").join(stack.name()).join("journal.jsonl");
    let lines = || std::fs::read_to_string(&journal).expect("the journal").lines().count();
    let before = lines();
    stack.deploy(&turned).exits(0);
    assert_eq!(lines(), before);
    // Going back brings the former order, and the run after that is the first one again.
    stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
    assert!(going("models.bucket.one").contains("it depends on models.bucket.one"));
    assert!(lines() > before);
}
