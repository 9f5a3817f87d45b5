//! From a vector for each token to one for the text, as sentence-transformers does it.

use crate::inference::folder::Pooling;

/// Adds what one pooling makes of a text to its vector. `tokens` are the vectors of its tokens, `skip` of them at the beginning
/// belong to a prompt that does not count.
pub(super) fn pool(tokens: &[f32], width: usize, skip: usize, pooling: Pooling, vector: &mut Vec<f32>) {
    let count = tokens.len() / width;
    let counted = &tokens[skip.min(count) * width..];
    match pooling {
        // When a prompt fills the whole text, sentence-transformers takes its first token.
        Pooling::Cls if counted.is_empty() => vector.extend_from_slice(&tokens[..width]),
        Pooling::Cls => vector.extend_from_slice(&counted[..width]),
        Pooling::LastToken if counted.is_empty() => vector.resize(vector.len() + width, 0.0),
        Pooling::LastToken => vector.extend_from_slice(&tokens[(count - 1) * width..]),
        Pooling::Max => max(counted, width, vector),
        Pooling::Mean => sum(counted, width, |_| 1.0, |weights| weights, vector),
        Pooling::MeanSqrtLen => sum(counted, width, |_| 1.0, f32::sqrt, vector),
        Pooling::WeightedMean => sum(counted, width, |at| (skip + at + 1) as f32, |weights| weights, vector),
    }
}

/// A weighted sum of tokens, divided by what `divisor` makes of the sum of their weights.
fn sum(
    tokens: &[f32],
    width: usize,
    weight: impl Fn(usize) -> f32,
    divisor: impl Fn(f32) -> f32,
    vector: &mut Vec<f32>,
) {
    let begin = vector.len();
    vector.resize(begin + width, 0.0);
    let mut weights = 0.0;
    for (at, token) in tokens.chunks_exact(width).enumerate() {
        let weight = weight(at);
        weights += weight;
        for (total, value) in vector[begin..].iter_mut().zip(token) {
            *total += value * weight;
        }
    }
    let share = 1.0 / divisor(weights.max(1e-9));
    vector[begin..].iter_mut().for_each(|value| *value *= share);
}

fn max(tokens: &[f32], width: usize, vector: &mut Vec<f32>) {
    let begin = vector.len();
    vector.resize(begin + width, f32::NEG_INFINITY);
    for token in tokens.chunks_exact(width) {
        for (most, value) in vector[begin..].iter_mut().zip(token) {
            // `f32::max` would pass over what is not a number.
            if *value > *most || value.is_nan() {
                *most = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_counts_its_tokens() {
        let tokens = [1.0, 8.0, 3.0, 4.0, 8.0, 0.0];
        for (pooling, skip, wanted) in [
            (Pooling::Mean, 0, [4.0, 4.0]),
            (Pooling::Mean, 1, [5.5, 2.0]),
            (Pooling::Cls, 0, [1.0, 8.0]),
            (Pooling::Cls, 1, [3.0, 4.0]),
            (Pooling::LastToken, 1, [8.0, 0.0]),
            (Pooling::Max, 0, [8.0, 8.0]),
            (Pooling::Max, 1, [8.0, 4.0]),
            (Pooling::WeightedMean, 0, [31.0 / 6.0, 16.0 / 6.0]),
            (Pooling::WeightedMean, 1, [30.0 / 5.0, 8.0 / 5.0]),
            (Pooling::Mean, 9, [0.0, 0.0]),
            (Pooling::Cls, 9, [1.0, 8.0]),
            (Pooling::LastToken, 9, [0.0, 0.0]),
        ] {
            let mut vector = Vec::new();
            pool(&tokens, 2, skip, pooling, &mut vector);
            let far = vector.iter().zip(wanted).any(|(value, wanted)| (value - wanted).abs() > 1e-6);
            assert!(!far && vector.len() == 2, "{pooling:?} {skip}: {vector:?}");
        }
        let mut vector = Vec::new();
        pool(&tokens[..4], 2, 0, Pooling::MeanSqrtLen, &mut vector);
        assert!((vector[0] - 4.0 / 2.0_f32.sqrt()).abs() < 1e-6);
    }
}
