//! The mistakes of a plan: all at once, each with its place, reason and next step.

use std::borrow::Cow;
use std::fmt;

use super::source::SourcePlace;
use crate::resource::{SafeText, shown};

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// ID of the rule that it breaks: one of [`rules`](super::rules).
    pub rule: &'static str,
    /// File as the user named it.
    pub file: String,
    /// Where in it.
    pub place: SourcePlace,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub next_step: String,
}

impl PlanError {
    /// What problems are sorted by: the file, then the place in it.
    pub fn order(&self) -> (&str, SourcePlace) {
        (self.file.as_str(), self.place)
    }

    /// What is wrong, no longer than a person reads.
    pub fn beginning(&self) -> Cow<'_, str> {
        beginning(&self.problem)
    }

    /// As it is printed.
    pub fn shown(&self) -> SafeText {
        let SourcePlace { line, column } = self.place;
        let (rule, problem) = (self.rule, self.beginning());
        shown!("{}:{}:{}: error {}: {}\n  next: {}", self.file, line, column, rule, problem, self.next_step)
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Most letters of a problem that are shown: a value of megabytes may be in it.
const SHOWN: usize = 4_000;

fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Everything that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanErrors(pub Vec<PlanError>);

impl PlanErrors {
    /// As they are printed.
    pub fn shown(&self) -> SafeText {
        SafeText::join(self.0.iter().map(PlanError::shown), "\n")
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl std::error::Error for PlanErrors {}
