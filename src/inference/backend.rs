//! What runs a graph.

use std::error::Error;
use std::time::Duration;

use super::batch::Batch;
use super::folder::Arithmetic;
use super::head::HeadFault;

/// Letters of what a runtime says that are told.
const TOLD: usize = 400;

/// Why a graph could not be run, or its output not be read.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The runtime refused.
    #[error("{}", first_line(&source.to_string()))]
    Runtime {
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The run took longer than one may, and was stopped.
    #[error("running the graph took more than {limit:?} and was stopped")]
    TooSlow {
        /// The longest that a run may take.
        limit: Duration,
    },
    /// The graph did not give the output that it declares.
    #[error("no output {name}")]
    NoOutput {
        /// Its name.
        name: String,
    },
    /// The output does not hold floats.
    #[error("its output {name} has the type {found}; floats are expected")]
    OutputType {
        /// Its name.
        name: String,
        /// Its type in the words of the runtime.
        found: String,
    },
    /// The output cannot be made vectors.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// Another number of vectors than the batch has texts.
    #[error("it returned {found} vectors for {wanted} texts")]
    Count {
        /// Vectors that came.
        found: usize,
        /// Texts of the batch.
        wanted: usize,
    },
    /// The model has nothing that runs it.
    #[error("there is no session")]
    NoSession,
}

impl RunFault {
    /// What a runtime says.
    pub fn runtime(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Runtime { source: source.into() }
    }
}

/// What a runtime says, without its source lines.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or(text).chars().take(TOLD).collect()
}

/// What a graph answers for a batch, as flat rows of 32-bit floats.
#[derive(Clone, Copy, Debug)]
pub enum GraphOutput<'a> {
    /// A vector for each token: rows x width x dimension.
    Tokens(&'a [f32]),
    /// A vector for each text: rows x dimension.
    Pooled(&'a [f32]),
}

/// One session of a runtime, used by one thread at a time.
pub trait Backend: Send {
    /// Runs the graph and hands its output to `read`, which copies what it needs.
    ///
    /// # Errors
    /// What the runtime said.
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault>;
}

/// Backends of one model for its workers.
pub struct Sessions {
    /// One for each worker: what runs when there is much to do.
    pub each: Vec<Box<dyn Backend>>,
    /// One that uses all cores, for a request that is alone.
    pub alone: Option<Box<dyn Backend>>,
    /// Texts per batch at most: one where a text's vector would depend on the texts beside it.
    pub rows: usize,
    /// How they compute, as far as it changes vectors.
    pub arithmetic: Arithmetic,
    /// What runs them, for people: `cpu`, `cuda (NVIDIA H100)`.
    pub runs_on: String,
}

#[cfg(test)]
mod tests {
    use super::RunFault;

    #[test]
    fn what_a_runtime_says_is_told_by_its_first_line_and_kept_whole() {
        let fault = RunFault::runtime(format!("{}\nat onnxruntime/core/framework.cc:7", "x".repeat(1000)));
        assert_eq!(fault.to_string(), "x".repeat(400));
        let source = std::error::Error::source(&fault).map(ToString::to_string);
        assert!(source.is_some_and(|text| text.ends_with("framework.cc:7")));
    }
}
