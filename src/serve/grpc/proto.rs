//! The interface, generated from `proto/akidb/embedding/v1/embedding.proto`: messages, the service, and a client for it.
#![allow(clippy::missing_errors_doc, clippy::too_many_lines, reason = "generated: each call fails with a status")]

tonic::include_proto!("akidb.embedding.v1");

/// The interface as people read it.
pub const TEXT: &str = include_str!("../../../proto/akidb/embedding/v1/embedding.proto");

/// The interface as the reflection service hands it out, with its comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/embedding.binpb"));
