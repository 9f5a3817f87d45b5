//! The parts of `serve_fuzz`.

pub mod bodies;
pub mod child;
mod copies;
mod dice;
mod files;
mod json;
mod parsers;
mod parts;
mod proto;
