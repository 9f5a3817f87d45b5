//! What is counted for one model. Handles are made once, so that a request copies no label.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::names::{self, MetricName};
use super::request_outcome::RequestOutcome;
use crate::inference::fault::ErrorCode;

/// Short times: tokenizer, queue, batches.
const SHORT: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Whole requests.
const WHOLE: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Loads of models.
const LOADS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const TEXTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
const TOKENS: &[f64] = &[16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 32_768.0];

/// Codes whose series are there from the beginning, so that a rate over them sees the first one.
const CODES: [ErrorCode; 11] = [
    ErrorCode::ModelNotFound,
    ErrorCode::ModelLoading,
    ErrorCode::ModelFailed,
    ErrorCode::InputTooLong,
    ErrorCode::InvalidRequest,
    ErrorCode::Overloaded,
    ErrorCode::DeadlineExceeded,
    ErrorCode::ShuttingDown,
    ErrorCode::NotSupported,
    ErrorCode::NotFinite,
    ErrorCode::Internal,
];

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct ByModel {
    model: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct ByStatus {
    model: String,
    status: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct ByCode {
    model: String,
    code: &'static str,
}

type Histograms = Family<ByModel, Histogram, fn() -> Histogram>;

/// The series of all models.
pub struct Families {
    requests: Family<ByStatus, Counter>,
    refused: Family<ByCode, Counter>,
    histograms: [Histograms; 9],
    counters: [Family<ByModel, Counter>; 9],
}

impl Families {
    /// Registered, and empty.
    pub fn new(registry: &mut Registry) -> Self {
        let (requests, refused) = (Family::default(), Family::default());
        names::REQUESTS.register(registry, requests.clone());
        names::REFUSED.register(registry, refused.clone());
        let mut histogram = |name: &MetricName, make: fn() -> Histogram| {
            let family: Histograms = Family::new_with_constructor(make);
            name.register(registry, family.clone());
            family
        };
        let short: fn() -> Histogram = || Histogram::new(SHORT.iter().copied());
        let histograms = [
            histogram(&names::LATENCY, || Histogram::new(WHOLE.iter().copied())),
            histogram(&names::REQUEST_TEXTS, || Histogram::new(TEXTS.iter().copied())),
            histogram(&names::TOKENIZE, short),
            histogram(&names::QUEUE_WAIT, short),
            histogram(&names::BATCH_SIZE, || Histogram::new(TEXTS.iter().copied())),
            histogram(&names::BATCH_TOKENS, || Histogram::new(TOKENS.iter().copied())),
            histogram(&names::INFERENCE, short),
            histogram(&names::BATCH_OVERHEAD, short),
            histogram(&names::LOAD, || Histogram::new(LOADS.iter().copied())),
        ];
        let mut counter = |name: &MetricName| {
            let family = Family::default();
            name.register(registry, family.clone());
            family
        };
        let counters = [
            counter(&names::TOKENS),
            counter(&names::PADDING),
            counter(&names::DROPPED),
            counter(&names::CACHE_HITS),
            counter(&names::CACHE_MISSES),
            counter(&names::LOAD_FAILURES),
            counter(&names::UNLOADS),
            counter(&names::NOT_FINITE),
            counter(&names::BROKEN_BATCHES),
        ];
        Self { requests, refused, histograms, counters }
    }

    /// Handles of one model.
    pub fn model(&self, name: &str) -> ModelSeries {
        let by = ByModel { model: name.to_owned() };
        let status = |ending: RequestOutcome| ByStatus { model: name.to_owned(), status: ending.name() };
        let code = |code: ErrorCode| ByCode { model: name.to_owned(), code: code.name() };
        let [latency, texts, tokenize, queue_wait, batch_size, batch_tokens, inference, overhead, load] =
            self.histograms.each_ref().map(|family| family.get_or_create_owned(&by));
        let [tokens, padding, dropped, hits, misses, load_failures, unloads, not_finite, broken] =
            self.counters.each_ref().map(|family| family.get_or_create_owned(&by));
        ModelSeries {
            requests: RequestOutcome::ALL.map(|ending| self.requests.get_or_create_owned(&status(ending))),
            refused: CODES.map(|one| (one, self.refused.get_or_create_owned(&code(one)))),
            latency,
            texts,
            tokenize,
            queue_wait,
            batch_size,
            batch_tokens,
            inference,
            overhead,
            load,
            tokens,
            padding,
            dropped,
            hits,
            misses,
            load_failures,
            unloads,
            not_finite,
            broken,
        }
    }

    /// A code that is not in the list.
    pub fn rare(&self, model: &str, code: ErrorCode) {
        self.refused.get_or_create(&ByCode { model: model.to_owned(), code: code.name() }).inc();
    }
}

/// Handles of one model.
#[derive(Debug)]
pub struct ModelSeries {
    requests: [Counter; 5],
    refused: [(ErrorCode, Counter); 11],
    pub latency: Histogram,
    pub texts: Histogram,
    pub tokenize: Histogram,
    pub queue_wait: Histogram,
    pub batch_size: Histogram,
    pub batch_tokens: Histogram,
    pub inference: Histogram,
    pub overhead: Histogram,
    pub load: Histogram,
    pub tokens: Counter,
    pub padding: Counter,
    pub dropped: Counter,
    pub hits: Counter,
    pub misses: Counter,
    pub load_failures: Counter,
    pub unloads: Counter,
    pub not_finite: Counter,
    pub broken: Counter,
}

impl ModelSeries {
    /// A request ended like this.
    pub fn ended(&self, ending: RequestOutcome) {
        self.requests[ending as usize].inc();
    }

    /// A request got this code; `false` when the code is not in the list.
    pub fn refused(&self, code: ErrorCode) -> bool {
        let Some((_, counter)) = self.refused.iter().find(|(one, _)| *one == code) else { return false };
        counter.inc();
        true
    }
}
