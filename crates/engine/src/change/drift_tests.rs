//! What is told of a world that is otherwise than remembered, what can never change, and how something came into the state.

use serde_json::{Value, json};

use super::tests::{Place, at, found, record};
use super::{drift, fixed, found_origin, says_otherwise};
use crate::resource::moves::key;
use crate::resource::{
    ACCEPTED_EXTRAS, Attributes, DriftField, DriftKind, DriftedResource, FieldOrigin, IMPORTED, ORIGIN_TAG,
    ObservedResource, Owner, PlannedValue, Remedy, ResourceOrigin, ResourceRecord, ResourceStatus, UnmanagedField,
};

const BUCKET: &str = "m.bucket.b";
const ROLE: &str = "e.role.r";

fn role(description: &str) -> Value {
    json!({"name": "r", "description": description})
}

fn known() -> ResourceRecord {
    record(ROLE, Some("r"), role("d"))
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

fn told(place: &Place, plan: bool) -> Vec<DriftedResource> {
    drift(&place.desired, &place.recorded, &place.observed, plan)
}

/// The fields of the role, which the plan wants as it is remembered.
fn fields(record: ResourceRecord, there: ObservedResource) -> Vec<DriftField> {
    let mut all = told(&Place::new().want(ROLE, role("d")).know(ROLE, record).see(ROLE, there), true);
    all.pop().map(|drifted| drifted.fields).unwrap_or_default()
}

#[test]
fn what_is_as_remembered_and_what_was_not_asked_for_is_no_drift() {
    let place = || Place::new().want(ROLE, role("d")).know(ROLE, known());
    assert_eq!(told(&place().see(ROLE, found("r", role("d"))), true), []);
    assert_eq!(told(&place(), true), [], "it was not looked at");
    // The plan changed, the world did not.
    let changed = Place::new().want(ROLE, role("new")).know(ROLE, known()).see(ROLE, found("r", role("d")));
    assert_eq!(told(&changed, true), []);
    let begun = ResourceRecord { standing: ResourceStatus::Updating, ..known() };
    assert_eq!(told(&Place::new().know(ROLE, begun).see(ROLE, found("r", role("theirs"))), true), []);
}

#[test]
fn what_is_gone_and_what_has_another_owner_is_told() {
    let mut place = Place::new().know(ROLE, known());
    place.observed.seen.insert(at(ROLE), Ok(None));
    let gone = told(&place, true);
    assert_eq!((gone.len(), gone[0].happened, gone[0].id.as_deref()), (1, DriftKind::Gone, Some("r")));
    assert!(!gone[0].wanted && gone[0].fields.is_empty() && gone[0].counts());
    let there = ObservedResource { owner: Owner::Contested("of stack other".to_owned()), ..found("r2", role("d")) };
    let contested = told(&Place::new().want(ROLE, role("d")).know(ROLE, known()).see(ROLE, there), true);
    assert_eq!(contested[0].happened, DriftKind::Contested);
    assert_eq!((contested[0].reason.as_deref(), contested[0].id.as_deref()), (Some("of stack other"), Some("r2")));
    assert!(contested[0].wanted);
    let theirs =
        ObservedResource { owner: Owner::Contested("of stack other".to_owned()), ..found("r", role("theirs")) };
    let changed = &told(&Place::new().want(ROLE, role("d")).know(ROLE, known()).see(ROLE, theirs), true)[0];
    let paths: Vec<&str> = changed.fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["description", "tags.akidb:stack"], "what the other owner changed is told as well");
}

#[test]
fn a_setting_is_shown_three_ways() {
    let there = || found("r", role("theirs"));
    let text = |text: &str| Some(Value::from(text));
    let place = |wanted: Value| Place::new().want(ROLE, wanted).know(ROLE, known()).see(ROLE, there());
    let told_of = |place: &Place, plan: bool| {
        let all = told(place, plan);
        assert_eq!((all.len(), all[0].happened, all[0].fields.len()), (1, DriftKind::Changed, 1), "{all:?}");
        all[0].fields[0].clone()
    };
    let stated = told_of(&place(role("d")), true);
    let wanted = DriftField {
        path: "description".to_owned(),
        sort: FieldOrigin::Setting,
        plan: PlannedValue::Value("d".into()),
        recorded: text("d"),
        real: text("theirs"),
        remedy: Remedy::Deploy,
    };
    assert_eq!(stated, wanted);
    let no_plan = told_of(&place(role("d")), false);
    assert_eq!(no_plan, DriftField { plan: PlannedValue::NoPlan, ..wanted.clone() });
    let silent = told_of(&place(json!({"name": "r"})), true);
    assert_eq!(silent, DriftField { plan: PlannedValue::Silent, remedy: Remedy::Accept, ..wanted });
    let unmarked = ObservedResource { owner: Owner::Foreign("no mark".to_owned()), ..found("r", role("d")) };
    let mark = told_of(&Place::new().want(ROLE, role("d")).know(ROLE, known()).see(ROLE, unmarked), true);
    assert_eq!((mark.sort, mark.plan, mark.remedy), (FieldOrigin::Mark, PlannedValue::Silent, Remedy::Deploy));
    assert_eq!((mark.recorded, mark.real), (text("s"), text("no mark")));
}

#[test]
fn outputs_are_news_only_while_the_settings_are_as_they_were() {
    let before = ResourceRecord { attributes: attributes(&[("arn", "a"), ("name", "r"), ("once", "x")]), ..known() };
    let now = |description: &str| ObservedResource {
        attributes: attributes(&[("arn", "b"), ("name", "r"), ("new", "y")]),
        ..found("r", role(description))
    };
    let told = fields(before.clone(), now("d"));
    let told: Vec<_> = told.iter().map(|field| (field.path.as_str(), field.sort, field.remedy)).collect();
    assert_eq!(told, [("arn", FieldOrigin::Output, Remedy::Accept)]);
    let told = fields(before.clone(), now("theirs"));
    assert_eq!(told.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["description"]);
    assert!(says_otherwise(&before, &now("d")));
    assert!(!says_otherwise(&before, &ObservedResource { attributes: attributes(&[("arn", "a")]), ..now("d") }));
}

#[test]
fn tags_and_other_things_that_nobody_asked_for_are_shown() {
    let spec = json!({"name": "r", "tags": {"own": "1"}});
    let known = || record(ROLE, Some("r"), spec.clone());
    let tags = json!({"own": "1", "theirs": "2", ORIGIN_TAG: IMPORTED});
    let place = Place::new().want(ROLE, spec.clone()).know(ROLE, known());
    let all = told(&place.see(ROLE, found("r", json!({"name": "r", "tags": tags}))), true);
    let shown: Vec<_> = all[0].fields.iter().map(|field| (field.path.as_str(), field.sort, field.remedy)).collect();
    assert_eq!(shown, [("tags.theirs", FieldOrigin::Tag, Remedy::Leave)]);
    assert!(!all[0].counts(), "a tag of others is left alone");

    let extra = |path: &str, theirs: bool| UnmanagedField { path: path.to_owned(), value: json!(1), theirs };
    let extras = vec![extra("rule.a", true), extra("rule.b", false), extra("rule.c", false), extra(ORIGIN_TAG, true)];
    let accepted = Attributes::from([(ACCEPTED_EXTRAS.to_owned(), json!({"rule.b": 1, "rule.c": 2}))]);
    let record = ResourceRecord { attributes: accepted, ..known() };
    let there = ObservedResource { extras, ..found("r", spec.clone()) };
    let all = told(&Place::new().want(ROLE, spec.clone()).know(ROLE, record).see(ROLE, there), true);
    let shown: Vec<_> =
        all[0].fields.iter().map(|field| (field.path.as_str(), field.recorded.clone(), field.remedy)).collect();
    let wanted = [
        ("rule.a", None, Remedy::Leave),
        ("rule.b", Some(json!(1)), Remedy::Leave),
        ("rule.c", Some(json!(2)), Remedy::Accept),
    ];
    assert_eq!(shown, wanted);
}

#[test]
fn a_record_set_of_another_group_is_no_extra() {
    let (one, two) = ("r.records.one", "r.records.two");
    let set = |name: &str| json!({"name": name, "type": "A", "ttl": 60, "values": ["192.0.2.1"]});
    let group = |name: &str| json!({"zone_id": "Z1", "sets": [set(name)]});
    let extra = |path: &str| UnmanagedField { path: path.to_owned(), value: json!({}), theirs: false };
    let with = |path: &str| {
        let there = ObservedResource { extras: vec![extra(path)], ..found("Z1/one", group("a.example")) };
        let place = Place::new().know(one, record(one, Some("Z1/one"), group("a.example")));
        told(&place.know(two, record(two, Some("Z1/two"), group("b.example"))).see(one, there), true).len()
    };
    let path = |name: &str| format!("sets.{}", key(&set(name)).expect("a name that is known"));
    assert_eq!((with(&path("b.example")), with(&path("c.example"))), (0, 1));
    assert_eq!(with(&path("a.example")), 1, "its own is not another group's");
}

#[test]
fn what_holds_data_keeps_what_its_service_fixes() {
    let bucket = |name: &str, region: &str| json!({"name": name, "region": region});
    let with = |wanted: Value, then: ResourceRecord| Place::new().want(BUCKET, wanted).know(BUCKET, then);
    let refused = |place: &Place| fixed(&place.desired, &place.recorded, &place.scope);
    let then = || record(BUCKET, Some("b"), bucket("b", "eu-central-1"));
    let moved = refused(&with(bucket("b", "us-east-1"), then()));
    assert_eq!((moved.len(), moved[0].address.as_str()), (1, BUCKET));
    assert_eq!(
        moved[0].problem,
        "the region of S3 bucket b cannot be changed (eu-central-1 -> us-east-1), and it holds data"
    );
    assert!(moved[0].next_step.starts_with("restore region: eu-central-1"), "{}", moved[0].next_step);
    assert_eq!(refused(&with(bucket("b", "eu-central-1"), then())), []);
    assert_eq!(refused(&with(bucket("c", "us-east-1"), then())), [], "another name is another bucket");
    assert_eq!(refused(&with(bucket("b", "${a.role.x#region}"), then())), [], "it is not known yet");
    assert_eq!(refused(&with(bucket("b", "us-east-1"), ResourceRecord { id: None, ..then() })), []);
    let mut narrow = with(bucket("b", "us-east-1"), then());
    narrow.scope.only = Some([at(ROLE)].into());
    assert_eq!(refused(&narrow), []);
    let renamed = Place::new().want(ROLE, json!({"name": "x"})).know(ROLE, known());
    assert_eq!(refused(&renamed), [], "a role holds no data");
}

#[test]
fn what_was_found_is_told_from_what_was_made() {
    let origin =
        |place: &Place, address: &str| found_origin(&place.desired, &place.recorded, &place.observed, &at(address));
    let seen = |owner: Owner, spec: Value| {
        Place::new().want(ROLE, role("d")).see(ROLE, ObservedResource { owner, ..found("r", spec) })
    };
    assert_eq!(origin(&seen(Owner::Ours, role("d")), ROLE), ResourceOrigin::Recovered);
    assert_eq!(origin(&seen(Owner::Foreign(String::new()), role("d")), ROLE), ResourceOrigin::Imported);
    assert_eq!(origin(&seen(Owner::Contested(String::new()), role("d")), ROLE), ResourceOrigin::Imported);
    let tagged = json!({"name": "r", "tags": {ORIGIN_TAG: IMPORTED}});
    assert_eq!(origin(&seen(Owner::Ours, tagged), ROLE), ResourceOrigin::Imported);
    assert_eq!(origin(&Place::new().want(ROLE, role("d")), ROLE), ResourceOrigin::Made, "it was not seen");

    let (zone, names) = ("r.zone.z", "r.records.n");
    let set = |name: &str| json!({"name": name, "type": "A", "ttl": 60, "values": ["192.0.2.1"]});
    let group = |zone_id: &str, names: &[&str]| json!({"zone_id": zone_id, "sets": names.iter().map(|name| set(name)).collect::<Vec<_>>()});
    let spec = json!({"name": "example", "comment": ""});
    let with = |there: &[&str], zone_known: Option<ResourceOrigin>, zone_owner: Owner| {
        let wanted = group("${r.zone.z#zone_id}", &["a.example", "b.example"]);
        let seen = ObservedResource {
            owner: zone_owner,
            attributes: attributes(&[("zone_id", "Z1")]),
            ..found("Z1", spec.clone())
        };
        let place = Place::new().want(zone, spec.clone()).want(names, wanted).see(zone, seen);
        let place = place.see(names, found("Z1/n", group("Z1", there)));
        let known = zone_known.map(|origin| ResourceRecord { origin, ..record(zone, Some("Z1"), spec.clone()) });
        let place = match known {
            Some(record) => place.know(zone, record),
            None => place,
        };
        origin(&place, names)
    };
    let both = ["a.example", "b.example"];
    let foreign = || Owner::Foreign(String::new());
    assert_eq!(
        with(&both, Some(ResourceOrigin::Made), Owner::Ours),
        ResourceOrigin::Imported,
        "all of them were there"
    );
    assert_eq!(with(&both[..1], Some(ResourceOrigin::Made), Owner::Ours), ResourceOrigin::Made);
    assert_eq!(
        with(&both, Some(ResourceOrigin::Recovered), Owner::Ours),
        ResourceOrigin::Recovered,
        "they came with their zone"
    );
    assert_eq!(with(&both, None, Owner::Ours), ResourceOrigin::Recovered);
    assert_eq!(with(&both[..1], None, foreign()), ResourceOrigin::Made);
}

#[test]
fn what_was_imported_has_no_mark_that_is_remembered() {
    let there =
        || ObservedResource { owner: Owner::Foreign("not tagged by this tool".to_owned()), ..found("r", role("d")) };
    let imported = fields(ResourceRecord { origin: ResourceOrigin::Imported, ..known() }, there());
    assert!(imported.len() == 1 && imported[0].sort == FieldOrigin::Mark && imported[0].recorded.is_none());
    let made = fields(known(), there());
    assert!(made.len() == 1 && made[0].sort == FieldOrigin::Mark && made[0].recorded.is_some());
}

#[test]
fn an_object_that_is_not_ready_was_changed_by_nobody() {
    const WEB: &str = "k.manifest.web";
    let web = |ready: &str| {
        json!({"cluster": "west", "api_version": "apps/v1", "kind": "Deployment", "namespace": "n", "name": "web",
            "object": {"spec": {"replicas": 2}}, "ready": ready})
    };
    let place = Place::new().want(WEB, web("rolled-out")).know(WEB, record(WEB, Some("web"), web("rolled-out")));
    let all = told(&place.see(WEB, found("web", web("1 of 2 available"))), true);
    let fields: Vec<_> = all[0].fields.iter().map(|field| (field.path.as_str(), field.sort, field.remedy)).collect();
    assert_eq!(fields, [("ready", FieldOrigin::Condition, Remedy::Deploy)]);
    assert!(all[0].counts() && all[0].happened == DriftKind::Changed);
}
