//! The engine of the embedding server: tokenize, queue, batch, run, pool. It knows no HTTP and no AWS.
//!
//! ```text
//!  text --> tokenizer --> queue (fair, bounded) --> batch (token budget, sorted by length) --> backend --> pooling --> vector
//!                                  one worker a core takes from it
//! ```
//!
//! A loaded model is an [`Engine`](engine::Engine). What runs the graph is a
//! [`Backend`](backend::Backend): ONNX Runtime, or a stand-in of a test.

pub mod backend;
pub mod batch;
pub mod cache;
mod calibration;
pub mod canary;
pub mod engine;
mod failure_streak;
pub mod fault;
pub mod folder;
pub mod graph_file;
pub mod head;
pub mod observer;
pub mod onnx;
pub mod pieces;
pub mod queue;
pub mod registry;
mod session_choice;
pub mod throughput;
pub mod ticket;
pub mod tokenize;
mod worker;
