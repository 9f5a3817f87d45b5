//! `config_sentence_transformers.json`: what goes before a text, and how much of a vector is kept.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FolderFault;
use super::read::{bad, may};

/// The file.
pub const FILE: &str = "config_sentence_transformers.json";
/// Names that every model has since sentence-transformers 5; without a text of their own they add nothing.
const ALWAYS: [&str; 2] = ["query", "document"];

/// What a model wants of every request that does not say otherwise.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Prompts {
    /// By name.
    named: BTreeMap<String, String>,
    /// The one for requests that name none.
    default: Option<String>,
    /// Numbers of a vector that are kept, for requests that say nothing.
    pub dimensions: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    model_type: Option<String>,
    prompts: Option<BTreeMap<String, Option<String>>>,
    default_prompt_name: Option<String>,
    truncate_dim: Option<usize>,
}

impl Prompts {
    /// Reads the file; no prompts when it is not there.
    pub(super) fn read(root: &Path) -> Result<Self, FolderFault> {
        let path = root.join(FILE);
        let file: File = may(&path)?.unwrap_or_default();
        if let Some(other) = file.model_type.filter(|kind| kind != "SentenceTransformer") {
            return Err(bad(&path, format!("it is a {other}; only a SentenceTransformer is supported")));
        }
        let named: BTreeMap<_, _> =
            file.prompts.unwrap_or_default().into_iter().map(|(name, text)| (name, text.unwrap_or_default())).collect();
        let dimensions = file.truncate_dim.filter(|numbers| *numbers > 0);
        let prompts = Self { named, default: file.default_prompt_name, dimensions };
        match &prompts.default {
            Some(name) if prompts.of(Some(name)).is_none() => {
                let why = format!("default_prompt_name is {name:?}, but prompts has no such entry");
                Err(bad(&path, why))
            }
            _ => Ok(prompts),
        }
    }

    /// The text of the prompt with this name, or of the default prompt; `None` when the name is unknown.
    pub fn of(&self, name: Option<&str>) -> Option<&str> {
        let Some(name) = name.or(self.default.as_deref()) else { return Some("") };
        let text = self.named.get(name).map(String::as_str);
        text.or_else(|| ALWAYS.contains(&name).then_some(""))
    }

    /// The names of those that have a text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// The name of the prompt for requests that name none.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Texts of all prompts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.named.values().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Prompts, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Prompts::read(folder.path()).map_err(|why| why.to_string())
    }

    #[test]
    fn as_sentence_transformers_chooses_them() {
        let prompts =
            read(r#"{"prompts": {"query": "Q: ", "passage": null}, "default_prompt_name": "query"}"#).unwrap();
        assert_eq!(prompts.of(None), Some("Q: "));
        assert_eq!(prompts.of(Some("passage")), Some(""));
        assert_eq!(prompts.of(Some("document")), Some(""), "there since version 5");
        assert_eq!(prompts.of(Some("other")), None);
        assert_eq!(read(r#"{"prompts": null}"#).unwrap().of(None), Some(""));
        assert_eq!(Prompts::read(Path::new("/nonexistent")).unwrap(), Prompts::default());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(read(r#"{"default_prompt_name": "x"}"#).unwrap_err().contains("\"x\""));
        assert!(read(r#"{"model_type": "SparseEncoder"}"#).unwrap_err().contains("SparseEncoder"));
        assert!(read("[").unwrap_err().contains("not as expected"));
    }
}
