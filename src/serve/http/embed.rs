//! `POST /api/v1/embed`, and the cacheable `GET`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fault::Rejection;
use super::parse::{Texts, invalid, json, side};
use super::percent;
use super::request::shows_key;
use crate::inference::fault::beginning;
use crate::inference::tokenize::TruncationSide;
use crate::serve::{App, EmbeddingRequest};

/// So much of a version's hash means one version only.
const NAMED: usize = 12;

/// The parameters of `GET /api/v1/embed`, sorted. Each changes the answer and there are no others, so they are the cache key of that
/// address: `plans/week13.yaml` and `templates/lambda/gateway/index.mjs` have the same list, and a test compares the three. CloudFront
/// takes at most ten query strings into the key of a cache policy (quota "Query strings per cache policy").
pub const QUERY_PARAMETERS: [&str; 10] = [
    "dimensions",
    "encoding",
    "input",
    "inputs",
    "model",
    "normalize",
    "prompt_name",
    "truncate",
    "truncation_direction",
    "version",
];
/// With a version the answer is true for ever; a year is the longest that caches keep.
const FOR_EVER: &str = "max-age=31536000, immutable";
/// Without one a new version of the model may answer tomorrow: five minutes, as long as model sync takes to look again.
const FOR_NOW: &str = "max-age=300";

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default)]
pub enum Encoding {
    /// Lists of numbers.
    #[default]
    Float,
    /// 32-bit floats, little endian, in base64.
    Base64,
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Name)
    }
}

/// Of an encoding.
struct Name;

impl Visitor<'_> for Name {
    type Value = Encoding;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(r#""float" or "base64""#)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Encoding, E> {
        match name {
            "float" => Ok(Encoding::Float),
            "base64" => Ok(Encoding::Base64),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }
}

/// What `POST /api/v1/embed` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    model: Option<String>,
    version: Option<String>,
    inputs: Option<Texts>,
    texts: Option<Texts>,
    input: Option<Texts>,
    text: Option<Texts>,
    normalize: Option<bool>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    encoding: Option<Encoding>,
    dimensions: Option<usize>,
}

impl Request {
    /// The texts, by whichever of their names.
    fn texts(&mut self) -> Result<Vec<String>, Rejection> {
        let names = ["inputs", "texts", "input", "text"];
        let fields = [self.inputs.take(), self.texts.take(), self.input.take(), self.text.take()];
        let mut given = names.into_iter().zip(fields).filter_map(|(name, texts)| Some((name, texts?)));
        match (given.next(), given.next()) {
            (Some((name, texts)), None) => texts.some(name),
            (Some((one, _)), Some((other, _))) => {
                Err(invalid(format!("the body: {one} and {other} are the same field; send one of them")))
            }
            (None, _) => Err(invalid("the body: inputs is missing; it is a text or a list of texts")),
        }
    }
}

/// Vectors in one of the encodings.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Vectors {
    /// Lists of numbers.
    Floats(Vec<Vec<f32>>),
    /// Base64.
    Base64(Vec<String>),
}

impl Vectors {
    /// These vectors, encoded.
    pub fn of(vectors: Vec<Vec<f32>>, encoding: Encoding) -> Self {
        match encoding {
            Encoding::Float => Self::Floats(vectors),
            Encoding::Base64 => Self::Base64(vectors.iter().map(|vector| base64(vector)).collect()),
        }
    }
}

/// 32-bit floats, little endian, in base64.
pub fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[derive(Debug, Serialize)]
struct Usage {
    total_tokens: usize,
    duration_ms: f64,
}

#[derive(Debug, Serialize)]
struct Answer {
    embeddings: Vectors,
    model: String,
    version: String,
    usage: Usage,
}

/// The time that a client gives, in its header `x-request-timeout-ms`.
pub fn time(headers: &HeaderMap) -> Result<Option<Duration>, Rejection> {
    let Some(value) = headers.get("x-request-timeout-ms") else { return Ok(None) };
    let milliseconds = value.to_str().ok().and_then(|text| text.parse().ok());
    milliseconds
        .map(|milliseconds| Some(Duration::from_millis(milliseconds)))
        .ok_or_else(|| invalid("x-request-timeout-ms is not a number of milliseconds"))
}

/// Vectors for texts.
pub async fn post(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Rejection> {
    let mut request: Request = json(&headers, &body)?;
    let ask = EmbeddingRequest {
        texts: request.texts()?,
        model: request.model,
        version: request.version,
        normalize: request.normalize,
        truncate: request.truncate,
        side: side(request.truncation_direction.as_deref())?,
        prompt_name: request.prompt_name,
        dimensions: request.dimensions,
        time: time(&headers)?,
    };
    let reply = app.embedder.embed(ask).await?;
    let usage = Usage { total_tokens: reply.tokens, duration_ms: (reply.took.as_secs_f64() * 1e5).round() / 100.0 };
    let embeddings = Vectors::of(reply.vectors, request.encoding.unwrap_or_default());
    Ok(Json(Answer { embeddings, model: reply.model, version: reply.hash, usage }).into_response())
}

/// What `GET /api/v1/embed` takes.
#[derive(Debug, Default)]
struct Query {
    model: Option<String>,
    version: Option<String>,
    inputs: Vec<String>,
    normalize: Option<bool>,
    truncate: Option<bool>,
    side: Option<TruncationSide>,
    prompt_name: Option<String>,
    dimensions: Option<usize>,
    encoding: Encoding,
}

fn query(text: &str) -> Result<Query, Rejection> {
    let mut query = Query::default();
    let pairs = percent::pairs(text).ok_or_else(|| invalid("the query is not UTF-8"))?;
    let mut known = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        if key == "input" || key == "inputs" {
            query.inputs.push(value);
            continue;
        }
        if known.contains(&key) {
            return Err(invalid(format!("{} is given twice", beginning(&key))));
        }
        match key.as_str() {
            "model" => query.model = Some(value),
            "version" => query.version = Some(value),
            "normalize" => query.normalize = Some(flag(&key, &value)?),
            "truncate" => query.truncate = Some(flag(&key, &value)?),
            "truncation_direction" => query.side = side(Some(&value))?,
            "prompt_name" => query.prompt_name = Some(value),
            "dimensions" => query.dimensions = Some(number(&key, &value)?),
            "encoding" if value == "float" => query.encoding = Encoding::Float,
            "encoding" if value == "base64" => query.encoding = Encoding::Base64,
            "encoding" => return Err(invalid(format!("encoding is float or base64, not {:?}", beginning(&value)))),
            _ => {
                let known = QUERY_PARAMETERS.join(", ");
                return Err(invalid(format!("unknown parameter {:?}; allowed: {known}", beginning(&key))));
            }
        }
        known.push(key);
    }
    if query.inputs.is_empty() {
        return Err(invalid("input is missing: /api/v1/embed?model=NAME&input=TEXT"));
    }
    Ok(query)
}

fn flag(key: &str, value: &str) -> Result<bool, Rejection> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(invalid(format!("{key} is true or false, not {:?}", beginning(value)))),
    }
}

fn number(key: &str, value: &str) -> Result<usize, Rejection> {
    value.parse().map_err(|_| invalid(format!("{key} is a whole number, not {:?}", beginning(value))))
}

#[derive(Debug, Serialize)]
struct Cacheable {
    embeddings: Vectors,
    model: String,
    version: String,
    usage: CacheableUsage,
}

#[derive(Debug, Serialize)]
struct CacheableUsage {
    total_tokens: usize,
}

/// Vectors for texts in the address: the same question has the same answer, byte for byte, as long as the model is the same.
pub async fn get(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(text): RawQuery,
) -> Result<Response, Rejection> {
    let text = text.unwrap_or_default();
    let query = query(&text)?;
    let time = time(&headers)?;
    let most = app.config.limits.time;
    let deadline = Instant::now() + time.unwrap_or(most).min(most);
    let engine = app.embedder.engine(query.model.as_deref(), query.version.as_deref(), deadline).await?;
    let question = question(&query);
    // Whoever names the version gets an answer that is true for ever; otherwise the model may be another one tomorrow.
    let named = query.version.as_deref().is_some_and(|version| version.len() >= NAMED && version != "latest");
    let age = if named { FOR_EVER } else { FOR_NOW };
    // What needed a key is not for a cache that asks for none.
    let whose = if shows_key(&headers) { "private" } else { "public" };
    let caching = |tag: String| [(header::ETAG, tag), (header::CACHE_CONTROL, format!("{whose}, {age}"))];
    let tag = tagged(&engine.hash, &question);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| matches(known.to_str().unwrap_or_default(), &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, caching(tag)).into_response());
    }
    let ask = EmbeddingRequest {
        model: query.model,
        version: query.version,
        texts: query.inputs,
        normalize: query.normalize,
        truncate: query.truncate,
        side: query.side,
        prompt_name: query.prompt_name,
        dimensions: query.dimensions,
        time,
    };
    let reply = app.embedder.embed(ask).await?;
    let usage = CacheableUsage { total_tokens: reply.tokens };
    let embeddings = Vectors::of(reply.vectors, query.encoding);
    // The model may have been swapped since: the tag is that of the one which answered.
    let caching = caching(tagged(&reply.hash, &question));
    Ok((caching, Json(Cacheable { embeddings, model: reply.model, version: reply.hash, usage })).into_response())
}

/// The question without the model that answers it.
fn question(query: &Query) -> String {
    let Query { normalize, truncate, side, prompt_name, dimensions, encoding, inputs, .. } = query;
    format!("{normalize:?} {truncate:?} {side:?} {prompt_name:?} {dimensions:?} {encoding:?} {inputs:?}")
}

/// A tag of the question and of the model that answers it.
fn tagged(hash: &str, question: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{hash} {question}"));
    format!("\"{}\"", hex::encode(&hasher.finalize()[..16]))
}

/// Whether a list of tags has this one.
pub fn matches(known: &str, tag: &str) -> bool {
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_the_key_is_read_and_changes_the_question_or_the_model() {
        let plain = query("input=a").unwrap();
        for name in QUERY_PARAMETERS {
            let value = match name {
                "normalize" | "truncate" => "false",
                "truncation_direction" => "left",
                "dimensions" => "3",
                "encoding" => "base64",
                _ => "b",
            };
            let other = query(&format!("input=a&{name}={value}")).unwrap_or_else(|_| panic!("{name}"));
            let model = |query: &Query| (query.model.clone(), query.version.clone());
            assert!(question(&other) != question(&plain) || model(&other) != model(&plain), "{name}");
        }
        assert!(query("input=a&user=b").is_err(), "what is not in the key is refused");
        assert!(QUERY_PARAMETERS.is_sorted());
    }
}
