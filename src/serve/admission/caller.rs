//! Who opened a stream, asked again with each message: a key that was taken back, and a rate, hold for what still comes.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use tokio::sync::watch;

use super::AdmissionGate;
use super::connection_slots::ConnectionSlots;
use super::keys::ApiKey;
use super::slots::TakenSlots;
use crate::serve::problem::ApiProblem;
use crate::serve::refused::GrpcCall;

/// Who asks, as an extension of a request.
#[derive(Clone)]
pub struct Caller {
    gate: Arc<AdmissionGate>,
    key: Option<Arc<ApiKey>>,
    peer: IpAddr,
    notice: Option<Arc<GrpcCall>>,
    authorities: Option<watch::Receiver<u64>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("key", &self.key.as_ref().map(|key| &key.name)).finish_non_exhaustive()
    }
}

impl Caller {
    /// The caller that this gate let in with this key, at the other end.
    pub fn new(gate: Arc<AdmissionGate>, key: Option<Arc<ApiKey>>, peer: IpAddr) -> Self {
        Self { gate, key, peer, notice: None, authorities: None }
    }

    /// The same over this connection: its certificate counts as long as the authorities of clients stay.
    #[must_use]
    pub fn over(mut self, near: &ConnectionSlots) -> Self {
        self.authorities.clone_from(&near.authorities);
        self
    }

    /// The same, which writes a line about each message that is refused.
    #[must_use]
    pub fn telling(mut self, notice: GrpcCall) -> Self {
        self.notice = Some(Arc::new(notice));
        self
    }

    /// The gate that let it in.
    pub fn gate(&self) -> &AdmissionGate {
        &self.gate
    }

    /// Lets one more message in, as if it were a request of its own; it has a place until the slot is dropped.
    ///
    /// # Errors
    /// The key is not known any longer, or an authority of clients was taken away since the connection was opened (401); too many
    /// messages in a second, or too many requests at a time (429).
    pub fn again(&self) -> Result<TakenSlots, ApiProblem> {
        let admitted = self.admitted();
        if let Err(problem) = &admitted {
            self.gate.count(problem);
            if let Some(notice) = &self.notice {
                notice.tell(problem);
            }
        }
        admitted
    }

    fn admitted(&self) -> Result<TakenSlots, ApiProblem> {
        if self.authorities.as_ref().is_some_and(|authorities| authorities.has_changed().unwrap_or(false)) {
            let message = "the client CA has changed since this connection's certificate was checked: connect again";
            return Err(ApiProblem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message));
        }
        let key = match &self.key {
            Some(key) => Some(self.gate.still(key)?),
            None => None,
        };
        self.gate.within_rate(key.as_deref(), self.peer)?;
        self.gate.place()
    }
}
