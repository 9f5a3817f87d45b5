//! How much load, and of which kind.

use std::time::Duration;

use crate::commands::validate::ConnectionArgs;
use crate::exit::{Failure, codes};
use crate::measure::bench::{CONNECTIONS, Mode};
use crate::measure::load::{Extent, Load};
use crate::resource::shown;

/// Time from burst to burst, or from one request to the next of a cold start.
const PAUSE: f64 = 1.0;
/// Requests of a cold start.
const COLD_REQUESTS: u64 = 10;
/// The most connections of a stress test.
const MOST: u32 = 1000;
/// The limit of a stress test's 95th percentile in milliseconds.
const LIMIT_MS: f64 = 1000.0;

/// A mode as it is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ModeArg {
    /// Each level for some time: closed loop, or a fixed rate with --rate
    #[default]
    Sustained,
    /// As many requests at once as the level has connections, again and again
    Burst,
    /// More and more connections, until more bring no more answers, too slow ones or failures
    Stress,
    /// Each request on a new connection after an idle time; with `bench serve`, starts of the server
    ColdStart,
}

impl ModeArg {
    /// The mode.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Sustained => Mode::Sustained,
            Self::Burst => Mode::Burst,
            Self::Stress => Mode::Stress,
            Self::ColdStart => Mode::ColdStart,
        }
    }
}

/// The load.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadArgs {
    /// Kind of load
    #[arg(long, value_enum, default_value_t)]
    pub mode: ModeArg,
    /// Connections of each level
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: Vec<u32>,
    /// Seconds of each level
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Requests of each level, instead of --seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub requests: Option<u64>,
    /// Seconds before each level that are in no figure
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub warm_up: f64,
    /// Requests per second at a fixed rate (open model), with --mode sustained
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Seconds from burst to burst, or between the requests of a cold start [default: 1]
    #[arg(long, value_name = "SECONDS")]
    pub pause: Option<f64>,
    /// Most connections of --mode stress [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub most: Option<u32>,
    /// Limit of the 95th percentile in milliseconds of --mode stress: a level above it is the breaking point [default: 1000]
    #[arg(long, value_name = "MS")]
    pub limit_ms: Option<f64>,
    /// Milliseconds after which a request has failed
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub timeout_ms: u64,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    #[command(flatten)]
    pub reach: ConnectionArgs,
}

impl LoadArgs {
    /// Refuses options that the mode does not use, and values out of range.
    ///
    /// # Errors
    /// The first one.
    pub fn check(&self) -> Result<(), Failure> {
        let (mode, is) = (self.mode.mode().name(), |modes: &[ModeArg]| modes.contains(&self.mode));
        let paused = is(&[ModeArg::Burst, ModeArg::ColdStart]);
        let rows = [
            ("--rate", self.rate.is_some(), is(&[ModeArg::Sustained]), "sustained"),
            ("--pause", self.pause.is_some(), paused, "burst or cold-start"),
            ("--most", self.most.is_some(), is(&[ModeArg::Stress]), "stress"),
            ("--limit-ms", self.limit_ms.is_some(), is(&[ModeArg::Stress]), "stress"),
        ];
        if let Some((option, _, _, modes)) = rows.into_iter().find(|(_, given, used, _)| *given && !used) {
            return Err(codes::OPTIONS.refused(
                shown!("{} has no effect with --mode {}; nothing was done", option, mode),
                shown!("leave it out, or use --mode {}", modes),
            ));
        }
        self.seconds_of("--pause", self.pause.unwrap_or(PAUSE), 0.01, 1000.0)?;
        self.seconds_of("--warm-up", self.warm_up, 0.0, 3600.0)?;
        self.seconds_of("--limit-ms", self.limit_ms.unwrap_or(LIMIT_MS), 0.001, 3_600_000.0)?;
        let mut loads = self.connections.iter().map(|connections| self.load(*connections));
        loads.try_for_each(|load| load.check()).map_err(|bad| {
            codes::ARGUMENT
                .refused(shown!("{}", bad), "correct the load; akidb-edge bench url --help lists the options")
        })
    }

    fn seconds_of(&self, option: &str, value: f64, least: f64, most: f64) -> Result<(), Failure> {
        if value.is_finite() && (least..=most).contains(&value) {
            return Ok(());
        }
        Err(codes::ARGUMENT.refused(
            shown!("{} {} is out of range", option, value),
            shown!("write a number from {} to {}", least, most),
        ))
    }

    /// The time from burst to burst, or between requests.
    pub fn pause(&self) -> Duration {
        Duration::from_secs_f64(self.pause.unwrap_or(PAUSE))
    }

    /// The most connections of a stress test.
    pub fn most(&self) -> u32 {
        self.most.unwrap_or(MOST)
    }

    /// The limit of a stress test.
    pub fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.limit_ms.unwrap_or(LIMIT_MS) / 1e3)
    }

    /// The load of a level.
    pub fn load(&self, connections: u32) -> Load {
        let extent = match self.requests {
            Some(requests) => Extent::Requests(requests),
            None => Extent::For(Duration::from_secs(self.seconds)),
        };
        let load = match (self.mode, self.rate) {
            (ModeArg::Burst, _) => Load::bursts(connections, self.pause(), extent),
            (_, Some(rate)) => Load { connections, ..Load::open(rate, extent) },
            (_, None) => Load::closed(connections, extent),
        };
        let warm_up = Duration::try_from_secs_f64(self.warm_up).unwrap_or_default();
        Load { warm_up, workers: self.workers, timeout: Duration::from_millis(self.timeout_ms), ..load }
    }

    /// The load of a cold start: one request at a time, each on a connection of its own.
    pub fn cold(&self) -> Load {
        let extent = Extent::Requests(self.requests.unwrap_or(COLD_REQUESTS));
        let rate = 1.0 / self.pause().as_secs_f64();
        Load {
            connections: 16,
            reuse: crate::measure::Reuse::PerRequest,
            timeout: Duration::from_millis(self.timeout_ms),
            ..Load::open(rate, extent)
        }
    }

    /// What a level is called.
    pub fn name(&self, connections: u32) -> String {
        match (self.mode, self.rate) {
            (ModeArg::Burst, _) => format!("bursts of {connections}"),
            (_, Some(rate)) => format!("{connections} connections at {rate}/s"),
            (_, None) if connections == 1 => "1 connection".to_owned(),
            (_, None) => format!("{connections} connections"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::measure::load::Model;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn typed(words: &str) -> LoadArgs {
        Line::try_parse_from(std::iter::once("x").chain(words.split_whitespace())).expect("a command line").load
    }

    #[test]
    fn the_levels_are_those_of_the_plan_unless_others_are_named() {
        assert_eq!(typed("").connections, [1, 5, 10, 15, 30, 50]);
        assert_eq!(typed("--connections 2,4").connections, [2, 4]);
    }

    #[test]
    fn each_mode_makes_its_load() {
        assert_eq!(typed("").load(5).model, Model::Closed);
        assert_eq!(typed("--rate 20").load(5).model, Model::Open { rate: 20.0 });
        let burst = typed("--mode burst --pause 0.5").load(5);
        assert_eq!(burst.model, Model::Bursts { size: 5, every: Duration::from_millis(500) });
        let cold = typed("--mode cold-start --pause 4").cold();
        assert_eq!((cold.model, cold.extent), (Model::Open { rate: 0.25 }, Extent::Requests(10)));
    }

    #[test]
    fn options_of_another_mode_are_refused() {
        for words in ["--mode burst --rate 5", "--pause 3", "--most 5", "--mode cold-start --limit-ms 3"] {
            assert_eq!(typed(words).check().expect_err("refused").id.id(), "CL002-options", "{words}");
        }
        for words in ["--mode burst --pause 0", "--warm-up nan", "--rate 0", "--mode stress --limit-ms inf"] {
            assert_eq!(typed(words).check().expect_err("refused").id.id(), "CL005-argument", "{words}");
        }
        assert!(typed("--mode stress --most 5 --limit-ms 3").check().is_ok());
    }
}
