//! The JSON Schema of a plan that extends another: it may leave out what the earlier one says.

use serde_json::{Map, Value, json};

/// Parts of a plan that are whole in a plan that extends none, and pieces in one that does.
const PARTS: [&str; 3] = ["days", "fallbacks", "metadata"];

/// Adds to the schema of whole plans what a plan may leave out that extends another.
pub fn with_later_plans(mut schema: Value) -> Value {
    let mut whole = Map::new();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for part in PARTS {
            let Some(shape) = properties.get_mut(part) else { continue };
            let said = shape.get("description").cloned().unwrap_or_default();
            whole.insert(part.to_owned(), std::mem::replace(shape, json!({"description": said})));
        }
    }
    if let Some(root) = schema.as_object_mut() {
        let required = root.remove("required").unwrap_or_default();
        root.insert("dependentRequired".to_owned(), json!({"remove": ["extends"]}));
        root.insert("if".to_owned(), json!({"required": ["extends"]}));
        root.insert("then".to_owned(), json!({"properties": pieces()}));
        root.insert("else".to_owned(), json!({"properties": whole, "required": required}));
    }
    schema
}

/// The parts of a plan that extends another.
fn pieces() -> Value {
    let step = json!({"properties": {"id": {"type": "string"}}, "required": ["id"], "type": "object"});
    let day = json!({
        "additionalProperties": false,
        "properties": {
            "day": {"minimum": 0, "type": "integer"},
            "steps": {"items": step, "type": "array"},
            "title": {"type": "string"},
        },
        "required": ["day"],
        "type": "object",
    });
    json!({
        "days": {"items": day, "type": "array"},
        "fallbacks": {"additionalProperties": {"type": "object"}, "type": "object"},
        "metadata": {"type": "object"},
    })
}
