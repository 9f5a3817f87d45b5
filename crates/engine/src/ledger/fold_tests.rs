//! Each transition of the fold: what an entry makes of the state, and what it leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::entry::FORMAT;
use super::*;
use crate::resource::{Kind, PendingDeletion, RunPurpose, RunStatus};

const A: &str = "m.bucket.a";
const B: &str = "m.bucket.b";

fn at(text: &str) -> Address {
    text.parse().expect("an address")
}

fn entry(seq: u64, fact: Fact) -> Entry {
    Entry { v: FORMAT, seq, run: uuid::Uuid::nil(), at: jiff::Timestamp::UNIX_EPOCH, fact }
}

fn run(revision: u64) -> Fact {
    Fact::RunBegan {
        stack: "s".into(),
        revision,
        command: format!("deploy {revision}"),
        by: "me@here".into(),
        account: format!("account {revision}"),
        tool: "0".into(),
        requested: BTreeSet::from([format!("step {revision}")]),
        fallback: Some(format!("fallback {revision}")),
        purpose: Some(RunPurpose::Deploy),
        platforms: Vec::new(),
    }
}

fn subject(address: &str, size: u32) -> ResourceSnapshot {
    ResourceSnapshot {
        address: at(address),
        kind: Kind::Bucket,
        generation: 0,
        spec: json!({"name": "b", "size": size}),
        needs: BTreeMap::new(),
        step: "m".into(),
        after: BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    }
}

fn known(value: u32) -> Attributes {
    Attributes::from([("value".to_owned(), json!(value))])
}

fn intended(action: Action, size: u32, id: Option<&str>) -> Fact {
    Fact::Intended { action, subject: subject(A, size), id: id.map(str::to_owned) }
}

fn made(address: &str, id: &str, size: u32) -> Fact {
    let action = Action::Create;
    Fact::Succeeded { action, subject: subject(address, size), id: id.into(), attributes: known(size), took_ms: 1 }
}

fn left(address: &str, id: &str) -> PendingDeletion {
    PendingDeletion {
        address: at(address),
        kind: Kind::Bucket,
        id: id.into(),
        spec: json!({}),
        attributes: Attributes::new(),
        reason: "r".into(),
        held_by: BTreeSet::new(),
    }
}

fn failed(action: Action, class: FaultClass) -> Fact {
    Fact::Failed { action, address: at(A), fault: Fault::new(class, "s3", "CreateBucket", "Code", "no") }
}

fn entries(facts: Vec<Fact>) -> Vec<Entry> {
    [run(1)].into_iter().chain(facts).zip(1..).map(|(fact, seq)| entry(seq, fact)).collect()
}

fn after(facts: Vec<Fact>) -> StackState {
    fold("s", &entries(facts)).expect("it folds")
}

fn ids(left: &[PendingDeletion]) -> Vec<(&str, &str)> {
    left.iter().map(|left| (left.address.as_str(), left.id.as_str())).collect()
}

#[test]
fn entries_follow_each_other_without_a_gap_and_begin_with_a_run() {
    let wrong = |entries: &[Entry]| fold("s", entries).expect_err("it contradicts").to_string();
    assert_eq!(wrong(&[entry(2, run(1))]), "entry 2: it follows entry 0, so it should have number 1");
    let twice = [entry(1, run(1)), entry(1, run(2))];
    assert_eq!(wrong(&twice), "entry 1: it follows entry 1, so it should have number 2");
    assert_eq!(wrong(&[entry(1, run(2))]), "entry 1: revision 2 cannot follow revision 0");
    assert_eq!(wrong(&[entry(1, run(1)), entry(2, run(1))]), "entry 2: revision 1 cannot follow revision 1");
    assert_eq!(wrong(&[entry(1, made(A, "a", 1))]), "entry 1: it is before the first run");
    let state = after(vec![made(A, "a", 1)]);
    assert_eq!((state.sequence, state.revision(), state.stack.as_str()), (2, 1, "s"));
    let more = fold_from(state, &[entry(3, run(2)), entry(4, made(B, "b", 1))]).expect("they follow");
    assert_eq!((more.sequence, more.resources.len()), (4, 2));
}

#[test]
fn a_run_says_who_made_it_and_how_it_ended() {
    let ended = Fact::RunEnded { ending: RunStatus::Partial, changes: 3 };
    let state = after(vec![ended, run(2)]);
    assert_eq!(state.account.as_deref(), Some("account 2"));
    assert_eq!(state.requested, BTreeSet::from(["step 2".to_owned()]));
    assert_eq!(state.fallback.as_deref(), Some("fallback 2"));
    let [first, second] = state.runs.as_slice() else { panic!("two runs: {:?}", state.runs) };
    assert_eq!((first.revision, first.command.as_str(), first.by.as_str()), (1, "deploy 1", "me@here"));
    assert_eq!((first.purpose, first.at.as_str()), (Some(RunPurpose::Deploy), "1970-01-01T00:00:00Z"));
    assert_eq!((first.ending, first.changes), (Some(RunStatus::Partial), 3));
    assert_eq!((second.revision, second.ending, second.changes), (2, None, 0));
}

#[test]
fn the_state_at_the_end_of_a_revision_is_that_before_the_next_run() {
    let all = entries(vec![made(A, "a", 1), run(2), made(B, "b", 1), run(3)]);
    for (revision, resources, sequence) in [(0, 0, 0), (1, 1, 2), (2, 2, 4), (3, 2, 5), (9, 2, 5)] {
        let state = fold_until(StackState::empty("s"), &all, revision).expect("it folds");
        assert_eq!((state.resources.len(), state.sequence), (resources, sequence), "{revision}");
    }
}

#[test]
fn what_was_done_is_what_is_known_from_then_on() {
    let state = after(vec![intended(Action::Create, 1, None), made(A, "a", 1)]);
    let record = &state.resources[&at(A)];
    assert_eq!((record.id.as_deref(), record.standing), (Some("a"), ResourceStatus::Present));
    assert_eq!((&record.attributes, record.step.as_str()), (&known(1), "m"));
    assert_eq!((record.spec["size"].as_u64(), &record.pending, &record.made_at), (Some(1), &None, &None));
    let accepted = Fact::Accepted { subject: subject(A, 2), id: "a2".into(), attributes: known(2), paths: vec![] };
    let state = after(vec![made(A, "a", 1), accepted]);
    assert_eq!((state.resources[&at(A)].id.as_deref(), &state.resources[&at(A)].attributes), (Some("a2"), &known(2)));
    // What was to go and is in use again stays; others of the address and of other addresses go on to go.
    let aside = [(A, "a"), (A, "old"), (B, "a")].map(|(address, id)| Fact::SetAside(left(address, id)));
    let state = after(aside.into_iter().chain([made(A, "a", 1)]).collect());
    assert_eq!(ids(&state.pending_deletions), [(A, "old"), (B, "a")]);
}

#[test]
fn what_is_begun_keeps_the_last_known_settings_until_it_is_answered() {
    let begun =
        |before: Vec<Fact>, fact: Fact| after(before.into_iter().chain([fact]).collect()).resources.remove(&at(A));
    let there = || vec![made(A, "a", 1)];
    for (action, standing) in [
        (Action::Update, ResourceStatus::Updating),
        (Action::Adopt, ResourceStatus::Updating),
        (Action::Move, ResourceStatus::Updating),
        (Action::Delete, ResourceStatus::Deleting),
    ] {
        let record = begun(there(), intended(action, 2, Some("a"))).expect("it is known");
        assert_eq!((record.standing, record.spec["size"].as_u64()), (standing, Some(1)), "{action:?}");
        assert_eq!((record.id.as_deref(), &record.attributes), (Some("a"), &known(1)));
        let pending = record.pending.as_ref().and_then(|pending| pending["size"].as_u64());
        assert_eq!(pending, (standing == ResourceStatus::Updating).then_some(2), "{action:?}");
    }
    assert_eq!(begun(there(), intended(Action::Update, 1, Some("a"))).expect("known").pending, None, "nothing new");
    let twice =
        begun([there(), vec![intended(Action::Update, 2, Some("a"))]].concat(), intended(Action::Update, 1, Some("a")));
    assert_eq!(twice.expect("known").pending, Some(json!({"name": "b", "size": 2})), "the earlier one may be there");
    assert_eq!(begun(vec![], intended(Action::Delete, 1, Some("a"))), None);
    let new = begun(vec![], intended(Action::Create, 1, None)).expect("it may be there");
    assert_eq!((new.standing, new.id, new.pending), (ResourceStatus::Creating, None, None));
    let replaced = begun(there(), intended(Action::Replace, 2, None)).expect("it may be there");
    assert_eq!((replaced.standing, replaced.spec["size"].as_u64()), (ResourceStatus::Creating, Some(2)));
    let seen = Attributes::from([("seen".to_owned(), json!(7))]);
    let look = Fact::Intended {
        action: Action::Update,
        subject: ResourceSnapshot { seen, ..subject(A, 2) },
        id: Some("a".into()),
    };
    let attributes = begun(there(), look).expect("known").attributes;
    assert_eq!(attributes.keys().map(String::as_str).collect::<Vec<_>>(), ["seen", "value"]);
}

#[test]
fn what_goes_leaves_its_address_to_another_generation() {
    let gone = |fact: Fact| after(vec![made(A, "a", 1), fact]);
    let removed = |address: &str, id: &str| Fact::Removed { address: at(address), id: id.into() };
    let state = gone(removed(A, "a"));
    assert_eq!((state.resources.len(), state.generation(&at(A))), (0, 1));
    assert_eq!(gone(removed(A, "other")).resources.len(), 1, "another one had the address");
    assert_eq!(gone(Fact::Forgotten { address: at(A) }).generation(&at(A)), 1);
    let state = gone(Fact::Forgotten { address: at(B) });
    assert_eq!((state.resources.len(), state.generations.len()), (1, 0));
    // Of a create that was never answered no ID is known.
    let state = after(vec![intended(Action::Create, 1, None), removed(A, "a")]);
    assert_eq!((state.resources.len(), state.generation(&at(A))), (0, 1));

    let aside = |address: &str, id: &str| Fact::SetAside(left(address, id));
    let state = gone(aside(A, "a"));
    assert_eq!(
        (state.resources.len(), state.generation(&at(A)), ids(&state.pending_deletions)),
        (0, 1, vec![(A, "a")])
    );
    let state = gone(aside(A, "older"));
    assert_eq!((state.resources.len(), ids(&state.pending_deletions)), (1, vec![(A, "older")]));
    let state = after(vec![aside(A, "1"), aside(A, "2"), aside(B, "1"), aside(A, "1")]);
    assert_eq!(ids(&state.pending_deletions), [(A, "2"), (B, "1"), (A, "1")], "each stands there once");
    for fact in [removed(A, "1"), Fact::Cleared { address: at(A), id: "1".into() }] {
        let state = after(vec![aside(A, "1"), aside(A, "2"), aside(B, "1"), fact]);
        assert_eq!(ids(&state.pending_deletions), [(A, "2"), (B, "1")]);
    }
}

#[test]
fn what_failed_did_not_take_effect_unless_it_may_have() {
    let state = |before: Vec<Fact>, fact: Fact| after(before.into_iter().chain([fact]).collect());
    let begun = || vec![intended(Action::Create, 1, None)];
    let there = |action: Action| vec![made(A, "a", 1), intended(action, 2, Some("a"))];
    let standing = |state: &StackState| state.resources.get(&at(A)).map(|record| record.standing);
    assert_eq!(standing(&state(begun(), failed(Action::Create, FaultClass::Refused))), None);
    for class in [FaultClass::Denied, FaultClass::Credentials] {
        let refused = state(begun(), failed(Action::Create, class));
        assert_eq!(standing(&refused), Some(ResourceStatus::Creating), "calls before that one may have made it");
        assert!(refused.refused.get(&at(A)).is_some_and(|code| *code == "Code"), "{:?}", refused.refused);
        let again = state(vec![begun().remove(0), failed(Action::Create, class)], intended(Action::Create, 1, None));
        assert!(again.refused.is_empty(), "it is tried again");
    }
    for action in [Action::Update, Action::Delete] {
        let failed = state(there(action), failed(action, FaultClass::Refused));
        assert_eq!((standing(&failed), failed.refused.len()), (Some(ResourceStatus::Present), 0));
    }
    assert_eq!(standing(&state(begun(), failed(Action::Adopt, FaultClass::Refused))), Some(ResourceStatus::Creating));
    assert_eq!(standing(&state(vec![], failed(Action::Create, FaultClass::Denied))), None);
    // The generation that was tried is used up only where one has been before.
    let tried = |generation: u32| {
        let subject = ResourceSnapshot { generation, ..subject(A, 1) };
        let begun = Fact::Intended { action: Action::Create, subject, id: None };
        state(vec![begun], failed(Action::Create, FaultClass::Refused)).generations
    };
    assert_eq!((tried(0), tried(2)), (BTreeMap::new(), BTreeMap::from([(at(A), 2)])));
}

#[test]
fn a_run_without_an_end_says_what_it_did_and_what_it_got_no_answer_to() {
    let run = |facts: Vec<Fact>| {
        let run = after(facts).runs.pop().expect("a run");
        (run.changes, run.unanswered.iter().map(|address| address.as_str().to_owned()).collect::<Vec<_>>())
    };
    let none: Vec<String> = Vec::new();
    let begun = || intended(Action::Create, 1, None);
    assert_eq!(run(vec![begun()]), (0, vec![A.to_owned()]));
    assert_eq!(run(vec![begun(), made(A, "a", 1)]), (1, none.clone()));
    // Written down once more, with what became known later.
    assert_eq!(run(vec![begun(), made(A, "a", 1), made(A, "a", 1)]), (1, none.clone()));
    let removed = || Fact::Removed { address: at(A), id: "a".into() };
    let deleted = || vec![begun(), made(A, "a", 1), intended(Action::Delete, 1, Some("a")), removed()];
    assert_eq!(run(deleted()), (2, none.clone()));
    for left in [Fact::Cleared { address: at(B), id: "b".into() }, Fact::Forgotten { address: at(B) }] {
        assert_eq!(run(deleted().into_iter().chain([left]).collect()), (3, none.clone()));
    }
    let without_effect = [failed(Action::Create, FaultClass::Refused), Fact::SetAside(left(A, "a"))];
    for fact in without_effect {
        assert_eq!(run(vec![begun(), fact]), (0, none.clone()));
    }
}
