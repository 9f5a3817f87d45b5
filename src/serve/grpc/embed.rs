//! A request for vectors, translated; vectors are moved, not copied.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::proto::{EmbedRequest, EmbedResponse, Encoding, TruncationDirection, Usage, Vector};
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::inference::tokenize::TruncationSide;
use crate::serve::admission::slots::TakenSlots;
use crate::serve::{Embedder, EmbeddingRequest, EmbeddingResponse};

/// Vectors for a request, and what keeps their bytes counted until they are sent. `time` is when the client gives up, `call` the
/// name of the call that it came by.
///
/// # Errors
/// As [`Embedder::embed`], and an unknown encoding.
pub async fn answer(
    embedder: &Embedder,
    request: EmbedRequest,
    time: Option<Duration>,
    call: &str,
) -> Result<(EmbedResponse, Option<Arc<TakenSlots>>), EmbedFault> {
    let encoding = Encoding::try_from(request.encoding).map_err(|_| {
        let message = format!("encoding is 0 to {}, not {}", Encoding::Bytes as i32, request.encoding);
        EmbedFault::new(ErrorCode::InvalidRequest, message)
    })?;
    let direction = TruncationDirection::try_from(request.truncation_direction).map_err(|_| {
        let (most, given) = (TruncationDirection::Left as i32, request.truncation_direction);
        EmbedFault::new(ErrorCode::InvalidRequest, format!("truncation_direction is 0 to {most}, not {given}"))
    })?;
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let request_id = said(request.request_id).unwrap_or_else(|| call.to_owned());
    let ask = EmbeddingRequest {
        model: said(request.model),
        version: said(request.version),
        texts: request.inputs,
        normalize: request.normalize,
        truncate: request.truncate,
        side: match direction {
            TruncationDirection::Left => Some(TruncationSide::Beginning),
            TruncationDirection::Right => Some(TruncationSide::End),
            TruncationDirection::Unspecified => None,
        },
        prompt_name: request.prompt_name,
        dimensions: request.dimensions.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        time,
    };
    let mut reply = embedder.embed(ask).await?;
    let held = reply.held.take();
    Ok((response(reply, encoding, request_id), held))
}

fn response(reply: EmbeddingResponse, encoding: Encoding, request_id: String) -> EmbedResponse {
    let write = |values: Vec<f32>| match encoding {
        Encoding::Bytes => Vector { values: Vec::new(), packed: packed(&values) },
        Encoding::Unspecified | Encoding::Float => Vector { values, packed: Bytes::new() },
    };
    let micros = reply.took.as_micros();
    let usage = Usage {
        total_tokens: i32::try_from(reply.tokens).unwrap_or(i32::MAX),
        duration_ms: i32::try_from((micros + 500) / 1000).unwrap_or(i32::MAX),
        duration_us: i64::try_from(micros).unwrap_or(i64::MAX),
    };
    EmbedResponse {
        embeddings: reply.vectors.into_iter().map(write).collect(),
        model: reply.model,
        usage: Some(usage),
        version: reply.hash,
        request_id,
    }
}

/// 32-bit floats, little endian.
fn packed(values: &[f32]) -> Bytes {
    let mut bytes = Vec::with_capacity(values.len() * 4);
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.into()
}
