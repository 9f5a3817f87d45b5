//! Every name that can be exported: what it counts, and when it is there. Dashboards and alerts are compared with this list.

use prometheus_client::registry::{Metric, Registry};

/// What Prometheus calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// A value of the moment.
    Gauge,
    /// A distribution: its series end in `_bucket`, `_sum` and `_count`.
    Histogram,
}

/// When a name is exported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExportCondition {
    /// Once the default model is in memory and a request was answered.
    Always,
    /// Where a GPU runs the models and tells these figures.
    Gpu,
    /// Once TensorRT built an engine or took one from its cache.
    TensorRt,
    /// Unless no vectors are kept.
    Cache,
    /// Once a client was named by a tenant.
    Tenant,
    /// Once the gate refused a request.
    Gate,
    /// Once model sync brought something.
    Sync,
}

/// A metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetricName {
    /// As it is exported; a counter ends in `_total`.
    pub name: &'static str,
    /// What it says, for people.
    pub help: &'static str,
    /// What Prometheus calls it.
    pub kind: MetricKind,
    /// When it is exported.
    pub when: ExportCondition,
}

impl MetricName {
    const fn new(name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self { name, help, kind, when: ExportCondition::Always }
    }

    const fn when(self, when: ExportCondition) -> Self {
        Self { when, ..self }
    }

    /// Registers it; the library puts `_total` behind counters itself.
    pub(super) fn register(&self, registry: &mut Registry, metric: impl Metric) {
        registry.register(self.name.strip_suffix("_total").unwrap_or(self.name), self.help, metric);
    }
}

macro_rules! names {
    ($($constant:ident = $kind:ident $name:literal $help:literal $($when:ident)?;)*) => {
        $(
            #[doc = $help]
            pub const $constant: MetricName = MetricName::new($name, MetricKind::$kind, $help)$(.when(ExportCondition::$when))?;
        )*
        /// All of them.
        pub const ALL: &[MetricName] = &[$($constant),*];
    };
}

names! {
    REQUESTS = Counter "akidb_embed_requests_total"
        "Requests for embeddings by how they ended: success, invalid, refused, error or cancelled";
    LATENCY = Histogram "akidb_embed_latency_seconds" "Time from a request's arrival to its answer, of those that succeeded";
    REFUSED = Counter "akidb_refused_requests_total" "Requests that got no vectors, by the code that their client got";
    GATE = Counter "akidb_admission_refusals_total" "Requests that the gate refused before a model was looked at, by code" Gate;
    REQUEST_TEXTS = Histogram "akidb_request_texts" "Texts of a request that succeeded";
    TOKENIZE = Histogram "akidb_tokenise_seconds" "Time in the tokenizer, per request";
    QUEUE_WAIT = Histogram "akidb_queue_wait_seconds" "Longest wait of a text in the queue, per request";
    IN_FLIGHT = Gauge "akidb_requests_in_flight" "Requests for embeddings that are being answered";
    BATCH_SIZE = Histogram "akidb_batch_size" "Texts of a batch";
    BATCH_TOKENS = Histogram "akidb_batch_tokens" "Tokens of a batch that were computed, padding included";
    INFERENCE = Histogram "akidb_inference_seconds" "Time in the model, per batch";
    BATCH_OVERHEAD = Histogram "akidb_batch_overhead_seconds" "Time to make a batch and to pool its output, outside of the model";
    TOKENS = Counter "akidb_tokens_processed_total" "Tokens of texts that were run, padding not included";
    PADDING = Counter "akidb_padding_tokens_total" "Tokens that were computed only to fill rows up";
    DROPPED = Counter "akidb_dropped_texts_total" "Texts that were dropped from the queue: nobody waited for them any more, or their time was up";
    NOT_FINITE = Counter "akidb_not_finite_vectors_total" "Texts whose vector had NaN or an infinite number in it; their requests got NOT_FINITE";
    BROKEN_BATCHES = Counter "akidb_broken_batches_total" "Batches that the model could not run, or whose run panicked; their requests got INTERNAL";
    CACHE_HITS = Counter "akidb_model_cache_hits_total" "Requests whose model was in memory";
    CACHE_MISSES = Counter "akidb_model_cache_misses_total" "Requests whose model had to be loaded first";
    CACHE_SIZE = Gauge "akidb_model_cache_size" "Models in memory";
    VECTOR_HITS = Counter "akidb_vector_cache_hits_total" "Texts whose vector was kept from before" Cache;
    VECTOR_MISSES = Counter "akidb_vector_cache_misses_total" "Texts that had to be run" Cache;
    VECTOR_SHARED = Counter "akidb_vector_cache_shared_total" "Texts that got the vector of the same text of another request, which was under way" Cache;
    VECTOR_EVICTED = Counter "akidb_vector_cache_evicted_bytes_total" "Bytes of vectors and texts that were pushed out by others" Cache;
    VECTOR_BYTES = Gauge "akidb_vector_cache_bytes" "Bytes of vectors and texts that are kept" Cache;
    LOAD = Histogram "akidb_model_load_seconds" "Time to load a model, of those loads that succeeded";
    LOAD_FAILURES = Counter "akidb_model_load_failures_total" "Loads of a model that failed";
    UNLOADS = Counter "akidb_model_unloads_total" "Models that left memory to make room";
    SYNCS = Counter "akidb_model_sync_total" "Versions that model sync brought, or could not bring" Sync;
    MODEL_STATE = Gauge "akidb_model_state" "1 for what a model is doing: available, loading, loaded or failed";
    MODEL_MEMORY = Gauge "akidb_model_memory_bytes" "Memory of a model, measured around its load";
    READY = Gauge "akidb_ready" "1 when the default model is in memory";
    QUEUE_TEXTS = Gauge "akidb_queue_texts" "Texts that wait";
    QUEUE_TOKENS = Gauge "akidb_queue_tokens" "Tokens that wait";
    WORKERS = Gauge "akidb_workers" "Threads that run batches";
    WORKERS_BUSY = Gauge "akidb_workers_busy" "Threads that run a batch at this moment";
    SPEED = Gauge "akidb_speed_tokens_per_second" "Measured tokens a second of all workers together";
    PROVIDER = Gauge "akidb_execution_provider_info" "1 for what runs a model: provider, variant and version";
    BUILD = Gauge "akidb_build_info" "1 for this version";
    HTTP = Counter "akidb_http_responses_total" "Answers by route and status";
    TENANT = Counter "akidb_tenant_requests_total" "Requests by tenant and how they ended" Tenant;
    GPU_MEMORY = Gauge "akidb_gpu_memory_used_bytes" "Memory in use on the GPU, of all processes" Gpu;
    GPU_UTILIZATION = Gauge "akidb_gpu_utilization_percent" "Share of the last moments in which the GPU ran something" Gpu;
    ENGINE_BUILDS = Counter "akidb_tensorrt_engine_builds_total" "Engines that TensorRT built" TensorRt;
    ENGINE_CACHE_HITS = Counter "akidb_tensorrt_engine_cache_hits_total" "Engines that came from TensorRT's cache" TensorRt;
    SPANS = Counter "akidb_trace_spans_exported_total" "Spans that the collector took";
    SPANS_DROPPED = Counter "akidb_trace_spans_dropped_total" "Spans that were lost: the queue was full or the collector took none";
    LOG_LINES_DROPPED = Counter "akidb_log_lines_dropped_total" "Lines about requests that the log left out, because there were too many in that second";
    CPU = Counter "process_cpu_seconds_total" "User and system time of the process";
    RESIDENT = Gauge "process_resident_memory_bytes" "Resident memory of the process";
    STARTED = Gauge "process_start_time_seconds" "When the process began, in seconds since 1970";
    FILES = Gauge "process_open_fds" "Open files of the process";
    THREADS = Gauge "process_threads" "Threads of the process";
}

/// The names whose series may be there or not.
pub fn is_optional(name: &MetricName) -> bool {
    name.when != ExportCondition::Always
}

#[cfg(test)]
mod tests {
    use super::{ALL, MetricKind};

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let mut names: Vec<&str> = ALL.iter().map(|name| name.name).collect();
        for name in ALL {
            assert_eq!(name.kind == MetricKind::Counter, name.name.ends_with("_total"), "{}", name.name);
            assert!(!name.help.ends_with('.'), "{}: the library puts a dot behind it", name.name);
        }
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
