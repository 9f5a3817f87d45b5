//! [1] File to plan: read, fill in, check the shape. Every problem at once, each with its place.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bounds::LONGEST_FILLED;
use super::error::{PlanError, PlanErrors};
use super::find::{find, reach};
use super::jetson::SUFFIX;
use super::placeholders::Placeholders;
use super::schema::PlanFile;
use super::shape::{self, Misfit, MismatchReason};
use super::source::SourceText;
use super::step_config::{ParseStep, StepConfig};
use super::yaml_hint::yaml_hint;
use super::{Lineage, Plan, PlanSettings, extends, files, former_keys, hidden, objects, rules, suggest, variables};
use crate::resource::is_name;

/// A plan as far as it can be read, and everything that is wrong with it.
#[derive(Debug)]
pub struct Reading {
    /// The plan. Where something is wrong, a placeholder stands in it: it can be checked further, and is not for a run.
    pub plan: Option<Plan>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<PlanError>,
}

impl Reading {
    fn refused(problems: Vec<PlanError>) -> Self {
        Self { plan: None, problems }
    }

    /// The plan, when nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn whole(self) -> Result<Plan, PlanErrors> {
        match self.plan {
            Some(plan) if self.problems.is_empty() => Ok(plan),
            _ => Err(PlanErrors(self.problems)),
        }
    }
}

/// Loads the plan with this name or path.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(name: &str, settings: &PlanSettings) -> Result<Plan, PlanErrors> {
    read(name, settings).whole()
}

/// Reads the plan with this name or path, as far as it goes.
pub fn read(name: &str, settings: &PlanSettings) -> Reading {
    match find(name) {
        Ok((file, text)) => read_text(&file, &text, settings),
        Err(problem) => Reading::refused(vec![problem]),
    }
}

/// The data of a plan file; its former keys are read as the new ones.
///
/// # Errors
/// When the text is not YAML.
pub fn parsed(file: &str, source: &str) -> Result<SourceText, PlanErrors> {
    let read = SourceText::written_out(source).map_err(|bad| {
        PlanErrors(vec![PlanError {
            rule: rules::NOT_YAML,
            file: file.to_owned(),
            place: bad.place,
            problem: format!("not a plan file: {}", bad.problem),
            next_step: yaml_hint(source, bad.place.line).to_owned(),
        }])
    });
    let mut text = read?;
    former_keys::read_as_new(file, &mut text);
    Ok(text)
}

/// Reads a plan from text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, source: &str, settings: &PlanSettings) -> Result<Plan, PlanErrors> {
    read_text(file, source, settings).whole()
}

fn read_text(file: &str, source: &str, settings: &PlanSettings) -> Reading {
    let whole = parsed(file, source).and_then(|text| extends::resolve(file, source, text, settings));
    let (text, lineage) = match whole {
        Ok(whole) => whole,
        Err(PlanErrors(problems)) => return Reading::refused(problems),
    };
    let mut reader = PlanReader {
        file,
        source,
        text: &text,
        lineage: &lineage,
        problems: objects::ambiguous_numbers(file, source),
        places: Placeholders::default(),
    };
    let plan = reader.plan(settings);
    let mut problems = reader.problems;
    problems.sort_by(|one, other| one.order().cmp(&other.order()));
    Reading { plan, problems }
}

/// What helps when a later plan removes what must be there.
const KEEP_IT: &str = "delete it from remove, or write another value below";

/// What reads a plan and notes what is wrong with it.
pub(super) struct PlanReader<'a> {
    file: &'a str,
    /// As it was read.
    source: &'a str,
    pub(super) text: &'a SourceText,
    /// Where its values come from, when it extends others.
    pub(super) lineage: &'a Lineage,
    pub(super) problems: Vec<PlanError>,
    /// Where something is wrong.
    pub(super) places: Placeholders,
}

impl PlanReader<'_> {
    /// Notes a problem, unless something is known to be wrong there already.
    pub(super) fn complain(
        &mut self,
        rule: &'static str,
        path: &str,
        problem: impl Into<String>,
        next_step: impl Into<String>,
    ) {
        if self.places.covers(path) {
            return;
        }
        self.problems.push(PlanError {
            rule,
            file: self.lineage.file(path).unwrap_or(self.file).to_owned(),
            place: self.text.place(path),
            problem: problem.into(),
            next_step: next_step.into(),
        });
    }

    fn mismatch(&mut self, mismatch: &Misfit) {
        let path = mismatch.path();
        let problem = if path.is_empty() { mismatch.to_string() } else { format!("{path}: {mismatch}") };
        let removal = match mismatch.why {
            MismatchReason::MissingField(field) => self.lineage.removal(path, |member| member == field),
            _ => None,
        };
        let (file, place, problem, next_step) = match removal {
            Some((file, place)) => (file, place, format!("{problem}, which is removed here"), KEEP_IT.to_owned()),
            None => {
                let file = self.lineage.file(path).unwrap_or(self.file);
                (file, self.text.place(path), problem, mismatch.next_step())
            }
        };
        let file = file.to_owned();
        self.problems.push(PlanError { rule: mismatch.rule(), file, place, problem, next_step });
    }

    /// Reads something of a type as far as it goes, and complains about what does not fit.
    pub(super) fn shaped<T: DeserializeOwned>(&mut self, base: &str, value: &Value) -> Option<T> {
        let (read, misfits) = shape::read_as(value, base, &mut self.places);
        misfits.iter().for_each(|mismatch| self.mismatch(mismatch));
        read
    }

    /// The same for the settings of a step.
    pub(super) fn work(&mut self, base: &str, value: &Value, read: ParseStep) -> Option<StepConfig> {
        let (work, misfits) = shape::read(value, base, &mut self.places, read);
        misfits.iter().for_each(|mismatch| self.mismatch(mismatch));
        work
    }

    /// Complains about what a reader would not see; whether there is none.
    fn all_is_visible(&mut self, value: &Value) -> bool {
        let hidden = hidden::found(value);
        for (path, problem) in &hidden {
            self.complain(rules::HIDDEN, path, problem.clone(), hidden::NEXT);
            self.places.note(path);
        }
        hidden.is_empty()
    }

    /// The plan with its variables filled in; none when that becomes too long.
    fn filled(&mut self, values: &BTreeMap<String, Value>, known: &[&str]) -> Option<Value> {
        let filled = match variables::fill(&without_variables(&self.text.value), values) {
            Ok(filled) => filled,
            Err(path) => {
                let problem = format!(
                    "with its variables filled in, the plan is longer than {} MiB from here on",
                    LONGEST_FILLED >> 20
                );
                self.complain(rules::TOO_LONG, &path, problem, "set shorter values, or name them less often");
                return None;
            }
        };
        for (path, name) in &filled.unknown {
            // One that is declared and has no usable value was told where it is declared.
            if known.contains(&name.as_str()) {
                continue;
            }
            let next = match suggest::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? Otherwise declare it under variables"),
                None if known.is_empty() => "declare it under variables".to_owned(),
                None => format!("declare it under variables, or use one of: {}", known.join(", ")),
            };
            self.complain(rules::UNKNOWN_VARIABLE, path, format!("unknown variable {name:?}"), next);
        }
        filled.unknown.iter().for_each(|(path, _)| self.places.note(path));
        Some(filled.value)
    }

    fn plan(&mut self, settings: &PlanSettings) -> Option<Plan> {
        let text = self.text;
        let mut is_visible = self.all_is_visible(&text.value);
        let declared = self.declared();
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        let values = self.values(&declared, settings);
        let filled = self.filled(&values, &known)?;
        is_visible &= self.all_is_visible(&filled);
        let head: PlanFile<Value> = self.shaped("", &filled)?;
        if head.version != 1 {
            self.complain(
                rules::VERSION,
                "version",
                format!("this plan has version {}, this tool supports version 1", head.version),
                "use a newer akidb-edge, or version: 1",
            );
        }
        self.stack_name(&head.stack);
        if !head.remove.is_empty() {
            self.complain(
                rules::OVERRIDE,
                "remove",
                "remove removes parts of an earlier plan, but this plan has no extends",
                "write extends: PLAN, or delete it",
            );
        }
        self.gate(&head);
        let steps = self.steps(&head);
        self.fallbacks(&head, &steps);
        let mut plan = Plan::new(self.file, self.text.clone(), head, steps, values);
        plan.lineage = self.lineage.clone();
        plan.places = self.places.clone();
        let misfits = plan.fallbacks.keys().filter_map(|name| plan.with_fallback(name).err());
        self.problems.extend(misfits.flat_map(|problems| problems.0));
        plan.reach = reach(self.file, self.source, settings);
        // Of a plan that hides something, nothing else is looked at.
        if is_visible {
            let outside = files::read(&mut plan);
            self.problems.extend(outside);
        }
        Some(plan)
    }

    fn gate(&mut self, head: &PlanFile<Value>) {
        let Some(gate) = head.criteria.gate else { return };
        for priority in gate.wrong() {
            self.complain(
                rules::WRONG_VALUE,
                &format!("criteria.gate.{priority}"),
                format!("{priority} of the gate is not a percentage"),
                "write a number from 0 to 100",
            );
        }
    }

    fn stack_name(&mut self, stack: &str) {
        if !is_name(stack) {
            self.complain(
                rules::NAME,
                "stack",
                format!("invalid stack name {stack:?}"),
                "use lower-case letters, digits and dashes",
            );
        } else if stack.ends_with(SUFFIX) {
            self.complain(
                rules::NAME,
                "stack",
                format!("{stack:?} is reserved: the stack of a plan's devices has a name that ends in {SUFFIX}"),
                "use another name",
            );
        }
    }
}

fn without_variables(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("variables");
    }
    value
}
