//! # Delivery: the bytes of models, by hash
//!
//! ```text
//!  source (a bucket, a folder): list --> pointer --> manifest --> DesiredVersion: the files of a version, with their hashes
//!      |                                                            |
//!      +--- fetch: goes on where it was cut off --> PartialFile --> staging folder, hashes compared --> STORE/.versions/NAME/ID
//! ```
//!
//! `layout` is how a model is in a bucket, `desired_version` reads it (and the former layouts), `source` is what a place of
//! models has to do, `partial_file` and `stage` bring a version, `versions` are those that are here, `manifest` says what a folder
//! of a model holds, `digest` and `large_file` tell what the bytes of a file are, `publish` says what has to be uploaded and in
//! which order.
//! No HTTP client and no SDK: sources are made by whoever uses this crate.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod desired_version;
pub mod digest;
pub mod disk;
pub mod folder_store;
pub mod large_file;
pub mod lock;
pub mod manifest;
pub mod partial_file;
pub mod publish;
pub mod source;
pub mod stage;
pub mod versions;

pub use akidb_edge_engine::resource::model_layout as layout;
