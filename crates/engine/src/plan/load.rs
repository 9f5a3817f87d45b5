//! [1] File to plan: read, fill in, check the shape. Every problem at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::bounds::LONGEST_FILLED;
use super::cycle::cycle;
use super::error::{PlanError, PlanErrors};
use super::find::{find, reach};
use super::jetson::SUFFIX;
use super::schema::PlanFile;
use super::source::{SourceText, join};
use super::step_config::{StepConfig, typed};
use super::variables::VariableError;
use super::{Lineage, Plan, PlanSettings, Step, extends, files, hidden, objects, variables};
use crate::resource::sensitive::{SHORTEST, keep_secret};
use crate::resource::{Untrusted, is_name};

/// Loads the plan with this name or path.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(name: &str, settings: &PlanSettings) -> Result<Plan, PlanErrors> {
    let (file, text) = find(name).map_err(|problem| PlanErrors(vec![problem]))?;
    parse(&file, &text, settings)
}

/// The data of a plan file.
///
/// # Errors
/// When the text is not YAML.
pub fn parsed(file: &str, source: &str) -> Result<SourceText, PlanErrors> {
    let text = SourceText::written_out(source).map_err(|bad| {
        PlanErrors(vec![PlanError {
            file: file.to_owned(),
            place: bad.place,
            problem: format!("not a plan file: {}", bad.problem),
            next_step: "correct the YAML; an editor with plans/schema.json shows it while you type".to_owned(),
        }])
    })?;
    let ambiguous = objects::ambiguous_numbers(file, source);
    if ambiguous.is_empty() { Ok(text) } else { Err(PlanErrors(ambiguous)) }
}

/// Reads a plan from text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, source: &str, settings: &PlanSettings) -> Result<Plan, PlanErrors> {
    let (text, lineage) = extends::resolve(file, source, parsed(file, source)?, settings)?;
    let mut reader = PlanReader { file, source, text: &text, lineage: &lineage, problems: Vec::new() };
    let plan = reader.plan(settings);
    match plan {
        Some(plan) if reader.problems.is_empty() => Ok(plan),
        _ => {
            reader.problems.sort_by(|one, other| one.order().cmp(&other.order()));
            Err(PlanErrors(reader.problems))
        }
    }
}

/// What helps when a later plan removes what must be there.
const KEEP_IT: &str = "delete it from remove, or write another value below";

/// What reads a plan and notes what is wrong with it.
pub(super) struct PlanReader<'a> {
    file: &'a str,
    /// As it was read.
    source: &'a str,
    text: &'a SourceText,
    /// Where its values come from, when it extends others.
    pub(super) lineage: &'a Lineage,
    pub(super) problems: Vec<PlanError>,
}

impl PlanReader<'_> {
    pub(super) fn complain(&mut self, path: &str, problem: impl Into<String>, next_step: impl Into<String>) {
        self.problems.push(PlanError {
            file: self.lineage.file(path).unwrap_or(self.file).to_owned(),
            place: self.text.place(path),
            problem: problem.into(),
            next_step: next_step.into(),
        });
    }

    fn mismatch(&mut self, base: &str, (path, problem): (String, String)) {
        let path = if path.is_empty() { base.to_owned() } else { join(base, &path) };
        let shown = path.trim_start_matches('.').to_owned();
        if let Some((file, place)) = self.lineage.removal(&path, |member| problem.contains(&format!("`{member}`"))) {
            let (file, problem) = (file.to_owned(), format!("{shown}: {problem}, which is removed here"));
            return self.problems.push(PlanError { file, place, problem, next_step: KEEP_IT.to_owned() });
        }
        let next = if problem.starts_with("unknown field") {
            "remove it, or use one of the fields named above"
        } else if problem.starts_with("missing field") {
            "add it; plans/schema.json describes every field"
        } else {
            "plans/schema.json describes what is allowed here"
        };
        self.complain(&path, format!("{shown}: {problem}"), next);
    }

    /// Complains about what a reader would not see.
    fn all_is_visible(&mut self, value: &Value) -> Option<()> {
        let hidden = hidden::found(value);
        for (path, problem) in &hidden {
            self.complain(path, problem.clone(), hidden::NEXT);
        }
        hidden.is_empty().then_some(())
    }

    fn filled(&mut self, values: &BTreeMap<String, Value>) -> Option<Value> {
        match variables::fill(&without_variables(&self.text.value), values) {
            Ok(filled) => return Some(filled),
            Err(VariableError::TooLong(path)) => self.complain(
                &path,
                format!(
                    "with its variables filled in, the plan is longer than {} MiB from here on",
                    LONGEST_FILLED >> 20
                ),
                "set shorter values, or name them less often",
            ),
            Err(VariableError::Unknown(unknown)) => {
                for (path, name) in unknown {
                    let known: Vec<&str> = values.keys().map(String::as_str).collect();
                    self.complain(
                        &path,
                        format!("unknown variable {name:?}"),
                        format!("declare it under variables, or use one of: {}", known.join(", ")),
                    );
                }
            }
        }
        None
    }

    fn plan(&mut self, settings: &PlanSettings) -> Option<Plan> {
        let text = self.text;
        self.all_is_visible(&text.value)?;
        let values = self.values(settings)?;
        let filled = self.filled(&values)?;
        self.all_is_visible(&filled)?;
        let head: PlanFile<Value> = typed(&filled).map_err(|mismatch| self.mismatch("", mismatch)).ok()?;
        if head.version != 1 {
            self.complain(
                "version",
                format!("this plan has version {}, this tool supports version 1", head.version),
                "use a newer akidb-edge, or version: 1",
            );
        }
        if !is_name(&head.stack) {
            self.complain(
                "stack",
                format!("invalid stack name {:?}", head.stack),
                "use lower-case letters, digits and dashes",
            );
        } else if head.stack.ends_with(SUFFIX) {
            self.complain(
                "stack",
                format!("{:?} is reserved: the stack of a plan's devices has a name that ends in {SUFFIX}", head.stack),
                "use another name",
            );
        }
        if !head.remove.is_empty() {
            self.complain(
                "remove",
                "remove removes parts of an earlier plan, but this plan has no extends",
                "write extends: PLAN, or delete it",
            );
        }
        let steps = self.steps(&head);
        self.fallbacks(&head, &steps);
        let mut plan = Plan::new(self.file, self.text.clone(), head, steps, values);
        plan.lineage = self.lineage.clone();
        if self.problems.is_empty() {
            let misfits = plan.fallbacks.keys().filter_map(|name| plan.with_fallback(name).err());
            self.problems.extend(misfits.flat_map(|problems| problems.0));
        }
        plan.reach = reach(self.file, self.source, settings);
        let outside = files::read(&mut plan);
        self.problems.extend(outside);
        Some(plan)
    }

    /// The value of every variable: defaults, then the environment, then what the command line says.
    fn values(&mut self, settings: &PlanSettings) -> Option<BTreeMap<String, Value>> {
        let declared = self.text.value.get("variables").cloned().unwrap_or_else(|| Value::Object(Default::default()));
        let declared: BTreeMap<String, super::Variable> =
            typed(&declared).map_err(|mismatch| self.mismatch("variables", mismatch)).ok()?;
        for name in settings.variables.keys().filter(|name| !declared.contains_key(*name)) {
            let known: Vec<&str> = declared.keys().map(String::as_str).collect();
            self.complain(
                "variables",
                format!("--var {name}: the plan has no such variable"),
                format!("use one of: {}", known.join(", ")),
            );
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &declared {
            let said = settings.variables.get(name).or_else(|| settings.environment.get(name));
            let path = join("variables", name);
            if variable.sensitive {
                let default = variable.default.as_ref().and_then(Value::as_str);
                self.keep_secret(&path, name, variable, said.map(String::as_str).or(default));
            }
            match (said, &variable.default) {
                (Some(text), _) => match variables::of_type(name, variable, text) {
                    Ok(value) => drop(values.insert(name.clone(), value)),
                    Err(problem) => self.complain(&path, problem, format!("write --var {name}=… with such a value")),
                },
                (None, Some(value)) => {
                    if let Err(problem) = variables::fits(name, variable, value) {
                        self.complain(&join(&path, "default"), problem, "write a default of the variable's type");
                    }
                    values.insert(name.clone(), value.clone());
                }
                (None, None) => self.without_value(&path, name),
            }
        }
        Some(values)
    }

    /// A variable has no value: told where a later plan takes its default away, if one does.
    fn without_value(&mut self, path: &str, name: &str) {
        let problem = format!("variable {name} has no value");
        let Some((file, place)) = self.lineage.removal(path, |member| member == "default") else {
            return self.complain(path, problem, format!("add --var {name}=…, or a default here"));
        };
        let (file, problem) = (file.to_owned(), format!("{problem}: its default is removed here"));
        self.problems.push(PlanError {
            file,
            place,
            problem,
            next_step: format!("add --var {name}=…, or another default"),
        });
    }

    /// A sensitive value is left out of everything that is said from here on.
    fn keep_secret(&mut self, path: &str, name: &str, variable: &super::Variable, value: Option<&str>) {
        if variable.kind != super::VariableType::String {
            self.complain(
                path,
                format!("variable {name} is sensitive, so it must be a text"),
                "make it one: type: string",
            );
        }
        match value {
            Some(value) if value.len() < SHORTEST => self.complain(
                path,
                format!("the value of the sensitive variable {name} has less than {SHORTEST} bytes"),
                "choose a longer one: such a short value cannot be redacted reliably in the output",
            ),
            Some(value) => keep_secret(value),
            None => {}
        }
    }

    fn steps(&mut self, head: &PlanFile<Value>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (at, day) in head.days.iter().enumerate() {
            for (nth, raw) in day.steps.iter().enumerate() {
                let path = format!("days.{at}.steps.{nth}");
                let Some(step) = self.step(&path, day.day, raw) else { continue };
                if steps.iter().any(|known| known.id == step.id) {
                    self.complain(&path, format!("duplicate step {:?}", step.id), "give each step its own id");
                }
                steps.push(step);
            }
        }
        let known: BTreeSet<String> = steps.iter().map(|step| step.id.clone()).collect();
        for step in &steps {
            for need in step.needs.iter().filter(|need| !known.contains(*need)) {
                self.complain(
                    &join(&step.path, "needs"),
                    format!("step {} needs {need:?}, which is not a step of the plan", step.id),
                    "name a step of this plan",
                );
            }
        }
        if let Some(cycle) = cycle(&steps) {
            let ids: Vec<&str> = cycle.iter().chain(cycle.first()).map(|step| step.id.as_str()).collect();
            let problem = format!("circular needs: {}", ids.join(" needs "));
            self.complain(
                &join(&cycle[0].path, "needs"),
                problem,
                "remove one of these needs: no step of the cycle can come first",
            );
        }
        steps
    }

    fn step(&mut self, path: &str, day: u32, raw: &Value) -> Option<Step> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Head {
            id: String,
            title: Untrusted,
            #[serde(default)]
            needs: BTreeSet<String>,
            #[serde(default)]
            on_request: bool,
            kind: String,
            with: Value,
        }
        let head: Head = typed(raw).map_err(|mismatch| self.mismatch(path, mismatch)).ok()?;
        if !is_name(&head.id) {
            self.complain(
                &join(path, "id"),
                format!("invalid step name {:?}", head.id),
                "use lower-case letters, digits and dashes",
            );
        }
        let with = join(path, "with");
        let Some(read) = StepConfig::reader(&head.kind) else {
            let kinds: Vec<&str> = StepConfig::kinds().collect();
            let problem = format!("unknown step kind {:?}", head.kind);
            self.complain(&join(path, "kind"), problem, format!("use one of: {}", kinds.join(", ")));
            return None;
        };
        let work = read(&head.with).map_err(|mismatch| self.mismatch(&with, mismatch)).ok()?;
        let Head { id, title, needs, on_request, kind, with } = head;
        Some(Step { id, day, title, needs, on_request, kind, with, work, path: path.to_owned() })
    }
}

fn without_variables(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.remove("variables");
    }
    value
}
