//! A folder that holds a model in the layout of sentence-transformers: what it says of itself, read once and checked.

pub mod bounds;
mod fault;
mod graph;
mod identity;
mod length;
mod modules;
mod normalization;
mod pooling;
mod prompts;
mod read;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use fault::{FaultCause, FolderFault, UnsupportedModel, UnsupportedPooling};
pub use graph::{FP32_GRAPHS, INT8_GRAPHS, Variant};
pub use identity::Arithmetic;
pub use length::SENTENCE_FILES;
pub use modules::{Activation, Dense, ModuleStep, Modules};
pub use normalization::Normalization;
pub use pooling::{Pooling, PoolingFault, Pools};
pub use prompts::{FILE as PROMPTS_FILE, Prompts};

use super::graph_file::{self, InputFault};
use length::SentenceConfig;
use normalization::TokenizerConfig;
use read::{bad, missing, must};

/// Names of a graph's outputs with a vector for each text.
pub const OF_TEXTS: [&str; 3] = ["sentence_embedding", "embedding", "embeddings"];

/// Inputs of a graph that a text has.
const INPUTS: [&str; 5] = ["input_ids", "attention_mask", "token_type_ids", "position_ids", "use_cache_branch"];

/// What is said of a model besides its files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ModelOptions {
    /// Which graph is wanted.
    pub variant: Variant,
    /// The graph's file, by its path in the folder; it goes before the variant.
    pub graph: Option<String>,
    /// The pooling, where no file of the model says it.
    pub pooling: Option<Pooling>,
}

impl From<Variant> for ModelOptions {
    fn from(variant: Variant) -> Self {
        Self { variant, ..Self::default() }
    }
}

/// Which folder is at a path: another one that takes its place by a rename has another identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FolderIdentity {
    device: u64,
    number: u64,
}

impl FolderIdentity {
    /// Of the folder that lies there now; nothing when there is none.
    pub fn of(folder: &Path) -> Option<Self> {
        let facts = std::fs::metadata(folder).ok()?;
        Some(Self { device: facts.dev(), number: facts.ino() })
    }
}

/// A model's files and what they say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelFolder {
    /// The folder.
    pub root: PathBuf,
    /// Which folder that was when it was read.
    pub identity: Option<FolderIdentity>,
    /// The graph.
    pub graph: PathBuf,
    /// Which one it is: never [`Variant::Auto`].
    pub variant: Variant,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Numbers in a token's vector.
    pub width: usize,
    /// Numbers in a text's vector.
    pub dimension: usize,
    /// Token ids that the graph knows, when a file says it.
    pub vocabulary: Option<usize>,
    /// Tokens of a text that are read, special tokens included.
    pub longest: usize,
    /// What goes before the rules of `tokenizer.json`.
    pub spelling: Normalization,
    /// The id of the padding, when a file says it.
    pub pad: Option<u32>,
    /// The first position of a text, for graphs that want positions as an input.
    pub first_position: usize,
    /// What happens to the output of the graph.
    pub modules: Modules,
    /// What goes before a text.
    pub prompts: Prompts,
}

/// `config.json` of Transformers; families differ in the names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: Option<usize>,
    dim: Option<usize>,
    n_embd: Option<usize>,
    d_model: Option<usize>,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<i64>,
    n_positions: Option<i64>,
    pad_token_id: Option<u32>,
    model_type: String,
    text_config: Option<Box<Config>>,
}

impl Config {
    /// The part that is about texts: models of several senses have it as a part of its own.
    fn of_text(self) -> Self {
        match self.text_config {
            Some(text) if self.hidden_size.is_none() => *text,
            _ => self,
        }
    }

    fn width(&self) -> Option<usize> {
        self.hidden_size.or(self.dim).or(self.n_embd).or(self.d_model)
    }

    /// Absolute positions. T5's are relative: its `n_positions` is not a limit.
    fn positions(&self) -> Option<i64> {
        let relative = ["t5", "umt5", "mt5"].contains(&self.model_type.as_str());
        self.max_position_embeddings.or(self.n_positions.filter(|_| !relative))
    }
}

impl ModelFolder {
    /// Reads a folder.
    ///
    /// # Errors
    /// The first file that is missing or says something that cannot be served.
    pub fn open(root: &Path, choice: &ModelOptions) -> Result<Self, FolderFault> {
        let identity = FolderIdentity::of(root);
        let mut modules = Modules::read(root)?;
        let inner = modules.inner.clone();
        let file = inner.join("config.json");
        if let Some(why) = modules.unserved.as_ref().filter(|_| !file.is_file()) {
            return Err(bad(&root.join("modules.json"), format!("{why}; such a model cannot be served")));
        }
        let config = must::<Config>(&file, "it defines the size of the model")?.of_text();
        let (graph, variant) = graph::find(root, &inner, choice.variant, choice.graph.as_deref())?;
        let tokenizer = inner.join("tokenizer.json");
        if !tokenizer.is_file() {
            return Err(missing(&tokenizer, NO_TOKENIZER));
        }
        if modules.pools.is_none() {
            modules.pools = choice.pooling.map(Pools::one);
        }
        let width = config.width().or(modules.width).filter(|width| (1..=1 << 16).contains(width));
        let width = width.ok_or_else(|| bad(&file, "hidden_size is missing: the numbers of a token's vector"))?;
        let dimension = match modules.unserved {
            None => modules.dimension(width).map_err(|why| bad(&root.join("modules.json"), why))?,
            Some(_) => width,
        };
        let sentence = SentenceConfig::read(&inner)?;
        let tokenizer_config = TokenizerConfig::read(&inner)?;
        Ok(Self {
            dimension,
            longest: length::longest(&inner, &config, &sentence, &tokenizer_config)?,
            spelling: tokenizer_config.spelling(sentence.do_lower_case),
            prompts: Prompts::read(root)?,
            first_position: config.first_position(),
            vocabulary: config.vocab_size,
            pad: config.pad_token_id,
            root: root.to_owned(),
            identity,
            graph,
            variant,
            tokenizer,
            width,
            modules,
        })
    }

    /// Whether the vectors of a graph's tokens can be made those of texts. Where they cannot, a graph that gives
    /// [`OF_TEXTS`] can be served.
    ///
    /// # Errors
    /// What is missing.
    pub fn pools(&self) -> Result<(), UnsupportedPooling> {
        match (&self.modules.unserved, &self.modules.pools) {
            (Some(module), _) => Err(UnsupportedPooling::Module(module.clone())),
            (None, None) => Err(UnsupportedPooling::Unsaid),
            (None, Some(_)) => Ok(()),
        }
    }

    /// Whether the graph fits what the files say, as far as its own file tells without being run.
    ///
    /// # Errors
    /// A graph that is damaged or wants other inputs, or vectors of tokens of which nothing makes one of a text.
    pub fn served(&self) -> Result<(), UnsupportedModel> {
        let read = graph_file::read(&self.graph)?;
        for wanted in ["input_ids", "attention_mask"] {
            if !read.inputs.iter().any(|input| input == wanted) {
                return Err(InputFault::Missing { wanted, there: read.inputs }.into());
            }
        }
        let known = |input: &str| INPUTS.contains(&input) || input.starts_with("past_key_values.");
        if let Some(other) = read.inputs.iter().find(|input| !known(input)) {
            return Err(InputFault::Unknown { name: other.clone() }.into());
        }
        let gives_texts = read.outputs.iter().any(|output| OF_TEXTS.contains(&output.as_str()));
        self.pools().or_else(|why| if gives_texts { Ok(()) } else { Err(UnsupportedModel::Pooling(why)) })
    }

    /// The pooling as it is shown; `graph` where the graph gives one vector for a text.
    pub fn pooling(&self) -> String {
        self.modules.pools.as_ref().map_or_else(|| "graph".to_owned(), Pools::name)
    }
}

const NO_TOKENIZER: &str = "the model's tokenizer in the form of the tokenizers library; write it with python3 -c \"from \
                            transformers import AutoTokenizer as t; t.from_pretrained('.').save_pretrained('.')\"";

#[cfg(test)]
mod tests;
