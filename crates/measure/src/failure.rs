//! How a request fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The ways in which a request fails. Each is counted, none is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The name has no address.
    Dns,
    /// No TCP connection.
    Connect,
    /// No TLS session: a certificate that does not hold, or no common protocol.
    Tls,
    /// No answer within the time-out.
    Timeout,
    /// The connection broke before the answer was whole.
    Reset,
    /// What came is not an answer of this protocol.
    Protocol,
    /// A status that was not expected.
    Status,
    /// A gRPC status that is not OK, or none.
    Grpc,
    /// The answer is larger than what is read.
    TooLarge,
    /// Its time came and no connection was free until the end.
    NotSent,
}

impl FailureKind {
    /// In words.
    pub fn said(self) -> &'static str {
        match self {
            Self::Dns => "the name has no address",
            Self::Connect => "no TCP connection",
            Self::Tls => "no TLS session",
            Self::Timeout => "no answer within the time-out",
            Self::Reset => "the connection broke",
            Self::Protocol => "not an answer of this protocol",
            Self::Status => "a status that was not expected",
            Self::Grpc => "a gRPC status that is not OK",
            Self::TooLarge => "the answer is too large",
            Self::NotSent => "no connection was free",
        }
    }
}

/// A request that failed, for whoever sent one alone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {why}", .kind.said())]
pub struct Failed {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The particulars.
    pub why: String,
    /// How long it took to fail.
    pub after: Duration,
}

/// A failure while it is still known to the connection alone.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionFailure {
    pub kind: FailureKind,
    pub why: String,
    /// Nothing of an answer came, on a connection that had been used before: it was closed meanwhile.
    pub stale: bool,
}

impl ConnectionFailure {
    pub fn new(kind: FailureKind, why: impl ToString) -> Self {
        Self { kind, why: why.to_string(), stale: false }
    }
}
