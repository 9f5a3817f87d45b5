//! How the process ends: documented codes, and failures that say what, why, and the next step.

use std::fmt;

use crate::ledger::LedgerError;
use crate::plan::Problems;
use crate::resource::Fault;

/// All that was asked for is done, or there was nothing to do.
pub const DONE: u8 = 0;
/// It failed.
pub const ERROR: u8 = 1;
/// Changes are pending, or a part of the work is left for the next run.
pub const PENDING: u8 = 2;
/// Checks, a stale plan or a missing confirmation refused it: nothing was done.
pub const REFUSED: u8 = 3;

/// Why a verb ended early.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What failed and why.
    pub problem: String,
    /// What to do next.
    pub next_step: String,
    /// A fault of the program itself, not of what it was given.
    pub internal: bool,
}

impl Failure {
    /// Something went wrong while it was done.
    pub fn error(problem: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { code: ERROR, problem: problem.into(), next_step: next_step.into(), internal: false }
    }

    /// It was refused before anything was done.
    pub fn refused(problem: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { code: REFUSED, ..Self::error(problem, next_step) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        if !self.next_step.is_empty() {
            write!(f, "\n  next: {}", self.next_step)?;
        }
        if self.internal {
            write!(f, "\n  this is a fault of akidb-edge itself: please report it with the command that led here")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let internal = fault.class == crate::resource::Class::Internal;
        let next_step = fault.next_step.clone().unwrap_or_else(|| "run the same command again".to_owned());
        Self { code: ERROR, problem: fault.to_string(), next_step, internal }
    }
}

impl From<LedgerError> for Failure {
    fn from(bad: LedgerError) -> Self {
        let next_step = match &bad {
            LedgerError::Locked(_) => "wait until it ends; if its process is gone for good: akidb-edge state unlock",
            LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } => {
                "put the journal back from a backup; without one, cut it before that line (what the lines after it made is then \
                 not known: name it with --adopt); nothing was changed"
            }
            LedgerError::Full { .. } | LedgerError::Broken(_) => {
                "free the space named (or name another place with --state before the first run), then run the same command \
                 again: it goes on from here"
            }
            LedgerError::Newer { .. } => "update akidb-edge, or name another --state; nothing was changed",
            LedgerError::LeaseLost(_) => "akidb-edge status shows what was done",
            LedgerError::File { .. } | LedgerError::Bucket { .. } => {
                "make the place of the state writable, or name another with --state"
            }
        };
        Self::error(bad.to_string(), next_step)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let count = problems.0.len();
        let things = if count == 1 { "thing" } else { "things" };
        Self::refused(format!("the plan has {count} {things} to correct\n{problems}"), "")
    }
}

impl From<std::io::Error> for Failure {
    fn from(bad: std::io::Error) -> Self {
        Self::error(bad.to_string(), "")
    }
}
