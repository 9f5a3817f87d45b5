//! `1_Pooling/config.json`: how a text's vector comes from those of its tokens.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::FolderFault;
use super::read::{bad, may};

/// One way to make a text's vector from those of its tokens, by its name in sentence-transformers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Mean over its tokens, padding left out.
    Mean,
    /// The vector of the first token.
    Cls,
    /// The vector of the last token.
    LastToken,
    /// The largest number at each place.
    Max,
    /// The sum over its tokens, divided by the root of their number.
    MeanSqrtLen,
    /// Mean over its tokens, each weighted by its position, from 1.
    WeightedMean,
}

impl Pooling {
    /// All, in the order in which sentence-transformers concatenates the vectors of older files.
    const ALL: [Self; 6] = [Self::Cls, Self::Max, Self::Mean, Self::MeanSqrtLen, Self::WeightedMean, Self::LastToken];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::LastToken => "last-token",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean-sqrt-len",
            Self::WeightedMean => "weighted-mean",
        }
    }

    /// As sentence-transformers 5.4 and newer write it.
    fn written(self) -> &'static str {
        match self {
            Self::LastToken => "lasttoken",
            Self::MeanSqrtLen => "mean_sqrt_len_tokens",
            Self::WeightedMean => "weightedmean",
            _ => self.name(),
        }
    }
}

/// A pooling that nobody knows, or none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PoolingFault {
    /// A name that is not one.
    #[error("the pooling {name:?} is unknown; there are {}", known())]
    Unknown {
        /// The name.
        name: String,
    },
    /// A list of names without one.
    #[error("pooling_mode is an empty list")]
    Empty,
}

/// The names of all, for a message.
fn known() -> String {
    Pooling::ALL.map(Pooling::name).join(", ")
}

impl FromStr for Pooling {
    type Err = PoolingFault;

    fn from_str(text: &str) -> Result<Self, PoolingFault> {
        let found = Self::ALL.into_iter().find(|mode| text == mode.name() || text == mode.written());
        found.ok_or_else(|| PoolingFault::Unknown { name: text.to_owned() })
    }
}

/// The pooling of a model: the vectors of several ways stand one after another.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Pools {
    /// At least one.
    pub modes: Vec<Pooling>,
    /// Whether the tokens of a prompt count.
    pub include_prompt: bool,
}

impl Pools {
    /// One way, prompts included.
    pub fn one(mode: Pooling) -> Self {
        Self { modes: vec![mode], include_prompt: true }
    }

    /// As it is shown: `mean`, `cls+mean`.
    pub fn name(&self) -> String {
        self.modes.iter().map(|mode| mode.name()).collect::<Vec<_>>().join("+")
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Modes {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct File {
    pooling_mode: Option<Modes>,
    #[serde(alias = "word_embedding_dimension")]
    embedding_dimension: Option<usize>,
    include_prompt: Option<bool>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
}

impl File {
    /// In the order of [`Pooling::ALL`].
    fn flags(&self) -> [bool; 6] {
        [
            self.pooling_mode_cls_token,
            self.pooling_mode_max_tokens,
            self.pooling_mode_mean_tokens,
            self.pooling_mode_mean_sqrt_len_tokens,
            self.pooling_mode_weightedmean_tokens,
            self.pooling_mode_lasttoken,
        ]
    }

    fn modes(&self) -> Result<Vec<Pooling>, PoolingFault> {
        match &self.pooling_mode {
            Some(Modes::One(name)) => Ok(vec![name.parse()?]),
            Some(Modes::Several(names)) if !names.is_empty() => names.iter().map(|name| name.parse()).collect(),
            Some(Modes::Several(_)) => Err(PoolingFault::Empty),
            None => {
                let asked = Pooling::ALL.into_iter().zip(self.flags()).filter(|(_, asked)| *asked);
                let modes: Vec<_> = asked.map(|(mode, _)| mode).collect();
                // As sentence-transformers reads a file that names none.
                Ok(if modes.is_empty() { vec![Pooling::Mean] } else { modes })
            }
        }
    }
}

/// The pooling that a file says, and the width of a token's vector when it says one; nothing when it is not there.
pub(super) fn read(file: &Path) -> Result<Option<(Pools, Option<usize>)>, FolderFault> {
    let Some(read) = may::<File>(file)? else { return Ok(None) };
    let modes = read.modes().map_err(|why| bad(file, why))?;
    let pools = Pools { modes, include_prompt: read.include_prompt.unwrap_or(true) };
    Ok(Some((pools, read.embedding_dimension)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, text).unwrap();
        read(&file).map(|read| read.unwrap().0.name()).map_err(|why| why.to_string())
    }

    #[test]
    fn both_ways_of_writing_are_read() {
        for (text, wanted) in [
            (r#"{"pooling_mode": "mean"}"#, "mean"),
            (r#"{"pooling_mode": ["lasttoken", "cls"]}"#, "last-token+cls"),
            (r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#, "cls+mean"),
            (r#"{"pooling_mode_weightedmean_tokens": true}"#, "weighted-mean"),
            ("{}", "mean"),
        ] {
            assert_eq!(name(text).as_deref(), Ok(wanted), "{text}");
        }
        assert!(name(r#"{"pooling_mode": "sum"}"#).unwrap_err().contains("weighted-mean"));
        assert!(name(r#"{"pooling_mode": []}"#).is_err());
        assert_eq!(read(Path::new("/nonexistent")).unwrap(), None);
        assert_eq!("sum".parse::<Pooling>(), Err(PoolingFault::Unknown { name: "sum".to_owned() }));
    }
}
