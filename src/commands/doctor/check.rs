//! One check of `doctor` and its result.

use serde::Serialize;

use crate::exit::{self, Failure};
use crate::report::StatusSymbol;
use crate::resource::{Fault, SafeText, shown};

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Good,
    /// It was not looked at.
    Skipped,
    /// A deploy may work all the same.
    Warning,
    /// A deploy cannot work.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorCheck {
    /// What, in one word or two.
    pub name: &'static str,
    /// What came out.
    pub verdict: CheckStatus,
    /// What was found; further lines belong to it.
    pub found: SafeText,
    /// What to do about it.
    pub next_step: Option<SafeText>,
}

impl DoctorCheck {
    /// As it should be.
    pub fn good(name: &'static str, found: impl Into<SafeText>) -> Self {
        Self { name, verdict: CheckStatus::Good, found: found.into(), next_step: None }
    }

    /// Not looked at, and why.
    pub fn skipped(name: &'static str, why: impl Into<SafeText>) -> Self {
        Self { verdict: CheckStatus::Skipped, ..Self::good(name, why) }
    }

    /// A deploy may work all the same.
    pub fn warning(name: &'static str, found: impl Into<SafeText>, next_step: impl Into<SafeText>) -> Self {
        Self { verdict: CheckStatus::Warning, next_step: Some(next_step.into()), ..Self::good(name, found) }
    }

    /// A deploy cannot work.
    pub fn failed(name: &'static str, failure: &Failure) -> Self {
        let next_step = Some(failure.next_step.clone()).filter(|next| !next.is_empty());
        Self { verdict: CheckStatus::Failed, next_step, ..Self::good(name, failure.problem.clone()) }
    }

    /// Whether a deploy cannot work because of it.
    pub fn is_failed(&self) -> bool {
        self.verdict == CheckStatus::Failed
    }

    /// What a service said when it could not be looked at.
    pub fn unknown(name: &'static str, what: &str, fault: &Fault, otherwise: &'static str) -> Self {
        let next_step = fault.next_step.as_ref().map_or_else(|| SafeText::from(otherwise), SafeText::from);
        Self::warning(name, shown!("{}: {}", what, fault.shown()), next_step)
    }

    fn text(&self, color: bool) -> SafeText {
        let symbol = match self.verdict {
            CheckStatus::Good => StatusSymbol::Good,
            CheckStatus::Skipped => StatusSymbol::Skipped,
            CheckStatus::Warning => StatusSymbol::Warning,
            CheckStatus::Failed => StatusSymbol::Failed,
        };
        let mark = symbol.mark(color);
        let mut lines = self.found.lines();
        let mut text = shown!("{} {:<12}{}", mark, self.name, lines.next().unwrap_or_default());
        for line in lines {
            text.push(shown!("\n{:14}{}", "", line));
        }
        if let Some(next) = &self.next_step {
            text.push(shown!("\n{:14}next: {}", "", next));
        }
        text
    }
}

/// All of them, for a person.
pub fn text(checks: &[DoctorCheck], color: bool) -> SafeText {
    SafeText::join(checks.iter().map(|check| check.text(color)), "\n")
}

/// The exit code: 1 when a deploy cannot work, 2 when something may be wrong.
pub fn code(checks: &[DoctorCheck]) -> u8 {
    match checks.iter().map(|check| check.verdict).max() {
        Some(CheckStatus::Failed) => exit::ERROR,
        Some(CheckStatus::Warning) => exit::PENDING,
        _ => exit::DONE,
    }
}
