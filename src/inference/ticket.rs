//! A ticket connects a waiting request with the workers that produce its vectors.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fault::{EmbedFault, ErrorCode};

/// Vectors of a request in the order of its texts, and the longest wait of one of them in the queue.
pub type TicketResult = Result<(Vec<Vec<f32>>, Duration), EmbedFault>;

/// Collects the vectors of one request.
#[derive(Debug)]
pub struct Ticket {
    inner: Mutex<Inner>,
    missing: AtomicUsize,
    gone: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Inner {
    vectors: Vec<Vec<f32>>,
    waited: Duration,
    answer: Option<oneshot::Sender<TicketResult>>,
}

/// The side that waits. Dropping it tells workers that nobody waits any longer. It does not hold the ticket: when the last text of
/// a request is dropped unanswered, whatever the reason, the sender goes with it and the wait ends.
#[derive(Debug)]
pub struct PendingResult {
    gone: Arc<AtomicBool>,
    answer: oneshot::Receiver<TicketResult>,
}

impl Ticket {
    /// A ticket for so many texts.
    pub fn open(texts: usize) -> (Arc<Self>, PendingResult) {
        Self::part(texts, texts)
    }

    /// A ticket for a request of so many texts, of which so many are to be run; the others' places stay empty.
    pub fn part(texts: usize, missing: usize) -> (Arc<Self>, PendingResult) {
        let (sender, answer) = oneshot::channel();
        let inner = Inner { vectors: vec![Vec::new(); texts], waited: Duration::ZERO, answer: Some(sender) };
        let gone = Arc::new(AtomicBool::new(false));
        let ticket = Self { inner: Mutex::new(inner), missing: AtomicUsize::new(missing), gone: gone.clone() };
        (Arc::new(ticket), PendingResult { gone, answer })
    }

    /// Whether it is a request of so many texts.
    #[cfg(test)]
    pub fn same_count(&self, texts: usize) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).vectors.len() == texts
    }

    /// Whether nobody waits any longer.
    pub fn gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// The vector of a text. The last one sends the answer.
    pub fn put(&self, place: usize, vector: Vec<f32>, waited: Duration) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.vectors[place] = vector;
        inner.waited = inner.waited.max(waited);
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(answer) = inner.answer.take()
        {
            let whole = (std::mem::take(&mut inner.vectors), inner.waited);
            let _ = answer.send(Ok(whole));
        }
    }

    /// Ends the request with a fault; its other texts are skipped.
    pub fn fail(&self, fault: EmbedFault) {
        self.gone.store(true, Ordering::Relaxed);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = inner.answer.take() {
            let _ = answer.send(Err(fault));
        }
    }
}

impl PendingResult {
    /// Waits for the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn answer(mut self) -> TicketResult {
        (&mut self.answer).await.unwrap_or_else(|_| {
            Err(EmbedFault::new(ErrorCode::Internal, "the worker of this request ended; try again"))
        })
    }
}

impl Drop for PendingResult {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_whose_texts_are_dropped_unanswered_is_told_so() {
        let (ticket, waiting) = Ticket::open(2);
        ticket.put(0, vec![1.0], Duration::ZERO);
        drop(ticket);
        assert_eq!(waiting.answer().await.unwrap_err().code, ErrorCode::Internal);
    }

    #[test]
    fn a_ticket_knows_when_nobody_waits() {
        let (ticket, waiting) = Ticket::open(1);
        assert!(!ticket.gone());
        drop(waiting);
        assert!(ticket.gone());
    }
}
