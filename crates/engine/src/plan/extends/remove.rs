//! What a later plan removes from the earlier ones: steps by their ids, anything else by its dotted path.

use std::cmp::Reverse;

use serde_json::Value;

use super::tree::{Data, SourceSpot, TreeNode, steps};

/// Takes a part out of a plan: gives its whole path, or none when nothing is there. `said` is the place that says so.
pub fn take(plan: &mut TreeNode, path: &str, said: SourceSpot) -> Option<String> {
    if let Some(rest) = path.strip_prefix("steps.") {
        return take_step(plan, rest, said).then(|| path.to_owned());
    }
    if !path.contains('.') && take_step(plan, path, said) {
        return Some(format!("steps.{path}"));
    }
    take_below(plan, path, said).then(|| path.to_owned())
}

/// A step, or a setting of one: `ID`, `ID.with.buckets.logs`.
fn take_step(plan: &mut TreeNode, path: &str, said: SourceSpot) -> bool {
    let (id, rest) = path.split_once('.').map_or((path, None), |(id, rest)| (id, Some(rest)));
    let Some(days) = plan.get_mut("days").and_then(TreeNode::items_mut) else { return false };
    for day in days {
        let Some(steps) = day.get_mut("steps").and_then(TreeNode::items_mut) else { continue };
        let Some(at) = steps.iter().position(|step| step.text("id") == Some(id)) else { continue };
        return match rest {
            Some(rest) => take_below(&mut steps[at], rest, said),
            None => {
                steps.remove(at);
                true
            }
        };
    }
    false
}

/// Whatever is at a dotted path. Keys may hold dots themselves: the longest key that fits is tried first.
fn take_below(node: &mut TreeNode, path: &str, said: SourceSpot) -> bool {
    let TreeNode { data, removed, .. } = node;
    match data {
        Data::Scalar(_) => false,
        Data::List(items) => {
            let fitting = items.iter().position(|item| name(item).is_some_and(|name| begins(path, &name)));
            let Some(at) = fitting else { return false };
            let length = name(&items[at]).map_or(0, |name| name.len());
            match path.get(length + 1..) {
                Some(rest) => take_below(&mut items[at], rest, said),
                None => {
                    items.remove(at);
                    true
                }
            }
        }
        Data::Map(fields) => {
            let mut keys: Vec<String> = fields.keys().filter(|key| begins(path, key)).cloned().collect();
            keys.sort_by_key(|key| Reverse(key.len()));
            keys.into_iter().any(|key| match path.get(key.len() + 1..) {
                Some(rest) => fields.get_mut(&key).is_some_and(|below| take_below(below, rest, said)),
                None => {
                    let was_there = fields.remove(&key).is_some();
                    removed.insert(key, said);
                    was_there
                }
            })
        }
    }
}

/// Whether a dotted path begins with this key.
fn begins(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What a member of a list is called: places in a list change when others go, so they name nothing.
fn name(item: &TreeNode) -> Option<String> {
    if let Some(id) = item.text("id") {
        return Some(id.to_owned());
    }
    match &item.get("day")?.data {
        Data::Scalar(Value::Number(day)) => Some(day.to_string()),
        _ => None,
    }
}

/// Those that name a step: other steps, and fallbacks.
pub fn users_of(plan: &TreeNode, id: &str) -> Vec<String> {
    let names =
        |list: Option<&TreeNode>| list.is_some_and(|list| list.items().iter().any(|one| one.as_text() == Some(id)));
    let mut users: Vec<String> = steps(plan)
        .filter(|step| names(step.get("needs")))
        .map(|step| format!("step {}", step.text("id").unwrap_or("without an id")))
        .collect();
    if let Some(Data::Map(fallbacks)) = plan.get("fallbacks").map(|fallbacks| &fallbacks.data) {
        for (name, fallback) in fallbacks {
            let sets = match fallback.get("set").map(|set| &set.data) {
                Some(Data::Map(set)) => set.keys().any(|key| begins(key, id)),
                _ => false,
            };
            if sets || names(fallback.get("request")) {
                users.push(format!("fallback {name}"));
            }
        }
    }
    users
}
