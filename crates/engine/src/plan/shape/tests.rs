use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::resource::Address;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Bucket {
    name: String,
    region: String,
    #[serde(default)]
    versioning: bool,
    days: Option<u16>,
    #[serde(default)]
    form: Option<Form>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Plain,
    Only(BTreeSet<String>),
    Sized { bytes: u64 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Step {
    buckets: BTreeMap<String, Bucket>,
    #[serde(default)]
    moved: Vec<Address>,
    #[serde(default)]
    owner: Option<Owner>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Owner {
    address: Address,
    title: String,
}

fn all(value: &Value) -> (Option<Step>, Vec<String>) {
    let mut places = Placeholders::default();
    let (step, found) = read_as::<Step>(value, "with", &mut places);
    (step, found.iter().map(|mismatch| format!("{}: {mismatch}", mismatch.path())).collect())
}

#[test]
fn what_fits_is_read_as_it_is() {
    let value = json!({
        "buckets": {"a.b": {"name": "x", "region": "r", "versioning": true, "days": 7, "form": {"only": ["k"]}}},
        "moved": ["a.b.c"], "owner": {"address": "a.b.c", "title": "t"},
    });
    let (step, found) = all(&value);
    assert_eq!(found, Vec::<String>::new());
    let step = step.expect("a step");
    assert_eq!(step, serde_json::from_value(value).expect("the same by serde"));
    for form in [json!("plain"), json!({"plain": null}), json!({"sized": {"bytes": 1}})] {
        let value = json!({"buckets": {"a": {"name": "x", "region": "r", "form": form}}});
        assert_eq!(all(&value), (serde_json::from_value(value).ok(), Vec::new()));
    }
}

#[test]
fn each_mistake_is_told_once_and_hides_no_other() {
    let (step, mut found) = all(&json!({
        "bukets": {},
        "buckets": {
            "one": {"name": 7, "regoin": "r", "versioning": "yes"},
            "two": {"days": -1, "form": "plane"},
            "three": {"name": "x", "region": "r", "form": {"only": [1, "k", true]}},
            "four": [],
        },
        "moved": ["a.b.c", "a.b", 7],
    }));
    assert!(step.is_some());
    found.sort();
    let wrong = "a.b".parse::<Address>().expect_err("no address");
    let moved = format!("with.moved.1: {wrong}");
    let wanted = [
        "with.buckets.four: invalid length 0, expected struct Bucket with 5 elements",
        "with.buckets.one.name: invalid type: integer `7`, expected a string",
        "with.buckets.one.regoin: unknown field `regoin`, expected one of `name`, `region`, `versioning`, `days`, `form`",
        "with.buckets.one.versioning: invalid type: string \"yes\", expected a boolean",
        "with.buckets.one: missing field `region`",
        "with.buckets.three.form.only.0: invalid type: integer `1`, expected a string",
        "with.buckets.three.form.only.2: invalid type: boolean `true`, expected a string",
        "with.buckets.two.days: invalid value: integer `-1`, expected a whole number from 0 to 65535",
        "with.buckets.two.form: unknown variant `plane`, expected one of `plain`, `only`, `sized`",
        "with.buckets.two: missing field `name`",
        "with.buckets.two: missing field `region`",
        "with.bukets: unknown field `bukets`, expected one of `buckets`, `moved`, `owner`",
        moved.as_str(),
        "with.moved.2: invalid type: integer `7`, expected a string",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn what_no_placeholder_can_fill_takes_what_holds_it_along() {
    let (step, found) = all(&json!({"buckets": {}, "owner": {"address": "x", "title": 7}}));
    assert_eq!(step.expect("a step").owner, None);
    let wrong = "x".parse::<Address>().expect_err("no address");
    let title = "with.owner.title: invalid type: integer `7`, expected a string".to_owned();
    assert_eq!(found, [format!("with.owner.address: {wrong}"), title]);
}

#[test]
fn the_whole_may_be_of_another_type() {
    for whole in [json!(null), json!(7), json!("x"), json!([1])] {
        let (_, found) = all(&whole);
        assert_eq!(found.len(), 1, "{whole}: {found:?}");
    }
    let (step, found) = all(&json!({}));
    assert_eq!(
        (step.map(|step| step.buckets), found),
        (Some(BTreeMap::new()), vec!["with: missing field `buckets`".to_owned()])
    );
}

#[test]
fn what_was_wrong_before_is_not_told_again() {
    let mut places = Placeholders::default();
    places.note("with.buckets.a.name");
    let value = json!({"buckets": {"a": {"name": null, "region": 7}}});
    let (step, found) = read_as::<Step>(&value, "with", &mut places);
    assert!(step.is_some());
    assert_eq!(found.iter().map(Misfit::path).collect::<Vec<_>>(), ["with.buckets.a.region"]);
}
