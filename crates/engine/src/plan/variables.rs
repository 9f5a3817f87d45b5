//! Variables: `${var.name}` in any text of a plan.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bounds::LONGEST_FILLED;
use super::schema::{Variable, VariableType};
use super::source::join;

/// A value with its variables filled in.
#[derive(Debug, PartialEq)]
pub struct Filled {
    /// The value; what is not declared stands in it as it was.
    pub value: Value,
    /// The path and name of each variable that is not declared.
    pub unknown: Vec<(String, String)>,
}

/// Replaces `${var.NAME}` everywhere below `value`. A text that is nothing but one variable takes the variable's type.
///
/// # Errors
/// The path where all texts together became longer than [`LONGEST_FILLED`].
pub fn fill(value: &Value, values: &BTreeMap<String, Value>) -> Result<Filled, String> {
    let mut filler = Filler { values, unknown: Vec::new(), left: LONGEST_FILLED };
    let value = filler.walk("", value)?;
    Ok(Filled { value, unknown: filler.unknown })
}

struct Filler<'v> {
    values: &'v BTreeMap<String, Value>,
    unknown: Vec<(String, String)>,
    /// Bytes that may still be written.
    left: usize,
}

impl Filler<'_> {
    /// The same with its variables filled in, or the path at which it became too long.
    fn walk(&mut self, path: &str, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.text(path, text)?,
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(at, item)| self.walk(&join(path, &at.to_string()), item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let mut map = Map::new();
                for (key, item) in fields {
                    map.insert(key.clone(), self.walk(&join(path, key), item)?);
                }
                Value::Object(map)
            }
            other => other.clone(),
        })
    }

    fn text(&mut self, path: &str, text: &str) -> Result<Value, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${var.") {
            let Some(length) = rest[start..].find('}') else { break };
            let name = &rest[start + 6..start + length];
            let value = self.values.get(name);
            if let Some(value) = value.filter(|_| start == 0 && length + 1 == text.len() && out.is_empty()) {
                self.take(path, value.as_str().map_or(0, str::len))?;
                return Ok(value.clone());
            }
            let (before, token) = (&rest[..start], &rest[start..=start + length]);
            let put = match value {
                Some(Value::String(value)) => value.clone(),
                Some(value) => value.to_string(),
                None => {
                    self.unknown.push((path.to_owned(), name.to_owned()));
                    token.to_owned()
                }
            };
            self.take(path, before.len() + put.len())?;
            out.push_str(before);
            out.push_str(&put);
            rest = &rest[start + length + 1..];
        }
        self.take(path, rest.len())?;
        out.push_str(rest);
        Ok(Value::String(out))
    }

    /// Counts bytes before they are written.
    fn take(&mut self, path: &str, bytes: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| path.to_owned())?;
        Ok(())
    }
}

/// The value of a variable from text, by its declared type.
///
/// # Errors
/// When the text is not of the type.
pub fn of_type(name: &str, declared: &Variable, text: &str) -> Result<Value, String> {
    let value = match declared.kind {
        VariableType::String => Some(Value::String(text.to_owned())),
        VariableType::Integer => text.parse::<i64>().map(Value::from).ok(),
        VariableType::Boolean => text.parse::<bool>().map(Value::from).ok(),
    };
    value.ok_or_else(|| wrong(name, declared, &format!("{text:?}")))
}

/// Whether a default is of the declared type.
///
/// # Errors
/// When it is not.
pub fn fits(name: &str, declared: &Variable, value: &Value) -> Result<(), String> {
    let fits = match declared.kind {
        VariableType::String => value.is_string(),
        VariableType::Integer => value.is_i64(),
        VariableType::Boolean => value.is_boolean(),
    };
    if fits { Ok(()) } else { Err(wrong(name, declared, &value.to_string())) }
}

fn wrong(name: &str, declared: &Variable, said: &str) -> String {
    let kind = match declared.kind {
        VariableType::String => "a text",
        VariableType::Integer => "an integer",
        VariableType::Boolean => "true or false",
    };
    format!("variable {name} is {kind}, not {said}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_whole_values_are_filled_in() {
        let values = BTreeMap::from([("a".to_owned(), json!("x")), ("n".to_owned(), json!(7))]);
        let filled = fill(&json!({"k": ["${var.a}/${var.n}", "${var.n}", "${HOME} ${var."]}), &values);
        let value = json!({"k": ["x/7", 7, "${HOME} ${var."]});
        assert_eq!(filled, Ok(Filled { value, unknown: Vec::new() }));
        let value = json!({"k": "${var.b} x", "l": "x"});
        let unknown = fill(&json!({"k": "${var.b} ${var.a}", "l": "${var.a}"}), &values);
        assert_eq!(unknown, Ok(Filled { value, unknown: vec![("k".to_owned(), "b".to_owned())] }));
    }

    #[test]
    fn a_variable_beside_other_text_becomes_a_part_of_it() {
        let values = BTreeMap::from([("n".to_owned(), json!(7)), ("b".to_owned(), json!(true))]);
        let filled = |text: &str| fill(&json!(text), &values).expect("it is short").value;
        assert_eq!(filled("${var.n}"), json!(7));
        assert_eq!(filled("x${var.n}"), json!("x7"));
        assert_eq!(filled("${var.n}x"), json!("7x"));
        assert_eq!(filled("${var.n}${var.b}"), json!("7true"));
        assert_eq!(filled("${var.n} and ${var.b}."), json!("7 and true."));
    }

    #[test]
    fn a_value_has_the_declared_type() {
        let declared = |kind: &str, default: Value| -> Variable {
            serde_json::from_value(json!({"type": kind, "default": default})).expect("a variable")
        };
        for (kind, text, value, other, words) in [
            ("string", "7", json!("7"), json!(7), "a text"),
            ("integer", "-7", json!(-7), json!("7"), "an integer"),
            ("boolean", "true", json!(true), json!("true"), "true or false"),
        ] {
            let variable = declared(kind, value.clone());
            assert_eq!(of_type("v", &variable, text), Ok(value.clone()));
            assert_eq!(fits("v", &variable, &value), Ok(()));
            assert_eq!(fits("v", &variable, &other), Err(format!("variable v is {words}, not {other}")));
        }
        let integer = declared("integer", json!(1));
        assert_eq!(of_type("v", &integer, "7.5"), Err("variable v is an integer, not \"7.5\"".to_owned()));
        assert!(of_type("v", &declared("boolean", json!(true)), "yes").is_err());
    }

    #[test]
    fn a_plan_that_grows_without_end_is_refused_where_it_does() {
        let values = BTreeMap::from([("v".to_owned(), json!("x".repeat(280_000)))]);
        let plan = json!({"a": "small", "b": ["${var.v} ".repeat(10_000)]});
        assert_eq!(fill(&plan, &values), Err("b.0".to_owned()));
        let many: Vec<&str> = std::iter::repeat_n("${var.v}", 10_000).collect();
        assert!(fill(&json!({"b": many}), &values).is_err(), "whole values count, too");
    }
}
