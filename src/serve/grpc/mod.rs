//! gRPC: messages in and out. Each call translates to one [`EmbeddingRequest`](super::EmbeddingRequest).

mod codec;
mod deadline;
mod embed;
mod error_code;
mod fault;
mod health;
pub mod messages;
mod models;
pub mod proto;
mod service;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::{Builder, Error};

use super::App;
use super::http::middleware;
use super::shutdown::ShutdownHandle;
use health::ModelServingStatus;
use proto::embedding_service_server::EmbeddingServiceServer;
use service::GrpcService;

/// All services: embeddings, the standard health service, and reflection in both versions that clients speak.
///
/// # Errors
/// The descriptors that were built in cannot be read.
pub fn router(app: Arc<App>, stop: &ShutdownHandle) -> Result<Router, Error> {
    let (most, passing) = (app.config.limits.body, app.clone());
    // Compressed requests are read; answers are floats, which do not get smaller, and are sent as they are.
    let embeddings = EmbeddingServiceServer::new(GrpcService { app: app.clone(), stop: stop.clone() })
        .max_decoding_message_size(most)
        .accept_compressed(CompressionEncoding::Gzip);
    let health = HealthServer::new(ModelServingStatus { app, stop: stop.clone() });
    let routes = Routes::new(embeddings)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let router = routes.prepare().into_axum_router();
    let router = router.layer(from_fn(error_code::complete));
    Ok(router.layer(from_fn_with_state(passing, middleware::pass)))
}

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
