//! What a reader of a plan would not see: control characters, other directions, letters without width. A plan that has some
//! in its names, paths and settings is refused: its preview would show something else than what is done.

use serde_json::Value;

use super::source::join;
use crate::resource::untrusted::{is_hidden, line};

/// What helps.
pub const NEXT: &str = "remove them: they could hide what the plan does";

/// What a text may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Nothing that is hidden.
    Visible,
    /// Tabs.
    Tabs,
    /// Tabs and several lines.
    Lines,
    /// Anything: the content of a file.
    Anything,
}

/// The places where something is hidden: dotted path, and what is wrong there.
pub fn found(value: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    walk("", &mut Vec::new(), value, &mut all);
    all
}

fn walk<'v>(path: &str, keys: &mut Vec<&'v str>, value: &'v Value, all: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if !fits(text, allowed(keys)) => {
            let what = shown(text);
            all.push((path.to_owned(), format!("{}: the text {what} holds invisible characters", line(path))));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(&join(path, &at.to_string()), keys, item, all);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                let below = join(path, key);
                if !fits(key, Allowed::Visible) {
                    let what = shown(key);
                    all.push((below.clone(), format!("the key {what} holds invisible characters")));
                }
                keys.push(key);
                walk(&below, keys, item, all);
                keys.pop();
            }
        }
        _ => {}
    }
}

/// The beginning of a text, with what is hidden written out.
fn shown(text: &str) -> String {
    let first = text.chars().position(is_hidden).unwrap_or(0);
    let part: String = text.chars().skip(first.saturating_sub(20)).take(60).collect();
    format!("\"{}\"", line(&part))
}

/// The same in an object of a cluster: its texts may have several lines.
pub fn found_in_object(value: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    walk("", &mut vec![OBJECTS], value, &mut all);
    all
}

/// The key of objects of clusters in a step.
const OBJECTS: &str = "objects";

/// By the keys that lead to it: prose, environments and objects of clusters may have several lines, the lines of a file may have
/// tabs, and the text of a file may be anything.
fn allowed(keys: &[&str]) -> Allowed {
    match keys {
        [OBJECTS, ..] | ["days", "steps", "with", OBJECTS, ..] => Allowed::Lines,
        ["fallbacks", _, "set", key, ..] if key.contains(".objects.") => Allowed::Lines,
        [.., "files", _, "text"] => Allowed::Anything,
        [.., "set", key] if key.ends_with(".text") => Allowed::Anything,
        [.., "description" | "when" | "note"] | [.., "environment", _] | ["variables", _, "default"] => Allowed::Lines,
        [.., "lines", _] => Allowed::Tabs,
        _ => Allowed::Visible,
    }
}

fn fits(text: &str, allowed: Allowed) -> bool {
    let bad = |letter: char| match (allowed, letter) {
        (Allowed::Anything, _) | (Allowed::Lines, '\n' | '\r' | '\t') | (Allowed::Tabs, '\t') => false,
        (_, letter) => is_hidden(letter),
    };
    !text.chars().any(bad)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_paths_and_references_hold_nothing_hidden() {
        for hidden in ["\r\u{1b}[2K", "\u{9b}", "\u{202e}", "\u{200b}", "\u{7f}", "\n", "\0", "\u{feff}", "\u{e0041}"] {
            let path = format!("/etc/cron.d/z{hidden}");
            for plan in [
                json!({"days": [{"steps": [{"with": {"files": {&path: {"text": "x"}}}}]}]}),
                json!({"with": {"files": {"/x": {"file": &path}}}}),
                json!({"with": {"files": {"/x": {"link": &path}}}}),
                json!({"metadata": {"title": &path}}),
                json!({"with": {"to": format!("${{a.role.x#arn}}{hidden}")}}),
                json!({"with": {"packages": {&path: ""}}}),
            ] {
                let found = found(&plan);
                assert_eq!(found.len(), 1, "{plan}");
                assert!(!found[0].1.chars().any(is_hidden), "{found:?}");
            }
        }
    }

    #[test]
    fn prose_and_contents_may_have_lines() {
        for plan in [
            json!({"with": {"files": {"/etc/motd": {"text": "\u{1b}[1mhello\u{1b}[0m\r\n"}}}}),
            json!({"metadata": {"description": "two\n\tlines\n"}}),
            json!({"with": {"environment": {"PEM": "-----BEGIN\nx\n"}}}),
            json!({"with": {"lines": {"/etc/fstab": ["a\tb"]}}}),
            json!({"with": {"title": "Zürich 漢字 🙂"}}),
        ] {
            assert_eq!(found(&plan), [], "{plan}");
        }
        assert_eq!(found(&json!({"metadata": {"description": "\u{1b}[2J"}})).len(), 1);
        let object = json!({"data": {"a.conf": "one\n\ttwo\n"}});
        assert_eq!(found(&json!({"days": [{"steps": [{"with": {"objects": [&object]}}]}]})), []);
        assert_eq!(found_in_object(&object), []);
        assert_eq!(found_in_object(&json!({"data": {"a\nb": "x", "c": "\u{202e}"}})).len(), 2);
    }
}
