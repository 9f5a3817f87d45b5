//! The values of a plan's variables: declarations, values from the user, and mismatches.

use std::collections::BTreeMap;

use serde_json::Value;

use super::load::PlanReader;
use super::schema::{Variable, VariableType};
use super::source::join;
use super::{PlanError, PlanSettings, rules, suggest, variables};
use crate::resource::sensitive::{HIDDEN, SHORTEST, keep_secret};

impl PlanReader<'_> {
    /// The variables that the plan declares.
    pub(super) fn declared(&mut self) -> BTreeMap<String, Variable> {
        let text = self.text;
        let Some(declared) = text.value.get("variables") else { return BTreeMap::new() };
        self.shaped("variables", declared).unwrap_or_default()
    }

    /// The value of every variable: defaults, then the environment, then what the command line says. One without a usable value
    /// is left out.
    pub(super) fn values(
        &mut self,
        declared: &BTreeMap<String, Variable>,
        settings: &PlanSettings,
    ) -> BTreeMap<String, Value> {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        for name in settings.variables.keys().filter(|name| !declared.contains_key(*name)) {
            self.complain(
                rules::UNKNOWN_VARIABLE,
                "variables",
                format!("--var {name}: the plan has no such variable"),
                suggest::instead(name, &known, "leave it out: the plan declares no variables"),
            );
        }
        let mut values = BTreeMap::new();
        for (name, variable) in declared {
            let said = settings.variables.get(name).or_else(|| settings.environment.get(name));
            let path = join("variables", name);
            if variable.sensitive {
                let default = variable.default.as_ref().and_then(Value::as_str);
                let value = said.map(String::as_str).or(default);
                self.keep_secret(&path, name, variable, value);
                // It is refused, and other errors of the plan do not show it either.
                if value.is_some_and(|value| value.len() < SHORTEST) {
                    values.insert(name.clone(), HIDDEN.into());
                    continue;
                }
            }
            if self.places.touches(&path) {
                continue;
            }
            match (said, &variable.default) {
                (Some(text), _) => match variables::of_type(name, variable, text) {
                    Ok(value) => drop(values.insert(name.clone(), value)),
                    Err(problem) => {
                        let next = format!("write --var {name}=… with such a value");
                        self.complain(rules::VARIABLE_TYPE, &path, problem, next);
                    }
                },
                (None, Some(value)) => match variables::fits(name, variable, value) {
                    Ok(()) => drop(values.insert(name.clone(), value.clone())),
                    Err(problem) => {
                        let next = "write a default of the variable's type";
                        self.complain(rules::VARIABLE_TYPE, &join(&path, "default"), problem, next);
                    }
                },
                (None, None) => self.without_value(&path, name),
            }
        }
        values
    }

    /// A variable has no value: told where a later plan takes its default away, if one does.
    fn without_value(&mut self, path: &str, name: &str) {
        let problem = format!("variable {name} has no value");
        let Some((file, place)) = self.lineage.removal(path, |member| member == "default") else {
            let next = format!("add --var {name}=…, or a default here");
            return self.complain(rules::NO_VALUE, path, problem, next);
        };
        let (file, problem) = (file.to_owned(), format!("{problem}: its default is removed here"));
        self.problems.push(PlanError {
            rule: rules::NO_VALUE,
            file,
            place,
            problem,
            next_step: format!("add --var {name}=…, or another default"),
        });
    }

    /// A sensitive value is left out of everything that is said from here on.
    fn keep_secret(&mut self, path: &str, name: &str, variable: &Variable, value: Option<&str>) {
        if variable.kind != VariableType::String {
            self.complain(
                rules::SENSITIVE,
                path,
                format!("variable {name} is sensitive, so it must be a text"),
                "make it one: type: string",
            );
        }
        match value {
            Some(value) if value.len() < SHORTEST => self.complain(
                rules::SENSITIVE,
                path,
                format!("the value of the sensitive variable {name} has less than {SHORTEST} bytes"),
                "choose a longer one: such a short value cannot be redacted reliably in the output",
            ),
            Some(value) => keep_secret(value),
            None => {}
        }
    }
}
