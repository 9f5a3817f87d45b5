//! The service of the interface: each method reads its message and hands on.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::BoxStream;
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::proto::embedding_service_server::EmbeddingService;
use super::proto::{
    EmbedRequest, EmbedResponse, EmbedStreamRequest, EmbedStreamResponse, HealthRequest, HealthResponse,
    ListModelsRequest, ListModelsResponse,
};
use super::{deadline, embed, fault, health, models, stream};
use crate::serve::App;
use crate::serve::admission::caller::Caller;
use crate::serve::admission::slots::HeldSlots;
use crate::serve::http::request::RequestId;
use crate::serve::shutdown::ShutdownHandle;

/// What answers calls.
pub struct GrpcService {
    /// The server.
    pub app: Arc<App>,
    /// Its end.
    pub stop: ShutdownHandle,
}

/// The id that the door gave to a call.
fn name(extensions: &Extensions) -> &str {
    extensions.get::<RequestId>().map(RequestId::as_str).unwrap_or_default()
}

#[tonic::async_trait]
impl EmbeddingService for GrpcService {
    async fn embed(&self, request: Request<EmbedRequest>) -> Result<Response<EmbedResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let named = message.request_id.clone();
        let id = if named.is_empty() { name(&extensions) } else { &named };
        let time = deadline::time(&metadata).map_err(|why| fault::status(why, id))?;
        let answer = embed::answer(&self.app.embedder, message, time, id).await;
        let (answer, held) = answer.map_err(|why| fault::status(why, id))?;
        let mut response = Response::new(answer);
        if let Some(held) = held {
            response.extensions_mut().insert(HeldSlots(held));
        }
        Ok(response)
    }

    type EmbedStreamStream = BoxStream<'static, Result<EmbedStreamResponse, Status>>;

    async fn embed_stream(
        &self,
        request: Request<Streaming<EmbedStreamRequest>>,
    ) -> Result<Response<Self::EmbedStreamStream>, Status> {
        let (metadata, extensions, messages) = request.into_parts();
        let time = deadline::time(&metadata).map_err(|why| fault::status(why, name(&extensions)))?;
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        let (app, stop) = (self.app.clone(), self.stop.clone());
        let (caller, life) = (extensions.get::<Caller>().cloned(), app.config.rules.stream_time);
        Ok(Response::new(stream::OpenStream { app, stop, caller, deadline, life }.answers(messages)))
    }

    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthResponse>, Status> {
        Ok(Response::new(health::report(&self.app, &self.stop)))
    }

    async fn list_models(&self, _: Request<ListModelsRequest>) -> Result<Response<ListModelsResponse>, Status> {
        Ok(Response::new(ListModelsResponse { models: models::list(&self.app).await }))
    }
}
