//! Vectors that were made before, bounded in bytes, and one run for the same text while it is under way.
//!
//! What is kept is the raw vector: length and number of dimensions are made of it for each request. A key is compared as a
//! whole, so that no two texts can share a vector by a collision of their hashes.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::{Cache, GuardResult, PlaceholderGuard};
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::tokenize::TruncationSide;

/// Bytes of an entry beside its text and its numbers: the tables of the cache, counts of references, lengths.
const OVERHEAD: usize = 160;
/// A text may take this share of the cache: one large text must not push out hundreds of short ones.
const SHARE: usize = 256;
/// Bytes of a usual entry; it only says how large the tables are at first.
const USUAL: usize = 2048;
/// How long a text waits for another request that runs the same one. In a large request it may stand far behind in line: then it
/// is run again.
const JOIN: Duration = Duration::from_millis(500);

/// What tells texts apart that get another vector.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CacheKey {
    /// The model's version.
    version: u32,
    /// Which end is cut off.
    beginning: bool,
    /// The prompt that was named.
    prompt: Option<Arc<str>>,
    text: Arc<str>,
}

/// What is known of a text.
#[derive(Clone, Debug)]
pub struct CachedText {
    /// Its vector, as the model gives it.
    pub vector: Arc<[f32]>,
    /// Its tokens, special tokens included.
    pub tokens: usize,
    /// It was longer than the model reads.
    pub cut: bool,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<CacheKey, CachedText> for Bytes {
    fn weight(&self, key: &CacheKey, known: &CachedText) -> u64 {
        (OVERHEAD + key.text.len() + known.vector.len() * size_of::<f32>()) as u64
    }
}

#[derive(Clone, Debug)]
struct Evicted(Arc<AtomicU64>);

impl Lifecycle<CacheKey, CachedText> for Evicted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), key: CacheKey, known: CachedText) {
        self.0.fetch_add(Bytes.weight(&key, &known), Ordering::Relaxed);
    }
}

type Guard<'a> = PlaceholderGuard<'a, CacheKey, CachedText, Bytes, RandomState, Evicted>;

/// The right, and the duty, to run a text for all who ask for it. Dropped unused, the next one has it.
pub struct CacheFill<'a>(Guard<'a>);

impl CacheFill<'_> {
    /// Keeps what came of it, and hands it to all who wait.
    pub fn keep(self, known: CachedText) {
        // It fails when the text was taken out meanwhile: then nobody waits.
        let _ = self.0.insert(known);
    }
}

/// What there is for a text.
pub enum CacheLookup<'a> {
    /// Its vector.
    Known(CachedText),
    /// Nothing: whoever asks runs it.
    Own(CacheFill<'a>),
    /// Another one runs it.
    UnderWay,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheCounts {
    /// Texts whose vector was there.
    pub hits: u64,
    /// Texts that were run.
    pub misses: u64,
    /// Texts that got the vector of one that was under way.
    pub shared: u64,
    /// Bytes that were pushed out.
    pub evicted: u64,
    /// Bytes that are kept now.
    pub bytes: u64,
}

/// The vectors of all models of a server.
pub struct VectorCache {
    cache: Cache<CacheKey, CachedText, Bytes, RandomState, Evicted>,
    longest: usize,
    evicted: Arc<AtomicU64>,
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
    versions: Mutex<HashMap<String, u32>>,
}

impl VectorCache {
    /// An empty one for so many bytes; nothing for none.
    pub fn new(bytes: usize) -> Option<Arc<Self>> {
        let items = (bytes / USUAL).max(64);
        let options = OptionsBuilder::new().estimated_items_capacity(items).weight_capacity(bytes as u64).build();
        let options = options.ok().filter(|_| bytes > 0)?;
        let evicted = Arc::new(AtomicU64::new(0));
        Some(Arc::new(Self {
            cache: Cache::with_options(options, Bytes, RandomState::new(), Evicted(evicted.clone())),
            longest: bytes / SHARE,
            evicted,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            versions: Mutex::new(HashMap::new()),
        }))
    }

    /// A short name for a version: the same hash has the same one.
    pub fn version(&self, hash: &str) -> u32 {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let next = u32::try_from(versions.len()).unwrap_or(u32::MAX);
        *versions.entry(hash.to_owned()).or_insert(next)
    }

    /// The key of a text; nothing for one that is too long to be kept.
    pub fn key(&self, version: u32, side: TruncationSide, prompt: Option<&Arc<str>>, text: &str) -> Option<CacheKey> {
        (text.len() <= self.longest).then(|| CacheKey {
            version,
            beginning: side == TruncationSide::Beginning,
            prompt: prompt.cloned(),
            text: text.into(),
        })
    }

    /// What there is for a text, without waiting.
    pub fn look(&self, key: &CacheKey) -> CacheLookup<'_> {
        match self.cache.get_value_or_guard(key, Some(Duration::ZERO)) {
            GuardResult::Value(known) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                CacheLookup::Known(known)
            }
            GuardResult::Guard(guard) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                CacheLookup::Own(CacheFill(guard))
            }
            GuardResult::Timeout => CacheLookup::UnderWay,
        }
    }

    /// Waits for whoever runs a text. When that one fails, the next who waits has to run it; so has one who has waited long.
    pub async fn join(&self, key: &CacheKey) -> CacheLookup<'_> {
        match tokio::time::timeout(JOIN, self.cache.get_value_or_guard_async(key)).await {
            Ok(Ok(known)) => {
                self.shared.fetch_add(1, Ordering::Relaxed);
                CacheLookup::Known(known)
            }
            Ok(Err(guard)) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                CacheLookup::Own(CacheFill(guard))
            }
            Err(_) => CacheLookup::UnderWay,
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> CacheCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheCounts {
            hits: read(&self.hits),
            misses: read(&self.misses),
            shared: read(&self.shared),
            evicted: read(&self.evicted),
            bytes: self.cache.weight(),
        }
    }
}

impl std::fmt::Debug for VectorCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorCache").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: f32) -> CachedText {
        CachedText { vector: vec![number; 4].into(), tokens: 3, cut: false }
    }

    fn key(cache: &VectorCache, text: &str) -> CacheKey {
        cache.key(0, TruncationSide::End, None, text).unwrap()
    }

    #[tokio::test]
    async fn one_runs_a_text_and_all_get_its_vector() {
        let cache = VectorCache::new(1 << 20).unwrap();
        let key = key(&cache, "a text");
        let CacheLookup::Own(own) = cache.look(&key) else { panic!("it is the first") };
        assert!(matches!(cache.look(&key), CacheLookup::UnderWay));
        let others = futures::future::join_all((0..3).map(|_| cache.join(&key)));
        let (others, ()) = tokio::join!(others, async { own.keep(known(7.0)) });
        for other in others {
            assert!(matches!(other, CacheLookup::Known(known) if known.vector[0] == 7.0));
        }
        assert!(matches!(cache.look(&key), CacheLookup::Known(_)));
        let counts = cache.counts();
        assert_eq!((counts.hits, counts.misses, counts.shared), (1, 1, 3));
        assert_eq!(counts.bytes, 160 + 6 + 16);
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_it_to_the_next() {
        let cache = VectorCache::new(1 << 20).unwrap();
        let key = key(&cache, "a text");
        let CacheLookup::Own(own) = cache.look(&key) else { panic!("it is the first") };
        let (next, ()) = tokio::join!(cache.join(&key), async { drop(own) });
        let CacheLookup::Own(next) = next else { panic!("the first one gave up") };
        next.keep(known(1.0));
        assert!(matches!(cache.look(&key), CacheLookup::Known(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_another() {
        let cache = VectorCache::new(1 << 20).unwrap();
        let key = key(&cache, "a text");
        let CacheLookup::Own(_own) = cache.look(&key) else { panic!("it is the first") };
        assert!(matches!(cache.join(&key).await, CacheLookup::UnderWay));
    }

    #[test]
    fn what_changes_a_vector_is_in_the_key() {
        let cache = VectorCache::new(1 << 20).unwrap();
        let prompt: Arc<str> = "query".into();
        let (one, other) = (cache.version("abc"), cache.version("def"));
        assert_eq!((cache.version("abc"), one == other), (one, false));
        let keys = [
            cache.key(one, TruncationSide::End, None, "a text"),
            cache.key(other, TruncationSide::End, None, "a text"),
            cache.key(one, TruncationSide::Beginning, None, "a text"),
            cache.key(one, TruncationSide::End, Some(&prompt), "a text"),
            cache.key(one, TruncationSide::End, None, "a text "),
        ];
        for key in keys.iter().flatten() {
            assert!(matches!(cache.look(key), CacheLookup::Own(_)));
        }
        for (number, key) in keys.iter().flatten().enumerate() {
            let CacheLookup::Own(own) = cache.look(key) else { panic!("{key:?} is another one") };
            own.keep(known(number as f32));
        }
        for (number, key) in keys.iter().flatten().enumerate() {
            assert!(matches!(cache.look(key), CacheLookup::Known(known) if known.vector[0] == number as f32));
        }
    }

    #[test]
    fn bytes_are_bounded_and_what_is_pushed_out_is_counted() {
        let cache = VectorCache::new(64 << 10).unwrap();
        for number in 0..2000 {
            let key = key(&cache, &format!("text {number}"));
            if let CacheLookup::Own(own) = cache.look(&key) {
                own.keep(known(1.0));
            }
        }
        let counts = cache.counts();
        assert!(counts.bytes <= 64 << 10 && counts.bytes > 32 << 10, "{counts:?}");
        assert!(counts.evicted > 2000 * 160 / 2, "{counts:?}");
        assert!(cache.key(0, TruncationSide::End, None, &"a".repeat(257)).is_none(), "too large a share");
        assert!(VectorCache::new(0).is_none());
    }
}
