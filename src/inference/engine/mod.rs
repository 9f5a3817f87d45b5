//! One loaded model: texts in, vectors out.

mod cached;
mod check;
mod token_estimate;
mod tokens;
mod uncached;

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::inference::backend::{RunFault, Sessions};
use crate::inference::cache::VectorCache;
use crate::inference::calibration;
use crate::inference::canary::{self, Canary, CanaryFault, CanaryText};
use crate::inference::failure_streak::FailureStreak;
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::inference::folder::{FolderFault, ModelFolder};
use crate::inference::head::{OutputHead, normalize};
use crate::inference::observer::InferenceObserver;
use crate::inference::queue::{BatchBudget, Queue, QueueBounds, QueueDepth};
use crate::inference::throughput::{Throughput, ThroughputSample};
use crate::inference::tokenize::{TextTokenizer, TokenizerFault, Tokens, TruncationSide};
use crate::inference::worker::{self, WorkerShared};

use token_estimate::TokenEstimate;

const LATE: &str = "the request timed out before the model answered; send fewer texts or allow more time";

/// How a model is to be run.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// How long texts may wait, and how many.
    pub bounds: QueueBounds,
    /// Tokens of a batch; measured at start when it is not given.
    pub batch_tokens: Option<usize>,
    /// Batch sizes in tokens that are tried at start.
    pub candidates: &'static [usize],
}

/// What a request wants.
#[derive(Clone, Debug)]
pub struct EmbedOptions {
    /// Make vectors one unit long.
    pub normalize: bool,
    /// Cut texts that are too long; otherwise they are refused.
    pub truncate: bool,
    /// Which end of a text that is too long is cut off; as the model has it when it is not said.
    pub side: Option<TruncationSide>,
    /// The prompt of the model that goes before each text; its default prompt when none is named.
    pub prompt_name: Option<String>,
    /// Keep only so many numbers of each vector (for models that were trained for it).
    pub dimensions: Option<usize>,
    /// When the answer is of no use any longer.
    pub deadline: Instant,
}

/// Vectors of a request, and what they cost.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// In the order of its texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all texts, special tokens included.
    pub tokens: usize,
    /// Time to tokenize.
    pub tokenizing: Duration,
    /// Longest wait in the queue.
    pub waited: Duration,
}

/// A loaded model.
pub struct Engine {
    /// What its files say.
    pub folder: ModelFolder,
    /// Hash of everything that can change a vector, in hexadecimal: the same hash gives the same vectors.
    pub hash: String,
    /// What runs it: `cpu`, `cuda (NVIDIA H100)`.
    pub runs_on: String,
    canary: Canary,
    throughput: Throughput,
    estimate: TokenEstimate,
    tokenizer: Arc<TextTokenizer>,
    shared: Arc<WorkerShared>,
    /// Vectors that were made before, and this version's name in it.
    cache: Option<(Arc<VectorCache>, u32)>,
}

impl Engine {
    /// Starts a model: runs it once, measures it, embeds its canary, and starts a thread for each session.
    ///
    /// # Errors
    /// What does not fit together: tokenizer and graph, the graph and what the folder says, or the vector of the canary and
    /// the one that the folder expects.
    pub fn start(
        name: &str,
        folder: ModelFolder,
        hash: String,
        mut sessions: Sessions,
        settings: &EngineSettings,
        listener: Arc<dyn InferenceObserver>,
    ) -> Result<Self, FolderFault> {
        let tokenizer = TextTokenizer::read(&folder).map_err(|why| FolderFault::bad(&folder.tokenizer, why))?;
        let ids = tokenizer.vocabulary();
        if let Some(known) = folder.vocabulary.filter(|known| ids > *known) {
            let why = TokenizerFault::Vocabulary { highest: ids - 1, known };
            return Err(FolderFault::bad(&folder.tokenizer, why));
        }
        let head = OutputHead::read(&folder)?;
        let measured = calibration::measure(&mut sessions, &folder, &head, settings, tokenizer.pad())
            .map_err(|why| FolderFault::bad(&folder.graph, why))?;
        let canary = verify_canary(&mut sessions, &folder, &head, &tokenizer)?;
        check::finite(&mut sessions, &folder, &head, &tokenizer).map_err(|why| FolderFault::bad(&folder.graph, why))?;
        let workers = sessions.each.len();
        let queue = Queue::new(settings.bounds, measured.budget, workers, measured.speed * workers as f64);
        let shared = Arc::new(WorkerShared {
            model: name.to_owned(),
            queue,
            alone: sessions.alone.map(std::sync::Mutex::new),
            session_choice: measured.session_choice,
            head,
            pad: tokenizer.pad(),
            soundness: FailureStreak::default(),
            listener,
        });
        for (number, session) in sessions.each.into_iter().enumerate() {
            let shared = shared.clone();
            let thread = thread::Builder::new().name(format!("embed-{number}"));
            thread
                .spawn(move || worker::run(&shared, session))
                .map_err(|why| FolderFault::bad(&folder.graph, NoThread(why)))?;
        }
        let (runs_on, throughput, estimate, tokenizer) =
            (sessions.runs_on, Throughput::new(), TokenEstimate::new(tokenizer.longest()), Arc::new(tokenizer));
        Ok(Self { folder, hash, runs_on, canary, throughput, estimate, tokenizer, shared, cache: None })
    }

    /// The same with a place for cached vectors.
    #[must_use]
    pub fn with_cache(mut self, cache: Option<Arc<VectorCache>>) -> Self {
        self.cache = cache.map(|cache| (cache.clone(), cache.version(&self.hash)));
        self
    }

    /// Name of the model.
    pub fn name(&self) -> &str {
        &self.shared.model
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Arc<TextTokenizer> {
        &self.tokenizer
    }

    /// What waits and runs.
    pub fn depth(&self) -> QueueDepth {
        self.shared.queue.depth()
    }

    /// Measured tokens a second.
    pub fn speed(&self) -> f64 {
        self.shared.queue.speed()
    }

    /// The measured budget of a batch.
    pub fn budget(&self) -> BatchBudget {
        self.shared.queue.budget()
    }

    /// Threads that run batches.
    pub fn workers(&self) -> usize {
        self.shared.queue.workers()
    }

    /// Tokens of a text, special tokens included, cut where the model stops reading.
    ///
    /// # Errors
    /// What the tokenizer said.
    pub fn tokenize(&self, text: &str) -> Result<Tokens, EmbedFault> {
        let tokens = self.tokenizer.encode("", text, self.tokenizer.side());
        tokens.map_err(|why| EmbedFault::new(ErrorCode::InvalidRequest, why.to_string()))
    }

    /// Vectors for these texts, or a refusal when the deadline comes first: nobody reads a later answer, and a device that hangs
    /// must not hold its clients.
    ///
    /// # Errors
    /// A text that is too long, no room, no time.
    pub async fn embed(&self, texts: Vec<String>, options: EmbedOptions) -> Result<Embedded, EmbedFault> {
        self.in_time(options.deadline, self.answer(texts, &options)).await
    }

    /// What comes of `work` before the deadline; its time counts when it goes well.
    async fn in_time<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, EmbedFault>>,
    ) -> Result<T, EmbedFault> {
        let began = Instant::now();
        let late = |_| Err(self.late());
        let done = tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(late);
        if done.is_ok() {
            self.throughput.add(began.elapsed());
        }
        done
    }

    /// How fast requests were answered in the last minute; nothing when there were none.
    pub fn throughput(&self) -> Option<ThroughputSample> {
        self.throughput.measured()
    }

    /// Why the model is not sound: batch after batch gave nothing usable. Nothing when it is.
    pub fn unsound(&self) -> Option<String> {
        self.shared.soundness.unsound()
    }

    /// Waits until the model is not sound any longer.
    pub async fn lost(&self) {
        self.shared.soundness.lost().await;
    }

    /// Embeds the canary again, through the queue like any other text, and never from the cache: its cosine to the vector made
    /// at load. It waits for an answer beyond the deadline, so that a caller can tell a queue that is full from a worker that
    /// hangs.
    ///
    /// # Errors
    /// Another vector than at load (`INTERNAL`), or what a request may meet: no room, no time.
    pub async fn probe(&self, deadline: Instant) -> Result<f32, EmbedFault> {
        let options = EmbedOptions {
            normalize: false,
            truncate: true,
            side: None,
            prompt_name: None,
            dimensions: None,
            deadline,
        };
        let done = self.fresh(vec![(0, self.canary.text.clone())], 1, &options).await?;
        let fresh = done.vectors.first().map_or(&[][..], Vec::as_slice);
        self.canary.compare(fresh).map_err(|why| EmbedFault::new(ErrorCode::Internal, why.to_string()))
    }

    async fn answer(&self, texts: Vec<String>, options: &EmbedOptions) -> Result<Embedded, EmbedFault> {
        if let Some(wanted) = options.dimensions.filter(|wanted| *wanted == 0 || *wanted > self.folder.dimension) {
            let message =
                format!("dimensions is {wanted}, but the vectors of {} have {}", self.name(), self.folder.dimension);
            return Err(EmbedFault::new(ErrorCode::InvalidRequest, message));
        }
        let mut embedded = self.vectors(texts, options).await?;
        for vector in &mut embedded.vectors {
            if let Some(wanted) = options.dimensions.or(self.folder.prompts.dimensions) {
                vector.truncate(wanted);
            }
            if options.normalize {
                normalize(vector);
            }
        }
        Ok(embedded)
    }

    /// What goes before each text of a request.
    fn prompt(&self, name: Option<&str>) -> Result<&str, EmbedFault> {
        let prompts = &self.folder.prompts;
        prompts.of(name).ok_or_else(|| {
            let names: Vec<_> = prompts.names().collect();
            let there =
                if names.is_empty() { "it has none".to_owned() } else { format!("there are: {}", names.join(", ")) };
            let name = beginning(name.unwrap_or_default());
            let message = format!("the model {} has no prompt {name:?}; {there}", self.name());
            EmbedFault::new(ErrorCode::InvalidRequest, message)
        })
    }

    /// What a request hears whose time is over. When others are before it, asking again later helps.
    fn late(&self) -> EmbedFault {
        let (fault, wait) = (EmbedFault::new(ErrorCode::DeadlineExceeded, LATE), self.shared.queue.wait());
        if wait.is_zero() { fault } else { fault.again_after(wait) }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("name", &self.name()).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Drop for Engine {
    /// What waits is still run; then the threads end and their sessions with them.
    fn drop(&mut self) {
        self.shared.queue.stop();
    }
}

/// A worker has no thread.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a thread: {0}")]
struct NoThread(#[source] std::io::Error);

/// The first vector of the canary's text is not what the folder expects.
#[derive(Debug, thiserror::Error)]
#[error("the canary: {0}")]
struct OfCanary(#[source] CanaryFault);

/// Every session embeds the canary: all have to agree with the folder and with each other.
fn verify_canary(
    sessions: &mut Sessions,
    folder: &ModelFolder,
    head: &OutputHead,
    tokenizer: &TextTokenizer,
) -> Result<Canary, FolderFault> {
    let file = folder.root.join("canary.json");
    let question = CanaryText::read(&file, folder.dimension).map_err(|why| FolderFault::bad(&file, why))?;
    let prompt = folder.prompts.of(None).unwrap_or_default();
    let tokens = tokenizer
        .encode(prompt, &question.text, tokenizer.side())
        .map_err(|why| FolderFault::bad(&folder.tokenizer, why))?;
    if tokens.ids.is_empty() {
        return Err(FolderFault::bad(&folder.tokenizer, TokenizerFault::Nothing { text: question.text }));
    }
    let mut first: Option<Canary> = None;
    for session in sessions.each.iter_mut().chain(&mut sessions.alone) {
        let vector = canary::embed(session.as_mut(), &tokens, tokenizer.pad(), head)
            .map_err(|why| FolderFault::bad(&folder.graph, why))?;
        match &first {
            None => {
                question.check(&vector).map_err(|why| FolderFault::bad(&folder.graph, OfCanary(why)))?;
                first = Some(Canary { text: question.text.clone(), vector });
            }
            Some(canary) => drop(canary.compare(&vector).map_err(|why| FolderFault::bad(&folder.graph, why))?),
        }
    }
    first.ok_or_else(|| FolderFault::bad(&folder.graph, RunFault::NoSession))
}

#[cfg(test)]
mod tests;
