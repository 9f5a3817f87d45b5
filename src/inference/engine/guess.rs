//! How many tokens a text may have, before anybody has counted them.

use std::sync::atomic::{AtomicU32, Ordering};

/// Weight of a request in the learned ratio.
const WEIGHT: f32 = 1.0 / 32.0;
/// Share of the learned ratio that is taken for granted: texts differ, and a text must not be refused for tokens that it has not.
const GRANTED: f32 = 0.75;
/// Tokens at the begin and the end of a text, which say nothing of the ratio: in a text of one letter they are two of three.
const FRAME: usize = 2;
/// No text is guessed to have fewer.
const LEAST: usize = 1;

/// Tokens for each byte, learned from the requests that were tokenised.
#[derive(Debug)]
pub struct Guess {
    /// Bits of an f32; 0: nothing is known.
    ratio: AtomicU32,
    longest: usize,
}

impl Guess {
    /// Knows nothing yet. No text has more than `longest` tokens.
    pub fn new(longest: usize) -> Self {
        Self { ratio: AtomicU32::new(0), longest: longest.max(LEAST) }
    }

    /// Tokens that a text of so many bytes has at least, if it is like the others.
    pub fn tokens(&self, bytes: usize) -> usize {
        let ratio = f32::from_bits(self.ratio.load(Ordering::Relaxed));
        ((bytes as f32 * ratio * GRANTED) as usize).clamp(LEAST, self.longest)
    }

    /// So many texts of so many bytes together had so many tokens, none of them cut. Of two at the same time one may be forgotten.
    pub fn learn(&self, texts: usize, bytes: usize, tokens: usize) {
        if bytes == 0 {
            return;
        }
        let known = f32::from_bits(self.ratio.load(Ordering::Relaxed));
        let fresh = tokens.saturating_sub(FRAME * texts) as f32 / bytes as f32;
        let ratio = if known > 0.0 { known + (fresh - known) * WEIGHT } else { fresh };
        self.ratio.store(ratio.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Guess;

    #[test]
    fn it_knows_nothing_and_learns() {
        let guess = Guess::new(256);
        assert_eq!(guess.tokens(100_000), 1);
        guess.learn(1, 0, 2);
        assert_eq!(guess.tokens(100_000), 1, "an empty text tells nothing");
        guess.learn(2, 400, 104);
        assert_eq!([guess.tokens(0), guess.tokens(400), guess.tokens(100_000)], [1, 75, 256]);
        for _ in 0..200 {
            guess.learn(1, 400, 202);
        }
        assert!((140..=150).contains(&guess.tokens(400)), "{}", guess.tokens(400));
        let letters = Guess::new(8192);
        letters.learn(10, 10, 30);
        assert_eq!(letters.tokens(1000), 750, "not 2,250");
    }
}
