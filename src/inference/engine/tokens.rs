//! A vector for each token of a text, as the graph gives it: not pooled, not normalized, and never from the cache.

use super::{EmbedOptions, Embedded, Engine};
use crate::inference::batch::RequestedVectors;
use crate::inference::fault::EmbedFault;

impl Engine {
    /// The vectors of these texts' tokens, special tokens and prompts included: for each text those of its tokens one after another,
    /// [`width`](crate::inference::folder::ModelFolder::width) numbers each. They are many: before they are made, `room` is told
    /// their bytes, and refuses them, or gives what the caller holds as long as it has them.
    ///
    /// # Errors
    /// As [`embed`](Self::embed); `OVERLOADED` when the answer exceeds the memory limit; `NOT_SUPPORTED` when the graph outputs
    /// pooled vectors only.
    pub async fn embed_tokens<R>(
        &self,
        texts: Vec<String>,
        options: EmbedOptions,
        room: impl FnOnce(usize) -> Result<R, EmbedFault>,
    ) -> Result<(Embedded, R), EmbedFault> {
        let work = async {
            let all = texts.len();
            let read = self.read(texts.into_iter().enumerate().collect(), &options).await?;
            let tokens = read.tokens.iter().map(|(_, tokens)| tokens.ids.len()).sum::<usize>();
            let held = room(tokens.saturating_mul(self.folder.width).saturating_mul(size_of::<f32>()))?;
            let fresh = self.run_read(read, all, RequestedVectors::Tokens, &options).await?;
            let (vectors, tokenizing, waited) = (fresh.vectors, fresh.tokenizing, fresh.waited);
            Ok((Embedded { vectors, tokens, tokenizing, waited }, held))
        };
        self.in_time(options.deadline, work).await
    }
}
