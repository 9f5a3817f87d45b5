//! A deploy that is killed, or whose answers are lost, at every kind of moment: the next run (or the same) heals it.

mod support;

use std::time::Duration;

use support::cli::{Account, whole};
use support::local_aws;
use support::proxy::{Act, Call, Proxy, Which, wait};

/// More than enough for a call to come.
const SOON: Duration = Duration::from_secs(30);

/// Number of calls of a first deploy that change something.
fn mutating_calls() -> usize {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    account.run("deploy --yes").exits(0);
    proxy.take_mutating().len()
}

/// Kills a first deploy at its `at`-th changing call, before or after it took effect, and runs it again.
fn killed_at(at: usize, act: Act) {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    proxy.on(Call::mutates, Which::Nth(at), act.clone());
    let mut child = account.start("deploy --yes");
    let held = proxy.held_within(SOON);
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    let last = proxy.take_mutating().pop();
    let moment = format!("killed at call {at} ({act:?}) {}", last.map_or_else(String::new, |call| call.operation));
    assert!(held, "{moment}: no call was held");
    proxy.reset();
    let output = account.run("deploy --yes");
    assert_eq!(output.code, 0, "{moment}\n{}", output.all());
    assert_eq!(account.inventory(), whole(), "{moment}");
    proxy.reset();
    account.run("deploy --yes").exits(0);
    let again = proxy.take_mutating();
    assert!(again.is_empty(), "{moment}: a third run has nothing to do: {again:?}");
    let state = account.run("status").exits(0);
    assert!(!state.stdout.contains("unanswered"), "{moment}\n{}", state.stdout);
}

/// Kills at these points, half of them before the call and half after it took effect.
fn killed_at_points(points: impl IntoIterator<Item = usize>) {
    for (number, at) in points.into_iter().enumerate() {
        killed_at(at, if number % 2 == 0 { Act::HoldAfter } else { Act::HoldBefore });
    }
}

#[test]
fn killed_early() {
    killed_at_points([1, 6, 12, 19]);
}

#[test]
fn killed_late() {
    let all = mutating_calls();
    killed_at_points([all / 2, all * 2 / 3, all - 3, all]);
}

#[test]
#[ignore = "every point, before and after: minutes"]
fn killed_everywhere() {
    for at in 1..=mutating_calls() {
        killed_at(at, Act::HoldBefore);
        killed_at(at, Act::HoldAfter);
    }
}

/// Loses the answer of the first call of this name; the run itself heals it.
fn answer_lost(operation: &'static str) {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    proxy.on(move |call| call.operation == operation, Which::Nth(1), Act::DropAfter);
    let output = account.run("deploy --yes");
    assert!(proxy.take_calls().iter().any(|call| call.operation == operation), "{operation} was called");
    assert_eq!(output.code, 0, "the answer of {operation} was lost\n{}", output.all());
    assert_eq!(account.inventory(), whole(), "the answer of {operation} was lost");
    proxy.reset();
    account.run("deploy --yes").exits(0);
    assert!(proxy.take_mutating().is_empty(), "the answer of {operation} was lost: nothing is left to do");
    if operation == "CreateFunction" {
        let lambda = aws_sdk_lambda::Client::new(&account.sdk);
        let name = format!("t{}-edge-gateway", account.number);
        let versions = wait(lambda.list_versions_by_function().function_name(name).send()).expect("versions");
        assert_eq!(versions.versions().len(), 2, "$LATEST and one number");
    }
}

macro_rules! lost {
    ($($test:ident: $operation:literal;)*) => {$(
        #[test]
        fn $test() {
            answer_lost($operation);
        }
    )*};
}

lost! {
    lost_distribution: "CreateDistribution";
    lost_zone: "CreateHostedZone";
    lost_health_check: "CreateHealthCheck";
    lost_certificate: "RequestCertificate";
    lost_function: "CreateFunction";
    lost_version: "PublishVersion";
    lost_bucket: "CreateBucket";
    lost_role: "CreateRole";
    lost_records: "ChangeResourceRecordSets";
}

#[test]
fn a_connection_that_ends_before_the_call() {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    proxy.on(Call::mutates, Which::Nth(5), Act::DropBefore);
    proxy.on(
        |call| call.operation == "UpdateDistribution" || call.operation == "CreateDistribution",
        Which::Nth(1),
        Act::Answer(
            503,
            "<ErrorResponse><Error><Code>ServiceUnavailable</Code><Message>later</Message></Error></ErrorResponse>"
                .to_owned(),
        ),
    );
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole());
}

/// A destroy that is killed goes on, too.
#[test]
fn destroy_killed() {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    account.run("deploy --yes").exits(0);
    proxy.reset();
    for (at, act) in [(4, Act::HoldAfter), (6, Act::HoldBefore)] {
        proxy.on(Call::mutates, Which::Nth(at), act);
        let mut child = account.start("destroy --empty-buckets --yes");
        let held = proxy.held_within(SOON);
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        assert!(held, "a call was held");
        proxy.reset();
    }
    account.run("destroy --empty-buckets --yes").exits(0);
    assert_eq!(account.inventory(), support::cli::nothing());
}
