//! Text in, merged data and places out.

use serde_json::json;

use super::*;

const EARLIER: &str = "\
version: 1
stack: a
metadata: {name: a, title: A}
variables: {x: {default: one}}
days:
- day: 1
  title: First
  steps:
  - id: models
    title: Models
    kind: models
    with:
      buckets:
        one: {name: b-one, region: us-east-1, tags: [x, y]}
        logs: {name: b-logs, region: us-east-1}
  - {id: proof, title: Proof, kind: report, needs: [models], with: {verb: v}}
fallbacks: {slow: {title: Slow, only: [a], set: {models.buckets.one.name: c}}}
criteria: {P0: [{id: fast, threshold: 1}, {id: cheap, threshold: 2}]}
";

/// Files from the one that is named to the earliest, called `0.yaml`, `1.yaml` and so on.
fn chain(texts: &[&str]) -> Vec<ChainFile> {
    let link = |(number, source): (usize, &&str)| ChainFile {
        file: format!("{number}.yaml"),
        source: (*source).to_owned(),
        text: SourceText::parse(source).expect("YAML"),
    };
    texts.iter().enumerate().map(link).collect()
}

fn told(changes: &[LayeredChange]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {} {}", change.file, change.what, change.path)).collect()
}

#[track_caller]
fn refused(later: &str, words: &str) {
    let bad = merged(&chain(&[later, EARLIER])).map(drop).expect_err("it is refused").to_string();
    assert!(bad.contains(words), "{words:?} in {bad}");
}

#[test]
fn mappings_days_and_steps_become_one_and_the_rest_is_replaced() {
    let later = "\
extends: a
stack: b
remove: [steps.models.with.buckets.logs]
variables: {x: {default: two}}
days:
- day: 1
  steps:
  - id: models
    with:
      buckets:
        one: {region: eu-west-1, tags: [z]}
        two: {name: b-two, region: us-east-1}
- day: 2
  title: Second
  steps:
  - {id: more, title: More, kind: report, with: {verb: w}}
";
    let (whole, changes) = merged(&chain(&[later, EARLIER])).expect("one plan");
    let value = whole.value();
    let one = json!({"name": "b-one", "region": "eu-west-1", "tags": ["z"]});
    let two = json!({"name": "b-two", "region": "us-east-1"});
    let models =
        json!({"id": "models", "title": "Models", "kind": "models", "with": {"buckets": {"one": one, "two": two}}});
    let proof = json!({"id": "proof", "title": "Proof", "kind": "report", "needs": ["models"], "with": {"verb": "v"}});
    let more = json!({"id": "more", "title": "More", "kind": "report", "with": {"verb": "w"}});
    assert_eq!(value["days"][0], json!({"day": 1, "title": "First", "steps": [models, proof]}));
    assert_eq!(value["days"][1], json!({"day": 2, "title": "Second", "steps": [more]}));
    assert_eq!((&value["stack"], &value["metadata"]), (&json!("b"), &json!({"name": "a", "title": "A"})));
    assert_eq!(value["variables"], json!({"x": {"default": "two"}}));
    assert!(value.get("extends").is_none() && value.get("remove").is_none());
    let said = [
        "0.yaml removed steps.models.with.buckets.logs",
        "0.yaml changed steps.models.with.buckets.one.region",
        "0.yaml changed steps.models.with.buckets.one.tags",
        "0.yaml added steps.models.with.buckets.two",
        "0.yaml added days.2",
        "0.yaml added steps.more",
        "0.yaml changed stack",
        "0.yaml changed variables.x.default",
    ];
    assert_eq!(told(&changes), said);
    let flat = whole.flat();
    for (path, file, line) in [
        ("stack", 0, 2),
        ("metadata.title", 1, 3),
        ("days.0.steps.0.with.buckets.one.region", 0, 11),
        ("days.0.steps.0.with.buckets.one.name", 1, 14),
        ("days.0.steps.0.with.buckets.two", 0, 12),
        ("days.0.steps.1", 1, 16),
        ("days.1.steps.0.with.verb", 0, 16),
    ] {
        assert_eq!((flat.files[path], flat.places[path].line), (file, line), "{path}");
    }
}

#[test]
fn a_chain_is_put_together_from_its_end() {
    let middle = "extends: a\nmetadata: {week: 14, title: B}\ndays: [{day: 0, title: Zero, steps: []}]\n";
    let last = "extends: b\nmetadata: {title: C}\nremove: [metadata.week]\n";
    let (whole, changes) = merged(&chain(&[last, middle, EARLIER])).expect("one plan");
    let value = whole.value();
    assert_eq!(value["metadata"], json!({"name": "a", "title": "C"}));
    assert_eq!((&value["days"][0]["day"], &value["days"][1]["day"]), (&json!(0), &json!(1)), "days are in order");
    let said = [
        "1.yaml added days.0",
        "1.yaml changed metadata.title",
        "1.yaml added metadata.week",
        "0.yaml removed metadata.week",
        "0.yaml changed metadata.title",
    ];
    assert_eq!(told(&changes), said);
}

#[test]
fn what_is_removed_is_named_by_ids_and_paths() {
    let removed = "[proof, criteria.P0.cheap, fallbacks.slow, steps.models.with.buckets.one.tags]";
    let (whole, _) = merged(&chain(&[&format!("extends: a\nremove: {removed}\n"), EARLIER])).expect("one plan");
    let value = whole.value();
    assert_eq!(value["days"][0]["steps"].as_array().map(Vec::len), Some(1));
    assert_eq!(value["criteria"], json!({"P0": [{"id": "fast", "threshold": 1}]}));
    assert_eq!(value["fallbacks"], json!({}));
    assert_eq!(value["days"][0]["steps"][0]["with"]["buckets"]["one"], json!({"name": "b-one", "region": "us-east-1"}));
    let all = merged(&chain(&["extends: a\nremove: [days.1, fallbacks]\n", EARLIER])).expect("one plan").0.value();
    assert_eq!((&all["days"], all.get("fallbacks")), (&json!([]), None));
    // Keys may hold dots, and what was removed may be written anew, in another kind.
    let dotted =
        "days: [{day: 1, title: F, steps: [{id: p, kind: page, with: {files: {a.b: {file: x}, a: {b: y}}}}]}]\n";
    for (path, left) in [("a.b", json!({"a": {"b": "y"}})), ("a.b.file", json!({"a.b": {}, "a": {"b": "y"}}))] {
        let later = format!("extends: a\nremove: [steps.p.with.files.{path}]\n");
        let value = merged(&chain(&[&later, dotted])).expect("one plan").0.value();
        assert_eq!(value["days"][0]["steps"][0]["with"]["files"], left, "{path}");
    }
    let anew =
        "extends: a\nremove: [models]\ndays: [{day: 1, steps: [{id: models, title: M, kind: page, with: {}}]}]\n";
    let value = merged(&chain(&[anew, EARLIER])).expect("one plan").0.value();
    assert_eq!(value["days"][0]["steps"][1], json!({"id": "models", "title": "M", "kind": "page", "with": {}}));
}

#[test]
fn what_cannot_be_is_refused() {
    refused("extends: a\nremove: [nothing]\n", "remove names \"nothing\"");
    refused("extends: a\nremove: [criteria.P0.0]\n", "remove names \"criteria.P0.0\"");
    refused("extends: a\nremove: [1]\n", "not named by a text");
    refused("extends: a\nremove: [models]\n", "it is named by step proof, fallback slow");
    refused("extends: a\nremove: [days.1]\n", "step \"models\" cannot be removed: it is named by fallback slow");
    let steps = |steps: &str| format!("extends: a\ndays: [{{day: 1, steps: [{steps}]}}]\n");
    refused(
        &steps("{id: proof, kind: page}"),
        "0.yaml:2:37: error PL008-override: step \"proof\" has the kind \"report\" in 1.yaml:16:31",
    );
    refused(&steps("{id: proof}, {id: proof}"), "duplicate step \"proof\"");
}

#[test]
fn paths_that_look_alike_count_for_the_file_that_was_named() {
    let earlier = "files: {a.b: {path: x}}\n";
    let later = "extends: a\nfiles: {a: {b: {path: '${var.y}'}}}\n";
    let flat = merged(&chain(&[later, earlier])).expect("one plan").0.flat();
    assert_eq!(flat.files["files.a.b.path"], 0);
    assert_eq!(flat.variables["files.a.b.path"].first, None, "one of the two begins with another text");
    for (text, first) in [("${var.y}/a/..b", Some("y")), ("${var.y}/../b", None), ("a/${var.y}", None)] {
        let later = format!("extends: a\nfiles: {{a: {{b: {{path: '{text}'}}}}}}\n");
        let flat = merged(&chain(&[&later, "version: 1\n"])).expect("one plan").0.flat();
        assert_eq!(flat.variables["files.a.b.path"].first.as_deref(), first, "{text}");
    }
    assert!(flat.variables["files.a.b.path"].all.contains("y"));
}
