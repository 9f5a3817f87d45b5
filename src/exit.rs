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
            write!(f, "\n  {REPORT_IT}")?;
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
            LedgerError::Newer { .. } => "update akidb-edge, or name another --state; nothing was changed",
            LedgerError::Guarded(_) => "let that process go on (kill -CONT) or end it, then run the same command again",
            LedgerError::LeaseLost(_) => "akidb-edge status shows what was done",
            LedgerError::Full { .. } | LedgerError::Broken(_) => FREE_SPACE,
            LedgerError::File { source, .. } if is_full(source) => FREE_SPACE,
            LedgerError::File { .. } | LedgerError::Bucket { .. } => {
                "make the place of the state one that this user may read and write, or name another with --state"
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
        let next_step = if is_full(&bad) { FREE_SPACE } else { "" };
        Self::error(bad.to_string(), next_step)
    }
}

const REPORT_IT: &str = "this is a fault of akidb-edge itself: please report it with the command that led here";

/// What is said of a panic: the place in the source, and its words when they are the program's own. Words that were put
/// together at run time may quote what the program was given, and are left out.
pub fn panic_words(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("an unexpected value");
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    format!(
        "error: {words}{place}\n  next: run the same command again: the journal knows what was under way\n  {REPORT_IT}"
    )
}

const FREE_SPACE: &str = "free space on that file system, then run the same command again: it goes on from here";

fn is_full(bad: &std::io::Error) -> bool {
    matches!(bad.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
