//! What follows the graph: pooling, and the layers behind it.

mod fault;
mod layers;
mod pooling;

use super::backend::GraphOutput;
use super::batch::{Batch, RequestedVectors};
use super::folder::{FolderFault, ModelFolder, Pools};

pub use fault::{HeadFault, LayerFault};
use layers::Layer;

/// The modules of a model, ready to run.
pub struct OutputHead {
    /// Nothing where only the graph's own `sentence_embedding` can be served.
    pools: Option<Pools>,
    layers: Vec<Layer>,
    width: usize,
    dimension: usize,
}

impl OutputHead {
    /// Reads the weights of a folder's modules.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn read(folder: &ModelFolder) -> Result<Self, FolderFault> {
        let layers = folder.modules.steps.iter().map(Layer::read).collect::<Result<_, _>>()?;
        let pools = folder.modules.pools.clone();
        Ok(Self { pools, layers, width: folder.width, dimension: folder.dimension })
    }

    /// Numbers in a text's vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vectors of a batch, one for each row; where the vectors of its tokens are wanted, these one after another. A graph that
    /// pools has none of tokens: then it is the vector of the text all the same.
    ///
    /// # Errors
    /// The graph gave another number of numbers than the folder says, or vectors of tokens where no pooling is known.
    pub fn vectors(
        &self,
        output: GraphOutput<'_>,
        batch: &Batch,
        vectors: &mut Vec<Vec<f32>>,
    ) -> Result<(), HeadFault> {
        vectors.clear();
        let (all, parts, wanted) = match output {
            GraphOutput::Pooled(all) => (all, 1, self.dimension),
            GraphOutput::Tokens(all) => (all, batch.width, self.width),
        };
        let (cells, each) = (batch.rows * parts, parts * wanted);
        if all.len() != cells * wanted {
            return Err(HeadFault::Width { found: all.len() / cells.max(1), wanted });
        }
        if each == 0 {
            return Err(HeadFault::NoTokens);
        }
        for (row, numbers) in all.chunks_exact(each).enumerate() {
            let own = || &numbers[..batch.lengths[row] * self.width];
            vectors.push(match (output, batch.wanted[row]) {
                (GraphOutput::Pooled(_), _) => numbers.to_vec(),
                (GraphOutput::Tokens(_), RequestedVectors::Tokens) => own().to_vec(),
                (GraphOutput::Tokens(_), RequestedVectors::Pooled) => self.vector(own(), batch.skips[row])?,
            });
        }
        Ok(())
    }

    /// The vector of one text, from those of its tokens.
    fn vector(&self, tokens: &[f32], skip: usize) -> Result<Vec<f32>, HeadFault> {
        let Some(pools) = &self.pools else { return Err(HeadFault::NoPooling) };
        if tokens.is_empty() {
            return Err(HeadFault::NoTokens);
        }
        let skip = if pools.include_prompt { 0 } else { skip };
        let mut vector = Vec::with_capacity(self.width * pools.modes.len());
        for mode in &pools.modes {
            pooling::pool(tokens, self.width, skip, *mode, &mut vector);
        }
        Ok(self.layers.iter().fold(vector, |vector, layer| layer.apply(vector)))
    }
}

/// Makes a vector one unit long (L2). A vector of zeros stays as it is.
pub fn normalize(vector: &mut [f32]) {
    // In 64 bits: the squares of large numbers do not fit into 32.
    let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
    if length > 1e-12 {
        let share = (1.0 / length) as f32;
        vector.iter_mut().for_each(|value| *value *= share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::folder::Pooling;

    fn head(mode: Pooling) -> OutputHead {
        OutputHead { pools: Some(Pools::one(mode)), layers: Vec::new(), width: 2, dimension: 2 }
    }

    fn batch() -> Batch {
        let mut batch = Batch::default();
        let texts: [&[u32]; 2] = [&[1, 2], &[3]];
        batch.fill(texts.into_iter(), 0);
        batch
    }

    #[test]
    fn padding_counts_for_nothing() {
        let hidden = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 99.0, 99.0];
        let mut vectors = Vec::new();
        for (mode, want) in [
            (Pooling::Mean, [[2.0, 3.0], [5.0, 6.0]]),
            (Pooling::Cls, [[1.0, 2.0], [5.0, 6.0]]),
            (Pooling::LastToken, [[3.0, 4.0], [5.0, 6.0]]),
            (Pooling::Max, [[3.0, 4.0], [5.0, 6.0]]),
        ] {
            head(mode).vectors(GraphOutput::Tokens(&hidden), &batch(), &mut vectors).unwrap();
            assert_eq!(vectors, want, "{mode:?}");
        }
        head(Pooling::Mean).vectors(GraphOutput::Pooled(&hidden[..4]), &batch(), &mut vectors).unwrap();
        assert_eq!(vectors, [[1.0, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn vectors_of_tokens_are_those_of_the_graph() {
        let hidden = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 99.0, 99.0];
        let (mut batch, mut vectors) = (batch(), Vec::new());
        batch.wanted[1] = RequestedVectors::Tokens;
        head(Pooling::Mean).vectors(GraphOutput::Tokens(&hidden), &batch, &mut vectors).unwrap();
        assert_eq!(vectors, [[2.0, 3.0], [5.0, 6.0]], "padding is left out");
        batch.wanted = vec![RequestedVectors::Tokens, RequestedVectors::Pooled];
        head(Pooling::Mean).vectors(GraphOutput::Tokens(&hidden), &batch, &mut vectors).unwrap();
        assert_eq!(vectors, [vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]]);
        batch.fill([&[1_u32][..]].into_iter(), 0);
        assert_eq!(batch.wanted, [RequestedVectors::Pooled], "the next batch begins anew");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut vectors = Vec::new();
        let mut fault = |head: OutputHead, numbers: &[f32], batch: &Batch| {
            head.vectors(GraphOutput::Tokens(numbers), batch, &mut vectors).unwrap_err()
        };
        let why = fault(head(Pooling::Cls), &[1.0; 7], &batch());
        assert_eq!(why, HeadFault::Width { found: 1, wanted: 2 });
        assert!(why.to_string().contains("vectors of 1 dimensions, but config.json has 2"), "{why}");
        let mut empty = Batch::default();
        empty.fill([&[][..]].into_iter(), 0);
        assert_eq!(fault(head(Pooling::LastToken), &[], &empty), HeadFault::NoTokens);
        let none = OutputHead { pools: None, ..head(Pooling::Cls) };
        assert_eq!(fault(none, &[1.0; 8], &batch()), HeadFault::NoPooling);
    }

    #[test]
    fn vectors_become_one_unit_long() {
        for mut vector in [[3.0, 4.0], [3e30, 4e30], [3e-6, 4e-6]] {
            normalize(&mut vector);
            assert!((vector[0] - 0.6).abs() < 1e-6 && (vector[1] - 0.8).abs() < 1e-6, "{vector:?}");
        }
        let mut zero = [0.0, 0.0];
        normalize(&mut zero);
        assert_eq!(zero, [0.0, 0.0]);
    }
}
