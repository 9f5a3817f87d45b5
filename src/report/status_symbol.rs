//! The symbol in front of a checked item.

use console::Style;

use super::output::painted;
use crate::resource::SafeText;

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSymbol {
    /// As it should be.
    Good,
    /// Not looked at.
    Skipped,
    /// Maybe wrong.
    Warning,
    /// Wrong.
    Failed,
}

impl StatusSymbol {
    /// The mark, in its color when colors are wanted.
    pub fn mark(self, color: bool) -> SafeText {
        let (mark, style) = match self {
            Self::Good => ("✓", Style::new().green()),
            Self::Skipped => ("-", Style::new().dim()),
            Self::Warning => ("!", Style::new().yellow()),
            Self::Failed => ("✗", Style::new().red()),
        };
        painted(color, style, mark)
    }
}
