//! What a service shows, beside what was asked for: a default that nobody asked for is not news, another value is an extra,
//! and a list whose order means nothing to the service takes the order and the spelling of the plan.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::provider::ResourceContext;
use crate::resource::{Fault, UnmanagedField};

/// Lists of things with a name of their own, and the field that names them.
const KEYED: [(&str, &str); 4] =
    [("origins", "id"), ("origin_groups", "id"), ("behaviours", "path"), ("custom_error_responses", "code")];
/// Of those, the lists in which what others put there stays beside ours.
const SHARED: [&str; 3] = ["origins", "origin_groups", "behaviours"];
/// Lists whose order counts.
const ORDERED: [&str; 1] = ["members"];
/// Settings that are one of several words or lists.
const CHOICES: [&str; 5] = ["only", "all-except", "all-viewer-and", "allow", "deny"];

static NOTHING: Value = Value::Null;

/// A spec as this version writes it: a journal may hold one of an older version, without the settings that came since.
fn as_written<S: Serialize + DeserializeOwned>(subject: &ResourceContext<'_>) -> Result<Value, Fault> {
    let spec: S = subject.typed()?;
    serde_json::to_value(spec).map_err(|bad| Fault::unexpected("akidb-edge", "spec", bad.to_string()))
}

/// Parts what is held, as a spec with every setting, by what this subject asks for and asked for before.
pub fn parted<S: Serialize + DeserializeOwned>(
    subject: &ResourceContext<'_>,
    held: &S,
    usual: &Value,
) -> Result<(Value, Vec<UnmanagedField>), Fault> {
    let held = serde_json::to_value(held);
    let held = held.map_err(|bad| Fault::unexpected("akidb-edge", "read", bad.to_string()))?;
    let before =
        subject.before.map(|before| as_written::<S>(&ResourceContext { spec: before, ..*subject })).transpose()?;
    Ok(part(held, &as_written::<S>(subject)?, before.as_ref(), usual))
}

/// Parts what is held into the settings that the plan or an earlier run asked for, and all others that differ from `usual`,
/// the service's defaults. `held` has every setting; nulls are settings that are not there.
fn part(held: Value, wanted: &Value, before: Option<&Value>, usual: &Value) -> (Value, Vec<UnmanagedField>) {
    let mut walk = Walk { extras: Vec::new() };
    let spec = walk.value("", "", held, Three { wanted, before: before.unwrap_or(&NOTHING), usual });
    (spec, walk.extras)
}

/// The settings of an earlier run in the kind's own type.
pub fn before<S: DeserializeOwned>(subject: &ResourceContext<'_>) -> Result<Option<S>, Fault> {
    subject.before.map(|before| ResourceContext { spec: before, ..*subject }.typed()).transpose()
}

/// Writes an optional setting: what is wanted; else the default, where an earlier run stated it; else what is held stays.
pub fn put<T>(held: &mut Option<T>, wanted: Option<T>, was_stated: bool, default: Option<T>) {
    if wanted.is_some() {
        *held = wanted;
    } else if was_stated {
        *held = default;
    }
}

/// `held` in the order and the spelling of `wanted`; what `wanted` does not have comes last.
fn like(held: Vec<Value>, wanted: &[Value], same: impl Fn(&Value, &Value) -> bool) -> Vec<Value> {
    let place = |item: &Value| wanted.iter().position(|other| same(item, other));
    let mut placed: Vec<(usize, Value)> = held
        .into_iter()
        .map(|item| place(&item).map_or_else(|| (wanted.len(), item.clone()), |at| (at, wanted[at].clone())))
        .collect();
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, item)| item).collect()
}

/// What is at one place in the plan, in the earlier run and in the service's defaults.
#[derive(Clone, Copy)]
struct Three<'a> {
    wanted: &'a Value,
    before: &'a Value,
    usual: &'a Value,
}

impl<'a> Three<'a> {
    fn at(self, key: &str) -> Self {
        let at = |value: &'a Value| value.get(key).unwrap_or(&NOTHING);
        Self { wanted: at(self.wanted), before: at(self.before), usual: at(self.usual) }
    }

    /// The elements of the three lists that have this name.
    fn named(self, field: &str, name: &Value) -> Self {
        let named = |list: &'a Value| {
            let items = list.as_array().into_iter().flatten();
            items.into_iter().find(|item| item.get(field) == Some(name)).unwrap_or(&NOTHING)
        };
        let usual = self.usual.get(0).unwrap_or(&NOTHING);
        Self { wanted: named(self.wanted), before: named(self.before), usual }
    }
}

struct Walk {
    extras: Vec<UnmanagedField>,
}

impl Walk {
    fn value(&mut self, path: &str, key: &str, held: Value, three: Three<'_>) -> Value {
        match held {
            Value::Object(fields) if !is_choice(&fields) => self.object(path, fields, three),
            Value::Object(mut fields) => {
                for (word, list) in &mut fields {
                    let below = join(path, word);
                    *list = self.value(&below, word, list.take(), three.at(word));
                }
                Value::Object(fields)
            }
            Value::Array(items) if !ORDERED.contains(&key) => {
                let wanted = three.wanted.as_array().map(Vec::as_slice).unwrap_or_default();
                let exact = ["query_strings", "cookies"].iter().any(|word| path.contains(word));
                Value::Array(like(items, wanted, |one, other| one == other || !exact && same_word(one, other)))
            }
            text if key == "domain_name" && same_word(&text, three.wanted) => three.wanted.clone(),
            other => other,
        }
    }

    fn object(&mut self, path: &str, held: Map<String, Value>, three: Three<'_>) -> Value {
        let mut out = Map::new();
        for (key, value) in held.into_iter().filter(|(_, value)| !value.is_null()) {
            let key = spelled(key, [three.wanted, three.before]);
            let (below, here) = (join(path, &key), three.at(&key));
            let keyed = KEYED.iter().find(|(list, _)| *list == below);
            if let (Some((list, field)), Value::Array(items)) = (keyed, &value) {
                let items = self.list(&below, list, field, items.clone(), here);
                if !here.wanted.is_null() || !items.is_empty() {
                    out.insert(key, Value::Array(items));
                }
                continue;
            }
            match (here.wanted.is_null(), here.before.is_null()) {
                _ if key == "tags" => drop(out.insert(key, value)),
                (false, _) => drop(out.insert(key.clone(), self.value(&below, &key, value, here))),
                (true, false) if value != *here.usual => drop(out.insert(key, value)),
                (true, true) if value != *here.usual => self.extra(below, value, here.usual),
                _ => {}
            }
        }
        Value::Object(out)
    }

    /// A list of named things. In a shared one, those that nobody asked for are extras, in the others they stand where they are.
    fn list(&mut self, path: &str, list: &str, field: &str, held: Vec<Value>, three: Three<'_>) -> Vec<Value> {
        let mut out = Vec::new();
        let asked_for = !three.wanted.is_null() || !three.before.is_null();
        for item in held {
            let name = item.get(field).cloned().unwrap_or_default();
            let here = three.named(field, &name);
            let below = join(path, &name.as_str().map_or_else(|| name.to_string(), str::to_owned));
            match (here.wanted.is_null(), here.before.is_null()) {
                (false, _) => out.push(self.value(&below, "", item, here)),
                (true, true) if SHARED.contains(&list) || !asked_for => self.extra(below, item, here.usual),
                _ => out.push(trimmed(item, here.usual)),
            }
        }
        // Only for behaviors the service reads the order.
        if list == "behaviours" {
            return out;
        }
        let wanted = three.wanted.as_array().map(Vec::as_slice).unwrap_or_default();
        let place = |item: &Value| wanted.iter().position(|other| other.get(field) == item.get(field));
        out.sort_by_key(|item| place(item).unwrap_or(wanted.len()));
        out
    }

    fn extra(&mut self, path: String, value: Value, usual: &Value) {
        self.extras.push(UnmanagedField { path, value: trimmed(value, usual), theirs: false });
    }
}

/// A value without what is not there and what is as it always is.
fn trimmed(value: Value, usual: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let told = fields.into_iter().filter(|(key, value)| !value.is_null() && usual.get(key) != Some(value));
            Value::Object(
                told.map(|(key, value)| {
                    let value = trimmed(value, usual.get(&key).unwrap_or(&NOTHING));
                    (key, value)
                })
                .collect(),
            )
        }
        other => other,
    }
}

fn is_choice(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.keys().all(|key| CHOICES.contains(&key.as_str()))
}

/// A key as the plan spells it: names of headers are the same in upper and lower case.
fn spelled(key: String, specs: [&Value; 2]) -> String {
    let keys = || specs.into_iter().filter_map(Value::as_object).flat_map(Map::keys);
    if keys().any(|other| *other == key) {
        return key;
    }
    let other = keys().find(|other| other.eq_ignore_ascii_case(&key)).cloned();
    other.unwrap_or(key)
}

fn same_word(one: &Value, other: &Value) -> bool {
    one.as_str().zip(other.as_str()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(extras: &[UnmanagedField]) -> Vec<(&str, &Value)> {
        extras.iter().map(|extra| (extra.path.as_str(), &extra.value)).collect()
    }

    #[test]
    fn a_default_is_no_news_and_another_value_is_an_extra() {
        let held = json!({"comment": "x", "ipv6": false, "http_version": "http3", "logging": null});
        let usual = json!({"ipv6": false, "http_version": "http2"});
        let (spec, extras) = part(held.clone(), &json!({"comment": "y"}), None, &usual);
        assert_eq!(spec, json!({"comment": "x"}));
        assert_eq!(told(&extras), [("http_version", &json!("http3"))]);
        // What an earlier run asked for is a setting; at its default there is nothing left to take back.
        let before = json!({"comment": "x", "ipv6": true, "http_version": "http3"});
        let (spec, extras) = part(held, &json!({"comment": "y"}), Some(&before), &usual);
        assert_eq!((spec, extras.len()), (json!({"comment": "x", "http_version": "http3"}), 0));
    }

    #[test]
    fn things_of_a_list_are_matched_by_their_name() {
        let held =
            json!({"origins": [{"id": "theirs", "path": ""}, {"id": "b", "path": "/x"}, {"id": "a", "path": ""}]});
        let usual = json!({"origins": [{"path": ""}]});
        let wanted = json!({"origins": [{"id": "a"}, {"id": "b"}]});
        let (spec, extras) = part(held.clone(), &wanted, None, &usual);
        assert_eq!(spec, json!({"origins": [{"id": "a"}, {"id": "b"}]}));
        assert_eq!(told(&extras), [("origins.theirs", &json!({"id": "theirs"})), ("origins.b.path", &json!("/x"))]);
        let before = json!({"origins": [{"id": "b", "path": "/x"}]});
        let (spec, extras) = part(held, &wanted, Some(&before), &usual);
        assert_eq!(spec["origins"][1]["path"], "/x");
        assert_eq!(told(&extras), [("origins.theirs", &json!({"id": "theirs"}))]);
    }

    #[test]
    fn order_and_case_make_no_difference_where_the_service_reads_none() {
        let wanted = json!({"headers": {"only": ["Origin", "X-A"]}, "cookies": {"only": ["b", "A"]},
                            "custom": {"X-Stack": "1"}, "members": ["us", "eu"]});
        let held = json!({"headers": {"only": ["x-a", "origin"]}, "cookies": {"only": ["a", "b"]},
                          "custom": {"x-stack": "1"}, "members": ["eu", "us"]});
        let (spec, _) = part(held, &wanted, None, &json!({}));
        assert_eq!(spec["headers"], wanted["headers"]);
        assert_eq!(spec["custom"], wanted["custom"]);
        // A cookie is another one in another case; the first member of a group is the one that is asked first.
        assert_eq!(spec["cookies"], json!({"only": ["b", "a"]}));
        assert_eq!(spec["members"], json!(["eu", "us"]));
    }
}
