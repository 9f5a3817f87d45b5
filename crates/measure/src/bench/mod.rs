//! Runs of `bench`: what each level of connections brought, where the server breaks, how it starts. They are kept as JSON and compared with
//! one another.

mod against;
mod figures;
mod growth;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use against::{Against, ComparedOutcome, LevelChange, against};
pub use figures::{Drain, LevelFigures};
pub use growth::{Growth, confirmed};

use crate::history;
use crate::load::{Breaking, Load};
use crate::recording::Recording;

/// The numbers of connections that are measured when nobody names others.
pub const CONNECTIONS: [u32; 6] = [1, 5, 10, 15, 30, 50];
/// What a file of a run says that it is.
pub const SCHEMA: &str = "akidb-edge/bench-run/v1";
/// The longest file of a run that is read: every level has at most 600 histograms.
pub const MOST_BYTES: u64 = 256 << 20;

/// How the load is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The same load for some time at each level.
    Sustained,
    /// As many requests at one instant as there are connections, again and again.
    Burst,
    /// More and more connections, up to the breaking point.
    Stress,
    /// Each request on a new connection after an idle time, or starts of a server of its own.
    ColdStart,
}

impl Mode {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sustained => "sustained",
            Self::Burst => "burst",
            Self::Stress => "stress",
            Self::ColdStart => "cold-start",
        }
    }
}

/// One level of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchLevel {
    /// What it is called: `10 connections`, `cold`.
    pub name: String,
    /// How requests were sent.
    pub load: Load,
    /// What came of them.
    pub recording: Recording,
    /// What the server said about its GPU at the end, by metric and GPU; nothing where there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gpu: BTreeMap<String, f64>,
}

/// Where the server breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakingPoint {
    /// The first number of connections that is too many; none when no level was too much.
    pub connections: Option<u32>,
    /// Why.
    pub how: Option<Breaking>,
    /// The number of connections with the most answers per second among those that held.
    pub best_connections: Option<u32>,
    /// How many answers per second that were.
    pub best_per_second: Option<f64>,
}

/// One start of a server, in milliseconds from the start of its process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerStart {
    /// Until it accepts connections.
    pub listening_ms: f64,
    /// Until its model is loaded.
    pub ready_ms: f64,
    /// Until the first answer is there.
    pub first_answer_ms: f64,
    /// How long the first request took.
    pub first_request_ms: f64,
}

/// A run of `bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was measured: an URL, or `serve` with its model.
    pub test: String,
    /// The version that was measured: a commit.
    pub label: String,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// How the load was made.
    pub mode: Mode,
    /// What each level brought.
    pub levels: Vec<BenchLevel>,
    /// Where it breaks; of `stress` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaking_point: Option<BreakingPoint>,
    /// Starts of the server; of `bench serve --mode cold-start` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<ServerStart>,
}

/// A file that is not a run.
#[derive(Debug, thiserror::Error)]
pub enum BadRun {
    /// Not the JSON of a run.
    #[error("it is not a run of bench: {0}")]
    Json(#[from] serde_json::Error),
    /// Something else, or a later version.
    #[error("its schema is {0:?}, not {SCHEMA:?}")]
    Schema(String),
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: String,
}

impl Run {
    /// An empty run.
    pub fn new(test: &str, label: &str, at_ms: i64, mode: Mode) -> Self {
        let (schema, test, label) = (SCHEMA.to_owned(), test.to_owned(), label.to_owned());
        Self { schema, test, label, at_ms, mode, levels: Vec::new(), breaking_point: None, starts: Vec::new() }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not a run, or one of another version.
    pub fn read(text: &str) -> Result<Self, BadRun> {
        let SchemaOnly { schema } = serde_json::from_str(text)?;
        if schema != SCHEMA {
            return Err(BadRun::Schema(schema));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// What a history calls a level of this run.
    fn test_of(&self, level: &str) -> String {
        format!("{}, {}, {level}", self.test, self.mode.name())
    }

    /// The lines of this run in a history: one for each level, and one for the starts. Percentiles that a sample does not bound are left
    /// out: they would be the slowest request.
    pub fn history(&self, confidence: f64) -> Vec<history::RecordedRun> {
        let of = |level: &BenchLevel| {
            let figures = LevelFigures::of(level, confidence);
            let mut line =
                history::RecordedRun::new(&self.test_of(&level.name), &self.label, self.at_ms, level.recording.all());
            line.figures = figures.named();
            line
        };
        let starts = (!self.starts.is_empty()).then(|| {
            let mut line = history::RecordedRun::new(
                &self.test_of("starts"),
                &self.label,
                self.at_ms,
                crate::Latencies::default(),
            );
            line.figures = [
                ("ready_ms", self.median(|one| one.ready_ms)),
                ("first_answer_ms", self.median(|one| one.first_answer_ms)),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
            line
        });
        self.levels.iter().map(of).chain(starts).filter(|line| !line.figures.is_empty()).collect()
    }

    /// The median of a figure of the starts. `None` when there are none.
    pub fn median(&self, of: impl Fn(&ServerStart) -> f64) -> Option<f64> {
        let mut all: Vec<f64> = self.starts.iter().map(of).collect();
        all.sort_unstable_by(f64::total_cmp);
        let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(all.len() / 2)?);
        Some(f64::midpoint(*low, *high))
    }

    /// All levels as one recording, for an interval log.
    ///
    /// # Errors
    /// An interval whose histogram cannot be decoded.
    pub fn joined(&self) -> Result<Recording, crate::latencies::BadHistogram> {
        let mut all = Recording::default();
        for level in &self.levels {
            all.merge(&level.recording)?;
        }
        Ok(all)
    }
}

/// Whether an increase of a figure of a history is a change for the worse, by its name. `None` when the name does not say it.
pub fn more_is_worse(figure: &str) -> Option<bool> {
    match figure {
        "per_second" => Some(false),
        _ if figure.ends_with("_ms") || figure.ends_with("failed") => Some(true),
        _ => None,
    }
}

pub(crate) fn milliseconds(of: Duration) -> f64 {
    crate::milliseconds::of(of)
}
