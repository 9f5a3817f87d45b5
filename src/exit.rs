//! Exit codes and failures: what failed, why, and the next step.

use std::fmt;

use serde_json::{Value, json};

use crate::ledger::{BucketRefusal, LedgerError};
use crate::plan::{PlanError, PlanErrors};
use crate::report::{LocatedFinding, findings_text};
use crate::resource::{Fault, SafeText, counted, shown};

pub mod codes;

use codes::Code;

/// All that was asked for is done, or there was nothing to do.
pub const DONE: u8 = 0;
/// It failed.
pub const ERROR: u8 = 1;
/// Changes are pending, or a part of the work is left for the next run.
pub const PENDING: u8 = 2;
/// Checks, a stale plan or a missing confirmation refused it: nothing was done.
pub const REFUSED: u8 = 3;

/// Why a verb ended early. [`Code::error`] and [`Code::refused`] make one.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What sort of error it is.
    pub id: Code,
    /// What failed and why.
    pub problem: SafeText,
    /// What to do next.
    pub next_step: SafeText,
    /// A fault of the program itself, not of what it was given.
    pub internal: bool,
    /// What was found in the plan, when that is why.
    pub findings: Vec<LocatedFinding>,
}

impl Failure {
    /// A fault of the program itself.
    pub fn internal(problem: impl Into<SafeText>) -> Self {
        Self { internal: true, ..codes::INTERNAL.error(problem, "") }
    }

    /// The answer to the question was not yes: nothing was changed.
    pub fn cancelled() -> Self {
        codes::CANCELLED.refused("cancelled: nothing was changed", "")
    }

    /// Whether somebody decided against it, which is not an error.
    pub fn is_cancelled(&self) -> bool {
        self.id == codes::CANCELLED
    }

    /// A plan that is refused, with everything that is wrong with it.
    pub fn of_findings(findings: Vec<LocatedFinding>) -> Self {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let problem = shown!("the plan has {}\n{}", counted(errors, "error"), findings_text(&findings));
        Self { findings, ..codes::PLAN.refused(problem, "") }
    }

    /// As it is printed.
    pub fn shown(&self) -> SafeText {
        let mut text = self.problem.clone();
        if !self.next_step.is_empty() {
            text.push(shown!("\n  next: {}", self.next_step));
        }
        // Each finding has a rule of its own.
        if self.findings.is_empty() && !self.is_cancelled() {
            text.push(shown!("\n  code: {}", self.id.id()));
        }
        if self.internal {
            text.push(shown!("\n  {}", REPORT_IT));
        }
        text
    }

    /// The same as data. What is a finding is not in the problem once more.
    pub fn document(&self) -> Value {
        let problem = match self.findings.len() {
            0 => self.problem.to_string(),
            _ => self.problem.lines().next().unwrap_or_default().to_owned(),
        };
        json!({
            "exit": self.code,
            "code": self.id,
            "problem": problem,
            "next_step": self.next_step,
            "internal": self.internal,
            "findings": self.findings,
        })
    }
}

/// What the loader found, in the form of all findings.
impl From<&PlanError> for LocatedFinding {
    fn from(problem: &PlanError) -> Self {
        let at = (problem.file.as_str(), problem.place.line, problem.place.column);
        Self::error(problem.rule, at, problem.beginning().into_owned(), problem.next_step.clone())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl std::error::Error for Failure {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let internal = fault.class == crate::resource::FaultClass::Internal;
        let again = || SafeText::from("run the same command again");
        let next_step = fault.next_step.as_ref().map_or_else(again, SafeText::from);
        Self { internal, ..Code::from(fault.class).error(fault.shown(), next_step) }
    }
}

impl From<LedgerError> for Failure {
    fn from(bad: LedgerError) -> Self {
        let next_step = match &bad {
            LedgerError::Locked(_) => {
                "wait until that run ends; if its process no longer exists: akidb-edge state unlock --stack STACK"
            }
            LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } => DAMAGED,
            LedgerError::Missing { .. } => MISSING,
            LedgerError::Newer { .. } => "update akidb-edge; nothing was changed",
            LedgerError::Guarded(_) => "resume that process (kill -CONT) or end it, then run the same command again",
            LedgerError::LeaseLost(_) => "akidb-edge status --stack STACK shows what was done",
            LedgerError::Full { .. } | LedgerError::Broken(_) => FREE_SPACE,
            LedgerError::File { source, .. } if is_full(source) => FREE_SPACE,
            LedgerError::File { .. } => {
                "make that path readable and writable for this user, then run the same command again"
            }
            LedgerError::Bucket { cause, .. } => of_bucket(*cause),
            LedgerError::Unconditional { .. } => {
                "keep the journal in a store that supports If-None-Match and If-Match on PutObject (Amazon S3 does), and \
                 take it along: akidb-edge state pull, then state push; nothing was changed"
            }
        };
        Code::from(&bad).error(shown!("{}", bad), next_step)
    }
}

/// What to do when a bucket refuses. Never another place for the state: a run there would begin from nothing.
const fn of_bucket(cause: BucketRefusal) -> &'static str {
    match cause {
        BucketRefusal::Expired => {
            "log in again (aws sso login, or new temporary credentials), then run the same command again"
        }
        BucketRefusal::Credentials => {
            "log in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then run the same \
             command again"
        }
        BucketRefusal::Clock => "set the clock of this machine, then run the same command again",
        BucketRefusal::NoBucket => {
            "correct the name in --state; if this stack was deployed before, restore its bucket; for a first run make it: \
             aws s3api create-bucket --bucket NAME (outside us-east-1: --create-bucket-configuration \
             LocationConstraint=REGION)"
        }
        BucketRefusal::Name => "correct the name of the bucket in --state",
        BucketRefusal::Denied => {
            "grant s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject on its objects; where it is \
             encrypted with a KMS key, kms:Decrypt and kms:GenerateDataKey on that key, too; then run the same command again"
        }
        BucketRefusal::Key => {
            "grant kms:Decrypt and kms:GenerateDataKey on the key of the bucket, and enable the key if it is disabled; then \
             run the same command again"
        }
        BucketRefusal::Archived => {
            "restore the object (aws s3api restore-object), and exclude the journal from the lifecycle rule that \
             archives it"
        }
        BucketRefusal::Unreachable => {
            "check the network, the proxy and AWS_ENDPOINT_URL, then run the same command again"
        }
        BucketRefusal::Busy => "run the same command again to continue",
        BucketRefusal::Other => "fix what the service reports, then run the same command again",
    }
}

/// What to do about a damaged journal. Nothing that throws entries away.
const DAMAGED: &str = "restore an undamaged copy: akidb-edge state push FILE --stack STACK --force (the damaged one is kept); a copy is what \
     state pull wrote, a backup of the directory, or an earlier version of the object (aws s3api list-object-versions); \
     nothing was changed";

/// What to do about an object that was deleted.
const MISSING: &str = "restore it (aws s3api list-object-versions shows earlier versions in a bucket with versions), or put a \
     copy of the journal back: akidb-edge state push FILE --stack STACK --force; nothing was changed";

impl From<PlanErrors> for Failure {
    fn from(problems: PlanErrors) -> Self {
        Self::of_findings(problems.0.iter().map(LocatedFinding::from).collect())
    }
}

impl From<std::io::Error> for Failure {
    fn from(bad: std::io::Error) -> Self {
        let (id, next_step) = if is_full(&bad) { (codes::NO_SPACE, FREE_SPACE) } else { (codes::STREAM, "") };
        id.error(shown!("{}", bad), next_step)
    }
}

const REPORT_IT: &str = "this is a fault of akidb-edge itself: please report it with the command that led here";

/// How a panic is reported: the place in the source, and its words when they are the program's own. Words that were put
/// together at run time may quote what the program was given, and are left out.
pub fn panic_words(panic: &std::panic::PanicHookInfo<'_>) -> SafeText {
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("an unexpected value");
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    shown!(
        "error: {}{}\n  next: run the same command again: the journal records what was in progress\n  {}",
        words,
        place,
        REPORT_IT
    )
}

/// What is printed when the program cannot start its threads.
pub fn cannot_start(bad: &std::io::Error) -> SafeText {
    shown!("error: the runtime cannot start: {}", bad)
}

/// What is printed when a part of the output did not arrive.
pub fn output_lost(why: &str) -> SafeText {
    shown!("error: standard output could not be written: {}\n  next: free space there, or write elsewhere", why)
}

const FREE_SPACE: &str = "free space on that file system, then run the same command again to continue";

fn is_full(bad: &std::io::Error) -> bool {
    matches!(bad.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
