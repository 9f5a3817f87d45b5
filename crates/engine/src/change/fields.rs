//! Differing fields: only fields that the plan sets are compared; all others are kept.

use serde_json::{Map, Value};

use crate::resource::sensitive::is_secret_variable;
use crate::resource::{FieldChange, Kind, ObservedResource, Owner, counterpart, has_references};

/// The fields in which a found thing differs, its mark among them: one that was taken away or changed from outside is put
/// back like a setting.
pub fn differing(
    stack: &str,
    kind: Kind,
    wanted: &Value,
    recorded: Option<&Value>,
    found: &ObservedResource,
) -> Vec<FieldChange> {
    let mut fields = compare(kind, wanted, recorded, &found.spec);
    if let (Some(path), Owner::Foreign(why) | Owner::Contested(why)) = (kind.facts().mark, &found.owner) {
        let old = Some(Value::String(why.clone()));
        fields.push(FieldChange { old, drifted: recorded.is_some(), ..mark(stack, path) });
    }
    fields
}

/// The field that stands for the stack's mark.
pub fn mark(stack: &str, path: &str) -> FieldChange {
    FieldChange { path: path.to_owned(), old: None, new: Some(Value::String(stack.to_owned())), drifted: false }
}

/// The value at a dotted path; keys may hold dots themselves.
pub fn at_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(path).or_else(|| {
            let below = |(key, held): (&String, &'v Value)| at_path(held, path.strip_prefix(key)?.strip_prefix('.')?);
            fields.iter().find_map(below)
        }),
        Value::Array(items) => {
            let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
            let item = items.get(first.parse::<usize>().ok()?)?;
            rest.map_or(Some(item), |rest| at_path(item, rest))
        }
        _ => None,
    }
}

/// The fields in which `found` differs from `wanted`, sorted by path. `recorded` is the spec of the last run: a field
/// that was stated then and is not any more goes back to its default (`new` is none). All three are resolved as far as
/// can be; a reference that is still open counts as different.
pub fn compare(kind: Kind, wanted: &Value, recorded: Option<&Value>, found: &Value) -> Vec<FieldChange> {
    let facts = kind.facts();
    let mut walk = Walk { exact: facts.exact, unordered: facts.unordered, changes: Vec::new() };
    walk.value("", wanted, recorded, Some(found));
    walk.changes
}

struct Walk {
    exact: &'static [&'static str],
    unordered: &'static [&'static str],
    changes: Vec<FieldChange>,
}

impl Walk {
    fn value(&mut self, path: &str, wanted: &Value, recorded: Option<&Value>, found: Option<&Value>) {
        if self.exact.contains(&path) {
            let same = if self.unordered.contains(&path) {
                found.is_some_and(|found| same_members(found, wanted))
            } else {
                found == Some(wanted)
            };
            if !same {
                self.note(path, Some(wanted), recorded, found);
            }
            return;
        }
        match (wanted, found) {
            (Value::Object(wanted), Some(Value::Object(found))) => {
                self.object(path, wanted, recorded.and_then(Value::as_object), found);
            }
            (Value::Array(wanted), Some(Value::Array(held))) if wanted.len() == held.len() => {
                let before = recorded.and_then(Value::as_array);
                for (at, (wanted, found)) in wanted.iter().zip(held).enumerate() {
                    let before = before.and_then(|before| counterpart(before, found, at));
                    let path = join(path, &at.to_string());
                    if is_secret_and_differs(&path, wanted, found) {
                        // With its name, so that whoever shows it knows that it is secret.
                        self.note(&path, Some(wanted), before, Some(found));
                    } else {
                        self.value(&path, wanted, before, Some(found));
                    }
                }
            }
            (wanted, found) if found == Some(wanted) => {}
            (wanted, found) => self.note(path, Some(wanted), recorded, found),
        }
    }

    fn object(
        &mut self,
        path: &str,
        wanted: &Map<String, Value>,
        recorded: Option<&Map<String, Value>>,
        found: &Map<String, Value>,
    ) {
        for (key, wanted) in wanted {
            let before = recorded.and_then(|before| before.get(key));
            self.value(&join(path, key), wanted, before, found.get(key));
        }
        let dropped = recorded.into_iter().flatten().filter(|(key, _)| !wanted.contains_key(*key));
        for (key, before) in dropped {
            let Some(held) = found.get(key).filter(|held| !is_nothing(held)) else { continue };
            match (before, held) {
                // Others may have put members of their own there: only what was stated goes.
                (Value::Object(before), Value::Object(held)) if key == "tags" => {
                    self.object(&join(path, key), &Map::new(), Some(before), held);
                }
                _ => self.note(&join(path, key), None, Some(before), Some(held)),
            }
        }
    }

    fn note(&mut self, path: &str, new: Option<&Value>, recorded: Option<&Value>, found: Option<&Value>) {
        self.changes.push(FieldChange {
            path: path.to_owned(),
            old: found.cloned(),
            new: new.cloned(),
            // A reference that is open again does not say what the last run wrote.
            drifted: recorded.is_some_and(|before| Some(before) != found && !has_references(before)),
        });
    }
}

/// Whether a member of a list is an environment variable with a secret value that differs.
fn is_secret_and_differs(path: &str, wanted: &Value, found: &Value) -> bool {
    let in_env = path.rsplit_once('.').is_some_and(|(list, _)| list.ends_with(".env"));
    in_env && is_secret_variable(wanted) && wanted.get("value") != found.get("value")
}

/// Takes away the value at a dotted path; keys may hold dots themselves.
pub fn without(value: &mut Value, path: &str) {
    let Value::Object(fields) = value else { return };
    if fields.remove(path).is_some() {
        return;
    }
    for (key, held) in fields.iter_mut() {
        if let Some(rest) = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            without(held, rest);
        }
    }
}

/// Whether two lists have the same members, in whatever order.
fn same_members(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_array(), other.as_array()) else { return one == other };
    one.len() == other.len() && one.iter().all(|member| other.contains(member))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Whether one of `paths` is `path`, or stands above it.
pub fn touches(paths: &[&str], path: &str) -> bool {
    paths.iter().any(|known| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(kind: Kind, wanted: &Value, recorded: Option<&Value>, found: &Value) -> Vec<String> {
        compare(kind, wanted, recorded, found).into_iter().map(|field| field.path).collect()
    }

    #[test]
    fn what_the_plan_leaves_out_is_left_alone() {
        let wanted = json!({"name": "b", "tags": {"a": "1"}});
        let found = json!({"name": "b", "versioning": true, "tags": {"a": "1", "theirs": "2"}});
        assert!(compare(Kind::Bucket, &wanted, None, &found).is_empty());
    }

    #[test]
    fn a_field_that_was_stated_and_is_not_any_more_goes_back() {
        let wanted = json!({"name": "b", "tags": {}});
        let before = json!({"name": "b", "encryption": "AES256", "tags": {"a": "1"}, "cors": []});
        let found = json!({"name": "b", "encryption": "AES256", "tags": {"a": "1", "theirs": "2"}, "cors": []});
        let got = compare(Kind::Bucket, &wanted, Some(&before), &found);
        let told: Vec<_> = got.iter().map(|field| (field.path.as_str(), field.new.is_none())).collect();
        assert_eq!(told, [("tags.a", true), ("encryption", true)]);
        let all_dropped = json!({"name": "b"});
        assert_eq!(paths(Kind::Bucket, &all_dropped, Some(&before), &found), ["encryption", "tags.a"]);
    }

    #[test]
    fn drift_is_told_from_a_change_of_the_plan() {
        let before = json!({"price_class": "PriceClass_100", "comment": "x"});
        let wanted = json!({"price_class": "PriceClass_200", "comment": "x"});
        let found = json!({"price_class": "PriceClass_100", "comment": "y"});
        let got = compare(Kind::Distribution, &wanted, Some(&before), &found);
        let told: Vec<_> = got.iter().map(|field| (field.path.as_str(), field.drifted)).collect();
        assert_eq!(told, [("comment", true), ("price_class", false)]);
    }

    #[test]
    fn the_content_of_a_file_is_one_field_and_a_change_of_the_plan_is_not_drift() {
        let file = |content: Value| json!({"host": "a", "path": "/x", "content": content});
        let one = |before: Value, found: Value| {
            let wanted = file(json!({"text": "B"}));
            let got = compare(Kind::File, &wanted, Some(&file(before)), &file(found.clone()));
            assert_eq!((got.len(), got[0].path.as_str(), got[0].old.as_ref()), (1, "content", Some(&found)));
            got[0].drifted
        };
        let (was, other) = (json!({"text": "A"}), json!({"sha256": "0".repeat(64)}));
        assert!(!one(was.clone(), was.clone()), "as the last run left it");
        assert!(one(was.clone(), other.clone()), "somebody wrote something else");
        assert!(one(was, json!("directory")), "something of another form stands there");
        // What the last run filled in is not known any longer.
        assert!(!one(json!({"text": "${models.bucket.b#name}"}), other));
    }

    #[test]
    fn exact_fields_are_compared_to_the_letter() {
        let wanted = json!({"name": "r", "trust": {"Statement": [{"Effect": "Allow"}]}});
        let found = json!({"name": "r", "trust": {"Statement": [{"Effect": "Allow", "Principal": "*"}]}});
        assert_eq!(paths(Kind::Role, &wanted, None, &found), ["trust"]);
    }

    #[test]
    fn lists_differ_as_a_whole_by_length_and_by_member_else() {
        let wanted = json!({"origins": [{"id": "a", "domain_name": "x"}]});
        let same = json!({"origins": [{"id": "a", "domain_name": "x", "shield": false}]});
        assert!(compare(Kind::Distribution, &wanted, None, &same).is_empty());
        let moved = json!({"origins": [{"id": "a", "domain_name": "y"}]});
        assert_eq!(paths(Kind::Distribution, &wanted, None, &moved), ["origins.0.domain_name"]);
        let more = json!({"origins": [{"id": "a", "domain_name": "x"}, {"id": "b"}]});
        assert_eq!(paths(Kind::Distribution, &wanted, None, &more), ["origins"]);
    }

    #[test]
    fn members_with_names_are_compared_with_their_own_past() {
        let wanted = json!({"origins": [{"id": "b"}]});
        let before = json!({"origins": [{"id": "a"}, {"id": "b", "path": "/x"}]});
        let found = json!({"origins": [{"id": "b", "path": "/x"}]});
        assert_eq!(paths(Kind::Distribution, &wanted, Some(&before), &found), ["origins.0.path"]);
    }

    #[test]
    fn a_secret_variable_differs_with_its_name() {
        let object = |password: &str, mode: &str| {
            let env = json!([{"name": "PASSWORD", "value": password}, {"name": "MODE", "value": mode}]);
            json!({"object": {"spec": {"env": env}}})
        };
        assert_eq!(
            paths(Kind::Manifest, &object("b", "y"), None, &object("a", "x")),
            ["object.spec.env.0", "object.spec.env.1.value"]
        );
        assert!(paths(Kind::Manifest, &object("a", "x"), None, &object("a", "x")).is_empty());
    }

    #[test]
    fn a_path_leads_through_keys_with_dots() {
        let value = json!({"tags": {"a.b": "1"}, "origins": [{"id": "x", "shield": {"region": "r"}}]});
        assert_eq!(at_path(&value, "tags.a.b"), Some(&json!("1")));
        assert_eq!(at_path(&value, "origins.0.shield.region"), Some(&json!("r")));
        assert_eq!((at_path(&value, "origins.1"), at_path(&value, "tags.a")), (None, None));
    }

    #[test]
    fn a_path_touches_what_stands_below_it() {
        assert!(touches(&["aliases"], "aliases.0"));
        assert!(!touches(&["aliases"], "aliases_other"));
    }

    #[test]
    fn what_was_stated_as_a_whole_goes_as_a_whole_and_nothing_goes_twice() {
        let wanted = json!({"name": "b"});
        let dropped = |before: Value, found: Value| {
            let of = |cors: Value| json!({"name": "b", "website": cors});
            paths(Kind::Bucket, &wanted, Some(&of(before)), &of(found))
        };
        let website = json!({"index": "index.html", "error": "error.html"});
        assert_eq!(dropped(website.clone(), website.clone()), ["website"]);
        for nothing in [json!(null), json!([]), json!({})] {
            assert!(dropped(website.clone(), nothing.clone()).is_empty(), "{nothing} is nothing");
        }
    }

    #[test]
    fn a_list_whose_order_says_nothing_differs_by_its_members() {
        let check = |regions: &[&str]| json!({"regions": regions});
        let differs = |wanted: &[&str], found: &[&str]| {
            !compare(Kind::HealthCheck, &check(wanted), None, &check(found)).is_empty()
        };
        assert!(!differs(&["us-east-1", "eu-west-1"], &["eu-west-1", "us-east-1"]));
        assert!(differs(&["us-east-1", "eu-west-1"], &["us-east-1"]));
        assert!(differs(&["us-east-1"], &["us-east-1", "eu-west-1"]));
        assert!(differs(&["us-east-1", "eu-west-1"], &["us-east-1", "us-west-1"]));
        let all = json!({"regions": null});
        assert_eq!(paths(Kind::HealthCheck, &check(&["us-east-1"]), None, &all), ["regions"], "no list is another");
    }

    #[test]
    fn a_value_is_taken_away_at_a_path_whose_keys_hold_dots() {
        let mut value = json!({"tags": {"a.b": "1", "a": {"c": "2"}}, "name": "n"});
        for path in ["tags.a.b", "tags.a.c", "name.none", "tag"] {
            without(&mut value, path);
        }
        assert_eq!(value, json!({"tags": {"a": {}}, "name": "n"}));
    }
}
