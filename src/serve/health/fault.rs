//! Why a check besides the model failed.

use std::time::Duration;

use http::StatusCode;

/// What was asked did not answer in its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no answer for {} s", time.as_secs())]
pub struct CheckTimeout {
    /// Its time.
    pub time: Duration,
}

/// Why a server of another region does not count as one that lives. Its address may hold a password: only its name is told.
#[derive(Debug, thiserror::Error)]
pub enum PeerFault {
    /// It answers with an error.
    #[error("{name} answered {status}")]
    Status {
        /// Its name.
        name: String,
        /// What it answers.
        status: StatusCode,
    },
    /// It does not answer in its time.
    #[error("{name} did not answer within {} s", time.as_secs())]
    Late {
        /// Its name.
        name: String,
        /// Its time.
        time: Duration,
    },
    /// There is no connection to it.
    #[error("{name} cannot be reached")]
    Unreachable {
        /// Its name.
        name: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The connection to it broke.
    #[error("{name}: {source}")]
    Broken {
        /// Its name.
        name: String,
        /// How. The address was taken out of it.
        source: reqwest::Error,
    },
}

/// A text that does not name a server of another region. It may hold a password, and is not repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a server of another region is NAME=http://HOST:PORT or NAME=https://HOST:PORT")]
pub struct InvalidPeer;
