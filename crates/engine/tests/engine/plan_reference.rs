//! `docs/reference/steps.md`: its second part, every setting of a plan, is generated from the schema of plans. To write it again:
//! `AKIDB_EDGE_UPDATE_DOCS=1 cargo test -p akidb-edge-engine --test engine plan_reference`.

use std::fmt::Write;
use std::{env, fs};

use akidb_edge_engine::plan::{StepConfig, json_schema};
use serde_json::{Map, Value, json};

const FILE: &str = "../../docs/reference/steps.md";

/// In place of the default of a setting that has to be there.
const REQUIRED: &str = "required";

/// Where the generated part begins.
const BEGIN: &str = "\n## Top level\n";

/// The types of the schema, by their names.
struct Reference {
    types: Map<String, Value>,
}

/// The name of the type that a schema refers to.
fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

fn texts<'v>(schema: &'v Value, key: &str) -> Vec<&'v str> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn members<'v>(schema: &'v Value, key: &str) -> Vec<&'v Value> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten().collect()
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('>', "&gt;")
}

fn description(schema: &Value) -> String {
    cell(schema.get("description").and_then(Value::as_str).unwrap_or_default())
}

/// The alternatives of a schema.
fn choices(schema: &Value) -> Vec<&Value> {
    let all = [members(schema, "oneOf"), members(schema, "anyOf")].concat();
    all.into_iter().filter(|one| !is_null(one)).collect()
}

/// The values of a schema that allows some words only.
fn words(schema: &Value) -> Option<Vec<&str>> {
    let listed = texts(schema, "enum");
    if !listed.is_empty() {
        return Some(listed);
    }
    let choices = choices(schema);
    let values: Vec<&str> = choices.iter().filter_map(|one| one.get("const").and_then(Value::as_str)).collect();
    (!values.is_empty() && values.len() == choices.len()).then_some(values)
}

impl Reference {
    /// Whether a type has a section of its own: it has settings or alternatives.
    fn has_section(&self, name: &str) -> bool {
        self.types.get(name).is_some_and(|schema| {
            schema.get("properties").is_some() || (!choices(schema).is_empty() && words(schema).is_none())
        })
    }

    /// How a value is written, in words.
    fn kind(&self, schema: &Value) -> String {
        match referred(schema) {
            Some("StepFile") => return "[step](#settings-of-every-step)".to_owned(),
            Some(name) if self.has_section(name) => return format!("[{name}](#{})", name.to_lowercase()),
            Some(name) => return self.types.get(name).map_or("anything".to_owned(), |schema| self.kind(schema)),
            None => {}
        }
        if let Some(words) = words(schema) {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        let choices = choices(schema);
        if !choices.is_empty() {
            let mut kinds: Vec<String> = choices.into_iter().map(|one| self.kind(one)).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
        let name = schema.get("type").and_then(Value::as_str).map(|name| vec![name]);
        let names = name.unwrap_or_else(|| texts(schema, "type"));
        let kinds = names.into_iter().filter(|name| *name != "null").map(|name| self.plain(name, schema));
        let kinds: Vec<String> = kinds.collect();
        if kinds.is_empty() { "anything".to_owned() } else { kinds.join(" or ") }
    }

    /// How a value of a type of JSON is written.
    fn plain(&self, name: &str, schema: &Value) -> String {
        let inner = |key: &str| schema.get(key).filter(|inner| inner.is_object());
        match name {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "array" => inner("items").map_or("list".to_owned(), |items| format!("list of {}", self.kind(items))),
            "object" => inner("additionalProperties")
                .map_or("map".to_owned(), |value| format!("map of names to {}", self.kind(value))),
            other => other.to_owned(),
        }
    }

    /// Rows for the settings of an object. `about` is the meaning of a setting without a description, `word` the default of one that
    /// is required.
    fn rows(&self, schema: &Value, about: &str, word: &str, text: &mut String) {
        let required = texts(schema, "required");
        let settings = schema.get("properties").and_then(Value::as_object);
        for (name, setting) in settings.into_iter().flatten() {
            let default = match setting.get("default") {
                _ if required.contains(&name.as_str()) => word.to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(Value::Array(list)) if list.is_empty() => String::new(),
                Some(Value::Object(map)) if map.values().all(|one| one.as_array().is_some_and(Vec::is_empty)) => {
                    String::new()
                }
                Some(Value::String(text)) if text.is_empty() => String::new(),
                Some(Value::String(text)) => format!("`{}`", cell(text)),
                Some(value) => format!("`{}`", cell(&value.to_string())),
            };
            let own = description(setting);
            let meaning = if own.is_empty() { about } else { &own };
            let _ = writeln!(text, "| `{name}` | {} | {default} | {meaning} |", self.kind(setting));
        }
    }

    /// The table of a type: its settings, or those of its alternatives.
    fn table(&self, schema: &Value) -> String {
        let mut text = String::new();
        self.rows(schema, "", REQUIRED, &mut text);
        for choice in choices(schema) {
            match choice.get("const").and_then(Value::as_str) {
                Some(word) => {
                    let _ = writeln!(text, "| | `{word}` | | {} |", description(choice));
                }
                None if choice.get("properties").is_some() => {
                    self.rows(choice, &description(choice), "one of these", &mut text)
                }
                None => {
                    let _ = writeln!(text, "| | {} | | {} |", self.kind(choice), description(choice));
                }
            }
        }
        if text.is_empty() {
            text
        } else {
            format!("\n| setting | value | default | meaning |\n|---|---|---|---|\n{text}")
        }
    }

    /// The kinds of steps: name, description, and the type of what is under `with`.
    fn steps(&self) -> Vec<(&str, String, &str)> {
        let kinds = choices(&self.types["StepFile"]).into_iter();
        let row = |kind| {
            let name = Value::pointer(kind, "/properties/kind/const")?.as_str()?;
            let with = Value::pointer(kind, "/properties/with")?;
            Some((name, description(kind), referred(with)?))
        };
        kinds.filter_map(row).collect()
    }
}

/// The settings of a plan that extends no other one: the schema has their types and which are required in its `else`.
fn top(whole: &Value) -> Value {
    let mut settings = whole["properties"].as_object().cloned().unwrap_or_default();
    settings.extend(whole["else"]["properties"].as_object().cloned().unwrap_or_default());
    json!({"properties": settings, "required": whole["else"]["required"]})
}

/// The page: what a person wrote, and the part that is generated.
fn page(before: &str) -> String {
    let mut whole = serde_json::to_value(json_schema()).expect("JSON");
    let types = whole["$defs"].take().as_object().cloned().expect("types");
    let reference = Reference { types };
    let mut text = format!("{before}{BEGIN}{}", reference.table(&top(&whole)));
    text.push_str("\n## Settings of every step\n");
    let step = &reference.types["StepFile"];
    let mut common = String::new();
    reference.rows(step, "", REQUIRED, &mut common);
    let _ = write!(text, "\n| setting | value | default | meaning |\n|---|---|---|---|\n{common}");
    text.push_str("| `kind` | one of the kinds below | required | The kind of the step. |\n");
    text.push_str(
        "| `with` | the settings of that kind | required | The settings of the step. |\n\n## Kinds of steps\n",
    );
    let steps = reference.steps();
    for (name, what, with) in &steps {
        let _ = write!(text, "\n### {name}\n\n{what}\n{}", reference.table(&reference.types[*with]));
    }
    text.push_str("\n## Types\n");
    let own = |name: &&String| *name == "StepFile" || steps.iter().any(|(_, _, with)| with == name);
    let others = reference.types.keys().filter(|name| !own(name) && reference.has_section(name));
    for name in others {
        let schema = &reference.types[name];
        let _ = write!(text, "\n### {name}\n\n{}\n{}", description(schema), reference.table(schema));
    }
    text
}

#[test]
fn the_page_of_steps_has_each_kind_and_setting() {
    let there = fs::read_to_string(FILE).expect("the page");
    let (before, _) = there.split_once(BEGIN).expect("the heading of the generated part");
    let wanted = page(before);
    if env::var_os("AKIDB_EDGE_UPDATE_DOCS").is_some() {
        fs::write(FILE, &wanted).expect("the page is written");
    }
    let now = fs::read_to_string(FILE).expect("the page");
    assert!(now == wanted, "{FILE} is not what the types say: AKIDB_EDGE_UPDATE_DOCS=1 writes it again");
    for kind in StepConfig::kinds() {
        assert!(now.contains(&format!("\n### {kind}\n")), "{FILE} lacks the kind {kind}");
    }
    for setting in ["| `on_request` |", "| `versioning` |", "| `default_root_object` |"] {
        assert!(now.contains(setting), "{FILE} lacks {setting}");
    }
}
