//! Estimates the number of tokens of a text before it is tokenized.

use std::sync::atomic::{AtomicU32, Ordering};

/// Weight of a text in the learned ratio.
const WEIGHT: f32 = 1.0 / 64.0;
/// Share of the learned ratio that is taken for granted: texts differ, and a text must not be refused for tokens that it has not.
const GRANTED: f32 = 0.75;
/// Tokens at the begin and the end of a text, which say nothing of the ratio: in a text of one letter they are two of three.
const FRAME: usize = 2;
/// No text is guessed to have fewer.
const LEAST: usize = 1;
/// Classes of length in bytes, each twice the one before.
const CLASSES: usize = 24;
/// One request of so many that a guess speaks against is tokenized all the same: a refusal teaches nothing.
const TRIED: u32 = 32;

/// Tokens for each byte, learned from the requests that were tokenized, for short and long texts apart.
#[derive(Debug)]
pub struct TokenEstimate {
    /// Bits of an f32; 0: nothing is known.
    ratios: [AtomicU32; CLASSES],
    longest: usize,
    refused: AtomicU32,
}

impl TokenEstimate {
    /// Knows nothing yet. No text has more than `longest` tokens.
    pub fn new(longest: usize) -> Self {
        Self { ratios: [const { AtomicU32::new(0) }; CLASSES], longest: longest.max(LEAST), refused: AtomicU32::new(0) }
    }

    fn ratio(&self, bytes: usize) -> &AtomicU32 {
        &self.ratios[(bytes.max(1).ilog2() as usize).min(CLASSES - 1)]
    }

    /// Tokens that a text of so many bytes has at least, if it is like the others.
    pub fn tokens(&self, bytes: usize) -> usize {
        let ratio = f32::from_bits(self.ratio(bytes).load(Ordering::Relaxed));
        ((bytes as f32 * ratio * GRANTED) as usize).clamp(LEAST, self.longest)
    }

    /// A text of so many bytes had so many tokens, and was not cut. Of two at the same time one may be forgotten.
    pub fn learn(&self, bytes: usize, tokens: usize) {
        if bytes == 0 {
            return;
        }
        let place = self.ratio(bytes);
        let known = f32::from_bits(place.load(Ordering::Relaxed));
        let fresh = tokens.saturating_sub(FRAME) as f32 / bytes as f32;
        let ratio = if known > 0.0 { known + (fresh - known) * WEIGHT } else { fresh };
        place.store(ratio.to_bits(), Ordering::Relaxed);
    }

    /// Whether a request is to be tokenized though a guess speaks against it: so a wrong guess is found out.
    pub fn is_tried(&self) -> bool {
        self.refused.fetch_add(1, Ordering::Relaxed) % TRIED == TRIED - 1
    }
}

#[cfg(test)]
mod tests {
    use super::TokenEstimate;

    #[test]
    fn it_knows_nothing_and_learns() {
        let estimate = TokenEstimate::new(256);
        assert_eq!(estimate.tokens(100_000), 1);
        estimate.learn(0, 2);
        assert_eq!(estimate.tokens(100_000), 1, "an empty text tells nothing");
        estimate.learn(400, 102);
        assert_eq!(
            [estimate.tokens(0), estimate.tokens(400), estimate.tokens(100_000)],
            [1, 75, 1],
            "lengths are known apart"
        );
        for _ in 0..400 {
            estimate.learn(400, 202);
        }
        assert!((140..=150).contains(&estimate.tokens(400)), "{}", estimate.tokens(400));
        let letters = TokenEstimate::new(8192);
        letters.learn(1000, 1002);
        assert_eq!(letters.tokens(1000), 750, "a quarter is left to chance");
    }

    #[test]
    fn one_of_many_refusals_is_tried() {
        let estimate = TokenEstimate::new(256);
        assert_eq!((0..320).filter(|_| estimate.is_tried()).count(), 10);
    }
}
