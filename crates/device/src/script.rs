//! Small POSIX shell scripts: literals of this program with quoted values, answers in lines of `key=value`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// Lines for a shell: literals of this program, with values in them as quoted words. A `String` does not become one by
/// itself: [`quoted`] is the function for a value, and [`script!`] puts it between literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(String);

impl Script {
    /// Puts together what [`script!`] took apart.
    pub(super) fn of(words: fmt::Arguments<'_>) -> Self {
        Self(words.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds more behind it.
    pub fn push(&mut self, more: impl Into<Self>) {
        self.0.push_str(&more.into().0);
    }

    /// The same with more behind it.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.push(more);
        self
    }

    /// Words with a blank between each two.
    pub(super) fn words(all: impl IntoIterator<Item = Self>) -> Self {
        let all: Vec<String> = all.into_iter().map(|word| word.0).collect();
        Self(all.join(" "))
    }
}

/// Reading does no harm.
impl Deref for Script {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// For messages. What is put into a message does not become a script again.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Words of this program.
impl From<&'static str> for Script {
    fn from(words: &'static str) -> Self {
        Self(words.to_owned())
    }
}

impl From<&Script> for Script {
    fn from(lines: &Script) -> Self {
        lines.clone()
    }
}

impl From<u32> for Script {
    fn from(number: u32) -> Self {
        Self(number.to_string())
    }
}

/// What [`script!`] takes between its literals.
pub(super) trait ScriptValue {
    /// As it is there.
    fn in_script(&self) -> Script;
}

impl ScriptValue for Script {
    fn in_script(&self) -> Script {
        self.clone()
    }
}

impl ScriptValue for &Script {
    fn in_script(&self) -> Script {
        (*self).clone()
    }
}

impl ScriptValue for &'static str {
    fn in_script(&self) -> Script {
        (*self).into()
    }
}

impl ScriptValue for u32 {
    fn in_script(&self) -> Script {
        (*self).into()
    }
}

/// As `format!`, for [`Script`]s: each name in braces is behind the literal, too, as `name` or `name = value`, and is a
/// script, a literal or a number. A `String` does not compile.
macro_rules! script {
    (@word $name:ident) => { $crate::script::ScriptValue::in_script(&$name) };
    (@word $name:ident $value:expr) => { $crate::script::ScriptValue::in_script(&$value) };
    // What is borrowed for it ends with the statement: a script can be handed to a future that is sent to another thread.
    ($words:literal, $($name:ident $(= $value:expr)?),+ $(,)?) => {{
        let script = $crate::script::Script::of(format_args!(
            concat!($words),
            $($name = $crate::script::script!(@word $name $($value)?).as_str()),+
        ));
        script
    }};
}
pub(super) use script;

/// A value as one word of a shell, whatever is in it.
pub fn quoted(value: &str) -> Script {
    Script(format!("'{}'", value.replace('\'', "'\\''")))
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
        assert_eq!(quoted("a b").as_str(), "'a b'");
        assert_eq!(quoted("it's $x").as_str(), r"'it'\''s $x'");
    }

    /// What a shell makes of a quoted value is the value, whatever it holds.
    #[test]
    fn a_shell_takes_a_quoted_value_as_it_is() {
        for value in
            ["a b", "it's", "\"", "a\nb\n", "%h %s", "$HOME $(id) `id`", "\\n\\", "-n", "*;&|<>#", "\u{202e}", ""]
        {
            let script = script!("printf '%s' {value}", value = quoted(value));
            let output = std::process::Command::new("sh").args(["-c", script.as_str()]).output().expect("sh runs");
            assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{script}");
        }
    }

    #[test]
    fn values_stand_between_literals_as_words() {
        const PROGRAM: &str = "cat";
        let path = quoted("/etc/a b; id");
        let text = script!("{PROGRAM} -- {path} {path} {count}", PROGRAM, path, count = 3_u32);
        assert_eq!(text.as_str(), "cat -- '/etc/a b; id' '/etc/a b; id' 3");
        let more = Script::from("a ").and(Script::words([quoted("$b"), quoted("c")])).and("\n").and(7_u32);
        assert_eq!(more.as_str(), "a '$b' 'c'\n7");
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
