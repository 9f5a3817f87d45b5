//! What needs this checkout alone: no local AWS, no root, no ONNX Runtime. `make check` runs it.

mod architecture;
mod bench;
#[cfg(feature = "serve")]
mod certify;
mod cluster_lies;
mod completion;
mod demo;
#[cfg(feature = "serve")]
mod docs;
mod help;
mod jetson_lies;
#[cfg(feature = "serve")]
mod models;
#[cfg(feature = "serve")]
mod models_publish;
#[cfg(feature = "serve")]
mod models_pull;
mod provider_cloudfront_slow;
#[cfg(feature = "serve")]
mod reference;
#[cfg(feature = "serve")]
mod renames;
#[cfg(feature = "serve")]
mod replica_registry;
#[cfg(feature = "serve")]
mod shipping;
mod validate;
