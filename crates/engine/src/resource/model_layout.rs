//! How a model is in a bucket: files under the hash of their content, a manifest for each version, and a pointer to the
//! current one. `docs/model-layout.md` describes it; `deploy` and `models publish` write it, everything else reads it.
//!
//! ```text
//!  NAME/SHA256/PATH               a file: never changes
//!  NAME/manifests/SHA256.json     the files of a version: never changes
//!  NAME/current.json              the pointer: names a manifest, and is written last
//! ```

use serde::{Deserialize, Serialize};

use super::sha256_hex;

/// The format of pointers and manifests. A newer one is refused by readers.
pub const FORMAT: u32 = 2;
/// In front of the names of models in a bucket that `deploy` fills.
pub const PREFIX: &str = "models";
/// The folder of the manifests, below the model's name.
pub const MANIFESTS: &str = "manifests";
/// The pointer of a model, below its name.
pub const POINTER: &str = "current.json";
/// The pointer that `deploy` wrote before format 2. It is still read.
pub const FORMER_POINTER: &str = "latest.json";
/// `Cache-Control` of files and manifests: their keys never change their content.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// `Cache-Control` of the pointer.
pub const POINTER_CACHE: &str = "public, max-age=60";
/// Metadata of the pointer object: the versions that are kept, the current one first, with spaces between them.
pub const VERSIONS: &str = "akidb-versions";
/// Metadata of the pointer object: how many versions before the current one are kept.
pub const KEEP: &str = "akidb-keep";
/// What the address of a pointer ends with, behind the model's name in the plan.
pub const CURRENT: &str = "current";
/// What is in the address of a manifest between the model's name in the plan and the version.
pub const MANIFEST: &str = "manifest-";
/// Versions before the current one that are kept, unless a plan says otherwise.
pub const KEPT: u32 = 1;
/// The most versions that may be kept: their names are in the metadata of an object, which has 2 KB.
pub const MOST_KEPT: u32 = 20;

/// Hexadecimal digits of a version.
const DIGITS: usize = 16;
/// The longest name of a model, in bytes.
const LONGEST_NAME: usize = 96;
/// The longest path of a file, in bytes.
const LONGEST_PATH: usize = 500;

/// A file of a version, or the manifest that a pointer names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionFile {
    /// Its path in the model's folder; of a manifest, its key below the model's name.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// `NAME/manifests/SHA256.json`: one version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionManifest {
    /// The format of the document.
    pub format: u32,
    /// The model's name.
    pub model: String,
    /// What the version is called: follows from its files.
    pub version: String,
    /// Its files, by path.
    pub files: Vec<VersionFile>,
}

/// `NAME/current.json`: which version is the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPointer {
    /// The format of the document.
    pub format: u32,
    /// The model's name.
    pub model: String,
    /// The current version.
    pub version: String,
    /// Its manifest.
    pub manifest: VersionFile,
}

impl VersionManifest {
    /// The manifest of these files, with the version that follows from them.
    pub fn new(model: &str, mut files: Vec<VersionFile>) -> Self {
        files.sort();
        Self { format: FORMAT, model: model.to_owned(), version: version_of(&files), files }
    }

    /// Its bytes: the same for the same files.
    pub fn bytes(&self) -> Vec<u8> {
        document(self)
    }

    /// Its key below the model's name: under the hash of its bytes.
    pub fn key(&self) -> String {
        format!("{MANIFESTS}/{}.json", sha256_hex(&self.bytes()))
    }

    /// The pointer that makes it the current version.
    pub fn pointer(&self) -> VersionPointer {
        let bytes = self.bytes();
        let manifest = VersionFile { path: self.key(), size: bytes.len() as u64, sha256: sha256_hex(&bytes) };
        VersionPointer { format: FORMAT, model: self.model.clone(), version: self.version.clone(), manifest }
    }
}

impl VersionPointer {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        document(self)
    }
}

impl VersionFile {
    /// The key of a file below the model's name.
    pub fn key(&self) -> String {
        format!("{}/{}", self.sha256, self.path)
    }
}

/// What the version with these files is called: the beginning of a SHA-256 over their paths, sizes and hashes.
pub fn version_of(files: &[VersionFile]) -> String {
    let mut files: Vec<&VersionFile> = files.iter().collect();
    files.sort();
    let lines: String = files.iter().map(|file| format!("{}\n{}\n{}\n", file.path, file.size, file.sha256)).collect();
    let mut hash = sha256_hex(lines.as_bytes());
    hash.truncate(DIGITS);
    hash
}

/// Whether a text can be the name of a model: letters, digits, `.`, `_` and `-`, a letter or digit first.
pub fn is_model_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.len() <= LONGEST_NAME && text.chars().all(fits) && !text.contains("..")
}

/// Whether a text can be the path of a file of a model: names with `/` between them, none of which is hidden or leads up.
pub fn is_file_path(text: &str) -> bool {
    let fits = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
    text.len() <= LONGEST_PATH && text.split('/').all(fits)
}

fn document<T: Serialize>(value: &T) -> Vec<u8> {
    // Plain data with keys of text can always be written.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> VersionFile {
        VersionFile { path: path.to_owned(), size: content.len() as u64, sha256: sha256_hex(content.as_bytes()) }
    }

    #[test]
    fn a_version_follows_from_its_files_alone() {
        let (config, graph) = (file("config.json", "{}"), file("onnx/model.onnx", "graph"));
        let one = VersionManifest::new("m", vec![graph.clone(), config.clone()]);
        assert_eq!(
            one,
            VersionManifest::new("m", vec![config.clone(), graph]),
            "the order of the files does not count"
        );
        assert_eq!(one.version.len(), DIGITS);
        let other = VersionManifest::new("m", vec![config, file("onnx/model.onnx", "Graph")]);
        assert_ne!(one.version, other.version);
        assert_eq!(one.files[1].key(), format!("{}/onnx/model.onnx", sha256_hex(b"graph")));
    }

    #[test]
    fn the_pointer_names_the_manifest_by_its_hash() {
        let manifest = VersionManifest::new("m", vec![file("config.json", "{}")]);
        let pointer = manifest.pointer();
        assert_eq!(pointer.manifest.path, format!("manifests/{}.json", sha256_hex(&manifest.bytes())));
        assert_eq!(pointer.manifest.sha256, sha256_hex(&manifest.bytes()));
        let read: VersionPointer = serde_json::from_slice(&pointer.bytes()).expect("a pointer");
        assert_eq!(read, pointer);
    }

    #[test]
    fn names_and_paths_are_plain() {
        for good in ["all-MiniLM-L6-v2", "a", "Model_1.5"] {
            assert!(is_model_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a..b", "-a", "a/b", "a b", "é"] {
            assert!(!is_model_name(bad), "{bad:?}");
        }
        assert!(is_file_path("1_Pooling/config.json") && is_file_path("model.onnx"));
        for bad in ["", "/a", "a//b", "../a", ".hidden", "a/.b", "a\\b"] {
            assert!(!is_file_path(bad), "{bad:?}");
        }
    }
}
