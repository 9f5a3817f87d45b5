//! Text that may be printed. The printer takes [`SafeText`] and nothing else, and a `SafeText` is made of literals of this program
//! and of values that were written out by the one rule of [`untrusted`](super::untrusted). So the compiler keeps a text from
//! outside away from terminals, logs and reports until it went through that rule.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use super::untrusted::{line, lines};
use super::{Markdown, Untrusted};

/// Text that may be printed: literals of this program, with everything else in them written out.
///
/// It is made of a literal, or by [`shown!`](crate::resource::shown) of a literal and values. A `String` does not become one
/// by itself:
///
/// ```
/// use akidb_edge_engine::resource::SafeText;
/// assert_eq!(SafeText::from("done").as_str(), "done");
/// ```
///
/// ```compile_fail
/// use akidb_edge_engine::resource::SafeText;
/// let from_outside = String::from("\u{1b}[2J");
/// let shown = SafeText::from(from_outside);
/// ```
///
/// ```compile_fail
/// use akidb_edge_engine::resource::SafeText;
/// let from_outside = String::from("\u{1b}[2J");
/// let shown = SafeText::from(from_outside.as_str());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SafeText(String);

impl SafeText {
    /// Puts together what [`shown!`](crate::resource::shown) took apart. Nothing else calls it: `tests/offline/architecture.rs`.
    #[doc(hidden)]
    pub fn of(words: fmt::Arguments<'_>) -> Self {
        Self(words.to_string())
    }

    /// A text whose lines are wanted: a document that this program wrote itself by a serializer or a template. Whatever else
    /// is hidden in it is written out. `tests/offline/architecture.rs` lists who calls it, and why.
    pub fn document(text: &str) -> Self {
        Self(lines(text).into_owned())
    }

    /// A text with styles of this program in it, of parts that were written out before. `tests/offline/architecture.rs` lists who
    /// calls it, and why.
    pub fn laid_out(text: String) -> Self {
        Self(text)
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

    /// The same without blanks and line ends behind it.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.0.truncate(self.0.trim_end().len());
        self
    }

    /// Parts in one text, with a literal between each two.
    pub fn join(parts: impl IntoIterator<Item = impl ToSafeText>, between: &'static str) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.to_shown().0).collect();
        Self(parts.join(between))
    }

    /// As a part of [`shown!`](crate::resource::shown).
    #[doc(hidden)]
    pub fn piece(self) -> SafeTextPart {
        SafeTextPart(self)
    }
}

/// Reading does no harm.
impl Deref for SafeText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Words of this program.
impl From<&'static str> for SafeText {
    fn from(words: &'static str) -> Self {
        Self(words.to_owned())
    }
}

impl From<&SafeText> for SafeText {
    fn from(text: &SafeText) -> Self {
        text.clone()
    }
}

/// In one line.
impl From<Untrusted> for SafeText {
    fn from(text: Untrusted) -> Self {
        Self(text.line())
    }
}

/// In one line.
impl From<&Untrusted> for SafeText {
    fn from(text: &Untrusted) -> Self {
        Self(text.line())
    }
}

/// With its lines. Its values were written out when they became Markdown.
impl From<Markdown> for SafeText {
    fn from(text: Markdown) -> Self {
        Self::document(&text)
    }
}

impl From<SafeText> for Untrusted {
    fn from(text: SafeText) -> Self {
        text.0.into()
    }
}

impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.0
    }
}

impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// For messages of tests.
impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl Untrusted {
    /// For several lines that are printed: as [`text`](Self::text).
    pub fn block(&self) -> SafeText {
        SafeText(self.text())
    }
}

/// What [`shown!`](crate::resource::shown) takes: a text that was written out already stays as it is, everything else is
/// written out in one line.
pub trait ToSafeText {
    /// The text that is printed for it.
    fn to_shown(&self) -> SafeText;
}

impl<T: fmt::Display + ?Sized> ToSafeText for T {
    fn to_shown(&self) -> SafeText {
        SafeText(line(&self.to_string()).into_owned())
    }
}

// `SafeText` and `Untrusted` have no `Display`, so that they cannot be put into a plain `format!`.
impl ToSafeText for SafeText {
    fn to_shown(&self) -> SafeText {
        self.clone()
    }
}

impl ToSafeText for &SafeText {
    fn to_shown(&self) -> SafeText {
        (*self).clone()
    }
}

impl ToSafeText for Untrusted {
    fn to_shown(&self) -> SafeText {
        self.into()
    }
}

impl ToSafeText for &Untrusted {
    fn to_shown(&self) -> SafeText {
        (*self).into()
    }
}

/// `1 change`, `2 changes`; `1 policy`, `2 policies`.
pub fn counted(count: impl fmt::Display, thing: &str) -> String {
    let count = count.to_string();
    let stem = thing.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        _ if count == "1" => format!("{count} {thing}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {thing}s"),
    }
}

/// A text between the literals of [`shown!`](crate::resource::shown).
#[doc(hidden)]
pub struct SafeTextPart(SafeText);

impl fmt::Display for SafeTextPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// In quotes. What is hidden is written out already.
impl fmt::Debug for SafeTextPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\\\""))
    }
}

/// As `format!`, and what comes of it may be printed: each value is written out by [`ToSafeText`]. Values are behind the
/// literal, never in its braces, where no rule could reach them.
#[doc(hidden)]
#[macro_export]
macro_rules! __shown {
    ($words:literal $(,)?) => {
        $crate::resource::SafeText::from($words)
    };
    // What is borrowed for it ends with the statement: a text can be handed to a future that is sent to another thread.
    ($words:literal, $($value:expr),+ $(,)?) => {{
        let shown = $crate::resource::SafeText::of(format_args!(
            concat!($words),
            $($crate::resource::ToSafeText::to_shown(&$value).piece()),+
        ));
        shown
    }};
}

#[doc(inline)]
pub use __shown as shown;

#[cfg(test)]
mod tests {
    use super::super::untrusted::is_hidden;
    use super::*;

    #[test]
    fn one_is_told_from_several() {
        assert_eq!(counted(1, "change"), "1 change");
        assert_eq!(
            [counted(0, "change"), counted(2, "entry"), counted(2, "key")],
            ["0 changes", "2 entries", "2 keys"]
        );
        assert_eq!(
            [counted(1, "entry"), counted(-1, "day"), counted(1.0, "character")],
            ["1 entry", "-1 days", "1 character"]
        );
    }

    /// An erased line, a line of ours, another direction.
    const HOSTILE: &str = "\r\u{1b}[2K\n  done: 3\u{202e}";

    #[test]
    fn each_value_is_written_out_and_the_words_around_it_are_not() {
        let (owned, borrowed) = (HOSTILE.to_owned(), Untrusted::from(HOSTILE));
        for text in [
            shown!("a {}\n", owned),
            shown!("a {}\n", HOSTILE),
            shown!("a {:?}\n", &owned),
            shown!("a {}\n", borrowed),
            shown!("a {}\n", &borrowed),
            shown!("a {}\n", std::path::Path::new(HOSTILE).display()),
            shown!("a {}\n", SafeText::join([&owned, &owned], ", ")),
        ] {
            assert!(!text.trim_end().chars().any(is_hidden), "{text:?}");
            assert!(text.starts_with("a ") && text.ends_with('\n') && text.contains("\\u{1b}[2K\\n  done"), "{text:?}");
        }
    }

    #[test]
    fn what_was_written_out_is_not_written_out_again() {
        let two = shown!("{}\n{}", "a\tb", 7);
        assert_eq!(two, "a\\tb\n7");
        assert_eq!(shown!("{}, {}", two, &two), "a\\tb\n7, a\\tb\n7");
        assert_eq!(shown!("[{:<4}] [{:>4}] [{:?}]", "é", 12, "a\"b"), "[é   ] [  12] [\"a\\\"b\"]");
        assert_eq!(shown!("literal"), "literal");
        assert_eq!(SafeText::join([1, 2], ", ").and("; ").and(Untrusted::from("x\ny")), "1, 2; x\\ny");
        assert_eq!(Untrusted::from("x\ny").block().and("\n\n").trimmed(), "x\n    y");
    }
}
