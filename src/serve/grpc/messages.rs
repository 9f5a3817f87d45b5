//! Bodies of calls: each message within its size and its time, and counted among the bytes of all requests while it comes. The
//! messages themselves are read by the service.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::fault;
use crate::serve::admission::caller::Caller;
use crate::serve::admission::heavy;
use crate::serve::admission::kind::RequestKind;
use crate::serve::admission::slots::TakenSlots;
use crate::serve::body::{too_large, too_slow};
use crate::serve::problem::ApiProblem;

/// Bytes before each message: whether it is compressed, and its length.
const HEAD: usize = 5;
/// Bytes of a message for which nobody needs a key: the name of a service.
const OPEN: usize = 4 << 10;

/// A body whose messages are bounded.
pub struct Messages {
    body: Incoming,
    flow: Flow,
    /// When a message that has begun has to be whole.
    late: Option<Pin<Box<Sleep>>>,
    /// When a stream has lived long enough.
    over: Option<Pin<Box<Sleep>>>,
}

/// How far the messages have come.
struct Flow {
    caller: Caller,
    kind: RequestKind,
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    have: usize,
    /// Bytes that the message still lacks.
    left: usize,
    /// Bytes of all messages so far.
    total: usize,
    messages: usize,
    held: Option<TakenSlots>,
}

/// What changed with the last bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Nothing,
    Began,
    Ended,
}

impl Messages {
    /// The messages of a call of this kind.
    pub fn new(body: Incoming, kind: RequestKind, caller: Caller) -> Self {
        let rules = caller.gate().rules();
        // A single message has its time from the beginning on; that of a stream comes when its client likes.
        let late = (!kind.is_stream()).then(|| Box::pin(sleep(rules.body_time)));
        // Streams of embeddings end by themselves, with their last answers.
        let over = (kind == RequestKind::Stream).then(|| Box::pin(sleep(rules.stream_time)));
        Self { body, flow: Flow::new(kind, caller), late, over }
    }

    /// Why no more is waited for.
    fn ended(&mut self, context: &mut Context<'_>) -> Option<ApiProblem> {
        let is_past = |sleep: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>| {
            sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
        };
        let rules = self.flow.caller.gate().rules();
        let (body_time, stream_time) = (rules.body_time, rules.stream_time);
        if is_past(&mut self.late, context) {
            return Some(too_slow(body_time));
        }
        is_past(&mut self.over, context).then(|| fault::lived(stream_time))
    }

    fn follow(&mut self, data: &[u8]) -> Result<(), ApiProblem> {
        let change = self.flow.follow(data)?;
        if self.flow.kind.is_stream() {
            let time: Duration = self.flow.caller.gate().rules().body_time;
            match change {
                Change::Began => self.late = Some(Box::pin(sleep(time))),
                Change::Ended => self.late = None,
                Change::Nothing => {}
            }
        }
        Ok(())
    }
}

impl Flow {
    fn new(kind: RequestKind, caller: Caller) -> Self {
        Self { caller, kind, head: [0; HEAD], have: 0, left: 0, total: 0, messages: 0, held: None }
    }

    /// Bytes of a call with a single message, with the head of that.
    fn most(&self) -> usize {
        HEAD + if self.kind.is_open() { OPEN } else { self.caller.gate().rules().body }
    }

    /// Counts these bytes; what they changed in the end.
    fn follow(&mut self, mut data: &[u8]) -> Result<Change, ApiProblem> {
        self.total = self.total.saturating_add(data.len());
        if !self.kind.is_stream() && self.total > self.most() {
            return Err(too_large(self.most() - HEAD));
        }
        let mut change = Change::Nothing;
        while let Some(rest) = data.get(self.step(data, &mut change)?..).filter(|rest| !rest.is_empty()) {
            data = rest;
        }
        Ok(change)
    }

    /// Goes on by some of these bytes; how many.
    fn step(&mut self, data: &[u8], change: &mut Change) -> Result<usize, ApiProblem> {
        if self.have == HEAD {
            let part = data.len().min(self.left);
            self.hold(part)?;
            self.left -= part;
            self.end_if_whole(change);
            return Ok(part);
        }
        if self.have == 0 && !data.is_empty() {
            self.begin()?;
            *change = Change::Began;
        }
        let part = data.len().min(HEAD - self.have);
        self.head[self.have..self.have + part].copy_from_slice(&data[..part]);
        self.have += part;
        if self.have == HEAD {
            let [_, a, b, c, d] = self.head;
            self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            self.end_if_whole(change);
        }
        Ok(part)
    }

    /// The first message was let in with its call.
    fn begin(&mut self) -> Result<(), ApiProblem> {
        self.messages += 1;
        if self.kind == RequestKind::Stream && self.messages > 1 {
            self.caller.again()?;
        }
        Ok(())
    }

    /// Whoever reads the message holds its bytes from here on.
    fn end_if_whole(&mut self, change: &mut Change) {
        if self.left == 0 {
            self.have = 0;
            self.held = None;
            *change = Change::Ended;
        }
    }

    fn hold(&mut self, count: usize) -> Result<(), ApiProblem> {
        let bytes = self.caller.gate().bytes();
        // For a watch of the health there is always room: it is small, and counted otherwise.
        if self.kind.is_open() {
            return Ok(());
        }
        if self.held.is_none() {
            self.held = bytes.take_many(0);
        }
        let there = self.held.as_mut().is_some_and(|held| bytes.grow(held, count));
        if there { Ok(()) } else { Err(heavy(bytes)) }
    }
}

impl Body for Messages {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(problem) = self.ended(context) {
            return refused(&problem);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return Poll::Pending;
        };
        match frame {
            Some(Ok(frame)) => match frame.data_ref().map_or(Ok(()), |data| self.follow(data)) {
                Ok(()) => Poll::Ready(Some(Ok(frame))),
                Err(problem) => refused(&problem),
            },
            Some(Err(why)) => Poll::Ready(Some(Err(axum::Error::new(why)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A problem as the end of a body: the service answers with its status.
fn refused(problem: &ApiProblem) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
    let status: Status = fault::refused(problem, "");
    Poll::Ready(Some(Err(axum::Error::new(status))))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::serve::admission::{AdmissionGate, AdmissionRules};
    use crate::serve::shutdown::ShutdownHandle;

    fn flow(kind: RequestKind, rules: AdmissionRules) -> Flow {
        let gate = Arc::new(AdmissionGate::new(rules, None, ShutdownHandle::new(), |_| ()));
        Flow::new(kind, Caller::new(gate, None, IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    /// A message of so many bytes, with its head.
    fn message(size: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.resize(HEAD + size as usize, 7);
        bytes
    }

    #[test]
    fn a_message_is_held_while_it_comes_however_it_is_cut() {
        let all: Vec<u8> = [message(10), message(0), message(3)].concat();
        for cut in 1..all.len() {
            let mut flow = flow(RequestKind::EmbedStream, AdmissionRules { bytes: 12, ..AdmissionRules::default() });
            for part in all.chunks(cut) {
                flow.follow(part).unwrap();
                assert!(flow.caller.gate().bytes().taken() <= 10, "{cut}");
            }
            assert_eq!((flow.messages, flow.have, flow.caller.gate().bytes().taken()), (3, 0, 0), "{cut}");
        }
        let mut half = flow(RequestKind::EmbedStream, AdmissionRules { bytes: 12, ..AdmissionRules::default() });
        assert_eq!(half.follow(&message(10)[..9]).unwrap(), Change::Began);
        assert_eq!(half.caller.gate().bytes().taken(), 4);
        assert_eq!(half.follow(&[0]).unwrap(), Change::Nothing);
        let mut large = flow(RequestKind::EmbedStream, AdmissionRules { bytes: 12, ..AdmissionRules::default() });
        assert_eq!(large.follow(&message(13)).unwrap_err().code, "OVERLOADED");
    }

    #[test]
    fn a_call_that_is_no_stream_has_one_size_for_all_that_it_sends() {
        let mut single = flow(RequestKind::Single, AdmissionRules { body: 100, ..AdmissionRules::default() });
        single.follow(&message(90)).unwrap();
        assert_eq!(single.follow(&message(90)).unwrap_err().code, "BODY_TOO_LARGE");
        let mut open = flow(RequestKind::Watch, AdmissionRules::default());
        open.follow(&message(100)).unwrap();
        assert_eq!(open.follow(&message(4096)).unwrap_err().status.as_u16(), 413);
    }

    #[test]
    fn each_message_of_a_stream_counts_for_the_rate() {
        let mut stream =
            flow(RequestKind::Stream, AdmissionRules { rate_by_address: 1, burst: 2, ..AdmissionRules::default() });
        for _ in 0..3 {
            stream.follow(&message(1)).unwrap();
        }
        assert_eq!(stream.follow(&message(1)).unwrap_err().code, "RATE_LIMITED");
    }
}
