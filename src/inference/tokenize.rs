//! Text to token ids, with the model's own tokenizer.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokenizers::{Tokenizer, TruncationParams};

/// Which end of a text that is too long is cut off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Side {
    /// The end, as all models were trained.
    #[default]
    End,
    /// The beginning.
    Beginning,
}

/// Token ids of one text, special tokens included, and whether it was cut.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tokens {
    /// The ids.
    pub ids: Box<[u32]>,
    /// Whether tokens were left out at the end.
    pub cut: bool,
}

/// A tokenizer that never pads, and cuts where the model stops reading, whatever its file says: the one of MiniLM has a
/// padding to 128 and a cut at 128 baked in, while the model reads 256.
#[derive(Clone)]
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    longest: usize,
    /// The same without a cut, made when it is asked for.
    uncut: OnceLock<Arc<Tokenizer>>,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`. `longest` is the number of tokens that the model reads, special tokens included.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(file: &Path, longest: usize) -> Result<Self, String> {
        let mut tokenizer =
            Tokenizer::from_file(file).map_err(|bad| format!("{} is no tokenizer: {bad}", file.display()))?;
        let cut = TruncationParams { max_length: longest, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|bad| format!("a length of {longest} tokens: {bad}"))?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, longest, uncut: OnceLock::new() })
    }

    /// Tokens that the model reads at most.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The same tokenizer, which cuts nothing.
    pub(super) fn uncut(&self) -> &Tokenizer {
        self.uncut.get_or_init(|| {
            let mut tokenizer = self.tokenizer.clone();
            // Taking the cut away cannot fail.
            let _ = tokenizer.with_truncation(None);
            Arc::new(tokenizer)
        })
    }

    /// One more than the highest id that it can give.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab(true).values().max().map_or(0, |highest| *highest as usize + 1)
    }

    /// Id that fills rows up.
    pub fn pad(&self) -> u32 {
        let names = ["[PAD]", "<pad>", "<|endoftext|>"];
        names.iter().find_map(|name| self.tokenizer.token_to_id(name)).unwrap_or(0)
    }

    /// The ids of a text.
    ///
    /// # Errors
    /// What the tokenizer said.
    pub fn encode(&self, text: &str) -> Result<Tokens, String> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|bad| bad.to_string())?;
        Ok(Tokens { ids: encoding.get_ids().into(), cut: !encoding.get_overflowing().is_empty() })
    }
}
