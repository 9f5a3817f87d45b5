//! A thread that takes batches from the queue and runs them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::backend::{Backend, GraphOutput, RunFault};
use super::batch::{Batch, RequestedVectors};
use super::failure_streak::FailureStreak;
use super::fault::{EmbedFault, ErrorCode};
use super::head::OutputHead;
use super::observer::{BatchRun, InferenceObserver};
use super::queue::{BatchTimes, Queue, QueueItem, QueuedBatch, QueuedTokens};
use super::session_choice::SessionChoice;

/// What all workers of a model share.
pub struct WorkerShared {
    /// Name of the model.
    pub model: String,
    /// Where work comes from.
    pub queue: Queue,
    /// A session that uses all cores, for a request that is alone.
    pub alone: Option<Mutex<Box<dyn Backend>>>,
    /// Whether it is the faster one.
    pub session_choice: SessionChoice,
    /// What makes vectors of a graph's output.
    pub head: OutputHead,
    /// Id that fills rows up.
    pub pad: u32,
    /// Whether its vectors are usable.
    pub soundness: FailureStreak,
    /// Who wants to know.
    pub listener: Arc<dyn InferenceObserver>,
}

/// What a worker keeps between batches.
#[derive(Default)]
struct Buffers {
    batch: Batch,
    vectors: Vec<Vec<f32>>,
}

/// Runs until the queue is stopped and empty. A panic ends the requests of its batch and no more.
pub fn run(shared: &WorkerShared, mut own: Box<dyn Backend>) {
    let mut buffers = Buffers::default();
    while let Some(QueuedBatch { items, alone, skipped, load }) = shared.queue.take() {
        let mut taken = TakenBatch { shared, items, load, alone, skipped, run: None, told: false };
        // Sessions keep nothing from one run to the next; the buffers may be half filled, and are made anew.
        let ended = catch_unwind(AssertUnwindSafe(|| with_session(own.as_mut(), &mut taken, &mut buffers)));
        if let Err(panic) = ended {
            buffers = Buffers::default();
            broken(shared, &format!("it panicked: {}", words(&*panic)));
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

/// A batch gave nothing. Whoever listens may panic, too.
fn broken(shared: &WorkerShared, why: &str) {
    shared.soundness.bad(why);
    let _ = catch_unwind(AssertUnwindSafe(|| shared.listener.broken(&shared.model, why)));
}

/// What a worker has taken: however its run ends, the queue hears of it and each of its requests gets an answer, when it is
/// dropped at the latest.
struct TakenBatch<'a> {
    shared: &'a WorkerShared,
    items: Vec<QueueItem>,
    load: QueuedTokens,
    alone: bool,
    skipped: usize,
    run: Option<BatchTimes>,
    told: bool,
}

impl TakenBatch<'_> {
    /// The queue hears of it before its requests do: what they ask next finds a worker that is free.
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.shared.queue.done(&self.load, self.run);
        }
    }

    fn fail(&mut self, fault: &EmbedFault) {
        self.tell();
        for item in self.items.drain(..) {
            item.ticket.fail(fault.clone());
        }
    }
}

impl Drop for TakenBatch<'_> {
    fn drop(&mut self) {
        let message = "internal error while the model ran this batch; see the server's log";
        self.fail(&EmbedFault::new(ErrorCode::Internal, message));
    }
}

fn with_session(own: &mut dyn Backend, taken: &mut TakenBatch<'_>, buffers: &mut Buffers) {
    let shared = taken.shared;
    let pays = taken.alone && shared.session_choice.all_cores(taken.load.total());
    let alone = if pays { shared.alone.as_ref().and_then(|session| session.try_lock().ok()) } else { None };
    let Some(mut session) = alone else { return one(own, false, taken, buffers) };
    // A panic within must not poison the lock.
    let ended = catch_unwind(AssertUnwindSafe(|| one(session.as_mut(), true, taken, buffers)));
    drop(session);
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

fn one(backend: &mut dyn Backend, all_cores: bool, taken: &mut TakenBatch<'_>, buffers: &mut Buffers) {
    let (began, shared) = (Instant::now(), taken.shared);
    let Buffers { batch, vectors } = buffers;
    taken.items.sort_by_key(|item| std::cmp::Reverse(item.ids.len()));
    batch.fill(taken.items.iter().map(|item| &*item.ids), shared.pad);
    vectors.clear();
    let filled = Instant::now();
    batch.skips.clear();
    batch.skips.extend(taken.items.iter().map(|item| item.prompt));
    batch.wanted.clear();
    batch.wanted.extend(taken.items.iter().map(|item| item.wanted));
    let (mut pooled, mut pooling, mut of_tokens) = (Duration::ZERO, Ok(()), false);
    let ran = backend.run(batch, &mut |output| {
        let begin = Instant::now();
        of_tokens = matches!(output, GraphOutput::Tokens(_));
        pooling = shared.head.vectors(output, batch, vectors);
        pooled = begin.elapsed();
    });
    let inference = filled.elapsed().saturating_sub(pooled);
    let around = filled.duration_since(began) + pooled;
    let made = vectors.len();
    let ran = ran.and_then(|()| pooling.map_err(RunFault::from)).and_then(|()| {
        if made == batch.rows { Ok(()) } else { Err(RunFault::Count { found: made, wanted: batch.rows }) }
    });
    if let Err(why) = ran {
        broken(shared, &why.to_string());
        return taken.fail(&EmbedFault::new(ErrorCode::Internal, format!("the model could not run this batch: {why}")));
    }
    let took = began.elapsed();
    taken.run = Some(BatchTimes { rows: batch.rows, took, all_cores });
    if taken.alone {
        shared.session_choice.learn(taken.load.total(), all_cores, took.as_secs_f64());
    }
    taken.tell();
    let run = BatchRun {
        rows: batch.rows,
        tokens: batch.tokens(),
        computed: batch.rows * batch.width,
        inference,
        around,
        skipped: taken.skipped,
        not_finite: vectors.iter().filter(|vector| !is_finite(vector)).count(),
        waited: taken.items.iter().map(|item| began.duration_since(item.since)).max().unwrap_or_default(),
    };
    if run.not_finite < run.rows {
        shared.soundness.good();
    } else {
        shared.soundness.bad("its vectors have NaN or infinite numbers in them");
    }
    answer(&mut taken.items, vectors, of_tokens, began);
    shared.listener.batch(&shared.model, &run);
}

/// Without a branch in the loop: every vector passes here.
fn is_finite(vector: &[f32]) -> bool {
    vector.iter().fold(true, |finite, value| finite & value.is_finite())
}

/// Each text gets its vectors, or its request a fault: when one is not finite, or those of tokens are wanted and the graph gives
/// others.
fn answer(items: &mut Vec<QueueItem>, vectors: &mut Vec<Vec<f32>>, of_tokens: bool, began: Instant) {
    for (item, vector) in items.drain(..).zip(vectors.drain(..)) {
        if item.wanted == RequestedVectors::Tokens && !of_tokens {
            let message = "this model's graph returns no token vectors, because it pools them itself; POST /embed \
                           returns the text's vector; export the model with the output last_hidden_state for both";
            item.ticket.fail(EmbedFault::new(ErrorCode::NotSupported, message));
            continue;
        }
        if is_finite(&vector) {
            item.ticket.put(item.place, vector, began.duration_since(item.since));
            continue;
        }
        let message = format!(
            "the model returned a vector with NaN or infinity for text {}: its weights are damaged or its arithmetic \
             overflows; remove that text, or serve another model",
            item.place
        );
        item.ticket.fail(EmbedFault::new(ErrorCode::NotFinite, message));
    }
}
