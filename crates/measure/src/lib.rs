//! # Measurements: from a request that is sent to a verdict with its sample, window and interval
//!
//! ```text
//!  Target + Load -> load::run -> Recording (HDR histograms by class and phase, counts, time line)
//!  probe::Order (JSON) -> probe::run -> probe::Answer (JSON): the same in a function, on an SSH machine, in this process
//!      Recording::merge over workers and regions -> statistics -> verdict::Finding -> gate::Gate -> pass, fail, inconclusive
//!      hlog (files for other tools), plot (SVG), history + change_point + compare (runs against one another)
//!      sequential (a cutover, looked at after each request), floor (what light in a fiber allows)
//! ```
//!
//! Prints nothing, opens no file, has no command line and no SDK. Statistics, verdicts, gates, change points and plots are pure and
//! synchronous. Times are `std::time::Duration`; in JSON they are milliseconds (numbers with a fraction), histograms are the
//! HdrHistogram V2 format, deflated, in base64 (nanoseconds, 3 significant digits).
//!
//! # The interface (AGREED; bodies follow slice by slice)
//!
//! ```ignore
//! // target: what is asked for. serde both ways; its `Debug` shows no header values and no body.
//! pub struct Target { pub url: String, pub method: String, pub headers: Vec<(String, String)>, pub body: Vec<u8> /* base64 in JSON */,
//!                     pub protocol: Protocol, pub connect_to: Option<SocketAddr>, pub expect: Expect, pub signals: Signals }
//! pub enum Protocol { Http1, Http2, Grpc }            // "http1" "http2" "grpc"
//! pub struct Expect { pub statuses: Vec<(u16, u16)> } // default 200..=299; gRPC also wants grpc-status 0
//! pub struct Signals { pub cache: String /* "x-cache" */, pub cold: Option<(String, String)> /* header, value of a cold start */,
//!                      pub count: Vec<String> /* headers whose values are counted, e.g. "x-amz-cf-pop"; at most 64 values each */ }
//! impl Target { pub fn get(url: &str) -> Self; pub fn post(url: &str, content_type: &str, body: Vec<u8>) -> Self;
//!               pub fn check(&self) -> Result<(), BadTarget>; }
//!
//! // trust: the authorities that TLS servers are held to (of akidb_edge_network::Bundle in the tool, a PEM text in a probe)
//! pub struct Trust; impl Trust { pub fn of(roots: rustls::RootCertStore) -> Self; pub fn pem(text: &str) -> Result<Self, BadTrust>; pub fn none() -> Self }
//!
//! // load: requests on a clock
//! pub struct Load { pub model: Model, pub connections: u32, pub streams: u32, pub workers: u16, pub extent: Extent,
//!                   pub warm_up: Duration, pub timeout: Duration, pub reuse: Reuse }
//! pub enum Model { Open { rate: f64 }, Closed }        // Open: a fixed arrival rate; latency counts from the intended time
//! pub enum Extent { For(Duration), Requests(u64) }
//! pub enum Reuse { Keep, PerRequest }                  // PerRequest: each request opens its own connection
//! impl Load { pub fn open(rate, extent) -> Self; pub fn closed(connections, extent) -> Self; pub fn check(&self) -> Result<(), BadLoad> }
//! pub struct Control;  // Clone; `stop()`, `progress() -> Progress { intended, answered, failed }`: for signals and progress lines
//! pub async fn load::run(target: &Target, load: &Load, trust: &Trust, control: &Control) -> Result<Recording, LoadError>;
//! pub async fn load::once(target: &Target, timeout: Duration, trust: &Trust) -> Result<Exchange, Failed>; // one request with its answer:
//! pub struct Exchange { pub timing: Timing, pub status: u16, pub headers: http::HeaderMap, pub trailers: Option<HeaderMap>, pub body: Bytes /* <= 1 MiB */, pub remote: SocketAddr }
//! pub struct Timing { pub dns: Option<Duration>, pub tcp: Option<Duration>, pub tls: Option<Duration>, pub first_byte: Duration, pub total: Duration }
//! pub async fn load::connect_times(address: SocketAddr, times: u32, timeout) -> Result<Latencies, io::Error>; // measured RTT by TCP connect
//! pub struct Step { pub connections: u32, pub rate: f64, .. }  pub fn load::breaking_point(steps: &[Step], limit: Duration, quantile: f64) -> Option<usize>
//!
//! // recording
//! pub struct Latencies;     // an HDR histogram of nanoseconds: record, merge, len, value_at(quantile) , value_at_rank, count_below(Duration), min, max, mean, encode, decode
//! pub struct Recording { pub vantage: String, pub started_ms: i64, pub span: Duration, pub warm_up: Cut, pub classes: BTreeMap<Class, Phases>,
//!                        pub failures: Failures, pub lateness: Latencies, pub statuses: BTreeMap<u16, u64>, pub headers: BTreeMap<String, BTreeMap<String, u64>>,
//!                        pub bytes: u64, pub timeline: Timeline, pub intervals: Intervals }     // serde both ways
//! pub struct Class { pub connection: Connection /* New | Reused */, pub cache: Cache /* Hit | Miss | Unstated */, pub start: Start /* Cold | Warm */ }
//! pub struct Phases { pub dns: Latencies, pub tcp: .., pub tls: .., pub first_byte: .., pub total: .. }
//! pub struct Failures { pub by_kind: BTreeMap<FailureKind, u64>, pub latencies: Latencies }   // latencies at no less than the time-out
//! pub enum FailureKind { Dns, Connect, Tls, Timeout, Reset, Protocol, Status, Grpc, TooLarge, NotSent }
//! impl Recording { pub fn merge(&mut self, other: &Recording); pub fn all(&self) -> Latencies /* with failures */; pub fn answered(&self) -> Latencies;
//!                  pub fn of(&self, which: impl Fn(&Class) -> bool) -> Phases; pub fn requests(&self) -> u64; pub fn failed(&self) -> u64;
//!                  pub fn throughput(&self) -> f64; pub fn hit_share(&self, confidence: f64) -> Option<Share> }
//!
//! // statistics
//! pub fn statistics::percentile(of: &Latencies, quantile: f64, confidence: f64) -> Result<Percentile, TooFew>;
//! pub struct Percentile { pub quantile: f64, pub value: Duration, pub low: Duration, pub high: Duration, pub samples: u64, pub confidence: f64 }
//! pub struct TooFew { pub samples: u64, pub needed: u64, .. }              // an Error: "p99 of 71 samples is their maximum; 368 are needed"
//! pub fn statistics::share(hits: u64, total: u64, confidence: f64) -> Option<Share>;  // Clopper-Pearson; None of nothing
//! pub struct Share { pub value: f64, pub low: f64, pub high: f64, pub samples: u64 }
//!
//! // verdict
//! pub enum Verdict { Pass, Fail, Inconclusive }
//! pub struct Window { pub from_ms: i64, pub to_ms: i64 }
//! pub struct Finding { pub name: String, pub verdict: Verdict, pub value: Option<f64>, pub low: Option<f64>, pub high: Option<f64>, pub unit: Unit,
//!                      pub compare: Compare, pub threshold: f64, pub samples: u64, pub window: Option<Window>, pub confidence: Option<f64>, pub why: String, pub notes: Vec<String> }
//! pub fn verdict::latency(name, recording: &Recording, quantile, compare: Compare, limit: Duration, confidence) -> Finding;
//! pub fn verdict::share(name, hits, total, compare, wanted: f64, window: Option<Window>, confidence) -> Finding;   // hit rate, availability, errors, traffic
//! pub fn verdict::rate(name, recording: &Recording, compare, per_second: f64, confidence) -> Finding;              // throughput
//! pub fn verdict::each(name, values: &[f64], unit, compare, limit: f64, at_least: usize, window) -> Finding;       // failover, replication: every one of a few
//! pub fn verdict::known(name, value: f64, unit, compare, limit: f64) -> Finding;                                   // an exact figure
//! pub fn verdict::unmeasured(name, unit, compare, threshold, why: &str) -> Finding;                                // inconclusive, with the reason
//!
//! // threshold and gate: data
//! pub struct Thresholds { pub name: String, pub groups: BTreeMap<String, Vec<String>>, pub limits: Vec<Limit> }    // serde; Thresholds::of_week(5 | 8 | 13 | 14)
//! pub struct Limit { pub group: String, pub quantile: f64, pub compare: Compare, pub limit_ms: f64, pub priority: Priority }
//! impl Thresholds { pub fn for_region(&self, region: &str) -> Vec<&Limit>; pub fn judge(&self, by_region: &BTreeMap<String, Recording>, confidence) -> Vec<Judged> }
//! pub struct Gate { pub name: String, pub wanted: BTreeMap<Priority, f64> }      // "all P0, 80 % of P1, 60 % of P2": Gate::of_week(..), FromStr
//! impl Gate { pub fn decide(&self, findings: &[(Priority, Verdict)]) -> Decision { verdict, counts by priority, why } }
//! pub struct Expression { pub quantile: f64, pub limit: Duration, pub scope: String }  // 'p95<25ms@all': FromStr, Display
//!
//! // sequential: the cutover
//! pub struct Watch { .. }   // serde: survives a kill. Watch::new(target: 0.95, alpha: 0.01); observe(scope: &str, within: bool); observe_many(scope, within, total);
//! impl Watch { pub fn evidence(&self) -> f64; pub fn state(&self) -> State }   // State::Holding | State::Breached { scope, requests, within }
//!
//! // history, change points, comparison
//! pub struct Run { pub at_ms: i64, pub commit: String, pub test: String, pub figures: BTreeMap<String, f64>, .. }  // one JSON line each
//! pub fn history::read(text: &str) -> Result<Vec<Run>, BadHistory>; pub fn history::line(run: &Run) -> String;
//! pub fn change_point::find(series: &[f64], settings: &Settings) -> Vec<ChangePoint { at: usize, before: f64, after: f64, p: f64 }>;
//! pub fn compare::runs(before: &Latencies, after: &Latencies, confidence: f64) -> Comparison;
//! // Comparison { quantiles: Vec<Difference { quantile, before, after, ratio, low, high, verdict: Faster|Slower|Same|TooFew }>, mann_whitney: MannWhitney { superiority, z, p } }
//!
//! // floor
//! pub fn floor::region(name: &str) -> Option<&'static Region { name, place, latitude, longitude }>;
//! pub fn floor::between(a: &Region, b: &Region) -> Floor { km, round_trip }; pub fn floor::nearest(to: &Region, among: &[&str]) -> Option<(&Region, Floor)>;
//! pub fn floor::note(limit: Duration, round_trips: u32, from: &Region, to: &Region, measured: Option<Duration>, candidates: &[&str]) -> Option<Note>;
//!
//! // plot: texts, each a whole <svg> without script
//! pub fn plot::latency_by_region(rows: &[(String, Latencies)], limits..) -> String; plot::histogram, plot::phases, plot::timeline
//!
//! // probe
//! pub struct Order { pub format: u32, pub vantage: String, pub target: Target, pub load: Load, pub trust_pem: Option<String> }
//! pub struct Answer { pub format: u32, pub version: String, pub outcome: Outcome /* recording | error */ }
//! pub async fn probe::run(order: &str, fallback: &Trust) -> String;    // JSON in, JSON out; never fails: errors are in the answer
//!
//! // hlog
//! pub fn hlog::write(recording: &Recording) -> Result<String, HlogError>;  // an interval log that HistogramLogProcessor reads
//! ```

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod answer;
mod beta;
mod client;
mod clock;
mod connect;
mod http1;
mod http2;
mod milliseconds;

pub mod change_point;
pub mod class;
pub mod compare;
pub mod failure;
pub mod floor;
pub mod gate;
pub mod history;
pub mod hlog;
pub mod intervals;
pub mod latencies;
pub mod load;
pub mod plot;
pub mod probe;
pub mod recording;
pub mod sequential;
pub mod statistics;
pub mod target;
pub mod thresholds;
pub mod timeline;
pub mod trust;
pub mod verdict;

pub use class::{Cache, Class, Connection, Start};
pub use client::BadClient;
pub use connect::BadTls;
pub use failure::{Failed, FailureKind};
pub use latencies::Latencies;
pub use load::{Control, Extent, Load, Model, Reuse};
pub use recording::Recording;
pub use target::{Expect, Protocol, Signals, Target};
pub use trust::Trust;

/// How requests introduce themselves.
pub(crate) const USER_AGENT: &str = concat!("akidb-edge/", env!("CARGO_PKG_VERSION"));
