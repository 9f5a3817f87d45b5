//! How many tokens of a text a model reads, and where its positions begin.

use std::path::Path;

use serde::Deserialize;

use super::normalization::TokenizerConfig;
use super::read::{UnexpectedJson, bad, may};
use super::{Config, FolderFault};

/// When no file says how long a text may be (T5 and others with relative positions).
const UNSAID: usize = 512;
/// What sentence-transformers 6 reads, in its order: the first file that is there counts.
pub const SENTENCE_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];
/// Models whose positions begin behind the id of their padding (`create_position_ids_from_input_ids` of Transformers).
const BEHIND_PADDING: [&str; 8] =
    ["roberta", "camembert", "mpnet", "xmod", "longformer", "data2vec-text", "ibert", "luke"];

/// What the file of sentence-transformers says of a text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentenceConfig {
    max_seq_length: Option<usize>,
    pub do_lower_case: bool,
    #[serde(alias = "tokenizer_args", alias = "tokenizer_kwargs")]
    processor_kwargs: Option<Processor>,
    processing_kwargs: Processing,
}

/// Arguments of each call; those for texts go before those for all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Processing {
    text: Call,
    common: Call,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    max_length: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Processor {
    model_max_length: Option<usize>,
}

impl SentenceConfig {
    /// Reads the first of the files that is there.
    pub fn read(root: &Path) -> Result<Self, FolderFault> {
        for name in SENTENCE_FILES {
            // An empty object counts as no file, as there.
            let read: Option<serde_json::Map<_, _>> = may(&root.join(name))?;
            if let Some(object) = read.filter(|object| !object.is_empty()) {
                return serde_json::from_value(object.into()).map_err(|why| bad(&root.join(name), UnexpectedJson(why)));
            }
        }
        Ok(Self::default())
    }
}

impl Config {
    /// The first position of a text, for a graph that wants positions as an input.
    pub(super) fn first_position(&self) -> usize {
        let behind = BEHIND_PADDING.iter().any(|kind| self.model_type.contains(kind));
        if behind { self.pad_token_id.map_or(2, |pad| pad as usize + 1) } else { 0 }
    }
}

/// Tokens that are read: what sentence-transformers was told, else the tokenizer's word, never more than there are positions.
pub(super) fn longest(
    root: &Path,
    config: &Config,
    sentence: &SentenceConfig,
    tokenizer: &TokenizerConfig,
) -> Result<usize, FolderFault> {
    // XLNet writes -1 for no limit.
    let positions = config.positions().and_then(|positions| usize::try_from(positions).ok());
    let positions = positions.map(|positions| positions.saturating_sub(config.first_position()));
    let processor = sentence.processor_kwargs.as_ref().and_then(|processor| processor.model_max_length);
    let call = sentence.processing_kwargs.text.max_length.or(sentence.processing_kwargs.common.max_length);
    let said = call.or(sentence.max_seq_length).or(processor).or(tokenizer.longest());
    let longest = said.or(positions).unwrap_or(UNSAID).min(positions.unwrap_or(usize::MAX));
    if (3..=1_000_000).contains(&longest) {
        return Ok(longest);
    }
    let why =
        format!("{longest} tokens cannot be the longest text; write max_seq_length into sentence_bert_config.json");
    Err(bad(&root.join("config.json"), why))
}
