//! Rules of shape: each setting compared with the constraints of its member in AWS's API model.
//!
//! The table is generated (`generate.py`, `models.json`), the way from our settings to members is in the facts of each kind. A
//! rule of another area that names the same place has better words; then these are silent (`beside`).

mod table;
mod validate;

pub(super) use table::{is_region, regions};
pub(super) use validate::nearest;

use serde_json::Value;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::{Finding, Severity};
use validate::{ShapeFinding, ShapeViolation};

const SAYS: &str = "InvalidArgument or ValidationException before anything is created";

pub(super) const RULES: &[CheckRule<Value>] = &[
    error("SH001-missing", "required settings are set and not empty", SAYS, "write it", |seen, notes| {
        each(seen, notes, ShapeViolation::Missing);
    }),
    error("SH002-length", "texts have a length that AWS accepts", SAYS, "shorten it", |seen, notes| {
        each(seen, notes, ShapeViolation::Length);
    }),
    error("SH003-size", "numbers and lists have a size that AWS accepts", SAYS, "change it", |seen, notes| {
        each(seen, notes, ShapeViolation::Size);
    }),
    error("SH004-word", "words are values that AWS accepts", SAYS, "write an allowed value", |seen, notes| {
        each(seen, notes, ShapeViolation::Word);
    }),
    error("SH005-pattern", "texts have a form that AWS accepts", SAYS, "change it", |seen, notes| {
        each(seen, notes, ShapeViolation::Pattern);
    }),
    error(
        "SH006-region",
        "regions are AWS regions",
        "no endpoint answers, or InvalidLocationConstraint",
        "write a region of AWS, for example eu-central-1",
        region,
    ),
];

/// Writes what lacks in one way.
fn each(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>, lack: ShapeViolation) {
    let Some(resource) = seen.scope.desired.resources.get(seen.address) else { return };
    for (at, rows) in resource.kind.facts().api {
        for (path, member) in *rows {
            let asked = member.ends_with('!');
            let member = member.trim_end_matches('!');
            let Some(demand) = table::demand(member) else { continue };
            let path = [*at, *path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
            visit(&seen.spec, &path, String::new(), &mut |place, value| {
                let gone = value.is_none_or(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty));
                let verdict = match value {
                    _ if gone && asked && demand.required => Some(validate::missing()),
                    Some(value) => validate::judge(value, demand),
                    None => None,
                };
                if let Some(verdict) = verdict.filter(|verdict| verdict.lack == lack) {
                    write(notes, place, member, verdict);
                }
            });
        }
    }
}

fn write(notes: &mut RuleFindings<'_>, place: &str, member: &str, verdict: ShapeFinding) {
    let ShapeFinding { problem, model, instead, .. } = verdict;
    let says = format!("refused: the API model (botocore {}) of {member}: {model}", table::version());
    notes.add_full(place, problem, says, instead);
}

/// Visits every value at a path of an [`ApiRow`](crate::resource::ApiRow), with its own path in the spec; the last part of a path
/// may lack.
fn visit(value: &Value, path: &str, place: String, found: &mut dyn FnMut(&str, Option<&Value>)) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let below = |part: &str| if place.is_empty() { part.to_owned() } else { format!("{place}.{part}") };
    let mut step = |part: &str, value: &Value| match rest {
        Some(rest) => visit(value, rest, below(part), found),
        None => found(&below(part), Some(value)),
    };
    match (head, value) {
        ("*", Value::Array(items)) => items.iter().enumerate().for_each(|(at, item)| step(&at.to_string(), item)),
        ("*", Value::Object(fields)) => fields.iter().for_each(|(key, item)| step(key, item)),
        ("~", Value::Object(fields)) => {
            fields.keys().for_each(|key| found(&below(key), Some(&Value::String(key.clone()))));
        }
        (field, Value::Object(fields)) => match (fields.get(field), rest) {
            (Some(item), _) => step(field, item),
            (None, None) => found(&below(field), None),
            (None, Some(_)) => {}
        },
        _ => {}
    }
}

/// Kinds whose region is that of the bucket or function that they belong to, where it is reported.
const REGION_OF_ANOTHER: [&str; 4] = ["object", "bucket-policy", "replication", "function-version"];

/// Each setting that is a region. One wrong region of a plan is one finding.
fn region(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let derived = REGION_OF_ANOTHER.contains(&seen.address.kind_name());
    super::policy::walk(&seen.spec, "", &mut |path, text| {
        let field = path.rsplit('.').next().unwrap_or_default();
        let named = field == "region" || field == "shield" || field.ends_with("_region");
        let named = named && !path.starts_with("tags.") && !(derived && path == "region");
        if named && !super::scope::is_open(text) && !is_region(text) {
            let near = nearest(text, regions()).unwrap_or("eu-central-1");
            notes.add_with(path, format!("`{text}` is not an AWS region"), format!("write {near}"));
        }
    });
}

/// Takes out what another rule says of the same place, in better words.
pub(super) fn beside(found: &mut Vec<Finding>) {
    let is_shape = |finding: &Finding| finding.rule.starts_with("SH00");
    let inside = |one: &str, other: &str| {
        other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || one.is_empty() || rest.starts_with('.'))
    };
    let said: Vec<(crate::resource::Address, String)> = found
        .iter()
        .filter(|finding| !is_shape(finding) && finding.severity == Severity::Error)
        .map(|finding| (finding.address.clone(), finding.path.clone()))
        .collect();
    found.retain(|finding| {
        let doubled = |(address, path): &(crate::resource::Address, String)| {
            *address == finding.address && (inside(path, &finding.path) || inside(&finding.path, path))
        };
        !(is_shape(finding) && said.iter().any(doubled))
    });
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::cases;
