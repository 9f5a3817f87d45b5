//! What runs a graph.

use super::batch::Batch;
use super::folder::Arithmetic;

/// What a graph answers for a batch, as flat rows of 32-bit floats.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
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
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(Output<'_>)) -> Result<(), String>;
}

/// Backends of one model for its workers.
pub struct Sessions {
    /// One for each worker: what runs when there is much to do.
    pub each: Vec<Box<dyn Backend>>,
    /// One that uses all cores, for a request that is alone.
    pub alone: Option<Box<dyn Backend>>,
    /// Texts of a batch at most: one where a text's vector would depend on the texts beside it.
    pub rows: usize,
    /// How they compute, as far as it changes vectors.
    pub arithmetic: Arithmetic,
    /// What runs them, for people: `cpu`, `cuda (NVIDIA H100)`.
    pub runs_on: String,
}
