//! The engine over a world that fails at every place in turn: unwound, run again, nothing made twice, nothing stuck.

use std::sync::Arc;

use crate::fake_world::{End, HOST, Hook, Op, Process, Recorder, World, began, look, mortal_lease, options};
use akidb_edge_engine::change::{DiffScope, diff};
use akidb_edge_engine::execute::{self, RunContext};
use akidb_edge_engine::ledger::{FileStore, Ledger, Store};
use akidb_edge_engine::resource::{
    Address, Desired, Event, FaultClass, Kind, Level, Resource, ResourceStatus, SilentListener, link,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

fn at(text: &str) -> Address {
    text.parse().expect("an address")
}

fn of(address: &str, spec: Value) -> Resource {
    let word = address.split('.').nth(1).expect("a kind");
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word).expect("a kind");
    Resource::new(at(address), kind, &spec)
}

const BUCKET: &str = "models.bucket.primary";
const ROLE: &str = "edge.role.gateway";
const FUNCTION: &str = "edge.function.gateway";
const VERSION: &str = "edge.function-version.gateway";
const ZONE: &str = "cdn.zone.main";
const CERTIFICATE: &str = "cdn.certificate.main";
const VALIDATION: &str = "cdn.records.validation";
const DISTRIBUTION: &str = "cdn.distribution.main";
const HEALTH: &str = "routing.health-check.main";
const NAMES: &str = "routing.records.main";
const ALL: [&str; 10] = [BUCKET, ROLE, FUNCTION, VERSION, ZONE, CERTIFICATE, VALIDATION, DISTRIBUTION, HEALTH, NAMES];

/// The settings of a deployment; each number that is raised changes something in another way.
#[derive(Clone, Copy, Default)]
struct Plan {
    /// Changes most in place; the function version is replaced.
    code: u32,
    /// Replaces the health check and the certificate: new first.
    check: u32,
    /// Renames bucket and role.
    name: u32,
}

fn graph(plan: Plan) -> Desired {
    let mut all = Desired::new("fake");
    let reference = |address: &str, attribute: &str| link(&at(address), attribute);
    let Plan { code, check, name } = plan;
    all.add(of(
        BUCKET,
        json!({"name": format!("models-{name}"), "region": "eu-central-1", "tags": {"v": code.to_string()}}),
    ));
    all.add(of(
        ROLE,
        json!({"name": format!("role-{name}"), "description": format!("reads {}", reference(BUCKET, "arn"))}),
    ));
    all.add(of(
        FUNCTION,
        json!({"name": "gateway", "region": "us-east-1", "code": code, "role_arn": reference(ROLE, "arn")}),
    ));
    let version =
        json!({"function": "gateway", "region": "us-east-1", "code_sha256": code.to_string(), "settings": "s"});
    all.add(of(VERSION, version).needing(at(FUNCTION), Level::Usable));
    all.add(of(ZONE, json!({"name": "example.com", "comment": "c"})));
    all.add(of(
        CERTIFICATE,
        json!({"region": "us-east-1", "domain": "example.com", "alternative_names": [format!("n{check}.example.com")]}),
    ));
    let validation = json!([{"name": "v", "values": [reference(CERTIFICATE, "validation")]}]);
    all.add(of(VALIDATION, json!({"zone_id": reference(ZONE, "id"), "sets": validation})));
    let distribution = json!({
        "comment": format!("code {code}"), "enabled": true, "price_class": "PriceClass_100",
        "certificate": {"acm_arn": reference(CERTIFICATE, "arn")},
        "origins": [{"id": "s3", "domain_name": reference(BUCKET, "domain_name")}],
        "default_behaviour": {"target": "s3", "functions": [{"function_arn": reference(VERSION, "arn")}]},
    });
    all.add(of(DISTRIBUTION, distribution).needing(at(CERTIFICATE), Level::Propagated));
    let health = json!({"name": "h", "protocol": "HTTPS", "host": reference(DISTRIBUTION, "domain_name"), "interval_seconds": 10 + check});
    all.add(of(HEALTH, health));
    let sets = json!([{"name": "www", "values": [reference(DISTRIBUTION, "domain_name")], "health_check_id": reference(HEALTH, "id"), "weight": code}]);
    all.add(
        of(NAMES, json!({"zone_id": reference(ZONE, "id"), "sets": sets})).needing(at(DISTRIBUTION), Level::Propagated),
    );
    all
}

/// A journal and a world.
struct Place {
    directory: TempDir,
    world: World,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory"), world: World::default() }
    }

    fn process(&self) -> Process<'_> {
        Process::new(self.directory.path(), &self.world)
    }

    async fn deployed(desired: &Desired) -> Self {
        let place = Self::new();
        place.process().run(desired).await.complete("the first deploy");
        place
    }

    /// Exactly one of each, the journal knows them, and there is nothing to do any more.
    async fn converged(&self, desired: &Desired, note: &str) {
        let things = self.world.things();
        for address in desired.resources.keys() {
            let here: Vec<_> = things.iter().filter(|thing| thing.address == *address).collect();
            assert_eq!(here.len(), 1, "{note}: {address}: {here:#?}");
        }
        assert_eq!(things.len(), desired.resources.len(), "{note}: {things:#?}");
        let recorded = self.process().recorded().await;
        assert!(recorded.pending_deletions.is_empty(), "{note}: {:#?}", recorded.pending_deletions);
        for (address, record) in &recorded.resources {
            assert_eq!(record.standing, ResourceStatus::Present, "{note}: {address}");
            let thing = things.iter().find(|thing| thing.address == *address);
            assert_eq!(record.id.as_ref(), thing.map(|thing| &thing.id), "{note}: {address}");
        }
        assert_eq!(recorded.resources.len(), desired.resources.len(), "{note}");
        self.world.take_calls();
        let changes = self.process().run(desired).await.complete(note);
        assert!(changes.is_empty(), "{note}: {:#?}", changes.acting().collect::<Vec<_>>());
        let calls = self.world.take_changes();
        assert!(calls.is_empty(), "{note}: {calls:?}");
    }
}

const FAILURES: [Hook; 8] = [
    Hook::Fail(FaultClass::Retry),
    Hook::Fail(FaultClass::Refused),
    Hook::Fail(FaultClass::Exists),
    Hook::Fail(FaultClass::Stale),
    Hook::Fail(FaultClass::Internal),
    Hook::LoseAnswer,
    Hook::KillBefore,
    Hook::KillAfter,
];

/// From `before` to `after`, with every failure of `op` at every address in turn.
async fn every_failure(op: Op, before: Option<Plan>, after: Option<Plan>) {
    let wanted = after.map_or_else(|| Desired::new("fake"), graph);
    let mut met = 0;
    for address in ALL {
        for hook in FAILURES {
            let note = format!("{op:?} of {address}: {hook:?}");
            let place = match before {
                Some(before) => Place::deployed(&graph(before)).await,
                None => Place::new(),
            };
            place.world.hook(op, address, 0, hook.clone());
            let first = place.process().run(&wanted).await;
            match (&first, &hook) {
                (End::Killed, Hook::KillBefore | Hook::KillAfter) => met += 1,
                (End::Ran(..), Hook::KillBefore | Hook::KillAfter) => {}
                (End::Ran(outcome, _), _) => met += usize::from(!outcome.failed.is_empty()),
                (other, _) => panic!("{note}: {other:?}"),
            }
            place.world.clear_hooks();
            place.process().run(&wanted).await.complete(&note);
            place.converged(&wanted, &note).await;
        }
    }
    assert!(met > 0, "some failure of {op:?} was met");
}

#[tokio::test(start_paused = true)]
async fn every_create_may_fail() {
    every_failure(Op::Create, None, Some(Plan::default())).await;
}

#[tokio::test(start_paused = true)]
async fn every_update_may_fail() {
    every_failure(Op::Update, Some(Plan::default()), Some(Plan { code: 1, ..Plan::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn every_create_of_a_replacement_may_fail() {
    every_failure(Op::Create, Some(Plan::default()), Some(Plan { code: 1, check: 1, ..Plan::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn every_delete_of_a_replacement_may_fail() {
    every_failure(Op::Delete, Some(Plan::default()), Some(Plan { code: 1, check: 1, ..Plan::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn renaming_may_fail_at_the_delete() {
    every_failure(Op::Delete, Some(Plan::default()), Some(Plan { name: 1, ..Plan::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn renaming_may_fail_at_the_create() {
    every_failure(Op::Create, Some(Plan::default()), Some(Plan { name: 1, ..Plan::default() })).await;
}

#[tokio::test(start_paused = true)]
async fn every_delete_may_fail() {
    every_failure(Op::Delete, Some(Plan::default()), None).await;
}

#[tokio::test(start_paused = true)]
async fn killed_while_it_waits() {
    for address in ALL {
        for nth in 0..3 {
            let place = Place::new();
            place.world.hook(Op::Settle, address, nth, Hook::KillBefore);
            place.process().run(&graph(Plan::default())).await;
            place.world.clear_hooks();
            let note = format!("look {nth} at {address}");
            place.process().run(&graph(Plan::default())).await.complete(&note);
            place.converged(&graph(Plan::default()), &note).await;
        }
    }
}

/// The process dies at every write of the journal in turn, just before it is on disk or just after.
async fn dies_at_every_write(before: Option<Plan>, after: Option<Plan>) {
    let wanted = after.map_or_else(|| Desired::new("fake"), graph);
    for on_disk in [false, true] {
        for write in 0.. {
            let note = format!("write {write}, on disk: {on_disk}");
            let place = match before {
                Some(before) => Place::deployed(&graph(before)).await,
                None => Place::new(),
            };
            let mut process = place.process();
            process.options = options(1);
            process.dies_at = Some((write, on_disk));
            let died = matches!(process.run(&wanted).await, End::Killed);
            place.process().run(&wanted).await.complete(&note);
            place.converged(&wanted, &note).await;
            if !died {
                assert!(write > 10, "a run writes more than {write} times");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deploy_dies_at_every_write() {
    dies_at_every_write(None, Some(Plan::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_dies_at_every_write() {
    dies_at_every_write(Some(Plan::default()), Some(Plan { code: 1, check: 1, name: 0 })).await;
}

#[tokio::test(start_paused = true)]
async fn a_renaming_dies_at_every_write() {
    dies_at_every_write(Some(Plan::default()), Some(Plan { code: 0, check: 0, name: 1 })).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_dies_at_every_write() {
    dies_at_every_write(Some(Plan::default()), None).await;
}

#[tokio::test(start_paused = true)]
async fn what_takes_its_time_is_waited_for() {
    let place = Place::new();
    for address in ALL {
        place.world.hook(Op::Create, address, 0, Hook::Late(4));
    }
    let wanted = graph(Plan::default());
    place.process().run(&wanted).await.complete("late");
    place.converged(&wanted, "late").await;
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_before_its_needs_and_never_too_many_at_once() {
    for at_once in [1, 2, 3] {
        let place = Place::new();
        let recorder = Recorder::default();
        let mut process = place.process();
        process.options = options(at_once);
        process.listener = &recorder;
        let wanted = graph(Plan::default());
        process.run(&wanted).await.complete("in order");
        assert!(place.world.most_at_once() <= at_once, "{} > {at_once}", place.world.most_at_once());
        let events = recorder.0.lock().expect("events");
        let when = |begins: bool, wanted: &Address| {
            events.iter().position(|event| match event {
                Event::Started { address, .. } => begins && address == wanted,
                Event::Finished { address, .. } => !begins && address == wanted,
                _ => false,
            })
        };
        for resource in wanted.resources.values() {
            for need in resource.needs.keys() {
                assert!(when(false, need) < when(true, &resource.address), "{} before {need}", resource.address);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_failed_thing_is_skipped_and_says_why() {
    let place = Place::new();
    place.world.hook(Op::Create, FUNCTION, 0, Hook::Fail(FaultClass::Refused));
    let outcome = place.process().run(&graph(Plan::default())).await.outcome();
    let failed: Vec<_> = outcome.failed.iter().map(|(address, _)| address.as_str()).collect();
    assert_eq!(failed, [FUNCTION]);
    let skipped: Vec<_> =
        outcome.skipped.iter().map(|(address, reason)| format!("{address}: {}", reason.line())).collect();
    assert_eq!(
        skipped,
        [
            format!("{DISTRIBUTION}: it needs {VERSION}"),
            format!("{VERSION}: it needs {FUNCTION}"),
            format!("{HEALTH}: it needs {DISTRIBUTION}"),
            format!("{NAMES}: it needs {DISTRIBUTION}"),
        ]
    );
    let mut done: Vec<_> = outcome.done.iter().map(|done| done.address.as_str()).collect();
    done.sort_unstable();
    let mut independent = [BUCKET, ROLE, ZONE, CERTIFICATE, VALIDATION];
    independent.sort_unstable();
    assert_eq!(done, independent);
}

#[tokio::test(start_paused = true)]
async fn asked_to_stop_it_ends_what_runs_and_begins_nothing() {
    let place = Place::new();
    place.world.hook(Op::Create, ROLE, 0, Hook::Hold);
    let (stop, stopped) = watch::channel(false);
    let recorder = Recorder::default();
    let mut process = place.process();
    process.stop = Some(stopped);
    process.listener = &recorder;
    let wanted = graph(Plan::default());
    let asking = async {
        place.world.held.notified().await;
        stop.send(true).expect("somebody listens");
        while !recorder.0.lock().expect("events").iter().any(|event| matches!(event, Event::Stopping)) {
            tokio::task::yield_now().await;
        }
        let begun = place.world.take_changes().len();
        place.world.go_on.notify_one();
        begun
    };
    let (end, _) = tokio::join!(process.run(&wanted), asking);
    let outcome = end.outcome();
    assert!(outcome.stopped);
    assert!(outcome.failed.iter().all(|(_, fault)| fault.code == "Stopped"), "{:#?}", outcome.failed);
    assert!(outcome.done.iter().any(|done| done.address == at(ROLE)), "what was running came to its end");
    assert!(place.world.take_changes().is_empty(), "nothing new was begun");
    assert!(
        outcome.skipped.iter().any(|(address, reason)| *address == at(FUNCTION) && reason == "the run was stopped")
    );
    place.process().run(&wanted).await.complete("goes on");
    place.converged(&wanted, "goes on").await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_made_taken_into_use_and_then_the_old_one_goes() {
    let place = Place::deployed(&graph(Plan::default())).await;
    place.world.take_calls();
    let wanted = graph(Plan { code: 1, ..Plan::default() });
    place.process().run(&wanted).await.complete("replaced");
    let calls = place.world.take_changes();
    let when = |op: Op, address: &str| calls.iter().position(|call| call.op == op && call.address == at(address));
    let order = [when(Op::Create, VERSION), when(Op::Update, DISTRIBUTION), when(Op::Delete, VERSION)];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}: {calls:?}");
    place.converged(&wanted, "replaced").await;
}

#[tokio::test(start_paused = true)]
async fn a_renamed_thing_is_made_before_the_old_one_goes() {
    let place = Place::deployed(&graph(Plan::default())).await;
    place.world.take_calls();
    let wanted = graph(Plan { name: 1, ..Plan::default() });
    place.process().run(&wanted).await.complete("replaced");
    let calls = place.world.take_changes();
    let when = |op: Op, address: &str| calls.iter().position(|call| call.op == op && call.address == at(address));
    let order = [when(Op::Create, BUCKET), when(Op::Update, DISTRIBUTION), when(Op::Delete, BUCKET)];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}: {calls:?}");
    place.converged(&wanted, "replaced").await;
}

#[tokio::test(start_paused = true)]
async fn what_stays_because_its_replacement_failed_does_not_need_itself() {
    let named = |name: &str| {
        let mut wanted = Desired::new("fake");
        wanted.add(of(ROLE, json!({"name": name, "description": "d"})));
        wanted
    };
    let place = Place::deployed(&named("before")).await;
    place.world.hook(Op::Create, ROLE, 0, Hook::Fail(FaultClass::Refused));
    let outcome = place.process().run(&named("after")).await.outcome();
    assert_eq!(outcome.failed.len(), 1, "{outcome:#?}");
    let why = outcome.skipped.iter().find(|(address, _)| *address == at(ROLE)).map(|(_, why)| why.line());
    assert_eq!(why.as_deref(), Some("its replacement was not created"));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_put_off_is_tried_by_later_runs() {
    let place = Place::deployed(&graph(Plan::default())).await;
    let wanted = graph(Plan { code: 1, ..Plan::default() });
    place.world.hook(Op::Delete, VERSION, 0, Hook::Defer(2));
    let outcome = place.process().run(&wanted).await.outcome();
    assert!(outcome.is_complete() && outcome.deferred.len() == 1, "{outcome:#?}");
    let left = place.process().recorded().await.pending_deletions;
    assert_eq!(left.len(), 1);
    let outcome = place.process().run(&wanted).await.outcome();
    assert_eq!(outcome.deferred.len(), 1, "{outcome:#?}");
    place.process().run(&wanted).await.complete("cleared");
    place.converged(&wanted, "cleared").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_set_aside_and_is_wanted_again_stays() {
    let before = graph(Plan::default());
    let place = Place::deployed(&before).await;
    let old = place.world.things().into_iter().find(|thing| thing.address == at(VERSION)).expect("the version").id;
    place.world.hook(Op::Delete, VERSION, 0, Hook::Defer(1));
    place.process().run(&graph(Plan { code: 1, ..Plan::default() })).await.outcome();
    // The service knows the same code again and answers with the version that was to go.
    place.process().run(&before).await.complete("back");
    place.process().run(&before).await.complete("back again");
    let now = place.world.things().into_iter().find(|thing| thing.address == at(VERSION)).expect("the version").id;
    assert_eq!(now, old, "the version that is in use was not deleted");
    place.converged(&before, "back").await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_deleted_is_made_anew() {
    for address in ALL {
        let place = Place::deployed(&graph(Plan::default())).await;
        place.world.meddle(|things| things.retain(|thing| thing.address != at(address)));
        let note = format!("{address} was deleted by somebody else");
        place.process().run(&graph(Plan::default())).await.complete(&note);
        place.converged(&graph(Plan::default()), &note).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_lease_it_makes_no_further_call() {
    use akidb_edge_engine::ledger::{Lease, LedgerError, Store};
    let place = Place::new();
    place.world.hook(Op::Create, BUCKET, 0, Hook::Hold);
    let mut process = place.process();
    process.options = options(1);
    let store = process.file_store();
    let wanted = graph(Plan::default());
    let taking = async {
        place.world.held.notified().await;
        place.world.take_calls();
        store.break_lease().await.expect("broken");
        store.acquire(&Lease::new("other", "there", "deploy")).await.expect("taken by somebody else");
        place.world.go_on.notify_one();
    };
    let (end, ()) = tokio::join!(process.run(&wanted), taking);
    assert!(matches!(end, End::Broken(LedgerError::LeaseLost(_))), "{end:?}");
    let calls = place.world.take_changes();
    assert!(calls.is_empty(), "{calls:?}");
    let held = store.lease().await.expect("readable").expect("a lease");
    assert_eq!(held.user, "other", "the new holder's lease was left alone");
}

#[tokio::test(start_paused = true)]
async fn the_account_is_filled_in() {
    let place = Place::new();
    let mut wanted = Desired::new("fake");
    wanted.add(of(ROLE, json!({"name": "r", "description": "of ${#account}"})));
    place.process().run(&wanted).await.complete("the account");
    assert_eq!(place.world.things()[0].spec["description"], "of 123456789012");
    place.converged(&wanted, "the account").await;
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_more_is_begun() {
    let place = Place::new();
    place.world.hook(Op::Create, CERTIFICATE, 0, Hook::Fail(FaultClass::Credentials));
    let mut process = place.process();
    process.options = options(1);
    let outcome = process.run(&graph(Plan::default())).await.outcome();
    let failed: Vec<_> = outcome.failed.iter().map(|(address, _)| address.as_str()).collect();
    assert_eq!((failed, outcome.done.len(), outcome.skipped.len()), (vec![CERTIFICATE], 0, ALL.len() - 1));
    let calls = place.world.take_changes();
    assert_eq!(calls.len(), 1, "{calls:?}");
    let why = |of: &str| outcome.skipped.iter().find(|(address, _)| *address == at(of)).map(|(_, why)| why.line());
    assert_eq!(why(BUCKET).as_deref(), Some("the run ended before it"));
    assert_eq!(why(ROLE).as_deref(), Some("it needs models.bucket.primary"));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_taken_effect_stays_open_in_the_journal() {
    for (class, open) in [
        (FaultClass::Away, true),
        (FaultClass::Internal, true),
        (FaultClass::Refused, false),
        (FaultClass::Exists, false),
        (FaultClass::Missing, false),
    ] {
        let place = Place::new();
        place.world.hook(Op::Create, BUCKET, 0, Hook::Fail(class));
        let outcome = place.process().run(&graph(Plan::default())).await.outcome();
        assert_eq!(outcome.failed.len(), 1, "{class:?}: {outcome:#?}");
        let standing = place.process().recorded().await.resources.get(&at(BUCKET)).map(|record| record.standing);
        assert_eq!(standing, open.then_some(ResourceStatus::Creating), "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_far_as_it_is_told() {
    let mut looks = Vec::new();
    for wait in [Level::Accepted, Level::Usable, Level::Propagated] {
        let place = Place::new();
        let mut process = place.process();
        process.options.wait = wait;
        process.run(&graph(Plan::default())).await.complete("waited");
        let calls = place.world.take_calls();
        let of =
            |address: &str| calls.iter().filter(|call| call.op == Op::Settle && call.address == at(address)).count();
        looks.push((of(BUCKET), of(NAMES)));
    }
    // The role needs the bucket; nothing needs the names.
    assert_eq!(looks, [(1, 0), (1, 1), (2, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_step_says_how_long_its_kind_takes() {
    let place = Place::new();
    let recorder = Recorder::default();
    let mut process = place.process();
    process.listener = &recorder;
    process.run(&graph(Plan::default())).await.complete("told");
    let events = recorder.0.lock().expect("events");
    for (of, kind) in [(ROLE, Kind::Role), (DISTRIBUTION, Kind::Distribution)] {
        let told = events.iter().find_map(|event| match event {
            Event::Started { address, usual_seconds, .. } if *address == at(of) => Some(*usual_seconds),
            _ => None,
        });
        assert_eq!(told, Some(kind.facts().usual_seconds.0), "{of}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_before_another_try_ends_when_it_is_asked_to_stop() {
    let place = Place::new();
    place.world.hook(Op::Create, BUCKET, 0, Hook::Fail(FaultClass::Retry));
    let (stop, stopped) = watch::channel(false);
    let recorder = Recorder::default();
    let mut process = place.process();
    process.stop = Some(stopped);
    process.listener = &recorder;
    let wanted = graph(Plan::default());
    let asking = async {
        while !recorder.0.lock().expect("events").iter().any(|event| matches!(event, Event::Retrying { .. })) {
            tokio::task::yield_now().await;
        }
        stop.send(true).expect("somebody listens");
    };
    let (end, ()) = tokio::join!(process.run(&wanted), asking);
    let outcome = end.outcome();
    let why = "the run was stopped while it was tried again after Injected".into();
    assert!(outcome.stopped && outcome.failed.is_empty(), "{outcome:#?}");
    assert!(outcome.skipped.contains(&(at(BUCKET), why)), "{:#?}", outcome.skipped);
    place.process().run(&wanted).await.complete("goes on");
    place.converged(&wanted, "goes on").await;
}

const FILE: &str = "jetson.file.a-x";

/// A bucket, and a file on a device that names it: each in a stack of its own.
fn over_two_stacks() -> Desired {
    let mut desired = Desired::new("fake");
    desired.devices = Some("fake-devices".to_owned());
    desired.add(of(BUCKET, json!({"name": "b", "region": "us-east-1"})));
    let text = format!("bucket {}", link(&at(BUCKET), "arn"));
    desired.add(of(FILE, json!({"host": "a", "path": "/x", "content": {"text": text}})));
    desired
}

#[tokio::test]
async fn a_run_over_two_stacks_writes_each_resource_into_its_own_journal() {
    let (directory, world, desired) = (TempDir::new().expect("a directory"), World::default(), over_two_stacks());
    let mut journals = Vec::new();
    for stack in ["fake", "fake-devices"] {
        let store: Arc<dyn Store> = Arc::new(FileStore::new(directory.path(), stack, HOST));
        let ledger = Ledger::write(store, stack, mortal_lease()).await.expect("a lease");
        ledger.record(began(1)).await.expect("it is written");
        journals.push(ledger);
    }
    let (own, devices) = (&journals[0], &journals[1]);
    let recorded = own.recorded().joined(devices.recorded());
    let observed = look(&desired, &recorded, &world).await;
    let changes = diff(&desired, &recorded, &observed, &DiffScope::default()).expect("a difference");
    let providers = world.providers();
    let (_keep, stop) = watch::channel(false);
    let work =
        RunContext::new(&changes, &providers, own, &SilentListener, options(4), stop, "123456789012").beside(devices);
    let outcome = execute::run(&work).await.expect("the journals are written");
    assert!(outcome.is_complete(), "{outcome:?}");
    let known = |ledger: &Ledger| ledger.recorded().resources.into_keys().map(String::from).collect::<Vec<_>>();
    assert_eq!((known(own), known(devices)), (vec![BUCKET.to_owned()], vec![FILE.to_owned()]));
    let things = world.things();
    let file = things.iter().find(|thing| thing.kind == Kind::File).expect("it was made");
    assert_eq!((file.stack.as_str(), &file.spec["content"]["text"]), ("fake-devices", &json!("bucket arn:thing-1")));
    drop(work);
    for ledger in journals {
        ledger.close().await.expect("the lease is given back");
    }
}
