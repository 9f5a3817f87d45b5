//! Every name that can be exported: what it counts, and when it is there. Dashboards and alerts are compared with this list.

use prometheus_client::registry::{Metric, Registry};

/// The Prometheus type of a metric.
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
    /// Where a GPU runs the models and reports these values.
    Gpu,
    /// Once TensorRT built an engine or took one from its cache.
    TensorRt,
    /// When the vector cache is enabled.
    Cache,
    /// Once a client was named by a tenant.
    Tenant,
    /// Once a request was rejected at admission.
    Gate,
    /// Once model sync has synced a version.
    Sync,
}

/// A metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetricName {
    /// As it is exported; a counter ends in `_total`.
    pub name: &'static str,
    /// Its help text.
    pub help: &'static str,
    /// Its Prometheus type.
    pub kind: MetricKind,
    /// When it is exported.
    pub when: ExportCondition,
    /// Its former name, which is exported beside it for one version (`docs/reference/renames.md`).
    pub former: Option<&'static str>,
}

impl MetricName {
    const fn new(name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self { name, help, kind, when: ExportCondition::Always, former: None }
    }

    const fn when(self, when: ExportCondition) -> Self {
        Self { when, ..self }
    }

    const fn former(self, former: &'static str) -> Self {
        Self { former: Some(former), ..self }
    }

    /// It under its former name, if it has one.
    pub fn as_former(&self) -> Option<Self> {
        self.former.map(|name| Self { name, former: None, ..*self })
    }

    /// Registers it, and under its former name as well; the library puts `_total` behind counters itself.
    pub(super) fn register(&self, registry: &mut Registry, metric: impl Metric + Clone) {
        let stem = |name: &'static str| name.strip_suffix("_total").unwrap_or(name);
        if let Some(former) = self.former {
            registry.register(stem(former), format!("Former name of {}", self.name), metric.clone());
        }
        registry.register(stem(self.name), self.help, metric);
    }
}

macro_rules! names {
    ($($constant:ident = $kind:ident $name:literal $help:literal $($when:ident)? $(, former $former:literal)?;)*) => {
        $(
            #[doc = $help]
            pub const $constant: MetricName = MetricName::new($name, MetricKind::$kind, $help)
                $(.when(ExportCondition::$when))?$(.former($former))?;
        )*
        /// All of them.
        pub const ALL: &[MetricName] = &[$($constant),*];
    };
}

names! {
    REQUESTS = Counter "akidb_embed_requests_total"
        "Embedding requests by outcome: success, invalid, refused, error or cancelled";
    LATENCY = Histogram "akidb_embed_latency_seconds" "Request duration of successful requests";
    REFUSED = Counter "akidb_failed_requests_total" "Failed requests by error code", former "akidb_refused_requests_total";
    GATE = Counter "akidb_rejected_requests_total" "Requests rejected at admission, by error code" Gate,
        former "akidb_admission_refusals_total";
    REQUEST_TEXTS = Histogram "akidb_request_texts" "Texts per successful request";
    TOKENIZE = Histogram "akidb_tokenize_seconds" "Tokenizer time per request", former "akidb_tokenise_seconds";
    QUEUE_WAIT = Histogram "akidb_queue_wait_seconds" "Longest queue wait of a text per request";
    IN_FLIGHT = Gauge "akidb_requests_in_flight" "Embedding requests in progress";
    BATCH_SIZE = Histogram "akidb_batch_size" "Texts per batch";
    BATCH_TOKENS = Histogram "akidb_batch_tokens" "Computed tokens per batch, including padding";
    INFERENCE = Histogram "akidb_inference_seconds" "Model time per batch";
    BATCH_OVERHEAD = Histogram "akidb_batch_overhead_seconds" "Time to build a batch and pool its output";
    TOKENS = Counter "akidb_tokens_processed_total" "Tokens of embedded texts, without padding";
    PADDING = Counter "akidb_padding_tokens_total" "Padding tokens computed";
    DROPPED = Counter "akidb_dropped_texts_total" "Texts dropped from the queue because of a canceled request or a \
         timeout";
    NOT_FINITE = Counter "akidb_non_finite_vectors_total" "Texts whose vector contained NaN or infinity; their \
         requests failed with NOT_FINITE", former "akidb_not_finite_vectors_total";
    BROKEN_BATCHES = Counter "akidb_failed_batches_total" "Batches that the model failed to run; their requests \
         failed with INTERNAL", former "akidb_broken_batches_total";
    CACHE_HITS = Counter "akidb_model_cache_hits_total" "Requests whose model was loaded";
    CACHE_MISSES = Counter "akidb_model_cache_misses_total" "Requests whose model had to be loaded";
    CACHE_SIZE = Gauge "akidb_model_cache_size" "Models in memory";
    VECTOR_HITS = Counter "akidb_vector_cache_hits_total" "Texts answered from the vector cache" Cache;
    VECTOR_MISSES = Counter "akidb_vector_cache_misses_total" "Texts not in the vector cache" Cache;
    VECTOR_SHARED = Counter "akidb_vector_cache_shared_total" "Texts that shared the computation of an identical text \
         in progress" Cache;
    VECTOR_EVICTED = Counter "akidb_vector_cache_evicted_bytes_total" "Bytes evicted from the vector cache" Cache;
    VECTOR_BYTES = Gauge "akidb_vector_cache_bytes" "Bytes in the vector cache" Cache;
    LOAD = Histogram "akidb_model_load_seconds" "Duration of successful model loads";
    LOAD_FAILURES = Counter "akidb_model_load_failures_total" "Failed model loads";
    UNLOADS = Counter "akidb_model_unloads_total" "Models evicted from memory";
    SYNCS = Counter "akidb_model_sync_total" "Model versions synced, by result" Sync;
    MODEL_STATE = Gauge "akidb_model_state" "1 for the current state of a model: available, loading, loaded or failed";
    MODEL_MEMORY = Gauge "akidb_model_memory_bytes" "Memory of a model, measured when it was loaded";
    READY = Gauge "akidb_ready" "1 when the default model is loaded";
    QUEUE_TEXTS = Gauge "akidb_queue_texts" "Queued texts";
    QUEUE_TOKENS = Gauge "akidb_queue_tokens" "Queued tokens";
    WORKERS = Gauge "akidb_workers" "Threads that run batches";
    WORKERS_BUSY = Gauge "akidb_workers_busy" "Threads that are running a batch";
    SPEED = Gauge "akidb_throughput_tokens_per_second" "Measured tokens per second of all workers",
        former "akidb_speed_tokens_per_second";
    PROVIDER = Gauge "akidb_execution_provider_info" "1 with the provider, variant and version of a model";
    BUILD = Gauge "akidb_build_info" "1 with the version of the server";
    HTTP = Counter "akidb_http_responses_total" "Responses by route and status";
    TENANT = Counter "akidb_tenant_requests_total" "Requests by tenant and outcome" Tenant;
    GPU_MEMORY = Gauge "akidb_gpu_memory_used_bytes" "Memory in use on the GPU, of all processes" Gpu;
    GPU_UTILIZATION = Gauge "akidb_gpu_utilization_percent" "Share of time in which the GPU was busy" Gpu;
    ENGINE_BUILDS = Counter "akidb_tensorrt_engine_builds_total" "TensorRT engines built" TensorRt;
    ENGINE_CACHE_HITS = Counter "akidb_tensorrt_engine_cache_hits_total" "TensorRT engines loaded from the cache" TensorRt;
    SPANS = Counter "akidb_trace_spans_exported_total" "Spans exported to the collector";
    SPANS_DROPPED = Counter "akidb_trace_spans_dropped_total" "Spans lost because the queue was full or the export \
         failed";
    LOG_LINES_DROPPED = Counter "akidb_log_lines_dropped_total" "Request log lines dropped because of the rate limit";
    CPU = Counter "process_cpu_seconds_total" "User and system time of the process";
    RESIDENT = Gauge "process_resident_memory_bytes" "Resident memory of the process";
    STARTED = Gauge "process_start_time_seconds" "Start time of the process in seconds since the epoch";
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
        let mut names: Vec<&str> = ALL.iter().flat_map(|name| [Some(name.name), name.former]).flatten().collect();
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
