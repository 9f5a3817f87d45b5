//! The fallbacks of a plan file: what they set and request must be in the plan.

use serde_json::Value;

use super::load::PlanReader;
use super::schema::PlanFile;
use super::source::{SourcePlace, join};
use super::{PlanError, Step, rules};

impl PlanReader<'_> {
    /// Complains about settings and steps that fallbacks name and the plan does not have.
    pub(super) fn fallbacks(&mut self, head: &PlanFile<Value>, steps: &[Step]) {
        for (name, fallback) in &head.fallbacks {
            let base = join("fallbacks", name);
            for key in fallback.set.keys() {
                self.set(name, &join(&base, "set"), key, steps);
            }
            for request in fallback.request.iter().filter(|id| !steps.iter().any(|step| step.id == **id)) {
                self.complain(
                    rules::UNKNOWN_STEP,
                    &join(&base, "request"),
                    format!("fallback {name} asks for {request:?}, which is not a step of the plan"),
                    "name a step of this plan",
                );
            }
        }
    }

    /// A setting that a fallback sets; `base` is the path of its `set`.
    fn set(&mut self, name: &str, base: &str, key: &str, steps: &[Step]) {
        let (id, rest) = key.split_once('.').unwrap_or((key, ""));
        let step = steps.iter().find(|step| step.id == id);
        if step.is_some_and(|step| !rest.is_empty() && parent_exists(&step.with, rest)) {
            return;
        }
        let removed = step.and_then(|step| self.removed_later(&join(base, key), &format!("{}.with.{rest}", step.path)));
        match removed {
            Some((file, place)) => self.problems.push(PlanError {
                rule: rules::FALLBACK,
                file,
                place,
                problem: format!("fallback {name} sets {key:?}, which is removed here"),
                next_step: format!("also remove {base}.{key}, or delete this entry of remove"),
            }),
            None => self.complain(
                rules::FALLBACK,
                base,
                format!("fallback {name} sets {key:?}, which is not a setting of a step"),
                "write step.path.to.setting",
            ),
        }
    }

    /// Where a later plan than the one that writes `set` removes the setting at `path`, or what it is in: file and place.
    fn removed_later(&self, set: &str, path: &str) -> Option<(String, SourcePlace)> {
        let (file, place) = self.lineage.removal_of(path)?;
        (self.lineage.file(set) != Some(file)).then(|| (file.to_owned(), place))
    }
}

/// Whether everything above the last part of `path` is there: the last part itself may be left out in the plan.
fn parent_exists(value: &Value, path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    parts[..parts.len() - 1].iter().try_fold(value, |at, part| member(at, part)).is_some()
}

/// A member of a mapping or list.
fn member<'v>(value: &'v Value, part: &str) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_may_be_new_when_everything_above_it_is_there() {
        let with = json!({"a": {"b": [{"c": 1}]}});
        for (path, there) in [
            ("new", true),
            ("a.new", true),
            ("a.b.0.c", true),
            ("a.b.0.new", true),
            ("a.b.1.c", false),
            ("a.b.c.d", false),
            ("x.y", false),
        ] {
            assert_eq!(parent_exists(&with, path), there, "{path}");
        }
        assert_eq!((member(&json!([1, 2]), "1"), member(&json!([1]), "x")), (Some(&json!(2)), None));
    }
}
