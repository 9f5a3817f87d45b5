//! Variables: `${var.name}` in any text of a plan.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::schema::{Variable, VariableType};

/// Replaces `${var.NAME}` everywhere below `value`. A text that is nothing but one variable takes the variable's type.
///
/// # Errors
/// The path and name of each variable that is not declared.
pub fn fill(value: &Value, values: &BTreeMap<String, Value>) -> Result<Value, Vec<(String, String)>> {
    let mut unknown = Vec::new();
    let filled = walk("", value, values, &mut unknown);
    if unknown.is_empty() { Ok(filled) } else { Err(unknown) }
}

fn walk(path: &str, value: &Value, values: &BTreeMap<String, Value>, unknown: &mut Vec<(String, String)>) -> Value {
    match value {
        Value::String(text) => fill_text(path, text, values, unknown),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            Value::Array(
                items
                    .map(|(at, item)| walk(&super::source::join(path, &at.to_string()), item, values, unknown))
                    .collect(),
            )
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (key, item) in fields {
                map.insert(key.clone(), walk(&super::source::join(path, key), item, values, unknown));
            }
            Value::Object(map)
        }
        other => other.clone(),
    }
}

fn fill_text(path: &str, text: &str, values: &BTreeMap<String, Value>, unknown: &mut Vec<(String, String)>) -> Value {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${var.") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 6..start + length];
        match values.get(name) {
            Some(value) if start == 0 && length + 1 == text.len() && out.is_empty() => return value.clone(),
            Some(Value::String(value)) => {
                out.push_str(&rest[..start]);
                out.push_str(value);
            }
            Some(value) => {
                out.push_str(&rest[..start]);
                out.push_str(&value.to_string());
            }
            None => {
                unknown.push((path.to_owned(), name.to_owned()));
                out.push_str(&rest[..=start + length]);
            }
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Value::String(out)
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
