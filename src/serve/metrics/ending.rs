//! How a request ended, in few words.

use crate::inference::fault::Code;

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
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

impl Ending {
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
    pub fn of_code(code: Code) -> Self {
        match code {
            Code::ModelNotFound | Code::InputTooLong | Code::InvalidRequest | Code::NotSupported => Self::Invalid,
            Code::Overloaded | Code::ShuttingDown | Code::ModelLoading => Self::Refused,
            Code::ModelFailed | Code::DeadlineExceeded | Code::NotFinite | Code::Internal => Self::Error,
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
