//! How the fold distinguishes created from adopted resources.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::entry::FORMAT;
use super::*;
use crate::resource::{Kind, Moves};

fn at(text: &str) -> Address {
    text.parse().expect("an address")
}

fn subject(address: &str) -> ResourceSnapshot {
    ResourceSnapshot {
        address: at(address),
        kind: Kind::Bucket,
        generation: 0,
        spec: json!({"name": "b"}),
        needs: BTreeMap::new(),
        step: "m".into(),
        after: std::collections::BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    }
}

fn known() -> Attributes {
    Attributes::from([("name".to_owned(), json!("b"))])
}

fn intended(action: Action, id: Option<&str>) -> Fact {
    Fact::Intended { action, subject: subject("m.bucket.a"), id: id.map(str::to_owned) }
}

fn succeeded(action: Action, subject: ResourceSnapshot, attributes: Attributes) -> Fact {
    Fact::Succeeded { action, subject, id: "b".into(), attributes, took_ms: 1 }
}

fn learned(subject: ResourceSnapshot, attributes: Attributes) -> Fact {
    Fact::Learned { subject, id: "b".into(), attributes }
}

fn after(facts: Vec<Fact>) -> StackState {
    let began = Fact::RunBegan {
        stack: "s".into(),
        revision: 1,
        command: "deploy".into(),
        by: "me@here".into(),
        account: "1".into(),
        tool: "0".into(),
        requested: Default::default(),
        fallback: None,
        purpose: None,
        platforms: Vec::new(),
    };
    let (run, at) = (uuid::Uuid::nil(), jiff::Timestamp::UNIX_EPOCH);
    let all = [began].into_iter().chain(facts).zip(1..);
    let entries: Vec<Entry> = all.map(|(fact, seq)| Entry { v: FORMAT, seq, run, at, fact }).collect();
    fold("s", &entries).expect("it folds")
}

fn origin_at(state: &StackState, address: &str) -> ResourceOrigin {
    state.resources[&at(address)].origin
}

#[test]
fn what_was_created_was_made_and_what_was_adopted_by_its_mark_was_found_again() {
    let a = || subject("m.bucket.a");
    let made = vec![intended(Action::Create, None), succeeded(Action::Create, a(), known())];
    assert_eq!(origin_at(&after(made.clone()), "m.bucket.a"), ResourceOrigin::Made);
    let adopted = vec![intended(Action::Adopt, Some("b")), succeeded(Action::Adopt, a(), known())];
    assert_eq!(origin_at(&after(adopted.clone()), "m.bucket.a"), ResourceOrigin::Recovered);
    assert_eq!(origin_at(&after(adopted[..1].to_vec()), "m.bucket.a"), ResourceOrigin::Recovered, "cut off in between");
    // The answer to its creation was lost: it was made.
    let lost = vec![
        intended(Action::Create, None),
        intended(Action::Adopt, Some("b")),
        succeeded(Action::Adopt, a(), known()),
    ];
    assert_eq!(origin_at(&after(lost), "m.bucket.a"), ResourceOrigin::Made);
    // It was gone, and another one was made.
    let again = adopted.into_iter().chain(made).collect();
    assert_eq!(origin_at(&after(again), "m.bucket.a"), ResourceOrigin::Made);
}

#[test]
fn an_imported_one_stays_imported_whatever_happens_to_it() {
    let imported =
        || learned(ResourceSnapshot { origin: Some(ResourceOrigin::Imported), ..subject("m.bucket.a") }, known());
    let accepted =
        Fact::Accepted { subject: subject("m.bucket.a"), id: "b".into(), attributes: known(), paths: vec![] };
    let update = [intended(Action::Update, Some("b")), succeeded(Action::Update, subject("m.bucket.a"), known())];
    for more in [update.to_vec(), vec![learned(subject("m.bucket.a"), known())], vec![accepted]] {
        let facts = [imported()].into_iter().chain(more).collect();
        assert_eq!(origin_at(&after(facts), "m.bucket.a"), ResourceOrigin::Imported);
    }
    let moved = Moves { addresses: [(at("m.bucket.a"), at("m.bucket.z"))].into(), ..Moves::default() };
    assert_eq!(origin_at(&after(vec![imported(), Fact::Moved(moved)]), "m.bucket.z"), ResourceOrigin::Imported);
}

#[test]
fn a_journal_of_an_older_version_says_it_by_an_attribute() {
    let mut attributes = known();
    attributes.insert(TAKEN_IN.to_owned(), true.into());
    let older = vec![
        intended(Action::Adopt, Some("b")),
        succeeded(Action::Adopt, subject("m.bucket.a"), attributes),
        learned(subject("m.bucket.b"), known()),
    ];
    let state = after(older);
    assert_eq!(origin_at(&state, "m.bucket.a"), ResourceOrigin::Imported);
    assert_eq!(state.resources[&at("m.bucket.a")].attributes, known(), "it is said once");
    assert_eq!(origin_at(&state, "m.bucket.b"), ResourceOrigin::Recovered, "an import of what carries the mark");
}

#[test]
fn what_an_import_found_is_remembered_beside_what_deploys_state() {
    let of = |spec: serde_json::Value, origin: Option<ResourceOrigin>| ResourceSnapshot {
        spec,
        origin,
        ..subject("m.bucket.a")
    };
    let was = json!({"name": "b", "region": "us-east-1", "versioning": true});
    let mut stated = was.clone();
    stated["encryption"] = json!("aws:kms");
    let import = learned(of(was.clone(), Some(ResourceOrigin::Imported)), known());
    let update = [
        Fact::Intended { action: Action::Update, subject: of(stated.clone(), None), id: Some("b".into()) },
        succeeded(Action::Update, of(stated.clone(), None), known()),
    ];
    let learned_again = learned(of(stated.clone(), None), known());
    let state = after([import].into_iter().chain(update).chain([learned_again]).collect());
    let record = &state.resources[&at("m.bucket.a")];
    assert_eq!((record.attributes.get(IMPORTED_SETTINGS), &record.spec), (Some(&was), &stated));
    // One that was adopted has it from the look before; one that this stack made has none.
    let seen = Attributes::from([(IMPORTED_SETTINGS.to_owned(), was.clone())]);
    let adopted = |seen: Attributes| ResourceSnapshot { seen, ..of(stated.clone(), Some(ResourceOrigin::Imported)) };
    let adopt = vec![
        Fact::Intended { action: Action::Adopt, subject: adopted(seen), id: Some("b".into()) },
        succeeded(Action::Adopt, adopted(Attributes::new()), known()),
    ];
    assert_eq!(after(adopt).resources[&at("m.bucket.a")].attributes.get(IMPORTED_SETTINGS), Some(&was));
    let made = vec![intended(Action::Create, None), succeeded(Action::Create, of(was, None), known())];
    assert_eq!(after(made).resources[&at("m.bucket.a")].attributes, known());
}

#[test]
fn an_empty_list_of_an_import_does_not_state_that_there_are_to_be_no_rules() {
    let spec = json!({"name": "b", "region": "us-east-1", "lifecycle": [], "cors": []});
    let import = |origin: Option<ResourceOrigin>| {
        learned(ResourceSnapshot { spec: spec.clone(), origin, ..subject("m.bucket.a") }, known())
    };
    for origin in [Some(ResourceOrigin::Imported), None] {
        let state = after(vec![import(origin)]);
        let kept = &state.resources[&at("m.bucket.a")].spec;
        assert_eq!(*kept, json!({"name": "b", "region": "us-east-1"}), "{origin:?}");
    }
    // A deploy that states none means it.
    let deployed = succeeded(Action::Update, ResourceSnapshot { spec: spec.clone(), ..subject("m.bucket.a") }, known());
    let state = after(vec![import(Some(ResourceOrigin::Imported)), intended(Action::Update, Some("b")), deployed]);
    assert_eq!(state.resources[&at("m.bucket.a")].spec, spec);
}

#[test]
fn the_word_of_a_rollback_that_failed_ends_with_the_next_run() {
    let word = |origin: ResourceOrigin| ResourceSnapshot { origin: Some(origin), ..subject("m.bucket.a") };
    let begun = Fact::Intended { action: Action::Create, subject: word(ResourceOrigin::Imported), id: None };
    let adopt = Fact::Intended { action: Action::Adopt, subject: word(ResourceOrigin::Made), id: Some("b".into()) };
    assert_eq!(origin_at(&after(vec![begun.clone()]), "m.bucket.a"), ResourceOrigin::Imported);
    assert_eq!(origin_at(&after(vec![begun, adopt]), "m.bucket.a"), ResourceOrigin::Made, "cut off in between");
}

fn of_kind(kind: Kind, address: &str, origin: Option<ResourceOrigin>) -> ResourceSnapshot {
    ResourceSnapshot { kind, origin, ..subject(address) }
}

#[test]
fn what_is_looked_up_or_on_a_device_has_no_settings_from_before_an_import() {
    for (kind, address, remembered) in [
        (Kind::Bucket, "m.bucket.a", true),
        (Kind::LoadBalancer, "r.load-balancer.a", false),
        (Kind::Service, "d.service.a", false),
        (Kind::Records, "r.records.a", false),
    ] {
        let state = after(vec![learned(of_kind(kind, address, Some(ResourceOrigin::Imported)), known())]);
        let attributes = &state.resources[&at(address)].attributes;
        assert_eq!(attributes.contains_key(IMPORTED_SETTINGS), remembered, "{address}");
    }
}

#[test]
fn an_empty_list_that_a_run_makes_known_later_was_stated() {
    let spec = json!({"name": "b", "region": "us-east-1", "cors": []});
    let made = || ResourceSnapshot { spec: spec.clone(), ..subject("m.bucket.a") };
    let facts =
        vec![intended(Action::Create, None), succeeded(Action::Create, made(), known()), learned(made(), known())];
    assert_eq!(after(facts).resources[&at("m.bucket.a")].spec, spec);
    // An update of something that the journal knows nothing of is not an import.
    let updated = after(vec![succeeded(Action::Update, made(), known())]);
    assert_eq!(updated.resources[&at("m.bucket.a")].spec, spec);
}

#[test]
fn what_is_looked_up_or_on_a_device_is_not_found_again() {
    for (kind, address, origin) in [
        (Kind::Bucket, "m.bucket.a", ResourceOrigin::Recovered),
        (Kind::LoadBalancer, "r.load-balancer.a", ResourceOrigin::Made),
        (Kind::Service, "d.service.a", ResourceOrigin::Made),
    ] {
        let state = after(vec![succeeded(Action::Adopt, of_kind(kind, address, None), known())]);
        assert_eq!(origin_at(&state, address), origin, "{address}");
    }
}

#[test]
fn what_was_created_and_never_announced_was_made() {
    for action in [Action::Create, Action::Replace] {
        let state = after(vec![succeeded(action, subject("m.bucket.a"), known())]);
        assert_eq!(origin_at(&state, "m.bucket.a"), ResourceOrigin::Made, "{action:?}");
    }
}

#[test]
fn what_was_begun_at_a_former_address_is_looked_for_by_what_it_was_made_with() {
    let moved = Moves { addresses: [(at("m.bucket.a"), at("m.bucket.z"))].into(), ..Moves::default() };
    let begun = |generation: u32| Fact::Intended {
        action: Action::Create,
        subject: ResourceSnapshot { generation, ..subject("m.bucket.z") },
        id: None,
    };
    let made_at = |generation: u32| {
        let facts = vec![intended(Action::Create, None), Fact::Moved(moved.clone()), begun(generation)];
        let record = after(facts).resources.remove(&at("m.bucket.z")).expect("it may be there");
        record.made_at.map(|made| made.address)
    };
    assert_eq!(made_at(0), Some(at("m.bucket.a")));
    assert_eq!(made_at(1), None, "another one is made in its place");
}
