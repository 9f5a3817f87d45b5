//! The parts of `serve_fuzz`.

pub mod bodies;
pub mod calls;
pub mod child;
mod copies;
mod dice;
pub mod faulty;
mod files;
mod json;
mod parsers;
mod parts;
mod proto;
pub mod table;
