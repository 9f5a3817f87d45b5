//! Selects the files of a repository or folder that a server needs.

use std::collections::BTreeSet;

use crate::inference::folder::{FP32_GRAPHS, INT8_GRAPHS, SENTENCE_FILES, Variant};

/// What a model says of itself, its tokenizer in the forms that are in use.
const SMALL: &[&str] = &[
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
];

/// Without these no text becomes a vector.
const NEEDED: &[(&str, &str)] = &[
    ("config.json", "it defines the size of the model"),
    ("tokenizer.json", "a tokenizer in the form of the tokenizers library"),
];

/// The files of a model, or why there is no model among them.
///
/// # Errors
/// What is missing.
pub fn choose<'f>(all: &BTreeSet<&'f str>, variants: &[Variant]) -> Result<BTreeSet<&'f str>, MissingPart> {
    for (name, what) in NEEDED {
        if !all.contains(name) {
            return Err(MissingPart::File(format!("{name} is missing ({what})")));
        }
    }
    let mut chosen: BTreeSet<&str> = all.iter().copied().filter(|path| is_small(path)).collect();
    // Without modules.json it may be said when the model is served.
    if all.contains("modules.json") && !chosen.iter().any(|path| path.ends_with("Pooling/config.json")) {
        let why = "1_Pooling/config.json is missing (it defines the pooling; a guess would give wrong vectors)";
        return Err(MissingPart::File(why.to_owned()));
    }
    for variant in variants {
        let Some(graph) = graph(all, *variant) else {
            return Err(MissingPart::Graph { variant: *variant, there: graphs(all) });
        };
        chosen.extend(all.iter().copied().filter(|path| belongs(path, graph)));
    }
    Ok(chosen)
}

/// What a repository or a folder lacks.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum MissingPart {
    /// A file.
    #[error("{0}")]
    File(String),
    /// A graph of a variant; others may be there.
    #[error("it has no {} graph", variant.name())]
    Graph {
        /// The one that was asked for.
        variant: Variant,
        /// The names of those that are there.
        there: Vec<String>,
    },
}

/// The graph of a variant: in the order in which the server looks for it.
pub fn graph<'f>(all: &BTreeSet<&'f str>, variant: Variant) -> Option<&'f str> {
    let names: &[&str] = if variant == Variant::Int8 { &INT8_GRAPHS } else { &FP32_GRAPHS };
    let places = names.iter().flat_map(|name| [(*name).to_owned(), format!("onnx/{name}")]);
    places.into_iter().find_map(|place| all.get(place.as_str()).copied())
}

/// Whether a file changes what is served.
pub fn matters(path: &str) -> bool {
    let graph = |name: &&str| belongs(path, name) || belongs(path, &format!("onnx/{name}"));
    is_small(path) || INT8_GRAPHS.iter().chain(&FP32_GRAPHS).any(graph)
}

/// Graphs of all kinds, for a message.
fn graphs(all: &BTreeSet<&str>) -> Vec<String> {
    all.iter().filter(|path| path.ends_with(".onnx")).map(|path| (*path).to_owned()).collect()
}

fn is_small(path: &str) -> bool {
    SMALL.contains(&path) || SENTENCE_FILES.contains(&path) || is_of_module(path)
}

/// A file of a module that `modules.json` names: `1_Pooling/config.json`, `2_Dense/model.safetensors`.
fn is_of_module(path: &str) -> bool {
    let Some((folder, file)) = path.split_once('/') else { return false };
    let numbered = folder
        .split_once('_')
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()));
    numbered && ["config.json", "model.safetensors"].contains(&file)
}

/// The graph itself, or weights that are beside it: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`.
fn belongs(path: &str, graph: &str) -> bool {
    let Some(rest) = path.strip_prefix(graph) else { return false };
    rest.is_empty() || ((rest.starts_with("_data") || rest.starts_with(".data")) && !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPO: &[&str] = &[
        ".gitattributes",
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "model.safetensors",
        "modules.json",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model_O4.onnx",
        "onnx/model_qint8_avx512_vnni.onnx",
        "pytorch_model.bin",
        "sentence_bert_config.json",
        "tokenizer.json",
        "vocab.txt",
    ];

    #[test]
    fn what_a_server_needs_and_nothing_else() {
        let all: BTreeSet<&str> = REPO.iter().copied().collect();
        let chosen = choose(&all, &[Variant::Fp32]).expect("a model");
        let chosen: Vec<_> = chosen.into_iter().collect();
        insta::assert_snapshot!(chosen.join("\n"), @"
        1_Pooling/config.json
        config.json
        modules.json
        onnx/model.onnx
        onnx/model.onnx_data
        sentence_bert_config.json
        tokenizer.json
        vocab.txt
        ");
        let both = choose(&all, &[Variant::Fp32, Variant::Int8]).expect("a model");
        assert!(both.contains("onnx/model.onnx") && both.contains("onnx/model_qint8_avx512_vnni.onnx"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut all: BTreeSet<&str> = REPO.iter().copied().collect();
        all.remove("onnx/model_qint8_avx512_vnni.onnx");
        let there = vec!["onnx/model.onnx".to_owned(), "onnx/model_O4.onnx".to_owned()];
        assert_eq!(choose(&all, &[Variant::Int8]), Err(MissingPart::Graph { variant: Variant::Int8, there }));
        all.remove("tokenizer.json");
        assert!(matches!(choose(&all, &[Variant::Fp32]), Err(MissingPart::File(_))));
    }

    #[test]
    fn only_what_is_served_matters() {
        for path in [
            "model_int8.onnx",
            "onnx/model.onnx_data",
            "config.json",
            "2_Pooling/config.json",
            "2_Dense/model.safetensors",
            "sentence_roberta_config.json",
        ] {
            assert!(matters(path), "{path}");
        }
        for path in ["README.md", "x/1_Pooling/config.json", "model.onnx_data/x", "akidb-model.json", "model.onnx.bak"]
        {
            assert!(!matters(path), "{path}");
        }
    }
}
