//! The standard health service, for load balancers and kubelets, and the same for people.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::fault;
use super::proto::HealthResponse;
use super::proto::embedding_service_server::SERVICE_NAME;
use super::proto::health_response::Status as Word;
use crate::inference::fault::beginning;
use crate::serve::App;
use crate::serve::health::{CheckKind, ReadyState};
use crate::serve::shown;
use crate::serve::shutdown::{ShutdownHandle, ShutdownPhase};

/// How often a client that watches gets a fresh look.
const LOOK: Duration = Duration::from_millis(250);

/// Whether the default model answers.
#[derive(Clone)]
pub struct ModelServingStatus {
    /// The server.
    pub app: Arc<App>,
    /// Its end.
    pub stop: ShutdownHandle,
}

impl ModelServingStatus {
    fn of(&self, service: &str) -> ServingStatus {
        if !service.is_empty() && service != SERVICE_NAME {
            return ServingStatus::ServiceUnknown;
        }
        match !self.stop.is_stopping() && self.app.health.ready() == ReadyState::Ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// The next change; nothing once the server stops and that was said, or `end` has come.
    async fn change(&self, service: &str, last: Option<ServingStatus>, end: Instant) -> Option<ServingStatus> {
        loop {
            let stopping = self.stop.is_stopping();
            let now = self.of(service);
            if last != Some(now) {
                return Some(now);
            }
            if stopping || Instant::now() >= end {
                return None;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = self.stop.reached(ShutdownPhase::Draining) => {}
            }
        }
    }
}

#[tonic::async_trait]
impl Health for ModelServingStatus {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.of(&service) {
            ServingStatus::ServiceUnknown => {
                let message = format!("unknown service {:?}", beginning(&service));
                Err(Status::not_found(shown::message(&message)))
            }
            status => Ok(Response::new(said(status))),
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let life = self.app.config.rules.stream_time;
        let end = Instant::now() + life;
        let changes = stream::unfold((self.clone(), service, None), move |(standing, service, last)| async move {
            let now = standing.change(&service, last, end).await?;
            Some((Ok(said(now)), (standing, service, Some(now))))
        });
        Ok(Response::new(changes.chain(over(self.stop.clone(), life)).boxed()))
    }
}

/// What a client hears that has watched as long as one may.
fn over(stop: ShutdownHandle, life: Duration) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
    let end = async move { (!stop.is_stopping()).then(|| Err(fault::refused(&fault::lived(life), ""))) };
    stream::once(end).filter_map(std::future::ready)
}

fn said(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// The server's health, for people.
pub fn report(app: &App, stop: &ShutdownHandle) -> HealthResponse {
    let healthy = app.health.ready() == ReadyState::Ready && !stop.is_stopping();
    let said = |kind: CheckKind| {
        let check = app.health.last(kind);
        (kind.name().to_owned(), format!("{}: {}", check.outcome.name(), check.detail))
    };
    let mut checks: HashMap<_, _> = CheckKind::ALL.into_iter().map(said).collect();
    if stop.is_stopping() {
        checks.insert("shutdown".to_owned(), "the server is stopping".to_owned());
    }
    let status = if healthy { Word::Healthy } else { Word::Unhealthy };
    HealthResponse { status: status.into(), checks, version: env!("CARGO_PKG_VERSION").to_owned() }
}
