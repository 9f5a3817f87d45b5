//! Metrics of the vector cache.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::names::{self, MetricName};
use crate::inference::cache::CacheCounts;

/// The counts of the moment.
pub fn register(registry: &mut Registry, counts: &CacheCounts) {
    let counters: [(&MetricName, u64); 4] = [
        (&names::VECTOR_HITS, counts.hits),
        (&names::VECTOR_MISSES, counts.misses),
        (&names::VECTOR_SHARED, counts.shared),
        (&names::VECTOR_EVICTED, counts.evicted),
    ];
    for (name, count) in counters {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        name.register(registry, counter);
    }
    let bytes: Gauge = Gauge::default();
    bytes.set(i64::try_from(counts.bytes).unwrap_or(i64::MAX));
    names::VECTOR_BYTES.register(registry, bytes);
}
