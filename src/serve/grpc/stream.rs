//! Many requests over one stream: answered as they are done, a bounded number at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tonic::Status;

use super::proto::embed_stream_response::Result as Outcome;
use super::proto::{EmbedStreamRequest, EmbedStreamResponse};
use super::{embed, fault};
use crate::inference::fault::{EmbedFault, ErrorCode};
use crate::serve::App;
use crate::serve::admission::caller::Caller;
use crate::serve::admission::slots::TakenSlots;
use crate::serve::problem::ApiProblem;
use crate::serve::shutdown::{ShutdownHandle, ShutdownPhase};

/// Messages of one stream that are worked on at the same time; the next one is read when one of them is answered, so that a
/// client that sends faster is held back by its own connection.
const IN_FLIGHT: usize = 64;

/// An open stream.
#[derive(Clone)]
pub struct OpenStream {
    /// The server.
    pub app: Arc<App>,
    /// Its end.
    pub stop: ShutdownHandle,
    /// Who opened it; nobody where no gate is before the service.
    pub caller: Option<Caller>,
    /// When its client gives up.
    pub deadline: Option<Instant>,
    /// How long it may live.
    pub life: Duration,
}

type Answer = Result<(EmbedStreamResponse, Option<Arc<TakenSlots>>), Status>;

impl OpenStream {
    /// The answers to these messages. When the server is to stop, or the stream has lived long enough, no more are read, and it ends
    /// after the last answer. A message costs what a request does; a caller whose key was taken back is answered no more.
    pub fn answers(
        self,
        messages: impl Stream<Item = Result<EmbedStreamRequest, Status>> + Send + 'static,
    ) -> BoxStream<'static, Result<EmbedStreamResponse, Status>> {
        let (waiting, life, opened) = (self.stop.clone(), self.life, Instant::now());
        let end = async move {
            tokio::select! {
                _ = waiting.reached(ShutdownPhase::Draining) => {}
                () = tokio::time::sleep(life) => {}
            }
        };
        let stop = self.stop.clone();
        let answer = move |(number, message): (usize, Result<EmbedStreamRequest, Status>)| {
            let open = self.clone();
            // The call itself let the first one in.
            let admitted = if number == 0 { Ok(None) } else { open.admitted() };
            async move { open.answer(admitted, message?).await }
        };
        let answered = messages.take_until(Box::pin(end)).enumerate().map(answer).buffer_unordered(IN_FLIGHT);
        // The bytes of an answer count until the next one is sent.
        let mut sent = None;
        let sending = answered.map(move |answer| {
            let (answer, held) = answer?;
            drop(std::mem::replace(&mut sent, held));
            Ok(answer)
        });
        sending.chain(farewell(stop, opened, life)).boxed()
    }

    fn admitted(&self) -> Result<Option<TakenSlots>, ApiProblem> {
        self.caller.as_ref().map(Caller::again).transpose()
    }

    async fn answer(&self, admitted: Result<Option<TakenSlots>, ApiProblem>, message: EmbedStreamRequest) -> Answer {
        let _place = match admitted {
            Ok(place) => place,
            Err(problem) if problem.status == http::StatusCode::UNAUTHORIZED => {
                return Err(fault::refused(&problem, &message.id));
            }
            Err(problem) => {
                let result = Some(Outcome::Error(fault::told(problem)));
                return Ok((EmbedStreamResponse { id: message.id, result }, None));
            }
        };
        Ok(self.one(message).await)
    }

    async fn one(&self, message: EmbedStreamRequest) -> (EmbedStreamResponse, Option<Arc<TakenSlots>>) {
        let EmbedStreamRequest { id, request } = message;
        let outcome = match request {
            None => Err(EmbedFault::new(ErrorCode::InvalidRequest, "the message has no request")),
            Some(request) => {
                let time = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                embed::answer(&self.app.embedder, request, time, &id).await
            }
        };
        let (result, held) = match outcome {
            Ok((response, held)) => (Outcome::Response(response), held),
            Err(why) => (Outcome::Error(fault::message(why)), None),
        };
        (EmbedStreamResponse { id, result: Some(result) }, held)
    }
}

/// What a client hears that would have sent more.
fn farewell(
    stop: ShutdownHandle,
    opened: Instant,
    life: Duration,
) -> impl Stream<Item = Result<EmbedStreamResponse, Status>> {
    stream::once(async move {
        if stop.is_stopping() {
            let why = "the server is shutting down; requests without a response were not processed";
            return Some(Err(fault::status(EmbedFault::new(ErrorCode::ShuttingDown, why), "")));
        }
        (opened.elapsed() >= life).then(|| Err(fault::refused(&fault::lived(life), "")))
    })
    .filter_map(std::future::ready)
}
