//! A store that does not support conditional writes is refused before anything is done.

use std::sync::Arc;

use akidb_edge::ledger::{Ledger, LedgerError};
use akidb_edge::provider::aws::journal_store;

use super::ground::{Ground, HERE, STACK, mine, runs};
use testkit::proxy::{CallSelector, ProxyAction, ProxyCall, wait};

fn puts(call: &ProxyCall) -> bool {
    call.method == "PUT" && call.service == "s3"
}

#[test]
fn a_store_that_ignores_a_condition_is_refused_when_the_lease_is_taken() {
    let ignored: [(&'static [&'static str], &str); 3] = [
        (&["if-none-match"], "If-None-Match"),
        (&["if-match"], "If-Match"),
        (&["if-none-match", "if-match"], "If-None-Match"),
    ];
    for (headers, named) in ignored {
        let ground = Ground::new();
        ground.proxy.on(puts, CallSelector::Each, ProxyAction::Without(headers));
        for _ in 0..2 {
            match wait(ground.write()).map(drop) {
                Err(LedgerError::Unconditional { header, .. }) => assert_eq!(header, named),
                other => panic!("{headers:?}: {other:?}"),
            }
        }
        let keys: Vec<String> = wait(ground.keys()).into_iter().collect();
        assert_eq!(keys, ["lease.json"], "nothing else was written");
        assert!(wait(ground.direct().lease()).expect("readable").is_none(), "the lease was given back");
        ground.proxy.reset();
        wait(runs(&ground, 1));
    }
}

#[test]
fn the_refusal_says_what_to_do_and_nothing_is_changed() {
    let ground = Ground::new();
    let plan = format!(
        "version: 1\nstack: {STACK}\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: d\n  steps:\n  - {{id: models, title: m, \
         kind: models, with: {{buckets: {{a: {{name: demo-{}, region: us-east-1}}}}}}}}\n",
        ground.account.number
    );
    std::fs::write(ground.account.path("plan.yaml"), plan).expect("a file");
    ground.proxy.on(puts, CallSelector::Each, ProxyAction::Without(&["if-none-match", "if-match"]));
    let refused = ground.run("deploy --plan plan.yaml --yes").exits(1);
    assert!(refused.stderr.contains("does not support conditional writes (If-None-Match)"), "{}", refused.stderr);
    assert!(refused.stderr.contains("state pull"), "{}", refused.stderr);
    let outside = |call: &ProxyCall| call.mutates() && !call.path.starts_with(&format!("/{}", ground.bucket));
    assert!(!ground.proxy.take_calls().iter().any(outside), "no call changed anything");
}

#[test]
fn a_store_that_says_not_implemented_is_refused_too() {
    let ground = Ground::new();
    let body = "<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not \
                implemented</Message></Error>";
    ground.proxy.on(puts, CallSelector::Each, ProxyAction::Answer(501, body.to_owned()));
    let refused = wait(ground.write()).map(drop).expect_err("refused");
    assert!(matches!(refused, LedgerError::Unconditional { .. }), "{refused}");
}

#[test]
fn the_doctor_asks_before_the_first_run_and_leaves_nothing() {
    let ground = Ground::new();
    let ignored: [(&'static [&'static str], &str); 2] =
        [(&["if-none-match"], "(If-None-Match)"), (&["if-match"], "(If-Match)")];
    for (headers, named) in ignored {
        ground.proxy.on(puts, CallSelector::Each, ProxyAction::Without(headers));
        let said = ground.run(&format!("doctor --stack {STACK}")).exits(1).stdout;
        assert!(said.contains(&format!("does not support conditional writes {named}")), "{said}");
        ground.proxy.reset();
    }
    let said = ground.run(&format!("doctor --stack {STACK}")).exits(0).stdout;
    assert!(said.contains("the bucket refuses a write whose condition does not hold"), "{said}");
    assert!(wait(ground.keys()).is_empty(), "its object is deleted again");
    // What a run has found out is not asked again.
    let plan = format!("version: 1\nstack: {STACK}\nmetadata: {{name: small, title: Small}}\ndays: []\n");
    std::fs::write(ground.account.path("plan.yaml"), plan).expect("a file");
    ground.run("deploy --plan plan.yaml --yes").exits(0);
    ground.proxy.take_calls();
    ground.run(&format!("doctor --stack {STACK}")).exits(0);
    assert_eq!(ground.proxy.take_calls().into_iter().filter(puts).count(), 0);
}

#[test]
fn a_store_is_asked_once_for_each_way_to_it() {
    let ground = Ground::new();
    let puts_of_a_run = |endpoint: &str| {
        ground.proxy.take_calls();
        let store = journal_store(&ground.client(), &ground.bucket, "edge", STACK, HERE).through(endpoint);
        wait(wait(Ledger::write(Arc::new(store), STACK, mine())).expect("open").close()).expect("closed");
        ground.proxy.take_calls().into_iter().filter(puts).count()
    };
    assert_eq!(puts_of_a_run("AWS"), 4, "taken, asked twice, given back");
    assert_eq!(puts_of_a_run("AWS"), 2, "taken, given back");
    assert_eq!(puts_of_a_run("https://gateway.example"), 4, "another way");
    assert_eq!(puts_of_a_run("https://gateway.example"), 2);
}

#[test]
fn the_lease_is_never_deleted() {
    let ground = Ground::new();
    wait(runs(&ground, 2));
    ground.run(&format!("state unlock --yes --stack {STACK}")).exits(0);
    let deleted = |call: &ProxyCall| call.method == "DELETE";
    assert!(!ground.proxy.take_calls().iter().any(deleted), "not every store makes a deletion conditional");
}
