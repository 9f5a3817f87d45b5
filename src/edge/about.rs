//! `model.json`: what a package of the function at the edge holds, by hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resource::sha256_hex;

/// The form of the document; `templates/lambda/gateway/inference.mjs` reads no other.
pub const SCHEMA: &str = "akidb-edge/edge-package/v1";
/// Its name in the package.
pub const NAME: &str = "model.json";
/// The graph's key in [`About::files`].
pub const GRAPH: &str = "graph";
/// The key of what the tokenizer needs.
pub const TOKENS: &str = "tokens";
/// The key of the static tier's table.
pub const STATIC: &str = "static";

/// A file of the model in the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it lies in the package.
    pub path: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// What the package holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model's name, which requests may give.
    pub model: String,
    /// Numbers of a vector.
    pub dimension: usize,
    /// What answers for the tier `full`: a hash of graph and tokens.
    pub version: String,
    /// What answers for the tier `static`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_version: Option<String>,
    /// The files, by what they are.
    pub files: BTreeMap<String, ModelFile>,
}

impl About {
    /// A description of these files.
    pub fn new(model: &str, dimension: usize, files: BTreeMap<String, ModelFile>) -> Self {
        let with_tokens = |key: &str| Some(version(&files.get(key)?.sha256, &files.get(TOKENS)?.sha256));
        let version = with_tokens(GRAPH).unwrap_or_default();
        let static_version = with_tokens(STATIC);
        Self { schema: SCHEMA.to_owned(), model: model.to_owned(), dimension, version, static_version, files }
    }

    /// The hash of a file, by what it is.
    pub fn hash(&self, key: &str) -> Option<&str> {
        self.files.get(key).map(|file| file.sha256.as_str())
    }
}

/// The version of what a file and a tokenizer answer together.
fn version(file: &str, tokens: &str) -> String {
    sha256_hex(format!("{file} {tokens}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha256: &str) -> ModelFile {
        ModelFile { path: format!("model/{sha256}"), sha256: sha256.to_owned(), bytes: 1 }
    }

    #[test]
    fn the_version_is_that_of_graph_and_tokens_alone() {
        let of = |graph: &str, table: Option<&str>| {
            let mut files = BTreeMap::from([(GRAPH.to_owned(), file(graph)), (TOKENS.to_owned(), file("t"))]);
            files.extend(table.map(|table| (STATIC.to_owned(), file(table))));
            About::new("m", 4, files)
        };
        let plain = of("g", None);
        assert_eq!(plain.static_version, None);
        assert_eq!(plain.version.len(), 64);
        assert_eq!(of("g", Some("s")).version, plain.version);
        assert_ne!(of("h", None).version, plain.version);
        assert_ne!(of("g", Some("s")).static_version, of("g", Some("other")).static_version);
        let text = serde_json::to_string(&plain).expect("plain data");
        assert_eq!(serde_json::from_str::<About>(&text).expect("the same"), plain);
    }
}
