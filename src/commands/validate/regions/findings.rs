//! What probes of several regions measured, against the limits: each region alone, and all of them as one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RegionAnswer;
use super::probe::ProbeAnswer;
use crate::commands::validate::judge;
use crate::commands::validate::latency::{CONFIDENCE, limited, not_from_regions};
use crate::commands::validate::measurements::{CheckResult, Found};
use crate::measure::Recording;
use crate::measure::floor::{self, Path, VANTAGE_REGIONS};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::plan::validation::LatencyCheck;

/// What the places are from which probes measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeLocations {
    /// Regions of AWS: what a plan's criteria mean.
    Regions,
    /// The user's own machines over SSH.
    Machines,
}

/// The `subject` of criteria about the results over all machines.
const MACHINES: &str = "ssh";

impl ProbeLocations {
    const fn word(self) -> &'static str {
        match self {
            Self::Regions => "region",
            Self::Machines => "machine",
        }
    }

    /// The `subject` of criteria about the results over all places.
    fn overall(self, check: &LatencyCheck) -> Option<String> {
        match self {
            Self::Regions => check.subject.clone(),
            Self::Machines => Some(MACHINES.to_owned()),
        }
    }
}

/// What came from a region, as a recording.
struct Region<'a> {
    name: &'a str,
    /// Or why there is none.
    recording: Result<Recording, String>,
    answer: Option<&'a ProbeAnswer>,
}

impl<'a> Region<'a> {
    fn of((name, answer): (&'a String, &'a RegionAnswer)) -> Self {
        let recording = match answer {
            Ok(answer) => answer.recording(name).map_err(|bad| bad.to_string()),
            Err(why) => Err(why.clone()),
        };
        Self { name, recording, answer: answer.as_ref().ok() }
    }

    fn percentile(&self, quantile: f64, wish: &Wanted) -> MeasuredFinding {
        let name = format!("{} from {}", wish.name, self.name);
        let limit = Duration::try_from_secs_f64(wish.threshold / 1000.0).unwrap_or(Duration::ZERO);
        let finding = match &self.recording {
            Ok(recording) => verdict::latency(&name, recording, quantile, wish.compare, limit, CONFIDENCE),
            Err(why) => {
                let wish = Wanted { name, ..wish.clone() };
                return verdict::unmeasured(&wish, why.as_str());
            }
        };
        self.notes(limit).into_iter().fold(finding, MeasuredFinding::with_note)
    }

    /// What the network alone takes from there. A limit below one round trip cannot be held by any server.
    fn notes(&self, limit: Duration) -> Vec<String> {
        let Some(answer) = self.answer else { return Vec::new() };
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let mut notes = Vec::new();
        if let Some(shortest) = answer.round_trips().min() {
            let path =
                Path { from: floor::find(self.name), measured: Some(shortest), round_trips: 1, ..Path::default() };
            notes.push(match floor::note(limit, &path, &VANTAGE_REGIONS) {
                Some(note) => note.text,
                None => format!("one round trip to what answers takes {:.1} ms (TCP)", milliseconds(shortest)),
            });
        }
        if let Some(first) = answer.first_visit() {
            notes.push(format!("a first request, with DNS, TCP and TLS, takes {:.1} ms (median)", milliseconds(first)));
        }
        notes
    }
}

/// The findings of a check.
pub fn of(check: &LatencyCheck, answers: &BTreeMap<String, RegionAnswer>, from: ProbeLocations) -> CheckResult {
    let regions: Vec<Region<'_>> = answers.iter().map(Region::of).collect();
    let mut found = Vec::new();
    for (word, quantile, limit) in limited(&check.limits) {
        let wish = Wanted::new(format!("{word} of the latency"), Unit::Milliseconds, Compare::Less, limit);
        let measure = format!("latency.{word}");
        let each = |region: &Region<'_>| (region.name.to_owned(), region.percentile(quantile, &wish));
        let all: Vec<(String, MeasuredFinding)> = regions.iter().map(each).collect();
        let overall = Wanted { name: format!("{} from the slowest {}", wish.name, from.word()), ..wish.clone() };
        let overall = judge::slowest(&overall, &all);
        let one = |(region, finding)| Found { measure: measure.clone(), of: Some(region), finding };
        found.extend(all.into_iter().map(one));
        found.push(Found { measure, of: from.overall(check), finding: overall });
    }
    if let Some(percent) = check.cache_hit_percent {
        found.push(hit_rate(check, percent / 100.0, &regions, from));
    }
    if let Some(per_second) = check.requests_per_second {
        found.push(throughput(check, per_second, &regions, from));
    }
    found.push(measured(check, &regions, from));
    if from == ProbeLocations::Machines && !check.regions.is_empty() {
        found.push(not_from_regions(check));
    }
    let recordings = regions.into_iter().filter_map(|region| Some((region.name.to_owned(), region.recording.ok()?)));
    CheckResult { found, recordings: recordings.collect() }
}

/// The share of answers from a cache, over all regions.
fn hit_rate(check: &LatencyCheck, wanted: f64, regions: &[Region<'_>], from: ProbeLocations) -> Found {
    let counts = regions.iter().filter_map(|region| region.recording.as_ref().ok()).map(Recording::cache_hits);
    let (hits, total) = counts.fold((0, 0), |(hits, total), one| (hits + one.0, total + one.1));
    let finding = verdict::share("cache hit rate", hits, total, Compare::AtLeast, wanted, CONFIDENCE);
    Found { measure: "latency.cache_hit_rate".to_owned(), of: from.overall(check), finding }
}

/// Answers a second over all regions at once. A region of which nothing came leaves it open.
fn throughput(check: &LatencyCheck, per_second: f64, regions: &[Region<'_>], from: ProbeLocations) -> Found {
    let name = format!("throughput of all {}s", from.word());
    let mut whole = Recording::default();
    let merged = regions.iter().try_for_each(|region| {
        let recording = region.recording.as_ref().map_err(|why| format!("{}: {why}", region.name))?;
        whole.merge(recording).map_err(|bad| format!("{}: {bad}", region.name))
    });
    let finding = match merged {
        Ok(()) => verdict::rate(&name, &whole, Compare::AtLeast, per_second, CONFIDENCE)
            .with_note(format!("{} requests a second were sent", check.rate * regions.len() as f64)),
        Err(why) => verdict::unmeasured(&Wanted::new(name, Unit::PerSecond, Compare::AtLeast, per_second), why),
    };
    Found { measure: "load.throughput".to_owned(), of: from.overall(check), finding }
}

/// How many regions or machines answered.
fn measured(check: &LatencyCheck, regions: &[Region<'_>], from: ProbeLocations) -> Found {
    let count = regions.iter().filter(|region| region.recording.is_ok()).count();
    let wanted = match from {
        ProbeLocations::Regions => check.regions.len().max(regions.len()),
        ProbeLocations::Machines => regions.len(),
    };
    let wish = Wanted::new(format!("{}s measured", from.word()), Unit::Count, Compare::AtLeast, wanted as f64);
    let silent =
        regions.iter().filter_map(|region| Some(format!("{}: {}", region.name, region.recording.as_ref().err()?)));
    let known = verdict::known(&wish, count as f64);
    // Those that are silent may answer the next time: that nothing came is no failure.
    let finding = match regions.len() - count {
        0 => known,
        silent => judge::against(&MeasuredFinding { high: Some((count + silent) as f64), ..known }, &wish),
    };
    let finding = silent.fold(finding, MeasuredFinding::with_note);
    Found { measure: format!("latency.{}s_measured", from.word()), of: from.overall(check), finding }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::measure::verdict::Verdict;
    use crate::plan::validation::{LimitsPlan, RequestPlan};

    fn check(p95_ms: f64) -> LatencyCheck {
        LatencyCheck {
            regions: vec!["eu-west-1".to_owned(), "us-east-1".to_owned()],
            request: RequestPlan { host: "h".to_owned(), path: "/".to_owned(), texts: Vec::new(), model: None },
            requests: 1000,
            rate: 100.0,
            limits: LimitsPlan { p50_ms: None, p95_ms: Some(p95_ms), p99_ms: None },
            cache_hit_percent: Some(90.0),
            requests_per_second: Some(150.0),
            subject: None,
        }
    }

    /// 400 requests of so many milliseconds over a network of so many.
    fn answer(total_ms: u64, round_trip_ms: u64) -> RegionAnswer {
        let sample = |due: u64, new: bool| {
            json!({
                "due": due * 10_000, "late": 10, "total": total_ms * 1000, "first_byte": 900, "status": 200, "cache": "hit",
                "bytes": 1, "new": new, "dns": 0, "tcp": if new { round_trip_ms * 1000 } else { 0 }, "tls": 0,
            })
        };
        let samples: Vec<_> = (0..400).map(|number| sample(number, false)).collect();
        let text = json!({
            "format": 1, "node": "v24", "started_ms": 0, "span": 4_000_000, "openings": [sample(0, true)], "samples": samples,
        });
        Ok(ProbeAnswer::read(text.to_string().as_bytes()).expect("an answer"))
    }

    fn verdict(result: &CheckResult, measure: &str, of: Option<&str>) -> Verdict {
        let fits = |found: &&Found| found.measure == measure && found.of.as_deref() == of;
        result.found.iter().find(fits).expect(measure).finding.verdict
    }

    #[test]
    fn the_limit_holds_for_each_region_and_a_silent_one_leaves_it_open() {
        let fast = [("eu-west-1".to_owned(), answer(10, 2)), ("us-east-1".to_owned(), answer(20, 2))].into();
        let result = of(&check(25.0), &fast, ProbeLocations::Regions);
        assert_eq!(verdict(&result, "latency.p95", None), Verdict::Pass);
        assert_eq!(verdict(&result, "latency.regions_measured", None), Verdict::Pass);
        assert_eq!(verdict(&result, "latency.cache_hit_rate", None), Verdict::Pass);
        assert_eq!(verdict(&result, "load.throughput", None), Verdict::Pass, "200 a second");
        assert_eq!(result.recordings.len(), 2);
        let one_slow = of(&check(15.0), &fast, ProbeLocations::Regions);
        assert_eq!(verdict(&one_slow, "latency.p95", Some("eu-west-1")), Verdict::Pass);
        assert_eq!(verdict(&one_slow, "latency.p95", Some("us-east-1")), Verdict::Fail);
        assert_eq!(verdict(&one_slow, "latency.p95", None), Verdict::Fail);
        let silent = [("eu-west-1".to_owned(), answer(10, 2)), ("us-east-1".to_owned(), Err("no answer".to_owned()))];
        let result = of(&check(25.0), &silent.into(), ProbeLocations::Regions);
        assert_eq!(verdict(&result, "latency.p95", None), Verdict::Inconclusive);
        assert_eq!(verdict(&result, "load.throughput", None), Verdict::Inconclusive);
        assert_eq!(verdict(&result, "latency.regions_measured", None), Verdict::Inconclusive);
    }

    #[test]
    fn machines_are_no_regions() {
        let fast = [("ssh:jetson01".to_owned(), answer(10, 2)), ("ssh:jetson02".to_owned(), answer(20, 2))].into();
        let result = of(&check(25.0), &fast, ProbeLocations::Machines);
        assert_eq!(verdict(&result, "latency.p95", Some("ssh:jetson02")), Verdict::Pass);
        assert_eq!(verdict(&result, "latency.p95", Some("ssh")), Verdict::Pass);
        assert_eq!(verdict(&result, "latency.machines_measured", Some("ssh")), Verdict::Pass);
        assert_eq!(verdict(&result, "latency.regions_measured", None), Verdict::Inconclusive);
        assert!(!result.found.iter().any(|found| found.measure == "latency.p95" && found.of.is_none()));
    }

    #[test]
    fn all_regions_are_the_same_for_the_probes_and_for_the_floor() {
        assert_eq!(crate::desired::probes::REGIONS, VANTAGE_REGIONS);
    }

    #[test]
    fn a_limit_below_a_round_trip_is_called_so() {
        let far = [("us-east-1".to_owned(), answer(90, 80))].into();
        let result = of(&check(25.0), &far, ProbeLocations::Regions);
        let notes: Vec<&String> = result.found.iter().flat_map(|found| &found.finding.notes).collect();
        assert!(notes.iter().any(|note| note.starts_with("the network does not allow 25 ms")), "{notes:?}");
        assert!(notes.iter().any(|note| note.starts_with("a first request")), "{notes:?}");
    }
}
