//! Who may ask, how often, and how many at a time. One gate stands before all transports; what it refuses costs next to nothing.

pub mod cors;
pub mod keys;
pub mod rate;
pub mod slots;
pub mod tenant;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};

use super::http::request::{Ids, KEYS, is_sane};
use super::problem::Problem;
use super::shutdown::Stop;
use cors::Cors;
use keys::{Key, KeyRing};
use rate::{ByAddress, Clock, Rate};
use slots::{Slot, Slots};
pub use tenant::{Tenant, Tenants};

/// Bytes of a body whose length nobody says.
const UNSAID: usize = 16 << 10;

/// What the gate asks of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// `/metrics` needs no key.
    pub metrics_open: bool,
    /// Bytes of a body.
    pub body: usize,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// Requests at a time.
    pub in_flight: usize,
    /// Bytes of all bodies and texts that are held at a time.
    pub bytes: usize,
    /// Requests a second of a key that has no rate of its own; 0 for no limit.
    pub rate: u32,
    /// Requests that may come at once; 0 for those of one second.
    pub burst: u32,
    /// Requests a second of an address that shows no key; 0 for no limit.
    pub rate_by_address: u32,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            metrics_open: false,
            body: 8 << 20,
            body_time: Duration::from_secs(30),
            in_flight: 2048,
            bytes: 128 << 20,
            rate: 0,
            burst: 0,
            rate_by_address: 0,
            origins: Vec::new(),
        }
    }
}

/// What was let in.
#[derive(Debug)]
pub struct Pass {
    /// Who asks.
    pub tenant: Tenant,
    /// Its place among those under way; an open address needs none.
    pub slot: Option<Slot>,
}

/// The gate.
pub struct Gate {
    rules: Rules,
    keys: Option<Arc<KeyRing>>,
    addresses: Option<ByAddress>,
    slots: Slots,
    bytes: Slots,
    tenants: Tenants,
    clock: Clock,
    stop: Stop,
    refused: Box<dyn Fn(&'static str) + Send + Sync>,
    /// Ids for requests that bring none.
    pub ids: Ids,
    /// Pages of other origins.
    pub cors: Cors,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate with these rules; without keys everybody may pass. `refused` is told the code of each refusal.
    pub fn new(
        rules: Rules,
        keys: Option<Arc<KeyRing>>,
        stop: Stop,
        refused: impl Fn(&'static str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            addresses: Rate::new(rules.rate_by_address, burst(rules.rate_by_address, rules.burst)).map(ByAddress::new),
            slots: Slots::new(rules.in_flight),
            bytes: Slots::new(rules.bytes),
            cors: Cors::new(&rules.origins),
            tenants: Tenants::new(),
            clock: Clock::new(),
            ids: Ids::new(),
            refused: Box::new(refused),
            rules,
            keys,
            stop,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Bytes that are held: those of bodies, and of the texts in them.
    pub fn bytes(&self) -> &Slots {
        &self.bytes
    }

    /// The end, as everybody sees it.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Lets a request in by its headers.
    ///
    /// # Errors
    /// No key or a wrong one, too many requests, or the server is stopping and was asked whether it is ready.
    pub fn admit(&self, request: &Parts, peer: IpAddr) -> Result<Pass, Problem> {
        let path = request.uri.path();
        if matches!(path, "/ready" | "/ping") && self.stop.is_stopping() {
            return Err(stopping());
        }
        if self.is_open(path) {
            return Ok(Pass { tenant: self.tenants.of(None), slot: None });
        }
        let key = self.key(&request.headers, peer)?;
        self.within_rate(key.as_deref(), peer)?;
        let Some(slot) = self.slots.take() else { return Err(self.full()) };
        let Some(held) = self.bytes.take_many(self.length(request)) else { return Err(heavy(&self.bytes)) };
        let named = key.as_deref().and_then(|key| key.tenant.as_deref()).or_else(|| tenant(&request.headers));
        Ok(Pass { tenant: self.tenants.of(named), slot: Some(slot.and(held)) })
    }

    /// Tells whoever counts that a request was refused.
    pub fn count(&self, problem: &Problem) {
        (self.refused)(problem.code);
    }

    /// Bytes that a request's body will have. Where nothing is said a small one is expected: what it turns out to be is counted
    /// when its texts are read.
    fn length(&self, request: &Parts) -> usize {
        let said = request.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let unsaid = if request.method == Method::GET { 0 } else { UNSAID };
        // What is too large is refused before it is read.
        said.unwrap_or(unsaid).min(self.rules.body)
    }

    fn is_open(&self, path: &str) -> bool {
        match path {
            "/health" | "/ready" | "/ping" => true,
            "/metrics" => self.rules.metrics_open,
            path => path.starts_with("/grpc.health.v1.Health/"),
        }
    }

    /// The key that a request shows; nothing when none is wanted.
    fn key(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Option<Arc<Key>>, Problem> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let alone = || KEYS.iter().find_map(|name| headers.get(name)).map(|value| value.as_bytes());
        let token = if shown.is_some() { shown.and_then(bearer) } else { alone() };
        if let Some(key) = token.and_then(|token| keys.find(token)) {
            return Ok(Some(key));
        }
        // Whoever tries keys may do so only as often as whoever has none.
        self.within_rate(None, peer)?;
        let message = if token.is_some() {
            "the key is not known here: ask for a new one, or look for a typing error"
        } else if shown.is_some() {
            "the header authorization holds something else than `Bearer KEY`"
        } else {
            "a key is wanted: send the header `Authorization: Bearer KEY`"
        };
        Err(Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message))
    }

    fn within_rate(&self, key: Option<&Key>, peer: IpAddr) -> Result<(), Problem> {
        let taken = match key {
            Some(key) => {
                let own = key.rate.unwrap_or(self.rules.rate);
                let rate = Rate::new(own, burst(own, self.rules.burst));
                rate.map_or(Ok(()), |rate| key.bucket.take(rate, self.clock.now()))
            }
            None => self.addresses.as_ref().map_or(Ok(()), |addresses| addresses.take(peer, self.clock.now())),
        };
        taken.map_err(|pause| {
            let message =
                "more requests than this client may send in a second; the header retry-after says when to go on";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message).again_after(pause)
        })
    }

    fn full(&self) -> Problem {
        let message = format!("{} requests are under way, which is the most; ask again later", self.rules.in_flight);
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
    }
}

/// Too many bytes are held.
pub fn heavy(bytes: &Slots) -> Problem {
    let message = format!(
        "requests with {} MiB together are under way, which is about the most; ask again later, or send fewer texts at a time",
        bytes.taken() >> 20
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
}

fn burst(rate: u32, burst: u32) -> u32 {
    if burst == 0 { rate } else { burst }
}

fn stopping() -> Problem {
    let message = "the server is stopping: ask another one";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", message).again_after(Duration::from_secs(1))
}

/// The token of `Bearer TOKEN`; the word may be written in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (word, token) = value.split_at_checked(7)?;
    word.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// What a client says of its tenant, when it is sane.
fn tenant(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-tenant").filter(|value| is_sane(value.as_bytes()))?.to_str().ok()
}

#[cfg(test)]
mod tests;
