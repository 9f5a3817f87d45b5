//! What happened to a region while it was watched, and what follows: detection and client-visible time. Pure.

use std::time::Duration;

use crate::commands::validate::measurements::Found;
use crate::measure::timeline::Outage;
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::plan::validation::FailoverCheck;

/// How many failed requests in a row make an endpoint down: one alone is a blip.
const IN_A_ROW: u32 = 2;
/// Clients may see a region fail a little before the next direct request to it does.
const BEFORE: Duration = Duration::from_secs(2);

/// A region, since the beginning of the watch.
#[derive(Clone, Debug, Default)]
pub struct RegionTimeline {
    /// Its name.
    pub region: String,
    /// When it answered first.
    pub up_at: Option<Duration>,
    /// When it stopped to answer, after that.
    pub down_at: Option<Duration>,
    /// When it answered again.
    pub back_at: Option<Duration>,
    /// When Route 53 counted it as unhealthy, after it stopped.
    pub detected_at: Option<Duration>,
    /// Why Route 53 could not be asked.
    pub unasked: Option<String>,
    /// The failed requests in a row, and when the first of them was.
    failing: Option<(u32, Duration)>,
}

impl RegionTimeline {
    /// Of a region.
    pub fn of(region: &str) -> Self {
        Self { region: region.to_owned(), ..Self::default() }
    }

    /// A direct request at this time was answered as ready, or not. Whether that is news.
    pub fn requested(&mut self, at: Duration, ready: bool) -> bool {
        if ready {
            self.failing = None;
            let back = self.down_at.is_some() && self.back_at.is_none();
            if back {
                self.back_at = Some(at);
            }
            let first = self.up_at.is_none();
            self.up_at.get_or_insert(at);
            return first || back;
        }
        let (count, since) = self.failing.map_or((1, at), |(count, since)| (count + 1, since));
        self.failing = Some((count, since));
        let news = count >= IN_A_ROW && self.up_at.is_some() && self.down_at.is_none();
        if news {
            self.down_at = Some(since);
        }
        news
    }

    /// What Route 53 says at this time. Whether that is news.
    pub fn reported(&mut self, at: Duration, healthy: bool) -> bool {
        let news = !healthy && self.down_at.is_some() && self.detected_at.is_none();
        if news {
            self.detected_at = Some(at);
        }
        news
    }

    /// Seconds from the outage to its detection.
    pub fn detection(&self) -> Option<f64> {
        Some(self.detected_at?.saturating_sub(self.down_at?).as_secs_f64())
    }

    /// Seconds in which clients saw failures because of it: from the first to the last outage that began while it was down.
    fn client(&self, outages: &[Outage], longest: Duration) -> Option<f64> {
        let down = self.down_at?;
        let end = self.back_at.unwrap_or(Duration::MAX).min(down.saturating_add(longest));
        let within = |outage: &&Outage| {
            let from = Duration::from_millis(outage.from_ms);
            from >= down.saturating_sub(BEFORE) && from <= end
        };
        let first = outages.iter().filter(within).map(|outage| outage.from_ms).min()?;
        let last = outages.iter().filter(within).map(|outage| outage.to_ms).max()?;
        Some(Duration::from_millis(last.saturating_sub(first)).as_secs_f64())
    }

    /// The time line in words.
    fn note(&self) -> String {
        let at = |word: &str, at: Option<Duration>| at.map(|at| format!("{word} at {:.1} s", at.as_secs_f64()));
        let parts = [
            at("ready", self.up_at),
            at("down", self.down_at),
            at("detected by Route 53", self.detected_at),
            at("ready again", self.back_at),
            self.unasked.as_ref().map(|why| format!("Route 53 was not asked: {why}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let words = if parts.is_empty() { "it never answered".to_owned() } else { parts.join(", ") };
        format!("{}: {words}", self.region)
    }
}

/// Holds what happened against the limits of a check.
pub fn findings(check: &FailoverCheck, regions: &[RegionTimeline], outages: &[Outage]) -> Vec<Found> {
    let most = check.detection_seconds + check.record_ttl_seconds;
    let detection =
        Wanted::new("detection of an outage", Unit::Seconds, Compare::AtMost, check.detection_seconds as f64);
    let client = Wanted::new("failures that clients saw", Unit::Seconds, Compare::AtMost, most as f64);
    let detected: Vec<f64> = regions.iter().filter_map(RegionTimeline::detection).collect();
    // Twice the limit, so that a miss shows how far it is away.
    let longest = Duration::from_secs(most.saturating_mul(2));
    let seen: Vec<f64> = regions.iter().filter_map(|region| region.client(outages, longest)).collect();
    let noted =
        |finding: MeasuredFinding| regions.iter().map(RegionTimeline::note).fold(finding, MeasuredFinding::with_note);
    let found = |measure: &str, finding| Found { measure: measure.to_owned(), of: None, finding };
    let mut client = verdict::each(&client, &seen, 1);
    if seen.is_empty() && regions.iter().any(|region| region.down_at.is_some()) {
        "no request of this machine failed: it is not sent to the region that was down".clone_into(&mut client.why);
    }
    vec![
        found("failover.detection", noted(verdict::each(&detection, &detected, check.regions.len()))),
        found("failover.client", noted(client)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::Verdict;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn check() -> FailoverCheck {
        FailoverCheck {
            regions: vec!["a".to_owned()],
            host: "h".to_owned(),
            detection_seconds: 90,
            record_ttl_seconds: 60,
        }
    }

    /// A region that is down from the tenth second on and detected after so many more.
    fn watched(detected_after: Option<u64>) -> RegionTimeline {
        let mut region = RegionTimeline::of("a");
        for second in 0..200 {
            region.requested(at(second), second < 10);
            region.reported(at(second), detected_after.is_none_or(|after| second < 10 + after));
        }
        region
    }

    #[test]
    fn an_outage_is_from_the_first_of_two_failures_to_its_detection() {
        let region = watched(Some(70));
        assert_eq!((region.down_at, region.detected_at), (Some(at(10)), Some(at(80))));
        let outages = [Outage { from_ms: 9_500, to_ms: 95_000, failed: 400 }];
        let found = findings(&check(), &[region], &outages);
        let of = |measure: &str| {
            let one = found.iter().find(|found| found.measure == measure).expect(measure);
            (one.finding.verdict, one.finding.value)
        };
        assert_eq!(of("failover.detection"), (Verdict::Pass, Some(70.0)));
        assert_eq!(of("failover.client"), (Verdict::Pass, Some(85.5)));
        assert!(found[0].finding.notes[0].contains("down at 10.0 s, detected by Route 53 at 80.0 s"), "{found:?}");
    }

    #[test]
    fn one_failure_alone_is_no_outage_and_one_before_it_was_up_none_either() {
        let mut region = RegionTimeline::of("a");
        region.requested(at(0), false);
        region.requested(at(1), false);
        assert!(region.requested(at(2), true), "it is up: that is news");
        assert!(!region.requested(at(3), false) && !region.requested(at(4), true) && !region.requested(at(5), false));
        assert_eq!(region.down_at, None);
        assert!(region.requested(at(6), false));
        assert_eq!(region.down_at, Some(at(5)));
        assert!(region.requested(at(9), true), "it is back");
        assert_eq!(region.back_at, Some(at(9)));
    }

    #[test]
    fn what_was_not_seen_is_inconclusive() {
        let found = findings(&check(), &[watched(None)], &[]);
        assert!(found.iter().all(|found| found.finding.verdict == Verdict::Inconclusive), "{found:?}");
        assert!(found[1].finding.why.contains("not sent to the region"), "{found:?}");
        let slow = findings(&check(), &[watched(Some(120))], &[]);
        assert_eq!(slow[0].finding.verdict, Verdict::Fail);
    }
}
