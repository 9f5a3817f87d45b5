//! The next step for a file that is not YAML: the common mistakes have a hint of their own.

/// The hint for every other mistake.
const GENERAL: &str = "correct the YAML; an editor with plans/schema.json shows it while you type";

/// What to correct, by the line (counted from 1) at which the reader stopped.
pub(super) fn yaml_hint(source: &str, line: usize) -> &'static str {
    let text = source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let indent = &text[..text.len() - text.trim_start().len()];
    if indent.contains('\t') {
        return "indent with spaces instead of tabs";
    }
    let plain = without_quoted(text);
    if plain.find("${").is_some_and(|at| plain[..at].contains(['{', '['])) {
        return "put quotes around a value with ${...} inside of { } or [ ], such as \"${var.name}\"";
    }
    if plain.matches(": ").count() > 1 && !plain.contains(['{', '[']) {
        return "put quotes around a value that contains a colon";
    }
    GENERAL
}

/// The line without its quoted parts and its comment.
fn without_quoted(text: &str) -> String {
    let (mut plain, mut quote) = (String::new(), None);
    for letter in text.chars() {
        match quote {
            Some(open) => quote = (letter != open).then_some(open),
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None if letter == '#' => break,
            None => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{GENERAL, yaml_hint};

    #[test]
    fn common_mistakes_have_a_hint() {
        for (line, hint) in [
            ("\tname: a", "spaces instead of tabs"),
            ("buckets: {p: {name: ${var.b}, region: us-east-1}}", "${...} inside of { }"),
            ("names: [a, ${var.b}]", "${...} inside of { }"),
            ("title: Week: one", "contains a colon"),
        ] {
            let found = yaml_hint(&format!("version: 1\n{line}\n"), 2);
            assert!(found.contains(hint), "{line}: {found}");
        }
        for line in
            ["name: ${var.b}", "buckets: {p: {name: \"${var.b}\"", "days: [", "title: \"Week: one", "a: b # c: d", ""]
        {
            assert_eq!(yaml_hint(line, 1), GENERAL, "{line}");
        }
        assert_eq!(yaml_hint("", 9), GENERAL);
    }
}
