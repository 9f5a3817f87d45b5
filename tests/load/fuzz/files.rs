//! Files of models, damaged, and read as the server reads them. Runs in a child process: see `child`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use akidb_edge::inference::canary::CanaryText;
use akidb_edge::inference::engine::{Engine, EngineSettings};
use akidb_edge::inference::folder::{Arithmetic, ModelFolder, Variant};
use akidb_edge::inference::graph_file;
use akidb_edge::inference::head::OutputHead;
use akidb_edge::inference::observer::NoObserver;
use akidb_edge::inference::onnx::provider::Device;
use akidb_edge::inference::onnx::{self, OnnxRuntime, SessionOptions};
use akidb_edge::inference::queue::QueueBounds;
use akidb_edge::inference::tokenize::{TextTokenizer, TruncationSide};
use akidb_edge::models::check;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::copies::{Copy, SEEDS, copy};
use super::dice::Dice;
use super::parts::{fits, odd_text, pool};
use super::{json, proto};
use testkit::serve::{fixtures, onnxruntime};

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

/// What all cases of a process share.
pub struct Files {
    copies: Vec<Copy>,
    pool: Vec<Value>,
    runtime: Option<OnnxRuntime>,
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
            let tokenizer = TextTokenizer::read(&folder).map_err(|why| why.to_string())?;
            let _ = (tokenizer.vocabulary(), tokenizer.pad());
            // One that panics at a text may go on with the next.
            let mut panics = None;
            for _ in 0..4 {
                let (text, side) =
                    (odd_text(dice), if dice.once_in(2) { TruncationSide::End } else { TruncationSide::Beginning });
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
            let _ = CanaryText::read(&canary, copy.folder.dimension);
            let graph = graph_file::read(&copy.folder.graph);
            let folder = ModelFolder::open(&copy.root, &Variant::Auto.into()).map_err(text)?;
            OutputHead::read(&folder).map_err(text)?;
            // Hashing is what takes long.
            if dice.once_in(8) {
                folder.version(Arithmetic::Exact).map_err(text)?;
            }
            graph.map(drop).map_err(|why| why.to_string())
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
        let runtime =
            self.runtime.get_or_insert_with(|| OnnxRuntime::load(Some(&onnxruntime())).expect("ONNX Runtime"));
        let copy = dice.one(&self.copies);
        let name = copy.folder.graph.strip_prefix(&copy.root).expect("it is in it").to_string_lossy().into_owned();
        std::fs::write(&copy.folder.graph, proto::mutate(&copy.files[&name], dice)).expect("it can be written");
        let ended = ended(|| load(runtime, &copy.root));
        std::fs::write(&copy.folder.graph, &copy.files[&name]).expect("it can be written");
        ended
    }
}

/// As `OnnxLoader` does it, with one worker.
fn load(runtime: &OnnxRuntime, root: &Path) -> Result<(), String> {
    let text = |why: akidb_edge::inference::folder::FolderFault| why.to_string();
    let folder = ModelFolder::open(root, &Variant::Auto.into()).map_err(text)?;
    let start = SessionOptions {
        device: Device::Cpu,
        fallback: false,
        workers: 1,
        threads: 1,
        cache: None,
        run_time: Duration::from_secs(5),
    };
    let sessions = onnx::open(runtime, &folder, &start).map_err(text)?;
    let settings = EngineSettings {
        bounds: QueueBounds { wait: Duration::from_secs(60), tokens: 1 << 20 },
        batch_tokens: Some(512),
        candidates: &[64],
    };
    Engine::start("fuzz", folder, "1".to_owned(), sessions, &settings, Arc::new(NoObserver)).map(drop).map_err(text)
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
