//! From a vector for each token to one for the text.

use super::backend::Output;
use super::batch::Batch;

/// How a text's vector comes from those of its tokens; the name in a model's `1_Pooling/config.json`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pooling {
    /// Mean over its tokens, padding left out (`pooling_mode_mean_tokens`).
    Mean,
    /// The vector of the first token (`pooling_mode_cls_token`).
    Cls,
    /// The vector of the last token (`pooling_mode_lasttoken`).
    LastToken,
}

impl Pooling {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::LastToken => "last-token",
        }
    }
}

/// The vectors of a batch, one for each row.
pub fn pool(output: Output<'_>, batch: &Batch, dimension: usize, pooling: Pooling, vectors: &mut Vec<Vec<f32>>) {
    vectors.clear();
    for row in 0..batch.rows {
        vectors.push(match output {
            Output::Pooled(all) => all[row * dimension..(row + 1) * dimension].to_vec(),
            Output::Tokens(all) => {
                let start = row * batch.width * dimension;
                text_vector(&all[start..start + batch.lengths[row] * dimension], dimension, pooling)
            }
        });
    }
}

/// The vector of one text, from those of its tokens.
fn text_vector(tokens: &[f32], dimension: usize, pooling: Pooling) -> Vec<f32> {
    let count = tokens.len() / dimension;
    match pooling {
        Pooling::Cls => tokens[..dimension].to_vec(),
        Pooling::LastToken => tokens[(count - 1) * dimension..].to_vec(),
        Pooling::Mean => {
            let mut sum = vec![0.0_f32; dimension];
            for token in tokens.chunks_exact(dimension) {
                for (total, value) in sum.iter_mut().zip(token) {
                    *total += value;
                }
            }
            let share = 1.0 / count as f32;
            sum.iter_mut().for_each(|value| *value *= share);
            sum
        }
    }
}

/// Makes a vector one unit long (L2). A vector of zeros stays as it is.
pub fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 1e-12 {
        let share = 1.0 / length;
        vector.iter_mut().for_each(|value| *value *= share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (pooling, want) in [
            (Pooling::Mean, [[2.0, 3.0], [5.0, 6.0]]),
            (Pooling::Cls, [[1.0, 2.0], [5.0, 6.0]]),
            (Pooling::LastToken, [[3.0, 4.0], [5.0, 6.0]]),
        ] {
            pool(Output::Tokens(&hidden), &batch(), 2, pooling, &mut vectors);
            assert_eq!(vectors, want, "{pooling:?}");
        }
        pool(Output::Pooled(&hidden[..4]), &batch(), 2, Pooling::Mean, &mut vectors);
        assert_eq!(vectors, [[1.0, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn vectors_become_one_unit_long() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zero = [0.0, 0.0];
        normalise(&mut zero);
        assert_eq!(zero, [0.0, 0.0]);
    }
}
