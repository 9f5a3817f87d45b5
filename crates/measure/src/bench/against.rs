//! Two runs against one another, level by level.

use serde::Serialize;

use super::Run;
use crate::compare::{self, ChangeVerdict, QUANTILES, RunComparison};
use crate::latencies::BadHistogram;

/// One level of both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelChange {
    /// What it is called in both.
    pub level: String,
    /// How they differ.
    pub comparison: RunComparison,
    /// Failed requests before and after, each out of how many.
    pub failed: ((u64, u64), (u64, u64)),
}

/// What can be said as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedOutcome {
    /// At least one percentile of one level is slower, none is faster.
    Slower,
    /// At least one is faster, none is slower.
    Faster,
    /// Some are slower and some are faster.
    Mixed,
    /// No difference is shown.
    Same,
    /// Every sample is too small to say anything.
    TooFew,
}

/// Two runs against one another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Against {
    /// The label of the run before.
    pub before: String,
    /// The label of the run after.
    pub after: String,
    /// Levels that both have, in the order of the run after.
    pub levels: Vec<LevelChange>,
    /// Levels that only one of them has.
    pub alone: Vec<String>,
    /// The probability that any percentile at all is called different though none is.
    pub error: f64,
    /// The confidence of the interval of each percentile: `1 - error / number of percentiles` (Bonferroni).
    pub confidence: f64,
    /// What can be said as a whole.
    pub outcome: ComparedOutcome,
}

/// Compares the levels that both runs have. `error` is the probability of any false difference among all of them.
///
/// # Errors
/// An interval whose histogram cannot be decoded.
pub fn against(before: &Run, after: &Run, error: f64) -> Result<Against, BadHistogram> {
    let old = |name: &str| before.levels.iter().find(|level| level.name == name);
    let pairs: Vec<_> = after.levels.iter().filter_map(|level| Some((old(&level.name)?, level))).collect();
    let tests = (pairs.len() * QUANTILES.len()).max(1);
    let confidence = 1.0 - error / tests as f64;
    let mut levels = Vec::new();
    for (old, new) in pairs {
        levels.push(LevelChange {
            level: new.name.clone(),
            comparison: compare::recordings(&old.recording, &new.recording, confidence)?,
            failed: (
                (old.recording.failed(), old.recording.requests()),
                (new.recording.failed(), new.recording.requests()),
            ),
        });
    }
    let is_shared = |name: &str| levels.iter().any(|level| level.level == name);
    let names = before.levels.iter().chain(&after.levels).map(|level| level.name.clone());
    let alone = names.filter(|name| !is_shared(name)).collect();
    let outcome = outcome(&levels);
    let (before, after) = (before.label.clone(), after.label.clone());
    Ok(Against { before, after, levels, alone, error, confidence, outcome })
}

fn outcome(levels: &[LevelChange]) -> ComparedOutcome {
    let all: Vec<ChangeVerdict> =
        levels.iter().flat_map(|level| &level.comparison.quantiles).map(|quantile| quantile.change).collect();
    let has = |change: ChangeVerdict| all.contains(&change);
    match (has(ChangeVerdict::Slower), has(ChangeVerdict::Faster)) {
        (true, true) => ComparedOutcome::Mixed,
        (true, false) => ComparedOutcome::Slower,
        (false, true) => ComparedOutcome::Faster,
        (false, false) if has(ChangeVerdict::None) => ComparedOutcome::Same,
        (false, false) => ComparedOutcome::TooFew,
    }
}
