//! A file of former runs: JSON lines, one for each run, only ever added to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change_point::{self, ChangePoint, Settings};
use crate::latencies::Latencies;

/// The format of the lines.
const FORMAT: u32 = 1;
/// The longest file that is read.
const MOST_BYTES: usize = 256 << 20;
/// How many of the latest runs of a test are looked at.
pub const MOST_RUNS: usize = 1_000;

/// A run, as a line keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRun {
    /// The format of the line.
    pub format: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was measured: an URL, a verb, a machine.
    pub test: String,
    /// The version that was measured.
    pub commit: String,
    /// Its figures by name, like `p95_ms`.
    pub figures: BTreeMap<String, f64>,
    /// All of its latencies, for a comparison later.
    #[serde(default, skip_serializing_if = "Latencies::is_empty")]
    pub latencies: Latencies,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadHistory {
    /// Too long.
    #[error("the history has {0} bytes, more than {MOST_BYTES}; begin a new file")]
    TooLong(usize),
    /// A line that is not a run.
    #[error("line {line} of the history is not a run: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: serde_json::Error,
    },
    /// A line of a newer version.
    #[error("line {line} of the history has format {format}; this version knows up to {FORMAT}: use the newer one")]
    Newer {
        /// Its number, from 1.
        line: usize,
        /// Its format.
        format: u32,
    },
    /// A run that cannot be written.
    #[error("the run cannot be written: {0}")]
    Write(serde_json::Error),
}

/// Only the format of a line, which is looked at first.
#[derive(Deserialize)]
struct Formatted {
    format: u32,
}

impl RecordedRun {
    /// A run with the usual figures: p50, p95 and p99 in milliseconds.
    pub fn new(test: &str, commit: &str, at_ms: i64, latencies: Latencies) -> Self {
        let named = [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)];
        let of = |(name, quantile): (&str, f64)| {
            latencies.value_at(quantile).map(|value| (name.to_owned(), crate::milliseconds::of(value)))
        };
        let figures = named.into_iter().filter_map(of).collect();
        Self { format: FORMAT, at_ms, test: test.to_owned(), commit: commit.to_owned(), figures, latencies }
    }

    /// The line of the run, with its end.
    ///
    /// # Errors
    /// A figure that is not a number.
    pub fn line(&self) -> Result<String, BadHistory> {
        let mut line = serde_json::to_string(self).map_err(BadHistory::Write)?;
        line.push('\n');
        Ok(line)
    }
}

/// Reads a history. A last line without its end is left out: whoever wrote it was cut off.
///
/// # Errors
/// A line that is not a run, or of a newer version.
pub fn read(text: &str) -> Result<Vec<RecordedRun>, BadHistory> {
    if text.len() > MOST_BYTES {
        return Err(BadHistory::TooLong(text.len()));
    }
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
    let run = |(at, line): (usize, &str)| {
        let bad = |why| BadHistory::Line { line: at + 1, why };
        let Formatted { format } = serde_json::from_str(line).map_err(bad)?;
        if format > FORMAT {
            return Err(BadHistory::Newer { line: at + 1, format });
        }
        serde_json::from_str(line).map_err(bad)
    };
    lines.map(run).collect()
}

/// A figure that changed from one run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// The test.
    pub test: String,
    /// The figure.
    pub figure: String,
    /// The first run with the new value.
    pub commit: String,
    /// When that was.
    pub at_ms: i64,
    /// The change itself; `at` counts the runs of the test that have this figure.
    pub change: ChangePoint,
}

/// All changes of all figures of a history, by test and figure, the latest runs only.
pub fn changes(runs: &[RecordedRun], settings: &Settings) -> Vec<Changed> {
    let mut series: BTreeMap<(&str, &str), Vec<(&RecordedRun, f64)>> = BTreeMap::new();
    for run in runs {
        for (figure, value) in &run.figures {
            series.entry((&run.test, figure)).or_default().push((run, *value));
        }
    }
    let mut found = Vec::new();
    for ((test, figure), values) in series {
        let latest = &values[values.len().saturating_sub(MOST_RUNS)..];
        let numbers: Vec<f64> = latest.iter().map(|(_, value)| *value).collect();
        for change in change_point::find(&numbers, settings) {
            let run = latest[change.at].0;
            let (test, figure, commit) = (test.to_owned(), figure.to_owned(), run.commit.clone());
            found.push(Changed { test, figure, commit, at_ms: run.at_ms, change });
        }
    }
    found
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
