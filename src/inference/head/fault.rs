//! What is wrong with the modules behind a graph, or with what the graph gives them.

use std::io;

use safetensors::{Dtype, SafeTensorError};

/// Why the output of a graph cannot be made vectors.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeadFault {
    /// Vectors of another length than the files of the model say.
    #[error("the graph returns vectors of {found} dimensions, but config.json has {wanted}")]
    Width {
        /// Numbers that came.
        found: usize,
        /// Numbers that the files say.
        wanted: usize,
    },
    /// A text without tokens.
    #[error("a text of no tokens has no vector")]
    NoTokens,
    /// Vectors of tokens, and no file says how they become one.
    #[error("the graph returns token vectors, and no file defines the pooling: set --pooling")]
    NoPooling,
}

/// Why the weights of a layer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerFault {
    /// The system does not give the file.
    #[error("{0}")]
    Unread(#[from] io::Error),
    /// The file is not one of tensors.
    #[error("{0}")]
    Format(#[from] SafeTensorError),
    /// A tensor of the layer is not in the file.
    #[error("it has no tensor {name}; there are {}", there.join(", "))]
    Missing {
        /// Its name.
        name: String,
        /// The names of those that are there.
        there: Vec<String>,
    },
    /// A tensor has another shape than the settings of the layer say.
    #[error("{name} has the shape {found:?}, and config.json says {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that follows from the settings.
        wanted: Vec<usize>,
    },
    /// A tensor does not hold floats.
    #[error("{name} has the type {found:?}; floats are expected")]
    Type {
        /// Its name.
        name: String,
        /// What it holds.
        found: Dtype,
    },
}
