//! The difference in rarer situations: replacements beside what stays, what an earlier run left open, and where things came from.

use serde_json::{Value, json};

use super::tests::{Place, at, bucket, found, record, role, told};
use crate::resource::{
    Action, Attributes, Changes, Kind, Level, ObservedResource, Owner, PendingDeletion, ResourceOrigin, ResourceRecord,
    ResourceStatus, Risk,
};

const BUCKET: &str = "m.bucket.b";
const ROLE: &str = "e.role.r";
const FUNCTION: &str = "e.function.f";
const RULES: &str = "m.replication.b";
const ZONE: &str = "r.zone.z";
const GROUP: &str = "r.records.g";

fn of(origin: ResourceOrigin, record: ResourceRecord) -> ResourceRecord {
    ResourceRecord { origin, ..record }
}

fn needing(needs: &[&str], record: ResourceRecord) -> ResourceRecord {
    ResourceRecord { needs: needs.iter().map(|need| (at(need), Level::Usable)).collect(), ..record }
}

fn foreign(found: ObservedResource) -> ObservedResource {
    ObservedResource { owner: Owner::Foreign("no mark".to_owned()), ..found }
}

#[test]
fn a_new_one_is_made_beside_something_imported_or_wanted_elsewhere() {
    let with =
        |record: ResourceRecord| Place::new().want(ROLE, role("x")).know(ROLE, record).see(ROLE, found("r", role("r")));
    let known = || record(ROLE, Some("r"), role("r"));
    let imported = with(of(ResourceOrigin::Imported, known())).one(ROLE);
    let stays = "r was imported, not created by this stack: it is kept and forgotten; a new one is created";
    assert_eq!((told(&imported), imported.origin), ((Action::Create, Risk::Safe, Some(stays)), ResourceOrigin::Made));
    let elsewhere = with(known()).want("e.role.s", role("r")).one(ROLE);
    assert_eq!(told(&elsewhere), (Action::Create, Risk::Safe, None));
    // Nobody else wants it: the old one goes, and the new one is this stack's.
    let replaced = with(of(ResourceOrigin::Recovered, known())).one(ROLE);
    assert_eq!((replaced.action, replaced.origin), (Action::Replace, ResourceOrigin::Made));
}

#[test]
fn what_was_begun_and_is_known_by_its_id_is_not_created_again() {
    let begun = ResourceRecord { standing: ResourceStatus::Creating, ..record(ROLE, Some("r"), role("r")) };
    let place = Place::new().want(ROLE, role("r")).know(ROLE, begun).see(ROLE, foreign(found("r", role("r"))));
    assert_eq!(place.one(ROLE).action, Action::Update);
}

#[test]
fn what_an_undoing_finds_as_it_was_left_keeps_its_origin() {
    let pending = ResourceRecord { pending: Some(role("r")), ..record(ROLE, Some("r"), role("r")) };
    let mut place = Place::new().want(ROLE, role("r")).know(ROLE, pending).see(ROLE, found("r", role("r")));
    place.scope.was.insert(at(ROLE), ResourceOrigin::Imported);
    let adopted = place.one(ROLE);
    assert_eq!((adopted.action, adopted.origin), (Action::Adopt, ResourceOrigin::Made));
}

#[test]
fn a_change_that_happens_anyway_says_as_well_which_reference_is_open_again() {
    let function = |description: &str, role: &str| json!({"name": "f", "region": "us-east-1", "description": description, "role_arn": role});
    let place = Place::new()
        .want(ROLE, role("x"))
        .want(FUNCTION, function("new", "${e.role.r#arn}"))
        .know(ROLE, record(ROLE, Some("r"), role("r")))
        .know(FUNCTION, record(FUNCTION, Some("f"), function("old", "${e.role.r#arn}")))
        .see(
            ROLE,
            ObservedResource { attributes: [("arn".to_owned(), json!("arn:r"))].into(), ..found("r", role("r")) },
        )
        .see(FUNCTION, found("f", function("old", "arn:r")));
    let changed = place.one(FUNCTION);
    let fields: Vec<&str> = changed.fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!((changed.action, fields), (Action::Update, vec!["description", "role_arn"]));
}

#[test]
fn what_is_only_looked_up_is_kept_when_it_is_named_after_something_new() {
    let balancer = "r.load-balancer.l";
    let spec = json!({"region": "us-east-1", "name": "${e.role.r#name}"});
    let place = Place::new()
        .want(ROLE, role("x"))
        .want(balancer, spec)
        .know(ROLE, record(ROLE, Some("r"), role("r")))
        .see(ROLE, found("r", role("r")))
        .see(balancer, found("arn", json!({"region": "us-east-1", "name": "r"})));
    assert_eq!(told(&place.one(balancer)), (Action::Keep, Risk::Safe, None));
}

#[test]
fn what_others_of_the_journal_made_known_goes_with_the_changes() {
    let mut place = Place::new().want(ROLE, role("r"));
    place.recorded.outside.insert(at(BUCKET), Attributes::from([("name".to_owned(), json!("b"))]));
    assert_eq!(place.changes().outside, place.recorded.outside);
}

#[test]
fn what_this_stack_began_under_other_settings_is_its_own() {
    let begun = ResourceRecord { standing: ResourceStatus::Creating, ..record(ROLE, None, role("old")) };
    let place = Place::new().want(ROLE, role("r")).know(ROLE, begun).see(ROLE, found("r", role("r")));
    let adopted = place.one(ROLE);
    assert_eq!((adopted.action, adopted.origin), (Action::Adopt, ResourceOrigin::Made));
}

#[test]
fn only_the_very_thing_that_was_set_aside_is_this_stacks_own_again() {
    let origin = |id: &str, owner: Owner| {
        let spec = bucket(id, "us-east-1", true);
        let mut place =
            Place::new().want(BUCKET, spec.clone()).see(BUCKET, ObservedResource { owner, ..found(id, spec) });
        place.scope.adopt.insert(at(BUCKET));
        place.recorded.pending_deletions.push(PendingDeletion {
            address: at(BUCKET),
            kind: Kind::Bucket,
            id: "aside".to_owned(),
            spec: json!({}),
            attributes: Attributes::new(),
            reason: "r".into(),
            held_by: Default::default(),
        });
        place.one(BUCKET).origin
    };
    assert_eq!(origin("aside", Owner::Ours), ResourceOrigin::Made);
    assert_eq!(origin("other", Owner::Ours), ResourceOrigin::Recovered);
    assert_eq!(origin("aside", Owner::Foreign("no mark".to_owned())), ResourceOrigin::Imported);
}

/// The origin of replication rules that the journal does not know, in a bucket.
fn rules_in(place: Place, in_bucket: ObservedResource) -> ResourceOrigin {
    let spec = json!({"source": "b", "region": "us-east-1"});
    let mut place = place
        .want(BUCKET, bucket("b", "us-east-1", true))
        .want(RULES, spec.clone())
        .see(BUCKET, in_bucket)
        .see(RULES, found("b", spec));
    place.scope.adopt.insert(at(BUCKET));
    place.desired.resources.get_mut(&at(RULES)).expect("the rules").needs.insert(at(BUCKET), Level::Usable);
    place.one(RULES).origin
}

#[test]
fn what_is_part_of_something_imported_was_imported_with_it() {
    let there = || found("b", bucket("b", "us-east-1", true));
    let known = |origin: ResourceOrigin| {
        Place::new().know(BUCKET, of(origin, record(BUCKET, Some("b"), bucket("b", "us-east-1", true))))
    };
    assert_eq!(rules_in(known(ResourceOrigin::Imported), there()), ResourceOrigin::Imported);
    assert_eq!(rules_in(known(ResourceOrigin::Made), there()), ResourceOrigin::Recovered);
    // The journal does not know the bucket either: its mark says it.
    assert_eq!(rules_in(Place::new(), foreign(there())), ResourceOrigin::Imported);
    assert_eq!(rules_in(Place::new(), there()), ResourceOrigin::Recovered);
    let mut tagged = there();
    tagged.spec["tags"] = json!({"akidb:origin": "imported"});
    assert_eq!(rules_in(Place::new(), tagged), ResourceOrigin::Imported);
}

/// What becomes of the role that a function uses, and of the function.
fn role_of(function: ResourceRecord, there: Option<ObservedResource>) -> [Action; 2] {
    let mut place = Place::new()
        .know(ROLE, record(ROLE, Some("r"), role("r")))
        .know(FUNCTION, needing(&[ROLE], function))
        .see(ROLE, found("r", role("r")));
    if let Some(there) = there {
        place = place.see(FUNCTION, there);
    }
    let changes = place.changes();
    [ROLE, FUNCTION].map(|address| changes.items[&at(address)].action)
}

#[test]
fn only_what_is_there_and_was_not_made_by_this_stack_keeps_what_it_uses() {
    let function =
        |origin: ResourceOrigin| of(origin, record(FUNCTION, Some("f"), json!({"name": "f", "region": "us-east-1"})));
    let there = || found("f", json!({"name": "f", "region": "us-east-1"}));
    let stays = role_of(function(ResourceOrigin::Imported), Some(there()));
    assert_eq!(stays, [Action::Forget, Action::Forget]);
    let gone = role_of(function(ResourceOrigin::Imported), None);
    assert_eq!(gone, [Action::Delete, Action::Forget], "the function is gone");
    let taken = ObservedResource { owner: Owner::Contested("of stack other".to_owned()), ..there() };
    let taken = role_of(function(ResourceOrigin::Made), Some(taken));
    assert_eq!(taken, [Action::Delete, Action::Forget], "another stack has the function now");
}

fn set(value: &str) -> Value {
    json!({"name": "www.example.net", "type": "A", "ttl": 60, "values": [value]})
}

/// A group that existed before this stack and leaves the plan, with the zone and the distribution that it needs. `before` is what
/// its set was before a run changed it.
fn group_leaves(before: Option<&str>) -> Changes {
    const EDGE: &str = "c.distribution.d";
    let spec = json!({"zone_id": "Z1", "sets": [set("192.0.2.2")]});
    let mut group = needing(&[ZONE, EDGE], record(GROUP, Some("Z1/g"), spec.clone()));
    group.origin = ResourceOrigin::Imported;
    if let Some(before) = before {
        let earlier = json!({"www.example.net A": set(before)});
        group.attributes.insert(crate::resource::records::previous::EARLIER_SETS.to_owned(), earlier);
    }
    let mut place = Place::new().know(GROUP, group).see(GROUP, found("Z1/g", spec));
    for (address, spec) in [(ZONE, json!({"name": "example.net"})), (EDGE, json!({"comment": "c"}))] {
        place = place.know(address, record(address, Some("x"), spec.clone())).see(address, found("x", spec));
    }
    place.changes()
}

#[test]
fn record_sets_that_existed_before_keep_their_zone_and_nothing_else() {
    let changes = group_leaves(None);
    let actions: Vec<(&str, Action)> =
        changes.items.values().map(|change| (change.address.as_str(), change.action)).collect();
    let wanted = [("c.distribution.d", Action::Delete), ("r.records.g", Action::Forget), ("r.zone.z", Action::Forget)];
    assert_eq!(actions, wanted);
}

#[test]
fn record_sets_that_a_run_changed_come_back_as_they_were() {
    let group = &group_leaves(Some("192.0.2.1")).items[&at(GROUP)];
    let why = "record sets that existed before stay, or come back as they were: www.example.net A";
    assert_eq!((group.action, group.reason.as_deref()), (Action::Delete, Some(why)));
    let same = &group_leaves(Some("192.0.2.2")).items[&at(GROUP)];
    assert_eq!((same.action, same.reason.as_deref()), (Action::Forget, Some("left as it is")));
}
