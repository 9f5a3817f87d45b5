//! The registry with a loader that makes engines of a folder's tokenizer and a backend without a graph.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Loader, MemoryLimits, ModelRegistry, ModelSource, ModelStatus};
use crate::inference::backend::{Backend, GraphOutput, RunFault, Sessions};
use crate::inference::batch::Batch;
use crate::inference::engine::{EmbedOptions, Engine, EngineSettings};
use crate::inference::fault::ErrorCode;
use crate::inference::folder::{Arithmetic, FolderFault, ModelFolder, Variant};
use crate::inference::observer::NoObserver;
use crate::inference::queue::QueueBounds;

/// Answers with its version in the second number of each vector.
struct Stamp(f32);

impl Backend for Stamp {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        let rows: Vec<f32> = (0..batch.rows).flat_map(|_| [100.0, self.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).collect();
        read(GraphOutput::Pooled(&rows));
        Ok(())
    }
}

/// Loads what is not `bad`; a `slow` one waits for a word.
#[derive(Default)]
struct Stand {
    loads: AtomicUsize,
    broken: AtomicBool,
    begun: Mutex<Option<Sender<()>>>,
    go: Mutex<Option<Receiver<()>>>,
}

impl Stand {
    /// The sides of whoever steers the slow loads: they tell that they began, and wait.
    fn slow(&self) -> (Receiver<()>, Sender<()>) {
        let (begun, told) = channel();
        let (go, wait) = channel();
        *self.begun.lock().unwrap() = Some(begun);
        *self.go.lock().unwrap() = Some(wait);
        (told, go)
    }
}

impl Loader for Stand {
    fn load(&self, name: &str, source: &ModelSource) -> Result<Engine, FolderFault> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let version = source.version.clone().unwrap_or_default();
        if version == "slow" {
            let begun = self.begun.lock().unwrap().take();
            let _ = begun.map(|begun| begun.send(()));
            let go = self.go.lock().unwrap().take();
            let _ = go.map(|go| go.recv());
        }
        assert!(version != "panic", "as asked");
        if version == "bad" || self.broken.load(Ordering::Relaxed) {
            return Err(FolderFault::bad(Path::new("graph"), "as asked"));
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
        let folder = ModelFolder::open(&root, &Variant::Fp32.into())?;
        let stamp = version.parse().unwrap_or(0.0);
        let each: Vec<Box<dyn Backend>> = vec![Box::new(Stamp(stamp))];
        let sessions =
            Sessions { each, alone: None, rows: usize::MAX, arithmetic: Arithmetic::Exact, runs_on: "test".to_owned() };
        let bounds = QueueBounds { wait: Duration::from_secs(60), tokens: 1 << 20 };
        let settings = EngineSettings { bounds, batch_tokens: Some(512), candidates: &[64] };
        Engine::start(name, folder, version, sessions, &settings, Arc::new(NoObserver))
    }
}

fn source(version: &str) -> ModelSource {
    ModelSource { folder: "models".into(), version: Some(version.to_owned()), dimension: None }
}

fn named(models: &[(&str, &str)]) -> BTreeMap<String, ModelSource> {
    models.iter().map(|(name, version)| ((*name).to_owned(), source(version))).collect()
}

fn registry(models: &[(&str, &str)], limits: MemoryLimits) -> (Arc<ModelRegistry>, Arc<Stand>) {
    let stand = Arc::new(Stand::default());
    (ModelRegistry::new(named(models), "first".to_owned(), limits, stand.clone(), Arc::new(NoObserver)), stand)
}

const WIDE: MemoryLimits = MemoryLimits { bytes: u64::MAX, models: 10, again: Duration::from_secs(3600) };

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn status(registry: &ModelRegistry, name: &str) -> String {
    registry.look(name).map_or("unknown".to_owned(), |listed| listed.status.name().to_owned())
}

/// Room is made after a load, beside the request that waited for it.
async fn settles<const N: usize>(now: impl Fn() -> [String; N], wanted: [&str; N]) {
    while now() != wanted {
        assert!(Instant::now() < *UNTIL, "{:?} instead of {wanted:?}", now());
        tokio::task::yield_now().await;
    }
}

static UNTIL: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(later);

async fn stamp(engine: &Engine) -> f32 {
    let options = EmbedOptions {
        normalize: false,
        truncate: true,
        side: None,
        prompt_name: None,
        dimensions: None,
        deadline: later(),
    };
    engine.embed(vec!["a text".to_owned()], options).await.unwrap().vectors[0][1]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_for_a_loading_model_share_one_load() {
    let (registry, stand) = registry(&[("first", "1"), ("second", "slow")], WIDE);
    let (begun, go) = stand.slow();
    let ask =
        |registry: Arc<ModelRegistry>| tokio::spawn(async move { registry.engine("second", later()).await.unwrap() });
    let one = ask(registry.clone());
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    assert_eq!(status(&registry, "second"), "loading");
    let two = ask(registry.clone());
    // Others are served meanwhile.
    assert_eq!(stamp(&registry.engine("first", later()).await.unwrap()).await, 1.0);
    let hurried = registry.engine("second", Instant::now()).await.unwrap_err();
    assert_eq!(hurried.code, ErrorCode::ModelLoading);
    go.send(()).unwrap();
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(stand.loads.load(Ordering::Relaxed), 2);
    assert_eq!(status(&registry, "second"), "loaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_not_asked_for_longest_goes_and_the_default_stays() {
    let (registry, _) =
        registry(&[("first", "1"), ("a", "1"), ("b", "1"), ("c", "1")], MemoryLimits { models: 3, ..WIDE });
    for name in ["first", "a", "b", "a", "c"] {
        registry.engine(name, later()).await.unwrap();
    }
    settles(
        || ["first", "a", "b", "c"].map(|name| status(&registry, name)),
        ["loaded", "loaded", "available", "loaded"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_counts_as_measured() {
    let (registry, _) = registry(&[("first", "1"), ("a", "1"), ("b", "1")], MemoryLimits { bytes: 1, ..WIDE });
    for name in ["first", "a", "b"] {
        registry.engine(name, later()).await.unwrap();
        assert!(registry.look(name).unwrap().bytes > 10_000, "the graph alone has 19 kB");
    }
    settles(|| ["first", "a", "b"].map(|name| status(&registry, name)), ["loaded", "available", "loaded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_model_is_tried_again_after_a_pause_only() {
    let (registry, stand) = registry(&[("first", "1"), ("a", "bad")], WIDE);
    for _ in 0..3 {
        let fault = registry.engine("a", later()).await.unwrap_err();
        assert_eq!(fault.code, ErrorCode::ModelFailed);
        assert!(fault.message.contains("as asked") && fault.retry_after.unwrap() > Duration::from_secs(3000));
    }
    assert_eq!(stand.loads.load(Ordering::Relaxed), 1);
    assert!(matches!(registry.look("a").unwrap().status, ModelStatus::Failed(why) if why.contains("as asked")));
    // Another source is another chance.
    assert!(registry.know(named(&[("a", "7")])).is_empty());
    assert_eq!(stamp(&registry.engine("a", later()).await.unwrap()).await, 7.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_model_is_tried_again_when_the_pause_is_over() {
    let (registry, stand) = registry(&[("first", "1")], MemoryLimits { again: Duration::ZERO, ..WIDE });
    stand.broken.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + Duration::from_millis(50);
    assert!(registry.engine("first", deadline).await.is_err());
    stand.broken.store(false, Ordering::Relaxed);
    registry.engine("first", later()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loader_that_breaks_leaves_a_failed_model() {
    let (registry, _) = registry(&[("first", "panic")], WIDE);
    let fault = registry.engine("first", later()).await.unwrap_err();
    assert_eq!(fault.code, ErrorCode::ModelFailed);
    assert!(fault.message.contains("loading it fails"), "{fault}");
    let why = registry.swap("first", source("panic")).unwrap_err().to_string();
    assert!(why.contains("loading it fails"), "the caller of a swap goes on: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dimension_than_the_list_says_is_refused() {
    let (registry, _) = registry(&[("first", "1")], WIDE);
    let said = ModelSource { dimension: Some(384), ..source("2") };
    let stale = registry.know(BTreeMap::from([("first".to_owned(), said)]));
    assert!(stale.is_empty(), "it is not in memory: nothing to swap");
    let fault = registry.engine("first", later()).await.unwrap_err();
    assert!(fault.message.contains("384"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_keeps_the_old_one_for_whoever_has_it() {
    let (registry, _) = registry(&[("first", "1")], WIDE);
    let old = registry.engine("first", later()).await.unwrap();
    registry.swap("first", source("2")).unwrap();
    let new = registry.engine("first", later()).await.unwrap();
    assert_eq!((stamp(&old).await, stamp(&new).await), (1.0, 2.0));
    registry.swap("first", source("bad")).unwrap_err();
    assert_eq!(stamp(&registry.engine("first", later()).await.unwrap()).await, 2.0);
    assert_eq!(registry.look("first").unwrap().source.version.unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_overtakes_a_load() {
    let (registry, stand) = registry(&[("first", "slow")], WIDE);
    let (begun, go) = stand.slow();
    let asking = registry.clone();
    let waits = tokio::spawn(async move { asking.engine("first", later()).await.unwrap() });
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    registry.swap("first", source("5")).unwrap();
    assert_eq!(stamp(&waits.await.unwrap()).await, 5.0);
    go.send(()).unwrap();
    // The load that was overtaken ends and is thrown away.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(stamp(&registry.engine("first", later()).await.unwrap()).await, 5.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nobody_uses_is_checked_and_not_kept() {
    let (registry, stand) = registry(&[("first", "1"), ("a", "1")], WIDE);
    registry.swap("a", source("bad")).unwrap_err();
    registry.swap("a", source("2")).unwrap();
    assert_eq!((status(&registry, "a").as_str(), stand.loads.load(Ordering::Relaxed)), ("available", 2));
    assert_eq!(stamp(&registry.engine("a", later()).await.unwrap()).await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_list_is_forgotten_but_for_the_default() {
    let (registry, _) = registry(&[("first", "1"), ("a", "1"), ("b", "1")], WIDE);
    let held = registry.engine("a", later()).await.unwrap();
    registry.engine("b", later()).await.unwrap();
    let stale = registry.know(named(&[("b", "2"), ("c", "1")]));
    assert_eq!(stale, [("b".to_owned(), source("2"))]);
    assert_eq!(registry.engine("a", later()).await.unwrap_err().code, ErrorCode::ModelNotFound);
    assert_eq!(stamp(&held).await, 1.0);
    let names: Vec<String> = registry.list().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["b", "c", "first"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_swaps_under_load_lose_no_request() {
    let (registry, _) = registry(&[("first", "0")], WIDE);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (registry, stop) = (registry.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut answered, mut last) = (0_u64, 0.0);
                while !stop.load(Ordering::Relaxed) {
                    let version = stamp(&registry.engine("first", later()).await.unwrap()).await;
                    assert!(version >= last, "version {version} after {last}");
                    last = version;
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for version in 1..=200 {
        let registry = registry.clone();
        let swap = tokio::task::spawn_blocking(move || registry.swap("first", source(&version.to_string())).map(drop));
        swap.await.unwrap().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    assert_eq!(stamp(&registry.engine("first", later()).await.unwrap()).await, 200.0);
}
