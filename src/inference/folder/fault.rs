//! Why a folder is not a model that can be served.

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::inference::graph_file::{GraphFileFault, InputFault};

/// What is wrong with a file: the error of whoever read it, or words.
pub type FaultCause = Box<dyn Error + Send + Sync>;

/// Why a folder cannot be used as a model. A process that loads it on trial hands it on as JSON.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum FolderFault {
    /// A file is not there.
    #[error("{file} is missing: {what}")]
    Missing {
        /// Its path.
        file: String,
        /// What it is for, or where to get it.
        what: String,
    },
    /// A file cannot be read as what it should be.
    #[error("{file}: {why}")]
    Bad {
        /// Its path.
        file: String,
        /// What is wrong. Of what another process met, its words are left.
        #[source]
        #[serde(with = "words")]
        why: FaultCause,
    },
}

impl FolderFault {
    /// A file that cannot be used, and why.
    pub fn bad(file: &Path, why: impl Into<FaultCause>) -> Self {
        Self::Bad { file: file.display().to_string(), why: why.into() }
    }
}

/// An error on its way to another process.
mod words {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::FaultCause;

    pub fn serialize<S: Serializer>(why: &FaultCause, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(why)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FaultCause, D::Error> {
        Ok(String::deserialize(from)?.into())
    }
}

/// Why the vectors of tokens cannot be made one of a text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnsupportedPooling {
    /// A module that is not applied here.
    #[error("{0}; export a graph that holds it and gives sentence_embedding")]
    Module(String),
    /// No file says it.
    #[error(
        "no file defines the pooling, and the graph has no output sentence_embedding: set --pooling (mean, cls, \
         last-token) as the model card says"
    )]
    Unsaid,
}

/// Why a folder cannot be served, though its files can be read.
#[derive(Debug, thiserror::Error)]
pub enum UnsupportedModel {
    /// The graph cannot be read.
    #[error(transparent)]
    Graph(#[from] GraphFileFault),
    /// The graph has other inputs than a text.
    #[error(transparent)]
    Inputs(#[from] InputFault),
    /// What follows the graph.
    #[error(transparent)]
    Pooling(#[from] UnsupportedPooling),
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_a_system_said_is_kept_and_goes_to_another_process_in_words() {
        let gone = io::Error::from(io::ErrorKind::PermissionDenied);
        let fault = FolderFault::bad(Path::new("model.onnx"), GraphFileFault::from(gone));
        let source = fault.source().and_then(|why| why.downcast_ref::<GraphFileFault>());
        assert!(matches!(source, Some(GraphFileFault::Unread(why)) if why.kind() == io::ErrorKind::PermissionDenied));
        let sent = serde_json::to_string(&fault).unwrap();
        assert_eq!(sent, r#"{"Bad":{"file":"model.onnx","why":"permission denied"}}"#);
        let read: FolderFault = serde_json::from_str(&sent).unwrap();
        assert_eq!(read.to_string(), fault.to_string());
    }
}
