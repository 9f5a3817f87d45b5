//! The common target of all transports: texts in, vectors out, counted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Metrics;
use super::admission::slots::{Slots, TakenSlots};
use super::admission::{self, AdmissionGate};
use super::aliases::Aliases;
use super::config::RequestLimits;
use super::metrics::EndedRequest;
use super::trace::request_trace::{self, RequestTrace};
use super::unwind::caught;
use crate::inference::batch::RequestedVectors;
use crate::inference::engine::{EmbedOptions, Engine};
use crate::inference::fault::{EmbedFault, ErrorCode, beginning};
use crate::inference::registry::ModelRegistry;
use crate::inference::tokenize::TruncationSide;

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingRequest {
    /// The model; the default one when it is not named.
    pub model: Option<String>,
    /// The version that it has to be: a hash of its files or the beginning of one, or what its source calls it.
    pub version: Option<String>,
    /// The texts.
    pub texts: Vec<String>,
    /// Vectors one unit long; yes when it is not said.
    pub normalize: Option<bool>,
    /// Cut what is too long; yes when it is not said.
    pub truncate: Option<bool>,
    /// Which end of what is too long is cut off; as the model has it when it is not said.
    pub side: Option<TruncationSide>,
    /// The prompt of the model that goes before each text; its default prompt when none is named.
    pub prompt_name: Option<String>,
    /// Only the first numbers of each vector.
    pub dimensions: Option<usize>,
    /// When the client gives up.
    pub time: Option<Duration>,
}

/// What it gets.
#[derive(Clone, Debug)]
pub struct EmbeddingResponse {
    /// In the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// The model that made them.
    pub model: String,
    /// The hash of its files.
    pub hash: String,
    /// Tokens of all texts.
    pub tokens: usize,
    /// Time from the request's arrival here to its answer.
    pub took: Duration,
    /// Keeps the bytes of the vectors counted until they are sent.
    pub held: Option<Arc<TakenSlots>>,
}

/// What it gets when it asks for the vectors of tokens.
#[derive(Debug)]
pub struct TokenEmbeddingResponse {
    /// In the order of the texts: for each those of its tokens, one after another.
    pub vectors: Vec<Vec<f32>>,
    /// Numbers of a token's vector.
    pub width: usize,
    /// Keeps their bytes counted until they are sent.
    pub held: Option<TakenSlots>,
}

/// What the engine gave.
struct EngineOutput {
    reply: EmbeddingResponse,
    times: RequestTimes,
    /// Numbers of a token's vector.
    width: usize,
    held: Option<TakenSlots>,
}

/// Where the time of a request went.
#[derive(Clone, Copy, Default)]
struct RequestTimes {
    /// When the model was there.
    began: Option<Instant>,
    tokenizing: Duration,
    waited: Duration,
}

/// So many answers as large as they may be are held at a time.
const ANSWER_SHARE: usize = 2;

/// Texts to vectors.
pub struct Embedder {
    registry: Arc<ModelRegistry>,
    aliases: Aliases,
    metrics: Arc<Metrics>,
    limits: RequestLimits,
    /// Bytes that are held, when they are bounded.
    bytes: Option<Slots>,
    /// Bytes of vectors that are held: as many, and others, so that slow readers of them keep no request out.
    answers: Option<Slots>,
}

impl Embedder {
    /// An embedder over these models.
    pub fn new(registry: Arc<ModelRegistry>, aliases: Aliases, metrics: Arc<Metrics>, limits: RequestLimits) -> Self {
        Self { registry, aliases, metrics, limits, bytes: None, answers: None }
    }

    /// The same; the bytes of its texts and of its vectors are counted among those of this gate.
    #[must_use]
    pub fn within(mut self, gate: &AdmissionGate) -> Self {
        self.answers = Some(gate.answers().clone());
        self.bytes = Some(gate.bytes().clone());
        self
    }

    /// The models.
    pub fn registry(&self) -> &Arc<ModelRegistry> {
        &self.registry
    }

    /// Other names of the models.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// The model that is meant, by its own name: the default one when none is named. A name that nobody knows stays.
    pub fn model<'a>(&'a self, named: Option<&'a str>) -> Cow<'a, str> {
        let default = self.registry.default_model();
        // Settings of clients often have a space behind a name, and no name has one.
        match named.map(str::trim).filter(|name| !name.is_empty()) {
            None => default.into(),
            Some(name) if name == default || self.registry.look(name).is_some() => name.into(),
            Some(name) => self.aliases.model(name, &self.registry).map_or(name.into(), Cow::Owned),
        }
    }

    /// Loads the default model.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub async fn warm(&self) -> Result<(), EmbedFault> {
        let far = Instant::now() + Duration::from_secs(3600);
        self.registry.engine(self.registry.default_model(), far).await.map(drop)
    }

    /// The engine that a request means.
    ///
    /// # Errors
    /// Unknown model, other version, not loadable.
    pub async fn engine(
        &self,
        model: Option<&str>,
        version: Option<&str>,
        deadline: Instant,
    ) -> Result<Arc<Engine>, EmbedFault> {
        let name = self.model(model);
        let engine = self.registry.engine(&name, deadline).await?;
        match version.filter(|wanted| !wanted.is_empty() && *wanted != "latest" && !engine.hash.starts_with(wanted)) {
            None => Ok(engine),
            Some(wanted) => {
                let wanted = beginning(wanted);
                let message = format!("{name} is served as version {}, not {wanted:?}", &engine.hash[..12]);
                Err(EmbedFault::new(ErrorCode::ModelNotFound, message))
            }
        }
    }

    /// Vectors for texts.
    ///
    /// # Errors
    /// Limits, an unknown model, no room, no time.
    pub async fn embed(&self, ask: EmbeddingRequest) -> Result<EmbeddingResponse, EmbedFault> {
        self.counted(ask, RequestedVectors::Pooled).await.map(|done| done.reply)
    }

    /// A vector for each token of texts, as the graph gives it.
    ///
    /// # Errors
    /// As [`embed`](Self::embed); more bytes than may be held; a graph that gives none.
    pub async fn embed_tokens(&self, ask: EmbeddingRequest) -> Result<TokenEmbeddingResponse, EmbedFault> {
        let EngineOutput { reply, width, held, .. } = self.counted(ask, RequestedVectors::Tokens).await?;
        Ok(TokenEmbeddingResponse { vectors: reply.vectors, width, held })
    }

    async fn counted(&self, mut ask: EmbeddingRequest, wanted: RequestedVectors) -> Result<EngineOutput, EmbedFault> {
        let began = Instant::now();
        let texts = std::mem::take(&mut ask.texts);
        let count = texts.len();
        let named = ask.model.take();
        let model = &*self.model(named.as_deref());
        let under_way = self.metrics.enter(model);
        let answer = caught(self.answer(model, &ask, texts, wanted, began)).await.and_then(|answer| answer);
        let took = began.elapsed();
        let times = answer.as_ref().map(|done| done.times).unwrap_or_default();
        let code = answer.as_ref().err().map(|fault| fault.code);
        let RequestTimes { tokenizing, waited, .. } = times;
        under_way.end(&EndedRequest { model, code, texts: count, took, tokenizing, waited });
        request_trace::tell(code.is_some(), || RequestTrace {
            // A name that a client made up goes no further than to the client.
            model: if self.metrics.knows(model) { model } else { "unknown" }.to_owned(),
            texts: count,
            tokens: answer.as_ref().map_or(0, |done| done.reply.tokens),
            code,
            began: times.began.unwrap_or(began),
            tokenizing,
            waited,
            ended: began + took,
        });
        answer.map(|done| EngineOutput { reply: EmbeddingResponse { took, ..done.reply }, ..done })
    }

    async fn answer(
        &self,
        model: &str,
        ask: &EmbeddingRequest,
        texts: Vec<String>,
        wanted: RequestedVectors,
        began: Instant,
    ) -> Result<EngineOutput, EmbedFault> {
        self.within_limits(&texts)?;
        let _held = self.hold(&texts)?;
        let deadline = began + ask.time.unwrap_or(self.limits.time).min(self.limits.time);
        let engine = self.engine(Some(model), ask.version.as_deref(), deadline).await?;
        let options = EmbedOptions {
            normalize: ask.normalize.unwrap_or(true),
            truncate: ask.truncate.unwrap_or(true),
            side: ask.side,
            prompt_name: ask.prompt_name.clone(),
            dimensions: ask.dimensions,
            deadline,
        };
        let ready = Instant::now();
        let (done, held) = match wanted {
            RequestedVectors::Pooled => {
                let held = self.shelf(texts.len(), ask.dimensions, engine.folder.dimension)?;
                (engine.embed(texts, options).await?, held)
            }
            RequestedVectors::Tokens => engine.embed_tokens(texts, options, |bytes| self.room(bytes)).await?,
        };
        let (held, shelf) = match wanted {
            RequestedVectors::Pooled => (None, held.map(Arc::new)),
            RequestedVectors::Tokens => (held, None),
        };
        let reply = EmbeddingResponse {
            held: shelf,
            vectors: done.vectors,
            model: engine.name().to_owned(),
            hash: engine.hash.clone(),
            tokens: done.tokens,
            took: Duration::ZERO,
        };
        let times = RequestTimes { began: Some(ready), tokenizing: done.tokenizing, waited: done.waited };
        Ok(EngineOutput { reply, times, width: engine.folder.width, held })
    }

    /// Counts the bytes of the texts while they are held: the gate knows only what the headers say.
    fn hold(&self, texts: &[String]) -> Result<Option<TakenSlots>, EmbedFault> {
        let Some(bytes) = &self.bytes else { return Ok(None) };
        take(bytes, texts.iter().map(String::len).sum())
    }

    /// Counts the bytes of so many vectors before they are made.
    fn shelf(&self, texts: usize, wanted: Option<usize>, dimension: usize) -> Result<Option<TakenSlots>, EmbedFault> {
        let Some(bytes) = &self.answers else { return Ok(None) };
        // Who makes the vectors refuses a length that they cannot have.
        let numbers = wanted.unwrap_or(dimension).min(dimension);
        take(bytes, texts.saturating_mul(numbers).saturating_mul(size_of::<f32>()))
    }

    /// Counts the bytes of an answer that is much larger than its request.
    fn room(&self, wanted: usize) -> Result<Option<TakenSlots>, EmbedFault> {
        let Some(bytes) = &self.answers else { return Ok(None) };
        let most = bytes.most() / ANSWER_SHARE;
        if wanted > most {
            let message = format!(
                "the vectors of all tokens have {wanted} bytes; at most {most} are returned, a part of \
                 --max-in-flight-bytes: send fewer or shorter texts"
            );
            return Err(EmbedFault::new(ErrorCode::InputTooLong, message));
        }
        take(bytes, wanted)
    }

    fn within_limits(&self, texts: &[String]) -> Result<(), EmbedFault> {
        if texts.is_empty() {
            return Err(EmbedFault::new(
                ErrorCode::InvalidRequest,
                "the list of texts is empty; send at least one text",
            ));
        }
        if texts.len() > self.limits.texts {
            let message = format!(
                "{} texts in one request; at most {} are accepted: send several requests",
                texts.len(),
                self.limits.texts
            );
            return Err(EmbedFault::new(ErrorCode::InvalidRequest, message));
        }
        match texts.iter().position(|text| text.len() > self.limits.text) {
            None => Ok(()),
            Some(place) => {
                let message =
                    format!("text {place} has {} bytes; at most {} are accepted", texts[place].len(), self.limits.text);
                Err(EmbedFault::new(ErrorCode::InputTooLong, message))
            }
        }
    }
}

/// Takes these bytes, or says when to ask again.
fn take(bytes: &Slots, count: usize) -> Result<Option<TakenSlots>, EmbedFault> {
    bytes.take_many(count).map(Some).ok_or_else(|| {
        let message = admission::heavy(bytes).message;
        EmbedFault::new(ErrorCode::Overloaded, message).again_after(Duration::from_secs(1))
    })
}
