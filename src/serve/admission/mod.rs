//! Admission control: authentication, rate limits and concurrency limits. One gate for all transports; rejecting is cheap.

pub mod caller;
pub mod connection_slots;
pub mod cors;
pub mod keys;
pub mod kind;
pub mod rate;
pub mod slots;
pub mod tenant;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::http::request::{KEYS, RequestIds, is_sane};
use super::problem::ApiProblem;
use super::shutdown::ShutdownHandle;
use connection_slots::ConnectionSlots;
use cors::Cors;
use keys::{ApiKey, ApiKeys};
use kind::RequestKind;
use rate::{AddressBuckets, Clock, Rate};
use slots::{Slots, TakenSlots};
pub use tenant::{KnownTenants, Tenant};

/// Requests of open addresses at a time.
pub const OPEN: usize = 2048;
/// Refusals that are told at a time; a client that gets none finds its request reset.
pub const REFUSALS: usize = 2048;

/// What the gate asks of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdmissionRules {
    /// `/metrics` needs no key.
    pub metrics_open: bool,
    /// Bytes of a body.
    pub body: usize,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// Requests at a time.
    pub in_flight: usize,
    /// Bytes of all bodies and texts that are held at a time; as many may be those of all answers.
    pub bytes: usize,
    /// Streams of gRPC at a time: of messages, and of those who watch the health.
    pub streams: usize,
    /// The longest life of one.
    pub stream_time: Duration,
    /// Requests a second of a key that has no rate of its own; 0 for no limit.
    pub rate: u32,
    /// Requests that may come at once; 0 for those of one second.
    pub burst: u32,
    /// Requests a second of an address that shows no key; 0 for no limit.
    pub rate_by_address: u32,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
}

impl Default for AdmissionRules {
    fn default() -> Self {
        Self {
            metrics_open: false,
            body: 8 << 20,
            body_time: Duration::from_secs(30),
            in_flight: 2048,
            bytes: 128 << 20,
            streams: 512,
            stream_time: Duration::from_secs(3600),
            rate: 0,
            burst: 0,
            rate_by_address: 0,
            origins: Vec::new(),
        }
    }
}

/// What was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Who asks, as a label.
    pub tenant: Tenant,
    /// The key that was shown, when one is wanted.
    pub key: Option<Arc<ApiKey>>,
    /// What it asks for.
    pub kind: RequestKind,
    /// Its place among those under way.
    pub slot: TakenSlots,
}

impl Admitted {
    /// Holds these places, too.
    pub fn more(&mut self, places: Option<TakenSlots>) {
        self.slot.more(places);
    }
}

/// The gate.
pub struct AdmissionGate {
    rules: AdmissionRules,
    keys: Option<Arc<ApiKeys>>,
    addresses: Option<AddressBuckets>,
    slots: Slots,
    open: Slots,
    refusals: Slots,
    streams: Slots,
    watches: Slots,
    bytes: Slots,
    answers: Slots,
    tenants: KnownTenants,
    clock: Clock,
    stop: ShutdownHandle,
    refused: Box<dyn Fn(&'static str) + Send + Sync>,
    /// Ids for requests that bring none.
    pub ids: RequestIds,
    /// Pages of other origins.
    pub cors: Cors,
}

impl fmt::Debug for AdmissionGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionGate").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl AdmissionGate {
    /// A gate with these rules; without keys everybody may pass. `refused` is told the code of each refusal.
    pub fn new(
        rules: AdmissionRules,
        keys: Option<Arc<ApiKeys>>,
        stop: ShutdownHandle,
        refused: impl Fn(&'static str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            addresses: Rate::new(rules.rate_by_address, burst(rules.rate_by_address, rules.burst))
                .map(AddressBuckets::new),
            slots: Slots::new(rules.in_flight),
            open: Slots::new(OPEN),
            refusals: Slots::new(REFUSALS),
            streams: Slots::new(rules.streams),
            watches: Slots::new(rules.streams),
            bytes: Slots::new(rules.bytes),
            answers: Slots::new(rules.bytes),
            cors: Cors::new(&rules.origins),
            tenants: KnownTenants::new(),
            clock: Clock::new(),
            ids: RequestIds::new(),
            refused: Box::new(refused),
            rules,
            keys,
            stop,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &AdmissionRules {
        &self.rules
    }

    /// Bytes that are held: those of bodies, and of the texts in them.
    pub fn bytes(&self) -> &Slots {
        &self.bytes
    }

    /// Bytes of answers that are held until they are sent: others than those, so that slow readers keep no request out.
    pub fn answers(&self) -> &Slots {
        &self.answers
    }

    /// A place for a refusal until it is sent; nothing when too many are being told, to all or over this connection.
    pub fn refusal(&self, near: &ConnectionSlots) -> Option<TakenSlots> {
        Some(near.refusals.take()?.and(self.refusals.take()?))
    }

    /// The end, as everybody sees it.
    pub fn stop(&self) -> &ShutdownHandle {
        &self.stop
    }

    /// Lets a request in by its headers. `near` is what belongs to its connection.
    ///
    /// # Errors
    /// No key or a wrong one, too many requests, or the server is stopping and was asked whether it is ready.
    pub fn admit(&self, request: &Parts, peer: IpAddr, near: &ConnectionSlots) -> Result<Admitted, ApiProblem> {
        let path = request.uri.path();
        if matches!(path, "/ready" | "/ping") && self.stop.is_stopping() {
            return Err(stopping());
        }
        let kind = RequestKind::of(path, self.rules.metrics_open);
        if kind.is_open() {
            let slot = self.open_place(kind, near).ok_or_else(busy)?;
            return Ok(Admitted { tenant: self.tenants.of(None), key: None, kind, slot });
        }
        let key = self.key(&request.headers, peer)?;
        self.within_rate(key.as_deref(), peer)?;
        let mut slot = self.place()?;
        if kind.is_stream() {
            slot = slot.and(self.streams.take().ok_or_else(|| self.streaming())?);
        }
        if self.says_too_much(&request.headers) {
            return Err(heavy(&self.bytes));
        }
        let named = match &key {
            Some(key) => key.tenant.as_deref(),
            // What nobody vouches for is a label like any other, as long as nobody needs a key or a certificate.
            None => near.holder.as_deref().or_else(|| tenant(&request.headers)),
        };
        Ok(Admitted { tenant: self.tenants.of(named), key, kind, slot })
    }

    /// Whose a refused request is, as far as its key or the certificate of its connection says it.
    pub fn vouched(&self, headers: &HeaderMap, near: &ConnectionSlots) -> Option<Tenant> {
        let key = self.keys.as_ref().and_then(|keys| keys.find(token(headers)?));
        let named = match &key {
            Some(key) => key.tenant.as_deref(),
            None => near.holder.as_deref(),
        };
        named.map(|name| self.tenants.of(Some(name)))
    }

    /// A place among all that are under way.
    fn place(&self) -> Result<TakenSlots, ApiProblem> {
        self.slots.take().ok_or_else(|| self.full())
    }

    /// A place for an address that needs no key: not among those of requests, but counted, too.
    fn open_place(&self, kind: RequestKind, near: &ConnectionSlots) -> Option<TakenSlots> {
        match kind {
            RequestKind::Watch => Some(near.watches.take()?.and(self.watches.take()?)),
            _ => Some(near.open.take()?.and(self.open.take()?)),
        }
    }

    /// Tells whoever counts that a request was refused.
    pub fn count(&self, problem: &ApiProblem) {
        (self.refused)(problem.code);
    }

    /// Whether a body is said to have more bytes than there is room for now. What is too large whenever it comes is refused when it
    /// is read; all others take their room as their bytes come.
    fn says_too_much(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let free = self.bytes.most().saturating_sub(self.bytes.taken());
        said.is_some_and(|said| said <= self.rules.body && said > free)
    }

    /// The key that a request shows; nothing when none is wanted.
    fn key(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Option<Arc<ApiKey>>, ApiProblem> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let token = token(headers);
        if let Some(key) = token.and_then(|token| keys.find(token)) {
            return Ok(Some(key));
        }
        // Whoever tries keys may do so only as often as whoever has none.
        self.within_rate(None, peer)?;
        let message = if token.is_some() {
            "unknown API key: request a new one, or check for a typo"
        } else if headers.contains_key(header::AUTHORIZATION) {
            "the header authorization is not `Bearer KEY`"
        } else {
            "an API key is required: send the header `Authorization: Bearer KEY`"
        };
        Err(ApiProblem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message))
    }

    /// The key as the file was updated.
    fn still(&self, key: &ApiKey) -> Result<Arc<ApiKey>, ApiProblem> {
        self.keys.as_ref().and_then(|keys| keys.again(key)).ok_or_else(|| {
            let message = "the key of this stream was revoked: open another stream with a new key";
            ApiProblem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
        })
    }

    fn within_rate(&self, key: Option<&ApiKey>, peer: IpAddr) -> Result<(), ApiProblem> {
        let taken = match key {
            Some(key) => {
                let own = key.rate.unwrap_or(self.rules.rate);
                let rate = Rate::new(own, burst(own, self.rules.burst));
                rate.map_or(Ok(()), |rate| key.bucket.take(rate, self.clock.now()))
            }
            None => self.addresses.as_ref().map_or(Ok(()), |addresses| addresses.take(peer, self.clock.now())),
        };
        taken.map_err(|pause| {
            let message = "rate limit of this client exceeded; see the header retry-after";
            ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message).again_after(pause)
        })
    }

    fn streaming(&self) -> ApiProblem {
        let message = format!("the maximum of {} streams is open; try again later", self.rules.streams);
        ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
    }

    fn full(&self) -> ApiProblem {
        let message = format!("the maximum of {} requests is in progress; try again later", self.rules.in_flight);
        ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
    }
}

/// Too many bytes are held.
pub fn heavy(bytes: &Slots) -> ApiProblem {
    let message = format!(
        "requests with {} MiB in total are in progress, which is about the maximum; try again later, or send fewer \
         texts per request",
        bytes.taken() >> 20
    );
    ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
}

/// Too many requests of an open address, of all clients or over this connection.
fn busy() -> ApiProblem {
    let message = "too many requests from this address are in progress; finish some of them, or try again later";
    ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "OVERLOADED", message).again_after(Duration::from_secs(1))
}

fn burst(rate: u32, burst: u32) -> u32 {
    if burst == 0 { rate } else { burst }
}

fn stopping() -> ApiProblem {
    let message = "the server is shutting down: use another one";
    ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", message).again_after(Duration::from_secs(1))
}

/// The key that a request shows: in the header `authorization`, else in one of those that hold a key alone.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    match headers.get(header::AUTHORIZATION) {
        Some(shown) => bearer(shown.as_bytes()),
        None => KEYS.iter().find_map(|name| headers.get(name)).map(|value| value.as_bytes()),
    }
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
