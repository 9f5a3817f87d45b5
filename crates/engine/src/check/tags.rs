//! Rules on tags, of every kind that has them.
//!
//! Sources: "Tag naming limits and requirements" (Tagging AWS Resources user guide), "Using cost allocation S3 bucket tags"
//! (S3 user guide), "Tags in IAM" for letters in two cases.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::{ADDRESS_TAG, Kind, ORIGIN_TAG, STACK_TAG};

pub(super) const RULES: &[CheckRule<Value>] = &[
    error(
        "TG001-tag-key-kept",
        "no tag has a key that AWS or this tool reserves",
        "InvalidTag or ValidationException: aws: prefixed tag key names are not allowed for external use (akidb: keys are written by this tool, last)",
        "choose a prefix other than aws: and akidb:",
        kept,
    ),
    error(
        "TG002-tag-length",
        "tag keys have 1 to 128 characters, values up to 256",
        "InvalidTag: The TagKey or TagValue you have provided is too long",
        "shorten it",
        length,
    ),
    error(
        "TG003-tag-letters",
        "tags hold letters, digits, spaces and _ . : / = + - @",
        "InvalidTag: The TagValue you have provided is invalid",
        "remove other characters",
        letters,
    ),
    error(
        "TG004-tag-count",
        "a resource has at most 50 tags, with those of this tool",
        "InvalidTag or LimitExceeded: more than 50 tags",
        "write at most 48 tags (47 for a health check, whose name is a tag)",
        count,
    ),
    error(
        "TG005-tag-key-twice",
        "the tag keys of a role differ in more than case",
        "InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        "join the two tags",
        twice,
    ),
];

fn kind(seen: &CheckedResource<'_, Value>) -> Option<Kind> {
    seen.scope.desired.resources.get(seen.address).map(|resource| resource.kind)
}

/// The tags of what is made in AWS; a load balancer is only looked up by them.
fn tags<'s>(seen: &'s CheckedResource<'_, Value>) -> Option<&'s Map<String, Value>> {
    let made = kind(seen).is_some_and(|kind| !kind.facts().lookup && kind.in_aws());
    seen.spec.get("tags").filter(|_| made)?.as_object()
}

fn each(seen: &CheckedResource<'_, Value>, mut visit: impl FnMut(String, &str, &str)) {
    for (key, value) in tags(seen).into_iter().flatten() {
        visit(format!("tags.{key}"), key, value.as_str().unwrap_or_default());
    }
}

fn kept(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    each(seen, |path, key, _| {
        let lower = key.to_ascii_lowercase();
        let own = [STACK_TAG, ADDRESS_TAG, ORIGIN_TAG].contains(&lower.as_str());
        notes.add_if(lower.starts_with("aws:") || own, path, || format!("the key is `{key}`"));
    });
}

fn length(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    each(seen, |path, key, value| {
        let (long, wide) = (key.chars().count(), value.chars().count());
        notes.add_if(!(1..=128).contains(&long), path.as_str(), || format!("the key has {long} characters"));
        notes.add_if(wide > 256 && !is_open(value), path, || format!("the value has {wide} characters"));
    });
}

/// A character that no tag may hold.
fn foreign(text: &str) -> Option<char> {
    text.chars().find(|letter| !(letter.is_alphanumeric() || *letter == ' ' || "_.:/=+-@".contains(*letter)))
}

fn letters(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    each(seen, |path, key, value| {
        if let Some(letter) = foreign(key).or_else(|| foreign(value).filter(|_| !is_open(value))) {
            notes.add(path, format!("`{key}` = `{value}` holds {letter:?}"));
        }
    });
}

fn count(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let own = if kind(seen) == Some(Kind::HealthCheck) { 3 } else { 2 };
    let count = tags(seen).map_or(0, Map::len);
    notes.add_if(count + own > 50, "tags", || format!("there are {count}, plus {own} of this tool"));
}

fn twice(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let mut met: BTreeMap<String, String> = BTreeMap::new();
    let role = kind(seen) == Some(Kind::Role);
    each(seen, |path, key, _| {
        let before = met.insert(key.to_lowercase(), key.to_owned()).filter(|_| role);
        notes.add_if(before.is_some(), path, || format!("`{key}` is also `{}`", before.unwrap_or_default()));
    });
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};
    use super::*;

    pub(in super::super) fn cases() -> Vec<Case> {
        let many: BTreeMap<String, &str> = (0..49).map(|at| (format!("k{at}"), "v")).collect();
        let long = "x".repeat(129);
        let on = |rule, address: &str, tags: Value| case(rule).set(address, "/tags", tags);
        vec![
            on("TG001-tag-key-kept", "models.bucket.spare", json!({"aws:createdBy": "me"})),
            on("TG001-tag-key-kept", "cdn.distribution.main", json!({"akidb:stack": "other"})),
            on("TG002-tag-length", "routing.zone.spare", json!({long.clone(): "v"})),
            on("TG002-tag-length", "edge.role.regional", json!({"k": "x".repeat(257)})),
            on("TG002-tag-length", "cdn.certificate.other", json!({"": "v"})),
            on("TG003-tag-letters", "models.bucket.spare", json!({"cost": "50 %"})),
            on("TG003-tag-letters", "edge.function.embed", json!({"a&b": "v"})),
            on("TG004-tag-count", "models.bucket.spare", json!(many)),
            on("TG005-tag-key-twice", "edge.role.regional", json!({"Department": "a", "department": "b"})),
        ]
    }

    #[test]
    fn tags_that_every_service_takes() {
        let many: BTreeMap<String, &str> = (0..48).map(|at| (format!("k{at}"), "é v_.:/=+-@1")).collect();
        let mut case = Case { desired: good(), rules: [].into(), note: String::new() };
        for address in ["models.bucket.spare", "edge.role.regional", "cdn.distribution.main", "routing.zone.spare"] {
            case = case.set(address, "/tags", json!(many));
        }
        // Two keys in two cases are two tags of a bucket.
        case = case.set("cdn.bucket.logs", "/tags", json!({"Department": "a", "department": "b"}));
        // A load balancer is looked up by whatever tags it has.
        case = case.set("routing.load-balancer.us", "/tags", json!({"aws:cloudformation:stack-name": "x"}));
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
