//! Why a text got no vector: stable codes that clients may rely on.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Letters of a client's word that a message repeats.
const REPEATED: usize = 60;

/// A stable code. Its name is part of the interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum ErrorCode {
    /// No model of that name.
    ModelNotFound,
    /// The model is being loaded and the caller would not wait.
    ModelLoading,
    /// The model is there but could not be loaded.
    ModelFailed,
    /// A text has more tokens than the model reads, and may not be cut.
    InputTooLong,
    /// The request makes no sense as it is.
    InvalidRequest,
    /// More waits than can be answered in time.
    Overloaded,
    /// Its time ran out while it waited.
    DeadlineExceeded,
    /// The server is stopping.
    ShuttingDown,
    /// The model cannot give what is asked for.
    NotSupported,
    /// The model gives a vector with NaN or an infinite number in it for a text.
    NotFinite,
    /// A fault of the server itself.
    Internal,
}

impl ErrorCode {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModelNotFound => "MODEL_NOT_FOUND",
            Self::ModelLoading => "MODEL_LOADING",
            Self::ModelFailed => "MODEL_FAILED",
            Self::InputTooLong => "INPUT_TOO_LONG",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Overloaded => "OVERLOADED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::NotSupported => "NOT_SUPPORTED",
            Self::NotFinite => "NOT_FINITE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// Why a request got no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EmbedFault {
    /// Which kind.
    pub code: ErrorCode,
    /// What, why, and the next step, for a person.
    pub message: String,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}

impl EmbedFault {
    /// A fault that asking again does not mend.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The same, with the time after which it is worth asking again.
    pub fn again_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }
}

/// A word of a client as a message repeats it: its beginning, however long it is.
pub fn beginning(word: &str) -> Cow<'_, str> {
    match word.char_indices().nth(REPEATED) {
        Some((end, _)) => Cow::Owned(format!("{}…", &word[..end])),
        None => Cow::Borrowed(word),
    }
}

impl fmt::Display for EmbedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for EmbedFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_is_cut_between_letters() {
        assert_eq!(beginning(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(beginning(&"é".repeat(1 << 20)), format!("{}…", "é".repeat(60)));
    }
}
