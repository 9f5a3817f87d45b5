//! Copies of the models of the fixtures, which a case may write into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use akidb_edge::inference::folder::{ModelFolder, Variant};
use serde_json::Value;

/// The models whose files are damaged: each kind of tokenizer, of graph, of modules.
pub const SEEDS: [&str; 22] = [
    "tiny",
    "tiny-cls",
    "arch-albert",
    "arch-bert-dense",
    "arch-camembert",
    "arch-two-dense",
    "arch-external-data",
    "arch-fp16",
    "arch-gemma3",
    "arch-int32",
    "arch-layer-norm",
    "arch-lowercase",
    "arch-modernbert",
    "arch-nomic",
    "arch-pool-cls-mean",
    "arch-prompts-weighted",
    "arch-qint8",
    "arch-qwen3-past",
    "arch-residual",
    "arch-roberta",
    "arch-t5-dense",
    "arch-truncate-left",
];

/// A copy of a model that a case may write into.
pub struct Copy {
    pub root: PathBuf,
    /// Each file by its path in the folder.
    pub files: BTreeMap<String, Vec<u8>>,
    pub folder: ModelFolder,
    pub tokenizer: Value,
}

pub fn copy(from: &Path, to: &Path) -> Copy {
    let mut files = BTreeMap::new();
    read_all(from, "", &mut files);
    for (name, bytes) in &files {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(path, bytes).expect("it can be written");
    }
    let folder = ModelFolder::open(to, &Variant::Auto.into()).expect("a model of the fixtures");
    let tokenizer = serde_json::from_slice(&files["tokenizer.json"]).expect("JSON");
    Copy { root: to.to_owned(), files, folder, tokenizer }
}

fn read_all(folder: &Path, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the fixtures").flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read_all(&entry.path(), &format!("{name}/"), into);
        } else if name != "expected.json" {
            into.insert(name, std::fs::read(entry.path()).expect("a file of the fixtures"));
        }
    }
}
