//! `model.json`: what a package of the function at the edge holds, by hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resource::sha256_hex;

/// The form of the document; `templates/lambda/gateway/inference.mjs` reads no other.
pub const SCHEMA: &str = "akidb-edge/edge-package/v1";
/// Its name in the package.
pub const NAME: &str = "model.json";
/// The graph's key in [`PackageInfo::files`].
pub const GRAPH: &str = "graph";
/// The key of what the tokenizer needs.
pub const TOKENS: &str = "tokens";
/// The key of the static tier's table.
pub const STATIC: &str = "static";
/// The key of ONNX Runtime's library: another version of it may round otherwise.
pub const RUNTIME: &str = "runtime";

/// A file of the model in the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it lies in the package.
    pub path: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// CRC-32, which the function checks when it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<u32>,
    /// Its size.
    pub bytes: u64,
}

impl ModelFile {
    /// A file of the package.
    pub fn new(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), sha256: sha256_hex(bytes), crc32: Some(crc32(bytes)), bytes: bytes.len() as u64 }
    }
}

/// CRC-32 as zip, gzip and Node.js compute it.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let table: Vec<u32> = (0..256)
        .map(|byte| (0..8).fold(byte, |sum, _| if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 }))
        .collect();
    !bytes.iter().fold(u32::MAX, |sum, byte| (sum >> 8) ^ table[usize::from(sum.to_le_bytes()[0] ^ byte)])
}

/// What the package holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageInfo {
    /// [`SCHEMA`].
    pub schema: String,
    /// The model's name, which requests may give.
    pub model: String,
    /// Numbers of a vector.
    pub dimension: usize,
    /// What answers for the tier `full`: a hash of graph, tokens and runtime.
    pub version: String,
    /// What answers for the tier `static`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_version: Option<String>,
    /// The files, by what they are.
    pub files: BTreeMap<String, ModelFile>,
}

impl PackageInfo {
    /// A description of these files.
    pub fn new(model: &str, dimension: usize, files: BTreeMap<String, ModelFile>) -> Self {
        let whole = version(&files, &[GRAPH, TOKENS, RUNTIME]).unwrap_or_default();
        let static_version = version(&files, &[STATIC, TOKENS]);
        Self { schema: SCHEMA.to_owned(), model: model.to_owned(), dimension, version: whole, static_version, files }
    }

    /// The hash of a file, by what it is.
    pub fn hash(&self, key: &str) -> Option<&str> {
        self.files.get(key).map(|file| file.sha256.as_str())
    }
}

/// The version of what some files answer together; none where one of them is not there.
fn version(files: &BTreeMap<String, ModelFile>, keys: &[&str]) -> Option<String> {
    let hashes = keys.iter().map(|key| Some(files.get(*key)?.sha256.as_str())).collect::<Option<Vec<&str>>>()?;
    Some(sha256_hex(hashes.join(" ").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha256: &str) -> ModelFile {
        ModelFile { path: format!("model/{sha256}"), sha256: sha256.to_owned(), crc32: None, bytes: 1 }
    }

    #[test]
    fn a_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_version_is_that_of_what_makes_a_vector_alone() {
        let of = |graph: &str, table: Option<&str>| {
            let own = [(GRAPH, graph), (TOKENS, "t"), (RUNTIME, "r")];
            let mut files: BTreeMap<String, ModelFile> =
                own.into_iter().map(|(key, hash)| (key.to_owned(), file(hash))).collect();
            files.extend(table.map(|table| (STATIC.to_owned(), file(table))));
            PackageInfo::new("m", 4, files)
        };
        let plain = of("g", None);
        assert_eq!(plain.static_version, None);
        assert_eq!(plain.version.len(), 64);
        assert_eq!(of("g", Some("s")).version, plain.version);
        assert_ne!(of("h", None).version, plain.version);
        assert_ne!(of("g", Some("s")).static_version, of("g", Some("other")).static_version);
        let text = serde_json::to_string(&plain).expect("plain data");
        assert_eq!(serde_json::from_str::<PackageInfo>(&text).expect("the same"), plain);
    }
}
