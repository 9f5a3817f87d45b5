//! Selects the queued texts of the next batch.

use std::time::Instant;

use super::{Pending, Queue, QueuedBatch, QueuedTokens, State};
use crate::inference::fault::{EmbedFault, ErrorCode};

/// Texts that are looked at for one batch, and so the most that it holds.
pub const MOST_ROWS: usize = 256;

/// How large a batch pays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchBudget {
    /// Tokens of a batch, padding included.
    pub tokens: usize,
    /// Texts per batch at most.
    pub rows: usize,
    /// What a batch of its own costs, in tokens: so much padding is worth a merge.
    pub overhead: usize,
}

/// A text that may be in the next batch.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Its key in line.
    key: (u64, u64),
    tokens: usize,
    /// Tokens of a batch that ends before this text is too late.
    most: usize,
}

impl Queue {
    /// The next batch: the first in line, with those of like length.
    pub(super) fn choose(&self, state: &mut State) -> Option<QueuedBatch> {
        let mut skipped = 0;
        let window = self.window(state, &mut skipped);
        let first = window.first().copied()?;
        let total: usize = window.iter().map(|candidate| candidate.tokens).sum();
        // Free workers share what there is: two half batches at the same time are sooner done than a whole one.
        let share = total.div_ceil(state.idle + 1);
        let chosen = group(first, window, self.budget, share);
        let taken: Vec<_> = chosen.iter().filter_map(|candidate| state.pending.remove(&candidate.key)).collect();
        let load = QueuedTokens::of(taken.iter().map(|pending| pending.item.ids.len()));
        state.waiting.without(&load);
        state.running.with(&load);
        let now = Instant::now();
        let taken = taken.into_iter().map(|Pending { item, foreseen }| {
            if let Some(foreseen) = foreseen {
                state.speeds.waited(now.duration_since(item.since).as_secs_f64(), foreseen);
            }
            item
        });
        let items = taken.collect();
        let alone = state.calm() && state.pending.is_empty() && state.busy == 0;
        state.busy += 1;
        Some(QueuedBatch { items, alone, skipped, load })
    }

    /// The first in line; those that nobody waits for, or that are too late, are taken out.
    fn window(&self, state: &mut State, skipped: &mut usize) -> Vec<Candidate> {
        let now = Instant::now();
        let mut found: Vec<Candidate> = Vec::new();
        let mut dead = Vec::new();
        let mut tokens = 0;
        for (key, Pending { item, .. }) in &state.pending {
            if item.ticket.gone() || item.deadline <= now {
                dead.push(*key);
                continue;
            }
            let throughput = state.speeds.rate(item.ids.len()) / self.workers as f64;
            let most = item.deadline.duration_since(now).as_secs_f64() * throughput;
            found.push(Candidate { key: *key, tokens: item.ids.len(), most: most as usize });
            tokens += item.ids.len();
            if tokens >= self.budget.tokens * 2 || found.len() >= MOST_ROWS {
                break;
            }
        }
        *skipped += dead.len();
        let wait = state.wait();
        for Pending { item, .. } in dead.iter().filter_map(|key| state.pending.remove(key)) {
            state.waiting.take(item.ids.len());
            let waited = now.duration_since(item.since).as_millis();
            let message = format!("the request timed out after {waited} ms in the queue");
            item.ticket.fail(EmbedFault::new(ErrorCode::DeadlineExceeded, message).again_after(wait));
        }
        found
    }
}

/// The first in line and its neighbors by length, as long as another row costs less than a batch of its own, and makes no text
/// of the batch too late.
fn group(first: Candidate, mut window: Vec<Candidate>, budget: BatchBudget, share: usize) -> Vec<Candidate> {
    window.sort_by_key(|candidate| (candidate.tokens, candidate.key));
    let Some(at) = window.iter().position(|candidate| candidate.key == first.key) else { return vec![first] };
    let (mut low, mut high) = (at, at + 1);
    let (mut real, mut most) = (first.tokens, first.most.min(budget.tokens));
    loop {
        let rows = high - low;
        let width = window[high - 1].tokens;
        if real >= share || rows >= budget.rows {
            break;
        }
        let shorter = low.checked_sub(1).map(|next| (width - window[next].tokens, width, next));
        let longer = window.get(high).map(|next| ((next.tokens - width) * rows, next.tokens, high));
        let options = [shorter, longer];
        let fits = |option: &(usize, usize, usize)| {
            option.0 <= budget.overhead && (rows + 1) * option.1 <= most.min(window[option.2].most)
        };
        let Some((_, _, next)) = options.into_iter().flatten().filter(fits).min_by_key(|option| option.0) else {
            break;
        };
        real += window[next].tokens;
        most = most.min(window[next].most);
        if next < low { low = next } else { high = next + 1 }
    }
    window.drain(low..high).collect()
}
