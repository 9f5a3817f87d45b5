//! Weights that all sessions of a graph share: read once, handed to each session as they are, and packed for the processor once.
//!
//! ONNX Runtime keeps packed weights in common only for initializers that it was given by its caller. It finds them by name; what
//! its optimizers make of others stays in each session.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use half::{bf16, f16};
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};
use prost::Message;

use crate::files::within;

/// Smaller tensors are not worth a share: optimizers look into them.
const SMALLEST: usize = 16 << 10;

/// The parts of `onnx.proto3` that say where weights are.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    data_type: Option<i32>,
    #[prost(string, optional, tag = "8")]
    name: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "9")]
    raw_data: Option<Bytes>,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, optional, tag = "1")]
    key: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

/// Types of tensors in `onnx.proto3`.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT32: i32 = 6;
const INT64: i32 = 7;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

/// Weights by name, and where they lie once they are packed.
pub struct SharedWeights {
    weights: Vec<(String, Arc<DynValue>)>,
    /// Those that are in files beside the graph.
    external: Vec<(String, Arc<DynValue>)>,
    packed: PrepackedWeights,
}

impl SharedWeights {
    /// Reads the large weights of a graph. What cannot be read is left to each session: it says what is wrong.
    pub fn read(graph: &Path) -> Self {
        let weights = std::fs::read(graph).ok().and_then(|file| ModelProto::decode(Bytes::from(file)).ok());
        let tensors = weights.and_then(|model| model.graph).map(|graph| graph.initializer).unwrap_or_default();
        let mut files = HashMap::new();
        let beside = graph.parent().unwrap_or(Path::new("."));
        let mut read = Self { weights: Vec::new(), external: Vec::new(), packed: PrepackedWeights::new() };
        for tensor in tensors {
            let (bytes, least, to) = match tensor.raw_data.clone() {
                Some(bytes) => (Some(bytes), SMALLEST, &mut read.weights),
                // ONNX Runtime would map the file: the process would end when somebody cuts it off, and vectors would change when
                // it is written to. So all of it is read, however small.
                None => (external(&tensor, beside, &mut files), 0, &mut read.external),
            };
            let value = bytes.and_then(|bytes| value(&tensor, &bytes, least));
            to.extend(tensor.name.zip(value.map(Arc::new)));
        }
        read
    }

    /// Gives them to a session that is to be made.
    pub fn give(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (name, value) in &self.weights {
            builder = builder.with_initializer(name, value.clone())?;
        }
        for (name, value) in &self.external {
            builder = builder.with_external_initializer(name, value.clone())?;
        }
        Ok(builder.with_prepacked_weights(&self.packed)?)
    }
}

/// The bytes of a tensor in a file beside the graph; nothing when they are not as they should be.
fn external(tensor: &TensorProto, beside: &Path, files: &mut HashMap<String, Bytes>) -> Option<Bytes> {
    let said =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some(key))?.value.as_deref();
    let name = said("location")?;
    if !files.contains_key(name) {
        files.insert(name.to_owned(), std::fs::read(within(beside, name)?).ok()?.into());
    }
    let number = |text: Option<&str>| text.map_or(Some(None), |text| text.parse::<usize>().ok().map(Some));
    let (file, offset, length) = (files.get(name)?, number(said("offset"))?.unwrap_or(0), number(said("length"))?);
    let end = length.map_or(Some(file.len()), |length| offset.checked_add(length))?;
    (offset <= end && end <= file.len()).then(|| file.slice(offset..end))
}

/// A tensor of a type that weights have; nothing for smaller ones than `least` bytes, other types, and sizes that do not fit.
fn value(tensor: &TensorProto, bytes: &[u8], least: usize) -> Option<DynValue> {
    let shape = tensor.dims.clone();
    let numbers = shape.iter().try_fold(1_usize, |all, one| all.checked_mul(usize::try_from(*one).ok()?))?;
    let kind = tensor.data_type?;
    let size = match kind {
        UINT8 | INT8 => 1,
        FLOAT16 | BFLOAT16 => 2,
        FLOAT | INT32 => 4,
        INT64 | DOUBLE => 8,
        _ => return None,
    };
    if bytes.len() < least || bytes.is_empty() || numbers.checked_mul(size)? != bytes.len() {
        return None;
    }
    match kind {
        FLOAT => made(shape, bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four))),
        INT32 => made(shape, bytes.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four))),
        INT64 => made(shape, bytes.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight))),
        DOUBLE => made(shape, bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight))),
        FLOAT16 => made(shape, bytes.as_chunks().0.iter().map(|two| f16::from_le_bytes(*two))),
        BFLOAT16 => made(shape, bytes.as_chunks().0.iter().map(|two| bf16::from_le_bytes(*two))),
        UINT8 => made(shape, bytes.iter().copied()),
        _ => made(shape, bytes.iter().map(|byte| byte.cast_signed())),
    }
}

fn made<T>(shape: Vec<i64>, numbers: impl Iterator<Item = T>) -> Option<DynValue>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Tensor::from_array((shape, numbers.collect::<Vec<T>>())).ok().map(Tensor::into_dyn)
}
