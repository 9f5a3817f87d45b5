//! The parts of `serve_fuzz`.

pub mod bodies;
pub mod child;
mod dice;
mod files;
mod json;
mod parsers;
mod proto;
