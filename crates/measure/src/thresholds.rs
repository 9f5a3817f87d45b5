//! Limits for groups of regions, as data: those of the weeks' plans, or anybody's own in the same JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gate::Priority;
use crate::milliseconds;
use crate::recording::Recording;
use crate::statistics::percentile_name;
use crate::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};

/// The limits of the weeks.
const WEEKS: &str = include_str!("thresholds.json");

/// A limit on a percentile for a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyLimit {
    /// The group that it is for.
    pub group: String,
    /// 0.95 is the 95th percentile.
    pub quantile: f64,
    /// On which side of it.
    pub compare: Compare,
    /// Milliseconds.
    pub limit_ms: f64,
    /// How much it matters.
    pub priority: Priority,
}

/// A limit on the throughput.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// With so many connections; 0 is the whole stack, however it is reached.
    pub connections: u32,
    /// On which side of it.
    pub compare: Compare,
    /// Answers per second.
    pub per_second: f64,
    /// How much it matters.
    pub priority: Priority,
}

/// Limits and the groups that they are for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// The week that they are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<u32>,
    /// What they are called.
    pub name: String,
    /// Where they are from.
    #[serde(default)]
    pub source: String,
    /// Regions by group: a name, or a beginning and `*`. Groups that are not here (`local`, `burst`) are said by who measures.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Limits on percentiles.
    pub latencies: Vec<LatencyLimit>,
    /// Limits on throughput.
    #[serde(default)]
    pub rates: Vec<RateLimit>,
}

/// A text that has no limits.
#[derive(Debug, thiserror::Error)]
pub enum BadThresholds {
    /// Not JSON of this shape.
    #[error("the limits cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A limit that is none.
    #[error("the limit of {0} has a percentile or a figure out of its range")]
    Range(String),
    /// There are none for this week.
    #[error("no limits are defined for week {0}; they are for weeks 5, 8, 13 and 14")]
    Week(u32),
}

/// A finding with how much it matters and whom it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatedFinding {
    /// The region or host.
    pub vantage: String,
    /// The group whose limit it was held against.
    pub group: String,
    /// How much it matters.
    pub priority: Priority,
    /// What was found.
    pub finding: MeasuredFinding,
}

impl Thresholds {
    /// Those of a week.
    ///
    /// # Errors
    /// A week without limits.
    pub fn of_week(week: u32) -> Result<Self, BadThresholds> {
        let all: Vec<Self> = serde_json::from_str(WEEKS)?;
        all.into_iter().find(|one| one.week == Some(week)).ok_or(BadThresholds::Week(week))
    }

    /// Those of a JSON text.
    ///
    /// # Errors
    /// A text of another shape, or a figure out of its range.
    pub fn parse(text: &str) -> Result<Self, BadThresholds> {
        let read: Self = serde_json::from_str(text)?;
        let fine = |limit: &&LatencyLimit| (0.001..=0.99999).contains(&limit.quantile) && limit.limit_ms > 0.0;
        match read.latencies.iter().find(|limit| !fine(limit) || milliseconds::duration(limit.limit_ms).is_none()) {
            Some(bad) => Err(BadThresholds::Range(bad.group.clone())),
            None => Ok(read),
        }
    }

    /// The limits that hold for a region which is in these further groups.
    pub fn latencies_for(&self, region: &str, also: &[&str]) -> Vec<&LatencyLimit> {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => region.starts_with(beginning),
            None => pattern == region,
        };
        let is_in = |group: &str| self.groups.get(group).is_some_and(|regions| regions.iter().any(fits));
        self.latencies.iter().filter(|limit| is_in(&limit.group) || also.contains(&limit.group.as_str())).collect()
    }

    /// The limit for so many connections.
    pub fn rate_for(&self, connections: u32) -> Option<&RateLimit> {
        self.rates.iter().find(|limit| limit.connections == connections)
    }

    /// Holds recordings by region against the limits of their groups. `None` is a region from which nothing came, with the reason.
    pub fn judge(
        &self,
        regions: &BTreeMap<String, Result<Recording, String>>,
        also: &[&str],
        confidence: f64,
    ) -> Vec<RatedFinding> {
        let mut found = Vec::new();
        for (region, recording) in regions {
            for limit in self.latencies_for(region, also) {
                let name = format!("{} from {region}", percentile_name(limit.quantile));
                let most = milliseconds::duration(limit.limit_ms).unwrap_or_default();
                let finding = match recording {
                    Ok(recording) => {
                        verdict::latency(&name, recording, limit.quantile, limit.compare, most, confidence)
                    }
                    Err(why) => {
                        let wish = Wanted::new(name, Unit::Milliseconds, limit.compare, limit.limit_ms);
                        verdict::unmeasured(&wish, why)
                    }
                };
                let (vantage, group) = (region.clone(), limit.group.clone());
                found.push(RatedFinding { vantage, group, priority: limit.priority, finding });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn limits(week: u32, region: &str, also: &[&str]) -> Vec<(f64, f64)> {
        let all = Thresholds::of_week(week).unwrap();
        all.latencies_for(region, also).into_iter().map(|limit| (limit.quantile, limit.limit_ms)).collect()
    }

    #[test]
    fn the_weeks_have_their_limits_by_group() {
        assert_eq!(limits(13, "af-south-1", &[]), [(0.95, 25.0), (0.99, 40.0)]);
        assert_eq!(limits(14, "us-east-1", &[]), [(0.95, 30.0), (0.95, 25.0)]);
        assert_eq!(limits(14, "sa-east-1", &[]), [(0.95, 50.0), (0.95, 35.0)]);
        assert_eq!(limits(14, "ca-central-1", &[]), [(0.95, 50.0)]);
        assert_eq!(limits(8, "us-west-1", &["local"]), [(0.95, 30.0)]);
        assert_eq!(limits(8, "us-west-1", &["cross-region"]), [(0.99, 50.0)]);
        assert_eq!(limits(5, "local", &["burst"]), [(0.95, 30.0), (0.5, 15.0), (0.95, 50.0)]);
        assert_eq!(Thresholds::of_week(5).unwrap().rate_for(15).unwrap().per_second.to_bits(), 150.0_f64.to_bits());
        assert!(matches!(Thresholds::of_week(9), Err(BadThresholds::Week(9))));
    }

    #[test]
    fn each_region_is_held_against_its_limits_and_a_silent_one_is_inconclusive() {
        let mut recording = Recording::default();
        let class = "reused/unstated/warm".parse().unwrap();
        let phases = recording.classes.entry(class).or_insert_with(Default::default);
        phases.total.record_many(std::time::Duration::from_millis(31), 1_000);
        let regions = [
            ("ca-central-1".to_owned(), Ok(recording.clone())),
            ("sa-east-1".to_owned(), Err("the probe did not answer".to_owned())),
            ("us-east-1".to_owned(), Ok(recording)),
        ];
        let found = Thresholds::of_week(14).unwrap().judge(&regions.into(), &[], verdict::CONFIDENCE);
        let told: Vec<_> =
            found.iter().map(|one| (&*one.vantage, one.finding.threshold, one.finding.verdict)).collect();
        assert_eq!(
            told,
            [
                ("ca-central-1", 50.0, Verdict::Pass),
                ("sa-east-1", 50.0, Verdict::Inconclusive),
                ("sa-east-1", 35.0, Verdict::Inconclusive),
                ("us-east-1", 30.0, Verdict::Fail),
                ("us-east-1", 25.0, Verdict::Fail),
            ]
        );
        assert_eq!(found[1].finding.why, "the probe did not answer");
    }

    #[test]
    fn limits_of_ones_own_are_checked() {
        let text = |quantile: &str| {
            format!(
                r#"{{"name": "ours", "groups": {{"all": ["*"]}}, "latencies":
                [{{"group": "all", "quantile": {quantile}, "compare": "<", "limit_ms": 5, "priority": "P0"}}]}}"#
            )
        };
        assert_eq!(Thresholds::parse(&text("0.9")).unwrap().name, "ours");
        assert!(matches!(Thresholds::parse(&text("95")), Err(BadThresholds::Range(_))));
        assert!(matches!(Thresholds::parse("{}"), Err(BadThresholds::Json(_))));
    }
}
