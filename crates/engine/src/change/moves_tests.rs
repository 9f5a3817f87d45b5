//! Which record sets change their group, and which things a plan that renames them means.

use serde_json::json;

use super::tests::{address, known, wanted};
use super::*;

const NEW: &str = "r.records.new";
const OLD: &str = "r.records.old";

/// A group in a zone, with sets like `www A` or `www A eu`.
fn group(zone: &str, keys: &[&str]) -> Value {
    let sets: Vec<Value> = keys
        .iter()
        .map(|key| {
            let words: Vec<&str> = key.split(' ').collect();
            let mut set = json!({"name": words[0], "type": words[1], "ttl": 60, "values": ["192.0.2.1"]});
            if let Some(identifier) = words.get(2) {
                set["set_identifier"] = json!(identifier);
            }
            set
        })
        .collect();
    json!({"zone_id": zone, "sets": sets})
}

/// What moves between the groups that the journal has in zone Z1 and those of the plan.
fn told(held: &[(&str, &[&str])], plan: &[(&str, &str, &[&str])], said: &[(&str, &str)]) -> Vec<String> {
    let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
    // A resource of another kind does not count as a group of record sets, whatever its name.
    known(&mut state, "m.bucket.www", json!({"name": "www"}), json!({}));
    for (at, keys) in held {
        known(&mut state, at, group("Z1", keys), json!({}));
    }
    for (at, zone, keys) in plan {
        wanted(&mut desired, at, &group(zone, keys));
    }
    desired.moved = said.iter().map(|(from, to)| (address(from), address(to))).collect();
    let found = moves(&desired, &state);
    let whole = found.addresses.iter().map(|(from, to)| format!("{from} -> {to}"));
    let sets = found.sets.iter().map(|one| {
        let keys: Vec<&str> = one.keys.iter().map(String::as_str).collect();
        format!("{} -> {}: {}", one.from, one.to, keys.join(", "))
    });
    whole.chain(sets).collect()
}

#[test]
fn a_renamed_group_of_record_sets_moves_as_a_whole() {
    let sets = &["api A", "www A"][..];
    assert_eq!(told(&[(OLD, sets)], &[(NEW, "Z1", sets)], &[]), ["r.records.old -> r.records.new"]);
    assert!(told(&[(OLD, sets)], &[(OLD, "Z1", sets)], &[]).is_empty(), "nothing is renamed");
    assert!(told(&[(OLD, sets)], &[(NEW, "Z2", sets)], &[]).is_empty(), "the sets of another zone are others");
}

#[test]
fn a_group_that_the_journal_knows_without_an_id_is_in_the_zone_of_its_settings() {
    let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
    known(&mut state, OLD, group("Z1", &["www A"]), json!({}));
    state.resources.values_mut().for_each(|record| record.id = None);
    wanted(&mut desired, NEW, &group("Z1", &["www A"]));
    assert_eq!(moves(&desired, &state).addresses, BTreeMap::from([(address(OLD), address(NEW))]));
}

#[test]
fn a_group_that_wants_some_of_the_sets_of_another_gets_only_those() {
    let held = &[(OLD, &["api A", "www A"][..])];
    let only = ["r.records.old -> r.records.new: www A"];
    assert_eq!(told(held, &[(NEW, "Z1", &["www A"])], &[]), only);
    assert_eq!(told(held, &[(NEW, "Z1", &["www A"]), (OLD, "Z1", &["api A"])], &[]), only);
    // The former group has other sets from now on: it keeps its address.
    assert_eq!(told(&[(OLD, &["www A"])], &[(NEW, "Z1", &["www A"]), (OLD, "Z1", &["mail MX"])], &[]), only);
    let halves = ["r.records.old -> r.records.a: api A", "r.records.old -> r.records.b: www A"];
    assert_eq!(told(held, &[("r.records.a", "Z1", &["api A"]), ("r.records.b", "Z1", &["www A"])], &[]), halves);
}

#[test]
fn a_set_that_its_group_still_wants_stays_there() {
    let plan: &[(&str, &str, &[&str])] = &[(NEW, "Z1", &["www A"]), (OLD, "Z1", &["www A"])];
    assert!(told(&[(OLD, &["www A"])], plan, &[]).is_empty());
}

#[test]
fn when_two_groups_become_one_the_second_brings_its_sets_to_the_first() {
    let both = &["api A", "www A"][..];
    let held = &[("r.records.a", &["api A"][..]), ("r.records.b", &["www A"][..])];
    let merged = told(held, &[(NEW, "Z1", both)], &[]);
    assert_eq!(merged, ["r.records.a -> r.records.new", "r.records.b -> r.records.new: www A"]);
    // One that exists already takes the sets of the other.
    assert_eq!(told(held, &[("r.records.a", "Z1", both)], &[]), ["r.records.b -> r.records.a: www A"]);
}

#[test]
fn a_set_that_has_to_go_for_another_moves_to_the_group_of_that_one() {
    let old = |key: &str, plan: &[(&str, &str, &[&str])]| told(&[(OLD, &[key])], plan, &[]);
    let moved = ["r.records.old -> r.records.new"];
    assert_eq!(old("www A", &[(NEW, "Z1", &["www CNAME"])]), moved, "the same name");
    assert_eq!(old("www A", &[(NEW, "Z1", &["www A eu"])]), moved, "the same name and type");
    // Among several, the one of the same type.
    assert_eq!(old("www A", &[("r.records.a", "Z1", &["www TXT"]), (NEW, "Z1", &["www A eu"])]), moved);
    for other in ["api A", "wwwx A", "ww A"] {
        assert!(old("www A", &[(NEW, "Z1", &[other])]).is_empty(), "{other} has another name");
    }
}

#[test]
fn what_the_plan_says_of_a_group_moves_it_when_no_other_wants_its_sets() {
    let said = &[(OLD, NEW)];
    let mail = (NEW, "Z1", &["mail MX"][..]);
    assert_eq!(told(&[(OLD, &["www A"])], &[mail], said), ["r.records.old -> r.records.new"]);
    let elsewhere = (NEW, "Z1", &["mail MX"][..]);
    assert!(told(&[(OLD, &["www A"])], &[elsewhere], &[(OLD, "r.records.none")]).is_empty(), "no such group");
    let third: (&str, &str, &[&str]) = ("r.records.third", "Z1", &["www A"]);
    let some = told(&[(OLD, &["api A", "www A"])], &[mail, third], said);
    assert_eq!(some, ["r.records.old -> r.records.third: www A"], "a group wants one of its sets");
}

#[test]
fn a_policy_that_is_renamed_is_recognized_by_the_bucket_that_stays() {
    let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
    let policy = json!({"bucket": "${m.bucket.x#name}"});
    known(&mut state, "m.bucket.x", json!({"name": "one"}), json!({"name": "one"}));
    known(&mut state, "m.bucket-policy.old", policy.clone(), json!({}));
    wanted(&mut desired, "m.bucket.x", &json!({"name": "one"}));
    wanted(&mut desired, "m.bucket-policy.new", &policy);
    let renamed = BTreeMap::from([(address("m.bucket-policy.old"), address("m.bucket-policy.new"))]);
    assert_eq!(moves(&desired, &state).addresses, renamed);
}

#[test]
fn what_is_said_of_an_address_that_the_journal_does_not_know_moves_nothing() {
    let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
    known(&mut state, "m.bucket.other", json!({"name": "other"}), json!({}));
    wanted(&mut desired, "m.bucket.new", &json!({"name": "new"}));
    desired.moved = BTreeMap::from([(address("m.bucket.never"), address("m.bucket.new"))]);
    assert!(moves(&desired, &state).is_empty());
}

#[test]
fn a_second_health_check_like_the_first_is_new_and_the_first_stays() {
    let (mut state, mut desired) = (StackState::empty("s"), Desired::new("s"));
    let check = json!({"protocol": "HTTPS", "host": "h", "port": 443, "path": "/", "interval_seconds": 30});
    known(&mut state, "r.health-check.b", check.clone(), json!({}));
    wanted(&mut desired, "r.health-check.a", &check);
    wanted(&mut desired, "r.health-check.b", &check);
    assert!(moves(&desired, &state).is_empty());
}
