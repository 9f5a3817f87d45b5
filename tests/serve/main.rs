//! The embedding server with small models: needs ONNX Runtime (`exporter/build`).
#![cfg(feature = "serve")]

mod embedding_models;
mod model_sync;
mod observability;
mod serve_clients;
mod serve_config;
mod serve_demo;
mod serve_grpc;
mod serve_health;
mod serve_limits;
mod serve_rest;
mod serve_security;
mod serve_trace;
