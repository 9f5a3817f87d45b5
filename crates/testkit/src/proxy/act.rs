//! What can happen to a call, and to which of the calls it happens.

use std::time::Duration;

use super::call::ProxyCall;
use super::refusal::ServiceRefusal;

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum ProxyAction {
    /// It is forwarded after a while.
    Delay(Duration),
    /// The connection ends before it is forwarded.
    DropBefore,
    /// It takes effect, then the connection ends without an answer.
    DropAfter,
    /// It is not forwarded; this is the answer.
    Answer(u16, String),
    /// It is not forwarded; this is the answer, with these headers.
    AnswerWith(u16, &'static [(&'static str, &'static str)], String),
    /// It is forwarded without these headers (in lower case), as a service would take it that does not know them.
    Without(&'static [&'static str]),
    /// It is not forwarded; the service refuses it in its own protocol.
    Refuse(ServiceRefusal),
    /// It is forwarded; in its answer the first words become the second.
    Reword(&'static str, &'static str),
    /// It is forwarded; its answer comes as this function writes it again.
    Rewrite(fn(&str) -> String),
    /// It waits until the proxy is reset, then it is forwarded; other calls go on meanwhile.
    Pause,
    /// It waits for ever, and with it every later call; it does not take effect.
    HoldBefore,
    /// It takes effect, then waits for ever, and with it every later call.
    HoldAfter,
    /// It does not take effect, and from now on nobody listens any more: new connections are refused.
    Vanish,
}

impl ProxyAction {
    /// Whether the call goes on to the local AWS.
    pub(super) const fn forwards(&self) -> bool {
        !matches!(
            self,
            Self::DropBefore
                | Self::Answer(..)
                | Self::AnswerWith(..)
                | Self::Refuse(_)
                | Self::HoldBefore
                | Self::Vanish
        )
    }
}

/// Which of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallSelector {
    Each,
    /// The n-th one that matches, from 1.
    Nth(usize),
    /// The first n that match.
    First(usize),
    /// The n-th one that matches, and all after it.
    From(usize),
}

impl CallSelector {
    const fn is(self, seen: usize) -> bool {
        match self {
            Self::Each => true,
            Self::Nth(n) => seen == n,
            Self::First(n) => seen <= n,
            Self::From(n) => seen >= n,
        }
    }
}

/// What is to happen to which calls.
pub(super) struct ProxyRule {
    matches: Box<dyn Fn(&ProxyCall) -> bool + Send>,
    which: CallSelector,
    act: ProxyAction,
    seen: usize,
}

impl ProxyRule {
    pub(super) fn new(
        matches: impl Fn(&ProxyCall) -> bool + Send + 'static,
        which: CallSelector,
        act: ProxyAction,
    ) -> Self {
        Self { matches: Box::new(matches), which, act, seen: 0 }
    }

    /// What happens to this call by this rule.
    pub(super) fn act(&mut self, call: &ProxyCall) -> Option<ProxyAction> {
        if !(self.matches)(call) {
            return None;
        }
        self.seen += 1;
        self.which.is(self.seen).then(|| self.act.clone())
    }
}
