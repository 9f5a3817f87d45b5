//! What clients, model files and the metadata replica say, as logs, metrics and answers show it. The one place of the server that
//! knows the rule of untrusted text.

use std::borrow::Cow;

pub use crate::resource::untrusted::is_hidden;
use crate::resource::untrusted::line;

/// Letters of a message that are sent.
const LONGEST: usize = 2000;

/// A message of an answer. It may repeat what a client sent: what is hidden is written out, and what is too long for a message of ours
/// is cut.
pub fn message(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", line(&text[..end]))),
        None => line(text),
    }
}

/// Metrics as text, with what is hidden in the values of labels written out. Line feeds end lines: those of values were escaped
/// before. In a value a backslash stands as two.
pub fn labels(text: String) -> String {
    let hidden = |letter: char| is_hidden(letter) && letter != '\n';
    if !text.chars().any(hidden) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 64);
    for letter in text.chars() {
        if hidden(letter) {
            shown.push('\\');
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_visible_and_has_an_end() {
        assert_eq!(message("no model \"é\""), "no model \"é\"");
        assert_eq!(message("a\u{202e}b\n"), "a\\u{202e}b\\n");
        assert_eq!(message(&"é".repeat(1 << 20)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn values_of_labels_hold_nothing_hidden() {
        let text = "a{model=\"x\u{1b}]0;t\u{7}\r\u{202e}\\\\\\\"\"} 1\nb 2\n".to_owned();
        let shown = labels(text);
        assert_eq!(shown, "a{model=\"x\\\\u{1b}]0;t\\\\u{7}\\\\r\\\\u{202e}\\\\\\\"\"} 1\nb 2\n");
        assert_eq!(labels("é 漢字\n".to_owned()), "é 漢字\n");
    }
}
