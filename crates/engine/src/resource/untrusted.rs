//! Text that comes from outside: from a device, a service, a plan, a model. It cannot be printed, put into a command, a YAML
//! document or a path as it is: this type shows nothing of itself, and has one function for each of these uses.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::sensitive::hidden;

/// Longest name of a file (bytes) that file systems take.
const LONGEST_NAME: usize = 255;

/// Text from outside. It has no `Display` and no way to a `&str`: see [`line`](Self::line), [`text`](Self::text),
/// [`operand`](Self::operand), [`shell_word`](Self::shell_word), [`yaml`](Self::yaml), [`markdown`](Self::markdown),
/// [`file_name`](Self::file_name) and [`absolute_path`](Self::absolute_path). As data (serde) it stays what it is.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

/// Text from outside that does not fit the use that was meant for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} {why}")]
pub struct RejectedText {
    /// The text, fit to be printed.
    pub shown: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Untrusted {
    /// What bytes say; invalid UTF-8 becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// For a line that is printed: whatever moves a cursor, ends a line or is not visible is written out (`\u{1b}`).
    pub fn line(&self) -> String {
        line(&self.0).into_owned()
    }

    /// For several lines that are printed: as [`line`](Self::line), but lines after the first begin with four blanks, so
    /// that none of them can pass for one of this program.
    pub fn text(&self) -> String {
        self.0.trim_end().lines().map(line).collect::<Vec<_>>().join("\n    ")
    }

    /// For a Markdown document: one line, in which nothing is markup or a link.
    pub fn markdown(&self) -> String {
        markdown(&self.0)
    }

    /// For a command, as an argument of its own: no option, nothing that is not visible.
    ///
    /// # Errors
    /// When it is empty, begins with a dash, or holds control characters.
    pub fn operand(&self) -> Result<&str, RejectedText> {
        if self.0.is_empty() {
            return Err(self.unfit("is empty"));
        }
        if self.0.starts_with('-') {
            return Err(self.unfit("begins with a dash: a command would take it for an option"));
        }
        self.visible()
    }

    /// For a POSIX shell: one word, whatever is in it, behind `--` where the command reads options.
    ///
    /// # Errors
    /// When it holds control characters.
    pub fn shell_word(&self) -> Result<String, RejectedText> {
        Ok(format!("'{}'", self.visible()?.replace('\'', "'\\''")))
    }

    /// For a YAML document: a scalar in double quotes that is this text and nothing else. It is JSON, too.
    pub fn yaml(&self) -> String {
        let mut out = String::from("\"");
        for letter in self.0.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                // Beyond four digits JSON and YAML write them in different ways; both take such letters as they are.
                odd if is_hidden(odd) && u32::from(odd) <= 0xffff => {
                    out.push_str(&format!("\\u{:04x}", u32::from(odd)));
                }
                other => out.push(other),
            }
        }
        out + "\""
    }

    /// For a file name: one part of a path.
    ///
    /// # Errors
    /// When it would lead elsewhere, is too long, or holds control characters.
    pub fn file_name(&self) -> Result<&str, RejectedText> {
        match self.0.as_str() {
            "" | "." | ".." => Err(self.unfit("cannot be the name of a file")),
            name if name.contains(['/', '\\']) => Err(self.unfit("is a path, not a name of a file")),
            name if name.len() > LONGEST_NAME => Err(self.unfit("is too long for a name of a file")),
            _ => self.visible(),
        }
    }

    /// For a path on a machine: from the root on, without a way up.
    ///
    /// # Errors
    /// When it is relative, holds `..`, or holds control characters.
    pub fn absolute_path(&self) -> Result<&str, RejectedText> {
        if !self.0.starts_with('/') {
            return Err(self.unfit("is not an absolute path"));
        }
        if self.0.split('/').any(|part| part == "..") {
            return Err(self.unfit("leads up (`..`)"));
        }
        self.visible()
    }

    /// For a value of another type, such as a number.
    pub fn parsed<T: FromStr>(&self) -> Option<T> {
        self.0.trim().parse().ok()
    }

    /// Our own word that it is, if it is one.
    pub fn word_of<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| *word == self.0)
    }

    /// Whether it holds these words.
    pub fn contains(&self, words: &str) -> bool {
        self.0.contains(words)
    }

    /// Whether it begins with these words.
    pub fn starts_with(&self, words: &str) -> bool {
        self.0.starts_with(words)
    }

    /// Whether it ends with these words.
    pub fn ends_with(&self, words: &str) -> bool {
        self.0.ends_with(words)
    }

    /// Its lines, each as little to be trusted.
    pub fn lines(&self) -> impl Iterator<Item = Self> {
        self.0.lines().map(|line| Self(line.to_owned()))
    }

    /// What is before and behind the first `at`.
    pub fn split_once(&self, at: char) -> Option<(Self, Self)> {
        self.0.split_once(at).map(|(before, behind)| (before.into(), behind.into()))
    }

    /// The same without blanks around it.
    #[must_use]
    pub fn trim(&self) -> Self {
        Self(self.0.trim().to_owned())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The same with words of our own behind it.
    #[must_use]
    pub fn and(mut self, own: &str) -> Self {
        self.0.push_str(own);
        self
    }

    /// The same without sensitive values.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self(hidden(&self.0).into_owned())
    }

    fn visible(&self) -> Result<&str, RejectedText> {
        match self.0.chars().any(is_hidden) {
            true => Err(self.unfit("holds characters that are not visible")),
            false => Ok(&self.0),
        }
    }

    fn unfit(&self, why: &'static str) -> RejectedText {
        RejectedText { shown: self.line(), why }
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for Untrusted {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl PartialEq<str> for Untrusted {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Untrusted {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// For messages of tests and of `{:?}`: quoted and written out.
impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.line())
    }
}

/// A text, as in every other place of a schema.
impl JsonSchema for Untrusted {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// Whether a letter moves the cursor, changes the order of others, ends a line, or cannot be seen: C0, DEL, C1, and what
/// Unicode has for direction, joining and filling.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text in one line, with what is hidden written out. The one place that says how.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// A text with its lines and tabs, and with all else that is hidden written out: for what this program made of several parts.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| is_hidden(letter) && !matches!(letter, '\n' | '\t'))
}

/// A text for Markdown: one line, in which nothing is markup.
pub fn markdown(text: &str) -> String {
    let mut out = String::new();
    for letter in line(text).chars() {
        if "\\`*_[]<>|~&".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if hidden(letter) {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use saphyr::LoadableYamlNode;

    use super::*;

    /// What terminals and readers are deceived with: an erased line, a title, a copy into the clipboard, C1, another
    /// direction, nothing at all.
    const HOSTILE: [&str; 9] = [
        "\r\u{1b}[2K\u{1b}[1A",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]52;c;cm0gLXJm\u{1b}\\",
        "\u{9b}2J",
        "\u{90}q\u{9c}",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{2028}b",
        "a\u{e0041}b",
    ];

    #[test]
    fn what_is_printed_holds_nothing_hidden() {
        for hostile in HOSTILE {
            let text = Untrusted::from(hostile);
            for shown in [text.line(), text.text(), text.markdown(), format!("{text:?}")] {
                assert!(!shown.chars().any(|letter| is_hidden(letter) && letter != '\n'), "{shown:?}");
                assert!(shown.contains('u') || shown.contains('\\'), "it can be seen that it was there: {shown:?}");
            }
            assert!(text.operand().is_err() && text.shell_word().is_err() && text.file_name().is_err(), "{text:?}");
        }
        assert_eq!(Untrusted::from("é ü 漢字 🙂").line(), "é ü 漢字 🙂");
    }

    #[test]
    fn a_line_of_others_is_none_of_ours() {
        assert_eq!(Untrusted::from("no\n  ✓ create  x\n\n").text(), "no\n      ✓ create  x");
        assert_eq!(Untrusted::from("no\nyes").line(), "no\\nyes");
    }

    #[test]
    fn each_use_takes_what_fits_it() {
        let text = |text: &str| Untrusted::from(text);
        for option in ["-oProxyCommand=x", "--record", "-", ""] {
            assert!(text(option).operand().is_err(), "{option}");
        }
        assert_eq!(text("jetson-01").operand(), Ok("jetson-01"));
        assert_eq!(text("it's $x").shell_word().as_deref(), Ok(r"'it'\''s $x'"));
        for path in ["", ".", "..", "a/b", "a\\b", &"x".repeat(256)] {
            assert!(text(path).file_name().is_err(), "{path}");
        }
        for path in ["etc/x", "/a/../b", "/..", "/a\nb"] {
            assert!(text(path).absolute_path().is_err(), "{path}");
        }
        assert_eq!(text("/etc/x..y").absolute_path(), Ok("/etc/x..y"));
        assert_eq!(text(" 42\n").parsed::<u64>(), Some(42));
        assert_eq!(text("active").word_of(&["active", "failed"]), Some("active"));
    }

    #[test]
    fn a_yaml_scalar_comes_back_as_it_was() {
        let all = HOSTILE.iter().copied().chain(["x\"\n  privileged: true\n", "a: b # c", "\\", "{}", "~", "", "🙂"]);
        for text in all {
            let scalar = Untrusted::from(text).yaml();
            assert!(!scalar.contains('\n'), "{scalar}");
            assert_eq!(serde_json::from_str::<String>(&scalar).expect("JSON"), text);
            let source = format!("key: {scalar}\n");
            let documents = saphyr::Yaml::load_from_str(&source).expect("YAML");
            assert_eq!(documents[0]["key"].as_str(), Some(text), "{scalar}");
        }
    }

    #[test]
    fn markdown_is_text_and_nothing_else() {
        assert_eq!(Untrusted::from("a | b\n# c [x](y) <i>").markdown(), "a \\| b\\\\n# c \\[x\\](y) \\<i\\>");
    }
}
