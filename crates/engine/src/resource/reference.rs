//! References between resources: `${area.kind.name#attribute}` inside any text of a spec.
//!
//! Specs stay plain data: a reference is text until the moment it is resolved, so plans, diffs and journals can be
//! written and read without knowing what a resource is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Address;

/// What a resource makes known once it exists (`arn`, `id`, `domain_name`, …).
pub type Attributes = BTreeMap<String, Value>;

/// A reference to `attribute` of `address`, as it is in a spec.
pub fn link(address: &Address, attribute: &str) -> String {
    format!("${{{address}#{attribute}}}")
}

/// A fact of the run that is known only when the tool talks to the account: `${#account}`.
pub const ACCOUNT: &str = "${#account}";

/// What is in front of a hash in the place of a text that is kept apart from a journal: `${kept#HASH}`.
const KEPT: &str = "kept";

/// Whether this is a reference, and not another text with the same signs: scripts in objects of clusters have `${name#prefix}` and
/// `${#list}`, which are the shell's.
pub fn is_reference(address: &str, attribute: &str) -> bool {
    match address {
        "" => attribute == "account",
        KEPT => attribute.len() == 64,
        address => address.parse::<Address>().is_ok(),
    }
}

/// One reference found in a text: the range it takes and what it names.
struct Token<'t> {
    start: usize,
    end: usize,
    address: &'t str,
    attribute: &'t str,
}

fn next_token(text: &str, from: usize) -> Option<Token<'_>> {
    let mut at = from;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        let end = start + text[start..].find('}')? + 1;
        let body = &text[start + 2..end - 1];
        if let Some((address, attribute)) = body.split_once('#')
            && is_reference(address, attribute)
        {
            return Some(Token { start, end, address, attribute });
        }
        at = end;
    }
    None
}

/// All addresses that `value` refers to.
pub fn references(value: &Value) -> BTreeSet<Address> {
    let mut found = BTreeSet::new();
    walk(value, &mut |text| {
        let mut at = 0;
        while let Some(token) = next_token(text, at) {
            at = token.end;
            found.extend(token.address.parse::<Address>().ok());
        }
    });
    found
}

/// Whether any reference is left in `value`.
pub fn has_references(value: &Value) -> bool {
    let mut any = false;
    walk(value, &mut |text| any |= next_token(text, 0).is_some());
    any
}

fn walk(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        _ => {}
    }
}

/// Replaces every reference that `known` can answer; the others stay as they are.
/// A text that is nothing but one reference takes the attribute's own type.
pub fn resolve(value: &Value, known: &dyn Fn(&str, &str) -> Option<Value>) -> Value {
    match value {
        Value::String(text) => resolve_text(text, known),
        Value::Array(items) => Value::Array(items.iter().map(|item| resolve(item, known)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, field)| (key.clone(), resolve(field, known))).collect())
        }
        other => other.clone(),
    }
}

fn resolve_text(text: &str, known: &dyn Fn(&str, &str) -> Option<Value>) -> Value {
    let mut out = String::new();
    let mut at = 0;
    while let Some(token) = next_token(text, at) {
        let answer = known(token.address, token.attribute);
        if let Some(value) = &answer
            && token.start == 0
            && token.end == text.len()
        {
            return value.clone();
        }
        out.push_str(&text[at..token.start]);
        match answer {
            Some(Value::String(value)) => out.push_str(&value),
            Some(value) => out.push_str(&value.to_string()),
            None => out.push_str(&text[token.start..token.end]),
        }
        at = token.end;
    }
    out.push_str(&text[at..]);
    Value::String(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(address: &str, attribute: &str) -> Option<Value> {
        match (address, attribute) {
            ("a.role.x", "arn") => Some(json!("arn:x")),
            ("a.role.x", "n") => Some(json!(7)),
            ("", "account") => Some(json!("123456789012")),
            _ => None,
        }
    }

    #[test]
    fn resolves_whole_and_partial_and_leaves_the_unknown() {
        let value = json!({"a": "${a.role.x#arn}", "b": ["pre ${a.role.x#arn}/${#account}"], "c": "${a.role.y#arn}", "d": "${a.role.x#n}", "e": "${HOME}"});
        let got = resolve(&value, &known);
        assert_eq!(
            got,
            json!({"a": "arn:x", "b": ["pre arn:x/123456789012"], "c": "${a.role.y#arn}", "d": 7, "e": "${HOME}"})
        );
        assert!(has_references(&got));
        assert!(has_references(&json!(format!("${{kept#{}}}", "a".repeat(64)))), "nothing can be made of it");
        let named: Vec<String> = references(&value).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["a.role.x", "a.role.y"]);
    }

    #[test]
    fn what_is_the_shells_stays_as_it_is() {
        let script = json!("for x in ${all[@]}; do echo ${x#a/} ${x##*/} ${#x} ${a.role.x#arn}; done");
        assert_eq!(references(&script).len(), 1);
        let got = resolve(&script, &known);
        assert_eq!(got, json!("for x in ${all[@]}; do echo ${x#a/} ${x##*/} ${#x} arn:x; done"));
        assert!(!has_references(&got));
    }
}
