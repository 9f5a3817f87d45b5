//! A thread that takes batches from the queue and runs them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::batch::Batch;
use super::event::{BatchRun, Listener};
use super::fault::{Code, EmbedFault};
use super::head::Head;
use super::queue::{Item, Queue, Work};

/// What all workers of a model share.
pub struct Shared {
    /// Name of the model.
    pub model: String,
    /// Where work comes from.
    pub queue: Queue,
    /// A session that uses all cores, for a request that is alone.
    pub alone: Option<Mutex<Box<dyn Backend>>>,
    /// Tokens from which that session is the faster one.
    pub alone_from: usize,
    /// What makes vectors of a graph's output.
    pub head: Head,
    /// Id that fills rows up.
    pub pad: u32,
    /// Who wants to know.
    pub listener: Arc<dyn Listener>,
}

/// Runs until the queue is stopped and empty.
pub fn run(shared: &Shared, mut own: Box<dyn Backend>) {
    let mut batch = Batch::default();
    let mut vectors = Vec::new();
    while let Some(work) = shared.queue.take() {
        let pays = work.alone && work.items.iter().map(|item| item.ids.len()).sum::<usize>() >= shared.alone_from;
        let alone = if pays { shared.alone.as_ref().and_then(|session| session.try_lock().ok()) } else { None };
        match alone {
            Some(mut session) => one(shared, session.as_mut(), work, &mut batch, &mut vectors),
            None => one(shared, own.as_mut(), work, &mut batch, &mut vectors),
        }
    }
}

fn one(shared: &Shared, backend: &mut dyn Backend, work: Work, batch: &mut Batch, vectors: &mut Vec<Vec<f32>>) {
    let began = Instant::now();
    let mut items = work.items;
    items.sort_by_key(|item| std::cmp::Reverse(item.ids.len()));
    batch.fill(items.iter().map(|item| &*item.ids), shared.pad);
    let filled = Instant::now();
    batch.skips.clear();
    batch.skips.extend(items.iter().map(|item| item.prompt));
    let (mut pooled, mut made) = (Duration::ZERO, Ok(()));
    let ran = backend.run(batch, &mut |output| {
        let begin = Instant::now();
        made = shared.head.vectors(output, batch, vectors);
        pooled = begin.elapsed();
    });
    let ran = ran.and(made);
    let inference = filled.elapsed().saturating_sub(pooled);
    let around = filled.duration_since(began) + pooled;
    let tokens = batch.tokens();
    shared.queue.done(tokens, began.elapsed());
    let waited = items.iter().map(|item| began.duration_since(item.since)).max().unwrap_or_default();
    answer(items, ran, vectors, began);
    let run = BatchRun {
        rows: batch.rows,
        tokens,
        computed: batch.rows * batch.width,
        inference,
        around,
        skipped: work.skipped,
        waited,
    };
    shared.listener.batch(&shared.model, &run);
}

fn answer(items: Vec<Item>, ran: Result<(), String>, vectors: &mut Vec<Vec<f32>>, began: Instant) {
    match ran {
        Ok(()) => {
            for (item, vector) in items.into_iter().zip(vectors.drain(..)) {
                item.ticket.put(item.place, vector, began.duration_since(item.since));
            }
        }
        Err(why) => {
            for item in items {
                item.ticket.fail(EmbedFault::new(Code::Internal, format!("the model could not run this batch: {why}")));
            }
        }
    }
}
