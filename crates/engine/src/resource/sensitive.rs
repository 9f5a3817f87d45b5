//! Values that nobody else may see: what a plan's `sensitive` variables hold. Whoever prints or writes something down takes
//! them out here; the process keeps one list of them, since everything that is printed goes through one place, too.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::literal_secret::{has_secret_form, is_literal, names_a_secret};
use super::records::text::quoted;
use super::sha256_hex;

/// What is in the place of a sensitive value.
pub const HIDDEN: &str = "(sensitive)";

/// Bytes that a sensitive value has at least: a shorter one could not be told from other words.
pub const SHORTEST: usize = 8;

/// Shorter lines of a sensitive value are not hidden on their own (`}`).
const SHORTEST_LINE: usize = 12;

static KNOWN: RwLock<Known> = RwLock::new(Known { values: BTreeSet::new(), forms: Vec::new(), logs: BTreeSet::new() });

struct Known {
    values: BTreeSet<String>,
    /// The forms in which they may be printed, the longest first.
    forms: Vec<String>,
    /// What is left out of logs, and of nothing else.
    logs: BTreeSet<String>,
}

/// From now on this value is shown and written down nowhere. One that is shorter than [`SHORTEST`] is not taken.
pub fn keep_secret(value: &str) {
    if value.len() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.values.insert(value.to_owned()) {
        known.forms.extend(forms(value));
        known.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        known.forms.dedup();
    }
}

/// From now on this word is left out of logs, and of nothing else: an access key id.
pub fn keep_from_logs(word: &str) {
    if word.len() >= SHORTEST {
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).logs.insert(word.to_owned());
    }
}

/// A value as it is in texts, in JSON and in base64, and its lines.
fn forms(value: &str) -> Vec<String> {
    let json = Value::from(value).to_string();
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && line.len() < value.len());
    let whole = [value.to_owned(), json.trim_matches('"').to_owned(), BASE64_STANDARD.encode(value)];
    whole.into_iter().chain(lines.map(str::to_owned)).collect()
}

/// A text without sensitive values.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    without_parts(replaced(text, known.forms.iter()), &known.values)
}

/// A line of a log: without sensitive values, and without words that logs do not hold.
pub fn hidden_from_logs(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    without_parts(replaced(text, known.forms.iter().chain(&known.logs)), &known.values)
}

/// Bytes of a value that are hidden without the rest of it: where a text was cut or divided.
const PART: usize = 16;

fn without_parts<'t>(text: Cow<'t, str>, values: &BTreeSet<String>) -> Cow<'t, str> {
    values.iter().filter(|value| value.len() > PART).fold(text, |text, value| {
        let windows: BTreeSet<&[u8]> = value.as_bytes().windows(PART).collect();
        let mut out = String::new();
        let mut kept = 0;
        let mut at = 0;
        while at + PART <= text.len() {
            let held = |end: usize| windows.contains(&text.as_bytes()[end - PART..end]);
            if !held(at + PART) {
                at += 1;
                continue;
            }
            let (mut begin, mut end) = (at, at + PART);
            while end < text.len() && held(end + 1) {
                end += 1;
            }
            while !text.is_char_boundary(begin) {
                begin += 1;
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            out.push_str(&text[kept..begin]);
            out.push_str(HIDDEN);
            (kept, at) = (end, end);
        }
        if kept == 0 { text } else { Cow::Owned(out + &text[kept..]) }
    })
}

/// Whether a sensitive value is in these data in another form than its own, so that it could not be taken out of them: divided
/// or escaped as texts of DNS are, or in other letters as names are.
pub fn is_altered(data: &Value) -> bool {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    !known.values.is_empty() && texts(data).iter().any(|text| known.values.iter().any(|value| altered(text, value)))
}

/// Whether a sensitive value is in these data as it is.
pub fn is_in(data: &Value) -> bool {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    !known.values.is_empty() && texts(data).iter().any(|text| known.values.iter().any(|value| text.contains(value)))
}

fn altered(text: &str, value: &str) -> bool {
    let rest = text.replace(value, "").to_ascii_lowercase();
    let (value, escaped) = (value.to_ascii_lowercase(), quoted(value.as_bytes()).to_ascii_lowercase());
    let part = value.len().clamp(SHORTEST_LINE, PART);
    let in_parts = value.as_bytes().windows(part).filter_map(|part| std::str::from_utf8(part).ok());
    in_parts.into_iter().any(|part| rest.contains(part)) || rest.contains(escaped.trim_matches('"'))
}

fn texts(data: &Value) -> Vec<&str> {
    match data {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn replaced<'t, 'k>(text: &'t str, words: impl Iterator<Item = &'k String>) -> Cow<'t, str> {
    let mut out = Cow::Borrowed(text);
    for word in words {
        if out.contains(word.as_str()) {
            out = Cow::Owned(out.replace(word.as_str(), HIDDEN));
        }
    }
    out
}

/// Takes sensitive values and the contents of files out of data that is shown: `{"text": …}` becomes `{"sha256": …}`.
pub fn hide(value: &mut Value) {
    replace(value, &mut |part| match part {
        TextPart::Content(text) => Some(Replacement::Hash(sha256_hex(text.as_bytes()))),
        TextPart::Secret(_) => Some(Replacement::Text(HIDDEN.to_owned())),
        TextPart::Text(text) => match hidden(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(Replacement::Text(text)),
        },
    });
}

/// The sensitive values in a text.
pub fn found_in(text: &str) -> Vec<String> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<String> = known.values.iter().filter(|value| text.contains(value.as_str())).cloned().collect();
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found
}

/// A text in a tree of data.
pub enum TextPart<'v> {
    /// The content of a file on a device: a text, or a line that is put into one.
    Content(&'v str),
    /// The value of an environment variable of a container whose name says that it is secret, or a text with the form of a secret.
    Secret(&'v str),
    /// Any other text.
    Text(&'v str),
}

/// What takes its place.
pub enum Replacement {
    /// Another text.
    Text(String),
    /// A hash of it.
    Hash(String),
}

/// The sides of a difference.
const SIDES: [&str; 4] = ["old", "new", "remembered", "real"];

/// One side of a difference between contents.
fn replace_side(side: &mut Value, change: &mut dyn FnMut(TextPart<'_>) -> Option<Replacement>) {
    let Value::String(text) = side else { return };
    match change(TextPart::Content(text)) {
        Some(Replacement::Text(new)) => *text = new,
        Some(Replacement::Hash(new)) => *text = format!("SHA-256 {new}"),
        None => {}
    }
}

/// The values of environment variables whose names say that they are secret; of all variables, or of one.
fn replace_in_env(env: &mut Value, change: &mut dyn FnMut(TextPart<'_>) -> Option<Replacement>) {
    if let Value::Array(variables) = env {
        return variables.iter_mut().for_each(|variable| replace_in_env(variable, change));
    }
    if !is_secret_variable(env) {
        return;
    }
    if let Some(Value::String(text)) = env.get_mut("value")
        && is_literal(text)
        && let Some(Replacement::Text(new) | Replacement::Hash(new)) = change(TextPart::Secret(text))
    {
        *text = new;
    }
}

/// Whether the name of an environment variable says that its value is secret.
pub fn is_secret_variable(variable: &Value) -> bool {
    variable.get("name").and_then(Value::as_str).is_some_and(names_a_secret)
}

/// Visits the texts of a tree of data and puts what `change` gives in their places.
pub fn replace(value: &mut Value, change: &mut dyn FnMut(TextPart<'_>) -> Option<Replacement>) {
    match value {
        Value::String(text) => {
            match change(if has_secret_form(text) { TextPart::Secret(text) } else { TextPart::Text(text) }) {
                Some(Replacement::Text(new) | Replacement::Hash(new)) => *text = new,
                None => {}
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, change)),
        Value::Object(fields) => {
            // A difference names the setting by its path.
            let of_content = fields.get("path").is_some_and(|path| path == "content.text");
            let path = fields.get("path").and_then(Value::as_str).unwrap_or_default();
            let of_env = path.ends_with(".env") || path.contains(".env.");
            let only = fields.len() == 1;
            let mut hashed = None;
            if let Some(Value::Object(said)) = fields.get_mut("plan").filter(|_| of_content) {
                said.get_mut("value").into_iter().for_each(|value| replace_side(value, change));
            }
            for (key, field) in fields.iter_mut() {
                if key == "env" || (of_env && SIDES.contains(&key.as_str())) {
                    replace_in_env(field, change);
                }
                if of_content && SIDES.contains(&key.as_str()) {
                    replace_side(field, change);
                    continue;
                }
                match field {
                    Value::String(text) if only && key == "text" => match change(TextPart::Content(text)) {
                        Some(Replacement::Text(new)) => *text = new,
                        Some(Replacement::Hash(new)) => hashed = Some(new),
                        None => {}
                    },
                    other => replace(other, change),
                }
            }
            if let Some(sha256) = hashed {
                fields.clear();
                fields.insert("sha256".to_owned(), sha256.into());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sensitive_value_is_hidden_in_each_of_its_forms() {
        let secret = "s3cr3t-\"quoted\"\nwith a second line";
        keep_secret(secret);
        let document = json!({"a": secret, "list": [format!("x{secret}y")]});
        for text in [
            format!("before {secret} behind"),
            document.to_string(),
            format!("token={}", BASE64_STANDARD.encode(secret)),
            "the device said: with a second line".to_owned(),
        ] {
            let shown = hidden(&text);
            assert!(shown.contains(HIDDEN) && !shown.contains("second") && !shown.contains("s3cr3t"), "{shown}");
        }
        let mut shown = document;
        hide(&mut shown);
        assert_eq!(shown, json!({"a": HIDDEN, "list": ["x(sensitive)y"]}));
        assert_eq!(found_in(&format!("a {secret}")), [secret]);
    }

    #[test]
    fn a_part_of_a_sensitive_value_is_hidden_and_another_form_is_known() {
        let secret = "part-of-Q8w7e6r5t4z3u2i1o0p-to-the-end";
        keep_secret(secret);
        assert_eq!(hidden(&format!("cut: `{}…`", &secret[..24])), "cut: `(sensitive)…`");
        assert_eq!(hidden(&format!("\"{}\" \"{}\"", &secret[..18], &secret[18..])), "\"(sensitive)\" \"(sensitive)\"");
        assert!(!is_altered(&json!({"value": format!("\"token={secret}\"")})));
        assert!(is_altered(&json!({"values": [format!("\"{}\" \"{}\"", &secret[..18], &secret[18..])]})));
        assert!(is_altered(&json!({"name": secret.to_lowercase()})));
        keep_secret("q\"<&>\u{e9}\\z-other");
        assert!(is_altered(&json!(quoted("tok=q\"<&>\u{e9}\\z-other".as_bytes()))));
    }

    #[test]
    fn a_variable_of_a_container_is_hidden_when_its_name_says_that_it_is_secret() {
        let env = |value: &str| json!([{"name": "DB_PASSWORD", "value": value}, {"name": "MODE", "value": "fast"}]);
        let mut shown = json!({"containers": [{"env": env("hunter2")}],
                               "fields": [{"path": "spec.containers.0.env", "old": env("hunter1"), "new": env("hunter2")}]});
        hide(&mut shown);
        let hidden = env(HIDDEN);
        let fields = json!([{"path": "spec.containers.0.env", "old": hidden, "new": hidden}]);
        assert_eq!(shown, json!({"containers": [{"env": hidden}], "fields": fields}));
    }

    #[test]
    fn what_is_left_out_of_logs_is_shown_elsewhere() {
        keep_from_logs("AKIDLOGSONLY1");
        assert_eq!(hidden_from_logs("Credential=AKIDLOGSONLY1/2026"), "Credential=(sensitive)/2026");
        assert_eq!(hidden("AKIDLOGSONLY1"), "AKIDLOGSONLY1");
    }

    #[test]
    fn the_content_of_a_file_is_shown_by_its_hash() {
        let hash = sha256_hex(b"PASSWORD=x");
        let mut shown = json!({"path": "/etc/x", "content": {"text": "PASSWORD=x"},
                               "fields": [{"path": "content.text", "old": "PASSWORD=x", "new": null, "drifted": false}]});
        hide(&mut shown);
        assert_eq!(
            shown,
            json!({"path": "/etc/x", "content": {"sha256": hash},
                   "fields": [{"path": "content.text", "old": format!("SHA-256 {hash}"), "new": null, "drifted": false}]})
        );
    }
}
