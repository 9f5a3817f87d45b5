//! The mark in front of a thing that was looked at.

use console::Style;

use super::output::painted;
use crate::resource::Shown;

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// As it should be.
    Good,
    /// Not looked at.
    Skipped,
    /// Maybe wrong.
    Warning,
    /// Wrong.
    Failed,
}

impl Tick {
    /// The mark, in its color when colors are wanted.
    pub fn mark(self, colour: bool) -> Shown {
        let (mark, style) = match self {
            Self::Good => ("✓", Style::new().green()),
            Self::Skipped => ("-", Style::new().dim()),
            Self::Warning => ("!", Style::new().yellow()),
            Self::Failed => ("✗", Style::new().red()),
        };
        painted(colour, style, mark)
    }
}
