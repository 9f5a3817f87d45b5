//! An engine whose backend is held in the middle of a run, breaks, or counts.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::inference::backend::{Backend, GraphOutput};
use crate::inference::batch::Batch;
use crate::inference::folder::{Arithmetic, ModelOptions, Variant};
use crate::inference::observer::NoObserver;

/// Answers at once until it is told to hang; then with the end of the channel.
struct Hanging {
    hangs: Arc<AtomicBool>,
    end: Receiver<()>,
}

impl Backend for Hanging {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        if self.hangs.load(Ordering::Relaxed) {
            let _ = self.end.recv();
        }
        read(GraphOutput::Pooled(&vec![1.0; 8 * batch.rows]));
        Ok(())
    }
}

/// An engine with one worker, which hangs while the first is true and until the second is dropped.
fn hanging() -> (Engine, Arc<AtomicBool>, Sender<()>) {
    let (hangs, (begin, end)) = (Arc::new(AtomicBool::new(false)), channel());
    (start(Box::new(Hanging { hangs: hangs.clone(), end })).unwrap(), hangs, begin)
}

const SETTINGS: EngineSettings = EngineSettings {
    bounds: QueueBounds { wait: Duration::from_secs(60), tokens: 1 << 20 },
    batch_tokens: Some(512),
    candidates: &[64],
};

/// An engine of the tiny model's tokenizer with this backend as its only worker.
fn start(backend: Box<dyn Backend>) -> Result<Engine, FolderFault> {
    let each = vec![backend];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
    let sessions =
        Sessions { each, alone: None, rows: usize::MAX, arithmetic: Arithmetic::Exact, runs_on: "test".to_owned() };
    let folder = ModelFolder::open(&root, &Variant::Fp32.into()).unwrap();
    Engine::start("tiny", folder, "1".to_owned(), sessions, &SETTINGS, Arc::new(NoObserver))
}

/// What a text of the tiny model's words does to a batch.
const BREAKS: &str = "river";
const DAMAGED: &str = "garden";
const REFUSED: &str = "city";

/// Gives each text a vector of its first id. Some words make it panic, fail, or give no number.
struct Odd {
    words: [i64; 3],
    /// Texts that it has run.
    rows: Arc<AtomicUsize>,
}

impl Odd {
    fn new() -> (Box<Self>, Arc<AtomicUsize>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
        let tokenizer = TextTokenizer::read(&ModelFolder::open(&root, &ModelOptions::default()).unwrap()).unwrap();
        let id = |word: &str| {
            let ids = tokenizer.encode("", word, TruncationSide::End).unwrap().ids;
            assert_eq!(ids.len(), 3, "{word} is one word of the tiny model");
            i64::from(ids[1])
        };
        let rows = Arc::new(AtomicUsize::new(0));
        (Box::new(Self { words: [BREAKS, DAMAGED, REFUSED].map(id), rows: rows.clone() }), rows)
    }
}

impl Backend for Odd {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        let [breaks, damaged, refused] = self.words;
        // More than one odd word is a row of ids that the engine tries at load.
        let odd = |row: &[i64], word: i64| row.contains(&word) && row.len() == 3;
        let rows = || batch.ids.chunks_exact(batch.width);
        assert!(!rows().any(|row| odd(row, breaks)), "as asked");
        if rows().any(|row| odd(row, refused)) {
            return Err(RunFault::runtime("as asked"));
        }
        self.rows.fetch_add(batch.rows, Ordering::Relaxed);
        let number = |row: &[i64]| if odd(row, damaged) { f32::NAN } else { row[row.len() / 2] as f32 + 1.0 };
        let vectors: Vec<f32> = rows().flat_map(|row| [number(row); 8]).collect();
        read(GraphOutput::Pooled(&vectors));
        Ok(())
    }
}

fn within(limit: Duration) -> EmbedOptions {
    EmbedOptions {
        normalize: true,
        truncate: false,
        side: None,
        prompt_name: None,
        dimensions: None,
        deadline: Instant::now() + limit,
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_worker_that_hangs_holds_nobody_beyond_the_requests_time() {
    let (engine, hangs, begin) = hanging();
    let ask = |limit| engine.embed(vec!["a text".to_owned()], within(limit));
    ask(LONG).await.expect("it works");
    hangs.store(true, Ordering::Relaxed);
    let fault = ask(Duration::from_secs(1)).await.expect_err("its worker hangs");
    assert_eq!(fault.code, ErrorCode::DeadlineExceeded, "{fault}");
    hangs.store(false, Ordering::Relaxed);
    drop(begin);
    ask(LONG).await.expect("it works again");
}

#[tokio::test]
async fn what_has_no_chance_is_refused_before_it_is_tokenized() {
    let (engine, hangs, begin) = hanging();
    // A tokenizer would find it too long.
    let endless = || vec!["a text ".repeat(1000)];
    engine.embed(vec!["a text ".repeat(3)], within(LONG)).await.expect("it works");
    let fault = engine.embed(endless(), within(LONG)).await.expect_err("it is too long");
    assert_eq!(fault.code, ErrorCode::InputTooLong, "{fault}");
    hangs.store(true, Ordering::Relaxed);
    let held = engine.embed(vec!["a text".to_owned()], within(LONG));
    let beside = async {
        while engine.depth().busy == 0 {
            tokio::task::yield_now().await;
        }
        let fault = engine.embed(endless(), within(Duration::ZERO)).await.expect_err("there is no time");
        drop(begin);
        fault
    };
    let (held, fault) = tokio::join!(held, beside);
    held.expect("it was admitted");
    assert_eq!(fault.code, ErrorCode::Overloaded, "{fault}");
}

async fn ask(engine: &Engine, texts: &[&str]) -> Result<Embedded, EmbedFault> {
    engine.embed(texts.iter().map(|text| (*text).to_owned()).collect(), within(LONG)).await
}

#[tokio::test]
async fn a_panic_ends_the_requests_of_its_batch_and_the_worker_goes_on() {
    let engine = start(Odd::new().0).unwrap();
    for number in 1..=4 {
        let fault = ask(&engine, &["a", BREAKS]).await.expect_err("it panics");
        assert_eq!(fault.code, ErrorCode::Internal, "{fault}");
        assert_eq!(engine.unsound().is_some(), number >= 3);
        assert_eq!(engine.depth(), QueueDepth::default());
    }
    engine.lost().await;
    assert!(engine.unsound().unwrap().contains("panicked: as asked"), "{:?}", engine.unsound());
    engine.probe(Instant::now() + LONG).await.expect("the canary is another text");
    assert_eq!(engine.unsound(), None, "a good batch mends it");
    ask(&engine, &["a", "of"]).await.expect("it works");
    let fault = ask(&engine, &[REFUSED]).await.expect_err("the runtime fails");
    assert!(fault.code == ErrorCode::Internal && fault.message.contains("as asked"), "{fault}");
}

#[tokio::test]
async fn a_vector_that_is_not_finite_fails_its_own_request_only() {
    let engine = start(Odd::new().0).unwrap();
    let (one, two, three) =
        tokio::join!(ask(&engine, &["of", "the"]), ask(&engine, &["a", DAMAGED]), ask(&engine, &["and"]));
    assert!(one.unwrap().vectors.concat().iter().all(|value| value.is_finite()));
    three.unwrap();
    let fault = two.expect_err("its second text has no vector");
    assert!(fault.code == ErrorCode::NotFinite && fault.message.contains("text 1"), "{fault}");
    assert_eq!(engine.unsound(), None);
    for _ in 0..3 {
        ask(&engine, &[DAMAGED]).await.expect_err("again");
    }
    assert!(engine.unsound().unwrap().contains("NaN"), "{:?}", engine.unsound());
}

/// Gives no number, for some texts or all.
struct Damaged(fn(usize) -> bool);

impl Backend for Damaged {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        read(GraphOutput::Pooled(&vec![if self.0(batch.width) { f32::INFINITY } else { 1.0 }; 8 * batch.rows]));
        Ok(())
    }
}

#[test]
fn a_model_that_gives_no_numbers_for_a_kind_of_text_is_refused() {
    start(Box::new(Damaged(|_| false))).expect("it is sound");
    let longest = |width: usize| width >= 32;
    let why = start(Box::new(Damaged(longest))).expect_err("long texts get none").to_string();
    assert!(why.contains("full length") || why.contains("quick brown"), "{why}");
    let why = start(Box::new(Damaged(|width| width == 8))).expect_err("rows of eight ids get none").to_string();
    assert!(why.contains("all over the vocabulary") || why.contains("NaN"), "{why}");
}

#[tokio::test]
async fn a_text_without_tokens_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.onnx", "modules.json", "sentence_bert_config.json"] {
        std::fs::copy(root.join(name), copy.path().join(name)).unwrap();
    }
    std::fs::create_dir(copy.path().join("1_Pooling")).unwrap();
    std::fs::copy(root.join("1_Pooling/config.json"), copy.path().join("1_Pooling/config.json")).unwrap();
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("tokenizer.json")).unwrap()).unwrap();
    tokenizer["post_processor"] = serde_json::Value::Null;
    std::fs::write(copy.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let sessions = Sessions {
        each: vec![Odd::new().0],
        alone: None,
        rows: usize::MAX,
        arithmetic: Arithmetic::Exact,
        runs_on: "test".to_owned(),
    };
    let folder = ModelFolder::open(copy.path(), &Variant::Fp32.into()).unwrap();
    let engine = Engine::start("tiny", folder, "1".to_owned(), sessions, &SETTINGS, Arc::new(NoObserver)).unwrap();
    let fault = ask(&engine, &["a", "", "b"]).await.expect_err("the second text has no tokens");
    assert!(fault.code == ErrorCode::InvalidRequest && fault.message.starts_with("text 1 has no tokens"), "{fault}");
    ask(&engine, &["a"]).await.expect("others have");
}

/// The engine with a cache, and the texts that it has run since it was loaded.
fn cached() -> (Engine, impl Fn() -> usize) {
    let (backend, rows) = Odd::new();
    let engine = start(backend).unwrap().with_cache(VectorCache::new(1 << 20));
    let before = rows.load(Ordering::Relaxed);
    (engine, move || rows.load(Ordering::Relaxed) - before)
}

#[tokio::test]
async fn a_text_is_run_once() {
    let (engine, run) = cached();
    let first = ask(&engine, &["of", "the", "of"]).await.unwrap();
    assert_eq!((run(), first.tokens), (2, 9), "the same text twice in a request");
    let again = ask(&engine, &["the", "and", "of"]).await.unwrap();
    assert_eq!((run(), again.tokens), (3, 9));
    assert_eq!([&again.vectors[0], &again.vectors[2]], [&first.vectors[1], &first.vectors[0]]);
    let (one, two, three) = tokio::join!(ask(&engine, &["to"]), ask(&engine, &["to", "of"]), ask(&engine, &["to"]));
    assert_eq!(run(), 4, "it was under way");
    assert_eq!([&one.unwrap().vectors[0], &three.unwrap().vectors[0]], [&two.unwrap().vectors[0]; 2]);
    // Options are applied to what is kept.
    let short = EmbedOptions { dimensions: Some(2), normalize: false, ..within(LONG) };
    let raw = engine.embed(vec!["to".to_owned()], short).await.unwrap();
    assert!(raw.vectors[0].len() == 2 && raw.vectors[0][0] > 1.0 && run() == 4, "{raw:?}");
    engine.probe(Instant::now() + LONG).await.unwrap();
    engine.probe(Instant::now() + LONG).await.unwrap();
    assert_eq!(run(), 6, "the canary is run each time");
}

#[tokio::test]
async fn what_failed_is_not_kept_and_keeps_nobody_waiting() {
    let (engine, run) = cached();
    let (one, two) = tokio::join!(ask(&engine, &[DAMAGED, "of"]), ask(&engine, &["of", "to"]));
    assert_eq!(one.expect_err("its first text is damaged").code, ErrorCode::NotFinite);
    two.expect("its own texts are sound");
    ask(&engine, &[DAMAGED]).await.expect_err("still damaged");
    // A request that is given up leaves its texts to others.
    drop(futures::FutureExt::now_or_never(ask(&engine, &["in"])));
    ask(&engine, &["in"]).await.expect("it is not kept waiting");
    assert!(run() >= 4);
}

#[tokio::test]
async fn a_text_that_was_cut_is_refused_from_the_cache_too() {
    let (engine, run) = cached();
    let long = vec!["of ".repeat(100)];
    let cut = EmbedOptions { truncate: true, ..within(LONG) };
    let tokens = engine.embed(long.clone(), cut.clone()).await.unwrap().tokens;
    assert_eq!(engine.embed(long.clone(), cut).await.unwrap().tokens, tokens);
    assert_eq!(run(), 1);
    assert_eq!(engine.embed(long, within(LONG)).await.unwrap_err().code, ErrorCode::InputTooLong);
}

/// Gives each token a vector of its id.
struct Each(Arc<AtomicUsize>);

impl Backend for Each {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        self.0.fetch_add(batch.rows, Ordering::Relaxed);
        let vectors: Vec<f32> = batch.ids.iter().flat_map(|id| [*id as f32 + 1.0; 8]).collect();
        read(GraphOutput::Tokens(&vectors));
        Ok(())
    }
}

#[tokio::test]
async fn token_vectors_share_batches_with_others_and_are_not_kept() {
    let rows = Arc::new(AtomicUsize::new(0));
    let engine = start(Box::new(Each(rows.clone()))).unwrap().with_cache(VectorCache::new(1 << 20));
    let texts = || vec!["of".to_owned(), "the of the".to_owned()];
    let before = rows.load(Ordering::Relaxed);
    let tokens = || engine.embed_tokens(texts(), within(LONG), Ok);
    let (one, pooled, two) = tokio::join!(tokens(), engine.embed(texts(), within(LONG)), tokens());
    let ((one, room), pooled, (two, _)) = (one.unwrap(), pooled.unwrap(), two.unwrap());
    assert_eq!(rows.load(Ordering::Relaxed) - before, 6, "each is run");
    assert_eq!((room, one.tokens), (8 * 8 * 4, 8));
    assert_eq!(one.vectors, two.vectors);
    for (text, (flat, vector)) in texts().iter().zip(one.vectors.iter().zip(&pooled.vectors)) {
        let ids = engine.tokenize(text).unwrap().ids;
        let wanted: Vec<f32> = ids.iter().flat_map(|id| [*id as f32 + 1.0; 8]).collect();
        assert_eq!(*flat, wanted, "as the graph gives them");
        assert!(vector.len() == 8 && (vector[0] - 8.0_f32.sqrt().recip()).abs() < 1e-6, "{vector:?}");
    }
    let none = |bytes| Err::<(), _>(EmbedFault::new(ErrorCode::Overloaded, format!("{bytes} bytes")));
    let before = rows.load(Ordering::Relaxed);
    let fault = engine.embed_tokens(texts(), within(LONG), none).await.expect_err("there is no room");
    assert!(fault.code == ErrorCode::Overloaded && fault.message == "256 bytes", "{fault}");
    assert_eq!(rows.load(Ordering::Relaxed), before, "what has no room is not run");
}

#[tokio::test]
async fn a_graph_that_pools_has_no_token_vectors_and_those_beside_get_theirs() {
    let engine = start(Odd::new().0).unwrap();
    let tokens = engine.embed_tokens(vec!["of".to_owned()], within(LONG), |_| Ok(()));
    let (tokens, pooled) = tokio::join!(tokens, ask(&engine, &["of", "the"]));
    assert_eq!(tokens.expect_err("it pools").code, ErrorCode::NotSupported);
    assert_eq!(pooled.unwrap().vectors.len(), 2);
    assert_eq!(engine.unsound(), None);
    let fault = engine.embed_tokens(vec![BREAKS.to_owned()], within(LONG), |_| Ok(())).await.expect_err("it panics");
    assert_eq!(fault.code, ErrorCode::Internal, "{fault}");
}
