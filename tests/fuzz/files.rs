//! Files of models, damaged, and read as the server reads them. Runs in a child process: see `child`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akidb_edge::inference::canary::Question;
use akidb_edge::inference::engine::{Engine, Settings};
use akidb_edge::inference::event::Silence;
use akidb_edge::inference::folder::{Arithmetic, ModelFolder, Variant};
use akidb_edge::inference::graph_file;
use akidb_edge::inference::head::Head;
use akidb_edge::inference::onnx::provider::Device;
use akidb_edge::inference::onnx::{self, Runtime, Start};
use akidb_edge::inference::queue::Bounds;
use akidb_edge::inference::tokenize::{Side, TextTokenizer};
use akidb_edge::models::check;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::dice::Dice;
use super::{json, proto};
use crate::support::serve::{fixtures, onnxruntime};

/// How a case ended, beside the end of the process: it worked, it was refused, it panicked.
pub enum Ended {
    Good,
    Refused,
    Panicked,
}

/// Where panics were, and how often.
pub static PANICS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// From now on panics are counted by their place.
pub fn count_panics() {
    std::panic::set_hook(Box::new(|about| {
        let place = about.location().map(ToString::to_string).unwrap_or_default();
        // The folder of a library differs from machine to machine.
        let place = place.rsplit_once("/src/").map_or(place.clone(), |(before, after)| {
            format!("{}/src/{after}", before.rsplit('/').next().unwrap_or_default())
        });
        *PANICS.lock().expect("a count").entry(place).or_default() += 1;
    }));
}

/// Runs a case; a panic is one of its ends.
pub fn ended(run: impl FnOnce() -> Result<(), String>) -> Ended {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => Ended::Good,
        Ok(Err(_)) => Ended::Refused,
        Err(_) => Ended::Panicked,
    }
}

/// The models whose files are damaged: each kind of tokenizer, of graph, of modules.
const SEEDS: [&str; 22] = [
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
struct Copy {
    root: PathBuf,
    /// Each file by its path in the folder.
    files: BTreeMap<String, Vec<u8>>,
    folder: ModelFolder,
    tokenizer: Value,
}

/// What all cases of a process share.
pub struct Files {
    copies: Vec<Copy>,
    pool: Vec<Value>,
    runtime: Option<Runtime>,
    _place: TempDir,
}

impl Files {
    pub fn new() -> Self {
        let place = tempfile::tempdir().expect("a place for models");
        let copies = SEEDS.iter().map(|name| copy(&fixtures().join(name), &place.path().join(name))).collect();
        Self { copies, pool: pool(), runtime: None, _place: place }
    }

    /// A damaged `tokenizer.json`: read, and asked for the tokens of odd texts.
    pub fn tokenizer(&self, dice: &mut Dice) -> Ended {
        let copy = dice.one(&self.copies);
        let bytes = if dice.once_in(6) {
            let mut bytes = copy.files["tokenizer.json"].clone();
            dice.damage(&mut bytes);
            bytes
        } else {
            let mut whole = copy.tokenizer.clone();
            for _ in 0..=dice.below(2) {
                let key = *dice.one(&["model", "normalizer", "pre_tokenizer", "post_processor", "decoder"]);
                let part = dice.one(&self.pool);
                match whole.get_mut(key) {
                    Some(place) if fits(key, part) => *place = part.clone(),
                    _ => json::mutate(&mut whole, &self.pool, dice),
                }
            }
            json::text(&whole, dice)
        };
        let path = copy.root.join("tokenizer.json");
        std::fs::write(&path, bytes).expect("it can be written");
        let mut folder = copy.folder.clone();
        folder.spelling.lower_case |= dice.once_in(4);
        folder.longest = *dice.one(&[3, 8, 256, folder.longest]);
        let ended = ended(|| {
            let tokenizer = TextTokenizer::read(&folder)?;
            let _ = (tokenizer.vocabulary(), tokenizer.pad());
            // One that panics at a text may go on with the next.
            let mut panics = None;
            for _ in 0..4 {
                let (text, side) = (odd_text(dice), if dice.once_in(2) { Side::End } else { Side::Beginning });
                let prompt = folder.prompts.texts().next().unwrap_or_default();
                let asked = catch_unwind(AssertUnwindSafe(|| {
                    let _ = tokenizer.encode(prompt, &text, side);
                    if text.len() < 3000 {
                        let pieces = tokenizer.pieces(&text, dice.once_in(2)).unwrap_or_default();
                        let ids: Vec<u32> = pieces.iter().map(|piece| piece.id).collect();
                        let _ = tokenizer.decode(&ids, dice.once_in(2));
                        let _ = tokenizer.decode(&[0, 1, u32::MAX, dice.roll() as u32], false);
                    }
                }));
                panics = panics.or(asked.err());
            }
            panics.map_or(Ok(()), |panic| std::panic::resume_unwind(panic))
        });
        std::fs::write(&path, &copy.files["tokenizer.json"]).expect("it can be written");
        ended
    }

    /// Damaged small files, weights of modules, and graphs that are only looked into.
    pub fn folder(&self, dice: &mut Dice) -> Ended {
        let copy = dice.one(&self.copies);
        let names: Vec<&String> = copy.files.keys().filter(|name| !name.starts_with("tokenizer.")).collect();
        let mut changed = Vec::new();
        for _ in 0..=dice.below(2) {
            let name = *dice.one(&names);
            let path = copy.root.join(name);
            std::fs::write(&path, self.damaged(&copy.files[name], name, dice)).expect("it can be written");
            changed.push(name);
        }
        let canary = copy.root.join("canary.json");
        let sings = dice.once_in(8);
        if sings {
            let vector = if dice.once_in(2) { json!([0.1, 1e39]) } else { json!("AACAPwAAAEA=") };
            let mut whole = json!({"text": "a", "vector": vector, "min_cosine": 0.5});
            json::mutate(&mut whole, &[], dice);
            std::fs::write(&canary, json::text(&whole, dice)).expect("it can be written");
        }
        let ended = ended(|| {
            let text = |why: akidb_edge::inference::folder::FolderFault| why.to_string();
            let _ = check::folder(&copy.root);
            let _ = Question::read(&canary, copy.folder.dimension);
            let graph = graph_file::read(&copy.folder.graph);
            let folder = ModelFolder::open(&copy.root, &Variant::Auto.into()).map_err(text)?;
            Head::read(&folder).map_err(text)?;
            // Hashing is what takes long.
            if dice.once_in(8) {
                folder.version(Arithmetic::Exact).map_err(text)?;
            }
            graph.map(drop)
        });
        for name in changed {
            std::fs::write(copy.root.join(name), &copy.files[name]).expect("it can be written");
        }
        if sings {
            std::fs::remove_file(&canary).expect("it was written");
        }
        ended
    }

    fn damaged(&self, bytes: &[u8], name: &str, dice: &mut Dice) -> Vec<u8> {
        if name.ends_with(".onnx") {
            return proto::mutate(bytes, dice);
        }
        if name.ends_with(".safetensors") && bytes.len() > 8 && !dice.once_in(4) {
            return weights(bytes, dice);
        }
        let whole = serde_json::from_slice::<Value>(bytes);
        if let Ok(mut whole) = whole
            && !dice.once_in(6)
        {
            for _ in 0..=dice.below(2) {
                json::mutate(&mut whole, &[], dice);
            }
            return json::text(&whole, dice);
        }
        let mut bytes = bytes.to_vec();
        dice.damage(&mut bytes);
        bytes
    }

    /// A damaged graph, loaded and run as the server does before it serves it.
    pub fn graph(&mut self, dice: &mut Dice) -> Ended {
        let runtime = self.runtime.get_or_insert_with(|| Runtime::load(Some(&onnxruntime())).expect("ONNX Runtime"));
        let copy = dice.one(&self.copies);
        let name = copy.folder.graph.strip_prefix(&copy.root).expect("it is in it").to_string_lossy().into_owned();
        std::fs::write(&copy.folder.graph, proto::mutate(&copy.files[&name], dice)).expect("it can be written");
        let ended = ended(|| load(runtime, &copy.root));
        std::fs::write(&copy.folder.graph, &copy.files[&name]).expect("it can be written");
        ended
    }
}

/// As `OnnxLoader` does it, with one worker.
fn load(runtime: &Runtime, root: &Path) -> Result<(), String> {
    let text = |why: akidb_edge::inference::folder::FolderFault| why.to_string();
    let folder = ModelFolder::open(root, &Variant::Auto.into()).map_err(text)?;
    let start = Start {
        device: Device::Cpu,
        fallback: false,
        workers: 1,
        threads: 1,
        cache: None,
        run_time: Duration::from_secs(5),
    };
    let sessions = onnx::open(runtime, &folder, &start).map_err(text)?;
    let settings = Settings {
        bounds: Bounds { wait: Duration::from_secs(60), tokens: 1 << 20 },
        batch_tokens: Some(512),
        candidates: &[64],
    };
    Engine::start("fuzz", folder, "1".to_owned(), sessions, &settings, Arc::new(Silence)).map(drop).map_err(text)
}

fn copy(from: &Path, to: &Path) -> Copy {
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

/// Another header of `.safetensors`, or another length of it.
fn weights(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    let end = 8 + length as usize;
    let Ok(mut header) = serde_json::from_slice::<Value>(&bytes[8..end]) else { return bytes.to_vec() };
    json::mutate(&mut header, &[json!("F16"), json!("I64"), json!([1, 2]), json!([0, 1_i64 << 40])], dice);
    let header = json::text(&header, dice);
    let said = match dice.below(6) {
        0 => *dice.one(&[0, 1, 99_999_999, 100_000_001, u64::MAX, i64::MAX as u64, length]),
        _ => header.len() as u64,
    };
    let mut whole = [&said.to_le_bytes(), header.as_slice(), &bytes[end..]].concat();
    if dice.once_in(4) {
        whole.truncate(dice.below(whole.len()));
    }
    whole
}

/// Whether a part may stand there.
fn fits(key: &str, part: &Value) -> bool {
    let kinds: &[&str] = match key {
        "model" => &["BPE", "Unigram", "WordLevel", "WordPiece"],
        "normalizer" => &[
            "Replace",
            "BertNormalizer",
            "Precompiled",
            "Prepend",
            "Strip",
            "NFKD",
            "StripAccents",
            "Nmt",
            "ByteLevel",
            "Sequence",
        ],
        "pre_tokenizer" => &[
            "Split",
            "ByteLevel",
            "Metaspace",
            "CharDelimiterSplit",
            "Punctuation",
            "Digits",
            "FixedLength",
            "UnicodeScripts",
            "Whitespace",
            "WhitespaceSplit",
            "BertPreTokenizer",
            "Sequence",
        ],
        "post_processor" => &["BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel", "Sequence"],
        _ => &[
            "WordPiece",
            "BPEDecoder",
            "CTC",
            "Fuse",
            "ByteFallback",
            "Strip",
            "Replace",
            "ByteLevel",
            "Metaspace",
            "Sequence",
        ],
    };
    let is_model = part.get("vocab").is_some();
    is_model == (key == "model") && part["type"].as_str().is_some_and(|kind| kinds.contains(&kind))
}

/// Parts of tokenizers that are right by themselves, and wrong where they come to stand.
fn pool() -> Vec<Value> {
    let patterns = [
        "",
        "(?=)",
        "(a+)+$",
        "(x*)*y",
        ".{0,60000}",
        "((a{100}){100}){10}",
        r"\p{L}*",
        "(?i)É",
        r"\b",
        "^",
        "$",
        "[",
        "(?<=a*)b",
        r"(\w+)\1",
        " ",
    ];
    let mut pool: Vec<Value> = patterns.iter().map(|pattern| json!({"Regex": pattern})).collect();
    for pattern in patterns {
        pool.push(json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": "xy"}));
        pool.push(json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}));
    }
    pool.extend([
        json!({"type": "BPE", "dropout": 0.5, "unk_token": null, "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true, "vocab": {"a": 0, "b": 1, "ab": 4_294_967_295_u32}, "merges": ["a b"]}),
        json!({"type": "BPE", "vocab": {}, "merges": []}),
        json!({"type": "BPE", "vocab": {"a": 0, "##b": 1, "ab": 2}, "merges": [["a", "##b"]], "continuing_subword_prefix": "######"}),
        json!({"type": "Unigram", "vocab": [["<unk>", 0.0], ["a", -1e308], ["", 0.0]], "unk_id": 0, "byte_fallback": true}),
        json!({"type": "Unigram", "vocab": [], "unk_id": null}),
        json!({"type": "Unigram", "vocab": [["a", 1.0]], "unk_id": 7}),
        json!({"type": "Unigram", "vocab": [["a", 1.0]], "unk_id": null}),
        json!({"type": "WordLevel", "vocab": {"a": 7}, "unk_token": "[UNK]"}),
        json!({"type": "WordLevel", "vocab": {}, "unk_token": ""}),
        json!({"type": "WordPiece", "vocab": {"a": 0, "##": 1, "": 2}, "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": 100_000}),
        json!({"type": "WordPiece", "vocab": {}, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 0}),
        json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": true, "lowercase": true}),
        json!({"type": "Precompiled", "precompiled_charsmap": ""}),
        json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
        json!({"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAD/////AAAA"}),
        json!({"type": "Prepend", "prepend": "▁"}),
        json!({"type": "Strip", "strip_left": true, "strip_right": true}),
        json!({"type": "Strip", "content": "a", "start": u32::MAX, "stop": 5}),
        json!({"type": "NFKD"}),
        json!({"type": "StripAccents"}),
        json!({"type": "Nmt"}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "Metaspace", "replacement": "", "prepend_scheme": "first", "split": false}),
        json!({"type": "CharDelimiterSplit", "delimiter": "a"}),
        json!({"type": "Punctuation", "behavior": "MergedWithNext"}),
        json!({"type": "Digits", "individual_digits": true}),
        json!({"type": "FixedLength", "length": 0}),
        json!({"type": "FixedLength", "length": 3}),
        json!({"type": "UnicodeScripts"}),
        json!({"type": "Whitespace"}),
        json!({"type": "WhitespaceSplit"}),
        json!({"type": "BertPreTokenizer"}),
        json!({"type": "Sequence", "normalizers": []}),
        json!({"type": "Sequence", "pretokenizers": []}),
        json!({"type": "Sequence", "processors": []}),
        json!({"type": "Sequence", "decoders": []}),
        json!({"type": "BertProcessing", "sep": ["[SEP]", 4_294_967_295_u32], "cls": ["[CLS]", 0]}),
        json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": false}),
        json!({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "B", "type_id": 9}}], "special_tokens": {}}),
        json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {"x": {"id": "x", "ids": [], "tokens": []}}}),
        json!({"type": "TemplateProcessing", "single": many(), "pair": [], "special_tokens": {"x": {"id": "x", "ids": [1], "tokens": ["x"]}}}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        json!({"type": "BPEDecoder", "suffix": ""}),
        json!({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}),
        json!({"type": "Fuse"}),
        json!({"type": "ByteFallback"}),
        json!({"id": 0, "content": "", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": true}),
        json!({"id": u32::MAX, "content": " ", "single_word": false, "lstrip": true, "rstrip": true, "normalized": false, "special": false}),
        json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 5}),
        json!({"strategy": {"Fixed": 1_u64 << 40}, "direction": "Right", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}),
    ]);
    for depth in [3, 8, 16, 24, 40] {
        for (kind, key) in [
            ("Sequence", "normalizers"),
            ("Sequence", "pretokenizers"),
            ("Sequence", "decoders"),
            ("Sequence", "processors"),
        ] {
            let mut nested = json!({"type": "NFC"});
            for _ in 0..depth {
                nested = json!({"type": kind, key: [nested]});
            }
            pool.push(nested);
        }
    }
    pool
}

/// More special tokens than any text may have.
fn many() -> Vec<Value> {
    vec![json!({"SpecialToken": {"id": "x", "type_id": 0}}); 600]
}

fn odd_text(dice: &mut Dice) -> String {
    let parts = [
        "hello",
        " ",
        "world",
        "the",
        "a",
        "aaaaaaaa",
        "b",
        "\u{0}",
        "\u{301}\u{301}",
        "é",
        "É",
        "ß",
        "İ",
        "ﷺ",
        "🏳️‍🌈",
        "中文",
        "ไทย",
        "\u{200b}",
        "\u{feff}",
        "\r\n",
        "\t",
        "##",
        "[CLS]",
        "[SEP]",
        "</s>",
        "<s>",
        "<|endoftext|>",
        "▁",
        "'s",
        "3.14",
        "\u{10ffff}",
        "\u{1f468}\u{200d}",
        "ا",
        "\u{fffd}",
        "!!!",
        "x",
    ];
    match dice.below(8) {
        0 => String::new(),
        1 => dice.one(&parts).repeat(1 + dice.below(2000)),
        2 => {
            (0..dice.below(200)).map(|_| char::from_u32(dice.roll() as u32 % 0x11_0000).unwrap_or('\u{fffd}')).collect()
        }
        _ => (0..dice.below(30)).map(|_| *dice.one(&parts)).collect(),
    }
}
