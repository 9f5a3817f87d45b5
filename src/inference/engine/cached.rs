//! Embedding with the cache: cached vectors are reused, and identical texts in progress are computed once.

use std::sync::Arc;
use std::time::Duration;

use super::uncached::{Placed, Uncached, too_long};
use super::{EmbedOptions, Embedded, Engine};
use crate::inference::cache::{CacheFill, CacheKey, CacheLookup, CachedText, VectorCache};
use crate::inference::fault::EmbedFault;

/// A request on its way through the cache.
#[derive(Default)]
struct CachedRequest<'a> {
    /// The texts to run, and what their vectors are for besides.
    run: Vec<Placed>,
    owned: Vec<Option<CacheFill<'a>>>,
    /// The texts that others run.
    joined: Vec<(Placed, CacheKey)>,
}

impl Engine {
    /// Vectors of texts, as the model gives them.
    pub(super) async fn vectors(&self, texts: Vec<String>, options: &EmbedOptions) -> Result<Embedded, EmbedFault> {
        let all = texts.len();
        let mut embedded =
            Embedded { vectors: Vec::new(), tokens: 0, tokenizing: Duration::ZERO, waited: Duration::ZERO };
        let Some((cache, version)) = self.cache.as_ref() else {
            let fresh = self.fresh(texts.into_iter().enumerate().collect(), all, options).await?;
            embedded.vectors = fresh.vectors;
            embedded.tokens = fresh.read.iter().map(|(_, tokens, _)| tokens).sum();
            (embedded.tokenizing, embedded.waited) = (fresh.tokenizing, fresh.waited);
            return Ok(embedded);
        };
        embedded.vectors.resize(all, Vec::new());
        let mut request = self.look(cache, *version, texts, options, &mut embedded)?;
        // Own texts first: nobody may wait for others while others wait for him.
        self.run(std::mem::take(&mut request.run), std::mem::take(&mut request.owned), options, &mut embedded).await?;
        self.join(cache, request.joined, options, &mut embedded).await?;
        Ok(embedded)
    }

    /// What is there, what is to be run, and what others run.
    fn look<'a>(
        &self,
        cache: &'a Arc<VectorCache>,
        version: u32,
        texts: Vec<String>,
        options: &EmbedOptions,
        embedded: &mut Embedded,
    ) -> Result<CachedRequest<'a>, EmbedFault> {
        let side = options.side.unwrap_or(self.tokenizer.side());
        let prompt: Option<Arc<str>> = options.prompt_name.as_deref().map(Arc::from);
        let mut request = CachedRequest::default();
        for (place, text) in texts.into_iter().enumerate() {
            let key = cache.key(version, side, prompt.as_ref(), &text);
            match key.map(|key| (cache.look(&key), key)) {
                Some((CacheLookup::Known(known), _)) => self.take(place, &known, options, embedded)?,
                Some((CacheLookup::UnderWay, key)) => request.joined.push(((place, text), key)),
                Some((CacheLookup::Own(own), _)) => {
                    request.run.push((place, text));
                    request.owned.push(Some(own));
                }
                None => {
                    request.run.push((place, text));
                    request.owned.push(None);
                }
            }
        }
        Ok(request)
    }

    /// Puts a known vector into its place.
    fn take(
        &self,
        place: usize,
        known: &CachedText,
        options: &EmbedOptions,
        embedded: &mut Embedded,
    ) -> Result<(), EmbedFault> {
        if known.cut && !options.truncate {
            return Err(too_long(place, self.tokenizer.longest()));
        }
        embedded.vectors[place] = known.vector.to_vec();
        embedded.tokens += known.tokens;
        Ok(())
    }

    /// Runs texts, and keeps what came of those that are owned.
    async fn run(
        &self,
        texts: Vec<Placed>,
        owned: Vec<Option<CacheFill<'_>>>,
        options: &EmbedOptions,
        embedded: &mut Embedded,
    ) -> Result<(), EmbedFault> {
        if texts.is_empty() {
            return Ok(());
        }
        let Uncached { mut vectors, read, tokenizing, waited } =
            self.fresh(texts, embedded.vectors.len(), options).await?;
        embedded.tokenizing += tokenizing;
        embedded.waited = embedded.waited.max(waited);
        for ((place, tokens, cut), own) in read.into_iter().zip(owned) {
            let vector = std::mem::take(&mut vectors[place]);
            if let Some(own) = own {
                own.keep(CachedText { vector: vector.as_slice().into(), tokens, cut });
            }
            embedded.vectors[place] = vector;
            embedded.tokens += tokens;
        }
        Ok(())
    }

    /// Waits for texts that others run; runs those themselves whose others gave up, or take long.
    async fn join(
        &self,
        cache: &VectorCache,
        mut texts: Vec<(Placed, CacheKey)>,
        options: &EmbedOptions,
        embedded: &mut Embedded,
    ) -> Result<(), EmbedFault> {
        while !texts.is_empty() {
            let (mut run, mut owned, mut rest) = (Vec::new(), Vec::new(), Vec::new());
            let mut late = false;
            for ((place, text), key) in texts {
                // Whoever has waited long for one waits for no other; and who has to run one does not keep others waiting.
                let found = if late || !run.is_empty() { cache.look(&key) } else { cache.join(&key).await };
                match found {
                    CacheLookup::Known(known) => self.take(place, &known, options, embedded)?,
                    CacheLookup::Own(own) => {
                        run.push((place, text));
                        owned.push(Some(own));
                    }
                    CacheLookup::UnderWay if late || run.is_empty() => {
                        late = true;
                        run.push((place, text));
                        owned.push(None);
                    }
                    CacheLookup::UnderWay => rest.push(((place, text), key)),
                }
            }
            self.run(run, owned, options, embedded).await?;
            texts = rest;
        }
        Ok(())
    }
}
