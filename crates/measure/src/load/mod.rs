//! Requests on a clock: an open model with a fixed arrival rate or with bursts, or a closed loop.
//!
//! In the open model requests become due at `start + n / rate`, whatever became of those before, and their latency counts from then:
//! a server that stands still for a second is seen by everybody who came within that second (no coordinated omission). A request
//! takes the connection that was used last, opens another one up to the limit, or waits in line for the next that is free.
//! What was never sent because none became free is a failure, with its wait.
//!
//! In the closed loop each connection sends its next request when the one before is over: it shows what a server can do, and its
//! percentiles are those of as many users as there are connections, who wait for one another.

mod control;
#[cfg(test)]
mod known_server;
mod once;
mod recorder;
mod run;
mod schedule;
mod send_slot;
mod stress;
mod worker;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use control::{Control, LoadProgress};
pub use once::{Exchange, OnceError, Timing, connect_times, once, once_up_to};
pub use run::{LoadError, run};
pub use stress::{Breaking, StressStep, breaking_point};

use crate::target::{Protocol, Target};

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// A fixed arrival rate.
    Open {
        /// Requests per second.
        rate: f64,
    },
    /// So many requests at one instant, again and again: a burst. Their latency counts from that instant, as in the open model.
    Bursts {
        /// Requests of a burst.
        size: u32,
        /// From one burst to the next; in JSON milliseconds.
        #[serde(with = "crate::milliseconds")]
        every: Duration,
    },
    /// Each connection sends when its last request is over.
    Closed,
}

/// How long it goes on, counted from the end of the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// So long; in JSON milliseconds.
    For(#[serde(with = "crate::milliseconds")] Duration),
    /// So many requests.
    Requests(u64),
}

/// Whether connections are used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// They are, as long as the server leaves them open.
    #[default]
    Keep,
    /// Each request opens its own.
    PerRequest,
}

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// When.
    pub model: Model,
    /// How many connections: all of them in the closed loop, at most as many in the open model.
    pub connections: u32,
    /// How many requests at once on one connection: 1 with HTTP/1.1.
    #[serde(default = "one")]
    pub streams: u32,
    /// How many threads.
    #[serde(default = "one_thread")]
    pub workers: u16,
    /// How long.
    pub extent: Extent,
    /// What is sent before and left out of the figures.
    #[serde(default, with = "crate::milliseconds")]
    pub warm_up: Duration,
    /// What takes longer has failed.
    #[serde(default = "ten_seconds", with = "crate::milliseconds")]
    pub timeout: Duration,
    /// Whether connections are used again.
    #[serde(default)]
    pub reuse: Reuse,
}

fn one() -> u32 {
    1
}

fn one_thread() -> u16 {
    1
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A load that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadLoad {
    /// A figure out of its range.
    #[error("{what} is {found}; it has to be {range}")]
    Range {
        /// Which figure.
        what: &'static str,
        /// What it is.
        found: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Several requests at once on one connection of HTTP/1.1.
    #[error("HTTP/1.1 has one request at a time on a connection; use more connections, or HTTP/2 for {0} streams")]
    Streams(u32),
}

fn range(what: &'static str, found: f64, range: &'static str, fine: bool) -> Result<(), BadLoad> {
    if fine { Ok(()) } else { Err(BadLoad::Range { what, found, range }) }
}

impl Load {
    /// A fixed arrival rate on one thread, with up to 256 connections and a time-out of ten seconds.
    pub fn open(rate: f64, extent: Extent) -> Self {
        Self { model: Model::Open { rate }, connections: 256, ..Self::closed(1, extent) }
    }

    /// Bursts of so many requests on as many connections on one thread, with a time-out of ten seconds.
    pub fn bursts(size: u32, every: Duration, extent: Extent) -> Self {
        Self { model: Model::Bursts { size, every }, ..Self::closed(size, extent) }
    }

    /// A closed loop of so many connections on one thread, with a time-out of ten seconds.
    pub fn closed(connections: u32, extent: Extent) -> Self {
        Self {
            model: Model::Closed,
            connections,
            streams: 1,
            workers: 1,
            extent,
            warm_up: Duration::ZERO,
            timeout: ten_seconds(),
            reuse: Reuse::Keep,
        }
    }

    /// Looks at it without sending anything.
    ///
    /// # Errors
    /// A figure that is out of its range.
    pub fn check(&self) -> Result<(), BadLoad> {
        const DAY: f64 = 86_400_000.0;
        if let Model::Open { rate } = self.model {
            let fine = rate.is_finite() && (0.001..=1e6).contains(&rate);
            range("the rate", rate, "from 0.001 to 1,000,000 requests per second", fine)?;
        }
        let whole = |value: u32| f64::from(value);
        if let Model::Bursts { size, every } = self.model {
            range("the size of a burst", whole(size), "from 1 to 10,000 requests", (1..=10_000).contains(&size))?;
            let every = crate::milliseconds::of(every);
            let fine = (10.0..=DAY / 24.0).contains(&every);
            range("the time from one burst to the next in milliseconds", every, "from 10 to an hour", fine)?;
        }
        let connections = (1..=10_000).contains(&self.connections);
        range("the number of connections", whole(self.connections), "from 1 to 10,000", connections)?;
        range("the number of streams", whole(self.streams), "from 1 to 1,000", (1..=1_000).contains(&self.streams))?;
        let seats = u64::from(self.connections) * u64::from(self.streams);
        range("the number of streams of all connections", seats as f64, "at most 20,000", seats <= 20_000)?;
        let workers = (1..=256).contains(&self.workers);
        range("the number of workers", f64::from(self.workers), "from 1 to 256", workers)?;
        match self.extent {
            Extent::For(length) => {
                let length = crate::milliseconds::of(length);
                range("the length in milliseconds", length, "from 1 to a day", (1.0..=DAY).contains(&length))?;
            }
            Extent::Requests(count) => {
                let fine = (1..=1_000_000_000).contains(&count);
                range("the number of requests", count as f64, "from 1 to 1,000,000,000", fine)?;
            }
        }
        let (warm_up, timeout) = (crate::milliseconds::of(self.warm_up), crate::milliseconds::of(self.timeout));
        range("the warm-up in milliseconds", warm_up, "at most an hour", warm_up <= DAY / 24.0)?;
        range("the time-out in milliseconds", timeout, "from 1 to an hour", (1.0..=DAY / 24.0).contains(&timeout))
    }

    /// Looks at it together with what is asked for.
    ///
    /// # Errors
    /// A figure that is out of its range, or several streams with HTTP/1.1.
    pub fn check_for(&self, target: &Target) -> Result<(), BadLoad> {
        self.check()?;
        match target.protocol {
            Protocol::Http1 if self.streams > 1 => Err(BadLoad::Streams(self.streams)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod load_tests;

#[cfg(test)]
#[path = "accuracy_tests.rs"]
mod accuracy_tests;

#[cfg(test)]
#[path = "http2_tests.rs"]
mod http2_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_out_of_range_are_refused_by_name() {
        let fine = Load::closed(4, Extent::Requests(10));
        assert_eq!(fine.check(), Ok(()));
        for (bad, what) in [
            (Load { connections: 0, ..fine.clone() }, "connections"),
            (Load { connections: 10_000, streams: 100, ..fine.clone() }, "streams of all"),
            (Load { workers: 0, ..fine.clone() }, "workers"),
            (Load { extent: Extent::Requests(0), ..fine.clone() }, "requests"),
            (Load { extent: Extent::For(Duration::from_secs(90_000)), ..fine.clone() }, "length"),
            (Load { timeout: Duration::ZERO, ..fine.clone() }, "time-out"),
            (Load::open(f64::NAN, fine.extent), "rate"),
            (Load::open(0.0, fine.extent), "rate"),
            (Load::bursts(0, Duration::from_secs(1), fine.extent), "size of a burst"),
            (Load::bursts(5, Duration::from_millis(1), fine.extent), "one burst to the next"),
        ] {
            let said = bad.check().unwrap_err().to_string();
            assert!(said.contains(what), "{said}");
        }
        let many = Load { streams: 8, ..fine };
        assert_eq!(many.check_for(&Target::get("http://host/")), Err(BadLoad::Streams(8)));
        assert_eq!(many.check_for(&Target::grpc("http://host/a.B/C", vec![])), Ok(()));
    }

    #[test]
    fn json_is_short_and_strict() {
        let text = r#"{"model": {"open": {"rate": 100}}, "connections": 8, "extent": {"for": 2500}}"#;
        let load: Load = serde_json::from_str(text).unwrap();
        let extent = Extent::For(Duration::from_millis(2_500));
        assert_eq!(load, Load { connections: 8, ..Load::open(100.0, extent) });
        let again = serde_json::to_string(&load).unwrap();
        assert_eq!(serde_json::from_str::<Load>(&again).unwrap(), load);
        assert!(
            serde_json::from_str::<Load>(r#"{"model": "closed", "connections": 8, "extent": {"for": -1}}"#).is_err()
        );
        assert!(serde_json::from_str::<Load>(r#"{"model": "closed", "extent": {"requests": 1}}"#).is_err());
    }
}
