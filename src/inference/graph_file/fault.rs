//! Errors in the file of a graph, as far as it is read without the runtime.

use std::io;

/// Why a graph's file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GraphFileFault {
    /// The system does not give its bytes.
    #[error("{0}")]
    Unread(#[from] io::Error),
    /// Its bytes are not a message of `onnx.proto3`.
    #[error("it is not an ONNX graph")]
    Foreign,
    /// It ends within a part, or its bytes are not a message of `onnx.proto3`.
    #[error("it is cut off, or not an ONNX graph")]
    CutOff,
    /// It says that a part has more bytes than any file can have.
    #[error("a length is too large")]
    TooLong {
        /// The length, in bytes.
        bytes: u64,
    },
    /// A name in it is longer than names are.
    #[error("a name of {bytes} bytes is too long; at most {most} are read")]
    LongName {
        /// The length of the name, in bytes.
        bytes: u64,
        /// Bytes of a name that are read.
        most: u64,
    },
    /// Its weights are in a file that is not beside it.
    #[error("its weights are in {location:?}, which is outside of its folder")]
    Outside {
        /// The path, as the graph has it.
        location: String,
    },
}

/// Why a graph cannot be given what a text has: its inputs are others.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InputFault {
    /// An input that every text needs is not there.
    #[error("it has no input {wanted}; its inputs are {}", there.join(", "))]
    Missing {
        /// The input.
        wanted: &'static str,
        /// The inputs that it has.
        there: Vec<String>,
    },
    /// An input that a text does not have.
    #[error("it has an unsupported input {name}")]
    Unknown {
        /// Its name.
        name: String,
    },
}
