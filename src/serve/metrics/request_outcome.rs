//! The outcome of a request, as a label.

use crate::inference::fault::ErrorCode;

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestOutcome {
    /// With vectors.
    Success,
    /// The request makes no sense: the client's fault.
    Invalid,
    /// There was no room, or the model is not there yet: asking again helps.
    Refused,
    /// The server's fault, or too late.
    Error,
    /// The client went away.
    Cancelled,
}

impl RequestOutcome {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Success, Self::Invalid, Self::Refused, Self::Error, Self::Cancelled];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// What a code means.
    pub fn of_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ModelNotFound
            | ErrorCode::InputTooLong
            | ErrorCode::InvalidRequest
            | ErrorCode::NotSupported => Self::Invalid,
            ErrorCode::Overloaded | ErrorCode::ShuttingDown | ErrorCode::ModelLoading => Self::Refused,
            ErrorCode::ModelFailed | ErrorCode::DeadlineExceeded | ErrorCode::NotFinite | ErrorCode::Internal => {
                Self::Error
            }
        }
    }

    /// What a status of HTTP means.
    pub fn of_status(status: u16) -> Self {
        match status {
            0..400 => Self::Success,
            429 | 503 => Self::Refused,
            400..500 => Self::Invalid,
            _ => Self::Error,
        }
    }
}
