//! `status`: what is there, without a call; with `--drift`, what differs.

use testkit::cli::{STACK, TestAccount, finish};
use testkit::local_aws;
use testkit::proxy::FaultProxy;

#[test]
fn tells_what_is_there_without_a_call() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    let before = account.run("status").exits(0);
    assert!(before.stdout.contains("nothing was deployed yet"), "{}", before.stdout);
    assert!(proxy.take_calls().is_empty(), "no call");
    account.run("deploy --yes").exits(0);
    account.run("status --drift").exits(0);
    proxy.reset();

    let status = account.run("status").exits(0);
    for words in ["revision 1, ", "cdn.distribution.main", "by tester@", "step cutover"] {
        assert!(status.stdout.contains(words), "{words}: {}", status.stdout);
    }
    let document = account.run_bare(&format!("status --stack {STACK} --json")).exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/status/v1");
    assert_eq!(document["stack"], STACK);
    assert!(proxy.take_calls().is_empty(), "no call");

    // The plan in the environment and another stack by name: the name wins.
    let named = finish(account.command(&format!("status --stack {STACK}")).env("AKIDB_EDGE_PLAN", "week13"));
    assert_eq!(named.code, 0, "{}", named.all());
    account.run_bare("status").exits(3);
}
