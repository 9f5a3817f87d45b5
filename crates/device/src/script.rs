//! Small POSIX shell scripts: values quoted, answers in lines of `key=value`.

use std::collections::BTreeMap;

/// A value as one word of a shell, whatever is in it.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

/// The last lines of an answer in one: enough to say why, never all that a device sent.
pub fn last_words(answer: &str, most: usize) -> String {
    const LONGEST: usize = 400;
    let short = |line: &str| match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    let mut last: Vec<String> = answer.trim().lines().rev().take(most).map(short).collect();
    last.reverse();
    last.join(" / ")
}

/// No value that a script prints is longer than this: what is, is something else.
const LONGEST_VALUE: usize = 32 * 1024;

/// The `key=value` lines of an answer; other lines are left out.
pub fn lines(answer: &str) -> BTreeMap<&str, &str> {
    answer.lines().filter(|line| line.len() <= LONGEST_VALUE).filter_map(|line| line.split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_anything() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
    }

    #[test]
    fn last_words_are_few() {
        assert_eq!(last_words("a\nb\nc\n", 2), "b / c");
        assert!(last_words(&"é".repeat(100_000), 3).len() < 1000);
    }

    #[test]
    fn lines_are_pairs() {
        assert_eq!(lines("a=1\nnoise\nb=x=y\n"), BTreeMap::from([("a", "1"), ("b", "x=y")]));
        assert!(lines(&format!("a={}", "x".repeat(LONGEST_VALUE))).is_empty());
    }
}
