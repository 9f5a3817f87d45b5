//! Why a graph gets no session of ONNX Runtime.

use std::io;

use ort::value::TensorElementType;

use super::provider::Device;
use crate::inference::backend::first_line;
use crate::inference::folder::UnsupportedPooling;
use crate::inference::graph_file::{GraphFileFault, InputFault};

/// Why a graph cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionFault {
    /// Its file cannot be read.
    #[error(transparent)]
    File(#[from] GraphFileFault),
    /// Its file and those of its weights cannot be copied to a place of their own.
    #[error("its files cannot be copied: {0}")]
    Copy(#[source] io::Error),
    /// ONNX Runtime refuses it.
    #[error("{}", first_line(&source.to_string()))]
    Runtime {
        /// What it says.
        #[from]
        source: ort::Error,
    },
    /// The thread that opened it ended without an answer.
    #[error("its thread ended")]
    Thread,
    /// Its inputs are not those of a text.
    #[error(transparent)]
    Inputs(#[from] InputFault),
    /// An input that is not a tensor.
    #[error("its input {name} is not a tensor")]
    NotTensor {
        /// Its name.
        name: String,
    },
    /// An input of a type that cannot be filled.
    #[error("its input {name} has the type {found}, which is not supported")]
    InputType {
        /// Its name.
        name: String,
        /// Its type.
        found: TensorElementType,
    },
    /// An input that takes texts of one number and length only.
    #[error(
        "its input {name} has the fixed shape {shape:?} (-1: any size), and texts come in any number and length: export the graph \
         with dynamic axes for batch and sequence"
    )]
    FixedShape {
        /// Its name.
        name: String,
        /// Its shape; -1 for any size.
        shape: Vec<i64>,
    },
    /// An input for keys or values of earlier tokens that cannot be left empty.
    #[error("its input {name} has the shape {shape:?}; export the graph without a cache of keys")]
    PastShape {
        /// Its name.
        name: String,
        /// Its shape; -1 for any size.
        shape: Vec<i64>,
    },
    /// No output holds vectors.
    #[error("it has no output last_hidden_state or sentence_embedding; its outputs are {}", there.join(", "))]
    NoVectors {
        /// The outputs that it has.
        there: Vec<String>,
    },
    /// Its outputs are vectors of tokens, which cannot be made one of a text.
    #[error(transparent)]
    Unpooled(#[from] UnsupportedPooling),
    /// The device that was asked for does not run it.
    #[error("{device} is not available: {source}; fix that, or allow the CPU with --fallback cpu")]
    Unavailable {
        /// The device.
        device: Device,
        /// Why not.
        source: Box<SessionFault>,
    },
}
