//! Small POSIX shell scripts: values quoted, answers in lines of `key=value`.

use std::collections::BTreeMap;

/// A value as one word of a shell, whatever is in it.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

/// The `key=value` lines of an answer; other lines are left out.
pub fn lines(answer: &str) -> BTreeMap<&str, &str> {
    answer.lines().filter_map(|line| line.split_once('=')).collect()
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
    fn lines_are_pairs() {
        assert_eq!(lines("a=1\nnoise\nb=x=y\n"), BTreeMap::from([("a", "1"), ("b", "x=y")]));
    }
}
