//! Gates as data: which findings have to pass, by priority, and limits for groups of regions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::milliseconds;
use crate::statistics::percentile_name;
use crate::verdict::Verdict;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// It must be.
    P0,
    /// It should be.
    P1,
    /// It would be nice.
    P2,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Which share of the findings of each priority has to pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Gate(BTreeMap<Priority, f64>);

/// A text that is not a gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid gate `{0}`; an example is: all P0, 80 % of P1, 60 % of P2")]
pub struct BadGate(String);

/// How many findings of a priority there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Neither.
    pub inconclusive: usize,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.pass + self.fail + self.inconclusive
    }
}

/// What a gate says of findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Of the gate as a whole.
    pub verdict: Verdict,
    /// Of each priority.
    pub by_priority: BTreeMap<Priority, Counts>,
    /// Why it is not passed, by priority.
    pub why: Vec<String>,
}

impl Gate {
    /// The gate of a week's plan: the share of P0, P1 and P2.
    pub fn of_week(week: u32) -> Option<Self> {
        // Week 5 (its PRD, "Overall Success") and week 8 (the same place). Weeks 13 and 14 call 67 % and 60 % of P2 complete and name no
        // share for P1; what they reached there, all of it, is not what they asked for.
        let (second, third) = match week {
            5 => (0.8, 0.5),
            8 | 13 | 14 => (0.8, 0.6),
            _ => return None,
        };
        Some(Self([(Priority::P0, 1.0), (Priority::P1, second), (Priority::P2, third)].into()))
    }

    /// A gate of the percentage of each priority that has to pass; none when one of them is not a percentage.
    pub fn of_percentages(percentages: impl IntoIterator<Item = (Priority, f64)>) -> Option<Self> {
        let share = |(priority, percent): (Priority, f64)| {
            (0.0..=100.0).contains(&percent).then_some((priority, percent / 100.0))
        };
        percentages.into_iter().map(share).collect::<Option<_>>().map(Self)
    }

    /// Decides. Findings that are inconclusive are passed by no gate, and fail none that could be passed with them.
    pub fn decide(&self, findings: impl IntoIterator<Item = (Priority, Verdict)>) -> Decision {
        let mut by_priority: BTreeMap<Priority, Counts> = BTreeMap::new();
        for (priority, verdict) in findings {
            let counts = by_priority.entry(priority).or_default();
            match verdict {
                Verdict::Pass => counts.pass += 1,
                Verdict::Fail => counts.fail += 1,
                Verdict::Inconclusive => counts.inconclusive += 1,
            }
        }
        let (mut verdict, mut why) = (Verdict::Pass, Vec::new());
        for (priority, share) in &self.0 {
            let counts = by_priority.get(priority).copied().unwrap_or_default();
            if counts.total() == 0 && *share >= 1.0 {
                // "All of nothing" is not a success.
                why.push(format!("{priority}: there is nothing to decide about"));
                if verdict == Verdict::Pass {
                    verdict = Verdict::Inconclusive;
                }
                continue;
            }
            // 0.6 of 5 is 3, whatever a binary fraction makes of it.
            let needed = (share * counts.total() as f64 - 1e-9).ceil() as usize;
            if counts.pass >= needed {
                continue;
            }
            let reachable = counts.pass + counts.inconclusive >= needed;
            why.push(format!(
                "{priority}: {} of {} passed, {needed} are needed, {} failed",
                counts.pass,
                counts.total(),
                counts.fail
            ));
            verdict = match (verdict, reachable) {
                (Verdict::Fail, _) | (_, false) => Verdict::Fail,
                _ => Verdict::Inconclusive,
            };
        }
        Decision { verdict, by_priority, why }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (priority, share)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            if *share >= 1.0 {
                write!(f, "{comma}all {priority}")?;
            } else {
                write!(f, "{comma}{} % of {priority}", (share * 1e4).round() / 1e2)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Gate {
    type Err = BadGate;

    fn from_str(text: &str) -> Result<Self, BadGate> {
        let bad = || BadGate(text.to_owned());
        let mut gate = BTreeMap::new();
        for part in text.split(',').map(str::trim) {
            let (share, name) = match part.strip_prefix("all ") {
                Some(name) => (1.0, name),
                None => {
                    let (percent, name) = part.split_once('%').ok_or_else(bad)?;
                    let percent: f64 = percent.trim().parse().map_err(|_| bad())?;
                    (percent / 100.0, name.trim().strip_prefix("of ").ok_or_else(bad)?)
                }
            };
            let priority = match name.trim() {
                "P0" => Priority::P0,
                "P1" => Priority::P1,
                "P2" => Priority::P2,
                _ => return Err(bad()),
            };
            if !(0.0..=1.0).contains(&share) || gate.insert(priority, share).is_some() {
                return Err(bad());
            }
        }
        Ok(Self(gate))
    }
}

impl From<Gate> for String {
    fn from(gate: Gate) -> Self {
        gate.to_string()
    }
}

impl TryFrom<String> for Gate {
    type Error = BadGate;

    fn try_from(text: String) -> Result<Self, BadGate> {
        text.parse()
    }
}

/// A limit on a percentile for some vantage points, as `route cutover --gate` takes it: `p95<25ms@all`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Expression {
    /// 0.95 is the 95th percentile.
    pub quantile: f64,
    /// What it has to stay below.
    pub limit: Duration,
    /// `all`, a region, or the name of a group.
    pub scope: String,
}

/// A text that is not an expression of a gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid cutover gate `{0}`; examples are p95<25ms@all and p99<0.5s@eu-west-1")]
pub struct BadExpression(String);

impl FromStr for Expression {
    type Err = BadExpression;

    fn from_str(text: &str) -> Result<Self, BadExpression> {
        let bad = || BadExpression(text.to_owned());
        let (measure, scope) = text.trim().split_once('@').unwrap_or((text.trim(), "all"));
        let (name, limit) = measure.split_once('<').ok_or_else(bad)?;
        let percent: f64 = name.trim().strip_prefix('p').and_then(|text| text.parse().ok()).ok_or_else(bad)?;
        let (limit, unit) = match limit.trim() {
            limit if limit.ends_with("ms") => (limit.trim_end_matches("ms"), 1.0),
            limit if limit.ends_with('s') => (limit.trim_end_matches('s'), 1000.0),
            _ => return Err(bad()),
        };
        let limit: f64 = limit.trim().parse().map_err(|_| bad())?;
        let limit = milliseconds::duration(limit * unit).filter(|limit| !limit.is_zero()).ok_or_else(bad)?;
        let plain = !scope.is_empty() && scope.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let quantile = percent / 100.0;
        let fine = plain && (0.01..=0.99999).contains(&quantile);
        if fine { Ok(Self { quantile, limit, scope: scope.to_owned() }) } else { Err(bad()) }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<{}ms@{}", percentile_name(self.quantile), milliseconds::of(self.limit), self.scope)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.to_string()
    }
}

impl TryFrom<String> for Expression {
    type Error = BadExpression;

    fn try_from(text: String) -> Result<Self, BadExpression> {
        text.parse()
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
