//! Rules on comments that contain the ownership text: kinds without tags (CloudFront's policies and origin access controls).

use serde_json::Value;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use crate::resource::{Kind, comment};

pub(super) const RULES: &[CheckRule<Value>] = &[
    error(
        "MK001-mark-room",
        "stack name and address fit into the comment that carries them",
        "the run stops there: without its mark the resource could not be recognized",
        "shorten the stack's name, or the name of the policy in the plan",
        room,
    ),
    warning(
        "MK002-comment-cut",
        "a comment fits next to the ownership text of its stack",
        "accepted, cut at its end: the mark is never cut",
        "shorten the comment",
        cut,
    ),
];

/// The field with the mark, its characters and those that the mark takes.
fn field(seen: &CheckedResource<'_, Value>) -> Option<(&'static str, usize, usize)> {
    let (field, limit) = match seen.scope.desired.resources.get(seen.address)?.kind {
        Kind::CachePolicy | Kind::OriginRequestPolicy | Kind::ResponseHeadersPolicy => ("comment", 128),
        Kind::OriginAccess => ("description", 256),
        _ => return None,
    };
    // In brackets.
    let mark = comment(&seen.scope.desired.stack, seen.address).chars().count() + 2;
    Some((field, limit, mark))
}

fn room(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let Some((field, limit, mark)) = field(seen) else { return };
    notes.add_if(mark > limit, field, || format!("the mark has {mark} characters, {limit} are available"));
}

fn cut(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let Some((field, limit, mark)) = field(seen) else { return };
    let long = seen.spec.get(field).and_then(Value::as_str).map_or(0, |text| text.chars().count());
    let room = limit.saturating_sub(mark + 1);
    // What is longer than the field itself is an error of another rule.
    let wrong = long > room && long <= limit && mark <= limit;
    notes.add_if(wrong, field, || format!("the {field} has {long} characters, {room} are available next to the mark"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};

    pub(in super::super) fn cases() -> Vec<Case> {
        let long = |mut case: Case| {
            case.desired.stack = "x".repeat(100);
            case
        };
        vec![
            long(case("MK001-mark-room")),
            case("MK002-comment-cut").set("cdn.cache-policy.read", "/comment", json!("x".repeat(100))),
            case("MK002-comment-cut").set("cdn.origin-access.models", "/description", json!("x".repeat(250))),
        ]
    }

    #[test]
    fn a_comment_that_just_fits() {
        // ` (akidb-edge week13 cdn.cache-policy.read)`
        let room = 128 - 3 - "akidb-edge week13 cdn.cache-policy.read".len();
        let case = Case { desired: good(), rules: [].into(), note: String::new() };
        let case = case.set("cdn.cache-policy.read", "/comment", json!("x".repeat(room)));
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
