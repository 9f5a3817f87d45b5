//! The error of a service for a call.

use serde::{Deserialize, Serialize};

use super::{SafeText, Untrusted, shown};

/// What may be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// The same call may work in a moment (throttled, busy, not propagated yet, connection lost).
    Retry,
    /// The real resources changed since it was read: read again, plan again.
    Stale,
    /// It exists already.
    Exists,
    /// It does not exist.
    Missing,
    /// It will not go yet; a later run tries again.
    Deferred,
    /// Credentials are missing, wrong or expired.
    Credentials,
    /// The endpoint cannot be reached.
    Unreachable,
    /// The machine is away, or went away in the middle: nothing more of it in this run, and nobody knows how far it came.
    Away,
    /// The caller may not do this.
    Denied,
    /// The service will never do this as asked.
    Refused,
    /// Something that the program did not expect.
    Internal,
}

/// An answer that is not a success: what failed, why, and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{service} {operation}: {}: {}", .code.line(), .message.text())]
pub struct Fault {
    /// What may be done about it.
    pub class: FaultClass,
    /// The service, e.g. `cloudfront`.
    pub service: String,
    /// The operation, e.g. `CreateDistribution`.
    pub operation: String,
    /// The service's own code.
    pub code: Untrusted,
    /// The service's own words.
    pub message: Untrusted,
    /// What to do next, when that is known. It may name what the service or the plan named.
    pub next_step: Option<Untrusted>,
}

impl Fault {
    /// A fault with no next step yet.
    pub fn new(
        class: FaultClass,
        service: &str,
        operation: &str,
        code: impl Into<Untrusted>,
        message: impl Into<Untrusted>,
    ) -> Self {
        Self {
            class,
            service: service.to_owned(),
            operation: operation.to_owned(),
            code: code.into(),
            message: message.into(),
            next_step: None,
        }
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<Untrusted>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// As it is printed: the message may have several lines.
    pub fn shown(&self) -> SafeText {
        shown!("{} {}: {}: {}", self.service, self.operation, self.code, self.message.block())
    }

    /// The same with the next step, when there is one.
    pub fn with_next_step(&self) -> SafeText {
        let next = self.next_step.as_ref().map_or_else(SafeText::default, |next| shown!("\n  next: {}", next));
        self.shown().and(next)
    }

    /// An answer of the service that lacks what its contract promises.
    pub fn unexpected(service: &str, operation: &str, message: impl Into<Untrusted>) -> Self {
        Self::new(FaultClass::Internal, service, operation, "UnexpectedAnswer", message)
    }
}
