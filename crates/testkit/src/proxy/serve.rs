//! What is done with each call as it comes.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::act::ProxyAction;
use super::call::ProxyCall;
use super::message::Message;
use super::refusal::throttled;

/// What is done with a call at once.
enum Verdict {
    Frozen,
    Gone,
    Go(Option<ProxyAction>),
}

impl Shared {
    fn decide(&self, call: &ProxyCall) -> Verdict {
        let mut state = self.state();
        if state.vanished {
            return Verdict::Gone;
        }
        if state.frozen {
            return Verdict::Frozen;
        }
        state.calls.push(call.clone());
        let by_chance = state.chance.as_mut().and_then(|chance| chance.act(call));
        // Each bucket counts the call, whatever the others say.
        let of_service = state.throttles.iter_mut().filter(|one| one.service == call.service);
        let full = of_service.filter_map(|one| one.is_full().then_some(())).count() > 0;
        let mut act = if full { Some(ProxyAction::Refuse(throttled(&call.service))) } else { by_chance };
        for rule in &mut state.rules {
            act = rule.act(call).or(act);
        }
        if act.as_ref().is_none_or(ProxyAction::forwards) {
            state.under_way += 1;
        }
        self.changed.notify_all();
        match act {
            Some(ProxyAction::HoldBefore) => {
                state.frozen = true;
                Verdict::Frozen
            }
            Some(ProxyAction::Vanish) => {
                state.vanished = true;
                self.listening.get().expect("set at the start").abort();
                Verdict::Gone
            }
            act => Verdict::Go(act),
        }
    }

    fn arrived(&self, freeze: bool) {
        let mut state = self.state();
        state.under_way -= 1;
        state.frozen |= freeze;
        self.changed.notify_all();
    }

    /// Waits for the next reset.
    async fn pause(&self) {
        let mut resets = self.resets.subscribe();
        self.state().paused += 1;
        self.changed.notify_all();
        // The sender lives as long as `self`.
        let _ = resets.changed().await;
        self.state().paused -= 1;
    }
}

/// Serves every connection until nobody is to listen any more.
pub(super) async fn listen(listener: TcpListener, target: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let (target, shared) = (target.clone(), Arc::clone(&shared));
        // A connection that breaks is the caller's business: it sees it, too.
        tokio::spawn(async move { drop(serve(client, &target, &shared).await) });
    }
}

async fn serve(client: TcpStream, target: &str, shared: &Shared) -> io::Result<()> {
    let mut client = BufReader::new(client);
    while let Some(request) = Message::request(&mut client).await? {
        let act = match shared.decide(&ProxyCall::of(&request)) {
            Verdict::Gone => return Ok(()),
            Verdict::Frozen => return until_closed(&mut client).await,
            Verdict::Go(act) => act,
        };
        match &act {
            Some(ProxyAction::DropBefore) => return Ok(()),
            Some(ProxyAction::Answer(status, body)) => {
                let kind = if body.starts_with('{') { "application/json" } else { "text/xml" };
                let answer = Message::own(*status, &[("Content-Type", kind)], body, &request.head);
                client.get_mut().write_all(&answer.bytes()).await?;
                continue;
            }
            Some(ProxyAction::AnswerWith(status, headers, body)) => {
                let answer = Message::own(*status, headers, body, &request.head);
                client.get_mut().write_all(&answer.bytes()).await?;
                continue;
            }
            Some(ProxyAction::Refuse(refusal)) => {
                client.get_mut().write_all(&refusal.answer(&request.head).bytes()).await?;
                continue;
            }
            Some(ProxyAction::Pause) => shared.pause().await,
            Some(ProxyAction::Delay(span)) => tokio::time::sleep(*span).await,
            _ => {}
        }
        let request = if let Some(ProxyAction::Without(names)) = &act { request.without(names) } else { request };
        let answer = forward(target, &request).await;
        let answer = match act {
            Some(ProxyAction::DropAfter) => {
                shared.arrived(false);
                return Ok(());
            }
            Some(ProxyAction::HoldAfter) => {
                shared.arrived(true);
                return until_closed(&mut client).await;
            }
            Some(ProxyAction::Reword(from, to)) => answer.map(|answer| answer.with(from, to)),
            Some(ProxyAction::Rewrite(write)) => answer.map(|answer| answer.rewritten(write)),
            _ => answer,
        };
        let written = match answer {
            Ok(answer) => client.get_mut().write_all(&answer.bytes()).await,
            Err(bad) => Err(bad),
        };
        // Only now the caller has its answer.
        shared.arrived(false);
        written?;
    }
    Ok(())
}

/// Says nothing until the caller is gone.
async fn until_closed(client: &mut BufReader<TcpStream>) -> io::Result<()> {
    while !client.fill_buf().await?.is_empty() {
        let length = client.buffer().len();
        client.consume(length);
    }
    Ok(())
}

async fn forward(target: &str, request: &Message) -> io::Result<Message> {
    let mut server = BufReader::new(TcpStream::connect(target).await?);
    server.get_mut().write_all(&request.bytes()).await?;
    loop {
        let answer = Message::answer(&mut server, &request.head).await?;
        if !answer.head.starts_with("HTTP/1.1 100") {
            return Ok(answer);
        }
    }
}
