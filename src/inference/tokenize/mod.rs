//! Text to token ids, with the model's own tokenizer.

mod fault;
mod normalization;

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection, TruncationParams};

use super::folder::{ModelFolder, bounds};
pub use fault::TokenizerFault;

/// Bytes of a text that are looked at first, for each token that the model reads: most texts have fewer bytes to a token.
const BYTES: usize = 16;
/// So many times more are looked at when those gave too few tokens.
const MORE: usize = 8;

/// Which end of a text that is too long is cut off.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TruncationSide {
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
    /// Tokens at the beginning that belong to the prompt.
    pub prompt: usize,
    /// Whether tokens were left out.
    pub cut: bool,
}

/// A tokenizer that never pads, and cuts where the model stops reading, whatever its file says: the one of MiniLM has a
/// padding to 128 and a cut at 128 baked in, while the model reads 256.
#[derive(Clone)]
pub struct TextTokenizer {
    /// It cuts the end.
    tokenizer: Tokenizer,
    /// It cuts the beginning; made when it is asked for, since vocabularies are large.
    from_end: OnceLock<Arc<Tokenizer>>,
    longest: usize,
    /// Which end is cut off when a request does not say.
    side: TruncationSide,
    pad: u32,
    /// Tokens of each prompt.
    prompts: HashMap<String, usize>,
    /// The same without a cut, made when it is asked for.
    uncut: OnceLock<Arc<Tokenizer>>,
}

impl TextTokenizer {
    /// Reads the tokenizer of a model.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(folder: &ModelFolder) -> Result<Self, TokenizerFault> {
        let file = &folder.tokenizer;
        let about = std::fs::metadata(file)?;
        if !about.is_file() || about.len() > bounds::TOKENIZER {
            return Err(TokenizerFault::Size { most: bounds::TOKENIZER });
        }
        // The library panics on some files.
        let read = catch_unwind(|| Tokenizer::from_file(file));
        let read = read.map_err(|_| TokenizerFault::Panics)?;
        let mut tokenizer = read.map_err(|source| TokenizerFault::Format { source })?;
        normalization::apply(&folder.spelling, &mut tokenizer)?;
        let side = folder.spelling.side.unwrap_or_else(|| side(&tokenizer));
        tokenizer.with_padding(None);
        once(&tokenizer)?;
        cut(&mut tokenizer, folder.longest, TruncationDirection::Right)?;
        let pad = folder.pad.unwrap_or_else(|| pad(&tokenizer));
        let mut read = Self {
            tokenizer,
            from_end: OnceLock::new(),
            uncut: OnceLock::new(),
            longest: folder.longest,
            side,
            pad,
            prompts: HashMap::new(),
        };
        for prompt in folder.prompts.texts() {
            let tokens = read.prompt(prompt)?;
            read.prompts.insert(prompt.to_owned(), tokens);
        }
        Ok(read)
    }

    /// Which end of a long text is cut off when a request does not say.
    pub fn side(&self) -> TruncationSide {
        self.side
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

    /// The same tokenizer, which cuts the beginning.
    fn left_cut(&self) -> Result<&Tokenizer, TokenizerFault> {
        if let Some(made) = self.from_end.get() {
            return Ok(made);
        }
        let mut tokenizer = self.tokenizer.clone();
        cut(&mut tokenizer, self.longest, TruncationDirection::Left)?;
        Ok(self.from_end.get_or_init(|| Arc::new(tokenizer)))
    }

    /// One more than the highest id that it can give.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab(true).values().max().map_or(0, |highest| *highest as usize + 1)
    }

    /// Id that fills rows up.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The ids of a text behind a prompt of the model; no prompt is an empty one.
    ///
    /// # Errors
    /// What the tokenizer said.
    pub fn encode(&self, prompt: &str, text: &str, side: TruncationSide) -> Result<Tokens, TokenizerFault> {
        if prompt.is_empty() {
            return self.cut_early(text, side);
        }
        let tokens = self.cut_early(&format!("{prompt}{text}"), side)?;
        Ok(Tokens { prompt: self.prompts.get(prompt).copied().unwrap_or(0), ..tokens })
    }

    /// The ids of a text of which no more is looked at than is needed: a tokenizer takes some fifty bytes for each of a text.
    fn cut_early(&self, text: &str, side: TruncationSide) -> Result<Tokens, TokenizerFault> {
        let mut bytes = self.longest.saturating_mul(BYTES);
        while text.len() / 4 > bytes {
            let tokens = self.whole(part(text, bytes, side), side)?;
            // The tokenizer stops once it has enough, and so does not tell how much there is. What follows a part can change its
            // last tokens: it stands for the whole when twice as much gives the same.
            if tokens.cut && self.whole(part(text, bytes * 2, side), side)? == tokens {
                return Ok(tokens);
            }
            bytes = bytes.saturating_mul(MORE);
        }
        self.whole(text, side)
    }

    fn whole(&self, text: &str, side: TruncationSide) -> Result<Tokens, TokenizerFault> {
        let tokenizer = if side == TruncationSide::End { &self.tokenizer } else { self.left_cut()? };
        let encoding = tokenizer.encode_fast(text, true).map_err(TokenizerFault::library)?;
        let ids: Box<[u32]> = encoding.get_ids().into();
        let cut = !encoding.get_overflowing().is_empty() || (ids.len() >= self.longest && self.goes_on(text)?);
        Ok(Tokens { ids, prompt: 0, cut })
    }

    /// Whether a text that fills the model has more tokens. A tokenizer without special tokens stops when it has enough, and does
    /// not tell.
    fn goes_on(&self, text: &str) -> Result<bool, TokenizerFault> {
        let special = self.tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
        if special > 0 {
            return Ok(false);
        }
        let encoding = self.uncut().encode_fast(text, true).map_err(TokenizerFault::library)?;
        Ok(encoding.get_ids().len() > self.longest)
    }

    /// Tokens of a prompt as sentence-transformers counts them: without the special token at its end.
    fn prompt(&self, prompt: &str) -> Result<usize, TokenizerFault> {
        let ids = self.whole(prompt, TruncationSide::End)?.ids;
        let special = self.tokenizer.get_added_tokens_decoder();
        let ends = ids.last().is_some_and(|last| special.get(last).is_some_and(|token| token.special));
        Ok(ids.len() - usize::from(ends))
    }
}

/// The end that the file itself cuts off.
fn side(tokenizer: &Tokenizer) -> TruncationSide {
    match tokenizer.get_truncation().map(|cut| cut.direction) {
        Some(TruncationDirection::Left) => TruncationSide::Beginning,
        _ => TruncationSide::End,
    }
}

fn cut(tokenizer: &mut Tokenizer, longest: usize, direction: TruncationDirection) -> Result<(), TokenizerFault> {
    // The library subtracts one from the other without a look: below zero a text would never be cut.
    let added = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
    if added >= longest {
        return Err(TokenizerFault::Special { added, longest });
    }
    let params = TruncationParams { max_length: longest, direction, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(params)).map_err(|source| TokenizerFault::Length { longest, source })?;
    Ok(())
}

/// Refuses a template that repeats the text. What is cut off is kept for each repetition, combined with that of all others: memory
/// grows as a power of their number.
fn once(tokenizer: &Tokenizer) -> Result<(), TokenizerFault> {
    let said = serde_json::to_value(tokenizer.get_post_processor()).map_err(TokenizerFault::Template)?;
    match repeats(&said) {
        0 | 1 => Ok(()),
        times => Err(TokenizerFault::Repeats { times }),
    }
}

/// How often the template of a processor, or one of several in a row, has the text.
fn repeats(processor: &serde_json::Value) -> usize {
    let list = |key: &str| processor[key].as_array().into_iter().flatten();
    let own = list("single").filter(|piece| piece.get("Sequence").is_some()).count();
    list("processors").map(repeats).fold(own, usize::max)
}

fn pad(tokenizer: &Tokenizer) -> u32 {
    let names = ["[PAD]", "<pad>", "<|endoftext|>"];
    names.iter().find_map(|name| tokenizer.token_to_id(name)).unwrap_or(0)
}

/// The beginning or the end of a text, of about so many bytes.
fn part(text: &str, bytes: usize, side: TruncationSide) -> &str {
    match side {
        TruncationSide::End => &text[..text.floor_char_boundary(bytes)],
        TruncationSide::Beginning => &text[text.ceil_char_boundary(text.len() - bytes)..],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokenizer(name: &str) -> TextTokenizer {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding").join(name);
        TextTokenizer::read(&ModelFolder::open(&root, &Default::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_part_of_a_long_text_gives_what_the_whole_gives() {
        let tokenizer = tokenizer("tiny");
        let texts = [
            "hello world ".repeat(50_000),
            format!("{} hello world {}", " ".repeat(200_000), "the cache of an edge server ".repeat(10_000)),
            format!("{} {}", "z".repeat(300_000), "errors ".repeat(40_000)),
            "東京 🚀 ü".repeat(40_000),
        ];
        for text in &texts {
            for side in [TruncationSide::End, TruncationSide::Beginning] {
                let early = tokenizer.cut_early(text, side).unwrap();
                assert_eq!(early, tokenizer.whole(text, side).unwrap());
                assert!(early.cut && early.ids.len() == tokenizer.longest());
            }
        }
    }

    /// What the tiny model's tokenizer says with another post-processor, for a model that reads eight tokens.
    fn refused(processor: &serde_json::Value) -> TokenizerFault {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
        let folder = ModelFolder::open(&root, &Default::default()).unwrap();
        let mut whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&folder.tokenizer).unwrap()).unwrap();
        whole["post_processor"] = processor.clone();
        let place = tempfile::tempdir().unwrap();
        let tokenizer = place.path().join("tokenizer.json");
        std::fs::write(&tokenizer, whole.to_string()).unwrap();
        let read = TextTokenizer::read(&ModelFolder { tokenizer, longest: 8, ..folder });
        read.err().expect("it is refused")
    }

    #[test]
    fn a_template_that_repeats_the_text_is_refused() {
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let template =
            json!({"type": "TemplateProcessing", "single": vec![text; 30], "pair": [], "special_tokens": {}});
        let within = json!({"type": "Sequence", "processors": [template]});
        for processor in [template, within] {
            let why = refused(&processor);
            assert!(matches!(why, TokenizerFault::Repeats { times: 30 }), "{why}");
        }
    }

    #[test]
    fn more_special_tokens_than_a_text_may_have_are_refused() {
        let special = json!({"SpecialToken": {"id": "x", "type_id": 0}});
        let tokens = json!({"x": {"id": "x", "ids": [1], "tokens": ["x"]}});
        let template =
            json!({"type": "TemplateProcessing", "single": vec![special; 9], "pair": [], "special_tokens": tokens});
        let why = refused(&template);
        assert!(matches!(why, TokenizerFault::Special { added: 9, longest: 8 }), "{why}");
    }

    #[test]
    fn either_end_is_cut() {
        let tokenizer = tokenizer("tiny");
        let text = format!("hello {}world", "the ".repeat(100));
        let [end, beginning] =
            [TruncationSide::End, TruncationSide::Beginning].map(|side| tokenizer.encode("", &text, side).unwrap().ids);
        let id = |word: &str| tokenizer.uncut().token_to_id(word).unwrap();
        assert_eq!((end[1], beginning[beginning.len() - 2]), (id("hello"), id("world")));
        assert_eq!([end[0], end[end.len() - 1]], [beginning[0], beginning[beginning.len() - 1]], "special tokens stay");
    }
}
