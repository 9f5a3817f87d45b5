//! A folder that holds a model in the layout of sentence-transformers: what it says of itself, read once and checked.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::pooling::Pooling;

/// Names of graphs in 8-bit integers, the best known first. They lie in the folder or in `onnx/`.
pub const INT8_GRAPHS: [&str; 3] = ["model_int8.onnx", "model_quantized.onnx", "model_qint8_avx512_vnni.onnx"];
/// Names of graphs in 32-bit floats.
pub const FP32_GRAPHS: [&str; 1] = ["model.onnx"];

/// Which graph of a folder is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The one that suits what runs it: INT8 on a CPU when it is there, else fp32.
    #[default]
    Auto,
    /// 32-bit floats.
    Fp32,
    /// 8-bit integers.
    Int8,
}

impl Variant {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }
}

/// Why a folder cannot be used as a model.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FolderFault {
    /// A file is not there.
    #[error("{file} is not there: {what}")]
    Missing {
        /// Its path.
        file: String,
        /// What it is for, or where to get it.
        what: String,
    },
    /// A file cannot be read as what it should be.
    #[error("{file}: {why}")]
    Bad {
        /// Its path.
        file: String,
        /// What is wrong.
        why: String,
    },
}

/// A model's files and what they say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelFolder {
    /// The folder.
    pub root: PathBuf,
    /// The graph.
    pub graph: PathBuf,
    /// Which one it is: never [`Variant::Auto`].
    pub variant: Variant,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Numbers in a vector.
    pub dimension: usize,
    /// Token ids that the graph knows.
    pub vocabulary: usize,
    /// Tokens of a text that are read, special tokens included.
    pub longest: usize,
    /// How a text's vector comes from those of its tokens.
    pub pooling: Pooling,
    /// Whether the model says that its vectors are one unit long.
    pub normalised: bool,
}

#[derive(Deserialize)]
struct Config {
    hidden_size: usize,
    vocab_size: usize,
    max_position_embeddings: Option<usize>,
    #[serde(default)]
    model_type: String,
}

#[derive(Default, Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file's own fields")]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_lasttoken: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
}

impl ModelFolder {
    /// Reads a folder.
    ///
    /// # Errors
    /// The first file that is missing or says something that cannot be served.
    pub fn open(root: &Path, variant: Variant) -> Result<Self, FolderFault> {
        let config: Config = must(&root.join("config.json"), "it says how large the model is")?;
        let modules: Vec<Module> = may(&root.join("modules.json"))?.unwrap_or_default();
        let (graph, variant) = graph(root, variant)?;
        let tokenizer = root.join("tokenizer.json");
        if !tokenizer.is_file() {
            return Err(missing(&tokenizer, "the model's tokenizer; without it no text can be read"));
        }
        Ok(Self {
            longest: longest(root, &config)?,
            pooling: pooling(root, &modules)?,
            normalised: modules.iter().any(|module| module.kind.ends_with("Normalize")),
            root: root.to_owned(),
            graph,
            variant,
            tokenizer,
            dimension: config.hidden_size,
            vocabulary: config.vocab_size,
        })
    }
}

fn missing(file: &Path, what: &str) -> FolderFault {
    FolderFault::Missing { file: file.display().to_string(), what: what.to_owned() }
}

/// Where graphs lie, the best known names first.
fn graph(root: &Path, variant: Variant) -> Result<(PathBuf, Variant), FolderFault> {
    let find = |names: &[&str]| {
        let places = names.iter().flat_map(|name| [root.join(name), root.join("onnx").join(name)]);
        places.into_iter().find(|path| path.is_file())
    };
    let int8 = || find(&INT8_GRAPHS).map(|path| (path, Variant::Int8));
    let fp32 = || find(&FP32_GRAPHS).map(|path| (path, Variant::Fp32));
    let found = match variant {
        Variant::Auto => int8().or_else(fp32),
        Variant::Int8 => int8(),
        Variant::Fp32 => fp32(),
    };
    found.ok_or_else(|| {
        let name = if variant == Variant::Int8 { INT8_GRAPHS[0] } else { FP32_GRAPHS[0] };
        missing(&root.join(name), "the model's graph (looked for in the folder and in onnx/)")
    })
}

/// Tokens that are read: what sentence-transformers was told, else the tokenizer's word, never more than there are positions.
fn longest(root: &Path, config: &Config) -> Result<usize, FolderFault> {
    #[derive(Default, Deserialize)]
    struct TokenizerConfig {
        model_max_length: Option<f64>,
    }
    // RoBERTa's positions begin behind its padding id.
    let offset = if config.model_type.contains("roberta") { 2 } else { 0 };
    let positions = config.max_position_embeddings.map_or(usize::MAX, |positions| positions.saturating_sub(offset));
    let sentence: SentenceConfig = may(&root.join("sentence_bert_config.json"))?.unwrap_or_default();
    let tokenizer: TokenizerConfig = may(&root.join("tokenizer_config.json"))?.unwrap_or_default();
    let tokenizer = tokenizer.model_max_length.filter(|length| *length >= 1.0 && *length < 1e6);
    let said = sentence.max_seq_length.or(tokenizer.map(|length| length as usize));
    let longest = said.unwrap_or(positions).min(positions);
    if (3..=1_000_000).contains(&longest) {
        return Ok(longest);
    }
    Err(FolderFault::Bad {
        file: root.join("config.json").display().to_string(),
        why: format!(
            "{longest} tokens cannot be the longest text; write max_seq_length into sentence_bert_config.json"
        ),
    })
}

fn pooling(root: &Path, modules: &[Module]) -> Result<Pooling, FolderFault> {
    let named = modules.iter().find(|module| module.kind.ends_with("Pooling")).map(|module| module.path.as_str());
    let file = root.join(named.unwrap_or("1_Pooling")).join("config.json");
    let Some(config) = may::<PoolingConfig>(&file)? else {
        return Err(missing(
            &file,
            "it says how a text's vector comes from those of its tokens; a guess would give wrong vectors",
        ));
    };
    let known = [
        (config.pooling_mode_mean_tokens, Pooling::Mean),
        (config.pooling_mode_cls_token, Pooling::Cls),
        (config.pooling_mode_lasttoken, Pooling::LastToken),
    ];
    let others = config.pooling_mode_max_tokens
        || config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens;
    let mut asked = known.into_iter().filter(|(asked, _)| *asked).map(|(_, pooling)| pooling);
    match (asked.next(), asked.next(), others) {
        (Some(pooling), None, false) => Ok(pooling),
        _ => Err(FolderFault::Bad {
            file: file.display().to_string(),
            why: "exactly one of mean, CLS and last-token pooling can be served".to_owned(),
        }),
    }
}

/// A file that has to be there.
fn must<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, FolderFault> {
    may(file)?.ok_or_else(|| missing(file, what))
}

/// A file that may be there.
fn may<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, FolderFault> {
    let bad = |why: String| FolderFault::Bad { file: file.display().to_string(), why };
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|why| bad(format!("not as expected: {why}"))),
        Err(why) if matches!(why.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(why) => Err(bad(why.to_string())),
    }
}
