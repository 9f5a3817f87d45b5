//! Where two long values differ, so that a preview does not cut both before the difference.

use serde_json::{Map, Value};

use crate::resource::{FieldChange, SafeText, shown, untrusted};

/// Characters that are shown before the first difference of two texts.
const BEFORE: usize = 20;

/// The lines of a field whose values are longer than `longest` characters: of documents the members that differ, of other
/// texts the part around the first difference. `everything` shows both values whole. None: both are short, or one is not
/// known yet. Contents of files and sensitive values are taken out of `field` already.
pub fn lines(field: &FieldChange, longest: usize, everything: bool) -> Option<SafeText> {
    let nothing = Value::Null;
    let (old, new) = (field.old.as_ref().unwrap_or(&nothing), field.new.as_ref().unwrap_or(&nothing));
    let texts = [text(old), text(new)];
    if texts.iter().all(|text| text.chars().count() <= longest) {
        return None;
    }
    let [was, comes] = &texts;
    if everything {
        return Some(shown!(
            "          old {}\n          new {}\n",
            untrusted::line(was).into_owned(),
            untrusted::line(comes).into_owned()
        ));
    }
    let mut out = Vec::new();
    if let (Some(old), Some(new)) = (document(old), document(new)) {
        members(&field.path, &old, &new, &mut out);
    }
    if !out.is_empty() {
        let line = |(mark, path, value): &(&str, String, String)| {
            shown!(
                "          {} {} {}\n",
                *mark,
                untrusted::line(path).into_owned(),
                untrusted::line(value).into_owned()
            )
        };
        return Some(SafeText::join(out.iter().map(line), ""));
    }
    if old.is_null() || new.is_null() {
        return None;
    }
    let same = was.chars().zip(comes.chars()).take_while(|(one, other)| one == other).count();
    Some(shown!("          old {}\n          new {}\n", around(was, same, longest), around(comes, same, longest)))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A value with members, or nothing; a policy may be written as a text.
fn document(value: &Value) -> Option<Value> {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Null => Some(value.clone()),
        Value::String(text) => {
            serde_json::from_str(text).ok().filter(|read: &Value| read.is_object() || read.is_array())
        }
        _ => None,
    }
}

/// What goes and what comes, by path, each value whole.
fn members(path: &str, old: &Value, new: &Value, out: &mut Vec<(&'static str, String, String)>) {
    let nothing = Value::Null;
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(was), Value::Object(comes)) => {
            let added = comes.keys().filter(|key| !was.contains_key(*key));
            for key in was.keys().chain(added) {
                let at = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
                members(&format!("{path}.{key}"), &at(was), &at(comes), out);
            }
        }
        (Value::Array(was), Value::Array(comes)) if was.len() == comes.len() => {
            for (at, (old, new)) in was.iter().zip(comes).enumerate() {
                members(&format!("{path}.{at}"), old, new, out);
            }
        }
        (Value::Array(was), Value::Array(comes)) => {
            let before = out.len();
            for (mark, here, there) in [("-", was, comes), ("+", comes, was)] {
                for (at, item) in here.iter().enumerate().filter(|(_, item)| !there.contains(item)) {
                    out.push((mark, format!("{path}.{at}"), item.to_string()));
                }
            }
            // They differ in how often a member is there.
            if out.len() == before {
                out.push(("-", path.to_owned(), old.to_string()));
                out.push(("+", path.to_owned(), new.to_string()));
            }
        }
        (old, new) => {
            let sides = [("-", old), ("+", new)];
            out.extend(
                sides
                    .into_iter()
                    .filter(|(_, value)| **value != nothing)
                    .map(|(mark, value)| (mark, path.to_owned(), value.to_string())),
            );
        }
    }
}

/// The part of a text around the place where it begins to differ, and its length.
fn around(text: &str, same: usize, longest: usize) -> String {
    let count = text.chars().count();
    let from = same.saturating_sub(BEFORE);
    let part: String = text.chars().skip(from).take(longest).collect();
    let (before, behind) = (if from > 0 { "…" } else { "" }, if from + longest < count { "…" } else { "" });
    format!("{before}{}{behind} ({count} characters)", untrusted::line(&part))
}
