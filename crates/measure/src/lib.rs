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
//! | module | what it is |
//! |---|---|
//! | `target`, `trust` | what is asked for, which answers are right, and whom TLS believes |
//! | `load` | `run`: an open model or a closed loop on threads of their own; `once`: one request with its answer; `connect_times`; `breaking_point` |
//! | `latencies`, `recording`, `class`, `failure`, `timeline`, `intervals` | what a measurement brings: constant memory, merged over workers and regions |
//! | `probe` | the same measurement as a text, for a function in a region or a machine behind SSH |
//! | `statistics` | intervals of percentiles (order statistics), shares (Clopper and Pearson) and means; the design effect of requests that are slow together |
//! | `verdict` | `latency`, `share`, `rate`, `each`, `known`, `unmeasured`: pass, fail or inconclusive |
//! | `thresholds`, `gate` | limits by group of regions, and which findings have to pass, as data |
//! | `sequential` | the test of a cutover that may be looked at after every request |
//! | `history`, `change_point`, `compare` | runs against one another |
//! | `bench` | levels of connections, the breaking point, starts of a server; two such runs compared |
//! | `floor` | regions, and what light in a fiber allows between them |
//! | `hlog`, `plot` | interval logs for other tools, and SVG |
//!
//! A failure is never dropped and never fast: it is in `Recording::all`, of which percentiles are told, at no less than the time-out.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod answer;
mod beta;
mod client;
mod clock;
mod connect;
mod http1;
mod http2;
mod lateness;
mod milliseconds;

pub mod bench;
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
pub use trust::TrustedRoots;

/// How requests introduce themselves.
pub(crate) const USER_AGENT: &str = concat!("akidb-edge/", env!("CARGO_PKG_VERSION"));
