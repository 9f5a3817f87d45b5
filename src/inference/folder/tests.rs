//! Folders as people have them.

use super::*;

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 8, "vocab_size": 100, "max_position_embeddings": 64}"#;

/// A folder with these files; graph and tokenizer are there.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plain = [("model.onnx", ""), ("tokenizer.json", "{}"), ("config.json", CONFIG)];
    for (name, text) in plain.iter().chain(files) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn open(files: &[(&str, &str)]) -> Result<ModelFolder, String> {
    let folder = folder(files);
    let shown = folder.path().display().to_string();
    ModelFolder::open(folder.path(), &ModelOptions::default()).map_err(|why| why.to_string().replace(&shown, ""))
}

fn longest(files: &[(&str, &str)]) -> usize {
    open(files).unwrap().longest
}

#[test]
fn sizes_have_other_names_in_other_families() {
    for (config, width) in [
        (r#"{"model_type": "distilbert", "dim": 24, "vocab_size": 9}"#, 24),
        (r#"{"model_type": "nomic_bert", "n_embd": 16, "n_positions": 8192}"#, 16),
        (r#"{"model_type": "t5", "d_model": 12, "n_positions": 64}"#, 12),
        (r#"{"model_type": "gemma3", "text_config": {"hidden_size": 20}}"#, 20),
    ] {
        assert_eq!(open(&[("config.json", config)]).unwrap().width, width, "{config}");
    }
    let why = open(&[("config.json", r#"{"model_type": "x"}"#)]).unwrap_err();
    assert!(why.contains("hidden_size"), "{why}");
    let pooling = ("1_Pooling/config.json", r#"{"word_embedding_dimension": 32, "pooling_mode_cls_token": true}"#);
    assert_eq!(open(&[("config.json", "{}"), pooling]).unwrap().width, 32);
}

#[test]
fn the_longest_text_is_as_sentence_transformers_has_it() {
    let bert = r#"{"max_seq_length": 32, "do_lower_case": true}"#;
    for name in SENTENCE_FILES {
        let opened = open(&[(name, bert)]).unwrap();
        assert_eq!((opened.longest, opened.spelling.lower_case), (32, true), "{name}");
    }
    assert_eq!(longest(&[]), 64);
    assert_eq!(longest(&[("sentence_bert_config.json", r#"{"max_seq_length": null}"#)]), 64);
    assert_eq!(longest(&[("sentence_bert_config.json", "{}"), ("sentence_roberta_config.json", bert)]), 32);
    assert_eq!(longest(&[("tokenizer_config.json", r#"{"model_max_length": 40}"#)]), 40);
    assert_eq!(longest(&[("tokenizer_config.json", r#"{"model_max_length": 1e30}"#)]), 64);
    assert_eq!(longest(&[("sentence_bert_config.json", r#"{"processor_kwargs": {"model_max_length": 20}}"#)]), 20);
    for family in ["roberta", "xlm-roberta", "camembert", "mpnet"] {
        let config = format!(
            r#"{{"model_type": "{family}", "hidden_size": 8, "max_position_embeddings": 514, "pad_token_id": 1}}"#
        );
        let tokenizer = ("tokenizer_config.json", r#"{"model_max_length": 514}"#);
        assert_eq!(longest(&[("config.json", &config), tokenizer]), 512, "{family}");
    }
    assert_eq!(longest(&[("config.json", r#"{"model_type": "t5", "d_model": 8, "n_positions": 20}"#)]), 512);
}

const TRANSFORMER: &str = r#"{"path": "", "type": "sentence_transformers.models.Transformer"}"#;
const POOLING: &str = r#"{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}"#;

fn modules(rest: &str) -> String {
    format!("[{TRANSFORMER}, {POOLING}{rest}]")
}

const MEAN: (&str, &str) = ("1_Pooling/config.json", r#"{"pooling_mode": "mean", "embedding_dimension": 8}"#);

#[test]
fn modules_are_read_in_their_order() {
    let dense = r#"{"in_features": 8, "out_features": 4, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh"}"#;
    let list = modules(
        r#", {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}, {"path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}"#,
    );
    let files = [("modules.json", list.as_str()), MEAN, ("2_Dense/config.json", dense)];
    let why = open(&files).unwrap_err();
    assert!(why.contains("2_Dense/model.safetensors is missing"), "{why}");
    let why = open(&[&files[..], &[("2_Dense/pytorch_model.bin", "")]].concat()).unwrap_err();
    assert!(why.contains("pickle") && why.contains("safetensors.torch"), "{why}");
    let opened = open(&[&files[..], &[("2_Dense/model.safetensors", "")]].concat()).unwrap();
    assert_eq!((opened.width, opened.dimension, opened.modules.normalized), (8, 4, true));
    let other = dense.replace("\"in_features\": 8", "\"in_features\": 9");
    let wrong =
        [("modules.json", list.as_str()), MEAN, ("2_Dense/config.json", &other), ("2_Dense/model.safetensors", "")];
    assert!(open(&wrong).unwrap_err().contains("expects 9 dimensions"));
}

#[test]
fn what_is_not_applied_is_named() {
    for (kind, path) in [
        ("sentence_transformers.models.CNN", "2_CNN"),
        ("sentence_transformers.base.modules.router.Router", ""),
        ("custom.Thing", "2_T"),
    ] {
        let list = modules(&format!(r#", {{"path": "{path}", "type": "{kind}"}}"#));
        let opened = open(&[("modules.json", &list), MEAN]).unwrap();
        let why = opened.modules.unserved.unwrap();
        assert!(why.contains(kind), "{why}");
    }
    let list = r#"[{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]"#;
    let folder = folder(&[("modules.json", list)]);
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    let why = ModelFolder::open(folder.path(), &ModelOptions::default()).unwrap_err().to_string();
    assert!(why.contains("StaticEmbedding"), "{why}");
    let list = modules(r#", {"path": "../other", "type": "sentence_transformers.models.Normalize"}"#);
    assert!(open(&[("modules.json", &list), MEAN]).unwrap_err().contains("outside"));
}

#[test]
fn a_pooling_that_no_file_says_can_be_said() {
    let folder = folder(&[]);
    let said = |pooling| {
        let choice = ModelOptions { pooling, ..ModelOptions::default() };
        ModelFolder::open(folder.path(), &choice).unwrap().pooling()
    };
    assert_eq!(said(None), "graph");
    assert_eq!(said(Some(Pooling::Cls)), "cls");
    assert_eq!(open(&[MEAN]).unwrap().pooling(), "mean");
}

#[test]
fn the_version_covers_all_that_changes_a_vector() {
    let base = [("modules.json", modules("")), (MEAN.0, MEAN.1.to_owned())];
    let version = |change: &[(&str, &str)]| {
        let base: Vec<_> = base.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let folder = folder(&[&base[..], change].concat());
        let opened = ModelFolder::open(folder.path(), &ModelOptions::default()).unwrap();
        opened.version(Arithmetic::Exact).unwrap()
    };
    let plain = version(&[]);
    let normalize = modules(r#", {"path": "2_N", "type": "sentence_transformers.models.Normalize"}"#);
    // `graph` with one initializer whose data lies in `data`.
    let graph = "\x3a\x14\x2a\x12\x6a\x10\x0a\x08location\x12\x04data";
    let external = [("model.onnx", graph), ("data", "one")];
    let changes: [&[(&str, &str)]; 8] = [
        &[("model.onnx", "\x08\x01")],
        &external,
        &[("model.onnx", graph), ("data", "two")],
        &[("tokenizer.json", "{ }")],
        &[("1_Pooling/config.json", r#"{"pooling_mode": "cls"}"#)],
        &[("sentence_bert_config.json", r#"{"max_seq_length": 32}"#)],
        &[("config_sentence_transformers.json", r#"{"prompts": {"query": "q"}}"#)],
        &[("modules.json", &normalize)],
    ];
    let mut all: Vec<String> = changes.iter().map(|change| version(change)).collect();
    all.push(plain.clone());
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "each change gives another version");
    assert_eq!(version(&[("README.md", "other"), ("config_sentence_transformers.json", "{}")]), plain);
}
