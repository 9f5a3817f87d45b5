//! Checks one value against the constraints of its member.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use serde_json::Value;

use super::super::scope::is_open;
use super::table::MemberConstraint;
use crate::resource::counted;

/// What a value lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShapeViolation {
    /// It is not there, or an empty list.
    Missing,
    /// The text is too short or too long.
    Length,
    /// The number is too small or too large, or the list has too few or too many items.
    Size,
    /// The word is not one of those that are known.
    Word,
    /// The text has characters, or a form, that is not allowed.
    Pattern,
}

/// What is wrong with a value: what it is, what the model says, what to write instead.
#[derive(Debug, PartialEq)]
pub(super) struct ShapeFinding {
    pub lack: ShapeViolation,
    pub problem: String,
    pub model: String,
    pub instead: String,
}

/// What is wrong with a value. A text with a reference is not known yet.
pub(super) fn judge(value: &Value, demand: &MemberConstraint) -> Option<ShapeFinding> {
    match value {
        Value::String(text) if is_open(text) => None,
        Value::String(text) => word(text, demand).or_else(|| length(text, demand)).or_else(|| pattern(text, demand)),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let outside = demand.pattern.is_none() && is_outside(number, demand);
            outside.then(|| bounds(ShapeViolation::Size, &format!("it is {number}"), demand, ""))
        }
        Value::Array(items) => {
            let count = items.len() as f64;
            is_outside(count, demand).then(|| {
                bounds(ShapeViolation::Size, &format!("the list has {}", counted(count, "item")), demand, "item")
            })
        }
        _ => None,
    }
}

/// What is wrong with what is not there.
pub(super) fn missing() -> ShapeFinding {
    ShapeFinding {
        lack: ShapeViolation::Missing,
        problem: "it is missing or empty".to_owned(),
        model: "required".to_owned(),
        instead: "write it".to_owned(),
    }
}

fn is_outside(number: f64, demand: &MemberConstraint) -> bool {
    demand.min.is_some_and(|min| number < min) || demand.max.is_some_and(|max| number > max)
}

fn bounds(lack: ShapeViolation, problem: &str, demand: &MemberConstraint, unit: &str) -> ShapeFinding {
    let amount = |number: f64| if unit.is_empty() { number.to_string() } else { counted(number, unit) };
    let range = match (demand.min, demand.max) {
        (Some(min), Some(max)) => format!("{min} to {}", amount(max)),
        (Some(min), None) => format!("at least {}", amount(min)),
        (None, Some(max)) => format!("at most {}", amount(max)),
        (None, None) => String::new(),
    };
    ShapeFinding { lack, problem: problem.to_owned(), instead: format!("write {range}"), model: range }
}

fn length(text: &str, demand: &MemberConstraint) -> Option<ShapeFinding> {
    let count = text.chars().count();
    // Lists of words bring the length of the longest.
    let outside = demand.words.is_empty() && is_outside(count as f64, demand);
    outside.then(|| {
        bounds(
            ShapeViolation::Length,
            &format!("{} has {}", short(text), counted(count, "character")),
            demand,
            "character",
        )
    })
}

fn word(text: &str, demand: &MemberConstraint) -> Option<ShapeFinding> {
    if demand.words.is_empty() || demand.words.iter().any(|known| known == text) {
        return None;
    }
    let nearest = nearest(text, demand.words.iter().map(String::as_str));
    let listed: Vec<&str> = demand.words.iter().take(12).map(String::as_str).collect();
    let more = demand.words.len() - listed.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let model = format!("one of {}{more}", listed.join(", "));
    let instead =
        nearest.map_or_else(|| format!("write {model}"), |known| format!("write {known}, or another of these"));
    Some(ShapeFinding { lack: ShapeViolation::Word, problem: format!("{} is not known", short(text)), model, instead })
}

fn pattern(text: &str, demand: &MemberConstraint) -> Option<ShapeFinding> {
    let pattern = demand.pattern.as_deref()?;
    (!matches(pattern, text)).then(|| ShapeFinding {
        lack: ShapeViolation::Pattern,
        problem: format!("{} has another form", short(text)),
        model: format!("the pattern {}", cut(pattern, 120)),
        instead: "write a text that the pattern matches as a whole".to_owned(),
    })
}

/// Whether the whole text matches, as AWS means it. A pattern that cannot be read says nothing.
fn matches(pattern: &str, text: &str) -> bool {
    static READ: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let Ok(mut read) = READ.lock() else { return true };
    let known = read.entry(pattern.to_owned()).or_insert_with(|| compile(pattern).ok());
    known.as_ref().is_none_or(|known| known.is_match(text))
}

/// A pattern of AWS, anchored at both ends.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// The text in a message.
fn short(text: &str) -> String {
    format!("`{}`", cut(text, 60))
}

fn cut(text: &str, limit: usize) -> String {
    let kept: String = text.chars().take(limit).collect();
    if kept.len() == text.len() { kept } else { format!("{kept}…") }
}

/// The word that is nearest, when one is near: at most a third of it differs.
pub(in super::super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let lower = text.to_lowercase();
    let near = words.map(|word| (distance(&lower, &word.to_lowercase()), word)).min()?;
    (near.0 * 3 <= near.1.chars().count()).then_some(near.1)
}

/// How many letters have to be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (to, known) in other.iter().enumerate() {
            let change = before + usize::from(letter != *known);
            before = row[to + 1];
            row[to + 1] = change.min(before + 1).min(row[to] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::demand;
    use super::*;

    fn lack(value: Value, member: &str) -> Option<ShapeViolation> {
        judge(&value, demand(member).expect("a member")).map(|verdict| verdict.lack)
    }

    #[test]
    fn values_beside_their_demands() {
        assert_eq!(lack(json!("x".repeat(65)), "iam.CreateRoleRequest.RoleName"), Some(ShapeViolation::Length));
        assert_eq!(lack(json!("a b"), "iam.CreateRoleRequest.RoleName"), Some(ShapeViolation::Pattern));
        assert_eq!(lack(json!("a b${x.role.y#name}"), "iam.CreateRoleRequest.RoleName"), None);
        assert_eq!(
            lack(json!("PriceClass_300"), "cloudfront.DistributionConfig.PriceClass"),
            Some(ShapeViolation::Word)
        );
        assert_eq!(lack(json!(11), "route53.HealthCheckConfig.FailureThreshold"), Some(ShapeViolation::Size));
        assert_eq!(lack(json!([1]), "cloudfront.OriginGroupMembers.Items"), Some(ShapeViolation::Size));
        assert_eq!(lack(json!(["a", "b"]), "cloudfront.OriginGroupMembers.Items"), None);
    }

    #[test]
    fn the_nearest_word_is_offered() {
        let words = ["PriceClass_100", "PriceClass_All", "None"];
        assert_eq!(nearest("priceclass_al", words.into_iter()), Some("PriceClass_All"));
        assert_eq!(nearest("everything", words.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
