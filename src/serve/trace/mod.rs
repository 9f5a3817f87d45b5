//! Traces by OTLP. A request that is not sampled costs a few numbers; spans are made after the answer, and sent by a task of
//! their own through a bounded queue, so that a collector that is away costs nothing but its spans.

mod export;
mod ids;
mod parent;
pub mod request_trace;
mod spans;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::HeaderMap;

use super::metrics::Metrics;
use super::{LogWriter, ServeFault};

use export::SpanQueue;
pub use parent::{SpanParent, TRACEPARENT};
pub use spans::EndedSpan;

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The collector, as `http://HOST:4317`; no traces when there is none.
    pub collector: Option<String>,
    /// The share of requests without a parent that is recorded: 0 to 1.
    pub share: f64,
    /// Region of this server.
    pub region: String,
    /// Cluster of this server.
    pub cluster: String,
    /// Environment of this server, when it is said.
    pub environment: Option<String>,
}

/// Decides, and records.
pub struct Tracer {
    outbox: Option<SpanQueue>,
    /// A trace is recorded when the lower half of its id is below this.
    below: u64,
}

/// A request that has a place in a trace.
#[derive(Clone, Copy, Debug)]
pub struct TracedRequest {
    /// Its own span.
    pub place: SpanParent,
    /// The caller's span.
    pub parent: Option<u64>,
    /// When it began.
    pub at: (SystemTime, Instant),
}

impl Tracer {
    /// A tracer; without a collector it only hands on what callers say.
    ///
    /// # Errors
    /// An address of a collector that cannot be used.
    pub fn new(settings: &TraceSettings, metrics: &Arc<Metrics>, log: &Arc<LogWriter>) -> Result<Self, ServeFault> {
        let outbox = match &settings.collector {
            Some(collector) => Some(SpanQueue::open(collector, settings, metrics.clone(), log.clone())?),
            None => None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of all numbers; the cast saturates"
        )]
        let below = (settings.share * 18_446_744_073_709_551_616.0) as u64;
        Ok(Self { outbox, below })
    }

    /// The place of a request that begins: under its caller's span with its caller's decision, else in a trace of its own.
    /// Nothing when there is neither a caller nor a collector.
    pub fn begin(&self, headers: &HeaderMap) -> Option<TracedRequest> {
        let parent = SpanParent::of(headers);
        if parent.is_none() && self.outbox.is_none() {
            return None;
        }
        let span = ids::number();
        let place = match parent {
            Some(parent) => SpanParent { span, ..parent },
            None => {
                let trace = u128::from(ids::number()) << 64 | u128::from(ids::number());
                // The lower half of the id decides, as in OpenTelemetry's own sampler: others decide alike.
                #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
                let sampled = self.below == u64::MAX || (trace as u64) < self.below;
                SpanParent { trace, span, sampled }
            }
        };
        Some(TracedRequest { place, parent: parent.map(|parent| parent.span), at: (SystemTime::now(), Instant::now()) })
    }

    /// Whether its spans are wanted.
    pub fn records(&self, begun: Option<&TracedRequest>) -> bool {
        self.outbox.is_some() && begun.is_some_and(|begun| begun.place.sampled)
    }

    /// The spans of a request that ended. Never waits.
    pub fn record(&self, whole: EndedSpan<'_>) {
        if let Some(outbox) = &self.outbox {
            outbox.put(spans::of(whole));
        }
    }

    /// Sends what is left, for two seconds at most.
    pub async fn close(&self) {
        if let Some(outbox) = &self.outbox {
            outbox.close().await;
        }
    }
}
