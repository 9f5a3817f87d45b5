//! Texts to vectors by the model itself: tokenize, queue, wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::{EmbedOptions, Engine};
use crate::inference::batch::RequestedVectors;
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::inference::queue::QueueItem;
use crate::inference::ticket::Ticket;
use crate::inference::tokenize::{TextTokenizer, Tokens, TruncationSide};

/// Characters of texts above which a request is tokenized on a thread that may block.
const INLINE_CHARACTERS: usize = 8 * 1024;
/// Long requests that are tokenized at a time, of all models: one a core. More would only hold more memory.
static TOKENIZING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// Vectors as the model gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncached {
    /// By the places of the texts; empty where none was asked for. Vectors of tokens are one after another.
    pub vectors: Vec<Vec<f32>>,
    /// Place of each text, its tokens, and whether it was cut.
    pub read: Vec<(usize, usize, bool)>,
    /// Time to tokenize.
    pub tokenizing: Duration,
    /// Longest wait in the queue.
    pub waited: Duration,
}

/// Texts that were tokenized.
#[derive(Debug)]
pub(super) struct TokenizedTexts {
    /// Each with its place.
    pub tokens: Vec<(usize, Tokens)>,
    /// Time that it took.
    pub took: Duration,
}

/// A text with its place in its request.
pub(super) type Placed = (usize, String);

impl Engine {
    /// Vectors of these texts of a request that has `all` of them.
    pub(super) async fn fresh(
        &self,
        texts: Vec<Placed>,
        all: usize,
        options: &EmbedOptions,
    ) -> Result<Uncached, EmbedFault> {
        let read = self.read(texts, options).await?;
        self.run_read(read, all, RequestedVectors::Pooled, options).await
    }

    /// The tokens of texts; a request that has no chance to be run in time is refused before that.
    pub(super) async fn read(&self, texts: Vec<Placed>, options: &EmbedOptions) -> Result<TokenizedTexts, EmbedFault> {
        let bytes = texts.iter().map(|(_, text)| text.len());
        let estimates = bytes.clone().map(|bytes| self.estimate.tokens(bytes));
        let foreseen = self.shared.queue.check_deadline(estimates, options.deadline);
        if let Err(refused) = foreseen
            && !self.estimate.is_tried()
        {
            return Err(refused);
        }
        let (began, bytes): (_, Vec<usize>) = (Instant::now(), bytes.collect());
        let prompt = self.prompt(options.prompt_name.as_deref())?;
        let tokens = self.tokenize_all(texts, prompt, options).await?;
        let took = began.elapsed();
        for (bytes, (_, tokens)) in bytes.into_iter().zip(&tokens).filter(|(_, (_, tokens))| !tokens.cut) {
            self.estimate.learn(bytes, tokens.ids.len());
        }
        Ok(TokenizedTexts { tokens, took })
    }

    /// The vectors of what was tokenized, of a request that has `all` texts.
    pub(super) async fn run_read(
        &self,
        read: TokenizedTexts,
        all: usize,
        wanted: RequestedVectors,
        options: &EmbedOptions,
    ) -> Result<Uncached, EmbedFault> {
        let TokenizedTexts { tokens, took: tokenizing } = read;
        if tokens.is_empty() {
            return Ok(Uncached { tokenizing, ..Uncached::default() });
        }
        let read = tokens.iter().map(|(place, tokens)| (*place, tokens.ids.len(), tokens.cut)).collect();
        let (ticket, waiting) = Ticket::part(all, tokens.len());
        let since = Instant::now();
        let item = |(place, tokens): (usize, Tokens)| QueueItem {
            ids: tokens.ids,
            prompt: tokens.prompt,
            wanted,
            place,
            ticket: ticket.clone(),
            since,
            deadline: options.deadline,
        };
        self.shared.queue.put(tokens.into_iter().map(item).collect(), options.deadline)?;
        drop(ticket);
        let (vectors, waited) = waiting.answer().await?;
        Ok(Uncached { vectors, read, tokenizing, waited })
    }

    async fn tokenize_all(
        &self,
        texts: Vec<Placed>,
        prompt: &str,
        options: &EmbedOptions,
    ) -> Result<Vec<(usize, Tokens)>, EmbedFault> {
        let tokenizer = self.tokenizer.clone();
        let (side, truncate) = (options.side.unwrap_or(self.tokenizer.side()), options.truncate);
        if texts.iter().map(|(_, text)| text.len()).sum::<usize>() <= INLINE_CHARACTERS {
            return tokenize(&tokenizer, prompt, &texts, side, truncate);
        }
        // It is never closed; without a permit it would only be less bounded.
        let permit = TOKENIZING.acquire().await.ok();
        let prompt = prompt.to_owned();
        let work = move || {
            let tokens = tokenize(&tokenizer, &prompt, &texts, side, truncate);
            drop(permit);
            tokens
        };
        let ended = |why| Err(EmbedFault::new(ErrorCode::Internal, format!("the tokenizer ended: {why}")));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(ended)
    }
}

/// The tokens of each text. A tokenizer that panics ends the request, and no more.
fn tokenize(
    tokenizer: &TextTokenizer,
    prompt: &str,
    texts: &[Placed],
    side: TruncationSide,
    truncate: bool,
) -> Result<Vec<(usize, Tokens)>, EmbedFault> {
    let one = |(place, text): &Placed| {
        let encode = || tokenizer.encode(prompt, text, side);
        let tokens = catch_unwind(AssertUnwindSafe(encode)).map_err(|_| {
            EmbedFault::new(
                ErrorCode::Internal,
                format!("the model's tokenizer fails at text {place}; remove that text"),
            )
        })?;
        let tokens =
            tokens.map_err(|why| EmbedFault::new(ErrorCode::InvalidRequest, format!("text {place}: {why}")))?;
        if tokens.ids.is_empty() {
            let message = format!("text {place} has no tokens for this model; remove or change it");
            return Err(EmbedFault::new(ErrorCode::InvalidRequest, message));
        }
        if tokens.cut && !truncate {
            return Err(too_long(*place, tokenizer.longest()));
        }
        Ok((*place, tokens))
    };
    texts.iter().map(one).collect()
}

/// A text that has more tokens than the model reads, and may not be cut.
pub(super) fn too_long(place: usize, longest: usize) -> EmbedFault {
    let message =
        format!("text {place} has more than the {longest} tokens that the model reads; shorten it, or set truncate");
    EmbedFault::new(ErrorCode::InputTooLong, message)
}
