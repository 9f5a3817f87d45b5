//! A deploy that is killed, or whose answers are lost, at every kind of moment: the next run (or the same) heals it.

use std::path::Path;

use testkit::cli::{TestAccount, whole};
use testkit::kill::{KillBed, KilledVerb, Moment, Point, Struck};
use testkit::local_aws;
use testkit::matrix::Matrix;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

/// Some of them, spread over the run.
fn sample(points: &[Point], wanted: impl Fn(&Point) -> bool, count: usize) -> Vec<Point> {
    let points: Vec<&Point> = points.iter().filter(|point| wanted(point)).collect();
    (0..count).map(|number| points[number * (points.len() - 1) / (count - 1).max(1)].clone()).collect()
}

#[track_caller]
fn heals(struck: &Struck, verb: KilledVerb, what: &str) {
    assert!(struck.reached, "{}: {what}: the call did not come", verb.title());
    assert_eq!(struck.wrong, None, "{}: {what}", verb.title());
}

/// Kills at some points of a command and of the one that takes it back.
fn some_points(there: KilledVerb, back: KilledVerb, count: usize) {
    let mut ground = KillBed::new();
    if there == KilledVerb::Change {
        ground.run(KilledVerb::Create).exits(0);
    }
    let points = (ground.points(there), ground.points(back));
    let changes = |point: &Point| point.moment != Moment::Reading;
    for (number, (one, other)) in
        sample(&points.0, changes, count).into_iter().zip(sample(&points.1, changes, count)).enumerate()
    {
        let flip = |point: Point| {
            let moment = if number % 2 == 0 { Moment::After } else { Moment::Before };
            Point { moment, ..point }
        };
        for (verb, point) in [(there, flip(one)), (back, flip(other))] {
            heals(&ground.strike(verb, &point), verb, &point.to_string());
        }
    }
}

#[test]
fn create_and_destroy_killed() {
    some_points(KilledVerb::Create, KilledVerb::Destroy, 4);
}

#[test]
fn change_and_rollback_killed() {
    some_points(KilledVerb::Change, KilledVerb::Rollback, 4);
}

#[test]
fn killed_while_it_reads() {
    let mut ground = KillBed::new();
    let reads = |point: &Point| point.moment == Moment::Reading;
    for verb in KilledVerb::ALL {
        let calls = ground.points(verb);
        ground.prepare(verb).exits(0);
        let point = sample(&calls, reads, 3)[1].clone();
        heals(&ground.strike(verb, &point), verb, &point.to_string());
    }
}

#[test]
fn killed_again_in_the_run_that_heals() {
    let mut ground = KillBed::new();
    for (verb, first, second) in [(KilledVerb::Create, 14, 9), (KilledVerb::Destroy, 5, 4)] {
        assert!(ground.kill_at_change(verb, first, ProxyAction::HoldAfter), "{}: the first kill", verb.title());
        assert!(ground.kill_at_change(verb, second, ProxyAction::HoldBefore), "{}: the second kill", verb.title());
        assert!(ground.kill_at_change(verb, 1, ProxyAction::HoldAfter), "{}: the third kill", verb.title());
        heals(&ground.heal(verb), verb, "killed three times in a row");
    }
}

/// Every point of every command, in its hundreds, written down in docs/reliability.md: `make prove`.
#[test]
#[ignore = "the whole matrix: many minutes"]
fn killed_everywhere() {
    let matrix = Matrix::run();
    matrix.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md"));
    assert_eq!(matrix.wrong(), Vec::<String>::new(), "every point heals");
}

/// Loses the answer of the first call of this name; the run itself heals it.
fn answer_lost(operation: &'static str) {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(move |call| call.operation == operation, CallSelector::Nth(1), ProxyAction::DropAfter);
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
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(5), ProxyAction::DropBefore);
    proxy.on(
        |call| call.operation == "UpdateDistribution" || call.operation == "CreateDistribution",
        CallSelector::Nth(1),
        ProxyAction::Answer(
            503,
            "<ErrorResponse><Error><Code>ServiceUnavailable</Code><Message>later</Message></Error></ErrorResponse>"
                .to_owned(),
        ),
    );
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole());
}
