//! `tokenizer_config.json`: what Transformers puts into the place of what `tokenizer.json` says.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FolderFault;
use super::read::may;
use crate::inference::tokenize::TruncationSide;

/// What a text goes through before it is tokens. Where a field is nothing, `tokenizer.json` decides.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Normalization {
    /// Texts are made lower case first (`do_lower_case` of sentence-transformers).
    pub lower_case: bool,
    /// BERT's rules: lower case.
    pub lowercase: Option<bool>,
    /// BERT's rules: accents are taken off.
    pub strip_accents: Option<bool>,
    /// BERT's rules: Chinese signs stand alone.
    pub chinese: Option<bool>,
    /// Byte-level BPE: a space goes before a text.
    pub prefix_space: Option<bool>,
    /// Which end of a long text is cut off.
    #[serde(skip)]
    pub side: Option<TruncationSide>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenizerConfig {
    model_max_length: Value,
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    add_prefix_space: Option<bool>,
    truncation_side: Option<String>,
}

impl TokenizerConfig {
    /// Reads the file; nothing said where it is not there.
    pub fn read(root: &Path) -> Result<Self, FolderFault> {
        Ok(may(&root.join("tokenizer_config.json"))?.unwrap_or_default())
    }

    /// The longest text, when it says one: some write 1e30 for no limit, or a number as a text.
    pub fn longest(&self) -> Option<usize> {
        let text = |text: &str| text.parse().ok();
        let length = self.model_max_length.as_f64().or_else(|| text(self.model_max_length.as_str()?))?;
        (1.0..1e6).contains(&length).then_some(length as usize)
    }

    /// What it says. Only classes that know a rule of their own go before `tokenizer.json`.
    pub fn spelling(&self, lower_case: bool) -> Normalization {
        let class = self.tokenizer_class.as_deref().unwrap_or_default();
        let own = !matches!(class, "PreTrainedTokenizerFast" | "TokenizersBackend" | "PreTrainedTokenizer");
        let only = |rule: Option<bool>| rule.filter(|_| own);
        let side = self.truncation_side.as_deref().and_then(|side| match side {
            "left" => Some(TruncationSide::Beginning),
            "right" => Some(TruncationSide::End),
            _ => None,
        });
        Normalization {
            lower_case,
            lowercase: only(self.do_lower_case),
            strip_accents: only(self.strip_accents),
            chinese: only(self.tokenize_chinese_chars),
            prefix_space: only(self.add_prefix_space),
            side,
        }
    }
}
