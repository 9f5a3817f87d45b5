//! A later plan over an earlier one: mappings key by key, days by their number, steps by their id; anything else is replaced.

use std::collections::BTreeSet;

use super::lineage::LayeredChange;
use super::remove::{take, users_of};
use super::tree::{Data, SourceSpot, TreeNode, step_ids};
use crate::plan::source::join;
use crate::plan::{PlanError, PlanErrors, rules};

const ADDED: &str = "added";
const CHANGED: &str = "changed";
const REMOVED: &str = "removed";

/// Puts a later plan over an earlier one; `names` are the files by their numbers. Gives what it did.
///
/// # Errors
/// What the later plan says wrongly of the earlier one.
pub fn over(earlier: &mut TreeNode, later: TreeNode, names: &[String]) -> Result<Vec<LayeredChange>, PlanErrors> {
    let file = names.get(later.spot.file).cloned().unwrap_or_default();
    let mut merge = Merge { names, file, met: BTreeSet::new(), changes: Vec::new(), problems: Vec::new() };
    merge.plan(earlier, later);
    if merge.problems.is_empty() {
        return Ok(merge.changes);
    }
    merge.problems.sort_by_key(|problem| problem.place);
    Err(PlanErrors(merge.problems))
}

struct Merge<'n> {
    names: &'n [String],
    /// The later plan.
    file: String,
    /// The steps of the later plan so far.
    met: BTreeSet<String>,
    changes: Vec<LayeredChange>,
    problems: Vec<PlanError>,
}

impl Merge<'_> {
    fn note(&mut self, what: &'static str, path: &str) {
        self.changes.push(LayeredChange { file: self.file.clone(), what, path: path.to_owned() });
    }

    fn complain(&mut self, spot: SourceSpot, problem: impl Into<String>, next_step: impl Into<String>) {
        let file = self.names.get(spot.file).cloned().unwrap_or_default();
        let (problem, next_step) = (problem.into(), next_step.into());
        self.problems.push(PlanError { rule: rules::OVERRIDE, file, place: spot.place, problem, next_step });
    }

    /// A place for a message about another one.
    fn at(&self, spot: SourceSpot) -> String {
        let file = self.names.get(spot.file).map_or("", String::as_str);
        format!("{file}:{}:{}", spot.place.line, spot.place.column)
    }

    fn plan(&mut self, earlier: &mut TreeNode, later: TreeNode) {
        let TreeNode { spot, data: Data::Map(mut fields), .. } = later else { return };
        fields.remove("extends");
        let removed = fields.remove("remove").map(|list| self.remove(earlier, &list)).unwrap_or_default();
        // What is missing in all files is told of the one that the user named.
        earlier.spot = spot;
        for (key, value) in fields {
            if key == "days" {
                self.days(earlier, value);
            } else {
                self.field(&key, earlier, &key, value);
            }
        }
        self.still_needed(earlier, removed);
    }

    /// Takes out what the later plan removes: gives the steps that went, each with the place that says so.
    fn remove(&mut self, earlier: &mut TreeNode, list: &TreeNode) -> Vec<(String, SourceSpot)> {
        let mut gone = Vec::new();
        let next = "write ids of steps and dotted paths: remove: [STEP, steps.STEP.with.SETTING]";
        if !list.is_list() {
            self.complain(list.spot, "remove is not a list", next);
        }
        for entry in list.items() {
            let Some(path) = entry.as_text() else {
                self.complain(entry.spot, "what is removed is not named by a text", next);
                continue;
            };
            let before = step_ids(earlier);
            match take(earlier, path, entry.spot) {
                Some(whole) => {
                    self.note(REMOVED, &whole);
                    let after = step_ids(earlier);
                    gone.extend(before.difference(&after).map(|id| (id.clone(), entry.spot)));
                }
                None => {
                    let known: Vec<&str> = before.iter().map(String::as_str).collect();
                    self.complain(
                        entry.spot,
                        format!("remove names {path:?}, which the plans before this one do not have"),
                        format!("remove it, or name a path below one of the steps: {}", known.join(", ")),
                    );
                }
            }
        }
        gone
    }

    /// A step that others name cannot go, unless the later plan writes it anew.
    fn still_needed(&mut self, plan: &TreeNode, removed: Vec<(String, SourceSpot)>) {
        let there = step_ids(plan);
        for (id, spot) in removed.into_iter().filter(|(id, _)| !there.contains(id)) {
            let users = users_of(plan, &id);
            if !users.is_empty() {
                self.complain(
                    spot,
                    format!("step {id:?} cannot be removed: it is named by {}", users.join(", ")),
                    "also remove these, or change their needs and settings",
                );
            }
        }
    }

    /// Puts a member into a mapping.
    fn field(&mut self, path: &str, parent: &mut TreeNode, key: &str, value: TreeNode) {
        let Data::Map(fields) = &mut parent.data else { return };
        match fields.get_mut(key) {
            Some(there) => self.value(path, there, value),
            None => {
                self.note(ADDED, path);
                fields.insert(key.to_owned(), value);
                parent.removed.remove(key);
            }
        }
    }

    /// Mappings become one, anything else is replaced.
    fn value(&mut self, path: &str, there: &mut TreeNode, value: TreeNode) {
        let value = match value {
            TreeNode { data: Data::Map(fields), .. } if matches!(there.data, Data::Map(_)) => {
                for (key, item) in fields {
                    self.field(&join(path, &key), there, &key, item);
                }
                return;
            }
            other => other,
        };
        if there.value() != value.value() {
            self.note(CHANGED, path);
        }
        *there = value;
    }

    fn days(&mut self, plan: &mut TreeNode, mut later: TreeNode) {
        if !later.is_list() || !plan.get("days").is_some_and(TreeNode::is_list) {
            // The reader of the whole plan says what is wrong with it.
            self.field("days", plan, "days", later);
            return;
        }
        let laters = later.items_mut().map(std::mem::take).unwrap_or_default();
        if let Some(days) = plan.get_mut("days").and_then(TreeNode::items_mut) {
            for day in laters {
                self.day(days, day);
            }
        }
    }

    fn day(&mut self, days: &mut Vec<TreeNode>, mut later: TreeNode) {
        let Some(number) = later.get("day").map(TreeNode::value) else {
            days.push(later);
            return;
        };
        let path = format!("days.{number}");
        let steps = later.get_mut("steps").and_then(TreeNode::items_mut).map(std::mem::take);
        let known = days.iter().position(|day| day.get("day").is_some_and(|day| day.value() == number));
        let at = match known {
            Some(at) => {
                if let (Data::Map(fields), true) = (&mut later.data, steps.is_some()) {
                    fields.remove("steps");
                }
                self.value(&path, &mut days[at], later);
                at
            }
            None => {
                self.note(ADDED, &path);
                let after = |day: &TreeNode| day.get("day").and_then(|day| day.value().as_i64()) > number.as_i64();
                let at = days.iter().position(after).unwrap_or(days.len());
                days.insert(at, later);
                at
            }
        };
        for step in steps.unwrap_or_default() {
            self.step(days, at, step);
        }
    }

    /// Puts a step into the day at `at`.
    fn step(&mut self, days: &mut [TreeNode], at: usize, later: TreeNode) {
        let id = later.text("id").map(str::to_owned);
        if let Some(id) = &id
            && !self.met.insert(id.clone())
        {
            self.complain(later.spot, format!("duplicate step {id:?}"), "give each step its own id");
            return;
        }
        let found = id.as_deref().and_then(|id| find(days, id).map(|place| (id, place)));
        match found {
            Some((id, place)) => self.known_step(days, at, (id, place), later),
            None => {
                if let Some(id) = &id {
                    self.note(ADDED, &join("steps", id));
                }
                if let Some(steps) = days[at].get_mut("steps").and_then(TreeNode::items_mut) {
                    steps.push(later);
                }
            }
        }
    }

    /// Puts a step over the one of the earlier plan, which has a day and a place on it.
    fn known_step(&mut self, days: &mut [TreeNode], at: usize, known: (&str, (usize, usize)), later: TreeNode) {
        let (id, (day, nth)) = known;
        let number = |day: usize| days[day].get("day").map(TreeNode::value);
        let same_day = number(day) == number(at);
        let steps = days[day].get_mut("steps").and_then(TreeNode::items_mut);
        let Some(there) = steps.and_then(|steps| steps.get_mut(nth)) else { return };
        if same_day {
            self.step_over(id, there, later);
            return;
        }
        let place = self.at(there.spot);
        self.complain(
            later.spot,
            format!("step {id:?} is on another day in {place}"),
            "write it below that day, or put its id under remove and write it as a whole",
        );
    }

    fn step_over(&mut self, id: &str, there: &mut TreeNode, later: TreeNode) {
        if let (Some(before), Some(now)) = (there.get("kind"), later.get("kind")) {
            let (was, is) = (before.value(), now.value());
            if was != is {
                let place = self.at(before.spot);
                self.complain(
                    now.spot,
                    format!("step {id:?} has the kind {was} in {place}; its kind cannot become {is}"),
                    "leave the kind out, or put the step's id under remove and write it as a whole",
                );
                return;
            }
        }
        self.value(&join("steps", id), there, later);
    }
}

/// The day and the place on it of a step.
fn find(days: &[TreeNode], id: &str) -> Option<(usize, usize)> {
    days.iter().enumerate().find_map(|(day, node)| {
        let steps = node.get("steps").map(TreeNode::items).unwrap_or_default();
        let nth = steps.iter().position(|step| step.text("id") == Some(id))?;
        Some((day, nth))
    })
}
