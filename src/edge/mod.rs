//! The function at the edge with a model inside: its package, and the certificate that its vectors are those of the server.
//!
//! ```text
//!  template::code("inference")   the function's own files
//!  node_modules                  ONNX Runtime and the tokenizer, pruned to linux-x64
//!  models/NAME                   graph, tokens.json, static.bin  -->  one zip with model.json, which says what is in it by hash
//! ```

pub mod about;
pub mod certificate;
mod machine;
pub mod package;
pub mod parity;
pub mod requirement;
pub mod signature;
pub mod suite;
pub mod unpack;

pub use about::PackageInfo;
