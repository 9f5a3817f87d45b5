//! Many requests over one stream: answered as they are done, a bounded number at a time.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tonic::Status;

use super::proto::embed_stream_response::Result as Outcome;
use super::proto::{EmbedStreamRequest, EmbedStreamResponse};
use super::{embed, fault};
use crate::inference::fault::{Code, EmbedFault};
use crate::serve::App;
use crate::serve::shutdown::{Phase, Stop};

/// Messages of one stream that are worked on at the same time; the next one is read when one of them is answered, so that a
/// client that sends faster is held back by its own connection.
const IN_FLIGHT: usize = 64;

/// The answers to these messages. When the server is to stop no more are read, and the stream ends after the last answer.
pub fn answers(
    app: Arc<App>,
    stop: Stop,
    messages: impl Stream<Item = Result<EmbedStreamRequest, Status>> + Send + 'static,
    deadline: Option<Instant>,
) -> BoxStream<'static, Result<EmbedStreamResponse, Status>> {
    let waiting = stop.clone();
    let end = async move { waiting.reached(Phase::Draining).await };
    let answer = move |message: Result<EmbedStreamRequest, Status>| {
        let app = app.clone();
        async move { Ok(one(&app, message?, deadline).await) }
    };
    let answered = messages.take_until(Box::pin(end)).map(answer).buffer_unordered(IN_FLIGHT);
    answered.chain(farewell(stop)).boxed()
}

async fn one(app: &App, message: EmbedStreamRequest, deadline: Option<Instant>) -> EmbedStreamResponse {
    let EmbedStreamRequest { id, request } = message;
    let outcome = match request {
        None => Err(EmbedFault::new(Code::InvalidRequest, "the message has no request")),
        Some(request) => {
            let time = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            embed::answer(&app.embedder, request, time, &id).await
        }
    };
    let result = Some(outcome.map_or_else(|why| Outcome::Error(fault::message(why)), Outcome::Response));
    EmbedStreamResponse { id, result }
}

/// What a client hears that would have sent more.
fn farewell(stop: Stop) -> impl Stream<Item = Result<EmbedStreamResponse, Status>> {
    stream::once(async move {
        let fault = || EmbedFault::new(Code::ShuttingDown, "the server is stopping; what has no answer was not done");
        stop.is_stopping().then(|| Err(fault::status(fault(), "")))
    })
    .filter_map(std::future::ready)
}
