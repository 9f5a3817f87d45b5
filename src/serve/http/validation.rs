//! Why a body was rejected, in terms of JSON instead of Rust types.

use std::borrow::Cow;

use serde_json::Error;

use super::connection_fault;
use crate::inference::fault::beginning;

/// What the reader says of text that is not JSON, by how it begins, and what a client is told.
const SYNTAX: &[(&str, &str)] = &[
    ("EOF", "the body ends before the JSON is complete; send all of it"),
    ("expected `:`", "a colon is missing after the name of a field"),
    ("expected `,` or `]`", "a comma or the end of the list is missing"),
    ("expected `,` or `}`", "a comma or the end of the object is missing"),
    ("expected", "a JSON value is missing; a string needs double quotes"),
    ("invalid unicode code point", "the text is not UTF-8; encode it as UTF-8"),
    ("invalid number", "the number is not valid JSON"),
    ("number out of range", "the number is too large"),
    ("control character", "the string contains a control character, such as a line break; escape it (\\n)"),
    ("key must be a string", "the name of a field must be in double quotes"),
    ("trailing comma", "remove the comma before the end"),
    ("trailing characters", "there is more data after the JSON object; send only one object"),
    ("recursion limit", "lists and objects are nested too deeply"),
];
/// The rest: escapes.
const ESCAPE: &str = "the string contains an invalid escape; write a backslash twice";

/// Which field of a body is wrong, what is wanted there, and what came. `path` is where the reader stopped: `.` is the
/// outermost object, and `?` is in place of a name that cannot be read.
pub fn words(path: &str, why: &Error, body: &[u8]) -> String {
    let path = path.strip_suffix(".?").unwrap_or(path);
    let place = Some(path).filter(|path| ![".", "?"].contains(path)).map(beginning);
    let reason = reason(why);
    if why.is_data() { mismatch(place.as_deref(), &reason) } else { syntax(place.as_deref(), &reason, why, body) }
}

/// What the reader said, without the line and the column behind it.
fn reason(why: &Error) -> String {
    let said = why.to_string();
    let place = format!(" at line {} column {}", why.line(), why.column());
    said.strip_suffix(place.as_str()).map_or_else(|| said.clone(), str::to_owned)
}

/// JSON that does not fit.
fn mismatch(place: Option<&str>, reason: &str) -> String {
    let here = place.unwrap_or("the body");
    let field = || {
        let name = reason.split('`').nth(1).unwrap_or_default();
        place.map_or_else(|| name.to_owned(), |place| format!("{place}.{name}"))
    };
    if reason.starts_with("missing field ") {
        return format!("{} is missing; /openapi.json describes the body", field());
    }
    if reason.starts_with("duplicate field ") {
        return format!("{} appears twice; send it once", field());
    }
    if let Some(rest) = reason.strip_prefix("unknown field `") {
        return unknown(rest);
    }
    // An object that came as a list of its fields.
    if reason.starts_with("invalid length ") {
        return format!("{here} must be an object, not a list");
    }
    let kinds = reason.strip_prefix("invalid type: ").or_else(|| reason.strip_prefix("invalid value: "));
    match kinds.and_then(|kinds| kinds.rsplit_once(", expected ")) {
        Some((came, wanted)) => format!("{here} must be {}, not {}", wanted_in_json(wanted), came_in_json(came)),
        // Our own words.
        None => format!("{here}: {reason}"),
    }
}

/// A field that an address does not have, by its name and what the reader says behind it.
fn unknown(rest: &str) -> String {
    let (name, known) = rest.rsplit_once("`, expected ").unwrap_or((rest, ""));
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    format!("unknown field {:?}; allowed: {}", beginning(name), known.join(", "))
}

fn wanted_in_json(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ if wanted.starts_with("struct ") => "an object",
        // Our own words, and `a string`.
        _ => wanted,
    }
}

fn came_in_json(came: &str) -> Cow<'_, str> {
    if let Some(text) = came.strip_prefix("string \"").and_then(|rest| rest.strip_suffix('"')) {
        return format!("the string \"{}\"", beginning(text)).into();
    }
    match came {
        "sequence" => "a list".into(),
        "map" => "an object".into(),
        // Numbers, true and false are in backticks; null stands alone.
        _ => came.split('`').nth(1).unwrap_or(came).into(),
    }
}

/// Text that is not JSON.
fn syntax(place: Option<&str>, reason: &str, why: &Error, body: &[u8]) -> String {
    let here = place.unwrap_or("the body");
    if let Some(broken) = connection_fault::why(body, why.line(), why.column()) {
        return format!("{here}: {broken}");
    }
    let meant = SYNTAX.iter().find(|(begins, _)| reason.starts_with(*begins)).map_or(ESCAPE, |(_, meant)| *meant);
    let byte = connection_fault::stopped(body, why.line(), why.column());
    format!("{here}: {meant} (byte {byte} of the body)")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde::Deserialize;

    use crate::serve::http::parse::{Texts, json};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only deserialized: the tests look at the error")]
    struct Body {
        inputs: Texts,
        model: Option<String>,
        truncate: Option<bool>,
        dimensions: Option<usize>,
        ids: Option<Vec<u32>>,
        parts: Option<Vec<Part>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only deserialized: the tests look at the error")]
    struct Part {
        name: String,
        last: Option<bool>,
    }

    fn refused(body: &str) -> String {
        let why = json::<Body>(&HeaderMap::new(), body.as_bytes()).unwrap_err();
        why.0.message.into_owned()
    }

    #[test]
    fn a_field_that_does_not_fit_is_told_in_words_of_json() {
        for (fields, said) in [
            (r#""inputs": 7"#, "inputs must be a text or a list of texts, not 7"),
            (r#""inputs": {"a": 1}"#, "inputs must be a text or a list of texts, not an object"),
            (r#""inputs": ["a", true]"#, "inputs[1] must be a text, not true"),
            (r#""inputs": "a", "model": ["b"]"#, "model must be a string, not a list"),
            (r#""inputs": "a", "truncate": "yes""#, r#"truncate must be true or false, not the string "yes""#),
            (r#""inputs": "a", "dimensions": -1"#, "dimensions must be a whole number, 0 or more, not -1"),
            (r#""inputs": "a", "dimensions": 1.5"#, "dimensions must be a whole number, 0 or more, not 1.5"),
            (r#""inputs": "a", "ids": {}"#, "ids must be a list, not an object"),
            (r#""inputs": "a", "ids": [1, null]"#, "ids[1] must be a whole number from 0 to 4294967295, not null"),
            (r#""inputs": "a", "parts": ["b"]"#, r#"parts[0] must be an object, not the string "b""#),
            (r#""inputs": "a", "parts": [[]]"#, "parts[0] must be an object, not a list"),
            (r#""inputs": "a", "parts": [{}]"#, "parts[0].name is missing; /openapi.json describes the body"),
            (r#""inputs": "a", "parts": [{"name": "a", "name": "b"}]"#, "parts[0].name appears twice; send it once"),
            (r#""input": "a""#, r#"unknown field "input"; allowed: inputs, model, truncate, dimensions, ids, parts"#),
            (
                r#""a`, expected `b": 1"#,
                r#"unknown field "a`, expected `b"; allowed: inputs, model, truncate, dimensions, ids, parts"#,
            ),
            (r#""inputs": "a", "model": ", expected u32", "model": 1"#, "model appears twice; send it once"),
            (
                r#""inputs": "a", "truncate": ", expected u32""#,
                r#"truncate must be true or false, not the string ", expected u32""#,
            ),
        ] {
            assert_eq!(refused(&format!("{{{fields}}}")), said, "{fields}");
        }
    }

    #[test]
    fn text_that_is_not_json_is_told_with_its_place() {
        for (body, said) in [
            (r#"{"inputs": ["a""#, "inputs: the body ends before the JSON is complete"),
            (r#"{"inputs": hello}"#, "inputs: a JSON value is missing"),
            (r#"{"inputs": ["a" "b"]}"#, "inputs: a comma or the end of the list is missing"),
            (r#"{"inputs": "a" "b"}"#, "the body: a comma or the end of the object is missing"),
            (r#"{"inputs" "a"}"#, "the body: a colon is missing"),
            (r#"{"inputs": "a",}"#, "the body: remove the comma before the end"),
            (r#"{"inputs": "a", "parts": [{name: 1}]}"#, "parts[0]: the name of a field must be in double quotes"),
            (r#"{"inputs": "\x"}"#, "inputs: the string contains an invalid escape"),
            ("{\"inputs\": \"a\nb\"}", "inputs: the string contains a control character"),
            (r#"{"inputs": "a", "dimensions": 1e999}"#, "dimensions: the number is too large (byte 35 of the body)"),
        ] {
            let refused = refused(body);
            assert!(refused.starts_with(said) && refused.ends_with(" of the body)"), "{body}: {refused}");
        }
    }

    #[test]
    fn what_a_client_sent_is_shown_in_part() {
        let long = "é".repeat(5000);
        for body in
            [format!(r#"{{"inputs": "a", "truncate": "{long}"}}"#), format!(r#"{{"inputs": "a", "{long}": 1}}"#)]
        {
            let refused = refused(&body);
            assert!(refused.chars().count() < 200 && refused.contains("é…"), "{refused}");
        }
    }
}
