//! Markdown that this program writes: literals, and in them values that are text and no markup. A `String` does not become one by
//! itself, so nothing from outside is a heading, a link or the end of a cell.

use std::fmt;
use std::ops::Deref;

use super::Untrusted;
use super::untrusted::{line, markdown};

/// A document in Markdown, or a part of one. It is made of a literal, or by [`md!`](crate::resource::md) of a literal and values:
///
/// ```
/// use akidb_edge_engine::resource::{Markdown, md};
/// let title = String::from("[x](y)");
/// assert_eq!(md!("# {}\n", title).as_str(), "# \\[x\\](y)\n");
/// ```
///
/// ```compile_fail
/// use akidb_edge_engine::resource::Markdown;
/// let from_outside = String::from("[x](y)");
/// let text = Markdown::from(from_outside);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markdown(String);

impl Markdown {
    /// Puts together what [`md!`](crate::resource::md) took apart. Nothing else calls it: `tests/offline/architecture.rs`.
    #[doc(hidden)]
    pub fn of(words: fmt::Arguments<'_>) -> Self {
        Self(words.to_string())
    }

    /// A value in the type of code, in a table, too: nothing in it ends the code or the cell.
    pub fn code(text: &str) -> Self {
        Self(format!("`{}`", line(text).replace('`', "'").replace('|', "\\|")))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds more behind it.
    pub fn push(&mut self, more: impl Into<Self>) {
        self.0.push_str(&more.into().0);
    }

    /// As a part of [`md!`](crate::resource::md).
    #[doc(hidden)]
    pub fn piece(self) -> Piece {
        Piece(self)
    }
}

/// Reading does no harm.
impl Deref for Markdown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Words of this program.
impl From<&'static str> for Markdown {
    fn from(words: &'static str) -> Self {
        Self(words.to_owned())
    }
}

/// What [`md!`](crate::resource::md) takes: what is Markdown already stays as it is, everything else is text.
pub trait ToMarkdown {
    /// As it stands in the document.
    fn to_markdown(&self) -> Markdown;
}

impl<T: fmt::Display + ?Sized> ToMarkdown for T {
    fn to_markdown(&self) -> Markdown {
        Markdown(markdown(&self.to_string()))
    }
}

// `Markdown` and `Untrusted` have no `Display`, so that they cannot be put into a plain `format!`.
impl ToMarkdown for Markdown {
    fn to_markdown(&self) -> Markdown {
        self.clone()
    }
}

impl ToMarkdown for Untrusted {
    fn to_markdown(&self) -> Markdown {
        Markdown(self.markdown())
    }
}

impl ToMarkdown for &Untrusted {
    fn to_markdown(&self) -> Markdown {
        Markdown(self.markdown())
    }
}

/// A text between the literals of [`md!`](crate::resource::md).
#[doc(hidden)]
pub struct Piece(Markdown);

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As `format!`, for [`Markdown`]: each value is text in it ([`ToMarkdown`]). Values stand behind the literal, never in its braces.
#[doc(hidden)]
#[macro_export]
macro_rules! __md {
    ($words:literal, $($value:expr),+ $(,)?) => {
        $crate::resource::Markdown::of(format_args!(
            concat!($words),
            $($crate::resource::ToMarkdown::to_markdown(&$value).piece()),+
        ))
    };
}

#[doc(inline)]
pub use __md as md;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_and_the_words_around_it_are_markup() {
        let hostile = "a | b\n# c [x](y) `z`";
        let wanted = "| a \\| b\\\\n# c \\[x\\](y) \\`z\\` |\n";
        for text in [
            md!("| {} |\n", hostile),
            md!("| {} |\n", hostile.to_owned()),
            md!("| {} |\n", Untrusted::from(hostile)),
            md!("| {} |\n", md!("{}", hostile)),
        ] {
            assert_eq!(text.as_str(), wanted);
        }
        assert_eq!(md!("{}", Markdown::code("a`|\n")).as_str(), "`a'\\|\\n`");
        let mut two = Markdown::from("# a\n");
        two.push(md!("{}\n", 7));
        assert_eq!(two.as_str(), "# a\n7\n");
    }
}
