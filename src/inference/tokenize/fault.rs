//! Why a tokenizer cannot be used, or gives no tokens.

use std::io;

/// What is wrong with `tokenizer.json`, or what the library says of a text.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerFault {
    /// The system does not give the file.
    #[error("{0}")]
    Unread(#[from] io::Error),
    /// A folder, a device, or a file that is too large to be one.
    #[error("it is not a regular file of at most {most} bytes")]
    Size {
        /// Bytes of a tokenizer.
        most: u64,
    },
    /// The library panics on the file.
    #[error("it is damaged: the tokenizers library fails on it")]
    Panics,
    /// The library does not read the file.
    #[error("it is not a tokenizer: {source}")]
    Format {
        /// What the library says.
        source: tokenizers::Error,
    },
    /// Nothing of a text would be left beside the special tokens.
    #[error("it adds {added} special tokens to each text, and the model reads {longest} tokens")]
    Special {
        /// Special tokens of a text.
        added: usize,
        /// Tokens that the model reads.
        longest: usize,
    },
    /// The library does not cut at this length.
    #[error("a length of {longest} tokens: {source}")]
    Length {
        /// Tokens that the model reads.
        longest: usize,
        /// What the library says.
        source: tokenizers::Error,
    },
    /// Its template has the text several times.
    #[error("its post_processor uses a text {times} times in `single`; once is expected")]
    Repeats {
        /// How often.
        times: usize,
    },
    /// Its post-processor cannot be looked at.
    #[error("its post_processor cannot be read: {0}")]
    Template(#[source] serde_json::Error),
    /// It knows more tokens than the graph.
    #[error("it produces ids up to {highest}, but the graph has only {known}")]
    Vocabulary {
        /// The highest id that it gives.
        highest: usize,
        /// Ids that the graph knows.
        known: usize,
    },
    /// It gives nothing for a plain text.
    #[error("it produces no tokens for {text:?}")]
    Nothing {
        /// The text.
        text: String,
    },
    /// The library refuses a text, or a rule of the model.
    #[error("{source}")]
    Library {
        /// What it says.
        source: tokenizers::Error,
    },
}

impl TokenizerFault {
    /// What the library says.
    pub(crate) fn library(source: tokenizers::Error) -> Self {
        Self::Library { source }
    }
}
